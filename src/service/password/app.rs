//! App passwords as people see them: 128 random bits in letters that are hard to mistake.

use super::scram::sha256;
use crate::base::secret::Secret;

/// App passwords that one person may have.
pub const APPS_MAX: usize = 50;
/// Longest name of one, in octets.
pub const NAME_MAX: usize = 64;

/// Crockford's base 32: no i, l, o, u. Who types them in spite of it means 1, 1, 0 (and never u).
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Letters of an app password; the first holds three bits only.
const LENGTH: usize = 26;
/// Where the dashes are: `xxxxx-xxxxx-xxxxx-xxxxx-xxxxxx`.
const GROUP: usize = 5;

/// As it is shown, once.
pub fn print(bits: [u8; 16]) -> Secret {
    let mut rest = u128::from_be_bytes(bits);
    let mut letters = [b'0'; LENGTH];
    for letter in letters.iter_mut().rev() {
        let place = usize::try_from(rest & 31).unwrap_or(0);
        *letter = LETTERS.get(place).copied().unwrap_or(b'0');
        rest >>= 5;
    }
    let mut text = Vec::with_capacity(LENGTH.saturating_add(4));
    for (place, letter) in letters.into_iter().enumerate() {
        if place % GROUP == 0 && (1..=4).contains(&(place / GROUP)) {
            text.push(b'-');
        }
        text.push(letter);
    }
    letters.fill(0);
    Secret::new(text)
}

/// The SHA-256 of what was typed, spaces, dashes and case aside; `None`: it is no app password.
pub fn digest(typed: &Secret) -> Option<[u8; 32]> {
    let mut letters = Vec::with_capacity(LENGTH);
    for octet in typed.reveal() {
        let letter = match octet.to_ascii_lowercase() {
            b' ' | b'-' => continue,
            b'i' | b'l' => b'1',
            b'o' => b'0',
            letter => letter,
        };
        if !LETTERS.contains(&letter) || letters.len() == LENGTH {
            return None;
        }
        letters.push(letter);
    }
    let letters = Secret::new(letters);
    (letters.reveal().len() == LENGTH).then(|| sha256(letters.reveal()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.as_bytes().to_vec())
    }

    #[test]
    fn as_people_see_it_and_type_it() {
        let shown = print([0xff; 16]);
        assert_eq!(shown, secret("7zzzz-zzzzz-zzzzz-zzzzz-zzzzzz"));
        let mut bits = [0; 16];
        bits[15] = 0b10_0001;
        bits[0] = 0b0010_0000;
        assert_eq!(print(bits), secret("10000-00000-00000-00000-000011"));
        let right = digest(&print(bits));
        assert!(right.is_some());
        for typed in [
            "10000-00000-00000-00000-000011",
            "10000000000000000000000011",
            "lO00o 00000 00000 0000-0 0000iI ",
        ] {
            assert_eq!(digest(&secret(typed)), right, "{typed}");
        }
        for typed in [
            "",
            "hush",
            "1000000000000000000000001",
            "100000000000000000000000111",
            "u0000-00000-00000-00000-000011",
            "10000_00000_00000_00000_000011",
        ] {
            assert_eq!(digest(&secret(typed)), None, "{typed}");
        }
        assert_ne!(digest(&shown), right);
    }

    #[test]
    fn all_bits_count() {
        let mut seen = std::collections::HashSet::new();
        for place in 0..128_u32 {
            seen.insert(print((1_u128 << place).to_be_bytes()).reveal().to_vec());
        }
        assert_eq!(seen.len(), 128);
    }
}
