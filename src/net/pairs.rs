//! All certificates with their keys: the owner's files, imported ones, the self-signed one; which is
//! for which name (SU-11).

use std::{
    collections::HashMap,
    fmt::Write as _,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_rustls::pki_types::pem::PemObject as _;
use futures_rustls::{pki_types::PrivateKeyDer, rustls::sign::CertifiedKey};
use ring::digest::{SHA256, digest};

use crate::{
    base::time::Time,
    net::{
        certificate::{self, Error, FOLDER, Files, Flaw},
        file,
        x509::About,
    },
};

/// Below the certificates' folder; a file each, chain and key, so that a power cut leaves the old pair
/// or the new one.
const IMPORTED: &str = "imported";
/// A file's name has room for this many octets and an ending.
const NAME_MAX: usize = 200;
/// Octets of base64 in a line of PEM (RFC 7468 section 2).
const PEM_LINE: usize = 64;

/// Where a pair comes from.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Origin {
    /// `tls.certificate`, `tls.key`.
    Configured,
    /// `pillarbox tls import`.
    Imported,
    SelfSigned,
}

/// A certificate with its chain and key.
#[derive(Clone, Debug)]
pub struct Pair {
    pub key: Arc<CertifiedKey>,
    pub about: About,
    pub origin: Origin,
}

impl Pair {
    #[must_use]
    pub fn new(key: Arc<CertifiedKey>, origin: Origin) -> Self {
        let about = key.cert.first().and_then(|der| About::read(der));
        Self {
            about: about.unwrap_or_default(),
            key,
            origin,
        }
    }

    /// SHA-256 of the certificate, as `openssl x509 -fingerprint -sha256` shows it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let der = self.key.cert.first().map_or(&[][..], |der| der);
        let octets = digest(&SHA256, der);
        let octets: Vec<_> = octets
            .as_ref()
            .iter()
            .map(|octet| format!("{octet:02X}"))
            .collect();
        octets.join(":")
    }
}

/// Where certificates are looked for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Place {
    /// The data folder.
    pub data: PathBuf,
    pub hostname: String,
    /// The owner's own; then no self-signed one is made.
    pub files: Option<Files>,
}

/// What the file system says about the files, to see that one of them is another.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Stamp(Vec<Option<[i64; 6]>>);

impl Place {
    fn imported(&self) -> PathBuf {
        self.data.join(FOLDER).join(IMPORTED)
    }

    /// Links are followed: what certbot changes is where they point to.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        let files = self
            .files
            .iter()
            .flat_map(|files| [&files.certificate, &files.key]);
        let paths = files.map(PathBuf::as_path).map(stamp);
        Stamp(paths.chain([stamp(&self.imported())]).collect())
    }
}

fn stamp(path: &Path) -> Option<[i64; 6]> {
    let found = fs::metadata(path).ok()?;
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    Some([
        number(found.ino()),
        number(found.size()),
        found.mtime(),
        found.mtime_nsec(),
        // Rights that are given count, too.
        found.ctime(),
        found.ctime_nsec(),
    ])
}

/// A set of pairs, and who gets which.
#[derive(Debug, Default)]
pub struct Pairs {
    pub place: Place,
    pub stamp: Stamp,
    /// In the order in which they win a name.
    all: Vec<Pair>,
    by_name: HashMap<String, usize>,
    default: usize,
}

impl From<Arc<CertifiedKey>> for Pairs {
    fn from(key: Arc<CertifiedKey>) -> Self {
        let place = Place::default();
        let pair = Pair::new(key, Origin::SelfSigned);
        Self::new(place, Stamp::default(), vec![pair])
    }
}

impl Pairs {
    /// The owner's files win over what was imported, and that over the self-signed one; of two imported
    /// ones that which lives longer.
    fn new(place: Place, stamp: Stamp, mut all: Vec<Pair>) -> Self {
        all.sort_by_key(|pair| (pair.origin, std::cmp::Reverse(pair.about.until)));
        let mut pairs = Self {
            place,
            stamp,
            all,
            by_name: HashMap::new(),
            default: 0,
        };
        for at in 0..pairs.all.len() {
            pairs.offer(at);
        }
        // Who names nobody, as most mail servers do, gets the hostname's.
        let last = pairs.all.len().saturating_sub(1);
        let configured = pairs
            .all
            .first()
            .is_some_and(|pair| pair.origin == Origin::Configured);
        if !configured {
            pairs.default = pairs.at(&pairs.place.hostname).unwrap_or(last);
        }
        pairs
    }

    /// Gives a pair the names that nobody before it has; the self-signed one does not even win against a
    /// `*`.
    fn offer(&mut self, at: usize) {
        let Some(pair) = self.all.get(at) else {
            return;
        };
        for name in &pair.about.names {
            let taken = match pair.origin {
                Origin::Configured | Origin::Imported => self.by_name.contains_key(name),
                Origin::SelfSigned => self.at(name).is_some(),
            };
            if !taken {
                self.by_name.insert(name.clone(), at);
            }
        }
    }

    /// The pair for the name that a client asks for: of exactly this name, else with a `*` for its first
    /// label (RFC 6125 section 6.4.3), else the default one.
    #[must_use]
    pub fn choose(&self, name: Option<&str>) -> Option<&Pair> {
        let at = name.and_then(|name| self.at(name)).unwrap_or(self.default);
        self.all.get(at)
    }

    fn at(&self, name: &str) -> Option<usize> {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let wild = || {
            let (_, rest) = name.split_once('.')?;
            self.by_name.get(&format!("*.{rest}"))
        };
        self.by_name.get(&name).or_else(wild).copied()
    }

