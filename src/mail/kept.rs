//! The header fields that are kept beside a message, as they stand in it, in few octets.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::mail::envelope::Envelope;
use crate::mail::header::{fields, split, unfold};
use crate::mail::octets::Octets;

/// The fields that mail programs list, sort and sift by. One that is not in [`Kept`] is not in the
/// message. Rare ones cost nothing; what is long and frequent (Received, DKIM-Signature) is left out.
pub const KEPT: [&str; 65] = [
    "Apparently-To",
    "Auto-Submitted",
    "Autocrypt-Setup-Message",
    "Bcc",
    "Cc",
    "Chat-Version",
    "Content-Base",
    "Content-Description",
    "Content-Disposition",
    "Content-ID",
    "Content-Language",
    "Content-Location",
    "Content-MD5",
    "Content-Transfer-Encoding",
    "Content-Type",
    "Date",
    "Delivered-To",
    "Disposition-Notification-To",
    "Envelope-To",
    "Errors-To",
    "Followup-To",
    "From",
    "Importance",
    "In-Reply-To",
    "Keywords",
    "Lines",
    "List-Archive",
    "List-Help",
    "List-Id",
    "List-Owner",
    "List-Post",
    "List-Subscribe",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Mail-Followup-To",
    "Mail-Reply-To",
    "MIME-Version",
    "Message-ID",
    "Newsgroups",
    "Organization",
    "Precedence",
    "Priority",
    "References",
    "Reply-To",
    "Return-Path",
    "Return-Receipt-To",
    "Sender",
    "Sensitivity",
    "Status",
    "Subject",
    "To",
    "User-Agent",
    "X-Draft-Info",
    "X-Keywords",
    "X-Label",
    "X-Mailer",
    "X-Microsoft-Original-Message-ID",
    "X-Original-To",
    "X-Priority",
    "X-Spam-Flag",
    "X-Spam-Level",
    "X-Spam-Score",
    "X-Status",
    "X-TUID",
    "X-Uniform-Type-Identifier",
];

/// How lines begin, by code; the longest one that fits is taken. Only ever grows at its end, or
/// `Summary::VERSION` does. Code 0 is a line that begins otherwise.
const STARTS: [&str; 58] = [
    "Date: ",
    "From: ",
    "To: ",
    "Cc: ",
    "Subject: ",
    "Message-ID: <",
    "Message-Id: <",
    "In-Reply-To: <",
    "References: <",
    "Reply-To: ",
    "Sender: ",
    "Return-Path: ",
    "Delivered-To: ",
    "MIME-Version: 1.0",
    "Mime-Version: 1.0",
    "Content-Type: ",
    "Content-Type: text/plain",
    "Content-Type: text/plain; charset=",
    "Content-Type: text/plain; charset=utf-8",
    "Content-Type: text/plain; charset=UTF-8",
    "Content-Type: text/plain; charset=\"utf-8\"",
    "Content-Type: text/plain; charset=\"UTF-8\"",
    "Content-Type: text/plain; charset=us-ascii",
    "Content-Type: text/html; charset=",
    "Content-Type: text/html; charset=utf-8",
    "Content-Type: text/html; charset=UTF-8",
    "Content-Type: multipart/alternative; boundary=\"",
    "Content-Type: multipart/alternative;\r\n\tboundary=\"",
    "Content-Type: multipart/alternative;\r\n boundary=\"",
    "Content-Type: multipart/mixed; boundary=\"",
    "Content-Type: multipart/mixed;\r\n\tboundary=\"",
    "Content-Type: multipart/mixed;\r\n boundary=\"",
    "Content-Type: multipart/related;\r\n",
    "Content-Type: multipart/signed; micalg=",
    "Content-Type: multipart/report; report-type=",
    "Content-Transfer-Encoding: ",
    "Content-Transfer-Encoding: 7bit",
    "Content-Transfer-Encoding: 8bit",
    "Content-Transfer-Encoding: base64",
    "Content-Transfer-Encoding: quoted-printable",
    "Content-Language: ",
    "Content-Disposition: inline",
    "List-Id: ",
    "List-ID: ",
    "List-Post: <mailto:",
    "List-Help: <",
    "List-Archive: <http",
    "List-Subscribe: <",
    "List-Unsubscribe: <",
    "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
    "Precedence: ",
    "Auto-Submitted: ",
    "X-Mailer: ",
    "User-Agent: ",
    "X-Priority: ",
    "Importance: ",
    "X-Original-To: ",
    "Errors-To: ",
];

