//! APPEND up to the head of its literal (RFC 3501 section 6.3.11). The message itself streams.

use super::super::flag::FlagList;
use super::super::folder_name;
use super::super::lexer::{Lexer, SyntaxError};
use super::{AppendMessage, Command, date};

/// APPEND folder \[flags\] \[date-time\] {size}. [`SyntaxError::Incomplete`] says that the literal at
/// the end is not the message but the folder's name.
pub fn append(lexer: &mut Lexer<'_>) -> Result<Command, SyntaxError> {
    lexer.space()?;
    let folder = folder_name::parse(lexer)?;
    lexer.space()?;
    let mut flags = FlagList::default();
    if lexer.peek() == Some(b'(') {
        flags = FlagList::parse(lexer)?;
        lexer.space()?;
    }
    let mut date = None;
    if lexer.peek() == Some(b'"') {
        date = Some(date::date_time(lexer)?);
        lexer.space()?;
    }
    let size = lexer.announced()?;
    Ok(Command::Append(Box::new(AppendMessage {
        folder,
        flags,
        date,
        size,
        binary: false,
        utf8: false,
    })))
}
