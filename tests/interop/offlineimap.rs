//! offlineimap keeps Maildirs and an account the same, both ways.

use std::fs;
use std::path::Path;

use crate::day;
use crate::house::{ANNA, House, PASSWORD, Program};
use crate::programs::certificate;
use crate::talk::Imap;

fn sync(house: &House) -> String {
    Program::new("offlineimap")
        .args(["-o", "-1", "-u", "basic", "-c"])
        .args([house.path("offlineimaprc")])
        .env("HOME", house.path("home"))
        .run()
}

fn configure(house: &House, maildir: &Path) {
    fs::create_dir_all(house.path("home")).unwrap();
    fs::create_dir(maildir).unwrap();
    let configuration = format!(
        "[general]\naccounts = box\nmetadata = {}\nsocktimeout = 30\n\n[Account box]\nlocalrepository = here\n\
         remoterepository = there\nutf8foldernames = yes\n\n\
         [Repository here]\ntype = Maildir\nlocalfolders = {}\nsep = /\n\n\
         [Repository there]\ntype = IMAP\nremotehost = localhost\nremoteport = {}\nremoteuser = {ANNA}\n\
         remotepass = {PASSWORD}\nssl = yes\nsslcacertfile = {}\nmaxconnections = 1\n",
        house.path("metadata").display(),
        maildir.display(),
        house.imaps,
        certificate(house).display(),
    );
    fs::write(house.path("offlineimaprc"), configuration).unwrap();
}

#[test]
fn offlineimap_syncs_a_day() {
    let mut house = House::with("hostname = \"localhost\"");
    let maildir = house.path("maildir");
    configure(&house, &maildir);
    // It does not quote these as it should; nobody who uses it can have them.
    let unspeakable = |name: &&str| name.contains(['"', '\\']);
    let folders: Vec<&str> = day::FOLDERS
        .into_iter()
        .filter(|name| !unspeakable(name))
        .collect();
    day::fill_folders(&mut Imap::to(house.imap, ANNA).unwrap(), &folders);
    let first = day::uids(&house, ANNA);
    sync(&house);
    day::same(
        &day::server(&house, ANNA),
        &day::maildirs(&maildir, str::to_owned),
        "after the first sync",
    );
    day::changes_there(&house);
    day::changes_here(&maildir, "Grüße");
    house.stop();
    house.start();
    sync(&house);
    let there = day::server(&house, ANNA);
    day::same(
        &there,
        &day::maildirs(&maildir, str::to_owned),
        "after changes on both sides",
    );
    day::check_changes(&there);
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
    day::same(
        &there,
        &day::server(&house, ANNA),
        "a sync without changes changes nothing",
    );
}
