//! Traditional crypt(3): DES 25 times over a block of zeros, with a salt that swaps bits of the
//! expansion. It is what MySQL's `ENCRYPT()` left in the tables of old mail servers. No cipher: only
//! what verifying such a hash needs, bit by bit, as the seventh edition of Unix wrote it.

const INITIAL: [u8; 64] = [
    58, 50, 42, 34, 26, 18, 10, 2, 60, 52, 44, 36, 28, 20, 12, 4, 62, 54, 46, 38, 30, 22, 14, 6,
    64, 56, 48, 40, 32, 24, 16, 8, 57, 49, 41, 33, 25, 17, 9, 1, 59, 51, 43, 35, 27, 19, 11, 3, 61,
    53, 45, 37, 29, 21, 13, 5, 63, 55, 47, 39, 31, 23, 15, 7,
];
const FINAL: [u8; 64] = [
    40, 8, 48, 16, 56, 24, 64, 32, 39, 7, 47, 15, 55, 23, 63, 31, 38, 6, 46, 14, 54, 22, 62, 30,
    37, 5, 45, 13, 53, 21, 61, 29, 36, 4, 44, 12, 52, 20, 60, 28, 35, 3, 43, 11, 51, 19, 59, 27,
    34, 2, 42, 10, 50, 18, 58, 26, 33, 1, 41, 9, 49, 17, 57, 25,
];
const EXPANSION: [u8; 48] = [
    32, 1, 2, 3, 4, 5, 4, 5, 6, 7, 8, 9, 8, 9, 10, 11, 12, 13, 12, 13, 14, 15, 16, 17, 16, 17, 18,
    19, 20, 21, 20, 21, 22, 23, 24, 25, 24, 25, 26, 27, 28, 29, 28, 29, 30, 31, 32, 1,
];
const PERMUTATION: [u8; 32] = [
    16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19,
    13, 30, 6, 22, 11, 4, 25,
];
/// Which bits of the key make the two halves of the schedule.
const CHOICE_LEFT: [u8; 28] = [
    57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60,
    52, 44, 36,
];
const CHOICE_RIGHT: [u8; 28] = [
    63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5,
    28, 20, 12, 4,
];
const CHOICE: [u8; 48] = [
    14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2, 41, 52,
    31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
];
const SHIFTS: [usize; 16] = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1];
const BOXES: [[u8; 64]; 8] = [
    [
        14, 4, 13, 1, 2, 15, 11, 8, 3, 10, 6, 12, 5, 9, 0, 7, 0, 15, 7, 4, 14, 2, 13, 1, 10, 6, 12,
        11, 9, 5, 3, 8, 4, 1, 14, 8, 13, 6, 2, 11, 15, 12, 9, 7, 3, 10, 5, 0, 15, 12, 8, 2, 4, 9,
        1, 7, 5, 11, 3, 14, 10, 0, 6, 13,
    ],
    [
        15, 1, 8, 14, 6, 11, 3, 4, 9, 7, 2, 13, 12, 0, 5, 10, 3, 13, 4, 7, 15, 2, 8, 14, 12, 0, 1,
        10, 6, 9, 11, 5, 0, 14, 7, 11, 10, 4, 13, 1, 5, 8, 12, 6, 9, 3, 2, 15, 13, 8, 10, 1, 3, 15,
        4, 2, 11, 6, 7, 12, 0, 5, 14, 9,
    ],
    [
        10, 0, 9, 14, 6, 3, 15, 5, 1, 13, 12, 7, 11, 4, 2, 8, 13, 7, 0, 9, 3, 4, 6, 10, 2, 8, 5,
        14, 12, 11, 15, 1, 13, 6, 4, 9, 8, 15, 3, 0, 11, 1, 2, 12, 5, 10, 14, 7, 1, 10, 13, 0, 6,
        9, 8, 7, 4, 15, 14, 3, 11, 5, 2, 12,
    ],
    [
        7, 13, 14, 3, 0, 6, 9, 10, 1, 2, 8, 5, 11, 12, 4, 15, 13, 8, 11, 5, 6, 15, 0, 3, 4, 7, 2,
        12, 1, 10, 14, 9, 10, 6, 9, 0, 12, 11, 7, 13, 15, 1, 3, 14, 5, 2, 8, 4, 3, 15, 0, 6, 10, 1,
        13, 8, 9, 4, 5, 11, 12, 7, 2, 14,
    ],
    [
        2, 12, 4, 1, 7, 10, 11, 6, 8, 5, 3, 15, 13, 0, 14, 9, 14, 11, 2, 12, 4, 7, 13, 1, 5, 0, 15,
        10, 3, 9, 8, 6, 4, 2, 1, 11, 10, 13, 7, 8, 15, 9, 12, 5, 6, 3, 0, 14, 11, 8, 12, 7, 1, 14,
        2, 13, 6, 15, 0, 9, 10, 4, 5, 3,
    ],
    [
        12, 1, 10, 15, 9, 2, 6, 8, 0, 13, 3, 4, 14, 7, 5, 11, 10, 15, 4, 2, 7, 12, 9, 5, 6, 1, 13,
        14, 0, 11, 3, 8, 9, 14, 15, 5, 2, 8, 12, 3, 7, 0, 4, 10, 1, 13, 11, 6, 4, 3, 2, 12, 9, 5,
        15, 10, 11, 14, 1, 7, 6, 0, 8, 13,
    ],
    [
        4, 11, 2, 14, 15, 0, 8, 13, 3, 12, 9, 7, 5, 10, 6, 1, 13, 0, 11, 7, 4, 9, 1, 10, 14, 3, 5,
        12, 2, 15, 8, 6, 1, 4, 11, 13, 12, 3, 7, 14, 10, 15, 6, 8, 0, 5, 9, 2, 6, 11, 13, 8, 1, 4,
        10, 7, 9, 5, 0, 15, 14, 2, 3, 12,
    ],
    [
        13, 2, 8, 4, 6, 15, 11, 1, 10, 9, 3, 14, 5, 0, 12, 7, 1, 15, 13, 8, 10, 3, 7, 4, 12, 5, 6,
        11, 0, 14, 9, 2, 7, 11, 4, 1, 9, 12, 14, 2, 0, 6, 10, 13, 15, 3, 5, 8, 2, 1, 14, 7, 4, 10,
        8, 13, 15, 12, 9, 0, 3, 5, 6, 11,
    ],
];

