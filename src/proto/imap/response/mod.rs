//! Untagged responses (RFC 3501 section 7), each a function that writes one line to a buffer.

pub mod fetch;
mod structure;
#[cfg(test)]
mod tests;
pub mod write;

pub use structure::{body, body_structure, envelope};

use super::command::StatusItem;
use super::folder_name::SEPARATOR;
use crate::base::ranges::Ranges;
use crate::mail::flag::Flags;

/// `* n EXISTS`.
pub fn exists(out: &mut Vec<u8>, n: u32) {
    counted(out, n, " EXISTS\r\n");
}

/// `* n RECENT`.
pub fn recent(out: &mut Vec<u8>, n: u32) {
    counted(out, n, " RECENT\r\n");
}

/// `* n EXPUNGE`.
pub fn expunge(out: &mut Vec<u8>, sequence: u32) {
    counted(out, sequence, " EXPUNGE\r\n");
}

/// `* FLAGS (…)`: the system flags and the folder's keywords.
pub fn flags<'a>(out: &mut Vec<u8>, keywords: impl IntoIterator<Item = &'a str>) {
    write::text(out, "* FLAGS ");
    write::flags(out, all_flags(), keywords, false);
    write::text(out, "\r\n");
}

/// `* OK [PERMANENTFLAGS (…)]`; nothing is permanent in a folder that is read only. `\*`: any
/// keyword may be new.
pub fn permanent_flags<'a>(
    out: &mut Vec<u8>,
    keywords: impl IntoIterator<Item = &'a str>,
    read_only: bool,
) {
    write::text(out, "* OK [PERMANENTFLAGS ");
    if read_only {
        write::text(out, "()");
    } else {
        let names = keywords.into_iter().chain(["\\*"]);
        write::flags(out, all_flags(), names, false);
    }
    write::text(out, "] Flags permitted.\r\n");
}

/// `* OK [code] text`.
pub fn ok(out: &mut Vec<u8>, code: &str, text: &str) {
    for part in ["* OK [", code, "] ", text, "\r\n"] {
        write::text(out, part);
    }
}

/// `* OK [code n] text`: UIDVALIDITY, UIDNEXT, UNSEEN, HIGHESTMODSEQ.
pub fn ok_number(out: &mut Vec<u8>, code: &str, n: u64, text: &str) {
    write::text(out, "* OK [");
    write::text(out, code);
    write::text(out, " ");
    write::number(out, n);
    write::text(out, "] ");
    write::text(out, text);
    write::text(out, "\r\n");
}

/// `* SEARCH 2 84 882`, also with no numbers.
pub fn search(out: &mut Vec<u8>, numbers: &Ranges) {
    write::text(out, "* SEARCH");
    for n in numbers.iter() {
        out.push(b' ');
        write::number(out, u64::from(n));
    }
    write::text(out, "\r\n");
}

/// `* LIST (attributes) "/" name`; `command` is LIST or LSUB. `utf8` as in [`write::folder`].
pub fn list<'a>(
    out: &mut Vec<u8>,
    command: &str,
    attributes: impl IntoIterator<Item = &'a str>,
    name: &str,
    utf8: bool,
) {
    write::text(out, "* ");
    write::text(out, command);
    out.push(b' ');
    write::list(out, attributes, write::text);
    separator(out);
    write::folder(out, name, utf8);
    write::text(out, "\r\n");
}

/// The answer to `LIST "" ""`: the separator and the root.
pub fn list_root(out: &mut Vec<u8>) {
    write::text(out, "* LIST (\\Noselect)");
    separator(out);
    write::text(out, "\"\"\r\n");
}

/// `* STATUS name (MESSAGES 3 …)`; `None` is `NIL` (RFC 7889 section 2).
pub fn status(
    out: &mut Vec<u8>,
    name: &str,
    values: impl IntoIterator<Item = (StatusItem, Option<u64>)>,
    utf8: bool,
) {
    write::text(out, "* STATUS ");
    write::folder(out, name, utf8);
    out.push(b' ');
    write::list(out, values, |out, (item, value)| {
        write::text(out, item.name());
        out.push(b' ');
        match value {
            Some(value) => write::number(out, value),
            None => write::text(out, "NIL"),
        }
    });
    write::text(out, "\r\n");
}

