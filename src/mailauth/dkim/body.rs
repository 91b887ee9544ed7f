//! The hash of a message's body, relaxed (RFC 6376 section 3.4.4), in one pass.

use std::fmt;

use ring::digest::{Context, SHA256};

/// Takes the body piece by piece; lines end in CRLF.
#[derive(Clone)]
pub struct BodyHash {
    hash: Context,
    /// Line ends that count only if something follows.
    ends: u64,
    /// White space that counts as one space only if something follows in its line.
    space: bool,
    /// A CR whose LF may follow.
    cr: bool,
    /// Something has been hashed.
    begun: bool,
    /// What goes to the hash in one go.
    out: Vec<u8>,
}

impl fmt::Debug for BodyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BodyHash")
    }
}

impl Default for BodyHash {
    fn default() -> Self {
        Self::new()
    }
}

/// So much is collected for the hash, in octets.
const OUT: usize = 4096;

impl BodyHash {
    #[must_use]
    pub fn new() -> Self {
        Self {
            hash: Context::new(&SHA256),
            ends: 0,
            space: false,
            cr: false,
            begun: false,
            out: Vec::with_capacity(OUT),
        }
    }

    /// Takes the next octets.
    pub fn push(&mut self, octets: &[u8]) {
        let mut rest = octets;
        while let Some((&octet, after)) = rest.split_first() {
            if self.cr {
                self.cr = false;
                if octet == b'\n' {
                    self.space = false;
                    self.ends = self.ends.saturating_add(1);
                    rest = after;
                    continue;
                }
                self.text(b"\r");
            }
            match octet {
                b'\r' => self.cr = true,
                b' ' | b'\t' => self.space = true,
                _ => {
                    let plain = rest.iter().position(|c| matches!(c, b'\r' | b' ' | b'\t'));
                    let (text, later) = rest.split_at(plain.unwrap_or(rest.len()));
                    self.text(text);
                    rest = later;
                    continue;
                }
            }
            rest = after;
        }
    }

    /// The body is whole. An empty one hashes as nothing.
    #[must_use]
    pub fn finish(mut self) -> [u8; 32] {
        if self.cr {
            self.text(b"\r");
        }
        // White space at the end of a last line without an end does not count, nor do empty lines; the
        // line before them has an end whether it was written or not.
        if self.begun {
            self.put(b"\r\n");
        }
        self.hash.update(&self.out);
        let mut sum = [0; 32];
        sum.copy_from_slice(self.hash.finish().as_ref());
        sum
    }

    /// Text without white space, after all that waits.
    fn text(&mut self, text: &[u8]) {
        while self.ends > 0 {
            self.put(b"\r\n");
            self.ends = self.ends.saturating_sub(1);
        }
        if self.space {
            self.space = false;
            self.put(b" ");
        }
        self.put(text);
        self.begun = true;
    }

    fn put(&mut self, octets: &[u8]) {
        if octets.len() >= OUT {
            self.hash.update(&self.out);
            self.out.clear();
            self.hash.update(octets);
            return;
        }
        self.out.extend_from_slice(octets);
        if self.out.len() >= OUT {
            self.hash.update(&self.out);
            self.out.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    use proptest::prelude::*;
    use ring::digest::{SHA256, digest};

    use super::*;

    fn hash(body: &[u8], cut: usize) -> [u8; 32] {
        let mut hash = BodyHash::new();
        for piece in body.chunks(cut) {
            hash.push(piece);
        }
        hash.finish()
    }

    fn plain(text: &[u8]) -> [u8; 32] {
        digest(&SHA256, text).as_ref().try_into().unwrap()
    }

    #[test]
    fn relaxed_bodies() {
        let long = [&b"x".repeat(OUT + 1)[..], b"\r\n"].concat();
        for (body, want) in [
            (&b""[..], &b""[..]),
            (b"\r\n", b""),
            (b" \t\r\n \r\n\r\n", b""),
            (b" ", b""),
            // RFC 6376 section 3.4.5.
            (b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n"),
            (b"a", b"a\r\n"),
            (b"a \r\n", b"a\r\n"),
            (b"a\r\n\r\n\r\nb\r\n", b"a\r\n\r\n\r\nb\r\n"),
            (b"\r\n\r\na", b"\r\n\r\na\r\n"),
            (b"a\rb\r\n", b"a\rb\r\n"),
            (b"a \r b", b"a \r b\r\n"),
            (b"a\r", b"a\r\r\n"),
            (b"a\r\r\n", b"a\r\r\n"),
            (b"a\nb", b"a\nb\r\n"),
            (&long, &long),
        ] {
            for cut in [1, 7, 10_000] {
                assert_eq!(hash(body, cut), plain(want), "{body:?} cut {cut}");
            }
        }
        // RFC 6376 section 3.4.4.
        let empty = BASE64_STANDARD.encode(hash(b"", 1));
        assert_eq!(empty, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }

    /// The rules, one after the other, on the whole body.
    fn slowly(body: &[u8]) -> Vec<u8> {
        let text = String::from_utf8(body.to_vec()).unwrap();
        let mut lines: Vec<String> = text
            .split("\r\n")
            .map(|line| {
                let mut out = String::new();
                for c in line.chars() {
                    let space = matches!(c, ' ' | '\t');
                    if !(space && out.ends_with(' ')) {
                        out.push(if space { ' ' } else { c });
                    }
                }
                out.trim_end_matches(' ').to_owned()
            })
            .collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
            .into_iter()
            .flat_map(|line| (line + "\r\n").into_bytes())
            .collect()
    }

    proptest! {
        #[test]
        fn as_the_rules_say(body in "([ab \t]|\r\n|\r\n|\r|\n){0,40}", cut in 1_usize..9) {
            prop_assert_eq!(hash(body.as_bytes(), cut), plain(&slowly(body.as_bytes())));
        }
    }
}
