//! Signing a header and the hash of a body: `relaxed/relaxed`, all of the body (RFC 6376 section 3).

use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::{
    base::time::Time,
    mail::header::{self, Field},
    mailauth::dkim::Key,
};

/// Fields that are signed once more than they are there, so that nobody can add another (RFC 6376 section
/// 8.15). What mailing lists add is not among them.
const SEALED: [&str; 12] = [
    "from",
    "to",
    "cc",
    "subject",
    "date",
    "message-id",
    "reply-to",
    "in-reply-to",
    "references",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
];
/// Signed where they are there (RFC 6376 section 5.4.1, RFC 8058 section 4).
const SIGNED: [&str; 10] = [
    "sender",
    "resent-date",
    "resent-from",
    "resent-to",
    "resent-cc",
    "resent-message-id",
    "list-id",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "auto-submitted",
];
/// So many fields of one name are signed; the others are not, as RFC 5322 section 3.6 knows none.
const OF_ONE_NAME: usize = 16;
/// The signature is folded here (RFC 5322 section 2.1.1).
const COLUMNS: usize = 78;

/// The keys of one domain.
#[derive(Debug)]
pub struct Signer {
    /// In ASCII.
    pub domain: String,
    /// Selectors and their keys; a message gets a signature of each.
    pub keys: Vec<(String, Key)>,
}

