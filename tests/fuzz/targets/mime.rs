//! A message: its structure, its summary, and what IMAP shows of them.

use imap_codec::ResponseCodec;
use imap_codec::decode::Decoder;
use pillarbox::mail::structure::{Body, DEPTH_MAX, Node, PARTS_MAX, Scanner, Structure};
use pillarbox::mail::summary::{Stored, Summary, SummaryBuilder};
use pillarbox::proto::imap::response;

use super::source::cuts;

pub const WORDS: &[&str] = &[
    "\r\n",
    "\n",
    "\r\n\r\n",
    "--x\r\n",
    "--x--\r\n",
    "--y\r\n",
    "--y--\r\n",
    "--",
    "Content-Type: ",
    "multipart/mixed; boundary=x",
    "multipart/digest; boundary=\"y\"",
    "message/rfc822",
    "text/plain; charset=utf-8",
    "; name*0=a; name*1*=utf-8''%C3%A9",
    "Content-Transfer-Encoding: base64\r\n",
    "Content-Disposition: attachment; filename=a\r\n",
    "Content-ID: <a@b>\r\n",
    "Content-Language: de, en\r\n",
    "Content-MD5: Q==\r\n",
    "Content-Location: x\r\n",
    "Content-Description: d\r\n",
    "From: A <a@b.test>, \"c\" <d@e>\r\n",
    "To: g: a@b, c@d;\r\n",
    "Subject: =?utf-8?Q?a?=\r\n",
    "Date: Sat, 21 Nov 2026 14:53:35 +0100\r\n",
    "Message-ID: <1@a>\r\n",
    "\t",
    " ",
    "(",
    ")",
    "\"",
    "\\",
    "\0",
    "é",
    ";",
    "=",
    "multipart/mixed; boundary=\"\"",
    "multipart/mixed",
];

/// Deepest nesting that the other parser reads.
const THEIR_DEPTH: usize = 6;

pub fn run(data: &[u8]) {
    let whole = structure([data]);
    assert_eq!(whole, structure(cuts(data)));
    assert_eq!(whole, structure(data.chunks(7)));
    let made = summary(cuts(data));
    assert_eq!(made, summary([data]));
    assert_eq!(made.structure, whole);
    assert_eq!(made.size(), data.len() as u64);
    assert_eq!(
        (whole.root().header_start, whole.root().end),
        (0, made.size())
    );
    assert!(whole.parts().count() <= PARTS_MAX);
    let depth = check(whole.root(), 1);
    assert!(depth <= DEPTH_MAX, "{depth}");
    sections(&whole);
    let stored = made.encode();
    match Stored::read(&stored) {
        Stored::Summary(read) => assert_eq!(read, made),
        Stored::TooBig => {}
        Stored::Other => panic!("does not read what it wrote"),
    }
    shown(&made, depth);
    let _ = made.sent;
}

fn structure<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Structure<'static> {
    let mut scanner = Scanner::new();
    for piece in pieces {
        scanner.push(piece);
    }
    scanner.finish()
}

fn summary<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Summary<'static> {
    let mut builder = SummaryBuilder::new();
    for piece in pieces {
        builder.push(piece);
    }
    builder.finish()
}

/// Parts lie in their parent's body, one after the other; how deep it goes.
fn check(node: Node<'_, '_>, level: usize) -> usize {
    assert!(node.header_start <= node.body_start && node.body_start <= node.end);
    assert!(node.lines <= node.size());
    let (mut from, mut depth, mut count) = (node.body_start, level, 0);
    for child in node.children() {
        assert!(
            child.header_start >= from && child.end <= node.end,
            "{child:?} in {node:?}"
        );
        from = child.end;
        depth = depth.max(check(child, level + 1));
        count += 1;
    }
    match node.part().body {
        Body::Leaf => {
            assert_eq!(count, 0);
            assert!(!node.kind.is("multipart") && !node.is("message", "rfc822"));
        }
        Body::Message(_) => {
            let message = node.message().expect("a message");
            assert_eq!((count, message.header_start), (1, node.body_start));
            assert_eq!(message.end, node.end);
        }
        Body::Multipart => assert!(node.kind.is("multipart")),
    }
    depth
}

/// Each part has a number and is found by it.
fn sections(structure: &Structure<'_>) {
    let mut paths = vec![vec![]];
    while let Some(path) = paths.pop() {
        assert!(structure.section(&path).is_some(), "{path:?}");
        for number in 1.. {
            let below = [path.as_slice(), &[number]].concat();
            let Some(found) = structure.section(&below) else {
                break;
            };
            if below.len() < 20 && !matches!(found.part().body, Body::Leaf) {
                paths.push(below);
            }
        }
        if paths.len() > PARTS_MAX {
            return;
        }
    }
}

/// What IMAP shows is well-formed, and another parser reads it if it is not too deep for it.
fn shown(summary: &Summary<'_>, depth: usize) {
    let mut line = b"* 1 FETCH (ENVELOPE ".to_vec();
    response::envelope(&mut line, &summary.envelope());
    let mut body = vec![];
    response::body(&mut body, &summary.structure);
    let mut extended = vec![];
    response::body_structure(&mut extended, &summary.structure);
    for list in [&line[b"* 1 FETCH (ENVELOPE ".len()..], &body, &extended] {
        assert_eq!(balanced(list), Some(&b""[..]), "{}", list.escape_ascii());
    }
    line.extend(
        [
            &b" BODY "[..],
            &body,
            b" BODYSTRUCTURE ",
            &extended,
            b")\r\n",
        ]
        .concat(),
    );
    if depth <= THEIR_DEPTH {
        let read = ResponseCodec::default().decode(&line);
        assert!(matches!(read, Ok((b"", _))), "{}", line.escape_ascii());
    }
}

/// Takes a list in parentheses off the start: atoms, strings, literals, lists.
pub fn balanced(list: &[u8]) -> Option<&[u8]> {
    let (mut rest, mut depth) = (list, 0_u32);
    loop {
        let (&first, after) = rest.split_first()?;
        rest = after;
        match first {
            b'(' => depth += 1,
            b')' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(rest);
                }
            }
            b'"' => rest = quoted(rest)?,
            b'{' => {
                let end = rest.iter().position(|c| *c == b'}')?;
                let size: usize = str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
                let text = rest[end + 1..].strip_prefix(b"\r\n")?;
                let (text, after) = text.split_at_checked(size)?;
                assert!(!text.contains(&0));
                rest = after;
            }
            b'0'..=b'9' | b'A'..=b'Z' | b' ' => {}
            _ => return None,
        }
    }
}

fn quoted(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        match rest {
            [b'"', after @ ..] => return Some(after),
            [b'\\', b'"' | b'\\', after @ ..] | [b' '..=b'[' | b']'..=b'~' | b'\t', after @ ..] => {
                rest = after;
            }
            _ => return None,
        }
    }
}