/// `* QUOTAROOT folder root …` (RFC 9208 section 4.2.2).
pub fn quota_root(out: &mut Vec<u8>, folder: &str, roots: &[&str], utf8: bool) {
    write::text(out, "* QUOTAROOT ");
    write::folder(out, folder, utf8);
    for root in roots {
        out.push(b' ');
        write::string(out, root.as_bytes());
    }
    write::text(out, "\r\n");
}

/// `* QUOTA root (resource usage limit …)` (RFC 9208 section 4.2.1).
pub fn quota(
    out: &mut Vec<u8>,
    root: &str,
    resources: impl IntoIterator<Item = (&'static str, u64, u64)>,
) {
    write::text(out, "* QUOTA ");
    write::string(out, root.as_bytes());
    out.push(b' ');
    write::list(out, resources, |out, (name, usage, limit)| {
        write::text(out, name);
        for number in [usage, limit] {
            out.push(b' ');
            write::number(out, number);
        }
    });
    write::text(out, "\r\n");
}

/// `* NAMESPACE`: one personal namespace without a prefix; of others and shared, the prefixes given
/// (RFC 2342).
pub fn namespace(out: &mut Vec<u8>, other: Option<&str>, shared: Option<&str>) {
    write::text(out, "* NAMESPACE");
    for prefix in [Some(""), other, shared] {
        match prefix {
            None => write::text(out, " NIL"),
            Some(prefix) => {
                write::text(out, " ((");
                write::string(out, super::folder_name::encode(prefix).as_bytes());
                write::text(out, " \"/\"))");
            }
        }
    }
    write::text(out, "\r\n");
}

/// `* ID ("name" "Pillarbox" …)`.
pub fn id(out: &mut Vec<u8>, fields: &[(&str, &str)]) {
    write::text(out, "* ID ");
    let words = fields.iter().flat_map(|(name, value)| [name, value]);
    write::list(out, words, |out, word| write::string(out, word.as_bytes()));
    write::text(out, "\r\n");
}

/// `* ENABLED …`, also with no names.
pub fn enabled<'a>(out: &mut Vec<u8>, names: impl IntoIterator<Item = &'a str>) {
    write::text(out, "* ENABLED");
    for name in names {
        out.push(b' ');
        write::text(out, name);
    }
    write::text(out, "\r\n");
}

/// The response code `APPENDUID validity uids` (RFC 4315), the UIDs in the order of the messages.
#[must_use]
pub fn append_uid(validity: u32, uids: &Ranges) -> String {
    let mut code = b"APPENDUID ".to_vec();
    write::number(&mut code, u64::from(validity));
    code.push(b' ');
    write::ranges(&mut code, uids);
    String::from_utf8(code).unwrap_or_default()
}

/// The response code `COPYUID validity from to` (RFC 4315); both sets have the same order and
/// number. `None` where nothing was copied.
#[must_use]
pub fn copy_uid(validity: u32, from: &Ranges, to: &Ranges) -> Option<String> {
    if from.is_empty() || to.is_empty() {
        return None;
    }
    let mut code = b"COPYUID ".to_vec();
    write::number(&mut code, u64::from(validity));
    code.push(b' ');
    write::ranges(&mut code, from);
    code.push(b' ');
    write::ranges(&mut code, to);
    String::from_utf8(code).ok()
}

fn counted(out: &mut Vec<u8>, n: u32, text: &str) {
    write::text(out, "* ");
    write::number(out, u64::from(n));
    write::text(out, text);
}

fn separator(out: &mut Vec<u8>) {
    write::text(out, " \"");
    write::text(out, SEPARATOR.encode_utf8(&mut [0; 4]));
    write::text(out, "\" ");
}

fn all_flags() -> Flags {
    Flags::NAMES
        .iter()
        .fold(Flags::NONE, |all, (flag, _)| all.with(*flag))
}
