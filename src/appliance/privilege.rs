//! Giving up rights (HD-1). All of it acts on the calling thread, so it comes before the others.

use std::{
    ffi::CStr,
    fmt, fs, io,
    os::{fd::OwnedFd, unix::fs::chown},
    path::Path,
};

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, RulesetStatus, path_beneath_rules,
};
use rustix::{
    fs::{AtFlags, Dir, Mode, OFlags, chownat, openat, statat},
    process::{Gid, Uid, geteuid},
    thread::{CapabilitySet, CapabilitySets, set_capabilities},
};

/// The newest rights this code was written for; an older kernel confines less.
const LANDLOCK: ABI = ABI::V5;

/// Why rights cannot be given up.
#[derive(Debug)]
pub enum Error {
    /// The kernel refuses; names the call.
    Call(&'static str, io::Error),
    /// `/etc/passwd` has no such user.
    NoUser(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(call, error) => write!(f, "{call}: {error}"),
            Self::NoUser(name) => write!(f, "there is no user {name} in /etc/passwd"),
        }
    }
}

impl std::error::Error for Error {}

/// A user as `/etc/passwd` has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
}

/// # Errors
///
/// There is no such user.
pub fn user(name: &str) -> Result<User, Error> {
    let passwd =
        fs::read_to_string("/etc/passwd").map_err(|error| Error::Call("/etc/passwd", error))?;
    find(&passwd, name).ok_or_else(|| Error::NoUser(name.to_owned()))
}

fn find(passwd: &str, name: &str) -> Option<User> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then_some(())?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(User { uid, gid })
    })
}

/// Whether there are rights to give up.
#[must_use]
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// Hands a file or folder to the user that will use it.
///
/// # Errors
///
/// Only root may.
pub fn hand_over(path: &Path, user: User) -> Result<(), Error> {
    chown(path, Some(user.uid), Some(user.gid)).map_err(|error| Error::Call("chown", error))
}

/// Hands over a folder with all that is in it. Symbolic links are not followed, and a file that has
/// another name elsewhere stays whose it is: both may have been made by somebody with fewer rights.
///
/// # Errors
///
/// Only root may.
pub fn hand_over_all(folder: &Path, user: User) -> Result<(), Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = rustix::fs::open(folder, flags, Mode::empty());
    let open = open.map_err(|error| failed("open", error))?;
    let mut folders = vec![open];
    while let Some(folder) = folders.pop() {
        let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
        rustix::fs::fchown(&folder, Some(uid), Some(gid))
            .map_err(|error| failed("fchown", error))?;
        for entry in Dir::read_from(&folder).map_err(|error| failed("readdir", error))? {
            let entry = entry.map_err(|error| failed("readdir", error))?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            match openat(&folder, name, flags, Mode::empty()) {
                Ok(inner) => folders.push(inner),
                // No folder, or gone.
                Err(_) => hand_over_file(&folder, name, user)?,
            }
        }
    }
    Ok(())
}

