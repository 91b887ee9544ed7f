//! The answers of SEARCH, and long lists of numbers in pieces.

use super::scan::Found;
use crate::{
    base::{
        id::{ModSeq, Uid},
        ranges::Ranges,
    },
    proto::imap::{command::SearchReturn, response::write},
    service::imap::rest::Rest,
};

/// An answer that is being told.
#[derive(Debug, Default)]
pub struct Result {
    /// Goes first, as it is.
    pub text: Vec<u8>,
    at: usize,
    /// Then numbers, a space before each.
    numbers: Rest,
    end: Vec<u8>,
}

impl Result {
    pub fn of(text: Vec<u8>) -> Self {
        Self {
            text,
            ..Self::default()
        }
    }

    /// Writes about `most` octets of it; whether that is all.
    pub fn write(&mut self, out: &mut Vec<u8>, most: usize) -> bool {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let piece = rest.get(..most.min(rest.len())).unwrap_or_default();
        out.extend_from_slice(piece);
        self.at = self.at.saturating_add(piece.len());
        while out.len() < most {
            let Some(Uid(number)) = self.numbers.pop() else {
                out.append(&mut self.end);
                return true;
            };
            out.push(b' ');
            write::number(out, u64::from(number));
        }
        false
    }
}

/// `* SEARCH`, with MODSEQ where messages were searched by it and some were found (RFC 7162
/// section 3.1.5).
pub fn plain(numbers: &Ranges, found: Option<&Found>) -> Result {
    let mut end = Vec::new();
    if let Some(found) = found
        && !numbers.is_empty()
    {
        write::text(&mut end, " (MODSEQ ");
        write::number(&mut end, found.highest.0);
        end.push(b')');
    }
    write::text(&mut end, "\r\n");
    Result {
        text: b"* SEARCH".to_vec(),
        numbers: Rest::from(numbers),
        end,
        ..Result::default()
    }
}

/// `* ESEARCH` (RFC 4731); nothing where the result is only to be saved (RFC 5182 section 2.1).
pub fn extended(
    tag: &str,
    uid: bool,
    returns: SearchReturn,
    numbers: &Ranges,
    found: Option<&Found>,
) -> Result {
    let mut out = Vec::new();
    let SearchReturn {
        all,
        count,
        max,
        min,
        save: _,
    } = returns;
    if !(all || count || max || min) {
        return Result::default();
    }
    write::text(&mut out, "* ESEARCH (TAG ");
    write::string(&mut out, tag.as_bytes());
    write::text(&mut out, if uid { ") UID" } else { ")" });
    let items = [
        (
            " MIN ",
            min.then(|| numbers.first().map(u64::from)).flatten(),
        ),
        (
            " MAX ",
            max.then(|| numbers.last().map(u64::from)).flatten(),
        ),
        (" COUNT ", count.then(|| numbers.count())),
        (" MODSEQ ", found.and_then(|found| mod_seq(returns, found))),
    ];
    for (name, number) in items {
        if let Some(number) = number {
            write::text(&mut out, name);
            write::number(&mut out, number);
        }
    }
    if all && !numbers.is_empty() {
        write::text(&mut out, " ALL ");
        write::ranges(&mut out, numbers);
    }
    write::text(&mut out, "\r\n");
    Result::of(out)
}

/// Of the messages that the answer is about (RFC 7162 section 3.1.10).
fn mod_seq(returns: SearchReturn, found: &Found) -> Option<u64> {
    let (first, last) = (found.first?.1, found.last?.1);
    let ModSeq(modseq) = match returns {
        SearchReturn { all: true, .. } | SearchReturn { count: true, .. } => found.highest,
        SearchReturn {
            min: true,
            max: false,
            ..
        } => first,
        SearchReturn {
            min: false,
            max: true,
            ..
        } => last,
        _ => first.max(last),
    };
    Some(modseq)
}

/// What becomes `$`: all, or only what MIN and MAX name where nothing else is asked for (RFC 5182
/// section 2.4).
pub fn saved(returns: SearchReturn, uids: &Ranges) -> Ranges {
    if returns.all || returns.count || !(returns.min || returns.max) {
        return uids.clone();
    }
    let first = uids.first().filter(|_| returns.min);
    let last = uids.last().filter(|_| returns.max);
    first.into_iter().chain(last).collect()
}
