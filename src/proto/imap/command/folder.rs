//! Commands that name a folder (RFC 3501 section 6.3).

use super::super::folder_name;
use super::super::lexer::{Lexer, SyntaxError};
use super::super::seqset::SeqSet;
use super::{Command, Create, Qresync, Select, SpecialUse, Status, StatusItem, StatusItems};
use crate::base::id::ModSeq;
use crate::base::ranges::Ranges;

/// SELECT and EXAMINE, with `(CONDSTORE)` (RFC 7162 section 3.1.8) and `(QRESYNC (…))` (section
/// 3.2.5).
pub fn select(lexer: &mut Lexer<'_>, read_only: bool) -> Result<Command, SyntaxError> {
    let folder = argument(lexer)?;
    let (mut condstore, mut qresync) = (false, None);
    if lexer.skip(b' ') {
        lexer.list(|lexer| match lexer.keyword()?.as_str() {
            "CONDSTORE" => {
                condstore = true;
                Ok(())
            }
            "QRESYNC" => {
                lexer.space()?;
                qresync = Some(Box::new(known(lexer)?));
                Ok(())
            }
            _ => Err(SyntaxError::Argument),
        })?;
    }
    Ok(Command::Select(Box::new(Select {
        folder,
        read_only,
        condstore,
        qresync,
    })))
}

/// (UIDVALIDITY MODSEQ \[known UIDs\] \[(sequence numbers, their UIDs)\]).
fn known(lexer: &mut Lexer<'_>) -> Result<Qresync, SyntaxError> {
    lexer.expect(b'(')?;
    let validity = lexer.nz_number()?;
    lexer.space()?;
    let modseq = ModSeq(lexer.number64()?);
    let (mut known, mut matching) = (None, None);
    let mut more = lexer.skip(b' ');
    if more && lexer.peek() != Some(b'(') {
        known = Some(numbers(lexer)?);
        more = lexer.skip(b' ');
    }
    if more {
        lexer.expect(b'(')?;
        let sequence = numbers(lexer)?;
        lexer.space()?;
        let uids = numbers(lexer)?;
        if sequence.count() != uids.count() {
            return Err(SyntaxError::Argument);
        }
        lexer.expect(b')')?;
        matching = Some((sequence, uids));
    }
    lexer.expect(b')')?;
    Ok(Qresync {
        validity,
        modseq,
        known,
        matching,
    })
}

/// A set without `*` and `$`.
fn numbers(lexer: &mut Lexer<'_>) -> Result<Ranges, SyntaxError> {
    let set = SeqSet::parse(lexer)?;
    if set.is_saved() || set.names_last() {
        return Err(SyntaxError::Argument);
    }
    Ok(set.resolve(0))
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
