//! LIST with its options (RFC 3501 section 6.3.8, RFC 5258, RFC 5819, RFC 6154), and LSUB.

use super::super::folder_name;
use super::super::lexer::{Lexer, SyntaxError};
use super::{Command, List, ListReturn, ListSelect, Lsub, folder};

/// Patterns of one LIST: ours, to bound the work.
const PATTERNS_MAX: usize = 100;

/// LIST \[(selection options)\] reference patterns \[RETURN (return options)\].
pub fn list(lexer: &mut Lexer<'_>) -> Result<Command, SyntaxError> {
    let mut list = List::default();
    lexer.space()?;
    if lexer.peek() == Some(b'(') {
        list.extended = true;
        lexer.list(|lexer| selection(lexer, &mut list.select))?;
        lexer.space()?;
        let select = list.select;
        // RFC 5258 section 3: it needs something to match.
        if select.recursive_match && !(select.subscribed || select.special_use) {
            return Err(SyntaxError::Argument);
        }
    }
    list.reference = folder_name::parse_reference(lexer)?;
    lexer.space()?;
    if lexer.peek() == Some(b'(') {
        list.extended = true;
        list.patterns = lexer.list(folder_name::parse_pattern)?;
        if list.patterns.is_empty() {
            return Err(SyntaxError::Argument);
        }
        if list.patterns.len() > PATTERNS_MAX {
            return Err(SyntaxError::TooMuch);
        }
    } else {
        list.patterns.push(folder_name::parse_pattern(lexer)?);
    }
    if lexer.skip(b' ') {
        if lexer.keyword()? != "RETURN" {
            return Err(SyntaxError::Argument);
        }
        list.extended = true;
        lexer.space()?;
        lexer.list(|lexer| returned(lexer, &mut list.returns))?;
    }
    Ok(Command::List(Box::new(list)))
}

/// LSUB reference pattern.
pub fn lsub(lexer: &mut Lexer<'_>) -> Result<Command, SyntaxError> {
    lexer.space()?;
    let reference = folder_name::parse_reference(lexer)?;
    lexer.space()?;
    let pattern = folder_name::parse_pattern(lexer)?;
    Ok(Command::Lsub(Box::new(Lsub { reference, pattern })))
}

fn selection(lexer: &mut Lexer<'_>, select: &mut ListSelect) -> Result<(), SyntaxError> {
    let option = match lexer.keyword()?.as_str() {
        "RECURSIVEMATCH" => &mut select.recursive_match,
        "REMOTE" => &mut select.remote,
        "SPECIAL-USE" => &mut select.special_use,
        "SUBSCRIBED" => &mut select.subscribed,
        _ => return Err(SyntaxError::Argument),
    };
    *option = true;
    Ok(())
}

fn returned(lexer: &mut Lexer<'_>, returns: &mut ListReturn) -> Result<(), SyntaxError> {
    match lexer.keyword()?.as_str() {
        "CHILDREN" => returns.children = true,
        "SPECIAL-USE" => returns.special_use = true,
        "STATUS" => {
            lexer.space()?;
            returns.status = Some(folder::status_items(lexer)?);
        }
        "SUBSCRIBED" => returns.subscribed = true,
        _ => return Err(SyntaxError::Argument),
    }
    Ok(())
}
