//! Parameters of MAIL and RCPT, RFC 5321 section 4.1.1.11.

use std::fmt::Write as _;

/// What a session offers decides what is known here; all else is refused with 555.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an extension")]
pub struct Offered {
    /// RFC 4954 section 5; only where AUTH is.
    pub auth: bool,
    /// RFC 3461.
    pub dsn: bool,
    /// RFC 8689; only after a handshake.
    pub requiretls: bool,
    /// RFC 6531; only after EHLO.
    pub smtputf8: bool,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MailParameters {
    pub body: Option<Body>,
    /// RFC 3461 section 4.4, still as xtext.
    pub envid: Option<String>,
    /// RFC 8689: never in clear, even if that means never.
    pub requiretls: bool,
    pub ret: Option<Ret>,
    /// In octets, as announced (RFC 1870); more than 64 bits hold is their maximum.
    pub size: Option<u64>,
    pub smtputf8: bool,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RcptParameters {
    pub notify: Option<Notify>,
    /// RFC 3461 section 4.2: `type;address`, the address still as xtext.
    pub orcpt: Option<String>,
}

/// RFC 6152.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Body {
    EightBitMime,
    SevenBit,
}

/// RFC 3461 section 4.3.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ret {
    Full,
    Headers,
}

/// RFC 3461 section 4.1; all false is `NEVER`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Notify {
    pub delay: bool,
    pub failure: bool,
    pub success: bool,
}

/// Each has a reply of its own; both name the parameter.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ParameterError {
    /// 555: not offered.
    Unsupported(String),
    /// 501: given twice, or its value is malformed.
    Value(String),
}

/// Longest ENVID and ORCPT in octets (RFC 3461 sections 4.2 and 4.4).
const ENVID_MAX: usize = 100;
const ORCPT_MAX: usize = 500;
/// Most digits of a SIZE (RFC 1870 section 4).
const SIZE_DIGITS: usize = 20;

/// Parses what follows MAIL's path.
pub fn mail(text: &str, offered: Offered) -> Result<MailParameters, ParameterError> {
    let mut parameters = MailParameters::default();
    let mut author = None;
    for (key, value) in pairs(text) {
        match key.as_str() {
            // Who wrote the message, says the client; nobody here believes it (RFC 4954 section 5).
            "AUTH" if offered.auth => {
                let auth = value.filter(|v| is_xtext(v) || *v == "<>");
                once(&mut author, &key, auth)?;
            }
            "BODY" => once(&mut parameters.body, &key, value.and_then(body))?,
            "ENVID" if offered.dsn => {
                let envid = value.filter(|v| is_envid(v));
                once(&mut parameters.envid, &key, envid.map(str::to_owned))?;
            }
            "REQUIRETLS" if offered.requiretls => {
                flag(&mut parameters.requiretls, key, value)?;
            }
            "RET" if offered.dsn => once(&mut parameters.ret, &key, value.and_then(ret))?,
            "SIZE" => once(&mut parameters.size, &key, value.and_then(size))?,
            "SMTPUTF8" if offered.smtputf8 => {
                flag(&mut parameters.smtputf8, key, value)?;
            }
            _ => return Err(ParameterError::Unsupported(key)),
        }
    }
    Ok(parameters)
}

/// Parses what follows RCPT's path.
pub fn rcpt(text: &str, offered: Offered) -> Result<RcptParameters, ParameterError> {
    let mut parameters = RcptParameters::default();
    for (key, value) in pairs(text) {
        match key.as_str() {
            "NOTIFY" if offered.dsn => {
                once(&mut parameters.notify, &key, value.and_then(notify))?;
            }
            "ORCPT" if offered.dsn => once(&mut parameters.orcpt, &key, value.and_then(orcpt))?,
            _ => return Err(ParameterError::Unsupported(key)),
        }
    }
    Ok(parameters)
}

/// Keywords in capitals; they ignore case.
fn pairs(text: &str) -> impl Iterator<Item = (String, Option<&str>)> {
    text.split_ascii_whitespace().map(|word| {
        let (key, value) = match word.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (word, None),
        };
        (key.to_ascii_uppercase(), value)
    })
}

fn once<T>(slot: &mut Option<T>, key: &str, value: Option<T>) -> Result<(), ParameterError> {
    match value {
        Some(value) if slot.is_none() => {
            *slot = Some(value);
            Ok(())
        }
        _ => Err(ParameterError::Value(key.to_owned())),
    }
}

/// A parameter without a value.
fn flag(slot: &mut bool, key: String, value: Option<&str>) -> Result<(), ParameterError> {
    if value.is_some() || *slot {
        return Err(ParameterError::Value(key));
    }
    *slot = true;
    Ok(())
}

fn body(value: &str) -> Option<Body> {
    match value.to_ascii_uppercase().as_str() {
        "7BIT" => Some(Body::SevenBit),
        "8BITMIME" => Some(Body::EightBitMime),
        _ => None,
    }
}

fn ret(value: &str) -> Option<Ret> {
    match value.to_ascii_uppercase().as_str() {
        "FULL" => Some(Ret::Full),
        "HDRS" => Some(Ret::Headers),
        _ => None,
    }
}

fn size(value: &str) -> Option<u64> {
    let digits = !value.is_empty()
        && value.len() <= SIZE_DIGITS
        && value.bytes().all(|octet| octet.is_ascii_digit());
    digits.then(|| value.parse().unwrap_or(u64::MAX))
}

