//! A day's work for programs that synchronise: a mailbox with odd folders and odd messages, what happens
//! to it on both sides, and how both sides are compared, message by message.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;

use crate::house::{ANNA, House};
use crate::talk::{Imap, Response, Smtp};

/// Folders as IMAP names them (RFC 3501 section 5.1.3), beside those that everybody has.
pub const FOLDERS: [&str; 13] = [
    "Work",
    "Work/2026",
    "Work/2026/May &- June",
    "With space",
    "Gr&APwA3w-e",
    "&ZeVnLIqe-",
    "&2D3eAQ-",
    "A/B/C",
    "(paren) [x]",
    "it's \"quoted\"",
    "back\\slash",
    "dot.ted",
    "tilde~",
];
/// Messages in INBOX at first, number 0 first.
pub const INBOX: u32 = 400;
/// Messages in each of [`FOLDERS`] at first.
const EACH: u32 = 8;

/// As both sides see it: no `\Recent`, LF, without the field that mbsync puts in.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Message {
    pub number: u32,
    pub flags: Vec<String>,
    pub text: String,
}

/// Messages by folder, sorted; names in UTF-8.
pub type Mailbox = BTreeMap<String, Vec<Message>>;

/// One of twelve kinds of message, with its number in it.
pub fn message(number: u32) -> String {
    let start = format!(
        "From: Bob <bob@away.test>\r\nTo: {ANNA}\r\nX-Day: {number}\r\nMessage-ID: <{number}@day.test>\r\n\
         Date: Sat, 21 Nov 2026 10:{:02}:{:02} +0000\r\n",
        number / 60 % 60,
        number % 60
    );
    let rest = match number % 12 {
        1 => "Subject: a file\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n\
              See there\r\n--b\r\nContent-Type: application/pdf; name=\"a b.pdf\"\r\n\
              Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment\r\n\r\nJVBERi0=\r\n--b--\r\n"
            .to_owned(),
        2 => "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= =?utf-8?b?5pel5pys?=\r\nMIME-Version: 1.0\r\n\
              Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße aus 日本\r\n"
            .to_owned(),
        3 => "\r\nNo subject\r\n".to_owned(),
        4 => format!(
            "Subject: folded\r\n and\r\n\tfolded again\r\nReferences: {}<x@day.test>\r\n\r\nText\r\n",
            "<0123456789abcdef@day.test>\r\n ".repeat(40)
        ),
        5 => "Subject: dots\r\n\r\n.\r\n..\r\n.x\r\nFrom here to there\r\n>From\r\n.\r\n".to_owned(),
        6 => "Subject: odd\r\nX-Odd: a  b\tc\r\n\r\nText with no ends \t\r\n\r\n\r\n".to_owned(),
        7 => "Subject: empty\r\n\r\n".to_owned(),
        8 => format!(
            "Subject: html\r\nMIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n<p>{}</p>\r\n",
            "long ".repeat(190)
        ),
        9 => "Subject: Fwd\r\nMIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\nFrom: x@y.test\r\n\
              Subject: inner\r\n\r\nInner text\r\n"
            .to_owned(),
        10 => "Subject: no end\r\n\r\nThe last line has no end".to_owned(),
        11 => format!("Subject: more\r\n\r\n{}", "A line of text \t \r\n".repeat(600)),
        _ => format!("Subject: number {number}\r\n\r\nText {number}\r\n"),
    };
    start + &rest
}

/// About 500 messages in all folders, some with flags.
pub fn fill(imap: &mut Imap) {
    fill_folders(imap, &FOLDERS);
}

/// The same with some of the folders only.
pub fn fill_folders(imap: &mut Imap, folders: &[&str]) {
    for number in 0..INBOX {
        append(
            imap,
            "INBOX",
            number,
            ["", "\\Seen", "\\Seen \\Flagged", "\\Answered"][number as usize % 4],
        );
    }
    for (folder, first) in folders.iter().zip((INBOX..).step_by(EACH as usize)) {
        imap.ok(&format!("CREATE {}", quoted(folder))).unwrap();
        imap.ok(&format!("SUBSCRIBE {}", quoted(folder))).unwrap();
        for number in first..first + EACH {
            append(imap, folder, number, "\\Seen");
        }
    }
}

pub fn append(imap: &mut Imap, folder: &str, number: u32, flags: &str) {
    let to = format!(
        "{} ({flags}) \"{:2}-Nov-2025 10:00:00 +0000\"",
        quoted(folder),
        1 + number % 28
    );
    let tagged = imap.append(&to, &message(number)).unwrap();
    assert!(tagged.starts_with("OK"), "APPEND {folder}: {tagged}");
}

pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

/// What another program does on the server meanwhile: flags, messages that go, come, move and are copied.
/// Message `n` has the number `n + 1` in INBOX when this begins.
pub fn changes_there(house: &House) {
    let mut smtp = Smtp::to(house.mx).unwrap();
    let mut imap = Imap::to(house.imap, ANNA).unwrap();
    imap.ok("SELECT INBOX").unwrap();
    imap.ok("STORE 11:40 +FLAGS.SILENT (\\Flagged)").unwrap();
    imap.ok("STORE 41:60 -FLAGS (\\Seen)").unwrap();
    imap.ok("STORE 200,202,204 FLAGS (\\Draft)").unwrap();
    imap.ok(&format!("COPY 150:155 {}", quoted("A/B/C")))
        .unwrap();
    imap.ok(&format!("MOVE 160:170 {}", quoted("With space")))
        .unwrap();
    imap.ok("STORE 61:80 +FLAGS.SILENT (\\Deleted)").unwrap();
    imap.ok("EXPUNGE").unwrap();
    for number in 1000..1020 {
        append(&mut imap, "INBOX", number, "\\Seen");
        let text = message(number + 100);
        let end = if text.ends_with("\r\n") { "" } else { "\r\n" };
        let text = text + end;
        assert!(smtp.message(ANNA, &text).unwrap().starts_with("250"));
    }
    imap.ok("CREATE New/Deep").unwrap();
    for number in 1200..1203 {
        append(&mut imap, "New/Deep", number, "");
    }
}

/// What is done in a Maildir meanwhile; some of it to messages that [`changes_there`] changes too.
/// `odd` is what the folder `Grüße` is called there.
pub fn changes_here(maildir: &Path, odd: &str) {
    let inbox = &maildir.join("INBOX");
    for number in (90..120).chain([14, 64]) {
        flag(&find(inbox, number), "FS");
    }
    for number in (121..140).chain([70, 160]) {
        fs::remove_file(find(inbox, number)).unwrap();
    }
    for number in 2000..2020 {
        write(inbox, number, "S");
    }
    for (folder, first) in [
        (odd, 2100),
        ("From here", 2200),
        ("From here/Very deep", 2300),
    ] {
        for number in first..first + 5 {
            write(&maildir.join(folder), number, "FS");
        }
    }
}

/// What both have to come to, whoever carried it over.
pub fn check_changes(mailbox: &Mailbox) {
    let numbers = |folder: &str| -> Vec<u32> { mailbox[folder].iter().map(|m| m.number).collect() };
    let inbox = numbers("INBOX");
    for gone in (60..80).chain(121..140).chain(159..170) {
        assert!(!inbox.contains(&gone), "number {gone} went");
    }
    for there in (0..60)
        .chain(81..121)
        .chain(1000..1020)
        .chain(1100..1120)
        .chain(2000..2020)
    {
        assert_eq!(
            inbox.iter().filter(|n| **n == there).count(),
            1,
            "number {there} is there once"
        );
    }
    let flags = |number: u32| {
        &mailbox["INBOX"]
            .iter()
            .find(|m| m.number == number)
            .unwrap()
            .flags
    };
    for number in 90..120 {
        for flag in ["\\Flagged", "\\Seen"] {
            assert!(
                flags(number).iter().any(|f| f == flag),
                "{number}: {:?}",
                flags(number)
            );
        }
    }
    for number in 10..40 {
        assert!(
            flags(number).iter().any(|f| f == "\\Flagged"),
            "{number}: {:?}",
            flags(number)
        );
    }
    for number in 40..60 {
        assert!(
            !flags(number).iter().any(|f| f == "\\Seen"),
            "{number}: {:?}",
            flags(number)
        );
    }
    for number in [199, 201, 203] {
        assert_eq!(flags(number), &["\\Draft"], "{number}");
    }
    assert_eq!(numbers("New/Deep"), [1200, 1201, 1202]);
    assert_eq!(
        numbers("From here/Very deep"),
        [2300, 2301, 2302, 2303, 2304]
    );
    assert_eq!(numbers("Grüße").len(), EACH as usize + 5);
    assert_eq!(numbers("A/B/C").len(), EACH as usize + 6);
}

// ---- how a mailbox looks

