//! Takes octets apart.

/// Decisions that are read off the input; zeros when it is used up.
#[derive(Debug)]
pub struct Source<'a>(pub &'a [u8]);

impl<'a> Source<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn octet(&mut self) -> u8 {
        self.octets(1).first().copied().unwrap_or(0)
    }

    pub fn number(&mut self) -> u32 {
        let octets = self.octets(4).iter();
        octets.fold(0, |number, octet| number << 8 | u32::from(*octet))
    }

    /// So many, or those that are left.
    pub fn octets(&mut self, count: usize) -> &'a [u8] {
        let (octets, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        octets
    }
}

/// The same octets in pieces whose lengths they say themselves: small and large ones.
pub fn cuts(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let first = usize::from(*rest.first()?);
        let length = if first % 5 == 0 { 1000 } else { first % 19 + 1 };
        let (piece, after) = rest.split_at(length.min(rest.len()));
        rest = after;
        Some(piece)
    })
}

pub fn contains(octets: &[u8], text: &str) -> bool {
    octets
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}
