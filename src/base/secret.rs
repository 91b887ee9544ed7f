//! Text that is never shown: not in logs, not in `{:?}`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A password or a key. `{:?}` shows stars; its octets are overwritten when it is dropped, as far as
/// safe code can see to that.
#[derive(Clone, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Secret(Vec<u8>);

impl Secret {
    #[must_use]
    pub fn new(octets: Vec<u8>) -> Self {
        Self(octets)
    }

    /// The octets themselves, for a hash or a comparison.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.fill(0);
        std::hint::black_box(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new(b"hush".to_vec())), "***");
    }
}
