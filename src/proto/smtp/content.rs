//! The text of a message on its way in: dots removed (RFC 5321 section 4.5.2), line ends checked.
//! Only CRLF ends a line and only CRLF.CRLF ends DATA; a bare CR or LF is a fault, whoever sent it,
//! because what others take for a line end could smuggle a second message in. Listeners for programs on
//! this machine and for devices take a bare LF for CRLF (SR-22), and still end at CRLF.CRLF alone.

/// A line end that is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    BareCr,
    BareLf,
}

/// How the end of the text is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Framing {
    /// By the count of octets (BDAT): a dot is a dot.
    Counted,
    /// By a line with only a dot (DATA).
    Dotted,
}

/// Where in the text the next octet stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum At {
    /// After a CR, which is held back until its LF comes.
    Cr,
    /// After a dot that began a line.
    Dot,
    /// After a dot that began a line, and a CR.
    DotCr,
    End,
    /// After a bare LF: no line with only a dot begins here.
    LfStart,
    /// After a dot behind a bare LF; it is held back, since a second one may follow.
    LfDot,
    LineStart,
    Middle,
}

/// One message's text, over as many pieces as it takes.
#[derive(Clone, Debug)]
pub struct Text {
    at: At,
    framing: Framing,
    /// A bare LF is a line end.
    bare_lf: bool,
    size: u64,
}

impl Text {
    #[must_use]
    pub fn new(framing: Framing, bare_lf: bool) -> Self {
        Self {
            at: At::LineStart,
            framing,
            bare_lf,
            size: 0,
        }
    }

