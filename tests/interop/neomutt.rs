//! neomutt with its header cache, CONDSTORE and QRESYNC: what it shows after others changed the folder.

use std::fs;
use std::path::Path;

use crate::day;
use crate::house::{ANNA, House, PASSWORD, Program};
use crate::programs::certificate;
use crate::talk::{Imap, Smtp};

/// Starts it on a folder, types these keys, and waits for its end.
fn neomutt(house: &House, folder: &str, keys: &str) {
    let home = house.path("home");
    fs::create_dir_all(home.join("cache")).unwrap();
    let configuration = format!(
        "set folder = \"imaps://127.0.0.1:{}/\"\nset spoolfile = \"+{folder}\"\nset imap_user = \"{ANNA}\"\n\
         set imap_pass = \"{PASSWORD}\"\nset certificate_file = \"{}\"\nset ssl_verify_host = no\n\
         set ssl_verify_dates = no\nset ssl_force_tls = yes\nset confirmappend = no\nset confirmcreate = no\n\
         set mbox_type = mbox\nset delete = yes\nset move = no\nset wait_key = no\nset mark_old = no\n\
         set imap_condstore = yes\nset imap_qresync = yes\nset imap_idle = no\nset sort = mailbox-order\n\
         set header_cache = \"{}/\"\nset message_cachedir = \"{}/\"\nset imap_check_subscribed = no\n\
         set copy = no\nset save_empty = yes\nset quit = yes\nset auto_tag = no\nset resolve = no\n\
         push \"{keys}<sync-mailbox><quit>\"\n",
        house.imaps,
        certificate(house).display(),
        home.join("cache").display(),
        home.join("cache").display(),
    );
    fs::write(house.path("neomuttrc"), configuration).unwrap();
    let rc = house.path("neomuttrc");
    let log = home.join("log");
    Program::new("script")
        .args([
            "-qec",
            &format!("neomutt -n -F {} -d 3 -l {}", rc.display(), log.display()),
            "/dev/null",
        ])
        .env("HOME", &home)
        .env("TERM", "xterm")
        .env("LC_ALL", "C.UTF-8")
        .input("")
        .run();
}

/// Keys that copy what matches the pattern into an mbox.
fn copy(pattern: &str, to: &Path) -> String {
    format!(
        "<untag-pattern>.<enter><tag-pattern>{pattern}<enter><tag-prefix><copy-message><kill-line>{}<enter>",
        to.display()
    )
}

/// The numbers of the messages in an mbox.
fn numbers(file: &Path) -> Vec<u32> {
    let text = String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned();
    let mut numbers: Vec<u32> = text
        .lines()
        .filter_map(|line| line.strip_prefix("X-Day: ")?.parse().ok())
        .collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn neomutt_sees_changes_with_its_cache() {
    let mut house = House::new();
    let mut imap = Imap::to(house.imap, ANNA).unwrap();
    for number in 0..300 {
        let flags = if number % 10 == 0 {
            "\\Seen \\Flagged"
        } else {
            "\\Seen"
        };
        day::append(&mut imap, "INBOX", number, flags);
    }
    imap.ok("CREATE \"Gr&APwA3w-e/Deep one\"").unwrap();
    let file = |name: &str| house.path(name);
    let (first, flagged, all, kept) = (file("first"), file("flagged"), file("all"), file("kept"));

    neomutt(&house, "INBOX", &copy("~F", &first));
    assert_eq!(numbers(&first), (0..300).step_by(10).collect::<Vec<_>>());

    // Others change the folder; the server starts anew.
    imap.ok("SELECT INBOX").unwrap();
    imap.ok("STORE 1:20 -FLAGS (\\Flagged)").unwrap();
    imap.ok("STORE 102,103 +FLAGS (\\Flagged)").unwrap();
    imap.ok("STORE 31,41,51:60 +FLAGS.SILENT (\\Deleted)")
        .unwrap();
    imap.ok("EXPUNGE").unwrap();
    for number in 300..310 {
        assert!(
            Smtp::to(house.mx)
                .unwrap()
                .message(ANNA, &day::message(number))
                .unwrap()
                .starts_with("250")
        );
    }
    drop(imap);
    house.stop();
    house.start();
    let keys = copy("~F", &flagged) + &copy(".", &all);
    neomutt(&house, "INBOX", &keys);
    let there: Vec<u32> = (0..310)
        .filter(|n| ![30, 40].contains(n) && !(50..60).contains(n))
        .collect();
    assert_eq!(numbers(&all), there);
    let now: Vec<u32> = (0..300)
        .filter(|n| (n % 10 == 0 && *n >= 20 || [101, 102].contains(n)) && there.contains(n))
        .collect();
    assert_eq!(numbers(&flagged), now);

    // It changes the folder itself: flags, what goes, what is copied into a folder with an odd name.
    let keys = "<tag-pattern>~h 'X-Day: 20[0-9]'<enter><tag-prefix><save-message><kill-line>=Grüße/Deep<quote-char> one<enter>\
                <delete-pattern>~h 'X-Day: 21[0-9]'<enter>\
                <untag-pattern>.<enter><tag-pattern>~h 'X-Day: 22[0-9]'<enter><tag-prefix><flag-message>";
    neomutt(&house, "INBOX", keys);
    let mailbox = day::server(&house, ANNA);
    let inbox: Vec<u32> = mailbox["INBOX"]
        .iter()
        .map(|message| message.number)
        .collect();
    let left: Vec<u32> = there
        .iter()
        .copied()
        .filter(|n| !(200..220).contains(n))
        .collect();
    assert_eq!(inbox, left);
    let moved: Vec<u32> = mailbox["Grüße/Deep one"]
        .iter()
        .map(|message| message.number)
        .collect();
    assert_eq!(moved, (200..210).collect::<Vec<_>>());
    for message in mailbox["INBOX"]
        .iter()
        .filter(|message| (221..230).contains(&message.number))
    {
        assert!(
            message.flags.iter().any(|flag| flag == "\\Flagged"),
            "{message:?}"
        );
    }
    neomutt(&house, "INBOX", &copy(".", &kept));
    assert_eq!(numbers(&kept), left);
}
