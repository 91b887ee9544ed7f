//! Octets near those of a corpus; the same seed gives the same ones.

/// Inputs do not grow beyond this, in octets, unless a seed is longer.
const LONGEST: usize = 16 * 1024;

#[derive(Debug)]
pub struct Mutator {
    state: u64,
    words: &'static [&'static str],
    corpus: Vec<Vec<u8>>,
}

impl Mutator {
    pub fn new(seed: u64, words: &'static [&'static str], corpus: Vec<Vec<u8>>) -> Self {
        Self {
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            words,
            corpus,
        }
    }

    pub fn near(&mut self) -> Vec<u8> {
        let mut octets = self.seed();
        let longest = LONGEST.max(octets.len());
        for _ in 0..=self.below(5) {
            self.mutate(&mut octets);
        }
        octets.truncate(longest);
        octets
    }

    fn seed(&mut self) -> Vec<u8> {
        let at = self.below(self.corpus.len());
        self.corpus[at].clone()
    }

    fn mutate(&mut self, octets: &mut Vec<u8>) {
        let (from, to) = self.span(octets.len());
        match self.below(11) {
            0 if from < octets.len() => octets[from] ^= 1 << self.below(8),
            1 if from < octets.len() => octets[from] = self.octet(),
            2 => drop(octets.drain(from..to)),
            3 => {
                let copied = octets[from..to].to_vec();
                let at = self.below(octets.len() + 1);
                octets.splice(at..at, copied);
            }
            4 | 5 => {
                let word = self.word();
                octets.splice(from..from, word);
            }
            6 => {
                let word = self.word();
                octets.splice(from..to, word);
            }
            7 => {
                let other = self.seed();
                let (other_from, other_to) = self.span(other.len());
                octets.splice(from..to, other[other_from..other_to].to_vec());
            }
            8 => {
                let times = 1 << self.below(6);
                let repeated = octets[from..to.min(from + 64)].repeat(times);
                octets.splice(from..from, repeated);
            }
            9 => octets.truncate(to),
            _ => self.swap_lines(octets),
        }
    }

    fn swap_lines(&mut self, octets: &mut Vec<u8>) {
        let mut lines: Vec<_> = octets.split_inclusive(|c| *c == b'\n').collect();
        if !lines.is_empty() {
            let (one, other) = (self.below(lines.len()), self.below(lines.len()));
            lines.swap(one, other);
            *octets = lines.concat();
        }
    }

    fn word(&mut self) -> Vec<u8> {
        let at = self.below(self.words.len() + 1);
        match self.words.get(at) {
            Some(word) => word.as_bytes().to_vec(),
            None => vec![self.octet(), self.octet()],
        }
    }

    /// A part of so many octets, mostly a short one.
    fn span(&mut self, length: usize) -> (usize, usize) {
        let from = self.below(length + 1);
        let most = if self.below(4) == 0 { length } else { 16 };
        let to = from + self.below(most.min(length - from) + 1);
        (from, to)
    }

    fn octet(&mut self) -> u8 {
        let odd = b"\0\r\n .\"\\(){}<>@:;,=?-\xff\x80\xc3";
        match self.below(2) {
            0 => odd[self.below(odd.len())],
            _ => u8::try_from(self.below(256)).unwrap(),
        }
    }

    fn below(&mut self, most: usize) -> usize {
        // xorshift64*
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let high = self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).unwrap() % most.max(1)
    }
}

/// Tells inputs apart in file names (FNV-1a).
pub fn sum(octets: &[u8]) -> u32 {
    octets.iter().fold(0x811c_9dc5, |sum, octet| {
        (sum ^ u32::from(*octet)).wrapping_mul(0x0100_0193)
    })
}
