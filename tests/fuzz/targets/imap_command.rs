//! One IMAP command without its tag and its last line end, and another parser that reads along:
//! what it takes, ours takes too, or the reason is in [`excused`].

use imap_codec::CommandCodec;
use imap_codec::decode::Decoder;
use pillarbox::proto::imap::command::{self, Command};
use pillarbox::proto::imap::folder_name;
use pillarbox::proto::imap::lexer::SyntaxError;
use pillarbox::proto::imap::literal::announced;

pub const WORDS: &[&str] = &[
    " ",
    "(",
    ")",
    "[",
    "]",
    "<0.5>",
    "1",
    "2:4",
    "*",
    "1:*,7",
    "4294967295",
    "0",
    "FLAGS",
    "+FLAGS",
    "-FLAGS.SILENT",
    "\\Seen",
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
    "UID ",
    "ENVELOPE",
    "ALL",
    "NOT ",
    "OR ",
    "SEEN",
    "FROM ",
    "\"a\"",
    "\"\\\"\"",
    "{1}\r\na",
    "{3+}\r\nabc",
    "inbox",
    "a/b",
    "&AOQ-",
    "&",
    "SINCE ",
    "1-Feb-1994",
    "RETURN ",
    "SUBSCRIBED",
    "STATUS ",
    "(MESSAGES UNSEEN)",
    "NIL",
    "CHARSET UTF-8 ",
    "LARGER ",
    "12345678901",
    "(CHANGEDSINCE 7)",
    "(UNCHANGEDSINCE 7)",
    "MODSEQ",
    "FETCH ",
    "STORE ",
    "SEARCH ",
    "LIST ",
    "LSUB ",
    "SELECT ",
    "COPY ",
    "MOVE ",
    "LOGIN ",
    "ID ",
    "EXPUNGE ",
    "RENAME ",
    "CREATE ",
    "APPEND ",
    "ENABLE ",
    "AUTHENTICATE PLAIN ",
    "é",
    "\0",
    "%",
    "\r\n",
];

pub fn run(data: &[u8]) {
    let line = [b"a ", data, b"\r\n"].concat();
    // What a session hands to the parser: up to the head of a literal, or all of it.
    let _ = command::append_more(data, "x");
    let _ = (
        command::open(data, true).map(|mut opened| opened.parse()),
        announced(data),
    );
    let ours = command::open(&line, false).and_then(|mut opened| {
        assert_eq!(opened.tag, "a");
        opened.parse()
    });
    folder(data);
    let theirs = CommandCodec::default().decode(&line);
    let Ok((b"", theirs)) = theirs else {
        return;
    };
    let theirs = format!("{:?}", theirs.body);
    match ours {
        Ok(ours) => {
            assert_eq!(name(&format!("{ours:?}")), name(&theirs));
            alike(&ours, &theirs);
        }
        Err(error) => assert!(excused(error, &theirs), "{error:?}, but {theirs}"),
    }
}

/// Names survive their way out and in again.
fn folder(data: &[u8]) {
    if let Some(name) = folder_name::decode(data) {
        let encoded = folder_name::encode(&name);
        assert!(encoded.is_ascii());
        assert_eq!(
            folder_name::decode(encoded.as_bytes()).as_deref(),
            Some(name.as_str())
        );
        if let Some(folder) = folder_name::folder(&name) {
            assert_eq!(folder_name::folder(&folder).as_ref(), Some(&folder));
            let _ = pillarbox::proto::imap::pattern::Pattern::new("", &name).matches(&folder);
        }
    }
}

/// Their commands have other names here and there.
fn name(shown: &str) -> String {
    let name = shown.split(|c: char| !c.is_ascii_alphabetic()).next();
    match name.unwrap_or_default().to_ascii_uppercase().as_str() {
        "EXAMINE" => "SELECT".to_owned(),
        "EXPUNGEUID" => "UIDEXPUNGE".to_owned(),
        name => name.to_owned(),
    }
}

/// The parts that both show in the same words.
fn alike(ours: &Command, theirs: &str) {
    let uid = match ours {
        Command::Copy(copy) | Command::Move(copy) => copy.uid,
        Command::Fetch(fetch) => fetch.uid,
        Command::Search(search) => search.uid,
        Command::Store(store) => store.uid,
        _ => return,
    };
    assert!(
        theirs.contains(&format!("uid: {uid}")),
        "{ours:?}, but {theirs}"
    );
}

/// What we refuse and they take, and why.
fn excused(error: SyntaxError, theirs: &str) -> bool {
    let is = |names: &[&str]| names.iter().any(|n| theirs.starts_with(n));
    match error {
        // Well-formed, and answered with NO: a name that no folder can have, an unknown charset, a flag
        // that is not `\Seen` and its like, more than one command may ask for.
        SyntaxError::Charset
        | SyntaxError::Flag
        | SyntaxError::FolderName
        | SyntaxError::TooMuch
        | SyntaxError::UseAttribute => true,
        // Extensions that are not announced.
        SyntaxError::Command => is(&[
            "Compress",
            "DeleteAcl",
            "GetAcl",
            "GetMetadata",
            "GetQuota",
            "GetQuotaRoot",
            "ListRights",
            "MyRights",
            "Replace",
            "SetAcl",
            "SetMetadata",
            "SetQuota",
            "Sort",
            "Thread",
            "Unauthenticate",
        ]),
        // A space and nothing behind it, after the name of a mechanism; FETCH and STATUS of nothing,
        // which RFC 3501 section 9 does not have.
        SyntaxError::Argument => {
            is(&["Authenticate"]) && theirs.contains("initial_response: Some([])")
                || is(&["Fetch"]) && theirs.contains("MessageDataItemNames([])")
                || is(&["Status"]) && theirs.contains("item_names: []")
        }
        SyntaxError::Incomplete | SyntaxError::Tag => false,
    }
}
