//! FETCH (RFC 3501 section 6.4.5, with the modifiers of RFC 7162).

use super::super::lexer::{Lexer, SyntaxError};
use super::store::set;
use super::{BinarySection, BodySection, Command, Fetch, FetchItem, Section, SectionText};
use crate::base::id::ModSeq;

/// Items of one FETCH, and levels of one part number: ours, to bound the work.
const ITEMS_MAX: usize = 500;
const LEVELS_MAX: usize = 100;
/// Header fields of one section.
const NAMES_MAX: usize = 200;

/// FETCH set items \[(modifiers)\].
pub fn fetch(lexer: &mut Lexer<'_>, uid: bool) -> Result<Command, SyntaxError> {
    let mut fetch = Fetch {
        uid,
        set: set(lexer)?,
        items: Vec::new(),
        changed_since: None,
        vanished: false,
    };
    lexer.space()?;
    if lexer.peek() == Some(b'(') {
        lexer.list(|lexer| {
            let items = item(lexer)?;
            add(&mut fetch.items, items)
        })?;
    } else {
        let items = items(lexer)?;
        add(&mut fetch.items, items)?;
    }
    if fetch.items.is_empty() {
        return Err(SyntaxError::Argument);
    }
    if lexer.skip(b' ') {
        modifiers(lexer, &mut fetch)?;
    }
    if uid {
        add(&mut fetch.items, vec![FetchItem::Uid])?;
    }
    Ok(Command::Fetch(Box::new(fetch)))
}

fn add(all: &mut Vec<FetchItem>, items: Vec<FetchItem>) -> Result<(), SyntaxError> {
    for item in items {
        if !all.contains(&item) {
            all.push(item);
        }
    }
    if all.len() > ITEMS_MAX {
        return Err(SyntaxError::TooMuch);
    }
    Ok(())
}

fn modifiers(lexer: &mut Lexer<'_>, fetch: &mut Fetch) -> Result<(), SyntaxError> {
    lexer.list(|lexer| {
        match lexer.keyword()?.as_str() {
            "CHANGEDSINCE" => {
                lexer.space()?;
                fetch.changed_since = Some(ModSeq(lexer.number64()?));
                // RFC 7162 section 3.1.4.1: it asks for MODSEQ too.
                add(&mut fetch.items, vec![FetchItem::ModSeq])
            }
            "VANISHED" if fetch.uid => {
                fetch.vanished = true;
                Ok(())
            }
            _ => Err(SyntaxError::Argument),
        }
    })?;
    // RFC 7162 section 3.2.6: VANISHED goes with CHANGEDSINCE only.
    if fetch.changed_since.is_none() {
        return Err(SyntaxError::Argument);
    }
    Ok(())
}

/// A macro or one item.
fn items(lexer: &mut Lexer<'_>) -> Result<Vec<FetchItem>, SyntaxError> {
    let mut ahead = lexer.clone();
    let fast = [
        FetchItem::Flags,
        FetchItem::InternalDate,
        FetchItem::Rfc822Size,
    ];
    let mut items = fast.to_vec();
    match ahead.keyword()?.as_str() {
        "FAST" => {}
        "ALL" => items.push(FetchItem::Envelope),
        "FULL" => items.extend([FetchItem::Envelope, FetchItem::Body]),
        _ => return item(lexer),
    }
    *lexer = ahead;
    Ok(items)
}

