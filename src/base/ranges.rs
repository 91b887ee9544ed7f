//! Sets of UIDs or sequence numbers as sorted ranges: a folder of 100,000 messages without holes is
//! one range.

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// A set of `u32` kept as sorted, disjoint, not adjacent inclusive ranges.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(try_from = "Vec<(u32, u32)>")]
pub struct Ranges(Vec<(u32, u32)>);

impl Ranges {
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// All numbers from `low` to `high`, both included; empty if `high < low`.
    #[must_use]
    pub fn span(low: u32, high: u32) -> Self {
        if low <= high {
            Self(vec![(low, high)])
        } else {
            Self::new()
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many numbers are in the set.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().map(|&(low, high)| width(low, high)).sum()
    }

    #[must_use]
    pub fn first(&self) -> Option<u32> {
        self.0.first().map(|r| r.0)
    }

    #[must_use]
    pub fn last(&self) -> Option<u32> {
        self.0.last().map(|r| r.1)
    }

    #[must_use]
    pub fn contains(&self, n: u32) -> bool {
        let at = self.0.partition_point(|r| r.1 < n);
        self.0.get(at).is_some_and(|r| r.0 <= n)
    }

    /// The ranges, ascending.
    pub fn spans(&self) -> impl DoubleEndedIterator<Item = RangeInclusive<u32>> + '_ {
        self.spans_from(0)
    }

    /// The ranges that do not end before `n`, ascending.
    pub fn spans_from(&self, n: u32) -> impl DoubleEndedIterator<Item = RangeInclusive<u32>> + '_ {
        let at = self.0.partition_point(|r| r.1 < n);
        let spans = self.0.get(at..).unwrap_or_default();
        spans.iter().map(|&(low, high)| low..=high)
    }

    /// The numbers, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = u32> + '_ {
        self.spans().flatten()
    }

    /// Adds one number; cheap at the end.
    pub fn insert(&mut self, n: u32) {
        self.insert_span(n, n);
    }

    /// Adds all numbers from `low` to `high`.
    pub fn insert_span(&mut self, low: u32, high: u32) {
        if low > high {
            return;
        }
        // All ranges that touch or overlap [low - 1, high + 1] melt into one.
        let from = self.0.partition_point(|r| r.1.saturating_add(1) < low);
        let mut to = from;
        let (mut low, mut high) = (low, high);
        while let Some(&(l, h)) = self.0.get(to) {
            if l > high.saturating_add(1) {
                break;
            }
            low = low.min(l);
            high = high.max(h);
            to += 1;
        }
        self.0.splice(from..to, [(low, high)]);
    }

    /// Takes out all numbers from `low` to `high`.
    pub fn remove_span(&mut self, low: u32, high: u32) {
        if low > high {
            return;
        }
        let from = self.0.partition_point(|r| r.1 < low);
        let to = self.0.partition_point(|r| r.0 <= high);
        if from >= to {
            return;
        }
        let mut rest = Vec::new();
        if let Some(&(l, _)) = self.0.get(from)
            && l < low
        {
            rest.push((l, low - 1));
        }
        if let Some(&(_, h)) = self.0.get(to - 1)
            && h > high
        {
            rest.push((high + 1, h));
        }
        self.0.splice(from..to, rest);
    }

    pub fn remove(&mut self, n: u32) {
        self.remove_span(n, n);
    }

    fn is_sorted(&self) -> bool {
        let apart = |pair: &[(u32, u32)]| match pair {
            [low, high] => low.1.saturating_add(1) < high.0,
            _ => true,
        };
        self.0.iter().all(|r| r.0 <= r.1) && self.0.windows(2).all(apart)
    }

    /// Numbers in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut all = Vec::with_capacity(self.0.len() + other.0.len());
        all.extend_from_slice(&self.0);
        all.extend_from_slice(&other.0);
        all.sort_unstable();
        let mut out: Vec<(u32, u32)> = Vec::with_capacity(all.len());
        for (low, high) in all {
            match out.last_mut() {
                Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
                _ => out.push((low, high)),
            }
        }
        Self(out)
    }

    /// Numbers in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let (mut a, mut b, mut out) = (0, 0, Vec::new());
        while let (Some(&(al, ah)), Some(&(bl, bh))) = (self.0.get(a), other.0.get(b)) {
            let (low, high) = (al.max(bl), ah.min(bh));
            if low <= high {
                out.push((low, high));
            }
            if ah < bh {
                a += 1;
            } else {
                b += 1;
            }
        }
        Self(out)
    }

    /// Numbers of this set that are not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut out = Vec::new();
        let mut b = 0;
        for &(low, high) in &self.0 {
            let mut next = Some(low);
            while let (Some(at), Some(&(bl, bh))) = (next, other.0.get(b)) {
                if bh < at {
                    b += 1;
                } else if bl > high {
                    break;
                } else {
                    if at < bl {
                        out.push((at, bl - 1));
                    }
                    next = bh.checked_add(1).filter(|&n| n <= high);
                    if bh > high {
                        break;
                    }
                    b += 1;
                }
            }
            if let Some(at) = next {
                out.push((at, high));
            }
        }
        Self(out)
    }

    /// How many numbers of the set are below or equal to `n`: the sequence number of UID `n`, if it
    /// is in the set.
    #[must_use]
    pub fn rank(&self, n: u32) -> u64 {
        self.0
            .iter()
            .take_while(|r| r.0 <= n)
            .map(|&(low, high)| width(low, high.min(n)))
            .sum()
    }

    /// The number at place `rank`, counted from 1: the UID of a sequence number.
    #[must_use]
    pub fn nth(&self, rank: u64) -> Option<u32> {
        let mut left = rank.checked_sub(1)?;
        for &(low, high) in &self.0 {
            let here = width(low, high);
            if left < here {
                return low.checked_add(u32::try_from(left).ok()?);
            }
            left -= here;
        }
        None
    }
}

