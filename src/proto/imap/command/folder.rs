//! Commands that name a folder (RFC 3501 section 6.3).

use super::super::folder_name;
use super::super::lexer::{Lexer, SyntaxError};
use super::{Command, Create, Select, SpecialUse, Status, StatusItem, StatusItems};

/// SELECT and EXAMINE, with `(CONDSTORE)` (RFC 7162 section 3.1.8).
pub fn select(lexer: &mut Lexer<'_>, read_only: bool) -> Result<Command, SyntaxError> {
    let folder = argument(lexer)?;
    let mut condstore = false;
    if lexer.skip(b' ') {
        lexer.list(|lexer| match lexer.keyword()?.as_str() {
            "CONDSTORE" => {
                condstore = true;
                Ok(())
            }
            _ => Err(SyntaxError::Argument),
        })?;
    }
    Ok(Command::Select(Box::new(Select {
        folder,
        read_only,
        condstore,
        qresync: None,
    })))
}

/// CREATE folder, with `(USE (\Sent))` (RFC 6154 section 3).
pub fn create(lexer: &mut Lexer<'_>) -> Result<Command, SyntaxError> {
    lexer.space()?;
    let folder = folder_name::parse_new(lexer)?;
    let mut special_use = Vec::new();
    if lexer.skip(b' ') {
        lexer.list(|lexer| {
            if lexer.keyword()? != "USE" {
                return Err(SyntaxError::Argument);
            }
            lexer.space()?;
            special_use = lexer.list(use_attribute)?;
            Ok(())
        })?;
    }
    Ok(Command::Create(Box::new(Create {
        folder,
        special_use,
    })))
}

pub fn delete(lexer: &mut Lexer<'_>) -> Result<Command, SyntaxError> {
    argument(lexer).map(|folder| Command::Delete { folder })
}

pub fn rename(lexer: &mut Lexer<'_>) -> Result<Command, SyntaxError> {
    let from = argument(lexer)?;
    lexer.space()?;
    let to = folder_name::parse_new(lexer)?;
    Ok(Command::Rename { from, to })
}

pub fn subscribe(lexer: &mut Lexer<'_>) -> Result<Command, SyntaxError> {
    argument(lexer).map(|folder| Command::Subscribe { folder })
}

pub fn unsubscribe(lexer: &mut Lexer<'_>) -> Result<Command, SyntaxError> {
    argument(lexer).map(|folder| Command::Unsubscribe { folder })
}

pub fn status(lexer: &mut Lexer<'_>) -> Result<Command, SyntaxError> {
    let folder = argument(lexer)?;
    lexer.space()?;
    let items = status_items(lexer)?;
    Ok(Command::Status(Box::new(Status { folder, items })))
}

/// `(MESSAGES UNSEEN …)`, at least one; LIST's RETURN has it too.
pub fn status_items(lexer: &mut Lexer<'_>) -> Result<StatusItems, SyntaxError> {
    let mut items = StatusItems::default();
    lexer.list(|lexer| {
        let name = lexer.keyword()?;
        let known = StatusItem::NAMES.iter().find(|(_, n)| *n == name);
        let (item, _) = known.ok_or(SyntaxError::Argument)?;
        items = items.with(*item);
        Ok(())
    })?;
    if items == StatusItems::default() {
        return Err(SyntaxError::Argument);
    }
    Ok(items)
}

fn argument(lexer: &mut Lexer<'_>) -> Result<String, SyntaxError> {
    lexer.space()?;
    folder_name::parse(lexer)
}

fn use_attribute(lexer: &mut Lexer<'_>) -> Result<SpecialUse, SyntaxError> {
    lexer.expect(b'\\')?;
    let name = ["\\", lexer.atom()?].concat();
    SpecialUse::named(&name).ok_or(SyntaxError::UseAttribute)
}