fn notify(value: &str) -> Option<Notify> {
    if value.eq_ignore_ascii_case("NEVER") {
        return Some(Notify::default());
    }
    let mut notify = Notify::default();
    for word in value.split(',') {
        match word.to_ascii_uppercase().as_str() {
            "DELAY" => notify.delay = true,
            "FAILURE" => notify.failure = true,
            "SUCCESS" => notify.success = true,
            _ => return None,
        }
    }
    Some(notify)
}

/// With `utf-8` as its type an address may stand as it is (RFC 6533 section 3).
fn orcpt(value: &str) -> Option<String> {
    let (kind, address) = value.split_once(';')?;
    let atom = !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let text = is_xtext(address) || kind.eq_ignore_ascii_case("utf-8");
    (atom && text && !address.is_empty() && value.len() <= ORCPT_MAX).then(|| value.to_owned())
}

/// Whether a text can stand behind `ENVID=` (RFC 3461 section 4.4).
#[must_use]
pub fn is_envid(text: &str) -> bool {
    text.len() <= ENVID_MAX && is_xtext(text)
}

/// Any text as xtext (RFC 3461 section 4).
#[must_use]
pub fn xtext(text: &str) -> String {
    let mut out = String::new();
    for octet in text.bytes() {
        if (b'!'..=b'~').contains(&octet) && !matches!(octet, b'+' | b'=') {
            out.push(char::from(octet));
        } else {
            let _infallible = write!(out, "+{octet:02X}");
        }
    }
    out
}

/// RFC 3461 section 4.
fn is_xtext(text: &str) -> bool {
    let mut parts = text.split('+');
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_graphic() && b != b'=');
    parts.next().is_some_and(plain)
        && parts.all(|part| {
            part.split_at_checked(2).is_some_and(|(hex, rest)| {
                let digit = |b: u8| b.is_ascii_digit() || (b'A'..=b'F').contains(&b);
                hex.bytes().all(digit) && plain(rest)
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Offered = Offered {
        auth: true,
        dsn: true,
        requiretls: true,
        smtputf8: true,
    };

    #[test]
    fn all_of_mail() {
        let text = "size=100 BODY=8bitmime SMTPUTF8 RET=HDRS ENVID=QQ+2B1 requiretls AUTH=<>";
        let parameters = MailParameters {
            body: Some(Body::EightBitMime),
            envid: Some("QQ+2B1".to_owned()),
            requiretls: true,
            ret: Some(Ret::Headers),
            size: Some(100),
            smtputf8: true,
        };
        assert_eq!(mail(text, ALL), Ok(parameters));
        assert_eq!(mail("", ALL), Ok(MailParameters::default()));
    }

    #[test]
    fn all_of_rcpt() {
        let parameters = rcpt("NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;a+2Bb@c.test", ALL);
        let parameters = parameters.unwrap_or_default();
        assert_eq!(parameters.orcpt.as_deref(), Some("rfc822;a+2Bb@c.test"));
        let expected = Notify {
            failure: true,
            success: true,
            delay: false,
        };
        assert_eq!(parameters.notify, Some(expected));
    }

    #[test]
    fn refused() {
        let unsupported = |key: &str| ParameterError::Unsupported(key.to_owned());
        let value = |key: &str| ParameterError::Value(key.to_owned());
        for (text, error) in [
            ("SIZE", value("SIZE")),
            ("SIZE=", value("SIZE")),
            ("SIZE=-1", value("SIZE")),
            ("SIZE=1 SIZE=1", value("SIZE")),
            ("SIZE=123456789012345678901", value("SIZE")),
            ("BODY=BINARYMIME", value("BODY")),
            ("SMTPUTF8=1", value("SMTPUTF8")),
            ("ENVID=a=b", value("ENVID")),
            ("ENVID=a+zz", value("ENVID")),
            ("REQUIRETLS=YES", value("REQUIRETLS")),
            ("REQUIRETLS REQUIRETLS", value("REQUIRETLS")),
            ("AUTH", value("AUTH")),
            ("AUTH=a=b", value("AUTH")),
            ("AUTH=<> AUTH=<>", value("AUTH")),
            ("HOLDFOR=60", unsupported("HOLDFOR")),
            ("BY=60;R", unsupported("BY")),
            ("x", unsupported("X")),
        ] {
            assert_eq!(mail(text, ALL), Err(error), "{text}");
        }
        for (text, error) in [
            ("NOTIFY=NEVER,DELAY", value("NOTIFY")),
            ("ORCPT=a@b", value("ORCPT")),
            ("SIZE=1", unsupported("SIZE")),
        ] {
            assert_eq!(rcpt(text, ALL), Err(error), "{text}");
        }
        let none = Offered::default();
        assert_eq!(mail("RET=FULL", none), Err(unsupported("RET")));
        assert_eq!(mail("AUTH=<>", none), Err(unsupported("AUTH")));
        assert_eq!(mail("REQUIRETLS", none), Err(unsupported("REQUIRETLS")));
        assert_eq!(mail("SMTPUTF8", none), Err(unsupported("SMTPUTF8")));
        assert_eq!(rcpt("NOTIFY=NEVER", none), Err(unsupported("NOTIFY")));
    }

    #[test]
    fn a_size_beyond_all_numbers_is_the_largest() {
        let parameters = mail("SIZE=99999999999999999999", ALL).unwrap_or_default();
        assert_eq!(parameters.size, Some(u64::MAX));
    }
}
