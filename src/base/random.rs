//! Randomness as an argument: `net::world` has the machine's source, tests give another.

/// A source of octets that nobody can guess.
pub trait Random {
    fn fill(&self, octets: &mut [u8]);

    /// `N` random octets.
    fn octets<const N: usize>(&self) -> [u8; N]
    where
        Self: Sized,
    {
        let mut octets = [0; N];
        self.fill(&mut octets);
        octets
    }
}
