//! Commands as clients write them, and what comes of them; another parser reads along.

use imap_codec::CommandCodec;
use imap_codec::decode::Decoder;
use proptest::prelude::*;

use super::super::lexer::SyntaxError as Error;
use super::*;

fn parse(text: &[u8]) -> Result<Command, Error> {
    open(text, false)?.parse()
}

/// Without tag and CRLF, shown as `{:?}`.
fn shown(text: &str) -> String {
    match parse(format!("a {text}\r\n").as_bytes()) {
        Ok(command) => format!("{command:?}"),
        Err(error) => format!("{error:?}"),
    }
}

/// Every command of the examples in RFC 3501 (section 6, 7 and 8), and more.
const VALID: &[&str] = &[
    "CAPABILITY",
    "NOOP",
    "LOGOUT",
    "LOGIN SMITH SESAME",
    "LOGIN \"a b\" {4}\r\nx\ry ",
    "AUTHENTICATE PLAIN",
    "AUTHENTICATE PLAIN AGEAYg==",
    "SELECT INBOX",
    "EXAMINE blurdybloop",
    "CREATE owatagusiam/",
    "CREATE owatagusiam/blurdybloop",
    "DELETE blurdybloop",
    "RENAME blurdybloop sarasoop",
    "RENAME INBOX old-mail",
    "SUBSCRIBE #news.comp.mail.mime",
    "UNSUBSCRIBE #news.comp.mail.mime",
    "LIST \"\" \"\"",
    "LIST #news.comp.mail.misc \"\"",
    "LIST /usr/staff/jones \"\"",
    "LIST ~/Mail/ %",
    "LIST (SUBSCRIBED) \"\" *",
    "LIST () \"\" (INBOX \"Drafts\" Sent/%)",
    "LIST (SPECIAL-USE) \"\" \"*\" RETURN (SPECIAL-USE SUBSCRIBED CHILDREN STATUS (MESSAGES UNSEEN))",
    "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" \"*\" RETURN ()",
    "LSUB \"#news.\" \"comp.mail.*\"",
    "STATUS blurdybloop (UIDNEXT MESSAGES)",
    "NAMESPACE",
    "ID NIL",
    "ID (\"name\" \"sodr\" \"version\" NIL)",
    "ENABLE CONDSTORE",
    "APPEND saved-messages (\\Seen) {310}",
    "APPEND saved-messages {310+}",
    "APPEND x \" 7-Feb-1994 21:52:25 -0800\" {310}",
    "APPEND {2}\r\nab () \"17-Feb-1994 21:52:25 -0800\" {310}",
    "CHECK",
    "CLOSE",
    "UNSELECT",
    "EXPUNGE",
    "UID EXPUNGE 3000:3002",
    "SEARCH FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"",
    "SEARCH TEXT \"string not in mailbox\"",
    "SEARCH CHARSET UTF-8 TEXT {5}\r\nM\u{fc}ll",
    "SEARCH UNSEEN",
    "SEARCH OR (NOT SEEN LARGER 10) HEADER Message-ID \"\"",
    "SEARCH 2,4:* UID 5:7 KEYWORD $Junk UNKEYWORD x NEW OLD",
    "SEARCH RETURN (MIN COUNT) BEFORE \"1-Jan-2000\" ON 1-Jan-2000 SENTSINCE 01-Jan-2000",
    "UID SEARCH RETURN () ALL",
    "SEARCH MODSEQ \"/flags/\\\\draft\" all 620162338",
    "SEARCH MODSEQ 620162338",
    "FETCH 2:4 (FLAGS BODY[HEADER.FIELDS (DATE FROM)])",
    "FETCH 1 ALL",
    "FETCH 1 FAST",
    "FETCH * full",
    "FETCH 1:* (UID RFC822 RFC822.HEADER RFC822.SIZE RFC822.TEXT ENVELOPE INTERNALDATE)",
    "FETCH 1 (BODY BODYSTRUCTURE BODY[] BODY.PEEK[TEXT]<0.2048> BODY[1.2.MIME] BODY[4.2.HEADER])",
    "FETCH 1 BODY[3.HEADER.FIELDS.NOT (\"Received\")]<5.1>",
    "UID FETCH 300:500 (FLAGS) (CHANGEDSINCE 12345 VANISHED)",
    "STORE 2:4 +FLAGS (\\Deleted)",
    "STORE 1 FLAGS.SILENT ()",
    "STORE 1 -FLAGS.SILENT \\Seen $Forwarded",
    "UID STORE 6,4,8 (UNCHANGEDSINCE 12121230045) +FLAGS.SILENT (\\Deleted)",
    "APPEND a ~{5}",
    "APPEND a (\\Seen) ~{5+}",
    "APPEND a () \"17-Feb-1994 21:52:25 -0800\" UTF8 (~{5}",
    "COMPRESS DEFLATE",
    "ENABLE CONDSTORE QRESYNC UTF8=ACCEPT X-GOOD-IDEA",
    "EXAMINE a (CONDSTORE)",
    "FETCH 1 (BINARY[] BINARY.PEEK[1.2]<0.9> BINARY[3] BINARY.SIZE[4] BINARY.SIZE[])",
    "FETCH $ FLAGS",
    "UID FETCH $ (FLAGS)",
    "GETQUOTA \"\"",
    "GETQUOTAROOT INBOX",
    "SETQUOTA \"\" (STORAGE 512 MESSAGE 100)",
    "SETQUOTA \"#user/alice\" ()",
    "SEARCH RETURN (SAVE) FLAGGED SINCE 1-Feb-1994",
    "SEARCH RETURN (MIN MAX COUNT ALL SAVE) $ SMALLER 4096",
    "SEARCH OR $ 1,3000:3021 TEXT hello",
    "UID SEARCH UID $",
    "SEARCH UNSEEN YOUNGER 259200 OLDER 5",
    "SELECT INBOX (QRESYNC (67890007 20050715194045000 41,43:211,214:541))",
    "SELECT INBOX (QRESYNC (67890007 90060115194045000 41:211,214:541 (1,3:5 41,43:45)))",
    "SELECT INBOX (QRESYNC (67890007 90060115194045000 (1,3:5 41,43:45)))",
    "SELECT INBOX (CONDSTORE QRESYNC (1 1))",
    "SORT (SUBJECT) UTF-8 SINCE 1-Feb-1994",
    "SORT (SUBJECT REVERSE DATE) UTF-8 ALL",
    "UID SORT (REVERSE ARRIVAL CC FROM SIZE TO DATE) US-ASCII TEXT \"not in mailbox\"",
    "STATUS a (APPENDLIMIT DELETED DELETED-STORAGE SIZE HIGHESTMODSEQ)",
    "THREAD ORDEREDSUBJECT UTF-8 SINCE 5-MAR-2000",
    "UID THREAD REFERENCES US-ASCII TEXT \"gewp\"",
    "COPY 2:4 MEETING",
    "UID COPY 5 \"Deleted Items\"",
    "MOVE 1:* foo",
    "UID MOVE 42:69 foo",
    "IDLE",
    "STARTTLS",
    "noop ",
];

