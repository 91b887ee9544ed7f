//! What a search asks before it reads a message: a Bloom filter of all runs of three octets in the
//! message's folded text. A text that is there is never denied.

/// Octets of a section's bits before they are folded.
const OCTETS_MAX: usize = 4096;
const SIZE_MAX: u8 = 12;
/// In place of a size: nothing can be told from the bits.
const ANYTHING: u8 = 0xff;

/// Where in a message text stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// What TEXT looks into and BODY does not: header fields, those of MIME parts too.
    Header,
    /// What both look into.
    Body,
}

/// Collects a message's texts.
#[derive(Debug)]
pub struct Builder {
    header: Section,
    body: Section,
}

#[derive(Debug)]
struct Section {
    bits: Box<[u8]>,
    /// The last octets, for runs that reach into the next piece.
    run: u32,
    held: u8,
}

/// Grows with every change of what is stored or of how text is folded or decoded.
pub const VERSION: u8 = 1;

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    #[must_use]
    pub fn new() -> Self {
        Self {
            header: Section::new(),
            body: Section::new(),
        }
    }

    /// Takes the next piece of a text, folded. Texts may follow each other without a mark.
    pub fn text(&mut self, place: Place, folded: &str) {
        match place {
            Place::Header => self.header.text(folded.as_bytes()),
            Place::Body => self.body.text(folded.as_bytes()),
        }
    }

    /// For the store: a version; then of each section its size, as a power of two, and its bits. From
    /// 5 octets for nothing to 8 KiB.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        let mut out = vec![VERSION];
        self.header.finish(&mut out);
        self.body.finish(&mut out);
        out
    }
}

impl Section {
    fn new() -> Self {
        Self {
            bits: vec![0; OCTETS_MAX].into_boxed_slice(),
            run: 0,
            held: 0,
        }
    }

    fn text(&mut self, octets: &[u8]) {
        for &octet in octets {
            self.run = (self.run << 8 | u32::from(octet)) & 0x00ff_ffff;
            if self.held < 2 {
                self.held = self.held.saturating_add(1);
                continue;
            }
            let (at, bit) = place(self.run, OCTETS_MAX);
            if let Some(octet) = self.bits.get_mut(at) {
                *octet |= bit;
            }
        }
    }

    /// Halves the bits, one half upon the other, as long as less than a third of them are set.
    fn finish(mut self, out: &mut Vec<u8>) {
        let mut bits = &mut *self.bits;
        let mut size = SIZE_MAX;
        if ones(bits) > bits.len().saturating_mul(7) {
            out.push(ANYTHING);
            return;
        }
        while let Some(less) = size.checked_sub(1) {
            let (low, high) = bits.split_at(bits.len() / 2);
            let both = low.iter().zip(high).map(|(a, b)| a | b);
            let set: usize = both.map(|octet| octet.count_ones() as usize).sum();
            if set.saturating_mul(3) >= low.len().saturating_mul(8) {
                break;
            }
            let (low, high) = bits.split_at_mut(bits.len() / 2);
            for (a, b) in low.iter_mut().zip(high.iter()) {
                *a |= b;
            }
            (bits, size) = (low, less);
        }
        out.push(size);
        out.extend_from_slice(bits);
    }
}

fn ones(bits: &[u8]) -> usize {
    bits.iter().map(|octet| octet.count_ones() as usize).sum()
}

/// The octet and the bit of a run of three among `octets` of them, a power of two.
fn place(run: u32, octets: usize) -> (usize, u8) {
    let mixed = run.wrapping_mul(0x9e37_79b1) >> 17;
    let at = (mixed >> 3) as usize & octets.saturating_sub(1);
    (at, 1 << (mixed & 7))
}

/// Whether a message whose filter is `stored` may have `needle` in that place; `needle` folded. True
/// when unsure: a needle of less than three octets, another version, damage.
#[must_use]
pub fn may_hold(stored: &[u8], place: Place, needle: &str) -> bool {
    let [VERSION, rest @ ..] = stored else {
        return true;
    };
    let Some((header, rest)) = section(rest) else {
        return true;
    };
    let bits = match place {
        Place::Header => header,
        Place::Body => match section(rest) {
            Some((body, _)) => body,
            None => return true,
        },
    };
    let Some(bits) = bits else {
        return true;
    };
    needle.as_bytes().windows(3).all(|run| {
        let run = run
            .iter()
            .fold(0, |run, &octet| run << 8 | u32::from(octet));
        let (at, bit) = self::place(run, bits.len());
        bits.get(at).is_none_or(|octet| octet & bit != 0)
    })
}

