//! mbsync keeps a Maildir and an account the same, both ways.

use std::fs;
use std::path::{Path, PathBuf};

use crate::day;
use crate::house::{ANNA, House, PASSWORD, Program};
use crate::programs::certificate;
use crate::talk::{Imap, Smtp};

#[test]
fn mbsync_syncs_both_ways() {
    // mbsync holds the certificate's name against the host it connects to.
    let house = House::with("hostname = \"localhost\"");
    let mut smtp = Smtp::to(house.mx).unwrap();
    for number in 1..=5 {
        let text = format!(
            "Subject: number {number}\r\nMessage-ID: <{number}@away.test>\r\n\r\nText {number}\r\n"
        );
        assert!(smtp.message(ANNA, &text).unwrap().starts_with("250"));
    }
    let maildir = configure(&house);
    let sync = || sync(&house);
    // What is on the server comes down, folders too.
    sync();
    assert_eq!(inbox(&maildir).len(), 5);
    assert!(maildir.join("Sent").is_dir() && maildir.join("Drafts").is_dir());
    for number in 1..=5 {
        find(&maildir, &format!("\nText {number}\n"));
    }
    goes_up(&house, &maildir, &sync);
    comes_down(&house, &maildir, &sync);
}

/// The Maildirs' folder; `Remove` carries over that a folder went, too.
fn configure(house: &House) -> PathBuf {
    let maildir = house.path("maildir");
    fs::create_dir(&maildir).unwrap();
    let folder = maildir.display();
    let configuration = format!(
        "IMAPAccount box\nHost localhost\nPort {}\nUser {ANNA}\nPass {PASSWORD}\nSSLType IMAPS\n\
         CertificateFile {}\n\nIMAPStore far\nAccount box\n\nMaildirStore near\nSubFolders Verbatim\n\
         Path {folder}/\nInbox {folder}/INBOX\n\nChannel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\n\
         Remove Both\nExpunge Both\nSyncState *\n",
        house.imaps,
        certificate(house).display(),
    );
    fs::write(house.path("mbsyncrc"), configuration).unwrap();
    maildir
}

fn sync(house: &House) -> String {
    Program::new("mbsync")
        .args(["-a", "-V", "-c"])
        .args([house.path("mbsyncrc")])
        .run()
}

/// Many changes on both sides while the program is away, folders renamed and removed on the server, which
/// starts anew in between.
#[test]
fn mbsync_syncs_a_day() {
    let mut house = House::with("hostname = \"localhost\"");
    let maildir = configure(&house);
    day::fill(&mut Imap::to(house.imap, ANNA).unwrap());
    let first = day::uids(&house, ANNA);
    sync(&house);
    let equal = |house: &House, what: &str| {
        let there = day::server(house, ANNA);
        day::same(&there, &day::maildirs(&maildir, day::plain), what);
        there
    };
    equal(&house, "after the first sync");
    day::changes_there(&house);
    let mut imap = Imap::to(house.imap, ANNA).unwrap();
    imap.ok("RENAME \"Work\" \"Job\"").unwrap();
    imap.ok("SELECT tilde~").unwrap();
    imap.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)").unwrap();
    imap.ok("CLOSE").unwrap();
    imap.ok("DELETE tilde~").unwrap();
    drop(imap);
    // This version keeps names as IMAP has them.
    day::changes_here(&maildir, "Gr&APwA3w-e");
    house.stop();
    house.start();
    let said = sync(&house);
    // What it is still to remove here by hand: it does not take a folder that has messages.
    assert!(said.contains("near side box tilde~ is not empty"), "{said}");
    for gone in ["Work", "tilde~"] {
        fs::remove_dir_all(maildir.join(gone)).unwrap();
    }
    let there = equal(&house, "after changes on both sides");
    day::check_changes(&there);
    assert!(
        there.contains_key("Job/2026/May & June"),
        "{:?}",
        there.keys()
    );
    assert!(!there.contains_key("tilde~"), "{:?}", there.keys());
    day::check_uids(&house, ANNA, &first);
    let before = day::uids(&house, ANNA);
    house.kill();
    house.start();
    sync(&house);
    assert_eq!(
        before,
        day::uids(&house, ANNA),
        "a sync without changes changes nothing"
    );
    equal(&house, "a sync without changes");
}

/// What is done here goes up: a message read, one removed, one written, a folder made.
fn goes_up(house: &House, maildir: &Path, sync: &dyn Fn() -> String) {
    day::flag(&find(maildir, "Text 2\n"), "S");
    day::flag(&find(maildir, "Text 3\n"), "ST");
    let written = maildir.join("INBOX/new/1795000000.1_1.here");
    fs::write(
        written,
        "Subject: written here\nMessage-ID: <here@home.test>\n\nWritten here\n",
    )
    .unwrap();
    for kind in ["cur", "new", "tmp"] {
        fs::create_dir_all(maildir.join("Projects").join(kind)).unwrap();
    }
    fs::write(
        maildir.join("Projects/cur/1795000001.1_1.here:2,FS"),
        "Subject: project\n\nProject\n",
    )
    .unwrap();
    sync();
    let mut imap = Imap::to(house.imap, ANNA).unwrap();
    imap.ok("SELECT INBOX").unwrap();
    assert_eq!(imap.search("SEARCH ALL").unwrap().len(), 5);
    assert_eq!(
        imap.search("SEARCH SEEN SUBJECT \"number 2\"")
            .unwrap()
            .len(),
        1
    );
    assert_eq!(imap.search("SEARCH SUBJECT \"number 3\"").unwrap().len(), 0);
    assert_eq!(
        imap.search("SEARCH SUBJECT \"written here\"")
            .unwrap()
            .len(),
        1
    );
    imap.ok("SELECT Projects").unwrap();
    assert_eq!(
        imap.search("SEARCH SEEN FLAGGED SUBJECT project").unwrap(),
        [1]
    );
}

/// What happens there meanwhile comes down again.
fn comes_down(house: &House, maildir: &Path, sync: &dyn Fn() -> String) {
    let mut imap = Imap::to(house.imap, ANNA).unwrap();
    imap.ok("SELECT INBOX").unwrap();
    let fourth = imap.search("SEARCH SUBJECT \"number 4\"").unwrap()[0];
    imap.ok(&format!("STORE {fourth} +FLAGS (\\Flagged \\Seen)"))
        .unwrap();
    sync();
    let file = find(maildir, "Text 4\n");
    assert!(
        file.to_str().unwrap().ends_with(":2,FS"),
        "{}",
        file.display()
    );
    assert_eq!(inbox(maildir).len(), 5);
    let before = imap.ok("UID FETCH 1:* (UID FLAGS)").unwrap();
    sync();
    let after = imap.ok("UID FETCH 1:* (UID FLAGS)").unwrap();
    assert_eq!(
        before.iter().map(|r| &r.text).collect::<Vec<_>>(),
        after.iter().map(|r| &r.text).collect::<Vec<_>>(),
        "a sync without changes changes nothing"
    );
}

/// The messages of a Maildir's INBOX.
fn inbox(maildir: &Path) -> Vec<PathBuf> {
    day::files(&maildir.join("INBOX"))
}

fn find(maildir: &Path, text: &str) -> PathBuf {
    inbox(maildir)
        .into_iter()
        .find(|file| fs::read_to_string(file).unwrap().contains(text))
        .unwrap_or_else(|| panic!("no message holds {text:?}"))
}