const INVALID: &[(&str, Error)] = &[
    ("", Error::Command),
    ("FOO", Error::Command),
    ("UID", Error::Command),
    ("UID NOOP", Error::Command),
    ("UIDFETCH 1 ALL", Error::Command),
    ("NOOP x", Error::Argument),
    ("LOGIN a", Error::Argument),
    ("LOGIN a b c", Error::Argument),
    ("LOGIN a  b", Error::Argument),
    ("LOGIN (a) b", Error::Argument),
    ("LOGIN a {9}\r\nb", Error::Argument),
    ("LOGIN a {9}", Error::Incomplete),
    ("SELECT", Error::Argument),
    ("SELECT \"\"", Error::FolderName),
    ("SELECT a&b", Error::FolderName),
    ("SELECT a//b", Error::FolderName),
    ("APPEND a ~5", Error::Argument),
    ("APPEND a UTF8 ({5}", Error::Argument),
    ("APPEND a UTF8 ~{5}", Error::Argument),
    ("COMPRESS", Error::Argument),
    ("COMPRESS LZ4", Error::Argument),
    ("FETCH 1 BINARY", Error::Argument),
    ("FETCH 1 BINARY[TEXT]", Error::Argument),
    ("FETCH 1 BINARY.SIZE[1]<0.1>", Error::Argument),
    ("FETCH $,1 FLAGS", Error::Argument),
    ("GETQUOTA", Error::Argument),
    ("SETQUOTA x", Error::Argument),
    ("SETQUOTA x (STORAGE)", Error::Argument),
    ("SEARCH OLDER 0", Error::Argument),
    ("SEARCH YOUNGER -1", Error::Argument),
    ("SELECT a (QRESYNC)", Error::Argument),
    ("SELECT a (QRESYNC (0 2))", Error::Argument),
    ("SELECT a (QRESYNC (1))", Error::Argument),
    ("SELECT a (QRESYNC (1 2 *))", Error::Argument),
    ("SELECT a (QRESYNC (1 2 $))", Error::Argument),
    ("SELECT a (QRESYNC (1 2 1:9 (1:2 5)))", Error::Argument),
    ("SORT () UTF-8 ALL", Error::Argument),
    ("SORT (REVERSE) UTF-8 ALL", Error::Argument),
    ("SORT (DATE) ALL", Error::Charset),
    ("SORT (DATE) x-none ALL", Error::Charset),
    ("SORT (DISPLAYFROM) UTF-8 ALL", Error::Argument),
    ("THREAD REFS UTF-8 ALL", Error::Argument),
    ("THREAD REFERENCES UTF-8", Error::Argument),
    ("CREATE a (USE (\\Foo))", Error::UseAttribute),
    ("CREATE /", Error::FolderName),
    ("LIST \"\"", Error::Argument),
    ("LIST (RECURSIVEMATCH) \"\" *", Error::Argument),
    ("LIST (FOO) \"\" *", Error::Argument),
    ("LIST \"\" ()", Error::Argument),
    ("LIST \"\" * RETURN (STATUS ())", Error::Argument),
    ("STATUS a ()", Error::Argument),
    ("STATUS a (FOO)", Error::Argument),
    ("STATUS a MESSAGES", Error::Argument),
    ("ENABLE", Error::Argument),
    ("APPEND a", Error::Argument),
    ("APPEND a hello", Error::Argument),
    ("APPEND a {5}\r\nhello", Error::Argument),
    ("APPEND {5}", Error::Incomplete),
    ("APPEND a (\\Foo) {5}", Error::Flag),
    ("FETCH 0 ALL", Error::Argument),
    ("FETCH 1 ()", Error::Argument),
    ("FETCH 1 (ALL)", Error::Argument),
    ("FETCH 1 FOO", Error::Argument),
    ("FETCH 1 BODY[MIME]", Error::Argument),
    ("FETCH 1 BODY[0]", Error::Argument),
    ("FETCH 1 BODY[1.]", Error::Argument),
    ("FETCH 1 BODY[1.2", Error::Argument),
    ("FETCH 1 BODY[]<1.0>", Error::Argument),
    ("FETCH 1 BODY[HEADER.FIELDS ()]", Error::Argument),
    ("FETCH 1 FLAGS (VANISHED)", Error::Argument),
    ("STORE 1 FLAG (a)", Error::Argument),
    ("STORE 1 FLAGS", Error::Argument),
    ("STORE 1 FLAGS \\Foo", Error::Flag),
    ("SEARCH", Error::Argument),
    ("SEARCH ()", Error::Argument),
    ("SEARCH FOO x", Error::Argument),
    ("SEARCH CHARSET x-none ALL", Error::Charset),
    ("SEARCH BEFORE 32-Jan-2000", Error::Argument),
    ("SEARCH OR ALL", Error::Argument),
    ("UID SEARCH LARGER -1", Error::Argument),
    ("COPY 1", Error::Argument),
    ("COPY a b", Error::Argument),
];

