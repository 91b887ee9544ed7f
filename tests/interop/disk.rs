//! A full disk, for real: an ext4 file system on a small loop device. Needs root; without it the test
//! fails, unless `PILLARBOX_NO_MOUNT=1` says that this is known.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::house::{ANNA, House, Program, until};
use crate::talk::{Imap, Smtp};

/// A file system of its own, unmounted when it goes.
struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// `None` only where the environment says that there is no mounting here.
    fn new(folder: &Path, mebibytes: u32) -> Option<Self> {
        if std::env::var_os("PILLARBOX_NO_MOUNT").is_some_and(|value| value == "1") {
            eprintln!("PILLARBOX_NO_MOUNT=1: the full disk is not tested");
            return None;
        }
        assert!(
            rustix::process::geteuid().is_root(),
            "a full disk needs root and a loop device; run as root, or say PILLARBOX_NO_MOUNT=1 to leave it out"
        );
        let image = folder.join("disk");
        File::create(&image)
            .unwrap()
            .set_len(u64::from(mebibytes) << 20)
            .unwrap();
        Program::new("mkfs.ext4")
            .args(["-q", "-m", "0"])
            .args([&image])
            .run();
        let mounted = folder.join("mounted");
        fs::create_dir(&mounted).unwrap();
        Program::new("mount")
            .args(["-o", "loop"])
            .args([&image, &mounted])
            .run();
        Some(Self { folder: mounted })
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let (success, said) = Program::new("umount").args([&self.folder]).outcome();
        if !success {
            eprintln!("umount: {said}");
            Program::new("umount")
                .args(["-l"])
                .args([&self.folder])
                .outcome();
        }
    }
}

/// About 700 KiB that do not shrink, and a number to know it by.
fn text(number: u32) -> String {
    let mut state = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut lines = format!("Subject: fill {number}\r\n\r\n");
    for _ in 0..9_000 {
        for _ in 0..5 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            write!(lines, "{state:016x}").unwrap();
        }
        lines.push_str("\r\n");
    }
    lines
}

/// Sends until the disk is full; returns how many messages were acknowledged.
fn fill(house: &House, first: u32) -> u32 {
    let mut smtp = Smtp::to(house.mx).unwrap();
    for number in first..first + 1_000 {
        let refusal = match smtp.message(ANNA, &text(number)) {
            Ok(reply) if reply.starts_with("250 ") => continue,
            Ok(reply) => reply,
            // Refused at MAIL or RCPT already, before the content.
            Err(error) => error.to_string(),
        };
        assert!(
            refusal.starts_with("452 4.3.1 Insufficient system storage"),
            "{refusal}"
        );
        return number - first;
    }
    panic!("a thousand messages fit on this disk");
}

fn delivers(house: &House, number: u32) -> Option<()> {
    let reply = Smtp::to(house.mx).ok()?.message(ANNA, &text(number)).ok()?;
    reply.starts_with("250 ").then_some(())
}

/// Numbers of the messages in INBOX, after reading each to its end.
fn read_all(house: &House) -> Vec<u32> {
    let mut imap = Imap::to(house.imap, ANNA).unwrap();
    imap.ok("SELECT INBOX").unwrap();
    let count = imap.search("SEARCH ALL").unwrap().len();
    (1..=count)
        .map(|at| {
            let responses = imap.ok(&format!("FETCH {at} (BODY.PEEK[])")).unwrap();
            let octets = String::from_utf8(responses[0].literals[0].clone()).unwrap();
            let start = octets.find("Subject: fill ").unwrap();
            let number = octets[start + 14..]
                .lines()
                .next()
                .unwrap()
                .parse()
                .unwrap();
            assert!(
                octets[start..] == text(number),
                "message {number} is not whole"
            );
            number
        })
        .collect()
}

#[test]
fn a_full_disk_refuses_reads_and_recovers() {
    let folder = TempDir::new().unwrap();
    let Some(disk) = SmallDisk::new(folder.path(), 192) else {
        return;
    };
    let mut house = House::at(
        TempDir::new().unwrap(),
        disk.folder.join("data"),
        "profile = \"tiny\"",
    );

    // Somebody else fills the disk, to the last block.
    let early = fill_some(&house, 10);
    let mut other = File::create(disk.folder.join("other")).unwrap();
    while other.write_all(&[7; 8192]).is_ok() {}
    while other.write_all(&[7; 512]).is_ok() {}
    assert_eq!(fill(&house, early), 0, "452 at once");
    let mut imap = Imap::to(house.imap, ANNA).unwrap();
    imap.ok("SELECT INBOX").unwrap();
    let tagged = imap.append("INBOX", &text(900)).unwrap();
    assert!(tagged.starts_with("NO [OVERQUOTA]"), "{tagged}");
    let (_, tagged) = imap.command("COPY 1:* Trash").unwrap();
    assert!(tagged.starts_with("NO [OVERQUOTA]"), "{tagged}");
    assert_eq!(read_all(&house), (0..early).collect::<Vec<_>>());
    imap.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").unwrap();
    imap.ok("EXPUNGE").unwrap();
    assert_eq!(read_all(&house), (1..early).collect::<Vec<_>>());
    // A start with a full disk serves as well.
    drop(imap);
    house.stop();
    house.start();
    assert_eq!(read_all(&house), (1..early).collect::<Vec<_>>());
    drop(other);
    fs::remove_file(disk.folder.join("other")).unwrap();
    until(
        Duration::from_secs(30),
        "mail flows again when there is space",
        || delivers(&house, early),
    );

    // Mail itself fills the disk, up to what the house keeps free.
    let late = early + 1 + fill(&house, early + 1);
    let all: Vec<u32> = (1..late).collect();
    assert_eq!(
        read_all(&house),
        all,
        "all that was acknowledged, and nothing else"
    );
    // Deleted by its owner: space comes back and mail flows again, without a restart.
    let mut imap = Imap::to(house.imap, ANNA).unwrap();
    imap.ok("SELECT INBOX").unwrap();
    let kept = 5;
    imap.ok(&format!("STORE {}:* +FLAGS.SILENT (\\Deleted)", kept + 1))
        .unwrap();
    imap.ok("EXPUNGE").unwrap();
    until(
        Duration::from_secs(90),
        "mail flows again when mail is deleted",
        || delivers(&house, late),
    );
    let mut expected = all[..kept].to_vec();
    expected.push(late);
    assert_eq!(read_all(&house), expected);
    assert!(house.runs(), "it is still the same process");
    house.stop();
    drop(house);
    drop(disk);
}

fn fill_some(house: &House, count: u32) -> u32 {
    let mut smtp = Smtp::to(house.mx).unwrap();
    for number in 0..count {
        let reply = smtp.message(ANNA, &text(number)).unwrap();
        assert!(reply.starts_with("250 "), "{reply}");
    }
    count
}
