//! Looks after the certificates while the appliance runs: files that changed are read anew, sessions
//! stay (SU-11, OP-6).

use std::rc::Rc;

use crate::{
    appliance::{settings::Settings, start::Plan},
    base::time::Time,
    net::{
        certificate::Error,
        pairs::{self, Pairs, Place},
        tls::Tls,
        world::World,
    },
};

/// Files are looked at this often, in seconds.
const EVERY: u64 = 60;
/// So many looks later, a day, they are read even if nothing seems to have changed: the self-signed
/// one may be near its end.
const DAILY: u32 = 1440;

/// The certificates of a plan with these settings, all of them or none. What is imported and cannot be
/// used is done without.
pub(super) fn gather(plan: &Plan, settings: &Settings, now: Time) -> Result<Pairs, Error> {
    let place = Place {
        data: plan.data.clone(),
        hostname: plan.hostname.clone(),
        files: settings.tls.clone(),
    };
    let (pairs, flaws) = pairs::gather(place, now, None)?;
    for flaw in flaws {
        log::error!(target: "tls", "{flaw}");
    }
    Ok(pairs)
}

/// Looks again and again until it is dropped.
pub(super) async fn watch(tls: Tls, world: Rc<dyn World>) {
    let mut watch = Watch::default();
    loop {
        world.sleep(world.now().plus_seconds(EVERY)).await;
        watch.look(&tls, world.time());
    }
}

#[derive(Debug, Default)]
struct Watch {
    /// Looks since everything was read.
    looks: u32,
    /// What was said last: the same is not said again.
    trouble: Option<String>,
}

impl Watch {
    /// One look. A pair that is half written, or of which only one file is new, leaves the old one in
    /// use; it is tried again at each look.
    fn look(&mut self, tls: &Tls, now: Time) {
        let old = tls.pairs();
        self.looks = self.looks.saturating_add(1);
        if self.trouble.is_none() && self.looks < DAILY && old.place.stamp() == old.stamp {
            return;
        }
        self.looks = 0;
        let flaws = match pairs::gather(old.place.clone(), now, Some(&old)) {
            Ok((pairs, flaws)) => {
                if !pairs.same(&old) {
                    log::info!(target: "tls", "certificates read anew");
                }
                tls.swap(pairs);
                flaws
            }
            Err(error) => vec![error],
        };
        let flaws: Vec<_> = flaws.iter().map(ToString::to_string).collect();
        let trouble = (!flaws.is_empty()).then(|| flaws.join("; "));
        if let Some(text) = &trouble
            && trouble != self.trouble
        {
            log::error!(target: "tls", "{text}; what was in use stays");
        }
        self.trouble = trouble;
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use rcgen::{CertificateParams, KeyPair};

    use super::*;
    use crate::net::{certificate::Files, pairs::Import};

    /// Certificate and key for a name, in PEM.
    fn made(name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn start(place: Place) -> Tls {
        let (pairs, _) = pairs::gather(place, Time(0), None).unwrap();
        Tls::new(pairs, false).unwrap()
    }

    fn place(folder: &Path, files: Option<Files>) -> Place {
        Place {
            data: folder.join("data"),
            hostname: "mx.test".to_owned(),
            files,
        }
    }

    fn names(tls: &Tls) -> Vec<String> {
        tls.pairs().choose(None).unwrap().about.names.clone()
    }

    /// SU-11, OP-6: another pair is in use after a look; half of one never is.
    #[test]
    fn su_11_a_changed_pair_is_read_anew() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files {
            certificate: folder.path().join("own.pem"),
            key: folder.path().join("own.key"),
        };
        let (certificate, key) = made("one.test");
        fs::write(&files.certificate, certificate).unwrap();
        fs::write(&files.key, key).unwrap();
        let tls = start(place(folder.path(), Some(files.clone())));
        let mut watch = Watch::default();
        watch.look(&tls, Time(0));
        assert_eq!((names(&tls), watch.looks), (vec!["one.test".to_owned()], 1));

        let (certificate, key) = made("two.test");
        // Cut off, whole without its key, then both.
        fs::write(&files.certificate, &certificate[..certificate.len() / 2]).unwrap();
        watch.look(&tls, Time(0));
        let first = watch.trouble.clone().unwrap();
        assert!(
            first.ends_with("own.pem: holds no certificate (PEM)"),
            "{first}"
        );
        assert_eq!(names(&tls), ["one.test"]);
        fs::write(&files.certificate, &certificate).unwrap();
        watch.look(&tls, Time(0));
        let second = watch.trouble.clone().unwrap();
        assert!(
            second.contains("this key does not belong to the certificate in"),
            "{second}"
        );
        assert_eq!(names(&tls), ["one.test"]);
        fs::write(&files.key, &key).unwrap();
        watch.look(&tls, Time(0));
        assert_eq!(
            (names(&tls), watch.trouble.clone()),
            (vec!["two.test".to_owned()], None)
        );

        fs::remove_file(&files.key).unwrap();
        watch.look(&tls, Time(0));
        assert!(watch.trouble.is_some());
        assert_eq!(names(&tls), ["two.test"]);
        // The same file again, under the same name.
        fs::write(&files.key, &key).unwrap();
        watch.look(&tls, Time(0));
        assert_eq!(watch.trouble, None);
    }

    #[test]
    fn an_imported_pair_is_seen_and_a_broken_one_is_done_without() {
        let folder = tempfile::tempdir().unwrap();
        let tls = start(place(folder.path(), None));
        assert_eq!(names(&tls)[0], "mx.test");
        let (certificate, key) = made("mx.test");
        let import = Import::new(certificate.as_bytes(), key.as_bytes()).unwrap();
        import.keep(&tls.pairs().place).unwrap();
        let mut watch = Watch::default();
        watch.look(&tls, Time(0));
        assert_eq!(names(&tls), ["mx.test"]);
        let odd = folder.path().join("data/tls/imported/odd.pem");
        fs::write(&odd, "odd").unwrap();
        watch.look(&tls, Time(0));
        assert!(watch.trouble.clone().unwrap().contains("odd.pem"));
        assert_eq!(names(&tls), ["mx.test"]);
        fs::remove_file(&odd).unwrap();
        watch.look(&tls, Time(0));
        assert_eq!(watch.trouble, None);
    }

    #[test]
    fn once_a_day_everything_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let tls = start(place(folder.path(), None));
        let mut watch = Watch::default();
        let first = tls.pairs();
        // Ten years later; no file has changed.
        let late = Time(1_767_225_600 + 3650 * 86_400);
        for _ in 1..DAILY {
            watch.look(&tls, late);
        }
        assert!(tls.pairs().same(&first));
        watch.look(&tls, late);
        assert!(!tls.pairs().same(&first));
    }
}
