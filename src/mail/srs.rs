//! The Sender Rewriting Scheme: a reverse-path under a domain of ours, from which the old one can be read
//! when a bounce comes back. The forms are those of libsrs2 and postsrsd: `SRS0=hash=day=domain=local`,
//! and `SRS1=hash=host==…` for what somebody else has rewritten.

use ring::hmac;

use crate::{
    base::time::{BUILT, Time},
    mail::{address::Address, domain::Domain},
};

/// Letters of the hash, five bits each: somebody who guesses needs 10^12 tries.
const HASH: usize = 8;
/// Days for which a bounce is taken.
const DAYS: i64 = 21;
/// Days that are told apart: two letters.
const AGE: i64 = 1024;
/// Of base32 (RFC 4648 section 6). Somebody on the way may change their case.
const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Writes and reads rewritten reverse-paths.
#[derive(Clone, Debug)]
pub struct Srs {
    key: hmac::Key,
}

/// Why a local part leads nowhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unreadable {
    /// It was not made here, or was changed.
    Forged,
    /// Nobody bounces that late.
    Old,
    /// It has not the form.
    Syntax,
}

impl Srs {
    /// Whoever knows the secret can send mail through here to anybody.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, secret),
        }
    }

    /// The reverse-path for a message of `sender` (without brackets) that leaves under `domain`. `None` for
    /// what is no address, and where the new one would be too long.
    #[must_use]
    pub fn forward(&self, sender: &str, domain: &str, now: Time) -> Option<String> {
        let sender = Address::parse(sender)?;
        let domain = Domain::parse(domain)?;
        let local = match Form::of(&sender.local) {
            Some(Form::First(rest)) => self.second(sender.domain.as_str(), rest),
            Some(Form::Second(sign, rest)) => {
                // The one who rewrote it first stays the one to whom it goes back.
                let (_, rest) = rest.split_once(sign)?;
                let (host, rest) = rest.split_once('=')?;
                self.second(Domain::parse(host)?.as_str(), rest)
            }
            None => {
                let day = day_letters(day(now));
                let rest = [&day, "=", sender.domain.as_str(), "=", &sender.local].concat();
                ["SRS0=", &self.hash(&rest), "=", &rest].concat()
            }
        };
        Some(Address::new(local, domain)?.to_string())
    }

    /// The same to the end: what went out from here twice stands for a reverse-path of our own making.
    ///
    /// # Errors
    ///
    /// As [`Srs::reverse`].
    pub fn original(&self, local: &str, now: Time) -> Result<String, Unreadable> {
        let address = self.reverse(local, now)?;
        let again = address
            .rsplit_once('@')
            .filter(|(local, _)| is_rewritten(local))
            .and_then(|(local, _)| self.reverse(local, now).ok());
        Ok(again.unwrap_or(address))
    }

    /// The path to which a bounce to this (unquoted) local part goes on.
    ///
    /// # Errors
    ///
    /// It goes nowhere: see [`Unreadable`].
    pub fn reverse(&self, local: &str, now: Time) -> Result<String, Unreadable> {
        let address = match Form::of(local).ok_or(Unreadable::Syntax)? {
            Form::First(rest) => self.reverse_first(rest, now)?,
            Form::Second(sign, rest) => {
                let rest = self.proven(rest, sign)?;
                let (host, rest) = rest.split_once('=').ok_or(Unreadable::Syntax)?;
                let host = Domain::parse(host).ok_or(Unreadable::Syntax)?;
                let local = ["SRS0", rest].concat();
                if !matches!(Form::of(&local), Some(Form::First(_))) {
                    return Err(Unreadable::Syntax);
                }
                Address::new(local, host)
            }
        };
        Ok(address.ok_or(Unreadable::Syntax)?.to_string())
    }

    /// `rest` begins with its separator.
    fn reverse_first(&self, rest: &str, now: Time) -> Result<Option<Address>, Unreadable> {
        let sign = rest.chars().next().ok_or(Unreadable::Syntax)?;
        let rest = rest.strip_prefix(sign).unwrap_or_default();
        let rest = self.proven(rest, sign)?;
        let mut parts = rest.splitn(3, '=');
        let (Some(day), Some(host), Some(local)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(Unreadable::Syntax);
        };
        let made = day_number(day).ok_or(Unreadable::Syntax)?;
        // A clock that was set back by less than a day makes nothing old.
        let age = self::day(now)
            .saturating_add(1)
            .saturating_sub(made)
            .rem_euclid(AGE);
        // Without a calendar nobody knows (UX-37).
        if now.0 >= BUILT && age > DAYS + 1 {
            return Err(Unreadable::Old);
        }
        let host = Domain::parse(host).ok_or(Unreadable::Syntax)?;
        Ok(Address::new(local.to_owned(), host))
    }

    /// `rest` begins with its separator: it is kept, as the one who made it will look at it.
    fn second(&self, host: &str, rest: &str) -> String {
        let rest = [host, "=", rest].concat();
        ["SRS1=", &self.hash(&rest), "=", &rest].concat()
    }

    /// What follows the hash, if that is right.
    fn proven<'a>(&self, text: &'a str, sign: char) -> Result<&'a str, Unreadable> {
        // A server that prefers another separator behind the first tag changes that one only.
        let (hash, rest) = text
            .split_once('=')
            .or_else(|| text.split_once(sign))
            .ok_or(Unreadable::Syntax)?;
        let want = self.hash(rest);
        let same = hash.len() == want.len()
            && hash
                .bytes()
                .zip(want.bytes())
                .fold(0, |sum, (a, b)| sum | (a.to_ascii_uppercase() ^ b))
                == 0;
        same.then_some(rest).ok_or(Unreadable::Forged)
    }

    /// Without regard to case: some servers do not keep it.
    fn hash(&self, text: &str) -> String {
        let tag = hmac::sign(&self.key, text.to_lowercase().as_bytes());
        let mut bits = tag
            .as_ref()
            .iter()
            .take(8)
            .fold(0_u64, |sum, octet| sum.wrapping_shl(8) | u64::from(*octet));
        let mut out = String::new();
        for _ in 0..HASH {
            out.push(letter(bits));
            bits >>= 5;
        }
        out
    }
}

