//! The folder's files: which are messages, whose they are, and what is written beside them.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};

use crate::base::time::BUILT;

/// A file that nobody finished goes after so long, in seconds.
const UNFINISHED: u64 = 86_400;
/// A file that could not be read goes after so long.
const ASIDE_KEPT: u64 = 30 * 86_400;
/// Behind the name of a file that is not whole yet.
const UNFINISHED_NAME: &str = ".tmp";
/// Behind the name of a file that nobody here understands.
const ASIDE: &str = ".aside";
/// Behind the name of a file: which of its recipients have it.
const DONE: &str = ".done";
/// Longest of those.
const DONE_MAX: u64 = 64 * 1024;
/// Files that are counted.
const COUNTED: u64 = 100_000;
/// What changed within this time may change again without another stamp, in seconds.
const TICK: u64 = 2;

/// A message's file, as it was when it was opened.
#[derive(Debug)]
pub struct Opened {
    pub file: File,
    pub uid: u32,
    pub size: u64,
    /// In seconds since it was put there; 0 where the clock was not set then.
    pub age: u64,
}

/// Why a file is not read.
#[derive(Debug)]
pub enum Unopened {
    /// It is gone.
    Gone,
    /// It is none that `sendmail` makes: a link, a folder, or one with several names.
    Foreign,
    /// Not now.
    Later(io::Error),
}

/// Opens a plain file with one name.
///
/// # Errors
///
/// See [`Unopened`].
pub fn open(path: &Path) -> Result<Opened, Unopened> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Err(Unopened::Gone),
        Err(Errno::LOOP | Errno::NXIO) => return Err(Unopened::Foreign),
        Err(error) => return Err(Unopened::Later(error.into())),
    };
    let found = file.metadata().map_err(Unopened::Later)?;
    if !found.is_file() || found.nlink() != 1 {
        return Err(Unopened::Foreign);
    }
    let changed = found.ctime();
    let age = if changed < BUILT {
        0
    } else {
        u64::try_from(unix().saturating_sub(changed)).unwrap_or_default()
    };
    Ok(Opened {
        file,
        uid: found.uid(),
        size: found.len(),
        age,
    })
}

/// Files have the machine's time.
#[expect(clippy::disallowed_methods, reason = "files have the machine's time")]
fn unix() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

/// Whether a name is one that `sendmail` gives a file that is whole: 128 bits in hex.
pub fn is_name(name: &str) -> bool {
    name.len() == 32
        && name
            .bytes()
            .all(|octet| octet.is_ascii_digit() || (b'a'..=b'f').contains(&octet))
}

/// When the folder changed last; `None` where it may change again unseen.
pub fn stamp(folder: &Path) -> Option<SystemTime> {
    let found = folder.metadata().ok()?;
    let quiet = unix().saturating_sub(found.mtime()) > i64::try_from(TICK).unwrap_or(i64::MAX);
    quiet.then(|| found.modified().ok())?
}

/// The first `most` messages behind `after` by name, but for those that `skip` names. Takes away what is
/// no business of anybody here.
pub fn list(
    folder: &Path,
    after: &str,
    most: usize,
    skip: impl Fn(&str) -> bool,
) -> io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder)?.flatten() {
        let name = entry.file_name();
        match name.to_str() {
            Some(name) if is_name(name) => {
                if name > after && !skip(name) {
                    names.insert(name.to_owned());
                    if names.len() > most {
                        names.pop_last();
                    }
                }
            }
            name => tidy(folder, &entry.path(), name.unwrap_or_default()),
        }
    }
    Ok(names)
}

/// Looks at a file that is no message.
fn tidy(folder: &Path, path: &Path, name: &str) {
    let stem = |end: &str| name.strip_suffix(end).filter(|stem| is_name(stem));
    let goes = if stem(ASIDE).is_some() {
        is_older(path, ASIDE_KEPT)
    } else if let Some(stem) = stem(DONE) {
        !exists(&folder.join(stem))
    } else if stem(UNFINISHED_NAME).is_some() || stem(".done.tmp").is_some() {
        is_older(path, UNFINISHED)
    } else {
        true
    };
    if goes {
        let _gone = fs::remove_file(path).or_else(|_| fs::remove_dir(path));
    }
}

fn exists(path: &Path) -> bool {
    !matches!(fs::symlink_metadata(path), Err(error) if error.kind() == io::ErrorKind::NotFound)
}

fn is_older(path: &Path, seconds: u64) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| {
        let age = unix().saturating_sub(found.ctime());
        age > i64::try_from(seconds).unwrap_or(i64::MAX)
    })
}