fn width(low: u32, high: u32) -> u64 {
    (u64::from(high) + 1).saturating_sub(u64::from(low))
}

/// What was read is no sorted, disjoint, not adjacent ranges.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NoRanges;

impl fmt::Display for NoRanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not sorted ranges")
    }
}

impl TryFrom<Vec<(u32, u32)>> for Ranges {
    type Error = NoRanges;

    fn try_from(ranges: Vec<(u32, u32)>) -> Result<Self, NoRanges> {
        let ranges = Self(ranges);
        ranges.is_sorted().then_some(ranges).ok_or(NoRanges)
    }
}

impl FromIterator<u32> for Ranges {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        let mut out = Self::new();
        for n in numbers {
            match out.0.last_mut() {
                Some(last) if last.1.checked_add(1) == Some(n) => last.1 = n,
                _ => out.insert(n),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(ranges: &Ranges) -> BTreeSet<u32> {
        ranges.iter().collect()
    }

    proptest! {
        /// Every operation does what the same one does on a plain set.
        #[test]
        fn like_a_plain_set(a: Vec<u8>, b: Vec<u8>, low in 0u8.., high in 0u8.., n in 0u8..) {
            let (low, high, n) = (u32::from(low), u32::from(high), u32::from(n));
            let x: Ranges = a.iter().map(|&n| u32::from(n)).collect();
            let y: Ranges = b.iter().map(|&n| u32::from(n)).collect();
            let (p, q) = (set(&x), set(&y));
            for r in [&x, &y, &x.union(&y), &x.intersection(&y), &x.difference(&y)] {
                prop_assert!(r.is_sorted(), "{r:?}");
            }
            prop_assert_eq!(set(&x.union(&y)), &p | &q);
            prop_assert_eq!(set(&x.intersection(&y)), &p & &q);
            prop_assert_eq!(set(&x.difference(&y)), &p - &q);
            prop_assert_eq!(x.count(), p.len() as u64);
            prop_assert_eq!(x.contains(n), p.contains(&n));
            prop_assert_eq!(x.rank(n), p.range(..=n).count() as u64);
            prop_assert_eq!(x.nth(u64::from(n)), p.iter().nth((n as usize).wrapping_sub(1)).copied());
            let mut z = x.clone();
            z.insert_span(low, high);
            prop_assert!(z.is_sorted());
            let mut want = p.clone();
            want.extend((low..=high).collect::<Vec<_>>());
            prop_assert_eq!(set(&z), want);
            let mut z = x.clone();
            z.remove_span(low, high);
            prop_assert!(z.is_sorted());
            prop_assert_eq!(set(&z), p.iter().copied().filter(|n| *n < low || *n > high).collect::<BTreeSet<_>>());
        }
    }

    #[test]
    fn only_sorted_ranges_are_read() {
        let cases: [(&[(u32, u32)], bool); 6] = [
            (&[], true),
            (&[(1, 3), (5, 5)], true),
            (&[(1, 3), (4, 5)], false),
            (&[(5, 5), (1, 3)], false),
            (&[(3, 1)], false),
            (&[(1, u32::MAX), (0, 0)], false),
        ];
        for (ranges, read) in cases {
            let stored = postcard::to_stdvec(ranges).unwrap();
            let found = postcard::from_bytes::<Ranges>(&stored);
            assert_eq!(found.is_ok(), read, "{ranges:?}");
        }
    }

    #[test]
    fn at_the_end_of_numbers() {
        let all = Ranges::span(1, u32::MAX);
        assert_eq!(all.count(), u64::from(u32::MAX));
        assert_eq!(all.nth(u64::from(u32::MAX)), Some(u32::MAX));
        assert!(all.difference(&all).is_empty());
        let mut r = all.clone();
        r.remove(u32::MAX);
        assert_eq!(r.last(), Some(u32::MAX - 1));
        r.insert(u32::MAX);
        assert_eq!(r, all);
    }
}
