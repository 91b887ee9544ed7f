//! When somebody is told that their mailbox gets full (ST-9).

/// In percent of the quota, rising.
const LEVELS: [u8; 2] = [80, LAST];
pub const LAST: u8 = 95;

/// The level that a mailbox has reached and was not warned of yet. `quota` (0 = none) and `used` in
/// octets; `warned` is the highest level that a warning was given for.
#[must_use]
pub fn warning(quota: u64, used: u64, warned: u8) -> Option<u8> {
    let reached = |level: u8| {
        let mark = u128::from(quota).saturating_mul(level.into());
        u128::from(used).saturating_mul(100) >= mark
    };
    let level = LEVELS.into_iter().rev().find(|level| reached(*level))?;
    (quota > 0 && level > warned).then_some(level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_once() {
        for (quota, used, warned, want) in [
            (0, u64::MAX, 0, None),
            (1000, 799, 0, None),
            (1000, 800, 0, Some(80)),
            (1000, 949, 80, None),
            (1000, 950, 80, Some(95)),
            (1000, 950, 0, Some(95)),
            (1000, 2000, 95, None),
            (1000, 800, 95, None),
            (u64::MAX, u64::MAX, 80, Some(95)),
            (1, 0, 0, None),
        ] {
            assert_eq!(warning(quota, used, warned), want, "{used} of {quota}");
        }
    }
}