    /// Octets handed out so far, CRLF counted as two, dots removed (RFC 1870 section 5).
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// True once the line with only a dot was seen.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.at == At::End
    }

    /// Appends to `out` what of `octets` is text; returns how many octets were used: all of them,
    /// or those up to the end of the text.
    ///
    /// # Errors
    ///
    /// A bare CR or LF; nothing after it is to be read.
    pub fn take(&mut self, octets: &[u8], out: &mut Vec<u8>) -> Result<usize, Fault> {
        let before = out.len();
        let mut used = 0;
        while let Some(&octet) = octets.get(used) {
            if self.at == At::End {
                break;
            }
            if self.at == At::Middle {
                let rest = octets.get(used..).unwrap_or_default();
                let run = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
                if run > 0 {
                    out.extend_from_slice(rest.get(..run).unwrap_or_default());
                    used += run;
                    continue;
                }
            }
            self.at = self.next(octet, out)?;
            used += 1;
        }
        let added = out.len().saturating_sub(before);
        self.size = self
            .size
            .saturating_add(u64::try_from(added).unwrap_or(u64::MAX));
        Ok(used)
    }

    /// Ends counted text: its last line gets a CRLF if it has none.
    ///
    /// # Errors
    ///
    /// The text ends within a line end.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        match self.at {
            At::Cr | At::DotCr => return Err(Fault::BareCr),
            At::Dot | At::LfDot | At::Middle => {
                out.extend_from_slice(b"\r\n");
                self.size = self.size.saturating_add(2);
            }
            At::End | At::LfStart | At::LineStart => {}
        }
        self.at = At::End;
        Ok(())
    }

    fn next(&self, octet: u8, out: &mut Vec<u8>) -> Result<At, Fault> {
        match (self.at, octet) {
            (At::Cr, b'\n') => {
                out.extend_from_slice(b"\r\n");
                Ok(At::LineStart)
            }
            (At::DotCr, b'\n') => Ok(At::End),
            (At::Cr | At::DotCr, _) => Err(Fault::BareCr),
            (at, b'\n') if self.bare_lf => {
                // `.` LF ends nothing: the dot stays in the text, and whoever sends it on doubles it.
                if matches!(at, At::Dot | At::LfDot) {
                    out.push(b'.');
                }
                out.extend_from_slice(b"\r\n");
                Ok(At::LfStart)
            }
            (_, b'\n') => Err(Fault::BareLf),
            (At::LfDot, octet) => {
                // Whoever doubles dots doubled this one; whoever does not meant it.
                out.push(b'.');
                if octet == b'\r' {
                    return Ok(At::Cr);
                }
                if octet != b'.' {
                    out.push(octet);
                }
                Ok(At::Middle)
            }
            (At::LfStart, b'.') if self.framing == Framing::Dotted => Ok(At::LfDot),
            (At::Dot, b'\r') => Ok(At::DotCr),
            (_, b'\r') => Ok(At::Cr),
            (At::LineStart, b'.') if self.framing == Framing::Dotted => Ok(At::Dot),
            (At::Dot | At::End | At::LfStart | At::LineStart | At::Middle, _) => {
                out.push(octet);
                Ok(At::Middle)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text and what was left over.
    fn play(framing: Framing, octets: &[u8], cut: usize) -> Result<(Vec<u8>, usize), Fault> {
        played(Text::new(framing, false), framing, octets, cut)
    }

    fn played(
        mut text: Text,
        framing: Framing,
        octets: &[u8],
        cut: usize,
    ) -> Result<(Vec<u8>, usize), Fault> {
        let (mut out, mut left) = (vec![], 0);
        for piece in octets.chunks(cut) {
            left += piece.len() - text.take(piece, &mut out)?;
        }
        if framing == Framing::Counted {
            text.finish(&mut out)?;
        } else {
            assert!(text.is_ended());
        }
        assert_eq!(text.size(), out.len() as u64);
        Ok((out, left))
    }

    #[test]
    fn dotted() {
        for (octets, expected) in [
            (&b".\r\n"[..], Ok((&b""[..], 0))),
            (b"a\r\n.\r\nQUIT\r\n", Ok((b"a\r\n", 6))),
            (b"..\r\n.a\r\n...\r\n.\r\n", Ok((b".\r\na\r\n..\r\n", 0))),
            (b"a.\r\n.\r\n", Ok((b"a.\r\n", 0))),
            (b"\r\n\r\n.\r\n", Ok((b"\r\n\r\n", 0))),
            (b"a\0b\xff\r\n.\r\n", Ok((b"a\0b\xff\r\n", 0))),
            (b"a\n.\r\n", Err(Fault::BareLf)),
            (b"a\r\n.\n", Err(Fault::BareLf)),
            (b"a\r.\r\n", Err(Fault::BareCr)),
            (b"a\r\n.\r.\r\n", Err(Fault::BareCr)),
            (b"a\r\r\n.\r\n", Err(Fault::BareCr)),
            (b"a\r\0\n.\r\n", Err(Fault::BareCr)),
        ] {
            for cut in [1, 2, 100] {
                let expected = expected.map(|(text, left)| (text.to_vec(), left));
                assert_eq!(play(Framing::Dotted, octets, cut), expected, "{octets:?}");
            }
        }
    }

    /// SR-22, on the listeners for programs and devices.
    #[test]
    fn a_bare_lf_is_a_line_end_that_ends_no_message() {
        for (octets, expected) in [
            (
                &b"a\nb\n\r\n.\r\nQUIT\r\n"[..],
                Ok((&b"a\r\nb\r\n\r\n"[..], 6)),
            ),
            (b"a\n.\nb\r\n.\r\n", Ok((b"a\r\n.\r\nb\r\n", 0))),
            (b"a\n.\r\nMAIL\r\n.\r\n", Ok((b"a\r\n.\r\nMAIL\r\n", 0))),
            (
                b"a\r\n.\nMAIL\n\r\n.\r\n",
                Ok((b"a\r\n.\r\nMAIL\r\n\r\n", 0)),
            ),
            (
                b"a\n..b\n.c\n...\n..\r\n.\r\n",
                Ok((b"a\r\n.b\r\n.c\r\n..\r\n.\r\n", 0)),
            ),
            (b"a\r.\r\n", Err(Fault::BareCr)),
            (b"a\n.\rb\r\n.\r\n", Err(Fault::BareCr)),
        ] {
            for cut in [1, 2, 100] {
                let expected = expected.map(|(text, left)| (text.to_vec(), left));
                let text = Text::new(Framing::Dotted, true);
                assert_eq!(
                    played(text, Framing::Dotted, octets, cut),
                    expected,
                    "{octets:?}"
                );
            }
        }
        let counted = Text::new(Framing::Counted, true);
        let got = played(counted, Framing::Counted, b"a\n.\n..b\n.", 1);
        assert_eq!(got, Ok((b"a\r\n.\r\n..b\r\n.\r\n".to_vec(), 0)));
    }

    #[test]
    fn counted() {
        for (octets, expected) in [
            (&b""[..], Ok(&b""[..])),
            (b".\r\n..\r\n", Ok(b".\r\n..\r\n")),
            (b"a", Ok(b"a\r\n")),
            (b".", Ok(b".\r\n")),
            (b"a\r\nb", Ok(b"a\r\nb\r\n")),
            (b"a\r", Err(Fault::BareCr)),
            (b"a\nb\r\n", Err(Fault::BareLf)),
        ] {
            for cut in [1, 2, 100] {
                let expected = expected.map(|text| (text.to_vec(), 0));
                assert_eq!(play(Framing::Counted, octets, cut), expected, "{octets:?}");
            }
        }
    }
}
