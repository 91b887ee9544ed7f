//! interimap keeps two accounts the same by QRESYNC (RFC 7162): anna's and ben's.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::day;
use crate::house::{ANNA, BEN, House, PASSWORD, PATIENCE, Program, terminate, until, wait};
use crate::talk::{Imap, Smtp};

fn configure(house: &House) {
    fs::create_dir_all(house.path("home")).unwrap();
    let account = |port: u16, kind: &str, user: &str| {
        format!(
            "type = {kind}\nhost = 127.0.0.1\nport = {port}\nusername = {user}\npassword = {PASSWORD}\n\
             STARTTLS = NO\nSSL_verify = NO\n"
        )
    };
    let configuration = format!(
        "database = {}\nlist-mailbox = \"*\"\n\n[local]\n{}\n[remote]\n{}",
        house.path("interimap.db").display(),
        account(house.imap, "imap", BEN),
        account(house.imaps, "imaps", ANNA),
    );
    fs::write(house.path("interimaprc"), configuration).unwrap();
}

fn program(house: &House) -> Program {
    Program::new("interimap")
        .env("HOME", house.path("home"))
        .args([format!("--config={}", house.path("interimaprc").display())])
}

fn both(house: &House, what: &str) -> day::Mailbox {
    let anna = day::server(house, ANNA);
    day::same(&anna, &day::server(house, BEN), what);
    anna
}

/// MODSEQs tell whether anything at all was done.
fn states(house: &House) -> BTreeMap<String, String> {
    let mut states = BTreeMap::new();
    for user in [ANNA, BEN] {
        let mut imap = Imap::to(house.imap, user).unwrap();
        for folder in day::folders(&mut imap) {
            let items = "(MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)";
            let row = imap
                .ok(&format!("STATUS {} {items}", day::quoted(&folder)))
                .unwrap();
            states.insert(format!("{user} {folder}"), row[0].text.clone());
        }
    }
    states
}

#[test]
fn interimap_syncs_a_day() {
    let mut house = House::new();
    configure(&house);
    day::fill(&mut Imap::to(house.imap, ANNA).unwrap());
    program(&house).run();
    both(&house, "after the first sync");
    let (anna, ben) = (day::uids(&house, ANNA), day::uids(&house, BEN));

    // Both sides change while the program is away; the server starts anew in between.
    day::changes_there(&house);
    let mut there = Imap::to(house.imap, BEN).unwrap();
    there.ok("SELECT INBOX").unwrap();
    // Other messages, the same ones otherwise, and ones that went on the other side.
    there
        .ok("STORE 91:120 +FLAGS.SILENT (\\Flagged \\Seen)")
        .unwrap();
    there.ok("STORE 15,65 +FLAGS (\\Answered)").unwrap();
    there
        .ok("STORE 122:140,71,161 +FLAGS.SILENT (\\Deleted)")
        .unwrap();
    there.ok("EXPUNGE").unwrap();
    for number in 2000..2020 {
        day::append(&mut there, "INBOX", number, "\\Seen");
    }
    there.ok("CREATE \"From here/Very deep\"").unwrap();
    for number in 2300..2305 {
        day::append(&mut there, "From here/Very deep", number, "");
    }
    for number in 2100..2105 {
        day::append(&mut there, "Gr&APwA3w-e", number, "$Label1");
    }
    drop(there);
    house.stop();
    house.start();
    program(&house).run();
    let now = both(&house, "after changes on both sides");
    day::check_changes(&now);
    let conflict = now["INBOX"]
        .iter()
        .find(|message| message.number == 14)
        .unwrap();
    assert!(
        conflict.flags.iter().any(|flag| flag == "\\Flagged"),
        "{conflict:?}"
    );
    assert!(
        conflict.flags.iter().any(|flag| flag == "\\Answered"),
        "{conflict:?}"
    );
    day::check_uids(&house, ANNA, &anna);
    day::check_uids(&house, BEN, &ben);

    // Nothing to do: nothing is done, not even after a power cut.
    program(&house).run();
    let before = states(&house);
    house.kill();
    house.start();
    program(&house).run();
    assert_eq!(
        before,
        states(&house),
        "a sync without changes changes nothing"
    );

    program(&house).args(["--rename", "Work", "Job"]).run();
    program(&house).args(["--delete", "tilde~"]).run();
    program(&house).run();
    let now = both(&house, "after a rename and a removal");
    assert!(
        now.contains_key("Job/2026/May & June") && !now.contains_key("Work/2026"),
        "{:?}",
        now.keys()
    );
    assert!(!now.contains_key("tilde~"));
    program(&house).args(["--repair"]).run();
    both(&house, "after a full comparison");
}

/// A program that runs until it is asked to end.
struct Watch(Child);

impl Drop for Watch {
    fn drop(&mut self) {
        terminate(&self.0);
        if wait(&mut self.0, PATIENCE).is_none() {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

fn watch(house: &House, log: &Path) -> Watch {
    let log = fs::File::create(log).unwrap();
    let child = Command::new("interimap")
        .arg(format!("--config={}", house.path("interimaprc").display()))
        .arg("--watch=1")
        .env("HOME", house.path("home"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap_or_else(|error| panic!("interimap: {error}; scripts/check installs it"));
    Watch(child)
}

#[test]
fn interimap_watches() {
    let house = House::new();
    configure(&house);
    // The first sync makes its database, which a watch would not.
    program(&house).run();
    let mut imap = Imap::to(house.imap, ANNA).unwrap();
    for number in 0..20 {
        day::append(&mut imap, "INBOX", number, "");
    }
    let log = house.path("watch.log");
    let mut watched = watch(&house, &log);
    let count = |user: &str, key: &str| {
        let mut imap = Imap::to(house.imap, user).unwrap();
        imap.ok("EXAMINE INBOX").unwrap();
        imap.search(&format!("SEARCH {key}")).unwrap().len()
    };
    let patience = Duration::from_secs(20);
    until(patience, "what is there comes over", || {
        (count(BEN, "ALL") == 20).then_some(())
    });
    let mut smtp = Smtp::to(house.mx).unwrap();
    assert!(
        smtp.message(ANNA, &day::message(100))
            .unwrap()
            .starts_with("250")
    );
    until(patience, "new mail comes over", || {
        (count(BEN, "ALL") == 21).then_some(())
    });
    let mut ben = Imap::to(house.imap, BEN).unwrap();
    ben.ok("SELECT INBOX").unwrap();
    ben.ok("STORE 1:5 +FLAGS (\\Flagged)").unwrap();
    ben.ok("STORE 6:10 +FLAGS (\\Deleted)").unwrap();
    ben.ok("EXPUNGE").unwrap();
    until(patience, "flags come over", || {
        (count(ANNA, "FLAGGED") == 5).then_some(())
    });
    until(patience, "what went goes there", || {
        (count(ANNA, "ALL") == 16).then_some(())
    });
    both(&house, "while it watches");
    assert!(
        watched.0.try_wait().unwrap().is_none(),
        "it still watches:\n{}",
        fs::read_to_string(&log).unwrap()
    );
}
