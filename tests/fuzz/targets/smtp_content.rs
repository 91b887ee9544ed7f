//! The text of a message on its way in, against a plain model of RFC 5321 section 4.5.2: nothing is
//! smuggled past the line with only a dot. The first octet is even for DATA, odd for BDAT.

use pillarbox::proto::smtp::content::{Fault, Framing, Text};

use super::source::cuts;

pub const WORDS: &[&str] = &[
    "\r\n.\r\n",
    "\r\n..\r\n",
    "\n.\n",
    "\r.\r",
    "\r\n.\n",
    "\n.\r\n",
    "\r\n.\r",
    ".\r\n",
    "\r\n",
    "\r",
    "\n",
    ".",
    "..",
    "\0",
    "a",
    "\r\r\n",
    "\r\n.\0\r\n",
    "\r\n\u{85}.\r\n",
];

/// The text has not ended.
const OPEN: usize = usize::MAX;

/// The text, and how many octets came after it, or [`OPEN`].
type Taken = Result<(Vec<u8>, usize), Fault>;

pub fn run(data: &[u8]) {
    let Some((&choice, octets)) = data.split_first() else {
        return;
    };
    let framing = if choice % 2 == 0 {
        Framing::Dotted
    } else {
        Framing::Counted
    };
    let want = model(framing, octets);
    assert_eq!(take(framing, [octets]), want);
    assert_eq!(take(framing, octets.chunks(1)), want);
    assert_eq!(take(framing, cuts(octets)), want);
    if let Ok((text, left)) = want
        && left != OPEN
    {
        only_line_ends(&text);
    }
}

/// CR and LF come together or not at all, and the text ends with them.
pub fn only_line_ends(text: &[u8]) {
    let bare = |at: usize| match text[at] {
        b'\r' => text.get(at + 1) != Some(&b'\n'),
        b'\n' => at.checked_sub(1).map(|before| text[before]) != Some(b'\r'),
        _ => false,
    };
    assert!(!(0..text.len()).any(bare), "{}", text.escape_ascii());
    assert!(text.is_empty() || text.ends_with(b"\r\n"));
}

fn take<'a>(framing: Framing, pieces: impl IntoIterator<Item = &'a [u8]>) -> Taken {
    let (mut text, mut out, mut left) = (Text::new(framing, false), vec![], 0);
    for piece in pieces {
        let used = text.take(piece, &mut out)?;
        assert!(used == piece.len() || text.is_ended());
        left += piece.len() - used;
    }
    if framing == Framing::Counted {
        text.finish(&mut out)?;
        assert!(text.is_ended());
    }
    assert_eq!(text.size(), out.len() as u64);
    if !text.is_ended() {
        // What a CR at the end becomes is not known yet.
        left = OPEN;
    }
    Ok((out, left))
}

/// The same, line by line over the whole text.
fn model(framing: Framing, octets: &[u8]) -> Taken {
    let (mut out, mut rest) = (vec![], octets);
    loop {
        let (line, end) = match rest.iter().position(|c| matches!(c, b'\r' | b'\n')) {
            None => (rest, &b""[..]),
            Some(at) => match &rest[at..] {
                [b'\n', ..] => return Err(Fault::BareLf),
                [b'\r', b'\n', ..] => (&rest[..at], &b"\r\n"[..]),
                [b'\r'] => (&rest[..at], &b"\r"[..]),
                _ => return Err(Fault::BareCr),
            },
        };
        rest = &rest[line.len() + end.len()..];
        let dotted = framing == Framing::Dotted;
        if dotted && line == b"." && end == b"\r\n" {
            return Ok((out, rest.len()));
        }
        let dots = usize::from(dotted && line.starts_with(b"."));
        out.extend(&line[dots..]);
        if end == b"\r\n" {
            out.extend(end);
            continue;
        }
        // The octets end here.
        return match (framing, end, line) {
            (Framing::Counted, b"\r", _) => Err(Fault::BareCr),
            (Framing::Counted, _, b"") => Ok((out, 0)),
            (Framing::Counted, ..) => {
                out.extend(b"\r\n");
                Ok((out, 0))
            }
            (Framing::Dotted, ..) => Ok((out, OPEN)),
        };
    }
}