#[test]
fn valid() {
    for text in VALID {
        let got = shown(text);
        assert!(
            parse(format!("a {text}\r\n").as_bytes()).is_ok(),
            "{text}: {got}"
        );
        let name = parse(format!("a {text}\r\n").as_bytes()).unwrap().name();
        assert!(
            text.to_ascii_uppercase().starts_with(name),
            "{text}: {name}"
        );
    }
}

#[test]
fn invalid() {
    for (text, want) in INVALID {
        let got = parse(format!("a {text}\r\n").as_bytes());
        assert_eq!(got.as_ref().err(), Some(want), "{text}: {got:?}");
    }
    for text in ["", "\r\n", " NOOP", "+ NOOP", "( NOOP", "\u{fc} NOOP"] {
        assert_eq!(parse(text.as_bytes()), Err(Error::Tag), "{text}");
    }
}

/// What is said in few words means what RFC 3501 says it means.
#[test]
fn values() {
    for (text, want) in [
        ("FETCH 1 FAST", "items: [Flags, InternalDate, Rfc822Size]"),
        (
            "FETCH 1 FULL",
            "items: [Flags, InternalDate, Rfc822Size, Envelope, Body]",
        ),
        (
            "UID FETCH 1 FLAGS",
            "uid: true, set: SeqSet([One(Number(1))]), items: [Flags, Uid]",
        ),
        ("FETCH 1 (FLAGS UID FLAGS)", "items: [Flags, Uid]"),
        ("FETCH 1 FLAGS (CHANGEDSINCE 7)", "items: [Flags, ModSeq]"),
        (
            "FETCH 1 BODY.PEEK[1.2.HEADER.FIELDS (a)]<3.4>",
            "part: [1, 2], text: HeaderFields { names: [\"a\"], not: false } }, partial: Some((3, 4)), peek: true",
        ),
        (
            "CREATE inbox/a/ (USE (\\sent))",
            "folder: \"INBOX/a\", special_use: [Sent]",
        ),
        ("STORE 1 -FLAGS.SILENT a", "mode: Remove, silent: true"),
        ("STORE 1 +FLAGS (a)", "mode: Add, silent: false"),
        ("SEARCH UNSEEN", "key: Some(Not(Flag(Flags(16)))"),
        (
            "SEARCH NEW",
            "key: Some(And([Recent, Not(Flag(Flags(16)))])",
        ),
        (
            "SEARCH OR NOT ALL RECENT",
            "key: Some(Or([Not(All), Recent])",
        ),
        ("SEARCH (ALL)", "key: Some(All"),
        ("SEARCH ALL ", "key: Some(All"),
        (
            "SEARCH CHARSET ISO-8859-15 TO {1}\r\n$",
            "key: Some(To(\"$\")",
        ),
        ("UID SEARCH RETURN () 1:*", "all: true, count: false"),
        ("STATUS a (UNSEEN)", "items: StatusItems(128)"),
        ("SELECT a (CONDSTORE)", "read_only: false, condstore: true"),
        ("EXAMINE a", "read_only: true"),
        ("LIST \"\" \"\"", "patterns: [\"\"]"),
        ("LIST \"\" Entw&APw-rfe*", "patterns: [\"Entwürfe*\"]"),
        ("APPEND a {7}", "size: 7, binary: false, utf8: false"),
        ("APPEND a ~{7+}", "size: 7, binary: true, utf8: false"),
        ("APPEND a UTF8 (~{7}", "size: 7, binary: true, utf8: true"),
        (
            "SORT (REVERSE DATE) UTF-8 $",
            "[SortCriterion { key: Date, reverse: true }], key: Sequence(SeqSet([]))",
        ),
        (
            "SELECT a (QRESYNC (5 6 9:7 (1,3 7,9)))",
            "validity: 5, modseq: ModSeq(6), known: Some(",
        ),
    ] {
        let got = shown(text);
        assert!(got.contains(want), "{text}: {got}");
    }
    let latin = parse(b"a SEARCH CHARSET iso-8859-1 TO {1}\r\n\xfc\r\n").unwrap();
    assert!(format!("{latin:?}").contains("To(\"ü\")"));
}