impl Signer {
    /// `DKIM-Signature:` fields with their CRLF, to be put on top of `header` as it is given here. One that
    /// cannot be made is left out.
    #[must_use]
    pub fn sign(&self, header: &[u8], body: &[u8; 32], now: Time) -> Vec<u8> {
        let (names, mut data) = selected(header);
        let begun = data.len();
        let mut out = Vec::new();
        for (selector, key) in &self.keys {
            let tags = [
                "v=1;".to_owned(),
                ["a=", key.algorithm().name(), ";"].concat(),
                "c=relaxed/relaxed;".to_owned(),
                ["d=", &self.domain, ";"].concat(),
                ["s=", selector, ";"].concat(),
                format!("t={};", now.0.max(0)),
            ];
            let mut field = Folded::new("DKIM-Signature:");
            for tag in &tags {
                field.word(tag, true);
            }
            for (at, name) in names.iter().enumerate() {
                let first = if at == 0 { "h=" } else { "" };
                let last = if at.saturating_add(1) == names.len() {
                    ";"
                } else {
                    ":"
                };
                field.word(&[first, name, last].concat(), at == 0);
            }
            field.word(&["bh=", &BASE64_STANDARD.encode(body), ";"].concat(), true);
            field.word("b=", true);
            data.truncate(begun);
            canonical(field.text.as_bytes(), &mut data);
            // The last field has no line end (RFC 6376 section 3.7).
            data.truncate(data.len().saturating_sub(2));
            let Some(signature) = key.sign(&data) else {
                continue;
            };
            field.letters(&BASE64_STANDARD.encode(signature));
            out.extend_from_slice(field.text.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out
    }
}

/// The names for `h=`, and what they stand for in canonical form. The last field of a name is the first
/// that is meant (RFC 6376 section 5.4.2).
fn selected(header: &[u8]) -> (Vec<&'static str>, Vec<u8>) {
    let fields: Vec<Field<'_>> = header::fields(header).collect();
    let (mut names, mut data) = (Vec::new(), Vec::with_capacity(header.len().min(8192)));
    let sealed = SEALED.iter().map(|name| (*name, true));
    let signed = SIGNED.iter().map(|name| (*name, false));
    for (name, seal) in sealed.chain(signed) {
        let of_name = fields.iter().rev().filter(|field| field.is(name));
        let mut count = 0_usize;
        for field in of_name {
            count = count.saturating_add(1);
            if count > OF_ONE_NAME {
                break;
            }
            names.push(name);
            let whole = header.get(field.whole.clone()).unwrap_or_default();
            canonical(whole, &mut data);
        }
        if seal && count <= OF_ONE_NAME {
            names.push(name);
        }
    }
    (names, data)
}

/// Appends a field in relaxed form (RFC 6376 section 3.4.2), with its line end.
pub(super) fn canonical(whole: &[u8], out: &mut Vec<u8>) {
    let colon = memchr::memchr(b':', whole).unwrap_or(whole.len());
    let (name, value) = whole.split_at(colon);
    out.extend(name.trim_ascii_end().iter().map(u8::to_ascii_lowercase));
    out.push(b':');
    let begun = out.len();
    let mut space = false;
    for &octet in value.get(1..).unwrap_or_default() {
        match octet {
            b' ' | b'\t' => space = true,
            // Line ends within a field are folding.
            b'\r' | b'\n' => {}
            _ => {
                if std::mem::take(&mut space) && out.len() > begun {
                    out.push(b' ');
                }
                out.push(octet);
            }
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// A field that is folded where it becomes too long.
struct Folded {
    text: String,
    column: usize,
}

impl Folded {
    fn new(name: &str) -> Self {
        Self {
            text: name.to_owned(),
            column: name.len(),
        }
    }

    /// What must not be cut, with a space in front of it if `apart`.
    fn word(&mut self, word: &str, apart: bool) {
        let width = word.len().saturating_add(usize::from(apart));
        if self.column.saturating_add(width) > COLUMNS {
            self.fold();
        } else if apart {
            self.text.push(' ');
            self.column = self.column.saturating_add(1);
        }
        self.text.push_str(word);
        self.column = self.column.saturating_add(word.len());
    }

    /// What may be cut anywhere: base64.
    fn letters(&mut self, letters: &str) {
        for letter in letters.chars() {
            if self.column >= COLUMNS {
                self.fold();
            }
            self.text.push(letter);
            self.column = self.column.saturating_add(1);
        }
    }

    fn fold(&mut self) {
        self.text.push_str("\r\n\t");
        // A tab is as wide as a space at least, and may be eight.
        self.column = 8;
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;
    use crate::mailauth::dkim::{
        Algorithm, BodyHash,
        key::{self, tests::ed25519},
    };

    /// RFC 8463 appendix A.3, without its signatures.
    const MESSAGE: &[u8] = b"From: Joe SixPack <joe@football.example.com>\r\n\
        To: Suzie Q <suzie@shopping.example.net>\r\n\
        Subject: Is dinner ready?\r\n\
        Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n\
        Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n\
        \r\n\
        Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";

    fn parts() -> (&'static [u8], [u8; 32]) {
        let end = memchr::memmem::find(MESSAGE, b"\r\n\r\n").unwrap() + 4;
        let mut body = BodyHash::new();
        body.push(&MESSAGE[end..]);
        (&MESSAGE[..end], body.finish())
    }

    /// The example has its own order of fields and tags: only canonical forms, hashes and the signature
    /// itself are the same for all.
    #[test]
    fn rfc_8463_appendix_a() {
        let (header, body) = parts();
        assert_eq!(
            BASE64_STANDARD.encode(body),
            "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="
        );
        let mut data = Vec::new();
        let order = ["from", "to", "subject", "date", "message-id"];
        for name in order {
            if let Some(field) = header::fields(header).find(|field| field.is(name)) {
                canonical(&header[field.whole], &mut data);
            }
        }
        // `h=` names From, Subject and Date twice, and the second time there is none.
        let field = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n \
             d=football.example.com; i=@football.example.com;\r\n \
             q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n \
             subject : date : message-id : from : subject : date;\r\n \
             bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b=";
        canonical(field.as_bytes(), &mut data);
        data.truncate(data.len() - 2);
        assert_eq!(
            BASE64_STANDARD.encode(ed25519().sign(&data).unwrap()),
            "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw=="
        );
    }

    /// Takes a signature apart and checks it as a receiver does: independent of how it was written.
    fn verify(
        signature: &[u8],
        header: &[u8],
        body: [u8; 32],
        public: &UnparsedPublicKey<Vec<u8>>,
        ed: bool,
    ) {
        let text = String::from_utf8(signature.to_vec()).unwrap();
        let tag = |name: &str| {
            let value = text.split_once(':').unwrap().1;
            let mut tags = value
                .split(';')
                .map(|tag| tag.trim().split_once('=').unwrap());
            let value = tags.find(|(tag, _)| *tag == name).unwrap().1;
            value.split_whitespace().collect::<String>()
        };
        assert_eq!(tag("bh"), BASE64_STANDARD.encode(body));
        let mut left: Vec<_> = header::fields(header).collect();
        let mut data = Vec::new();
        for name in tag("h").split(':') {
            if let Some(at) = left.iter().rposition(|field| field.is(name)) {
                canonical(&header[left.remove(at).whole], &mut data);
            }
        }
        let unsigned = text.split_once(" b=").or(text.split_once("\tb=")).unwrap();
        let space = if text.contains(" b=") { " " } else { "\t" };
        canonical([unsigned.0, space, "b="].concat().as_bytes(), &mut data);
        data.truncate(data.len() - 2);
        if ed {
            data = ring::digest::digest(&ring::digest::SHA256, &data)
                .as_ref()
                .to_vec();
        }
        public
            .verify(&data, &BASE64_STANDARD.decode(tag("b")).unwrap())
            .unwrap();
    }

    #[test]
    fn two_signatures_that_hold() {
        let der = key::generate(Algorithm::Rsa).unwrap();
        let rsa = Key::parse(Algorithm::Rsa, &der).unwrap();
        // ring wants the inner RSAPublicKey: behind the 24 octets of what is around it.
        let public =
            UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, rsa.public()[24..].to_vec());
        let ed = UnparsedPublicKey::new(&ED25519, ed25519().public());
        let signer = Signer {
            domain: "football.example.com".to_owned(),
            keys: vec![
                ("r202611".to_owned(), rsa),
                ("e202611".to_owned(), ed25519()),
            ],
        };
        let (header, body) = parts();
        let twice = [b"Cc: a@b\r\nSUBJECT :  two\r\n\twords \r\nX: y\r\n", header].concat();
        for header in [header, &twice, b"", b"\r\n", b"junk\r\n\r\n"] {
            let out = signer.sign(header, &body, Time(1_795_272_815));
            let fields: Vec<_> = header::fields(&out).collect();
            assert_eq!(fields.len(), 2);
            for (field, (public, is_ed)) in fields.iter().zip([(&public, false), (&ed, true)]) {
                verify(&out[field.whole.clone()], header, body, public, is_ed);
            }
            for line in String::from_utf8(out).unwrap().lines() {
                assert!(line.len() <= COLUMNS, "{line}");
            }
        }
    }

    #[test]
    fn what_is_signed() {
        let header = b"Received: x\r\nTo: a\r\nto: b\r\nSender: c\r\nX-Other: d\r\n\r\n";
        let (names, data) = selected(header);
        assert_eq!(names[..4], ["from", "to", "to", "to"]);
        assert!(names.ends_with(&["content-transfer-encoding", "sender"]));
        assert_eq!(data, b"to:b\r\nto:a\r\nsender:c\r\n");
        let many = b"To: a\r\n".repeat(1000);
        let (names, _) = selected(&many);
        assert_eq!(
            names.iter().filter(|name| **name == "to").count(),
            OF_ONE_NAME
        );
    }

    #[test]
    fn relaxed_fields() {
        // RFC 6376 section 3.4.5.
        for (field, want) in [
            ("A: X\r\n", "a:X\r\n"),
            ("B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n"),
            ("C:\r\n", "c:\r\n"),
            ("D: \t \r\n", "d:\r\n"),
            ("E:a\r\n b", "e:a b\r\n"),
        ] {
            let mut out = Vec::new();
            canonical(field.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), want);
        }
    }
}
