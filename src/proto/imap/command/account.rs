//! LOGIN, AUTHENTICATE, ID, ENABLE.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::lexer::{Lexer, SyntaxError};
use super::{Authenticate, Command};
use crate::base::secret::Secret;

/// Fields of one ID (RFC 2971 section 3.3).
const FIELDS_MAX: usize = 30;

/// LOGIN user password (RFC 3501 section 6.2.3).
pub fn login(lexer: &mut Lexer<'_>) -> Result<Command, SyntaxError> {
    lexer.space()?;
    let user = lexer.text()?;
    lexer.space()?;
    let password = Secret::new(lexer.astring()?.into_owned());
    Ok(Command::Login { user, password })
}

/// AUTHENTICATE mechanism \[initial response\] (RFC 4959).
pub fn authenticate(lexer: &mut Lexer<'_>) -> Result<Command, SyntaxError> {
    lexer.space()?;
    let mechanism = lexer.atom()?.to_ascii_uppercase();
    let initial = if lexer.skip(b' ') {
        let text = lexer.run(|c| c.is_ascii_graphic())?;
        // A single `=` is a response that is there and empty.
        let text = if text == b"=" { b"" } else { text };
        let octets = STANDARD.decode(text).map_err(|_| SyntaxError::Argument)?;
        Some(Secret::new(octets))
    } else {
        None
    };
    Ok(Command::Authenticate(Box::new(Authenticate {
        mechanism,
        initial,
    })))
}

/// COMPRESS DEFLATE (RFC 4978).
pub fn compress(lexer: &mut Lexer<'_>) -> Result<Command, SyntaxError> {
    lexer.space()?;
    if lexer.keyword()? == "DEFLATE" {
        Ok(Command::Compress)
    } else {
        Err(SyntaxError::Argument)
    }
}

/// ID NIL, or ID (field value …) (RFC 2971). Text in no known charset is kept as far as it goes.
pub fn id(lexer: &mut Lexer<'_>) -> Result<Command, SyntaxError> {
    lexer.space()?;
    if lexer.peek() != Some(b'(') {
        return match lexer.nstring()? {
            None => Ok(Command::Id(Vec::new())),
            Some(_) => Err(SyntaxError::Argument),
        };
    }
    let fields = lexer.list(|lexer| {
        let field = lexer.string()?;
        lexer.space()?;
        let value = lexer.nstring()?;
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        Ok((text(&field), value.as_deref().map(text)))
    })?;
    if fields.len() > FIELDS_MAX {
        return Err(SyntaxError::TooMuch);
    }
    Ok(Command::Id(fields))
}

/// ENABLE capability … (RFC 5161).
pub fn enable(lexer: &mut Lexer<'_>) -> Result<Command, SyntaxError> {
    let mut names = Vec::new();
    while lexer.skip(b' ') {
        names.push(lexer.atom()?.to_ascii_uppercase());
    }
    if names.is_empty() {
        return Err(SyntaxError::Argument);
    }
    Ok(Command::Enable(names))
}
