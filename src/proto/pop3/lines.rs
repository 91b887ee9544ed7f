//! Answers of several lines (RFC 1939 section 3): a dot more where a line begins with one, and a dot
//! alone at the end.

/// One answer, written piece by piece.
#[derive(Debug)]
pub struct Lines {
    /// For TOP: how many lines of the body are to come.
    left: Option<u32>,
    in_header: bool,
    /// The last octet ended a line.
    fresh: bool,
    /// There is nothing in the present line but perhaps a CR.
    empty: bool,
}

impl Lines {
    /// With `top`, only the header and so many lines of the body are written.
    #[must_use]
    pub fn new(top: Option<u32>) -> Self {
        Self {
            left: top,
            in_header: true,
            fresh: true,
            empty: true,
        }
    }

    /// Whether nothing more will be written: TOP has all that it asked for.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.in_header && self.left == Some(0)
    }

    /// The next octets, however they are cut.
    pub fn write(&mut self, mut octets: &[u8], out: &mut Vec<u8>) {
        while !octets.is_empty() && !self.is_whole() {
            let end = memchr::memchr(b'\n', octets).map_or(octets.len(), |at| at.saturating_add(1));
            let (line, rest) = octets.split_at_checked(end).unwrap_or((octets, &[]));
            if self.fresh && line.first() == Some(&b'.') {
                out.push(b'.');
            }
            out.extend_from_slice(line);
            self.empty &= matches!(line, b"\r\n" | b"\n" | b"\r");
            self.fresh = line.last() == Some(&b'\n');
            if self.fresh {
                self.count();
            }
            octets = rest;
        }
    }

    /// The end. What has no line end of its own gets one.
    pub fn end(&self, out: &mut Vec<u8>) {
        let end: &[u8] = if self.fresh { b".\r\n" } else { b"\r\n.\r\n" };
        out.extend_from_slice(end);
    }

    /// A line has ended.
    fn count(&mut self) {
        if self.in_header {
            self.in_header = !self.empty;
        } else if let Some(left) = &mut self.left {
            *left = left.saturating_sub(1);
        }
        self.empty = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &[u8], top: Option<u32>, cut: usize) -> String {
        let (mut lines, mut out) = (Lines::new(top), vec![]);
        for piece in text.chunks(cut) {
            lines.write(piece, &mut out);
        }
        lines.end(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn dots_are_doubled_whatever_the_cut() {
        let text = b".\r\na.b\r\n..\r\n\r\n.c";
        for cut in [1, 2, 3, 100] {
            let got = written(text, None, cut);
            assert_eq!(got, "..\r\na.b\r\n...\r\n\r\n..c\r\n.\r\n", "{cut}");
        }
        assert_eq!(written(b"", None, 1), ".\r\n");
        assert_eq!(written(b"\n.\r\n", None, 1), "\n..\r\n.\r\n");
    }

    #[test]
    fn the_top_of_a_message() {
        let text = b"Subject: x\r\n folded\r\n\r\n.one\r\n\r\nthree\r\n";
        for cut in [1, 2, 3, 100] {
            for (top, want) in [
                (0, "Subject: x\r\n folded\r\n\r\n.\r\n"),
                (1, "Subject: x\r\n folded\r\n\r\n..one\r\n.\r\n"),
                (2, "Subject: x\r\n folded\r\n\r\n..one\r\n\r\n.\r\n"),
                (
                    3,
                    "Subject: x\r\n folded\r\n\r\n..one\r\n\r\nthree\r\n.\r\n",
                ),
                (
                    9,
                    "Subject: x\r\n folded\r\n\r\n..one\r\n\r\nthree\r\n.\r\n",
                ),
            ] {
                assert_eq!(written(text, Some(top), cut), want, "{top}, {cut}");
            }
        }
        // No body, and no header.
        assert_eq!(written(b"A: b\r\n", Some(3), 1), "A: b\r\n.\r\n");
        assert_eq!(written(b"\r\nbody\r\n", Some(0), 1), "\r\n.\r\n");
    }
}
