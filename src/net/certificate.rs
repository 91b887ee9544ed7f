//! Certificates: the self-signed one made at the first start (SU-12), and the owner's own files.

use std::{
    fmt,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use futures_rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
    rustls::{self, crypto::ring, sign::CertifiedKey},
};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use time::OffsetDateTime;

use crate::{
    base::time::{BUILT, Time},
    net::file::{forget, store},
};

/// The self-signed certificate lives this long, in days. Phones take none that lives longer than 825,
/// even if their owner trusts it; it is made anew by itself.
const DAYS: i64 = 820;
/// So many days before its end another one is made.
const RENEW: i64 = 30;
/// Where certificates lie in a data folder.
pub(super) const FOLDER: &str = "tls";
/// No chain of PEM is longer, in octets.
pub const PEM_MAX: usize = 1024 * 1024;

/// Where the owner's certificate lies.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Files {
    /// PEM: the certificate, then its chain (`tls.certificate`).
    pub certificate: PathBuf,
    /// PEM: PKCS #8, PKCS #1 or SEC1 (`tls.key`).
    pub key: PathBuf,
}

/// Why there is no certificate.
#[derive(Debug)]
pub enum Error {
    /// The key does not belong to the certificate, or is of a kind that TLS here cannot use.
    Key { path: PathBuf, reason: String },
    /// A new certificate could not be made or written.
    Make { path: PathBuf, reason: String },
    /// No PEM, or not of the kind wanted.
    Pem { path: PathBuf, flaw: Flaw },
    /// The file cannot be read.
    Read { path: PathBuf, error: io::Error },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { path, reason } => write!(f, "{}: {reason}", path.display()),
            Self::Make { path, reason } => {
                write!(f, "{}: cannot be made: {reason}", path.display())
            }
            Self::Pem { path, flaw } => write!(f, "{}: {flaw}", path.display()),
            Self::Read { path, error } if error.kind() == io::ErrorKind::PermissionDenied => {
                let uid = rustix::process::geteuid().as_raw();
                write!(
                    f,
                    "{}: user {} (uid {uid}) may not read it; let that user, or run as root \
                     `pillarbox tls import CERTIFICATE KEY` and take tls.certificate and tls.key out \
                     of the configuration",
                    path.display(),
                    user(uid)
                )
            }
            Self::Read { path, error } => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for Error {}

impl Error {
    /// The file that it is about.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Key { path, .. }
            | Self::Make { path, .. }
            | Self::Pem { path, .. }
            | Self::Read { path, .. } => path,
        }
    }
}

/// What is wrong with a pair in PEM.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Flaw {
    /// The key is encrypted: nobody is there to type its password.
    Encrypted,
    /// The key belongs to another certificate.
    Mismatch,
    NoCertificate,
    NoKey,
    /// TLS here cannot use such a certificate or key.
    Unusable(String),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encrypted => f.write_str("the private key is encrypted with a password"),
            Self::Mismatch => f.write_str("this key does not belong to the certificate"),
            Self::NoCertificate => f.write_str("holds no certificate (PEM)"),
            Self::NoKey => f.write_str("holds no private key (PEM)"),
            Self::Unusable(reason) => write!(f, "cannot be used: {reason}"),
        }
    }
}

/// A certificate chain and its key, out of PEM.
///
/// # Errors
///
/// They are none, or do not belong together.
pub fn pair(chain: &[u8], key: &[u8]) -> Result<Arc<CertifiedKey>, Flaw> {
    let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(chain).collect();
    let chain = chain.map_err(|_| Flaw::NoCertificate)?;
    if chain.is_empty() {
        return Err(Flaw::NoCertificate);
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| {
        let encrypted = memchr::memmem::find(key, b"ENCRYPTED").is_some();
        if encrypted {
            Flaw::Encrypted
        } else {
            Flaw::NoKey
        }
    })?;
    let certified = CertifiedKey::from_der(chain, key, &ring::default_provider());
    certified.map(Arc::new).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => Flaw::Mismatch,
        error => Flaw::Unusable(error.to_string()),
    })
}

