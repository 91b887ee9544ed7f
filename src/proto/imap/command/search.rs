//! SEARCH (RFC 3501 section 6.4.4; RETURN of RFC 4731 and RFC 5182; RFC 5032; MODSEQ of RFC 7162).

use ::time::Date;
use encoding_rs::{Encoding, UTF_8};

use super::super::lexer::{Lexer, SyntaxError};
use super::super::seqset::SeqSet;
use super::{Command, SEARCH_DEPTH, Search, SearchKey, SearchReturn, date};
use crate::base::id::ModSeq;
use crate::mail::flag::Flags;

/// Keys of one SEARCH, at all depths: ours, to bound the work.
const KEYS_MAX: usize = 500;

/// SEARCH \[RETURN (options)\] \[CHARSET name\] key …
pub fn search(lexer: &mut Lexer<'_>, uid: bool) -> Result<Command, SyntaxError> {
    lexer.space()?;
    let mut returns = None;
    if word(lexer, "RETURN") {
        lexer.space()?;
        returns = Some(options(lexer)?);
        lexer.space()?;
    }
    let key = match decoded(lexer) {
        Err(SyntaxError::Charset) if returns.is_some_and(|returns| returns.save) => None,
        key => Some(key?),
    };
    if key.is_none() {
        lexer.skip_rest();
    }
    Ok(Command::Search(Box::new(Search {
        tag: String::new(),
        uid,
        returns,
        key,
    })))
}

/// \[CHARSET name\] key …
fn decoded(lexer: &mut Lexer<'_>) -> Result<SearchKey, SyntaxError> {
    let mut charset = UTF_8;
    if word(lexer, "CHARSET") {
        // RFC 6855 section 3: everything is UTF-8 then.
        if lexer.utf8 {
            return Err(SyntaxError::Argument);
        }
        lexer.space()?;
        charset = known(lexer)?;
        lexer.space()?;
    }
    keys(lexer, charset)
}

/// ` charset key …`, as SORT and THREAD have it (RFC 5256).
pub fn program(lexer: &mut Lexer<'_>) -> Result<SearchKey, SyntaxError> {
    lexer.space()?;
    let charset = known(lexer)?;
    lexer.space()?;
    keys(lexer, charset)
}