/// Has a file out of the way, for people to look at.
///
/// # Errors
///
/// The disk says no.
pub fn aside(path: &Path) -> io::Result<()> {
    fs::rename(path, beside(path, ASIDE))
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Which recipients of a file need nothing more, by their place in it.
pub fn done(path: &Path) -> BTreeSet<usize> {
    let Ok(opened) = open(&beside(path, DONE)) else {
        return BTreeSet::new();
    };
    // Anybody may write beside it.
    if opened.uid != rustix::process::geteuid().as_raw() {
        return BTreeSet::new();
    }
    let mut text = String::new();
    let _part = opened.file.take(DONE_MAX).read_to_string(&mut text);
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

/// Keeps that, on the medium.
///
/// # Errors
///
/// The disk says no.
pub fn keep_done(path: &Path, done: &BTreeSet<usize>) -> io::Result<()> {
    let (whole, unfinished) = (beside(path, DONE), beside(path, ".done.tmp"));
    let _old = fs::remove_file(&unfinished);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)?;
    let lines: Vec<_> = done.iter().map(ToString::to_string).collect();
    file.write_all((lines.join("\n") + "\n").as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, &whole)?;
    path.parent()
        .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Takes a file away, with what was written beside it.
///
/// # Errors
///
/// The disk says no.
pub fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)?;
    let _beside = fs::remove_file(beside(path, DONE));
    Ok(())
}

/// What lies in the folder.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Lies {
    pub messages: u64,
    pub octets: u64,
    /// Since the oldest was put there, in seconds.
    pub oldest: u64,
    /// Files that nobody here understands, or that could not be returned.
    pub aside: u64,
}

/// Counts what lies in a folder; nothing where it cannot be looked at.
#[must_use]
pub fn lies(folder: &Path) -> Lies {
    let mut lies = Lies::default();
    let Ok(entries) = fs::read_dir(folder) else {
        return lies;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_str().unwrap_or_default();
        if name.strip_suffix(ASIDE).is_some_and(is_name) {
            lies.aside = lies.aside.saturating_add(1);
        } else if is_name(name)
            && let Ok(found) = entry.metadata()
        {
            let age = unix().saturating_sub(found.ctime());
            lies.messages = lies.messages.saturating_add(1);
            lies.octets = lies.octets.saturating_add(found.len());
            lies.oldest = lies.oldest.max(u64::try_from(age).unwrap_or_default());
        }
        if lies.messages.saturating_add(lies.aside) >= COUNTED {
            break;
        }
    }
    lies
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_files_with_one_name() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("plain"), "x").unwrap();
        assert!(open(&at("plain")).is_ok_and(|opened| opened.age < 60 && opened.size == 1));
        std::os::unix::fs::symlink(at("plain"), at("link")).unwrap();
        assert!(matches!(open(&at("link")), Err(Unopened::Foreign)));
        assert!(matches!(open(folder.path()), Err(Unopened::Foreign)));
        assert!(matches!(open(&at("none")), Err(Unopened::Gone)));
        let below = at("plain").join("x");
        assert!(matches!(open(&below), Err(Unopened::Later(_))), "waits");
        fs::hard_link(at("plain"), at("second")).unwrap();
        assert!(matches!(open(&at("plain")), Err(Unopened::Foreign)));
        assert!(is_name(&"0a".repeat(16)) && !is_name(&"0a".repeat(15)) && !is_name("x.tmp"));
        assert!(!is_name(&"0A".repeat(16)));
    }

    /// However many other names there are, each message has its turn.
    #[test]
    fn other_names_hide_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: String| folder.path().join(name);
        for number in 0..50 {
            fs::write(at(format!("!{number}")), "x").unwrap();
            fs::write(at(format!("{number:032x}")), "x").unwrap();
        }
        fs::write(at(format!("{:032x}.tmp", 99)), "x").unwrap();
        fs::write(at(format!("{:032x}.done", 99)), "1\n").unwrap();
        fs::write(at(format!("{:032x}.done", 7)), "1\n").unwrap();
        aside(&at(format!("{:032x}", 49))).unwrap();
        let (mut seen, mut after) = (0, String::new());
        loop {
            let names = list(folder.path(), &after, 10, |name| name.ends_with("03")).unwrap();
            let Some(last) = names.last() else {
                break;
            };
            after.clone_from(last);
            seen += names.len();
        }
        assert_eq!(seen, 48);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 52);
        let lies = lies(folder.path());
        assert_eq!((lies.messages, lies.octets, lies.aside), (49, 49, 1));
    }

    #[test]
    fn who_has_it_is_kept_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0a".repeat(16));
        fs::write(&path, "x").unwrap();
        assert_eq!(done(&path), BTreeSet::new());
        for have in [BTreeSet::from([3]), BTreeSet::from([0, 3, 17])] {
            keep_done(&path, &have).unwrap();
            assert_eq!(done(&path), have);
        }
        remove(&path).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
