//! Leaves a message in the folder that the server looks into. The name is 128 random bits: nobody who may
//! write there can know it, and nobody may list the folder.

use std::{
    fmt::Write as _,
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use crate::{base::random::Random as _, net::world::RealWorld, service::spool::Envelope};

/// Writes it under another name, has it on the medium, and gives it the name that the server looks for.
///
/// # Errors
///
/// The folder is not there, or the disk says no; nothing is left.
pub fn leave(folder: &Path, envelope: &Envelope, message: &[u8]) -> io::Result<()> {
    let octets: [u8; 16] = RealWorld::new().octets();
    let mut name = String::new();
    for octet in octets {
        let _infallible = write!(name, "{octet:02x}");
    }
    let (path, unfinished) = (folder.join(&name), folder.join(name.clone() + ".tmp"));
    let written =
        write(&unfinished, envelope, message).and_then(|()| fs::rename(&unfinished, &path));
    if let Err(error) = written {
        let _gone = fs::remove_file(&unfinished);
        return Err(error);
    }
    // Who may not read the folder may not have it synced; its file is.
    if let Ok(folder) = File::open(folder) {
        return folder.sync_all();
    }
    rustix::fs::sync();
    Ok(())
}

fn write(path: &Path, envelope: &Envelope, message: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(envelope.encode().as_bytes())?;
    file.write_all(message)?;
    // The server is another user; the name is the secret.
    file.set_permissions(Permissions::from_mode(0o644))?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let envelope = Envelope {
            sender: "<root>".to_owned(),
            recipients: vec!["<root>".to_owned()],
            ..Envelope::default()
        };
        leave(folder.path(), &envelope, b"Subject: x\r\n\r\n").unwrap();
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().flatten().collect();
        assert_eq!(names.len(), 1);
        assert_eq!(names[0].file_name().len(), 32);
        let text = fs::read_to_string(names[0].path()).unwrap();
        assert!(text.ends_with("\n\nSubject: x\r\n\r\n"), "{text}");
        assert!(leave(&folder.path().join("none"), &envelope, b"").is_err());
    }
}