fn hand_over_file(folder: &OwnedFd, name: &CStr, user: User) -> Result<(), Error> {
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    let Ok(found) = statat(folder, name, flags) else {
        return Ok(());
    };
    if (found.st_uid, found.st_gid) == (user.uid, user.gid) {
        return Ok(());
    }
    if found.st_nlink > 1 {
        log::warn!(target: "start", "{name:?} has another name elsewhere: it stays whose it is");
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    chownat(folder, name, Some(uid), Some(gid), flags).map_err(|error| failed("chown", error))
}

/// From root to `user`, without its other groups, for good.
///
/// # Errors
///
/// The kernel refuses: then nothing should run.
pub fn become_user(user: User) -> Result<(), Error> {
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    rustix::thread::set_thread_groups(&[]).map_err(|error| failed("setgroups", error))?;
    rustix::thread::set_thread_res_gid(gid, gid, gid)
        .map_err(|error| failed("setresgid", error))?;
    rustix::thread::set_thread_res_uid(uid, uid, uid).map_err(|error| failed("setresuid", error))
}

/// Becomes the owner of a data folder, if it is root and the folder is somebody else's: what it makes
/// there is then the owner's. For the CLI on a stopped box.
///
/// # Errors
///
/// As [`become_user`].
pub fn become_owner(data: &Path) -> Result<(), Error> {
    use std::os::unix::fs::MetadataExt;
    match fs::metadata(data) {
        Ok(folder) if is_root() && folder.uid() != 0 => become_user(User {
            uid: folder.uid(),
            gid: folder.gid(),
        }),
        _ => Ok(()),
    }
}

/// No capabilities, and none to be had from executables. Ports are bound by now.
///
/// # Errors
///
/// The kernel refuses.
pub fn drop_rights() -> Result<(), Error> {
    rustix::thread::set_no_new_privs(true).map_err(|error| failed("no_new_privs", error))?;
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    // A kernel built without them says no, and has nothing to drop; any other no is worth a look.
    if let Err(error) = rustix::thread::clear_ambient_capability_set() {
        log::warn!(target: "start", "ambient capabilities are not dropped: {error}");
    }
    if let Err(error) = set_capabilities(None, none) {
        log::warn!(target: "start", "capabilities are not dropped: {error}");
    }
    Ok(())
}

/// From now on only what lies in `writable` can be changed; everything can be read. As much of this as
/// the kernel knows; returns whether it knows any.
///
/// # Errors
///
/// The kernel knows it and refuses.
pub fn confine(writable: &[&Path]) -> Result<bool, RulesetError> {
    let all = AccessFs::from_all(LANDLOCK);
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)?
        .create()?
        .add_rules(path_beneath_rules(["/"], AccessFs::from_read(LANDLOCK)))?
        .add_rules(path_beneath_rules(["/dev/null"], all))?
        .add_rules(path_beneath_rules(writable, all))?
        .restrict_self()?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}

fn failed(call: &'static str, error: rustix::io::Errno) -> Error {
    Error::Call(call, error.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_passwd() {
        let passwd =
            "root:x:0:0:root:/root:/bin/sh\npillarbox:x:812:813::/var/lib/pillarbox:/bin/false\n";
        let user = find(passwd, "pillarbox").unwrap();
        assert_eq!((user.uid, user.gid), (812, 813));
        assert_eq!(find(passwd, "pillar"), None);
    }

    #[test]
    fn a_folder_is_handed_over_whole_and_nothing_else() {
        use std::os::unix::fs::{MetadataExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (data, other) = (folder.path().join("data"), folder.path().join("other"));
        fs::create_dir_all(data.join("log/old")).unwrap();
        for path in [data.join("lock"), data.join("log/old/1"), other.clone()] {
            fs::write(path, "x").unwrap();
        }
        symlink(&other, data.join("link")).unwrap();
        fs::hard_link(&other, data.join("name")).unwrap();
        // Who is not root can only give it to itself.
        let user = User {
            uid: if is_root() { 4711 } else { geteuid().as_raw() },
            gid: if is_root() {
                4712
            } else {
                rustix::process::getegid().as_raw()
            },
        };
        let before = fs::metadata(&other).unwrap().uid();
        hand_over_all(&data, user).unwrap();
        for path in ["", "lock", "log", "log/old", "log/old/1", "link"] {
            let found = fs::symlink_metadata(data.join(path)).unwrap();
            assert_eq!((found.uid(), found.gid()), (user.uid, user.gid), "{path}");
        }
        assert_eq!(fs::metadata(&other).unwrap().uid(), before);
        assert!(hand_over_all(&data.join("link"), user).is_err());
    }

    /// On a thread of its own: the others stay as they are.
    #[test]
    fn confined_to_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, outside) = (folder.path().join("data"), folder.path().join("other"));
        fs::create_dir(&inside).unwrap();
        let confined = std::thread::spawn(move || {
            if !confine(&[&inside]).unwrap() {
                return;
            }
            fs::write(inside.join("file"), "x").unwrap();
            fs::rename(inside.join("file"), inside.join("name")).unwrap();
            let error = fs::write(&outside, "x").unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
            fs::read_to_string("/etc/passwd").unwrap();
        });
        confined.join().unwrap();
    }
}
