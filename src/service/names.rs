//! The file of aliases for names of this machine (`local.aliases`, LM-2): read when it has changed.

use std::{
    cell::RefCell,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use crate::{
    base::time::Instant,
    routing::names::{Mistake, Names},
};

/// Longest file that is read, in octets.
const FILE_MAX: u64 = 1024 * 1024;
/// The file is looked at this often at most, in milliseconds.
pub const LOOK: u64 = 1000;

/// Reads a file of aliases.
///
/// # Errors
///
/// It cannot be read, or is too long.
pub fn read(path: &Path) -> io::Result<(Names, Vec<Mistake>)> {
    let mut octets = Vec::new();
    File::open(path)?
        .take(FILE_MAX.saturating_add(1))
        .read_to_end(&mut octets)?;
    if octets.len() as u64 > FILE_MAX {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "longer than 1 MiB",
        ));
    }
    Ok(Names::parse(&String::from_utf8_lossy(&octets)))
}

/// The file as it was read last.
#[derive(Debug, Default)]
pub struct NamesFile(RefCell<Known>);

#[derive(Debug, Default)]
struct Known {
    path: Option<PathBuf>,
    /// When it was changed, and its length; `None`: it cannot be looked at.
    stamp: Option<(SystemTime, u64)>,
    looked: Option<Instant>,
    /// It could not be read at the last look.
    failed: bool,
    names: Arc<Names>,
}

impl NamesFile {
    /// What the file says now, if that is something else than the last time. Mistakes are logged.
    pub fn anew(&self, path: Option<&Path>, now: Instant) -> Option<Arc<Names>> {
        let mut known = self.0.borrow_mut();
        let same = known.path.as_deref() == path;
        if same && known.looked.is_some_and(|at| now < at.plus(LOOK)) {
            return None;
        }
        known.looked = Some(now);
        let stamp = path.and_then(|path| {
            let found = path.metadata().ok()?;
            Some((found.modified().ok()?, found.len()))
        });
        if same && known.stamp == stamp && !known.failed {
            return None;
        }
        known.path = path.map(Path::to_owned);
        let read = path.map_or_else(|| Ok(Names::default()), told);
        match read {
            Ok(names) => {
                known.stamp = stamp;
                known.failed = false;
                known.names = Arc::new(names);
            }
            // What it said before holds; it is read again at the next look.
            Err(error) => {
                if let (Some(path), false) = (path, known.failed) {
                    log::error!(target: "config", "{}: {error}", path.display());
                }
                known.failed = true;
                known.stamp = None;
                if same {
                    return None;
                }
            }
        }
        Some(Arc::clone(&known.names))
    }

    /// What it said when it was read last.
    #[must_use]
    pub fn names(&self) -> Arc<Names> {
        Arc::clone(&self.0.borrow().names)
    }
}

fn told(path: &Path) -> io::Result<Names> {
    let shown = path.display();
    match read(path) {
        Ok((names, mistakes)) => {
            for mistake in mistakes {
                log::warn!(target: "config", "{shown}, {mistake}");
            }
            Ok(names)
        }
        // A machine without one has none.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Names::default()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::domain::Domain;

    #[test]
    fn the_file_is_read_when_it_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("aliases");
        let (file, domain) = (NamesFile::default(), Domain::parse("localhost").unwrap());
        let at = |second: u64| Instant(second * 1000);
        assert_eq!(
            file.anew(Some(&path), at(1)).as_deref(),
            Some(&Names::default())
        );
        assert_eq!(file.anew(Some(&path), at(9)), None);
        std::fs::write(&path, "root: anna\n").unwrap();
        assert_eq!(file.anew(Some(&path), at(9)), None, "looked at just now");
        let names = file.anew(Some(&path), at(10)).unwrap();
        assert!(names.targets("root", &domain).is_some());
        assert_eq!(file.names(), names);
        // A folder cannot be read; what was known holds until the file is back.
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert_eq!(file.anew(Some(&path), at(11)), None);
        assert_eq!(file.names(), names);
        std::fs::remove_dir(&path).unwrap();
        std::fs::write(&path, "root: ben\n").unwrap();
        let anew = file.anew(Some(&path), at(12)).unwrap();
        assert!(anew.targets("root", &domain).is_some() && anew != names);
        std::fs::remove_file(&path).unwrap();
        let names = file.anew(Some(&path), at(13)).unwrap();
        assert_eq!(names.targets("root", &domain), None);
        assert!(file.anew(None, at(13)).is_some());
    }
}
