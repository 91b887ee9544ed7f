//! Octets of a file in shared pages, and dice.

use std::{collections::BTreeMap, sync::Arc};

pub const PAGE: usize = 4096;

/// Numbers that a seed decides (splitmix64).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5eed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    pub fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }

    /// True once in `n`.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}

/// Octets in shared pages: a copy of a whole disk costs little.
#[derive(Clone, Debug, Default)]
pub struct Octets {
    pub length: u64,
    pages: BTreeMap<u64, Arc<[u8; PAGE]>>,
}

fn split(offset: u64) -> (u64, usize) {
    let page = PAGE as u64;
    (offset / page, usize::try_from(offset % page).unwrap())
}

impl Octets {
    pub fn read(&self, offset: u64, out: &mut [u8]) -> usize {
        let there = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let n = out.len().min(there);
        let mut done = 0;
        while done < n {
            let (page, at) = split(offset + done as u64);
            let part = (PAGE - at).min(n - done);
            match self.pages.get(&page) {
                Some(page) => out[done..done + part].copy_from_slice(&page[at..at + part]),
                None => out[done..done + part].fill(0),
            }
            done += part;
        }
        n
    }

    pub fn write(&mut self, offset: u64, octets: &[u8]) {
        let mut done = 0;
        while done < octets.len() {
            let (number, at) = split(offset + done as u64);
            let part = (PAGE - at).min(octets.len() - done);
            let from = &octets[done..done + part];
            if part == PAGE && from.iter().all(|&octet| octet == 0) {
                self.pages.remove(&number);
            } else {
                let page = self.pages.entry(number);
                let page = page.or_insert_with(|| Arc::new([0; PAGE]));
                Arc::make_mut(page)[at..at + part].copy_from_slice(from);
            }
            done += part;
        }
        self.length = self.length.max(offset + octets.len() as u64);
    }

    pub fn set_length(&mut self, length: u64) {
        if length < self.length {
            let (last, at) = split(length);
            self.pages.retain(|&number, _| number <= last);
            if let Some(page) = self.pages.get_mut(&last) {
                Arc::make_mut(page)[at..].fill(0);
            }
        }
        self.length = length;
    }
}
