//! STORE, COPY, MOVE, UID EXPUNGE (RFC 3501 section 6.4, RFC 6851, RFC 4315).

use super::super::flag::FlagList;
use super::super::folder_name;
use super::super::lexer::{Lexer, SyntaxError};
use super::super::seqset::SeqSet;
use super::{Command, Copy, Store, StoreMode};
use crate::base::id::ModSeq;

/// STORE set \[(UNCHANGEDSINCE n)\] \[+|-\]FLAGS\[.SILENT\] flags.
pub fn store(lexer: &mut Lexer<'_>, uid: bool) -> Result<Command, SyntaxError> {
    let set = set(lexer)?;
    lexer.space()?;
    let mut unchanged_since = None;
    if lexer.peek() == Some(b'(') {
        lexer.list(|lexer| {
            if lexer.keyword()? != "UNCHANGEDSINCE" {
                return Err(SyntaxError::Argument);
            }
            lexer.space()?;
            unchanged_since = Some(ModSeq(lexer.number64()?));
            Ok(())
        })?;
        lexer.space()?;
    }
    let mode = if lexer.skip(b'+') {
        StoreMode::Add
    } else if lexer.skip(b'-') {
        StoreMode::Remove
    } else {
        StoreMode::Replace
    };
    let silent = match lexer.keyword()?.as_str() {
        "FLAGS" => false,
        "FLAGS.SILENT" => true,
        _ => return Err(SyntaxError::Argument),
    };
    lexer.space()?;
    let flags = FlagList::parse_bare(lexer)?;
    Ok(Command::Store(Box::new(Store {
        uid,
        set,
        mode,
        silent,
        flags,
        unchanged_since,
    })))
}

pub fn copy(lexer: &mut Lexer<'_>, uid: bool) -> Result<Command, SyntaxError> {
    target(lexer, uid).map(Command::Copy)
}

pub fn move_to(lexer: &mut Lexer<'_>, uid: bool) -> Result<Command, SyntaxError> {
    target(lexer, uid).map(Command::Move)
}

pub fn uid_expunge(lexer: &mut Lexer<'_>) -> Result<Command, SyntaxError> {
    set(lexer).map(Command::UidExpunge)
}

fn target(lexer: &mut Lexer<'_>, uid: bool) -> Result<Box<Copy>, SyntaxError> {
    let set = set(lexer)?;
    lexer.space()?;
    let folder = folder_name::parse(lexer)?;
    Ok(Box::new(Copy { uid, set, folder }))
}

/// A space and a sequence set.
pub fn set(lexer: &mut Lexer<'_>) -> Result<SeqSet, SyntaxError> {
    lexer.space()?;
    SeqSet::parse(lexer)
}
