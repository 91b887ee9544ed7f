//! The octets a session was given and has not worked off yet.

/// A bounded buffer with a mark: octets are shifted once per read, not once per line.
#[derive(Debug, Default)]
pub struct Input {
    octets: Vec<u8>,
    start: usize,
    /// Up to here the next LF was looked for, counted from `start`.
    seen: usize,
}

impl Input {
    /// Takes octets up to `limit` held at once; returns how many it took.
    pub fn take(&mut self, octets: &[u8], limit: usize) -> usize {
        if self.start > 0 {
            self.octets.drain(..self.start);
            self.start = 0;
        }
        let room = limit.saturating_sub(self.octets.len());
        let taken = octets.get(..room.min(octets.len())).unwrap_or_default();
        self.octets.extend_from_slice(taken);
        taken.len()
    }

    /// What is in hand.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        self.octets.get(self.start..).unwrap_or_default()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest().is_empty()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.rest().len()
    }

    /// Length of the next line with its LF; `None` until one is whole.
    pub fn line(&mut self) -> Option<usize> {
        let found = memchr::memchr(b'\n', self.rest().get(self.seen..).unwrap_or_default());
        if let Some(at) = found {
            Some(self.seen + at + 1)
        } else {
            self.seen = self.len();
            None
        }
    }

    /// Forgets the first `n` octets; gives the memory back when nothing is left.
    pub fn advance(&mut self, n: usize) {
        self.start = self.start.saturating_add(n).min(self.octets.len());
        self.seen = 0;
        if self.start == self.octets.len() {
            self.start = 0;
            self.octets = Vec::new();
        }
    }

    /// Forgets everything in hand.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_whatever_the_cut() {
        for cut in [1, 3, 100] {
            let mut input = Input::default();
            let mut lines = vec![];
            for piece in b"one\r\ntwo\nthree\r\n".chunks(cut) {
                assert_eq!(input.take(piece, 100), piece.len());
                while let Some(n) = input.line() {
                    lines.push(input.rest()[..n].to_vec());
                    input.advance(n);
                }
            }
            assert_eq!(lines, [&b"one\r\n"[..], b"two\n", b"three\r\n"]);
            assert!(input.is_empty());
        }
    }

    #[test]
    fn takes_no_more_than_its_limit() {
        let mut input = Input::default();
        assert_eq!(input.take(b"abcdef", 4), 4);
        assert_eq!(input.take(b"ef", 4), 0);
        input.advance(2);
        assert_eq!(input.take(b"ef", 4), 2);
        assert_eq!(input.rest(), b"cdef");
    }
}