/// A section's bits, `None` where they say nothing; and what follows.
fn section(from: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let (&size, rest) = from.split_first()?;
    match size {
        ANYTHING => Some((None, rest)),
        0..=SIZE_MAX => {
            let (bits, rest) = rest.split_at_checked(1 << size)?;
            Some((Some(bits), rest))
        }
        _ => None,
    }
}

/// Whether this is a filter of today's version.
#[must_use]
pub fn is_current(stored: &[u8]) -> bool {
    stored.first() == Some(&VERSION)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mail::fold::folded;

    fn filter(pieces: &[&str]) -> Vec<u8> {
        let mut builder = Builder::new();
        for piece in pieces {
            builder.text(Place::Body, piece);
        }
        builder.finish()
    }

    #[test]
    fn words_of_a_text() {
        let words = "the quick brown fox jumps over the lazy dog while seven wizards vex my jolt";
        let stored = filter(&[words]);
        assert_eq!(stored.first(), Some(&VERSION));
        assert!(stored.len() <= 40, "{}", stored.len());
        for word in words.split(' ') {
            assert!(may_hold(&stored, Place::Body, word));
        }
        assert!(!may_hold(&stored, Place::Body, "zyzzyva"));
        assert!(!may_hold(&stored, Place::Body, "xylophone"));
        // Too short to say; and the header has nothing.
        assert!(may_hold(&stored, Place::Body, "zz"));
        assert!(may_hold(&stored, Place::Header, ""));
        assert!(!may_hold(&stored, Place::Header, "quick"));
    }

    #[test]
    fn sizes() {
        assert_eq!(filter(&[]), [VERSION, 0, 0, 0, 0]);
        let numbers = |n: u32| {
            (0..n)
                .map(|n| (n.wrapping_mul(0x9e37_79b1)).to_string())
                .collect::<String>()
        };
        let bits = |stored: &[u8]| stored.len() - 4;
        let small = filter(&[&numbers(20)]);
        let letters: String = (0..90_000_u32)
            .filter_map(|n| char::from_u32(0x4e00 + n * 7919 % 20_000))
            .collect();
        let large = filter(&[&letters]);
        assert!(
            bits(&small) < 128 && large.len() == 4,
            "{} {}",
            small.len(),
            large.len()
        );
        assert_eq!(large, [VERSION, 0, 0, ANYTHING]);
        assert!(may_hold(&large, Place::Body, "anything"));
    }

    #[test]
    fn a_third_at_most() {
        for words in [10_u32, 100, 400, 1500] {
            let numbers = (0..words).map(|n| n.wrapping_mul(0x85eb_ca6b));
            let text: String = numbers.map(|n| n.to_string() + " ").collect();
            let stored = filter(&[&text]);
            let bits = &stored[4..];
            assert!(ones(bits) * 3 < bits.len() * 8, "{words}");
        }
    }

    #[test]
    fn what_cannot_be_read_denies_nothing() {
        for stored in [
            &b""[..],
            &[VERSION],
            &[VERSION, 3, 0],
            &[0, 0, 0, 0, 0],
            &[VERSION, 99],
        ] {
            assert!(may_hold(stored, Place::Body, "needle"), "{stored:?}");
        }
        assert!(!may_hold(&[VERSION, 0, 0, 0, 0], Place::Body, "needle"));
    }

    proptest! {
        /// However a text is cut, what is in it is not denied.
        #[test]
        fn nothing_is_denied(before: String, needle: String, after: String, cut in 1usize..9) {
            let text = folded(&format!("{before}{needle}{after}"));
            let chars: Vec<String> = text.chars().map(String::from).collect();
            let pieces: Vec<String> = chars.chunks(cut).map(<[String]>::concat).collect();
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            prop_assert!(may_hold(&filter(&pieces), Place::Body, &folded(&needle)));
        }

        #[test]
        fn any_octets(stored: Vec<u8>, needle: String) {
            let _ = may_hold(&stored, Place::Header, &needle);
            let _ = may_hold(&stored, Place::Body, &needle);
        }
    }
}
