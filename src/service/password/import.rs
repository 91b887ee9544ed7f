//! Password hashes of other servers as an admin hands them in (ST-6), with the scheme names of Dovecot
//! and PostfixAdmin.

use super::{
    Passwords, argon,
    crypt::{self, Unfit},
};
use crate::base::secret::Secret;

/// What is taken over.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Imported {
    /// The password itself.
    Clear(Secret),
    /// A hash that can be verified. At the first log-in with the password it is replaced.
    Hash(Secret),
}

/// What may stand behind a scheme's name.
enum Form {
    Clear,
    /// Any hash that begins with one of these; "" is one of 13 letters.
    Hash(&'static [&'static str]),
    /// None, because of this.
    Refused(&'static str),
}

const ACCEPTED: &str = "accepted are {PLAIN}, {CRYPT}, {SHA512-CRYPT}, {SHA256-CRYPT}, {BLF-CRYPT}, \
    {MD5-CRYPT}, {DES-CRYPT}, {ARGON2ID}, and such hashes without a name";

const BLOWFISH: &[&str] = &["$2a$", "$2b$", "$2y$"];
const ANY: &[&str] = &[
    "$6$",
    "$5$",
    "$2a$",
    "$2b$",
    "$2y$",
    "$1$",
    "$argon2id$",
    "",
];

const ONE_MECHANISM: &str = "it serves one old log-in mechanism only, which is not offered because it \
    needs passwords that can be read on the server";
const QUICK: &str = "such a hash is guessed too quickly to be kept even until the first log-in";
const OTHER: &str = "this kind cannot be verified here";

/// Names in upper case, as Dovecot has them.
const SCHEMES: &[(&str, Form)] = &[
    ("APOP", Form::Refused(ONE_MECHANISM)),
    ("ARGON2I", Form::Refused(OTHER)),
    ("ARGON2ID", Form::Hash(&["$argon2id$"])),
    ("BLF-CRYPT", Form::Hash(BLOWFISH)),
    ("CLEAR", Form::Clear),
    ("CLEARTEXT", Form::Clear),
    ("CRAM-MD5", Form::Refused(ONE_MECHANISM)),
    ("CRYPT", Form::Hash(ANY)),
    ("DES-CRYPT", Form::Hash(&[""])),
    ("DIGEST-MD5", Form::Refused(ONE_MECHANISM)),
    ("HMAC-MD5", Form::Refused(ONE_MECHANISM)),
    ("LANMAN", Form::Refused(QUICK)),
    ("LDAP-MD5", Form::Refused(QUICK)),
    ("MD5", Form::Hash(&["$1$"])),
    ("MD5-CRYPT", Form::Hash(&["$1$"])),
    ("NTLM", Form::Refused(ONE_MECHANISM)),
    ("OTP", Form::Refused(ONE_MECHANISM)),
    ("PBKDF2", Form::Refused(OTHER)),
    ("PLAIN", Form::Clear),
    ("PLAIN-MD4", Form::Refused(QUICK)),
    ("PLAIN-MD5", Form::Refused(QUICK)),
    ("PLAIN-TRUNC", Form::Refused(OTHER)),
    ("RPA", Form::Refused(ONE_MECHANISM)),
    ("SCRAM-SHA-1", Form::Refused(OTHER)),
    ("SCRAM-SHA-256", Form::Refused(OTHER)),
    ("SHA", Form::Refused(QUICK)),
    ("SHA1", Form::Refused(QUICK)),
    ("SHA256", Form::Refused(QUICK)),
    ("SHA256-CRYPT", Form::Hash(&["$5$"])),
    ("SHA512", Form::Refused(QUICK)),
    ("SHA512-CRYPT", Form::Hash(&["$6$"])),
    ("SKEY", Form::Refused(ONE_MECHANISM)),
    ("SMD5", Form::Refused(QUICK)),
    ("SSHA", Form::Refused(QUICK)),
    ("SSHA256", Form::Refused(QUICK)),
    ("SSHA512", Form::Refused(QUICK)),
];

