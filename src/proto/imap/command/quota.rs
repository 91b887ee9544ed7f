//! GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208 section 4.1).

use super::super::folder_name;
use super::super::lexer::{Lexer, SyntaxError};
use super::Command;

pub fn get(lexer: &mut Lexer<'_>) -> Result<Command, SyntaxError> {
    lexer.space()?;
    let root = lexer.text()?;
    Ok(Command::GetQuota { root })
}

pub fn get_root(lexer: &mut Lexer<'_>) -> Result<Command, SyntaxError> {
    lexer.space()?;
    let folder = folder_name::parse(lexer)?;
    Ok(Command::GetQuotaRoot { folder })
}

/// SETQUOTA root (resource limit …).
pub fn set(lexer: &mut Lexer<'_>) -> Result<Command, SyntaxError> {
    lexer.space()?;
    let root = lexer.text()?;
    lexer.space()?;
    lexer.list(|lexer| {
        lexer.atom()?;
        lexer.space()?;
        lexer.number64()
    })?;
    Ok(Command::SetQuota { root })
}
