//! Stored text has CRLF line ends; files of this machine have LF.

use std::io;

/// Longest line that is handed on in one piece, in octets.
const LINE_MAX: usize = 64 * 1024;

/// Cuts octets into lines with LF at their ends, whatever the pieces they come in. A longer line than
/// 64 KiB comes in several pieces, of which only the last one ends in LF.
#[derive(Debug, Default)]
pub struct Lines {
    held: Vec<u8>,
}

pub type Each<'a> = &'a mut dyn FnMut(&[u8]) -> io::Result<()>;

impl Lines {
    /// # Errors
    ///
    /// Those of `each`.
    pub fn feed(&mut self, octets: &[u8], each: Each<'_>) -> io::Result<()> {
        for piece in octets.split_inclusive(|octet| *octet == b'\n') {
            self.held.extend_from_slice(piece);
            if self.held.ends_with(b"\r\n") {
                let end = self.held.len().saturating_sub(2);
                self.held.truncate(end);
                self.held.push(b'\n');
            }
            if self.held.ends_with(b"\n") {
                each(&self.held)?;
                self.held.clear();
            } else if self.held.len() >= LINE_MAX {
                // A CR may belong to an LF that is still to come.
                let rest = self.held.ends_with(b"\r");
                let end = self.held.len().saturating_sub(usize::from(rest));
                each(self.held.get(..end).unwrap_or_default())?;
                self.held.drain(..end);
            }
        }
        Ok(())
    }

    /// What is left, a line without an end.
    ///
    /// # Errors
    ///
    /// Those of `each`.
    pub fn end(&mut self, each: Each<'_>) -> io::Result<()> {
        if !self.held.is_empty() {
            each(&self.held)?;
            self.held.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_in_all_pieces() {
        let text = b"a\r\n\r\nb\rc\nd\r\r\ne\r";
        for cut in 1..text.len() {
            let (mut lines, mut out) = (Lines::default(), Vec::new());
            let mut each = |line: &[u8]| {
                out.push(String::from_utf8_lossy(line).into_owned());
                Ok(())
            };
            for piece in text.chunks(cut) {
                lines.feed(piece, &mut each).unwrap();
            }
            lines.end(&mut each).unwrap();
            assert_eq!(out, ["a\n", "\n", "b\rc\n", "d\r\n", "e\r"], "{cut}");
        }
        let (mut lines, mut out) = (Lines::default(), Vec::new());
        let long = vec![b'x'; 3 * LINE_MAX + 5];
        lines
            .feed(&long, &mut |line| {
                out.push(line.len());
                Ok(())
            })
            .unwrap();
        assert_eq!(out, [long.len()]);
    }
}