/// Reads what an admin handed in, without its line end.
///
/// # Errors
///
/// A text for people; nothing that might be secret is in it.
pub fn import(text: &Secret) -> Result<Imported, String> {
    let text = str::from_utf8(text.reveal()).map_err(|_| "the hash is not UTF-8".to_owned())?;
    let named = text.strip_prefix('{').and_then(|text| text.split_once('}'));
    let Some((name, rest)) = named else {
        return hash(text, ANY, None);
    };
    let (name, encoding) = match name.split_once('.') {
        Some((name, encoding)) => (name, Some(encoding)),
        None => (name, None),
    };
    // What stands in the braces may be a piece of a password: it is shown only when it is a name.
    let scheme = SCHEMES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    let Some((name, form)) = scheme else {
        return Err(format!("unknown scheme in braces; {ACCEPTED}"));
    };
    match (form, encoding) {
        (Form::Refused(why), _) => Err(format!(
            "{{{name}}} cannot be taken over: {why}; {ACCEPTED}"
        )),
        (_, Some(_)) => Err(format!(
            "{{{name}}} with an encoding behind the dot cannot be taken over; write the hash without it"
        )),
        (Form::Clear, None) => {
            let clear = Secret::new(rest.as_bytes().to_vec());
            Passwords::typeable(&clear)?;
            Ok(Imported::Clear(clear))
        }
        (Form::Hash(starts), None) => hash(rest, starts, Some(name)),
    }
}