/// On the server, by IMAP.
pub fn server(house: &House, user: &str) -> Mailbox {
    let mut imap = Imap::to(house.imap, user).unwrap();
    folders(&mut imap)
        .into_iter()
        .map(|folder| {
            let mut messages: Vec<_> = rows(&mut imap, &folder).into_values().collect();
            messages.sort();
            (plain(&folder), messages)
        })
        .collect()
}

/// UIDVALIDITY, and which UID holds which message, by folder.
pub fn uids(house: &House, user: &str) -> BTreeMap<String, (u32, BTreeMap<u32, u32>)> {
    let mut imap = Imap::to(house.imap, user).unwrap();
    folders(&mut imap)
        .into_iter()
        .map(|folder| {
            let status = imap
                .ok(&format!("STATUS {} (UIDVALIDITY)", quoted(&folder)))
                .unwrap();
            let validity = word_after(&status[0].text, "UIDVALIDITY ").parse().unwrap();
            let rows = rows(&mut imap, &folder);
            let numbers = rows.into_iter().map(|(uid, message)| (uid, message.number));
            (folder, (validity, numbers.collect()))
        })
        .collect()
}

/// No UID holds another message than before, and no folder began anew.
pub fn check_uids(house: &House, user: &str, before: &BTreeMap<String, (u32, BTreeMap<u32, u32>)>) {
    let after = uids(house, user);
    for (folder, (validity, numbers)) in before {
        let Some((validity_now, numbers_now)) = after.get(folder) else {
            continue;
        };
        assert_eq!(validity, validity_now, "UIDVALIDITY of {folder}");
        for (uid, number) in numbers {
            let now = numbers_now.get(uid);
            assert!(
                now.is_none_or(|now| now == number),
                "{folder}: UID {uid} was {number}, is {now:?}"
            );
        }
    }
}

pub fn folders(imap: &mut Imap) -> Vec<String> {
    let listed = imap.ok("LIST \"\" *").unwrap();
    listed
        .iter()
        .filter(|response| {
            !response.text.contains("\\NonExistent") && !response.text.contains("\\Noselect")
        })
        .map(|response| {
            if let Some(name) = response.literals.first() {
                return String::from_utf8(name.clone()).unwrap();
            }
            let (_, name) = response.text.split_once(" \"/\" ").unwrap();
            name.strip_prefix('"')
                .and_then(|name| name.strip_suffix('"'))
                .map_or_else(
                    || name.to_owned(),
                    |name| name.replace("\\\"", "\"").replace("\\\\", "\\"),
                )
        })
        .collect()
}

fn rows(imap: &mut Imap, folder: &str) -> BTreeMap<u32, Message> {
    let selected = imap.ok(&format!("EXAMINE {}", quoted(folder))).unwrap();
    if selected
        .iter()
        .any(|response| response.text == "* 0 EXISTS")
    {
        return BTreeMap::new();
    }
    let fetched = imap.ok("UID FETCH 1:* (FLAGS BODY.PEEK[])").unwrap();
    fetched
        .iter()
        .filter(|response| !response.literals.is_empty())
        .map(row)
        .collect()
}

fn row(response: &Response) -> (u32, Message) {
    let uid = word_after(&response.text, "UID ").parse().unwrap();
    let (_, flags) = response.text.split_once("FLAGS (").unwrap();
    let (flags, _) = flags.split_once(')').unwrap();
    (
        uid,
        seen(
            &response.literals[0],
            flags.split_whitespace().map(str::to_owned).collect(),
        ),
    )
}

fn word_after<'a>(text: &'a str, before: &str) -> &'a str {
    let (_, rest) = text
        .split_once(before)
        .unwrap_or_else(|| panic!("no {before:?} in {text}"));
    rest.split([' ', ')', ']']).next().unwrap()
}

fn seen(octets: &[u8], mut flags: Vec<String>) -> Message {
    let text = String::from_utf8_lossy(octets).replace("\r\n", "\n");
    let number = text
        .lines()
        .find_map(|line| line.strip_prefix("X-Day: "))
        .unwrap_or_else(|| panic!("whose message is this?\n{text}"));
    let number = number.parse().unwrap();
    flags.retain(|flag| flag != "\\Recent");
    flags.sort();
    let lines = text.split_inclusive('\n').filter(|line| {
        !["X-TUID: ", "Return-Path: ", "X-OfflineIMAP: "]
            .iter()
            .any(|field| line.starts_with(field))
    });
    Message {
        number,
        flags,
        text: lines.collect(),
    }
}

