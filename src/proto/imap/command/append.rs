//! APPEND up to the head of a literal (RFC 3501 section 6.3.11). The messages themselves stream.

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
    message(lexer, folder).map(Command::Append)
}

/// What follows a message: another one (RFC 3502), or nothing.
pub fn more(
    lexer: &mut Lexer<'_>,
    folder: &str,
) -> Result<Option<Box<AppendMessage>>, SyntaxError> {
    if lexer.end().is_ok() {
        return Ok(None);
    }
    lexer.space()?;
    message(lexer, folder.to_owned()).map(Some)
}

/// \[flags\] \[date-time\] and the head of a literal: `{n}`, `~{n}` (RFC 3516) or `UTF8 (~{n}` (RFC
/// 6855 section 4).
fn message(lexer: &mut Lexer<'_>, folder: String) -> Result<Box<AppendMessage>, SyntaxError> {
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
    let utf8 = matches!(lexer.peek(), Some(b'u' | b'U'));
    if utf8 {
        if lexer.keyword()? != "UTF8" {
            return Err(SyntaxError::Argument);
        }
        lexer.space()?;
        lexer.expect(b'(')?;
    }
    let binary = lexer.skip(b'~');
    if utf8 && !binary {
        return Err(SyntaxError::Argument);
    }
    Ok(Box::new(AppendMessage {
        folder,
        flags,
        date,
        size: lexer.announced()?,
        binary,
        utf8,
    }))
}
