//! The lock on a data folder: whoever opens the store holds it.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

/// Held until it is dropped, or the process ends.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "holding it open is its use")] File);

/// Why a data folder cannot be had.
#[derive(Debug)]
pub enum LockError {
    /// Another process has it (exit code 75), and its id where that can be read.
    Held { data: PathBuf, process: String },
    /// The folder cannot be made, or its lock not opened.
    Io { data: PathBuf, error: io::Error },
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { data, process } if process.is_empty() => {
                write!(f, "{}: another process uses it", data.display())
            }
            Self::Held { data, process } => {
                write!(f, "{}: process {process} uses it", data.display())
            }
            Self::Io { data, error } => write!(f, "{}: {error}", data.display()),
        }
    }
}

impl std::error::Error for LockError {}

/// Makes the data folder if need be (mode 700) and takes its lock without waiting.
///
/// # Errors
///
/// Somebody has it, or the folder cannot be written.
pub fn take(data: &Path) -> Result<Lock, LockError> {
    let failed = |error| LockError::Io {
        data: data.to_owned(),
        error,
    };
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(data).map_err(failed)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).mode(0o600);
    let path = data.join("lock");
    let mut file = options.open(&path).map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            let process = fs::read_to_string(&path).unwrap_or_default();
            return Err(LockError::Held {
                data: data.to_owned(),
                process: process.trim().to_owned(),
            });
        }
        Err(error) => return Err(failed(error.into())),
    }
    // Only a courtesy to whoever finds the folder locked.
    let _unread = file
        .set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(Lock(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_one_is_told_who_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let lock = take(&data).unwrap();
        let text = take(&data).unwrap_err().to_string();
        let id = std::process::id();
        assert!(text.ends_with(&format!("process {id} uses it")), "{text}");
        drop(lock);
        take(&data).unwrap();
    }
}
