//! Who wins a name, and what is imported.

use std::os::unix::fs::PermissionsExt;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::*;

const HOST: &str = "mx.home.test";

/// Certificate and key in PEM.
fn made(names: &[&str], year: i32) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_after = date_time_ymd(year, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

fn pair(names: &[&str], year: i32, origin: Origin) -> Pair {
    let (chain, key) = made(names, year);
    Pair::new(
        certificate::pair(chain.as_bytes(), key.as_bytes()).unwrap(),
        origin,
    )
}

fn pairs(all: Vec<Pair>) -> Pairs {
    let place = Place {
        hostname: HOST.to_owned(),
        ..Place::default()
    };
    Pairs::new(place, Stamp::default(), all)
}

/// Year and origin of who is chosen.
fn chosen(pairs: &Pairs, name: Option<&str>) -> (String, Origin) {
    let pair = pairs.choose(name).unwrap();
    (pair.about.until.rfc3339()[..4].to_owned(), pair.origin)
}

#[test]
fn who_wins_a_name() {
    let own = pairs(vec![
        pair(&[HOST, "a.test"], 2040, Origin::Imported),
        pair(&["other.test", "a.test"], 2031, Origin::Configured),
        pair(&["a.test", "b.test"], 2041, Origin::Imported),
        pair(&["b.test", "*.b.test"], 2039, Origin::Imported),
    ]);
    let of = |name| chosen(&own, name);
    assert_eq!(of(None), ("2031".to_owned(), Origin::Configured));
    assert_eq!(of(Some("unknown.test")), of(None));
    assert_eq!(of(Some("a.test")), of(None));
    assert_eq!(of(Some("b.test")), ("2041".to_owned(), Origin::Imported));
    assert_eq!(of(Some("x.B.test.")), ("2039".to_owned(), Origin::Imported));
    assert_eq!(of(Some("x.x.b.test")), of(None));
    assert_eq!(of(Some(HOST)), ("2040".to_owned(), Origin::Imported));
    assert_eq!(of(Some("")), of(None));
    let used: Vec<_> = own
        .used()
        .map(|(_, names, default)| (names, default))
        .collect();
    assert_eq!(
        used,
        [
            (vec!["other.test", "a.test"], true),
            (vec!["b.test"], false),
            (vec![HOST], false),
            (vec!["*.b.test"], false),
        ]
    );
}

/// Without files of the owner's: the imported one for the hostname, else the self-signed one.
#[test]
fn who_asks_for_nobody_gets_the_hostnames() {
    let lan = || pair(&[HOST, "mx.local"], 2050, Origin::SelfSigned);
    let alone = pairs(vec![pair(&["a.test"], 2030, Origin::Imported), lan()]);
    assert_eq!(chosen(&alone, None).1, Origin::SelfSigned);
    let wild = pair(&["*.home.test"], 2030, Origin::Imported);
    let known = pairs(vec![lan(), wild]);
    assert_eq!(chosen(&known, None).1, Origin::Imported);
    assert_eq!(chosen(&known, Some(HOST)).1, Origin::Imported);
    let exact = pairs(vec![lan(), pair(&[HOST], 2030, Origin::Imported)]);
    assert_eq!(chosen(&exact, None).1, Origin::Imported);
    assert_eq!(chosen(&exact, Some("mx.local")).1, Origin::SelfSigned);
    assert!(pairs(vec![]).choose(Some(HOST)).is_none());
}

fn place(folder: &Path) -> Place {
    Place {
        data: folder.to_owned(),
        hostname: HOST.to_owned(),
        files: None,
    }
}

#[test]
fn what_is_imported_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let place = place(folder.path());
    let (chain, key) = made(&["*.a.test", "a.test"], 2030);
    let (issuer, _) = made(&["issuer.test"], 2031);
    let noisy = format!("Bag Attributes\n{chain}\n{issuer}{key}");
    let import = Import::new(noisy.as_bytes(), key.as_bytes()).unwrap();
    import.keep(&place).unwrap();
    let path = folder.path().join("tls/imported/_.a.test.pem");
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let before = place.stamp();
    let (found, flaws) = look(place.clone()).unwrap();
    assert!(flaws.is_empty());
    let pair = found.choose(Some("x.a.test")).unwrap();
    assert_eq!(pair.key.cert.len(), 2);
    assert_eq!(pair.key.cert, import.pair.key.cert);
    assert_eq!(pair.fingerprint().len(), 32 * 3 - 1);
    assert!(
        pair.fingerprint()
            .bytes()
            .all(|c| b"0123456789ABCDEF:".contains(&c))
    );
    // A newer one for the same name takes its place.
    let (chain, key) = made(&["*.a.test"], 2032);
    Import::new(chain.as_bytes(), key.as_bytes())
        .unwrap()
        .keep(&place)
        .unwrap();
    let (again, _) = look(place.clone()).unwrap();
    assert_eq!(again.used().count(), 1);
    assert!(!again.same(&found));
    assert_ne!(place.stamp(), before);
}

#[test]
fn what_is_not_imported() {
    let (chain, key) = made(&["a.test"], 2030);
    let (other, _) = made(&["b.test"], 2030);
    let (nameless, its_key) = made(&["192.0.2.1"], 2030);
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let empty = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    let refused =
        |chain: &str, key: &str| Import::new(chain.as_bytes(), key.as_bytes()).unwrap_err();
    assert_eq!(refused(&other, &key), ImportError::Flaw(Flaw::Mismatch));
    assert_eq!(refused(&key, &key), ImportError::Flaw(Flaw::NoCertificate));
    assert_eq!(refused("", &key), ImportError::Flaw(Flaw::NoCertificate));
    assert_eq!(refused(&chain, &chain), ImportError::Flaw(Flaw::NoKey));
    assert_eq!(
        refused(&chain, encrypted),
        ImportError::Flaw(Flaw::Encrypted)
    );
    assert_eq!(refused(&nameless, &its_key), ImportError::Nameless);
    assert!(matches!(
        refused(empty, &key),
        ImportError::Flaw(Flaw::Unusable(_))
    ));
}

/// No name of a certificate leads out of the folder, or is too long for a file.
#[test]
fn file_names() {
    let long = [
        "a".repeat(60),
        "b".repeat(60),
        "c".repeat(60),
        "d".repeat(60),
    ]
    .join(".");
    let (chain, key) = made(&["../../x", "a/b", &long], 2030);
    let import = Import::new(chain.as_bytes(), key.as_bytes()).unwrap();
    assert_eq!(import.pair.about.names, [long]);
    assert_eq!(import.name.len(), 64);
    let folder = tempfile::tempdir().unwrap();
    import.keep(&place(folder.path())).unwrap();
    assert_eq!(look(place(folder.path())).unwrap().0.used().count(), 1);
}