/// Whether a field is one of [`KEPT`]; names ignore case.
#[must_use]
pub fn is_kept(name: &[u8]) -> bool {
    KEPT.iter()
        .any(|kept| kept.as_bytes().eq_ignore_ascii_case(name))
}

/// Header lines, octet for octet, in the order of the message. Each is packed as the code of its
/// start, the length of the rest, and the rest without its CRLF.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Kept<'a>(#[serde(borrow)] Octets<'a>);

impl Kept<'static> {
    /// Keeps what is to be kept of a header block.
    #[must_use]
    pub fn of(block: &[u8]) -> Self {
        let mut packed = Vec::new();
        for field in fields(block).filter(|field| is_kept(field.name)) {
            pack(&mut packed, block.get(field.whole).unwrap_or_default());
        }
        Self(packed.into())
    }
}

impl Kept<'_> {
    /// Of memory, in octets.
    pub(super) fn octets(&self) -> usize {
        self.0.len()
    }

    /// The fields in their order.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        let mut rest: &[u8] = &self.0;
        std::iter::from_fn(move || unpack(&mut rest))
    }

    /// The fields of a name in their order; names ignore case.
    pub fn raw(&self, name: &str) -> impl Iterator<Item = Line<'_>> {
        self.lines().filter(move |line| line.is(name.as_bytes()))
    }

    /// The value of the first field of a name, on one line, without white space at its ends.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        Some(match self.raw(name).next()?.value() {
            Cow::Borrowed(value) => unfold(value),
            Cow::Owned(value) => Cow::Owned(unfold(&value).into_owned()),
        })
    }

    /// All of it as a header block, without an empty line.
    #[must_use]
    pub fn block(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.0.len().saturating_mul(2));
        self.lines().for_each(|line| line.write(&mut out));
        out
    }

    /// What the whole header says as an envelope.
    #[must_use]
    pub fn envelope(&self) -> Envelope<'static> {
        let mut envelope = Envelope::default();
        for line in self.lines() {
            envelope.take(line.name(), &line.value());
        }
        envelope
    }
}

/// One field as it stands in the message.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    start: &'static str,
    /// Without its CRLF where there is a start.
    rest: &'a [u8],
}

impl<'a> Line<'a> {
    /// Without the colon and white space before it.
    #[must_use]
    pub fn name(&self) -> &'a [u8] {
        match self.start.split_once(':') {
            Some((name, _)) => name.as_bytes(),
            None => split(self.rest).map_or(b"", |(name, _)| name),
        }
    }

    /// Whether the field has this name, in any case.
    #[must_use]
    pub fn is(&self, name: &[u8]) -> bool {
        self.name().eq_ignore_ascii_case(name)
    }

    /// What follows the colon, still folded, without the last line end.
    #[must_use]
    pub fn value(&self) -> Cow<'a, [u8]> {
        match self.start.split_once(':') {
            None => Cow::Borrowed(split(self.rest).map_or(b"", |(_, value)| value)),
            Some((_, start)) if start.trim_ascii().is_empty() => Cow::Borrowed(self.rest),
            Some((_, start)) => Cow::Owned([start.as_bytes(), self.rest].concat()),
        }
    }

    /// Writes the whole field; one that ends without a line end gets one.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.start.as_bytes());
        out.extend_from_slice(self.rest);
        if !self.start.is_empty() || !self.rest.ends_with(b"\n") {
            out.extend_from_slice(b"\r\n");
        }
    }
}

fn pack(out: &mut Vec<u8>, whole: &[u8]) {
    let mut best = (0, whole);
    let mut longest = 0;
    if let Some(text) = whole.strip_suffix(b"\r\n") {
        for (code, start) in (1..).zip(STARTS) {
            if let Some(rest) = text.strip_prefix(start.as_bytes())
                && start.len() > longest
            {
                (best, longest) = ((code, rest), start.len());
            }
        }
    }
    let (code, rest) = best;
    out.push(code);
    let mut length = rest.len();
    while let (high @ 1.., low) = (length >> 7, length.to_le_bytes()[0]) {
        out.push(low | 0x80);
        length = high;
    }
    out.push(length.to_le_bytes()[0]);
    out.extend_from_slice(rest);
}