#[test]
fn nesting_ends() {
    let nested = |n| {
        let text = format!("a SEARCH {}ALL{}", "(".repeat(n), ")".repeat(n));
        parse(text.as_bytes()).map(|_| ())
    };
    assert_eq!(nested(SEARCH_DEPTH - 1), Ok(()));
    assert_eq!(nested(SEARCH_DEPTH), Err(Error::TooMuch));
    assert_eq!(nested(30_000), Err(Error::TooMuch));
    for (start, part, end, most) in [
        ("a SEARCH ", "HEADER x y", "", 500),
        ("a UID SEARCH (", "OR ALL SEEN", ")", 166),
        ("a LIST \"\" (", "*", ")", 100),
        ("a FETCH 1 BODY[HEADER.FIELDS (", "x", ")]", 200),
    ] {
        let many = |n: usize| {
            let text = [start, &vec![part; n].join(" "), end].concat();
            parse(text.as_bytes()).map(|_| ())
        };
        assert_eq!(many(most), Ok(()), "{start}");
        assert_eq!(many(most + 1), Err(Error::TooMuch), "{start}");
    }
    // A chain is as long as it likes, and ends where its depth or the number of its keys does.
    let chain = |part: &str, n: usize| {
        let text = format!("a SEARCH {}ALL", part.repeat(n));
        parse(text.as_bytes()).map(|_| ())
    };
    assert_eq!(chain("OR HEADER Message-ID <1> ", 249), Ok(()));
    assert_eq!(chain("OR HEADER Message-ID <1> ", 250), Err(Error::TooMuch));
    assert_eq!(chain("NOT OR SEEN ", SEARCH_DEPTH / 2 - 1), Ok(()));
    assert_eq!(chain("NOT OR SEEN ", SEARCH_DEPTH), Err(Error::TooMuch));
    let left = format!("a SEARCH {}ALL{}", "OR ".repeat(200), " SEEN".repeat(200));
    assert!(parse(left.as_bytes()).is_ok());
    let not = format!("a SEARCH {}ALL", "NOT ".repeat(10_000));
    assert_eq!(parse(not.as_bytes()), Err(Error::TooMuch));
}