fn known(lexer: &mut Lexer<'_>) -> Result<&'static Encoding, SyntaxError> {
    Encoding::for_label(&lexer.astring()?).ok_or(SyntaxError::Charset)
}

/// Keys to the end of the command, that must all match.
fn keys(lexer: &mut Lexer<'_>, charset: &'static Encoding) -> Result<SearchKey, SyntaxError> {
    let mut left = KEYS_MAX;
    let mut keys = Keys {
        lexer,
        charset,
        left: &mut left,
    };
    let mut all = vec![keys.key(0)?.0];
    while keys.lexer.skip(b' ') {
        if keys.lexer.peek().is_none() {
            break;
        }
        all.push(keys.key(0)?.0);
    }
    and(all)
}

/// Takes `name` if it is the next word.
fn word(lexer: &mut Lexer<'_>, name: &str) -> bool {
    let mut ahead = lexer.clone();
    let found = ahead.keyword().is_ok_and(|word| word == name);
    if found {
        *lexer = ahead;
    }
    found
}

fn options(lexer: &mut Lexer<'_>) -> Result<SearchReturn, SyntaxError> {
    let mut returns = SearchReturn::default();
    let given = lexer.list(|lexer| {
        let option = match lexer.keyword()?.as_str() {
            "ALL" => &mut returns.all,
            "COUNT" => &mut returns.count,
            "MAX" => &mut returns.max,
            "MIN" => &mut returns.min,
            "SAVE" => &mut returns.save,
            _ => return Err(SyntaxError::Argument),
        };
        *option = true;
        Ok(())
    })?;
    returns.all |= given.is_empty();
    Ok(returns)
}

fn and(mut keys: Vec<SearchKey>) -> Result<SearchKey, SyntaxError> {
    match keys.len() {
        0 => Err(SyntaxError::Argument),
        1 => keys.pop().ok_or(SyntaxError::Argument),
        _ => Ok(SearchKey::And(keys)),
    }
}

fn not(key: SearchKey) -> SearchKey {
    SearchKey::Not(Box::new(key))
}

/// One of them is enough. A chain of OR is one level deep, however long.
fn or(one: Deep, two: Deep) -> Deep {
    let mut any = Vec::new();
    let mut depth = 0;
    for (key, its) in [one, two] {
        if let SearchKey::Or(keys) = key {
            any.extend(keys);
            depth = depth.max(its);
        } else {
            any.push(key);
            depth = depth.max(its.saturating_add(1));
        }
    }
    (SearchKey::Or(any), depth)
}

/// A key and how many levels it is deep.
type Deep = (SearchKey, usize);

/// A key that waits for its arguments.
enum Open {
    Not,
    Or(Option<Deep>),
}

struct Keys<'a, 'b> {
    lexer: &'b mut Lexer<'a>,
    charset: &'static Encoding,
    /// Keys that may still come.
    left: &'b mut usize,
}

impl Keys<'_, '_> {
    /// The next key. `inside` so many parentheses; the stack grows with these only: programs make
    /// chains of OR with a term for each of hundreds of messages.
    fn key(&mut self, inside: usize) -> Result<Deep, SyntaxError> {
        let mut open = Vec::new();
        loop {
            *self.left = self.left.checked_sub(1).ok_or(SyntaxError::TooMuch)?;
            let operator = if word(self.lexer, "NOT") {
                Some(Open::Not)
            } else if word(self.lexer, "OR") {
                Some(Open::Or(None))
            } else {
                None
            };
            if let Some(operator) = operator {
                self.lexer.space()?;
                open.push(operator);
                continue;
            }
            let mut key = self.operand(inside)?;
            loop {
                key = match open.pop() {
                    None => return Ok(key),
                    Some(Open::Not) => match key {
                        (SearchKey::Not(twice), depth) => (*twice, depth.saturating_sub(1)),
                        (key, depth) => (not(key), depth.saturating_add(1)),
                    },
                    Some(Open::Or(Some(one))) => or(one, key),
                    Some(Open::Or(None)) => {
                        self.lexer.space()?;
                        open.push(Open::Or(Some(key)));
                        break;
                    }
                };
                if key.1 >= SEARCH_DEPTH {
                    return Err(SyntaxError::TooMuch);
                }
            }
        }
    }

    /// A key that is neither NOT nor OR.
    fn operand(&mut self, inside: usize) -> Result<Deep, SyntaxError> {
        let key = match self.lexer.peek() {
            Some(b'(') => return self.parentheses(inside.saturating_add(1)),
            Some(b'0'..=b'9' | b'*' | b'$') => SearchKey::Sequence(SeqSet::parse(self.lexer)?),
            _ => {
                let name = self.lexer.keyword()?;
                match flag(&name) {
                    Some(key) => key,
                    None => self.argument(&name)?,
                }
            }
        };
        Ok((key, 0))
    }

    fn parentheses(&mut self, inside: usize) -> Result<Deep, SyntaxError> {
        if inside >= SEARCH_DEPTH {
            return Err(SyntaxError::TooMuch);
        }
        let Self {
            lexer,
            charset,
            left,
        } = self;
        let mut depth = 0;
        let keys = lexer.list(|lexer| {
            let mut inner = Keys {
                lexer,
                charset,
                left,
            };
            let (key, its) = inner.key(inside)?;
            depth = depth.max(its);
            Ok(key)
        })?;
        let depth = depth.saturating_add(usize::from(keys.len() > 1));
        if depth >= SEARCH_DEPTH {
            return Err(SyntaxError::TooMuch);
        }
        Ok((and(keys)?, depth))
    }

    /// Keys that have arguments.
    fn argument(&mut self, name: &str) -> Result<SearchKey, SyntaxError> {
        self.lexer.space()?;
        Ok(match name {
            "BCC" => SearchKey::Bcc(self.text()?),
            "BEFORE" => SearchKey::Before(self.date()?),
            "BODY" => SearchKey::Body(self.text()?),
            "CC" => SearchKey::Cc(self.text()?),
            "FROM" => SearchKey::From(self.text()?),
            "HEADER" => {
                let field = self.lexer.text()?;
                self.lexer.space()?;
                SearchKey::Header(field, self.text()?)
            }
            "KEYWORD" => SearchKey::Keyword(self.lexer.atom()?.to_owned()),
            "LARGER" => SearchKey::Larger(self.lexer.number64()?),
            "MODSEQ" => self.mod_seq()?,
            "OLDER" => SearchKey::Older(self.lexer.nz_number()?),
            "ON" => SearchKey::On(self.date()?),
            "SENTBEFORE" => SearchKey::SentBefore(self.date()?),
            "SENTON" => SearchKey::SentOn(self.date()?),
            "SENTSINCE" => SearchKey::SentSince(self.date()?),
            "SINCE" => SearchKey::Since(self.date()?),
            "SMALLER" => SearchKey::Smaller(self.lexer.number64()?),
            "SUBJECT" => SearchKey::Subject(self.text()?),
            "TEXT" => SearchKey::Text(self.text()?),
            "TO" => SearchKey::To(self.text()?),
            "UID" => SearchKey::Uid(SeqSet::parse(self.lexer)?),
            "UNKEYWORD" => not(SearchKey::Keyword(self.lexer.atom()?.to_owned())),
            "YOUNGER" => SearchKey::Younger(self.lexer.nz_number()?),
            _ => return Err(SyntaxError::Argument),
        })
    }

    /// MODSEQ \[entry-name entry-type\] n: all flags share one sequence here, so the entry does not
    /// matter.
    fn mod_seq(&mut self) -> Result<SearchKey, SyntaxError> {
        if self.lexer.peek() == Some(b'"') {
            self.lexer.string()?;
            self.lexer.space()?;
            if !matches!(self.lexer.keyword()?.as_str(), "ALL" | "PRIV" | "SHARED") {
                return Err(SyntaxError::Argument);
            }
            self.lexer.space()?;
        }
        Ok(SearchKey::ModSeq(ModSeq(self.lexer.number64()?)))
    }

    fn date(&mut self) -> Result<Date, SyntaxError> {
        date::date(self.lexer)
    }

    fn text(&mut self) -> Result<String, SyntaxError> {
        let octets = self.lexer.astring()?;
        self.charset
            .decode_without_bom_handling_and_without_replacement(&octets)
            .map(std::borrow::Cow::into_owned)
            .ok_or(SyntaxError::Charset)
    }
}

/// Keys without arguments.
fn flag(name: &str) -> Option<SearchKey> {
    let has = SearchKey::Flag;
    Some(match name {
        "ALL" => SearchKey::All,
        "ANSWERED" => has(Flags::ANSWERED),
        "DELETED" => has(Flags::DELETED),
        "DRAFT" => has(Flags::DRAFT),
        "FLAGGED" => has(Flags::FLAGGED),
        "NEW" => SearchKey::And(vec![SearchKey::Recent, not(has(Flags::SEEN))]),
        "OLD" => not(SearchKey::Recent),
        "RECENT" => SearchKey::Recent,
        "SEEN" => has(Flags::SEEN),
        "UNANSWERED" => not(has(Flags::ANSWERED)),
        "UNDELETED" => not(has(Flags::DELETED)),
        "UNDRAFT" => not(has(Flags::DRAFT)),
        "UNFLAGGED" => not(has(Flags::FLAGGED)),
        "UNSEEN" => not(has(Flags::SEEN)),
        _ => return None,
    })
}
