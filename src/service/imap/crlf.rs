//! Line ends of appended messages: stored content has CRLF only (RFC 5322 section 2.3).

/// Makes CRLF of every bare CR and bare LF, whatever the pieces it is given.
#[derive(Debug, Default)]
pub struct Crlf {
    /// The last octet was a CR; its CRLF is written already.
    after_cr: bool,
    /// A bare one came by.
    bare: bool,
}

impl Crlf {
    /// The next octets, converted.
    pub fn convert(&mut self, octets: Vec<u8>) -> Vec<u8> {
        if !self.after_cr && is_clean(&octets) {
            return octets;
        }
        let mut out = Vec::with_capacity(octets.len().saturating_add(64));
        for octet in octets {
            match octet {
                b'\n' if self.after_cr => {}
                b'\n' | b'\r' => {
                    self.bare |= self.after_cr || octet == b'\n';
                    out.extend_from_slice(b"\r\n");
                }
                _ => {
                    self.bare |= self.after_cr;
                    out.push(octet);
                }
            }
            self.after_cr = octet == b'\r';
        }
        out
    }

    /// Whether what came out is what went in; a CR at the end stands alone if that was `all`.
    pub fn has_kept_all(&self, all: bool) -> bool {
        !(self.bare || all && self.after_cr)
    }
}

/// Whether every CR is followed by LF and every LF follows a CR, inside these octets.
fn is_clean(octets: &[u8]) -> bool {
    let mut cr = None;
    for at in memchr::memchr2_iter(b'\r', b'\n', octets) {
        if octets.get(at) == Some(&b'\r') {
            if cr.is_some() {
                return false;
            }
            cr = Some(at);
        } else if cr.take().and_then(|cr| cr.checked_add(1)) != Some(at) {
            return false;
        }
    }
    cr.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(text: &[u8], cut: usize) -> Vec<u8> {
        let mut crlf = Crlf::default();
        let pieces = text.chunks(cut);
        let out: Vec<u8> = pieces
            .flat_map(|piece| crlf.convert(piece.to_vec()))
            .collect();
        assert_eq!(
            crlf.has_kept_all(true),
            out == text,
            "{text:?} cut to {cut}"
        );
        out
    }

    #[test]
    fn every_line_end_becomes_crlf() {
        for (text, want) in [
            (&b"a\r\nb\r\n"[..], &b"a\r\nb\r\n"[..]),
            (b"a\nb\n", b"a\r\nb\r\n"),
            (b"a\rb\r", b"a\r\nb\r\n"),
            (b"a\r\r\nb", b"a\r\n\r\nb"),
            (b"\n\r\n\r", b"\r\n\r\n\r\n"),
            (b"a\r\rb\n\nc", b"a\r\n\r\nb\r\n\r\nc"),
            (b"", b""),
        ] {
            for cut in [1, 2, 3, 100] {
                assert_eq!(converted(text, cut), want, "{text:?} cut to {cut}");
            }
        }
    }
}
