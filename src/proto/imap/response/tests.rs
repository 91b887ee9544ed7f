//! What is written, and another parser that reads it.

use imap_codec::ResponseCodec;
use imap_codec::decode::Decoder;

use super::fetch::FetchLine;
use super::*;
use crate::base::id::{ModSeq, Uid};
use crate::base::time::Time;
use crate::proto::imap::command::{self, Command, FetchItem};

fn check(want: &str, write: impl FnOnce(&mut Vec<u8>)) {
    let mut out = vec![];
    write(&mut out);
    assert_eq!(String::from_utf8_lossy(&out), want);
    let read = ResponseCodec::default().decode(&out);
    assert!(
        matches!(read, Ok((rest, _)) if rest.is_empty()),
        "not readable: {want}"
    );
}

#[test]
fn lines() {
    check("* 172 EXISTS\r\n", |out| exists(out, 172));
    check("* 0 RECENT\r\n", |out| recent(out, 0));
    check("* 3 EXPUNGE\r\n", |out| expunge(out, 3));
    check(
        "* FLAGS (\\Answered \\Deleted \\Draft \\Flagged \\Seen $Junk)\r\n",
        |out| flags(out, ["$Junk"]),
    );
    check(
        "* OK [PERMANENTFLAGS (\\Answered \\Deleted \\Draft \\Flagged \\Seen \\*)] Flags permitted.\r\n",
        |out| permanent_flags(out, [], false),
    );
    check("* OK [PERMANENTFLAGS ()] Flags permitted.\r\n", |out| {
        permanent_flags(out, ["a"], true);
    });
    check("* OK [UIDNEXT 4392] Next\r\n", |out| {
        ok_number(out, "UIDNEXT", 4392, "Next");
    });
    check("* OK [ALERT] x\r\n", |out| ok(out, "ALERT", "x"));
    check("* SEARCH 1 2 3 9\r\n", |out| {
        search(out, &[1, 2, 3, 9].into_iter().collect());
    });
    check("* SEARCH\r\n", |out| search(out, &Ranges::new()));
    check("* ENABLED CONDSTORE\r\n", |out| enabled(out, ["CONDSTORE"]));
}

#[test]
fn folders() {
    check(
        "* LIST (\\HasNoChildren \\Sent) \"/\" \"Gesendete &- Entw&APw-rfe\"\r\n",
        |out| {
            list(
                out,
                "LIST",
                ["\\HasNoChildren", "\\Sent"],
                "Gesendete & Entwürfe",
                false,
            );
        },
    );
    check("* LSUB () \"/\" INBOX\r\n", |out| {
        list(out, "LSUB", [], "INBOX", false);
    });
    // Only a client that enabled it reads this (RFC 6855).
    let mut out = vec![];
    list(&mut out, "LSUB", [], "A & \u{fc}", true);
    assert_eq!(
        String::from_utf8_lossy(&out),
        "* LSUB () \"/\" \"A & \u{fc}\"\r\n"
    );
    check("* LIST (\\Noselect) \"/\" \"\"\r\n", list_root);
    let counts = [
        (StatusItem::Messages, Some(3)),
        (StatusItem::Unseen, Some(0)),
    ];
    check("* STATUS a (MESSAGES 3 UNSEEN 0)\r\n", |out| {
        status(out, "a", counts, false);
    });
    let mut out = vec![];
    status(&mut out, "a", [(StatusItem::AppendLimit, None)], false);
    assert_eq!(out, b"* STATUS a (APPENDLIMIT NIL)\r\n");
    let mut out = vec![];
    namespace(&mut out, None, Some("Shared/"));
    id(&mut out, &[("name", "Pillarbox")]);
    assert_eq!(
        String::from_utf8_lossy(&out),
        "* NAMESPACE ((\"\" \"/\")) NIL ((\"Shared/\" \"/\"))\r\n* ID (\"name\" \"Pillarbox\")\r\n"
    );
}

#[test]
fn codes() {
    let from = [5, 6, 9].into_iter().collect();
    let code = copy_uid(38505, &from, &Ranges::span(1, 3));
    assert_eq!(code.as_deref(), Some("COPYUID 38505 5:6,9 1:3"));
    assert_eq!(copy_uid(1, &Ranges::new(), &Ranges::new()), None);
    assert_eq!(append_uid(1, &Ranges::span(2, 4)), "APPENDUID 1 2:4");
}

#[test]
fn fetch() {
    check(
        "* 12 FETCH (UID 7 FLAGS (\\Seen) INTERNALDATE \" 1-Jan-1970 00:00:00 +0000\" RFC822.SIZE 9)\r\n",
        |out| {
            let mut line = FetchLine::begin(out, 12);
            line.uid(Uid(7));
            line.flags(Flags::SEEN, [], false);
            line.internal_date(Time(0));
            line.size(9);
            line.end();
        },
    );
    let mut out = vec![];
    let mut line = FetchLine::begin(&mut out, 1);
    line.mod_seq(ModSeq(9));
    write::literal(line.item("RFC822"), 3);
    out.extend_from_slice(b"abc");
    let mut line = FetchLine::resume(&mut out, false);
    line.uid(Uid(1));
    line.end();
    assert_eq!(out, b"* 1 FETCH (MODSEQ (9) RFC822 {3}\r\nabc UID 1)\r\n");
}

/// A section is named in the response as it was in the command.
#[test]
fn sections_come_back() {
    for (asked, told) in [
        ("BODY[]", "BODY[]"),
        ("BODY.PEEK[TEXT]<2.5>", "BODY[TEXT]<2>"),
        ("BODY[1.2.MIME]", "BODY[1.2.MIME]"),
        ("BODY[3]", "BODY[3]"),
        ("BODY[4.HEADER]", "BODY[4.HEADER]"),
        (
            "BODY.PEEK[HEADER.FIELDS (\"Date\" \"a b\")]",
            "BODY[HEADER.FIELDS (Date \"a b\")]",
        ),
        (
            "BODY[1.HEADER.FIELDS.NOT (x)]",
            "BODY[1.HEADER.FIELDS.NOT (x)]",
        ),
    ] {
        let text = format!("a FETCH 1 {asked}");
        let Ok(Command::Fetch(fetch)) = command::open(text.as_bytes(), false).unwrap().parse()
        else {
            panic!("{asked}");
        };
        let [FetchItem::BodySection(section)] = fetch.items.as_slice() else {
            panic!("{asked}");
        };
        let mut out = vec![];
        fetch::label(&mut out, section);
        assert_eq!(String::from_utf8_lossy(&out), told);
    }
}
