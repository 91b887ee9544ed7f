//! SR-22: what others take for the end of a message must not be one for us, nor anything else.

use super::{driver, in_data};
use crate::proto::smtp::server::tests::service::Driver;

const SECOND: &[u8] =
    b"MAIL FROM:<evil@away.test>\r\nRCPT TO:<bob@home.test>\r\nDATA\r\ntwo\r\n.\r\n";

/// Every mix of up to `longest` of CR, LF, NUL and dot.
fn mixes(longest: u32) -> impl Iterator<Item = Vec<u8>> {
    let alphabet = [b'\r', b'\n', 0, b'.'];
    (0..=longest).flat_map(move |length| {
        (0..alphabet.len().pow(length)).map(move |number| {
            (0..length)
                .map(|at| alphabet[number / alphabet.len().pow(at) % alphabet.len()])
                .collect()
        })
    })
}

/// The first CR or LF that is not part of a CRLF.
fn bare(octets: &[u8]) -> Option<usize> {
    (0..octets.len()).find(|at| match octets[*at] {
        b'\r' => octets.get(at + 1) != Some(&b'\n'),
        b'\n' => *at == 0 || octets[at - 1] != b'\r',
        _ => false,
    })
}

fn check_content(driver: &Driver, sent: &[u8]) {
    for content in &driver.settled {
        assert_eq!(bare(content), None, "{sent:?}: {content:?}");
    }
}

/// Through DATA: one message, or the connection ends; what follows is a command only after
/// CRLF.CRLF, which is the client's own word.
#[test]
fn no_mix_of_line_ends_smuggles() {
    for end in mixes(5) {
        for before in [&b""[..], b"one", b"one\r\n"] {
            let head = [before, &end].concat();
            for cut in [1, 4096] {
                data(&head, cut);
            }
        }
    }
}

fn data(head: &[u8], cut: usize) {
    let text = [head, SECOND].concat();
    let mut driver = in_data();
    for piece in text.chunks(cut) {
        driver.feed(piece);
    }
    check_content(&driver, head);
    // DATA's own line end counts as one.
    let whole = [b"\r\n", &text[..]].concat();
    let at = whole.windows(5).position(|w| w == b"\r\n.\r\n");
    let honest = at.expect("the second message's end");
    let fault = bare(&whole).filter(|bare| *bare < honest);
    if fault.is_some() {
        assert_eq!(driver.settled.len(), 0, "{head:?}");
        assert_eq!(driver.senders, 1, "{head:?}");
        assert!(driver.closed, "{head:?}");
        let last = driver.replies.back().expect("a reply");
        assert!(last.starts_with("550 5.5.2 Error: bare <"), "{last}");
        assert_eq!(driver.replies.len(), 1, "{head:?}");
    } else {
        let text = String::from_utf8_lossy(&whole[..honest + 2]).replace("\r\n.", "\r\n");
        let expected = text.strip_prefix("\r\n").unwrap_or_default();
        assert_eq!(String::from_utf8_lossy(&driver.settled[0]), expected);
        // The end is the client's own, or it is that of the second message: then all is one.
        if honest > head.len() {
            assert_eq!((driver.settled.len(), driver.senders), (1, 1), "{head:?}");
        }
    }
}

/// Through BDAT, in one chunk and cut anywhere into two: the octets are the message, dots are dots.
#[test]
fn no_mix_of_line_ends_smuggles_in_chunks() {
    for end in mixes(4) {
        for before in [&b""[..], b"one\r\n"] {
            let text = [before, &end].concat();
            for at in 0..=text.len() {
                for cut in [1, 4096] {
                    chunks(&text, at, cut);
                }
            }
        }
    }
}

fn chunks(text: &[u8], at: usize, cut: usize) {
    let (first, last) = text.split_at(at);
    let mut said = vec![];
    for (chunk, word) in [(first, ""), (last, " LAST")] {
        said.extend(format!("BDAT {}{word}\r\n", chunk.len()).as_bytes());
        said.extend(chunk);
    }
    said.extend(b"NOOP\r\n");
    let mut driver = driver();
    for line in [
        "EHLO a.test\r\n",
        "MAIL FROM:<x@away.test>\r\n",
        "RCPT TO:<alice@home.test>\r\n",
    ] {
        driver.feed(line.as_bytes());
    }
    driver.replies.clear();
    for piece in said.chunks(cut) {
        driver.feed(piece);
    }
    check_content(&driver, text);
    assert_eq!(driver.senders, 1);
    let last = driver.replies.back().expect("a reply");
    if bare(text).is_some() {
        assert!(driver.closed, "{text:?}");
        assert!(last.starts_with("550 5.5.2 Error: bare <"), "{last}");
        assert_eq!(driver.settled.len(), 0, "{text:?}");
    } else {
        let mut expected = text.to_vec();
        if !text.is_empty() && !text.ends_with(b"\r\n") {
            expected.extend(b"\r\n");
        }
        assert_eq!(last, "250 2.0.0 Ok");
        assert_eq!(driver.settled, [expected]);
    }
}
