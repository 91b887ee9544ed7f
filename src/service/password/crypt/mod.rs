//! crypt(3) hashes that other servers left (ST-6): read and verified, never made.

mod des;
mod md5;

use base64::{
    Engine as _,
    alphabet::BCRYPT,
    engine::{GeneralPurpose, general_purpose::NO_PAD},
};
use sha_crypt::{Params, sha256_crypt, sha512_crypt};

use super::same;

/// Rounds of a SHA-crypt hash that are borne; those that say nothing have 5,000.
pub const ROUNDS_MAX: u32 = 1_000_000;
/// Cost of a bcrypt hash that is borne: 2^14 rounds are about a second of a desktop machine.
pub const COST_MAX: u32 = 14;
/// Longer passwords are never right: SHA-crypt's work grows with them, and no crypt(3) takes many more.
const LENGTH_MAX: usize = 256;
/// What bcrypt looks at, its closing NUL included.
const BCRYPT_LENGTH: usize = 72;

/// A hash, taken apart.
#[derive(Debug, Eq, PartialEq)]
pub enum Crypt<'a> {
    Bcrypt {
        cost: u32,
        salt: [u8; 16],
        hash: Vec<u8>,
    },
    /// The only one that has no `$`: 13 letters.
    Des {
        salt: [u8; 2],
        hash: &'a [u8],
    },
    Md5 {
        salt: &'a str,
        hash: &'a str,
    },
    Sha256 {
        rounds: u32,
        salt: &'a str,
        hash: &'a str,
    },
    Sha512 {
        rounds: u32,
        salt: &'a str,
        hash: &'a str,
    },
}

/// Why a text is no hash that can be verified.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unfit {
    /// It would take too long: [`COST_MAX`], [`ROUNDS_MAX`].
    Costly,
    /// It begins like one that is known, and then is none.
    Spoilt,
    Unknown,
}

/// # Errors
///
/// See [`Unfit`].
pub fn parse(text: &str) -> Result<Crypt<'_>, Unfit> {
    if let Some((salt, hash)) = text.split_at_checked(2).filter(|_| text.len() == 13) {
        let letters = text.bytes().all(is_letter);
        if let (true, [a, b]) = (letters, salt.as_bytes()) {
            let (salt, hash) = ([*a, *b], hash.as_bytes());
            return Ok(Crypt::Des { salt, hash });
        }
    }
    let rest = text.strip_prefix('$').ok_or(Unfit::Unknown)?;
    let (kind, rest) = rest.split_once('$').ok_or(Unfit::Unknown)?;
    match kind {
        "1" => {
            let (salt, hash) = tail(rest, 8, 22)?;
            Ok(Crypt::Md5 { salt, hash })
        }
        "2a" | "2b" | "2y" => bcrypt_hash(rest),
        "5" => {
            let (rounds, rest) = rounds(rest)?;
            let (salt, hash) = tail(rest, 16, 43)?;
            Ok(Crypt::Sha256 { rounds, salt, hash })
        }
        "6" => {
            let (rounds, rest) = rounds(rest)?;
            let (salt, hash) = tail(rest, 16, 86)?;
            Ok(Crypt::Sha512 { rounds, salt, hash })
        }
        _ => Err(Unfit::Unknown),
    }
}

impl Crypt<'_> {
    /// Whether this is the password, octet by octet as it was typed.
    pub fn is(&self, password: &[u8]) -> bool {
        if password.len() > LENGTH_MAX || password.contains(&0) {
            return false;
        }
        match self {
            Self::Bcrypt { cost, salt, hash } => {
                let end = password.len().min(BCRYPT_LENGTH);
                let mut key = password.get(..end).unwrap_or_default().to_vec();
                if key.len() < BCRYPT_LENGTH {
                    key.push(0);
                }
                let found = bcrypt::bcrypt(*cost, *salt, &key);
                key.fill(0);
                found
                    .split_last()
                    .is_some_and(|(_, found)| same(found, hash))
            }
            Self::Des { salt, hash } => same(&des::crypt(password, *salt), hash),
            Self::Md5 { salt, hash } => {
                let found = md5::crypt(password, salt.as_bytes());
                let order = [0, 6, 12, 1, 7, 13, 2, 8, 14, 3, 9, 15, 4, 10, 5];
                same(&letters(&found, order, &[11], 22), hash.as_bytes())
            }
            Self::Sha256 { rounds, salt, hash } => Params::new(*rounds).is_ok_and(|params| {
                let found = sha256_crypt(password, salt.as_bytes(), params);
                let order = turning(10, |[a, b, c]| [c, a, b]);
                same(&letters(&found, order, &[31, 30], 43), hash.as_bytes())
            }),
            Self::Sha512 { rounds, salt, hash } => Params::new(*rounds).is_ok_and(|params| {
                let found = sha512_crypt(password, salt.as_bytes(), params);
                let order = turning(21, |[a, b, c]| [b, c, a]);
                same(&letters(&found, order, &[63], 86), hash.as_bytes())
            }),
        }
    }
}

