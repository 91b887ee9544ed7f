//! Whether a mailbox has room for what is announced (ST-7, ST-8).

/// A mailbox' quota and what it holds, both in octets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Room {
    /// 0 = no limit.
    pub quota: u64,
    pub used: u64,
}

/// The mailbox is full, or the announced size does not fit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Full;

/// Judges a recipient before any content came. `announced` is SIZE of MAIL, in octets.
///
/// # Errors
///
/// [`Full`]: refused for good.
pub fn judge(room: Room, announced: Option<u64>) -> Result<(), Full> {
    let free = room.quota.saturating_sub(room.used);
    if room.quota == 0 || (free > 0 && announced.unwrap_or(0) <= free) {
        Ok(())
    } else {
        Err(Full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room() {
        for (quota, used, announced, want) in [
            (0, u64::MAX, Some(u64::MAX), Ok(())),
            (1000, 0, None, Ok(())),
            (1000, 999, None, Ok(())),
            (1000, 999, Some(1), Ok(())),
            (1000, 999, Some(2), Err(Full)),
            (1000, 1000, None, Err(Full)),
            (1000, 1000, Some(0), Err(Full)),
            (1000, 5000, None, Err(Full)),
        ] {
            assert_eq!(judge(Room { quota, used }, announced), want);
        }
    }
}
