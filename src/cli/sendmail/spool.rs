//! Leaves a message in the folder that the server looks into. The name is 128 random bits: nobody who may
//! write there can know it, and nobody may list the folder.

use std::{
    fmt::Write as _,
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use crate::{
    base::random::Random as _,
    net::world::RealWorld,
    service::spool::{ADDRESS_MAX, Envelope, RECIPIENTS_MAX},
};

/// Room that a disk must have, in octets: the folder is not what fills it.
const ROOM: u64 = 16 * 1024 * 1024;

/// Writes it under another name, has it on the medium, and gives it the name that the server looks for.
/// Many recipients get several files.
///
/// # Errors
///
/// The folder is not there, an address is too long, or the disk says no; nothing is left.
pub fn leave(folder: &Path, envelope: &Envelope, message: &[u8]) -> io::Result<()> {
    let addresses = envelope.recipients.iter().chain([&envelope.sender]);
    if addresses
        .into_iter()
        .any(|address| address.len() > ADDRESS_MAX)
    {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "an address is too long",
        ));
    }
    let found = rustix::fs::statvfs(folder)?;
    if found.f_bavail.saturating_mul(found.f_frsize) < ROOM.saturating_add(message.len() as u64) {
        return Err(io::ErrorKind::StorageFull.into());
    }
    let (world, mut paths) = (RealWorld::new(), Vec::new());
    let written = envelope
        .recipients
        .chunks(RECIPIENTS_MAX)
        .try_for_each(|recipients| {
            let octets: [u8; 16] = world.octets();
            let mut name = String::new();
            for octet in octets {
                let _infallible = write!(name, "{octet:02x}");
            }
            let (path, unfinished) = (folder.join(&name), folder.join(name + ".tmp"));
            paths.push((path, unfinished.clone()));
            let envelope = Envelope {
                recipients: recipients.to_vec(),
                ..envelope.clone()
            };
            write(&unfinished, &envelope, message)
        });
    let mut named = paths.iter();
    if let Err(error) =
        written.and_then(|()| named.try_for_each(|(path, tmp)| fs::rename(tmp, path)))
    {
        for (path, unfinished) in &paths {
            let _gone = fs::remove_file(unfinished).or_else(|_| fs::remove_file(path));
        }
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
        let many = Envelope {
            recipients: (0..1201)
                .map(|number| format!("<{number}@x.test>"))
                .collect(),
            ..envelope.clone()
        };
        leave(folder.path(), &many, b"x\r\n").unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1 + 13);
        let long = Envelope {
            recipients: vec!["x".repeat(1001)],
            ..envelope
        };
        assert!(leave(folder.path(), &long, b"").is_err());
    }
}