fn item(lexer: &mut Lexer<'_>) -> Result<Vec<FetchItem>, SyntaxError> {
    let item = match lexer.keyword()?.as_str() {
        "BODY" if lexer.peek() == Some(b'[') => body_section(lexer, false)?,
        "BODY" => FetchItem::Body,
        "BODY.PEEK" => body_section(lexer, true)?,
        "BINARY" => binary(lexer, false)?,
        "BINARY.PEEK" => binary(lexer, true)?,
        "BINARY.SIZE" => FetchItem::BinarySize(binary_part(lexer)?),
        "BODYSTRUCTURE" => FetchItem::BodyStructure,
        "ENVELOPE" => FetchItem::Envelope,
        "FLAGS" => FetchItem::Flags,
        "INTERNALDATE" => FetchItem::InternalDate,
        "MODSEQ" => FetchItem::ModSeq,
        "RFC822" => FetchItem::Rfc822,
        "RFC822.HEADER" => FetchItem::Rfc822Header,
        "RFC822.SIZE" => FetchItem::Rfc822Size,
        "RFC822.TEXT" => FetchItem::Rfc822Text,
        "UID" => FetchItem::Uid,
        _ => return Err(SyntaxError::Argument),
    };
    Ok(vec![item])
}

fn body_section(lexer: &mut Lexer<'_>, peek: bool) -> Result<FetchItem, SyntaxError> {
    let section = section(lexer)?;
    let partial = partial(lexer)?;
    Ok(FetchItem::BodySection(Box::new(BodySection {
        section,
        partial,
        peek,
    })))
}

/// `<from.count>`, or nothing.
fn partial(lexer: &mut Lexer<'_>) -> Result<Option<(u32, u32)>, SyntaxError> {
    if !lexer.skip(b'<') {
        return Ok(None);
    }
    let from = lexer.number()?;
    lexer.expect(b'.')?;
    let count = lexer.nz_number()?;
    lexer.expect(b'>')?;
    Ok(Some((from, count)))
}

fn binary(lexer: &mut Lexer<'_>, peek: bool) -> Result<FetchItem, SyntaxError> {
    let part = binary_part(lexer)?;
    let partial = partial(lexer)?;
    Ok(FetchItem::Binary(Box::new(BinarySection {
        part,
        partial,
        peek,
    })))
}

/// `[1.2]`, also without numbers (RFC 3516 section 7).
fn binary_part(lexer: &mut Lexer<'_>) -> Result<Vec<u32>, SyntaxError> {
    lexer.expect(b'[')?;
    let mut part = Vec::new();
    if lexer.skip(b']') {
        return Ok(part);
    }
    loop {
        part.push(lexer.nz_number()?);
        if part.len() > LEVELS_MAX {
            return Err(SyntaxError::TooMuch);
        }
        if lexer.skip(b']') {
            return Ok(part);
        }
        lexer.expect(b'.')?;
    }
}

/// `[` part and text `]`.
fn section(lexer: &mut Lexer<'_>) -> Result<Section, SyntaxError> {
    lexer.expect(b'[')?;
    let mut section = Section::default();
    while lexer.peek().is_some_and(|c| c.is_ascii_digit()) {
        section.part.push(lexer.nz_number()?);
        if section.part.len() > LEVELS_MAX {
            return Err(SyntaxError::TooMuch);
        }
        if lexer.skip(b']') {
            return Ok(section);
        }
        lexer.expect(b'.')?;
    }
    if section.part.is_empty() && lexer.skip(b']') {
        return Ok(section);
    }
    section.text = match lexer.keyword()?.as_str() {
        "HEADER" => SectionText::Header,
        "HEADER.FIELDS" => header_fields(lexer, false)?,
        "HEADER.FIELDS.NOT" => header_fields(lexer, true)?,
        "MIME" if !section.part.is_empty() => SectionText::Mime,
        "TEXT" => SectionText::Text,
        _ => return Err(SyntaxError::Argument),
    };
    lexer.expect(b']')?;
    Ok(section)
}

fn header_fields(lexer: &mut Lexer<'_>, not: bool) -> Result<SectionText, SyntaxError> {
    lexer.space()?;
    let names = lexer.list(Lexer::text)?;
    if names.is_empty() {
        return Err(SyntaxError::Argument);
    }
    if names.len() > NAMES_MAX {
        return Err(SyntaxError::TooMuch);
    }
    Ok(SectionText::HeaderFields { names, not })
}
