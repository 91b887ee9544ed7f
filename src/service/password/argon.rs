//! argon2id, what every password becomes here (`docs/limits.md` has the sizes).

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};

use super::{same, scram};
use crate::{base::secret::Secret, config::schema::Profile};

/// What a stored hash may ask for, in KiB: a row from a restored or imported folder must not take
/// the machine's memory.
const MEMORY_MAX: u32 = 64 * 1024;
/// Passes a stored hash may ask for.
const PASSES_MAX: u32 = 16;
const HASH_LENGTH: usize = 32;

/// What a new hash costs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cost {
    /// In KiB.
    pub memory: u32,
    pub passes: u32,
    /// Iterations for SCRAM.
    pub scram: u32,
}

impl Cost {
    /// `spec/ux.md` section 3.12.
    #[must_use]
    pub fn of(profile: Profile) -> Self {
        let (mebibytes, passes) = match profile {
            Profile::Tiny => (7_u32, 5),
            Profile::Small => (12, 3),
            Profile::Normal => (19, 2),
        };
        Self {
            memory: mebibytes.saturating_mul(1024),
            passes,
            scram: scram::COUNT,
        }
    }
}

/// A stored hash, taken apart.
pub struct Hash {
    /// In KiB.
    memory: u32,
    passes: u32,
    lanes: u32,
    salt: Vec<u8>,
    octets: Vec<u8>,
}

impl Hash {
    /// Whether this is the password.
    pub fn is(&self, password: &Secret) -> bool {
        let length = self.octets.len();
        let (memory, passes, lanes) = (self.memory, self.passes, self.lanes);
        let found = derive(memory, passes, lanes, password, &self.salt, length);
        found.is_some_and(|octets| same(&octets, &self.octets))
    }
}

/// A new hash. `None`: there is no memory for it.
pub fn new(cost: Cost, password: &Secret, salt: &[u8]) -> Option<Vec<u8>> {
    derive(cost.memory, cost.passes, 1, password, salt, HASH_LENGTH)
}

/// `None`: the parameters are none, or there is no memory for them.
fn derive(
    memory: u32,
    passes: u32,
    lanes: u32,
    password: &Secret,
    salt: &[u8],
    length: usize,
) -> Option<Vec<u8>> {
    let params = Params::new(memory, passes, lanes, Some(length)).ok()?;
    let mut octets = vec![0; length];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.reveal(), salt, &mut octets)
        .ok()?;
    Some(octets)
}

/// `$argon2id$v=19$m=12288,t=3,p=1$<salt>$<hash>`, the PHC string format.
pub fn write(cost: Cost, salt: &[u8], hash: &[u8]) -> String {
    format!(
        "$argon2id$v=19$m={},t={},p=1${}${}",
        cost.memory,
        cost.passes,
        STANDARD_NO_PAD.encode(salt),
        STANDARD_NO_PAD.encode(hash)
    )
}

/// `None` for what is no argon2id hash or would cost too much.
pub fn read(phc: &[u8]) -> Option<Hash> {
    let mut fields = str::from_utf8(phc).ok()?.split('$');
    let mut field = || fields.next();
    if (field()?, field()?, field()?) != ("", "argon2id", "v=19") {
        return None;
    }
    let (mut memory, mut passes, mut lanes) = (None, None, None);
    for parameter in field()?.split(',') {
        let (name, number) = parameter.split_once('=')?;
        let slot = match name {
            "m" => &mut memory,
            "t" => &mut passes,
            "p" => &mut lanes,
            _ => return None,
        };
        *slot = Some(number.parse::<u32>().ok()?);
    }
    let salt = STANDARD_NO_PAD.decode(field()?).ok()?;
    let octets = STANDARD_NO_PAD.decode(field()?).ok()?;
    let right = (8..=64).contains(&salt.len()) && (16..=64).contains(&octets.len());
    (right && field().is_none()).then_some(Hash {
        memory: memory.filter(|memory| *memory <= MEMORY_MAX)?,
        passes: passes.filter(|passes| *passes <= PASSES_MAX)?,
        lanes: lanes.filter(|lanes| *lanes <= 16)?,
        salt,
        octets,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.as_bytes().to_vec())
    }

    /// Argon2's own test vector form: `echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1`.
    #[test]
    fn hashes_of_others() {
        let phc = b"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let hash = read(phc).unwrap();
        assert!(hash.is(&secret("password")));
        assert!(!hash.is(&secret("passwort")));
    }

    #[test]
    fn strange_hashes_are_never_right() {
        let good =
            "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert!(read(good.as_bytes()).is_some());
        for bad in [
            String::new(),
            "$".repeat(1000),
            good.replace("m=64", "m=65537"),
            good.replace("t=1", "t=17"),
            good.replace("p=1", "p=17"),
            good.replace("p=1", "p=1,p"),
            good.replace(",p=1", ""),
            good.replace("argon2id", "argon2i"),
            good.replace("c29tZXNhbHQ", ""),
            format!("{good}$"),
        ] {
            assert!(read(bad.as_bytes()).is_none(), "{bad}");
        }
        for zero in ["m=64", "t=1", "p=1"] {
            let name = zero.split('=').next().unwrap();
            let phc = good.replace(zero, &format!("{name}=0"));
            let hash = read(phc.as_bytes()).unwrap();
            let (memory, passes, lanes) = (hash.memory, hash.passes, hash.lanes);
            let octets = derive(memory, passes, lanes, &secret("x"), &hash.salt, 32);
            assert_eq!(octets, None);
        }
    }
}