/// `./0-9A-Za-z`, the first being 0.
const LETTERS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The eleven letters behind the salt. Only eight characters of a password count.
pub fn crypt(password: &[u8], salt: [u8; 2]) -> Vec<u8> {
    let keys = schedule(password);
    let expansion = salted(salt);
    let mut block = [0; 64];
    for _ in 0..25 {
        block = encrypt(block, &keys, &expansion);
    }
    let (sixes, rest) = block.as_chunks::<6>();
    let mut last = [0; 6];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    let sixes = sixes.iter().chain([&last]);
    sixes.map(|bits| letter(number(*bits))).collect()
}

/// One bit in each place, as everywhere here.
fn schedule(password: &[u8]) -> [[u8; 48]; 16] {
    let mut key = [0; 64];
    for (bits, octet) in key.chunks_mut(8).zip(password) {
        // Seven bits of a character; the eighth place of the key is no part of it.
        for (bit, place) in bits.iter_mut().zip((0..7).rev()) {
            *bit = (octet >> place) & 1;
        }
    }
    let mut left: [u8; 28] = pick(&key, &CHOICE_LEFT);
    let mut right: [u8; 28] = pick(&key, &CHOICE_RIGHT);
    SHIFTS.map(|shift| {
        left.rotate_left(shift);
        right.rotate_left(shift);
        let mut both = [0; 56];
        for (to, from) in both.iter_mut().zip(left.iter().chain(&right)) {
            *to = *from;
        }
        pick(&both, &CHOICE)
    })
}

/// The twelve bits of the salt each swap two places of the expansion.
fn salted(salt: [u8; 2]) -> [u8; 48] {
    let mut expansion = EXPANSION;
    let bits = salt.into_iter().flat_map(|letter| {
        let number = LETTERS.iter().position(|known| *known == letter);
        (0..6).map(move |place| number.unwrap_or(0) >> place & 1 == 1)
    });
    let (front, back) = expansion.split_at_mut(24);
    for ((a, b), swapped) in front.iter_mut().zip(back).zip(bits) {
        if swapped {
            std::mem::swap(a, b);
        }
    }
    expansion
}

fn encrypt(block: [u8; 64], keys: &[[u8; 48]; 16], expansion: &[u8; 48]) -> [u8; 64] {
    let block: [u8; 64] = pick(&block, &INITIAL);
    let (mut left, mut right) = ([0; 32], [0; 32]);
    let halves = left.iter_mut().chain(right.iter_mut());
    for (to, from) in halves.zip(&block) {
        *to = *from;
    }
    for key in keys {
        let mut wide: [u8; 48] = pick(&right, expansion);
        for (bit, key) in wide.iter_mut().zip(key) {
            *bit ^= key;
        }
        let mut narrow = [0; 32];
        let sixes = wide.as_chunks::<6>().0.iter();
        let fours = narrow.as_chunks_mut::<4>().0.iter_mut();
        for ((six, four), table) in sixes.zip(fours).zip(&BOXES) {
            let [first, middle @ .., last] = *six;
            let place = number([first, last].into_iter().chain(middle));
            let found = table.get(place).copied().unwrap_or(0);
            *four = [found >> 3 & 1, found >> 2 & 1, found >> 1 & 1, found & 1];
        }
        let mut mixed: [u8; 32] = pick(&narrow, &PERMUTATION);
        for (bit, left) in mixed.iter_mut().zip(left) {
            *bit ^= left;
        }
        left = right;
        right = mixed;
    }
    let mut both = [0; 64];
    for (to, from) in both.iter_mut().zip(right.iter().chain(&left)) {
        *to = *from;
    }
    pick(&both, &FINAL)
}

/// The bits at these places, the first being 1.
fn pick<const N: usize>(bits: &[u8], places: &[u8; N]) -> [u8; N] {
    places.map(|place| {
        let place = usize::from(place).saturating_sub(1);
        bits.get(place).copied().unwrap_or(0)
    })
}

fn number(bits: impl IntoIterator<Item = u8>) -> usize {
    bits.into_iter()
        .fold(0, |number, bit| number << 1 | usize::from(bit))
}

fn letter(number: usize) -> u8 {
    LETTERS.get(number).copied().unwrap_or(b'.')
}