/// Modified UTF-7 read (RFC 3501 section 5.1.3).
pub fn plain(name: &str) -> String {
    let mut pieces = name.split('&');
    let mut text = pieces.next().unwrap().to_owned();
    for piece in pieces {
        let (coded, rest) = piece.split_once('-').unwrap();
        if coded.is_empty() {
            text.push('&');
        } else {
            let octets = base64::engine::general_purpose::STANDARD_NO_PAD
                .decode(coded.replace(',', "/"))
                .unwrap();
            let units: Vec<u16> = octets
                .chunks(2)
                .map(|two| u16::from_be_bytes([two[0], two[1]]))
                .collect();
            text.push_str(&String::from_utf16(&units).unwrap());
        }
        text.push_str(rest);
    }
    text
}

/// In Maildirs below a folder, one for each folder of the mailbox, whose name `read` makes UTF-8.
pub fn maildirs(root: &Path, read: impl Fn(&str) -> String) -> Mailbox {
    let mut mailbox = Mailbox::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir()
                && !["cur", "new", "tmp"]
                    .iter()
                    .any(|kind| path.ends_with(kind))
            {
                open.push(path);
            }
        }
        if folder.join("cur").is_dir() {
            let name = read(folder.strip_prefix(root).unwrap().to_str().unwrap());
            mailbox.insert(name, maildir(&folder));
        }
    }
    mailbox
}

fn maildir(folder: &Path) -> Vec<Message> {
    let mut messages: Vec<_> = files(folder)
        .iter()
        .map(|file| {
            let letters = file
                .to_str()
                .unwrap()
                .rsplit_once(":2,")
                .map_or("", |(_, letters)| letters);
            let names = [
                ('D', "Draft"),
                ('F', "Flagged"),
                ('R', "Answered"),
                ('S', "Seen"),
                ('T', "Deleted"),
            ];
            let flags = names.iter().filter(|(letter, _)| letters.contains(*letter));
            seen(
                &fs::read(file).unwrap(),
                flags.map(|(_, name)| format!("\\{name}")).collect(),
            )
        })
        .collect();
    messages.sort();
    messages
}

pub fn files(folder: &Path) -> Vec<PathBuf> {
    ["new", "cur"]
        .iter()
        .flat_map(|kind| fs::read_dir(folder.join(kind)).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect()
}

fn find(folder: &Path, number: u32) -> PathBuf {
    let field = format!("\nX-Day: {number}\n");
    files(folder)
        .into_iter()
        .find(|file| {
            String::from_utf8_lossy(&fs::read(file).unwrap())
                .replace("\r\n", "\n")
                .contains(&field)
        })
        .unwrap_or_else(|| panic!("no message {number} in {}", folder.display()))
}

/// Gives a file of a Maildir its flags.
pub fn flag(file: &Path, flags: &str) {
    let name = file.file_name().unwrap().to_str().unwrap();
    let name = name.split(":2,").next().unwrap();
    let cur = file.parent().unwrap().parent().unwrap().join("cur");
    fs::rename(file, cur.join(format!("{name}:2,{flags}"))).unwrap();
}

/// A message as a mail program writes it into a Maildir, which is made if it is not there.
fn write(folder: &Path, number: u32, flags: &str) {
    for kind in ["cur", "new", "tmp"] {
        fs::create_dir_all(folder.join(kind)).unwrap();
    }
    let name = format!("cur/{}.1_{number}.here:2,{flags}", 1_795_000_000 + number);
    fs::write(folder.join(name), message(number).replace("\r\n", "\n")).unwrap();
}

/// Both hold the same; says what differs, briefly.
pub fn same(one: &Mailbox, other: &Mailbox, what: &str) {
    let mut differ = String::new();
    for folder in one.keys().chain(other.keys()).collect::<BTreeSet<_>>() {
        let (Some(a), Some(b)) = (one.get(folder), other.get(folder)) else {
            writeln!(differ, "{folder}: on one side only").unwrap();
            continue;
        };
        if a != b {
            let only = |x: &[Message], y: &[Message]| -> Vec<_> {
                let missing = x.iter().filter(|message| !y.contains(message));
                missing
                    .map(|m| (m.number, m.flags.clone(), m.text.len()))
                    .collect()
            };
            let (a, b) = (only(a, b), only(b, a));
            writeln!(
                differ,
                "{folder}: only in one {a:?}, only in the other {b:?}"
            )
            .unwrap();
        }
    }
    assert!(differ.is_empty(), "{what}:\n{differ}");
}