/// Reads the owner's own certificate.
///
/// # Errors
///
/// A file cannot be read, is no PEM, or the two do not belong together.
pub fn load(files: &Files) -> Result<Arc<CertifiedKey>, Error> {
    let (chain, key) = (read(&files.certificate)?, read(&files.key)?);
    pair(&chain, &key).map_err(|flaw| match flaw {
        Flaw::NoCertificate => Error::Pem {
            path: files.certificate.clone(),
            flaw,
        },
        Flaw::Encrypted | Flaw::NoKey => Error::Pem {
            path: files.key.clone(),
            flaw,
        },
        Flaw::Mismatch => Error::Key {
            path: files.key.clone(),
            reason: format!("{flaw} in {}", files.certificate.display()),
        },
        Flaw::Unusable(reason) => Error::Key {
            path: files.key.clone(),
            reason,
        },
    })
}

/// The self-signed certificate of a data folder; made if it is not there or cannot be read, is for
/// other names, or ends soon.
///
/// # Errors
///
/// It can neither be read nor made.
pub fn self_signed(data: &Path, hostname: &str, now: Time) -> Result<Arc<CertifiedKey>, Error> {
    let folder = data.join(FOLDER);
    let files = self_signed_files(data);
    // What the pair says about itself, so that nobody has to parse it.
    let about = folder.join("self-signed.names");
    let said = fs::read_to_string(&about).unwrap_or_default();
    let renew = now.0.saturating_add(RENEW.saturating_mul(86_400));
    let old = match load(&files) {
        Ok(certified) if is_for(&said, hostname, renew) => return Ok(certified),
        Ok(certified) => Some(certified),
        Err(Error::Read { error, .. }) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            log::warn!(target: "tls", "{error}; a new one is made");
            None
        }
    };
    match (renewed(&folder, &files, &about, hostname, now), old) {
        (Ok(certified), old) => {
            if old.is_some() {
                log::info!(target: "tls", "the self-signed certificate is a new one, for {hostname}");
            }
            Ok(certified)
        }
        (Err(error), Some(old)) => {
            log::error!(target: "tls", "{error}; the old one is used");
            Ok(old)
        }
        (Err(error), None) => Err(error),
    }
}

/// Where the self-signed certificate of a data folder lies.
#[must_use]
pub fn self_signed_files(data: &Path) -> Files {
    let folder = data.join(FOLDER);
    Files {
        certificate: folder.join("self-signed.pem"),
        key: folder.join("self-signed.key"),
    }
}

/// Makes a pair and keeps it.
fn renewed(
    folder: &Path,
    files: &Files,
    about: &Path,
    hostname: &str,
    now: Time,
) -> Result<Arc<CertifiedKey>, Error> {
    let failed = |reason: String| Error::Make {
        path: files.certificate.clone(),
        reason,
    };
    let end = end(now);
    let (certificate, key) = make(hostname, now, end).map_err(|error| failed(error.to_string()))?;
    // A power cut between these leaves a pair that does not fit, or of which nothing is said: it is
    // made anew.
    forget(about)
        .and_then(|()| store(folder, &files.key, &key))
        .and_then(|()| store(folder, &files.certificate, &certificate))
        .and_then(|()| store(folder, about, &about_text(hostname, end)))
        .map_err(|error| failed(error.to_string()))?;
    load(files)
}

/// Certificate and key as PEM, for the hostname, the LAN name and localhost.
fn make(hostname: &str, now: Time, end: i64) -> Result<(String, String), rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::new(names(hostname))?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, hostname);
    params.distinguished_name = name;
    // Clocks of others may be behind. A box without a clock makes it in 1970: it has to be good from
    // then on.
    let begin = end.saturating_sub(DAYS.saturating_add(1).saturating_mul(86_400));
    params.not_before = if now.0 < BUILT {
        OffsetDateTime::UNIX_EPOCH
    } else {
        Time(begin).calendar()
    };
    params.not_after = Time(end).calendar();
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

/// When a certificate that is made now ends, in seconds of the calendar.
fn end(now: Time) -> i64 {
    let days = DAYS.saturating_mul(86_400);
    now.0.max(BUILT).saturating_add(days)
}

/// A line with the end, then the names.
fn about_text(hostname: &str, end: i64) -> String {
    format!("{end}\n{}\n", names(hostname).join("\n"))
}

/// Whether a pair of which this is said is for this host and good until `renew`.
fn is_for(said: &str, hostname: &str, renew: i64) -> bool {
    let mut lines = said.lines();
    let end: Option<i64> = lines.next().and_then(|line| line.parse().ok());
    end.is_some_and(|end| renew < end) && lines.eq(names(hostname))
}