/// Takes one line off the front; `None` at the end and where it is damaged.
fn unpack<'a>(from: &mut &'a [u8]) -> Option<Line<'a>> {
    let (&code, mut rest) = from.split_first()?;
    let start = match usize::from(code).checked_sub(1) {
        None => "",
        Some(at) => *STARTS.get(at)?,
    };
    let mut length = 0;
    for shift in [0, 7, 14, 21] {
        let (&octet, after) = rest.split_first()?;
        rest = after;
        length |= usize::from(octet & 0x7f) << shift;
        if octet < 0x80 {
            break;
        }
    }
    let (line, after) = rest.split_at_checked(length)?;
    *from = after;
    Some(Line { start, rest: line })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mail::header::filter;

    const BLOCK: &[u8] = b"Received: from a\r\n\tby b\r\n\
        Date: Sat, 21 Nov 2026 14:53:35 +0000\r\n\
        from : a@a.test\r\n\
        Subject: one\r\n two\r\n\
        Message-ID: <1@a.test>\r\n\
        X-Own: no\r\n\
        Subject:three\r\n\
        MIME-Version: 1.0\r\n\
        Content-Type: text/plain; charset=utf-8; format=flowed\r\n\
        To: end@a.test";

    #[test]
    fn as_they_stand() {
        let kept = Kept::of(BLOCK);
        let mut block = kept.block();
        block.extend_from_slice(b"\r\n");
        assert_eq!(block, filter(BLOCK, &KEPT, false));
        assert!(kept.0.len() < block.len() - 60);
        let field = |name| kept.field(name).map(Cow::into_owned);
        assert_eq!(field("FROM").unwrap(), b"a@a.test");
        assert_eq!(field("subject").unwrap(), b"one two");
        assert_eq!(field("message-id").unwrap(), b"<1@a.test>");
        assert_eq!(field("mime-version").unwrap(), b"1.0");
        assert_eq!(field("x-own"), None);
        assert_eq!(kept.raw("Subject").count(), 2);
        assert_eq!(kept.envelope(), Envelope::from_header(BLOCK));
    }

    #[test]
    fn starts_are_of_kept_fields() {
        for start in STARTS {
            let name = start.split_once(':').unwrap().0;
            assert!(is_kept(name.as_bytes()), "{name}");
        }
        assert!(!is_kept(b"received"));
    }

    #[test]
    fn damage_ends_it() {
        for packed in [
            &b"\0"[..],
            b"\xff\x01a",
            b"\x01\xff\xff\xff\xff\xff",
            b"\x01\x05abc",
        ] {
            assert_eq!(Kept(packed.into()).lines().count(), 0);
        }
    }

    fn line() -> impl Strategy<Value = Vec<u8>> {
        let value =
            proptest::collection::vec(proptest::sample::select(&b"ab<>:;= \"\t\xe9"[..]), 0..200);
        let start = prop_oneof![
            proptest::sample::select(&STARTS[..]).prop_map(str::to_owned),
            proptest::sample::select(&KEPT[..]).prop_map(|name| format!("{name}:")),
            proptest::sample::select(&["X-Own:", "no field", "Subject \t: ", " ", "\r"][..])
                .prop_map(str::to_owned),
        ];
        let end = proptest::sample::select(
            &["\r\n", "\r\n", "\r\n \r\n", "\r\n\tmore\r\n", "\n", ""][..],
        );
        (start, value, end).prop_map(|(a, b, c)| [a.as_bytes(), &b, c.as_bytes()].concat())
    }

    proptest! {
        #[test]
        fn kept_fields_are_those_of_the_header(lines in proptest::collection::vec(line(), 0..12)) {
            let block = lines.concat();
            let kept = Kept::of(&block);
            let mut whole = kept.block();
            whole.extend_from_slice(b"\r\n");
            prop_assert_eq!(&whole, &filter(&block, &KEPT, false));
            prop_assert_eq!(kept.envelope(), Envelope::from_header(&block));
            for name in ["Subject", "to", "CONTENT-TYPE", "References"] {
                let value = crate::mail::header::value(&block, name).map(|v| unfold(v).into_owned());
                prop_assert_eq!(kept.field(name).map(Cow::into_owned), value);
            }
        }

        #[test]
        fn any_octets_are_read(packed: Vec<u8>) {
            let kept = Kept(packed.into());
            let _ = (kept.block(), kept.envelope(), kept.field("Subject"));
        }
    }
}
