//! The store's settings in a file of their own, for a start: it needs them before it may open the store
//! for good, and opening the store twice takes several times as long. Where the file is missing the
//! store is asked, so it is taken away before a setting changes and written when that is on the medium.

use std::{fs, io, path::Path};

use crate::{net::file, service::operate::wire};

/// In the data folder.
const NAME: &str = "settings";
/// It is never that long, in octets.
const LENGTH_MAX: usize = 1024 * 1024;

/// All settings, as pairs of name and text; `None` if the store has to be asked.
#[must_use]
pub fn read(data: &Path) -> Option<Vec<(String, String)>> {
    let line = fs::read(data.join(NAME)).ok()?;
    // The last octet says that it was written by us, whole.
    let line = line.strip_suffix(b"\n")?;
    (line.len() <= LENGTH_MAX).then(|| wire::decode(line))?
}

/// # Errors
///
/// The disk says no. It may be tried again at the next start.
pub fn write(data: &Path, settings: &[(String, String)]) -> io::Result<()> {
    // Made by whoever makes a store there.
    if !data.is_dir() {
        return Ok(());
    }
    let line = wire::encode(&settings);
    file::store(data, &data.join(NAME), &format!("{line}\n"))
}

/// Before a setting changes; ready when that is on the medium.
///
/// # Errors
///
/// The disk says no: nothing may be changed then.
pub fn forget(data: &Path) -> io::Result<()> {
    let path = data.join(NAME);
    if !path.exists() {
        return Ok(());
    }
    file::forget(&path)?;
    fs::File::open(data)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        assert_eq!(read(data), None);
        forget(data).unwrap();
        let settings = [("hostname".to_owned(), "mx.home.test".to_owned())];
        write(data, &settings).unwrap();
        assert_eq!(read(data).as_deref(), Some(&settings[..]));
        write(data, &[]).unwrap();
        assert_eq!(read(data), Some(Vec::new()));
        for torn in ["", "\n\n", "AQ", "not base64\n"] {
            fs::write(data.join(NAME), torn).unwrap();
            assert_eq!(read(data), None, "{torn:?}");
        }
        forget(data).unwrap();
        assert!(!data.join(NAME).exists());
    }
}