fn names(hostname: &str) -> Vec<String> {
    let host = hostname.split('.').next().unwrap_or_default();
    let mut names = vec![hostname.to_owned()];
    for name in [format!("{host}.local"), "localhost".to_owned()] {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.retain(|name| !name.is_empty() && !name.starts_with('.'));
    names
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let limit = u64::try_from(PEM_MAX).unwrap_or(u64::MAX);
    let mut octets = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut octets))
        .map(|_| octets)
        .map_err(|error| Error::Read {
            path: path.to_owned(),
            error,
        })
}

/// The user's name as `/etc/passwd` has it.
fn user(uid: u32) -> String {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let wanted = uid.to_string();
    passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.get(2) == Some(&wanted.as_str()))
        .and_then(|fields| fields.first().map(|name| (*name).to_owned()))
        .unwrap_or(wanted)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// SU-12.
    #[test]
    fn it_is_made_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let first = self_signed(folder.path(), "mx.example.org", Time(0)).unwrap();
        let again = self_signed(folder.path(), "mx.example.org", Time(0)).unwrap();
        assert_eq!(first.cert, again.cert);
        let key = folder.path().join("tls/self-signed.key");
        let mode = fs::metadata(key).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!folder.path().join("tls/self-signed.tmp").exists());
    }

    /// Phones take none that lives for more than 825 days.
    #[test]
    fn it_does_not_live_too_long() {
        let folder = tempfile::tempdir().unwrap();
        let now = Time(BUILT + 400 * 86_400);
        let key = self_signed(folder.path(), "mx.example.org", now).unwrap();
        let about = crate::net::x509::About::read(&key.cert[0]).unwrap();
        assert!(about.from < now && now.0 + 800 * 86_400 < about.until.0);
        assert!(about.until.0 - about.from.0 <= 825 * 86_400);
    }

    #[test]
    fn another_name_or_a_near_end_wants_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let of = |hostname, now| self_signed(folder.path(), hostname, Time(now)).unwrap();
        let first = of("mx.example.org", 0);
        let second = of("mail.example.org", 0);
        assert_ne!(first.cert, second.cert);
        assert_eq!(second.cert, of("mail.example.org", 0).cert);
        let end = end(Time(0));
        let early = of("mail.example.org", end - 31 * 86_400);
        assert_eq!(second.cert, early.cert);
        let late = of("mail.example.org", end - 30 * 86_400);
        assert_ne!(second.cert, late.cert);
        // One of which nothing is known, as an older release or a power cut leaves it.
        fs::remove_file(folder.path().join("tls/self-signed.names")).unwrap();
        assert_ne!(late.cert, of("mail.example.org", end - 30 * 86_400).cert);
    }

    #[test]
    fn half_a_pair_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let first = self_signed(folder.path(), "mx.example.org", Time(0)).unwrap();
        let (_, other) = make("mx.example.org", Time(BUILT), end(Time(BUILT))).unwrap();
        fs::write(folder.path().join("tls/self-signed.key"), other).unwrap();
        let second = self_signed(folder.path(), "mx.example.org", Time(0)).unwrap();
        assert_ne!(first.cert, second.cert);
    }

    #[test]
    fn errors_name_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files {
            certificate: folder.path().join("own.pem"),
            key: folder.path().join("own.key"),
        };
        let text = load(&files).unwrap_err().to_string();
        assert!(text.contains("own.pem"), "{text}");
        let (certificate, _) = make("a.example", Time(BUILT), end(Time(BUILT))).unwrap();
        let (_, key) = make("a.example", Time(BUILT), end(Time(BUILT))).unwrap();
        fs::write(&files.certificate, certificate).unwrap();
        fs::write(&files.key, "nothing").unwrap();
        let text = load(&files).unwrap_err().to_string();
        assert!(
            text.ends_with("own.key: holds no private key (PEM)"),
            "{text}"
        );
        fs::write(&files.key, key).unwrap();
        let text = load(&files).unwrap_err().to_string();
        assert!(text.contains("own.key: this key does not belong"), "{text}");
    }

    #[test]
    fn names_are_host_lan_and_localhost() {
        assert_eq!(
            names("mx.example.org"),
            ["mx.example.org", "mx.local", "localhost"]
        );
        assert_eq!(names("localhost"), ["localhost", "localhost.local"]);
        assert_eq!(names("pi.local"), ["pi.local", "localhost"]);
    }
}
