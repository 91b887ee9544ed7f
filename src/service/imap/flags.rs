//! Flags as clients read them.

use super::selected::Selected;
use crate::{
    proto::imap::response::{self, fetch::FetchLine},
    store::{Broken, Reader, message::Message},
};

/// Writes `FLAGS (…)` of a message.
pub fn write_flags(line: &mut FetchLine<'_>, row: &Message, keywords: &[String], recent: bool) {
    let names = row
        .keywords
        .iter()
        .filter_map(|keyword| keywords.get(usize::from(*keyword)))
        .map(String::as_str);
    line.flags(row.flags, names, recent);
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
    let names = || keywords.iter().map(String::as_str);
    response::flags(out, names());
    response::permanent_flags(out, names(), read_only);
}