fn hash(text: &str, starts: &[&str], scheme: Option<&str>) -> Result<Imported, String> {
    let taken = Imported::Hash(Secret::new(text.as_bytes().to_vec()));
    let start = starts.iter().find(|start| match **start {
        "" => !text.starts_with('$'),
        start => text.starts_with(start),
    });
    let unfit = match start {
        None => Unfit::Unknown,
        Some(&"$argon2id$") => match argon::read(text.as_bytes()) {
            Some(_) => return Ok(taken),
            None => Unfit::Spoilt,
        },
        Some(_) => match crypt::parse(text) {
            Ok(_) => return Ok(taken),
            Err(unfit) => unfit,
        },
    };
    let what = scheme.map_or_else(
        || "this".to_owned(),
        |name| format!("what follows {{{name}}}"),
    );
    Err(match unfit {
        Unfit::Costly => format!(
            "{what} would take too long to verify; at most rounds={} for SHA-crypt, cost {} for bcrypt",
            crypt::ROUNDS_MAX,
            crypt::COST_MAX
        ),
        Unfit::Spoilt => format!("{what} is cut off or spoilt"),
        Unfit::Unknown => format!("{what} is no such hash; {ACCEPTED}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Imported, String> {
        import(&Secret::new(text.as_bytes().to_vec()))
    }

    /// ST-6, with the names of Dovecot and PostfixAdmin.
    #[test]
    fn st_6_forms_that_are_taken() {
        for (text, hash) in [
            (
                "{MD5-CRYPT}$1$abcdefgh$bXQrOhdpVRcPVcxjKOOOk/",
                "$1$abcdefgh$bXQrOhdpVRcPVcxjKOOOk/",
            ),
            (
                "{md5}$1$abcdefgh$bXQrOhdpVRcPVcxjKOOOk/",
                "$1$abcdefgh$bXQrOhdpVRcPVcxjKOOOk/",
            ),
            (
                "$1$abcdefgh$bXQrOhdpVRcPVcxjKOOOk/",
                "$1$abcdefgh$bXQrOhdpVRcPVcxjKOOOk/",
            ),
            (
                "{crypt}$5$toolongsalt$CDbYQBjx.sqB6ZFGhrwEo6JblJ9rcedmwN2QCCHU3E0",
                "$5$toolongsalt$CDbYQBjx.sqB6ZFGhrwEo6JblJ9rcedmwN2QCCHU3E0",
            ),
            (
                "{SHA256-CRYPT}$5$toolongsalt$CDbYQBjx.sqB6ZFGhrwEo6JblJ9rcedmwN2QCCHU3E0",
                "$5$toolongsalt$CDbYQBjx.sqB6ZFGhrwEo6JblJ9rcedmwN2QCCHU3E0",
            ),
            (
                "{SHA512-Crypt}$6$e$w0atmQHNF8i.6K6R4EGZnL8BtYlQO1Dx5ByCl4DpL6V/pk4m00oTWcFc4jPqz1sbzJzZChJtMgzlJhvMI8Xvw1",
                "$6$e$w0atmQHNF8i.6K6R4EGZnL8BtYlQO1Dx5ByCl4DpL6V/pk4m00oTWcFc4jPqz1sbzJzZChJtMgzlJhvMI8Xvw1",
            ),
            (
                "{BLF-CRYPT}$2y$05$./ABCDEFGHIJKLMNOPQRSeG242KoDwABWpTksJIVYg6eMb0BzcPJ2",
                "$2y$05$./ABCDEFGHIJKLMNOPQRSeG242KoDwABWpTksJIVYg6eMb0BzcPJ2",
            ),
            ("{CRYPT}ablnfadJ4BMR.", "ablnfadJ4BMR."),
            ("ablnfadJ4BMR.", "ablnfadJ4BMR."),
            (
                "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$To+O9cQGfVYiC1EZlGEgew$Dx9D5gcshTZJt0gC79A3XD8WruODL+h0G2t8VWMCZcg",
                "$argon2id$v=19$m=65536,t=3,p=1$To+O9cQGfVYiC1EZlGEgew$Dx9D5gcshTZJt0gC79A3XD8WruODL+h0G2t8VWMCZcg",
            ),
        ] {
            let hash = Secret::new(hash.as_bytes().to_vec());
            assert_eq!(read(text), Ok(Imported::Hash(hash)), "{text}");
        }
        for text in ["{PLAIN}hush}", "{clear}hush}", "{ClearText}hush}"] {
            let clear = Secret::new(b"hush}".to_vec());
            assert_eq!(read(text), Ok(Imported::Clear(clear)));
        }
    }

    /// SU-6: why the hashes of CRAM-MD5 and DIGEST-MD5 are of no use.
    #[test]
    fn su_6_forms_that_are_refused_with_the_reason() {
        for (text, part) in [
            (
                "{CRAM-MD5}d757ed3192ef0e4ee810f065e584d4dc",
                "{CRAM-MD5} cannot be taken over: it serves one old log-in mechanism only, which is not offered because it needs passwords that can be read on the server; accepted are {PLAIN}, {CRYPT}, ",
            ),
            (
                "{digest-md5}5cb50f637e4290892785938299575ecb",
                "{DIGEST-MD5} cannot be taken over: it serves one old",
            ),
            (
                "{SSHA}3qgr82Q347C3a43VooRfA5rSbMURd+gN",
                "{SSHA} cannot be taken over: such a hash is guessed too quickly",
            ),
            ("{SSHA.hex}00", "{SSHA} cannot be taken over: such"),
            (
                "{SHA512-CRYPT.b64}JDYk",
                "{SHA512-CRYPT} with an encoding behind the dot",
            ),
            ("{hunter2}x", "unknown scheme in braces; accepted are"),
            (
                "{SHA512-CRYPT}$1$abcdefgh$bXQrOhdpVRcPVcxjKOOOk/",
                "what follows {SHA512-CRYPT} is no such hash",
            ),
            (
                "{CRYPT}$y$j9T$abc$def",
                "what follows {CRYPT} is no such hash; accepted",
            ),
            ("{CRYPT}$1$abcdefgh$bXQ", "what follows {CRYPT} is cut off"),
            (
                "{BLF-CRYPT}$2y$31$./ABCDEFGHIJKLMNOPQRSeG242KoDwABWpTksJIVYg6eMb0BzcPJ2",
                "what follows {BLF-CRYPT} would take too long",
            ),
            (
                "{ARGON2ID}$argon2id$v=19$m=6553600,t=3,p=1$To+O9cQGfVYiC1EZlGEgew$Dx9D5gcshTZJt0gC79A3XD8WruODL+h0G2t8VWMCZcg",
                "what follows {ARGON2ID} is cut off or spoilt",
            ),
            ("hunter2", "this is no such hash; accepted"),
            ("{", "this is no such hash"),
            ("", "this is no such hash"),
        ] {
            let problem = read(text).unwrap_err();
            assert!(problem.starts_with(part), "{problem}");
            assert!(!problem.contains("hunter2"), "HD-2: {problem}");
        }
        assert!(import(&Secret::new(b"\xff".to_vec())).is_err());
    }

    /// As when it is typed.
    #[test]
    fn st_6_clear_passwords_that_nobody_could_type() {
        for (text, problem) in [
            ("{PLAIN}", "the password is empty"),
            ("{CLEAR}\t", "the password holds control characters"),
            ("{PLAIN}hush\0", "the password holds control characters"),
        ] {
            assert_eq!(read(text), Err(problem.to_owned()), "{text:?}");
        }
        assert!(read(&format!("{{PLAIN}}{}", "x".repeat(1025))).is_err());
    }

    #[test]
    fn names_are_in_order() {
        assert!(SCHEMES.is_sorted_by_key(|(name, _)| name));
    }
}