/// Whether another parser takes it as one command.
fn accepted_elsewhere(text: &[u8]) -> Option<String> {
    let (rest, command) = CommandCodec::default().decode(text).ok()?;
    rest.is_empty().then(|| format!("{:?}", command.body))
}

/// What another parser accepts, ours does too, and it is the same command.
fn agree(text: &str) {
    // It wants the message with an APPEND, we only the head.
    let line = format!("a {text}\r\n");
    let Some(theirs) = accepted_elsewhere(line.as_bytes()) else {
        return;
    };
    let ours = parse(line.as_bytes());
    assert!(ours.is_ok(), "{text}: {ours:?}, but {theirs}");
    let name = |shown: &str| {
        let name: String = shown
            .chars()
            .take_while(char::is_ascii_alphabetic)
            .collect();
        match name.to_ascii_uppercase().as_str() {
            "EXAMINE" => "SELECT".to_owned(),
            "EXPUNGEUID" => "UIDEXPUNGE".to_owned(),
            name => name.to_owned(),
        }
    };
    assert_eq!(
        name(&format!("{:?}", ours.unwrap())),
        name(&theirs),
        "{text}"
    );
}

#[test]
fn another_parser_agrees() {
    let mut known = 0;
    for text in VALID {
        agree(text);
        known += usize::from(accepted_elsewhere(format!("a {text}\r\n").as_bytes()).is_some());
    }
    // So that a change of theirs does not make the comparison empty.
    assert!(known > 40, "{known}");
}

const WORDS: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "<0.5>",
    " ",
    " ",
    " ",
    "1",
    "2:4",
    "*",
    "1:*,7",
    "FLAGS",
    "+FLAGS",
    "-FLAGS.SILENT",
    "\\Seen",
    "\\Deleted",
    "$Junk",
    "BODY",
    "BODY[",
    "BODY.PEEK[",
    "1.2",
    ".MIME",
    "HEADER",
    "HEADER.FIELDS (a b)",
    "TEXT",
    "UID",
    "ENVELOPE",
    "RFC822.SIZE",
    "ALL",
    "NOT",
    "OR",
    "SEEN",
    "FROM",
    "\"a\"",
    "{1}\r\na",
    "inbox",
    "a/b",
    "SINCE",
    "1-Feb-1994",
    "RETURN",
    "SUBSCRIBED",
    "STATUS",
    "(MESSAGES UNSEEN)",
    "NIL",
    "CHARSET UTF-8",
    "LARGER",
    "12345678901",
];

const NAMES: &[&str] = &[
    "FETCH",
    "UID FETCH",
    "STORE",
    "UID STORE",
    "SEARCH",
    "UID SEARCH",
    "LIST",
    "STATUS",
    "SELECT",
    "COPY",
    "MOVE",
    "LOGIN",
    "ID",
    "UID EXPUNGE",
    "LSUB",
    "RENAME",
];

fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(WORDS);
    let name = prop::sample::select(NAMES);
    let rest = prop_oneof![
        prop::collection::vec(word.clone(), 1..8).prop_map(|words| words.concat()),
        prop::collection::vec(word, 1..5).prop_map(|words| words.join(" ")),
    ];
    (name, rest).prop_map(|(name, rest)| format!("{name} {rest}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn another_parser_agrees_on_anything(text in words()) {
        agree(&text);
    }

    #[test]
    fn never_panics(name in 0..VALID.len(), octets: Vec<u8>, at: usize) {
        let mut text = format!("a {}\r\n", VALID[name]).into_bytes();
        let at = at % text.len();
        text.splice(at..at, octets.iter().copied().take(3));
        let _ = parse(&text);
        let _ = parse(&octets);
    }
}
