//! SORT and THREAD (RFC 5256).

use super::super::lexer::{Lexer, SyntaxError};
use super::search;
use super::{Command, Sort, SortCriterion, SortKey, Thread, ThreadAlgorithm};

/// Criteria of one SORT: ours, to bound the work.
const CRITERIA_MAX: usize = 16;

/// SORT (criteria) charset key …
pub fn sort(lexer: &mut Lexer<'_>, uid: bool) -> Result<Command, SyntaxError> {
    lexer.space()?;
    let criteria = lexer.list(criterion)?;
    if criteria.is_empty() {
        return Err(SyntaxError::Argument);
    }
    if criteria.len() > CRITERIA_MAX {
        return Err(SyntaxError::TooMuch);
    }
    let key = search::program(lexer)?;
    Ok(Command::Sort(Box::new(Sort { uid, criteria, key })))
}

/// THREAD algorithm charset key …
pub fn thread(lexer: &mut Lexer<'_>, uid: bool) -> Result<Command, SyntaxError> {
    lexer.space()?;
    let algorithm = match lexer.keyword()?.as_str() {
        "ORDEREDSUBJECT" => ThreadAlgorithm::OrderedSubject,
        "REFERENCES" => ThreadAlgorithm::References,
        _ => return Err(SyntaxError::Argument),
    };
    let key = search::program(lexer)?;
    Ok(Command::Thread(Box::new(Thread {
        uid,
        algorithm,
        key,
    })))
}

/// \[REVERSE\] key.
fn criterion(lexer: &mut Lexer<'_>) -> Result<SortCriterion, SyntaxError> {
    let mut name = lexer.keyword()?;
    let reverse = name == "REVERSE";
    if reverse {
        lexer.space()?;
        name = lexer.keyword()?;
    }
    let key = match name.as_str() {
        "ARRIVAL" => SortKey::Arrival,
        "CC" => SortKey::Cc,
        "DATE" => SortKey::Date,
        "FROM" => SortKey::From,
        "SIZE" => SortKey::Size,
        "SUBJECT" => SortKey::Subject,
        "TO" => SortKey::To,
        _ => return Err(SyntaxError::Argument),
    };
    Ok(SortCriterion { key, reverse })
}
