//! A Maildir that is new: a file a message, flags in its name, folders as Maildir++ has them.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, BufWriter, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, UNIX_EPOCH},
};

use super::lines::Lines;
use crate::{
    mail::flag::Flags,
    proto::imap::folder_name,
    service::operate::mail::{Folder, Part},
};

/// A whole Maildir.
#[derive(Debug)]
pub struct Maildir {
    root: PathBuf,
    /// The folder that is written.
    folder: PathBuf,
    open: Option<Open>,
}

/// A message that is being written.
#[derive(Debug)]
struct Open {
    file: BufWriter<File>,
    lines: Lines,
    /// In `tmp`.
    path: PathBuf,
}

impl Maildir {
    /// # Errors
    ///
    /// There is something in it already, or the disk says no.
    pub fn new(root: &Path) -> io::Result<Self> {
        match fs::read_dir(root) {
            Ok(mut there) => {
                if there.next().is_some() {
                    return Err(io::ErrorKind::AlreadyExists.into());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => folder(root)?,
            Err(error) => return Err(error),
        }
        Ok(Self {
            root: root.to_owned(),
            folder: root.to_owned(),
            open: None,
        })
    }

    /// What follows belongs to this folder; `top`: to the Maildir itself.
    ///
    /// # Errors
    ///
    /// The disk says no.
    pub fn begin(&mut self, row: &Folder, top: bool) -> io::Result<()> {
        self.folder.clone_from(&self.root);
        if !top {
            self.folder = self.root.join(name(&row.name));
            folder(&self.folder)?;
            create(&self.folder.join("maildirfolder"))?;
        }
        ["tmp", "new", "cur"]
            .iter()
            .try_for_each(|part| folder(&self.folder.join(part)))
    }

    /// # Errors
    ///
    /// The disk says no.
    pub fn part(&mut self, part: &Part) -> io::Result<()> {
        let mut open = if let Some(open) = self.open.take() {
            open
        } else {
            let path = self.folder.join("tmp").join(part.uid.to_string());
            Open {
                file: BufWriter::new(create(&path)?),
                lines: Lines::default(),
                path,
            }
        };
        let file = &mut open.file;
        open.lines
            .feed(&part.octets, &mut |line| file.write_all(line))?;
        if !part.is_last() {
            self.open = Some(open);
            return Ok(());
        }
        open.lines.end(&mut |line| file.write_all(line))?;
        let file = open
            .file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        let date = u64::try_from(part.date).unwrap_or_default();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(date))?;
        let size = file.metadata()?.len();
        let (uid, flags) = (part.uid, flags(part.flags));
        // Unique in its folder; the names end as others read them.
        let name = format!("{}.U{uid}.pillarbox,S={size}:2,{flags}", part.date);
        fs::rename(&open.path, self.folder.join("cur").join(name))
    }

    /// All of it is on the medium.
    ///
    /// # Errors
    ///
    /// The disk says no.
    pub fn end(self) -> io::Result<()> {
        rustix::fs::syncfs(File::open(&self.root)?)?;
        Ok(())
    }
}

/// A folder's name as Maildir++ has it: `.Sent`, `.Lists.Rust`. A dot inside of a level would make two.
fn name(folder: &str) -> String {
    let levels: Vec<_> = folder
        .split('/')
        .map(|level| folder_name::encode(&level.replace('.', "_")).into_owned())
        .collect();
    format!(".{}", levels.join("."))
}

/// In the order of their letters.
fn flags(flags: Flags) -> String {
    [
        (Flags::DRAFT, 'D'),
        (Flags::FLAGGED, 'F'),
        (Flags::ANSWERED, 'R'),
        (Flags::SEEN, 'S'),
        (Flags::DELETED, 'T'),
    ]
    .iter()
    .filter(|(flag, _)| flags.has(*flag))
    .map(|(_, letter)| *letter)
    .collect()
}

fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

/// A file that was not there.
pub fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_flags() {
        assert_eq!(name("Sent"), ".Sent");
        assert_eq!(name("Lists/Rust 1.95"), ".Lists.Rust 1_95");
        assert_eq!(name("Entw\u{fc}rfe"), ".Entw&APw-rfe");
        assert_eq!(
            flags(Flags::SEEN.with(Flags::ANSWERED).with(Flags::DRAFT)),
            "DRS"
        );
        assert_eq!(flags(Flags::NONE), "");
    }
}
