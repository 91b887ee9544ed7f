//! How many connections at once to one destination: more while it answers, fewer when it does not, as
//! Postfix' concurrency feedback does.

/// Connections that may be open to a destination.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Window {
    size: u32,
    limit: u32,
}

impl Window {
    /// Starts with one; never more than `limit`.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self {
            size: 1,
            limit: limit.max(1),
        }
    }

    /// Whether one more may be opened beside `open` ones.
    #[must_use]
    pub fn admits(&self, open: u32) -> bool {
        open < self.size
    }

    #[must_use]
    pub fn size(&self) -> u32 {
        self.size
    }

    /// A delivery came to an end that the destination itself gave.
    pub fn success(&mut self) {
        self.size = self.size.saturating_add(1).min(self.limit);
    }

    /// A connection failed, or was turned away.
    pub fn failure(&mut self) {
        self.size = (self.size / 2).max(1);
    }
}