/// `10$` and 53 letters.
fn bcrypt_hash(text: &str) -> Result<Crypt<'_>, Unfit> {
    let (cost, rest) = text.split_once('$').ok_or(Unfit::Spoilt)?;
    let (salt, hash) = rest.split_at_checked(22).ok_or(Unfit::Spoilt)?;
    if cost.len() != 2 || hash.len() != 31 {
        return Err(Unfit::Spoilt);
    }
    let cost: u32 = cost.parse().map_err(|_| Unfit::Spoilt)?;
    // The last letters hold bits that nobody reads; some programs leave them set.
    let code = GeneralPurpose::new(&BCRYPT, NO_PAD.with_decode_allow_trailing_bits(true));
    let decode = |text| code.decode(text).map_err(|_| Unfit::Spoilt);
    let salt = decode(salt)?.try_into().map_err(|_| Unfit::Spoilt)?;
    let hash = decode(hash)?;
    match cost {
        0..4 => Err(Unfit::Spoilt),
        4..=COST_MAX => Ok(Crypt::Bcrypt { cost, salt, hash }),
        _ => Err(Unfit::Costly),
    }
}

/// `rounds=656000$` or nothing.
fn rounds(text: &str) -> Result<(u32, &str), Unfit> {
    let Some(rest) = text.strip_prefix("rounds=") else {
        return Ok((Params::RECOMMENDED_ROUNDS, text));
    };
    let (number, rest) = rest.split_once('$').ok_or(Unfit::Spoilt)?;
    if number.is_empty() || !number.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(Unfit::Spoilt);
    }
    match number.parse() {
        // The algorithm's author has fewer count as 1,000; the C library refuses them today.
        Ok(number @ 0..=ROUNDS_MAX) => Ok((number.max(Params::ROUNDS_MIN), rest)),
        _ => Err(Unfit::Costly),
    }
}

/// Salt and hash; a salt that is too long was cut when the hash was made.
fn tail(text: &str, salt_max: usize, length: usize) -> Result<(&str, &str), Unfit> {
    let (salt, hash) = text.split_once('$').ok_or(Unfit::Spoilt)?;
    let right = hash.len() == length && hash.bytes().all(is_letter) && salt.is_ascii();
    let salt = salt.get(..salt_max).unwrap_or(salt);
    if right {
        Ok((salt, hash))
    } else {
        Err(Unfit::Spoilt)
    }
}

const LETTERS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

fn is_letter(octet: u8) -> bool {
    LETTERS.contains(&octet)
}

/// Octets in this order, three to four letters, the lowest bits first; `rest` are those of the last
/// group, highest first. `length`: how many letters there are.
fn letters(
    digest: &[u8],
    order: impl IntoIterator<Item = usize>,
    rest: &[usize],
    length: usize,
) -> Vec<u8> {
    let octet = |place: usize| digest.get(place).map_or(0, |octet| u32::from(*octet));
    let mut text = Vec::with_capacity(length.saturating_add(3));
    let mut write = |group: u32| {
        for shift in [0, 6, 12, 18] {
            let place = usize::try_from(group >> shift & 63).unwrap_or(0);
            text.push(LETTERS.get(place).copied().unwrap_or(b'.'));
        }
    };
    let mut order = order.into_iter();
    while let (Some(a), Some(b), Some(c)) = (order.next(), order.next(), order.next()) {
        write(octet(a) << 16 | octet(b) << 8 | octet(c));
    }
    write(
        rest.iter()
            .fold(0, |group, place| group << 8 | octet(*place)),
    );
    text.truncate(length);
    text
}

/// The order in which SHA-crypt writes octets: three runs that change places with every group.
fn turning(run: usize, turn: fn([usize; 3]) -> [usize; 3]) -> impl Iterator<Item = usize> {
    let mut next = [0, run, run.saturating_mul(2)];
    (0..run).flat_map(move |_| {
        let group = next;
        next = turn(group.map(|place| place.saturating_add(1)));
        group
    })
}

#[cfg(test)]
mod tests;