    /// Each with the names that it is used for, and whether it is the default.
    pub fn used(&self) -> impl Iterator<Item = (&Pair, Vec<&str>, bool)> {
        self.all.iter().enumerate().map(|(at, pair)| {
            let names = pair.about.names.iter().map(String::as_str);
            let won = names.filter(|name| self.by_name.get(*name) == Some(&at));
            (pair, won.collect(), at == self.default)
        })
    }

    /// Whether the same certificates are in it.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        let of = |pairs: &Self| -> Vec<_> {
            let certificates = pairs.all.iter().map(|pair| pair.key.cert.clone());
            certificates.collect()
        };
        of(self) == of(other)
    }
}

/// Reads all certificates of a place; a self-signed one is made where it is needed. While the owner's
/// files cannot be used, the pair that `old` has of them stays.
///
/// Also returns what could not be read and is done without.
///
/// # Errors
///
/// The owner's files cannot be used and there is no old pair, or none could be made.
pub fn gather(place: Place, now: Time, old: Option<&Pairs>) -> Result<(Pairs, Vec<Error>), Error> {
    // First: what changes while we read is seen at the next look.
    let stamp = place.stamp();
    let mut flaws = Vec::new();
    let mut all = Vec::new();
    if let Some(files) = &place.files {
        match certificate::load(files) {
            Ok(key) => all.push(Pair::new(key, Origin::Configured)),
            Err(error) => {
                let kept = old.and_then(|old| old.all.first());
                let kept = kept.filter(|pair| pair.origin == Origin::Configured);
                let Some(pair) = kept else {
                    return Err(error);
                };
                all.push(pair.clone());
                flaws.push(error);
            }
        }
    } else {
        let key = certificate::self_signed(&place.data, &place.hostname, now)?;
        all.push(Pair::new(key, Origin::SelfSigned));
    }
    imported(&place, &mut all, &mut flaws);
    Ok((Pairs::new(place, stamp, all), flaws))
}

/// The same without making any: what a stopped box has.
///
/// # Errors
///
/// As [`gather`].
pub fn look(place: Place) -> Result<(Pairs, Vec<Error>), Error> {
    let stamp = place.stamp();
    let (mut all, mut flaws) = (Vec::new(), Vec::new());
    let (files, origin) = match &place.files {
        Some(files) => (files.clone(), Origin::Configured),
        None => (
            certificate::self_signed_files(&place.data),
            Origin::SelfSigned,
        ),
    };
    match certificate::load(&files) {
        Ok(key) => all.push(Pair::new(key, origin)),
        Err(Error::Read { error, .. })
            if error.kind() == io::ErrorKind::NotFound && origin == Origin::SelfSigned => {}
        Err(error) => return Err(error),
    }
    imported(&place, &mut all, &mut flaws);
    Ok((Pairs::new(place, stamp, all), flaws))
}

/// Adds the imported pairs; one that cannot be read is a flaw.
fn imported(place: &Place, all: &mut Vec<Pair>, flaws: &mut Vec<Error>) {
    let folder = place.imported();
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => {
            flaws.push(Error::Read {
                path: folder,
                error,
            });
            return;
        }
    };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "pem"));
    paths.sort();
    for path in paths {
        let found = certificate::read(&path).and_then(|pem| {
            let made = certificate::pair(&pem, &pem);
            made.map_err(|flaw| Error::Pem { path, flaw })
        });
        match found {
            Ok(key) => all.push(Pair::new(key, Origin::Imported)),
            Err(error) => flaws.push(error),
        }
    }
}

/// A pair that may be imported.
#[derive(Debug)]
pub struct Import {
    pub pair: Pair,
    /// Of its file, without an ending.
    name: String,
    pem: String,
}

/// Why a pair is not imported.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ImportError {
    Flaw(Flaw),
    /// It is for no host: nobody could ask for it.
    Nameless,
}

impl Import {
    /// # Errors
    ///
    /// It could not be used.
    pub fn new(chain: &[u8], key: &[u8]) -> Result<Self, ImportError> {
        let certified = certificate::pair(chain, key).map_err(ImportError::Flaw)?;
        let pair = Pair::new(certified, Origin::Imported);
        let first = pair.about.names.first().ok_or(ImportError::Nameless)?;
        let name = if first.len() > NAME_MAX {
            pair.fingerprint().replace(':', "").to_ascii_lowercase()
        } else {
            // Of a host name's characters, and no dot first: it stays in its folder.
            first.replace('*', "_")
        };
        let mut pem = String::new();
        for der in &pair.key.cert {
            section(&mut pem, "CERTIFICATE", der);
        }
        let key = PrivateKeyDer::from_pem_slice(key);
        let key = key.map_err(|_| ImportError::Flaw(Flaw::NoKey))?;
        let label = match &key {
            PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
            PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
            _ => "PRIVATE KEY",
        };
        section(&mut pem, label, key.secret_der());
        Ok(Self { pair, name, pem })
    }

    /// Keeps it; one for the same name is replaced.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn keep(&self, place: &Place) -> io::Result<()> {
        let folder = place.imported();
        // No `with_extension`: a host name's last label is none.
        let path = folder.join(format!("{}.pem", self.name));
        file::store(&folder, &path, &self.pem)
    }
}

fn section(pem: &mut String, label: &str, der: &[u8]) {
    // Writing to a string does not fail.
    let _ = writeln!(pem, "-----BEGIN {label}-----");
    let text = STANDARD.encode(der);
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(PEM_LINE).unwrap_or((rest, ""));
        let _ = writeln!(pem, "{line}");
        rest = after;
    }
    let _ = writeln!(pem, "-----END {label}-----");
}

#[cfg(test)]
mod tests;
