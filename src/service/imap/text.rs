//! Small things that responses are made of.

use std::fmt;

use super::selected::Selected;
use crate::{
    base::ranges::Ranges,
    mail::flag::Flags,
    proto::imap::folder_name,
    store::{Broken, Reader, message::Message},
};

/// `write!` into octets, which cannot fail.
macro_rules! put {
    ($out:expr, $($text:tt)*) => {
        $crate::service::imap::text::append($out.as_mut(), format_args!($($text)*))
    };
}
pub(super) use put;

/// Appends formatted text; see `put!`.
pub fn append(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    use std::io::Write as _;
    // Memory takes everything.
    let _ = out.write_fmt(text);
}

/// A folder's name as clients read it: modified UTF-7 between quotes.
pub fn write_name(out: &mut Vec<u8>, name: &str) {
    write_quoted(out, &folder_name::encode(name));
}

/// Between quotes; for text without line ends.
pub fn write_quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for octet in text.bytes() {
        if matches!(octet, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(octet);
    }
    out.push(b'"');
}

/// A set as clients read it: `1:3,7`.
pub fn set_text(set: &Ranges) -> String {
    let mut out = String::new();
    for span in set.spans() {
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str(&span.start().to_string());
        if span.start() != span.end() {
            out.push(':');
            out.push_str(&span.end().to_string());
        }
    }
    out
}

/// `FLAGS (…)` of a message.
pub fn write_flags(out: &mut Vec<u8>, row: &Message, keywords: &[String], recent: bool) {
    out.extend_from_slice(b"FLAGS (");
    let start = out.len();
    for (flag, name) in Flags::NAMES {
        if row.flags.has(flag) {
            word(out, start, name);
        }
    }
    for keyword in &row.keywords {
        if let Some(name) = keywords.get(usize::from(*keyword)) {
            word(out, start, name);
        }
    }
    if recent {
        word(out, start, "\\Recent");
    }
    out.push(b')');
}

/// One word of a list that began at `start`.
fn word(out: &mut Vec<u8>, start: usize, name: &str) {
    if out.len() > start {
        out.push(b' ');
    }
    out.extend_from_slice(name.as_bytes());
}

/// The folder's keyword names; tells the client first if there are new ones.
///
/// # Errors
///
/// What the reader says.
pub fn flag_names(
    reader: &Reader,
    selected: &mut Selected,
    out: &mut Vec<u8>,
) -> Result<Vec<String>, Broken> {
    let row = reader.folder(selected.folder())?;
    let names = row.map(|row| row.keywords).unwrap_or_default();
    if names.len() > selected.keywords {
        write_flag_list(out, &names, selected.read_only);
        selected.keywords = names.len();
    }
    Ok(names)
}

/// `* FLAGS` and PERMANENTFLAGS (RFC 3501 sections 7.2.6 and 7.1).
pub fn write_flag_list(out: &mut Vec<u8>, keywords: &[String], read_only: bool) {
    let mut list = Vec::new();
    let system = Flags::NAMES.iter().map(|(_, name)| *name);
    for name in system.chain(keywords.iter().map(String::as_str)) {
        word(&mut list, 0, name);
    }
    out.extend_from_slice(b"* FLAGS (");
    out.extend_from_slice(&list);
    out.extend_from_slice(b")\r\n* OK [PERMANENTFLAGS (");
    if read_only {
        out.extend_from_slice(b")] Read-only mailbox\r\n");
    } else {
        out.extend_from_slice(&list);
        out.extend_from_slice(b" \\*)] Flags permitted\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_as_text() {
        let mut set = Ranges::span(1, 3);
        set.insert(7);
        assert_eq!(set_text(&set), "1:3,7");
        assert_eq!(set_text(&Ranges::new()), "");
    }
}