/// Whether a local part claims to be a rewritten one.
#[must_use]
pub fn is_rewritten(local: &str) -> bool {
    Form::of(local).is_some()
}

enum Form<'a> {
    /// What follows `SRS0`, its separator included.
    First(&'a str),
    /// The separator, and what follows it.
    Second(char, &'a str),
}

impl<'a> Form<'a> {
    fn of(local: &'a str) -> Option<Self> {
        let (tag, rest) = local.split_at_checked(4)?;
        let sign = rest.chars().next().filter(|c| "=+-".contains(*c))?;
        if tag.eq_ignore_ascii_case("SRS0") {
            return Some(Self::First(rest));
        }
        let rest = rest.strip_prefix(sign)?;
        tag.eq_ignore_ascii_case("SRS1")
            .then_some(Self::Second(sign, rest))
    }
}

fn day(now: Time) -> i64 {
    now.0.div_euclid(86_400).rem_euclid(AGE)
}

fn letter(bits: u64) -> char {
    let at = usize::try_from(bits & 31).unwrap_or_default();
    LETTERS.get(at).map_or('A', |letter| char::from(*letter))
}

fn day_letters(day: i64) -> String {
    let day = u64::try_from(day).unwrap_or_default();
    [letter(day >> 5), letter(day)].iter().collect()
}

fn day_number(text: &str) -> Option<i64> {
    let mut sum = 0_i64;
    for octet in text.bytes() {
        let at = LETTERS
            .iter()
            .position(|letter| *letter == octet.to_ascii_uppercase())?;
        sum = sum.checked_mul(32)?.checked_add(i64::try_from(at).ok()?)?;
    }
    (text.len() == 2).then_some(sum)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Time = Time(1_795_272_815);

    fn srs() -> Srs {
        Srs::new(b"secret")
    }

    fn later(days: i64) -> Time {
        Time(NOW.0 + days * 86_400)
    }

    fn local(path: &str) -> String {
        Address::parse(path).unwrap().local
    }

    #[test]
    fn there_and_back() {
        for sender in [
            "bob@away.test",
            "Bob.Smith+tag=x@away.test",
            r#""a b"@away.test"#,
            r#""a\"b@c"@away.test"#,
            "bob@[192.0.2.1]",
            "bob@[IPv6:2001:db8::1]",
            "grüße@away.test",
        ] {
            let path = srs().forward(sender, "home.test", NOW).unwrap();
            assert!(path.ends_with("@home.test"), "{path}");
            let local = local(&path);
            assert!(
                local.starts_with("SRS0=") && is_rewritten(&local),
                "{local}"
            );
            assert_eq!(srs().reverse(&local, NOW).as_deref(), Ok(sender));
            assert_eq!(srs().reverse(&local, later(21)).as_deref(), Ok(sender));
            assert_eq!(srs().reverse(&local, later(-1)).as_deref(), Ok(sender));
            assert_eq!(srs().reverse(&local, later(22)), Err(Unreadable::Old));
            assert_eq!(srs().reverse(&local, later(-2)), Err(Unreadable::Old));
            assert_eq!(srs().reverse(&local, Time(60)).as_deref(), Ok(sender));
            let other = Srs::new(b"other");
            assert_eq!(other.reverse(&local, NOW), Err(Unreadable::Forged));
        }
    }

    #[test]
    fn what_others_do_to_it() {
        let path = srs().forward("bob@away.test", "home.test", NOW).unwrap();
        let local = local(&path);
        for changed in [
            local.to_lowercase(),
            local.to_uppercase(),
            local.replacen('=', "+", 1),
            local.replacen('=', "-", 1),
        ] {
            let back = srs().reverse(&changed, NOW).unwrap().to_lowercase();
            assert_eq!(back, "bob@away.test", "{changed}");
        }
        for forged in [
            local.replace("bob", "eve"),
            local.replace("away", "evil"),
            local.replacen("SRS0=", "SRS0=A", 1),
        ] {
            assert_eq!(srs().reverse(&forged, NOW), Err(Unreadable::Forged));
        }
        for odd in [
            "",
            "bob",
            "SRS0",
            "SRS0=",
            "SRS1=",
            "SRS0=a",
            "SRS2=a=b=c=d",
            "SRS0.a=b=c=d",
        ] {
            assert_eq!(srs().reverse(odd, NOW), Err(Unreadable::Syntax), "{odd}");
        }
    }

    #[test]
    fn what_others_have_rewritten() {
        for (sender, back, wanted_start) in [
            (
                "SRS0=abcd=7Q=far.test=eve@away.test",
                "SRS0=abcd=7Q=far.test=eve@away.test",
                "away.test==abcd=7Q",
            ),
            (
                "srs0+abcd+7Q+far.test+eve@away.test",
                "SRS0+abcd+7Q+far.test+eve@away.test",
                "away.test=+abcd+7Q",
            ),
            (
                "SRS1=wxyz=first.test==abcd=7Q=far.test=eve@away.test",
                "SRS0=abcd=7Q=far.test=eve@first.test",
                "first.test==abcd=7Q",
            ),
            (
                "SRS1+wxyz+first.test=-abcd=7Q=far.test=eve@away.test",
                "SRS0-abcd=7Q=far.test=eve@first.test",
                "first.test=-abcd=7Q",
            ),
        ] {
            let path = srs().forward(sender, "home.test", NOW).unwrap();
            let local = local(&path);
            let (_, rest) = local
                .strip_prefix("SRS1=")
                .unwrap()
                .split_once('=')
                .unwrap();
            assert!(rest.starts_with(wanted_start), "{local}");
            // Its maker knows how old it is.
            assert_eq!(srs().reverse(&local, later(400)).as_deref(), Ok(back));
            let changed = local.replace("far", "bar");
            assert_eq!(srs().reverse(&changed, NOW), Err(Unreadable::Forged));
        }
        for sender in [
            "SRS1=a@away.test",
            "SRS1=a=b@away.test",
            "SRS1=a=-=c@away.test",
        ] {
            assert_eq!(srs().forward(sender, "home.test", NOW), None, "{sender}");
        }
    }

    #[test]
    fn what_is_too_long_or_no_address() {
        let long = format!("{}@away.test", "x".repeat(230));
        let fits = format!("{}@away.test", "x".repeat(220));
        assert_eq!(srs().forward(&long, "home.test", NOW), None);
        assert!(srs().forward(&fits, "home.test", NOW).is_some());
        assert_eq!(srs().forward("", "home.test", NOW), None);
        assert_eq!(srs().forward("root", "home.test", NOW), None);
        assert_eq!(srs().forward("a@b", "", NOW), None);
    }

    #[test]
    fn days_in_letters() {
        for number in [0, 1, 31, 32, 1023] {
            assert_eq!(day_number(&day_letters(number)), Some(number));
        }
        assert_eq!(day_number("aa"), Some(0));
        for odd in ["", "A", "AAA", "A1", "é"] {
            assert_eq!(day_number(odd), None);
        }
    }

    proptest! {
        #[test]
        fn round_trip(name in "[a-zA-Z0-9.=+\"@ _-]{1,60}", host in "[a-z0-9]{1,20}\\.test", now in 0_i64..4_000_000_000) {
            let sender = Address::new(name, Domain::parse(&host).unwrap());
            if let Some(sender) = sender.filter(|sender| !is_rewritten(&sender.local)) {
                let path = srs().forward(&sender.to_string(), "home.test", Time(now)).unwrap();
                let back = srs().reverse(&local(&path), Time(now)).unwrap();
                prop_assert_eq!(back, sender.to_string());
            }
        }

        #[test]
        fn any_text(text: String, odd in "SRS[01][=+-][A-Za-z0-9=+-]{0,40}") {
            prop_assert!(srs().reverse(&text, NOW).is_err());
            prop_assert!(srs().reverse(&odd, NOW).is_err());
            let _ = srs().forward(&text, &text, NOW);
            let _ = srs().forward(&format!("{odd}@away.test"), "home.test", NOW);
        }
    }
}
