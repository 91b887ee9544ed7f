//! What a certificate says about itself: names, issuer, validity (RFC 5280 section 4.1). Only what
//! people and the choice by name need; whether it is signed rightly is the peer's question.

use time::{Date, Month, PrimitiveDateTime, Time as Clock};

use crate::base::time::Time;

/// More names than this are not looked at.
const NAMES_MAX: usize = 1000;
/// A distinguished name's part that is longer is cut, in characters.
const TEXT_MAX: usize = 200;

// Tags of DER (ITU-T X.690 section 8.1.2).
const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const TELETEX_STRING: u8 = 0x14;
const IA5_STRING: u8 = 0x16;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const BMP_STRING: u8 = 0x1e;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// `[0]` of the version, constructed.
const VERSION: u8 = 0xa0;
/// `[3]` of the extensions, constructed.
const EXTENSIONS: u8 = 0xa3;
/// `[2]` of a GeneralName: a dNSName.
const DNS_NAME: u8 = 0x82;

/// 2.5.29.17, id-ce-subjectAltName.
const ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// 2.5.4.3, id-at-commonName.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// 2.5.4.10, id-at-organizationName.
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];

/// Facts of a certificate.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct About {
    /// The host names it is for, in lower case, each once: `mx.example.org`, `*.example.org`. Without a
    /// subjectAltName, the common name if it looks like a host.
    pub names: Vec<String>,
    /// Common name, else organization; empty if there is neither.
    pub subject: String,
    /// The same of who signed it.
    pub issuer: String,
    /// Subject and issuer are one.
    pub self_signed: bool,
    /// Not valid before this …
    pub from: Time,
    /// … nor after this second.
    pub until: Time,
}

impl About {
    /// Reads a certificate in DER; `None` if it is none.
    #[must_use]
    pub fn read(der: &[u8]) -> Option<Self> {
        let mut certificate = Reader(der).sequence()?;
        let mut tbs = certificate.sequence()?;
        if tbs.peek() == Some(VERSION) {
            tbs.value(VERSION)?;
        }
        tbs.value(INTEGER)?;
        tbs.value(SEQUENCE)?;
        let issuer = tbs.value(SEQUENCE)?;
        let mut validity = tbs.sequence()?;
        let (from, until) = (validity.time()?, validity.time()?);
        let subject = tbs.value(SEQUENCE)?;
        tbs.value(SEQUENCE)?;
        let mut about = Self {
            subject: distinguished(subject),
            issuer: distinguished(issuer),
            self_signed: subject == issuer,
            from,
            until,
            names: Vec::new(),
        };
        let mut alternative = false;
        while let Some((tag, value)) = tbs.next() {
            if tag == EXTENSIONS {
                alternative = about.extensions(value)?;
            }
        }
        if !tbs.0.is_empty() {
            return None;
        }
        if !alternative {
            // Nobody makes these any more, but a home's own authority may.
            about.names.extend(host(about.subject.as_bytes()));
        }
        Some(about)
    }

    /// Takes the dNSNames; returns whether there is a subjectAltName (RFC 5280 section 4.2.1.6).
    fn extensions(&mut self, octets: &[u8]) -> Option<bool> {
        let mut extensions = Reader(octets).sequence()?;
        let mut found = false;
        while !extensions.0.is_empty() {
            let mut extension = extensions.sequence()?;
            let kind = extension.value(OID)?;
            if extension.peek() == Some(BOOLEAN) {
                extension.value(BOOLEAN)?;
            }
            let value = extension.value(OCTET_STRING)?;
            if kind != ALT_NAME {
                continue;
            }
            found = true;
            let mut general = Reader(value).sequence()?;
            while !general.0.is_empty() {
                let (tag, value) = general.next()?;
                if tag == DNS_NAME
                    && self.names.len() < NAMES_MAX
                    && let Some(name) = host(value)
                    && !self.names.contains(&name)
                {
                    self.names.push(name);
                }
            }
        }
        Some(found)
    }
}

/// A host name or one with `*` as its first label, in lower case; anything else is no name that a
/// client could ask for.
fn host(octets: &[u8]) -> Option<String> {
    let text = str::from_utf8(octets).ok()?.to_ascii_lowercase();
    let rest = text.strip_prefix("*.").unwrap_or(&text);
    let label = |label: &str| {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(allowed) && !label.starts_with('-')
    };
    (text.len() <= 253 && rest.split('.').all(label)).then_some(text)
}

/// Common name, else organization, of a Name's octets.
fn distinguished(name: &[u8]) -> String {
    let mut organization = None;
    let mut sets = Reader(name);
    while let Some((SET, set)) = sets.next() {
        let mut set = Reader(set);
        while let Some(mut pair) = set.sequence() {
            let (Some(kind), Some((tag, value))) = (pair.value(OID), pair.next()) else {
                break;
            };
            if kind == COMMON_NAME {
                return text(tag, value);
            }
            if kind == ORGANIZATION {
                organization = Some(text(tag, value));
            }
        }
    }
    organization.unwrap_or_default()
}

/// A DirectoryString for people: no control characters, not endless.
fn text(tag: u8, value: &[u8]) -> String {
    let text = match tag {
        BMP_STRING => {
            let pair = |pair: &[u8]| match pair {
                [high, low] => u16::from_be_bytes([*high, *low]),
                _ => u16::from(b'?'),
            };
            let units: Vec<u16> = value.chunks(2).map(pair).collect();
            String::from_utf16_lossy(&units)
        }
        IA5_STRING | PRINTABLE_STRING | TELETEX_STRING | UTF8_STRING => {
            String::from_utf8_lossy(value).into_owned()
        }
        _ => String::new(),
    };
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().take(TEXT_MAX).map(shown).collect()
}

/// What is left of a value: elements of DER one after the other.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The next element's tag and value; `None` at the end or where there is none.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        // Tags of more than one octet are in no certificate.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            // DER: definite, and no more octets than needed; four of them are 4 GiB.
            let count = usize::from(first & 0x7f);
            let (octets, rest) = rest.split_at_checked(count)?;
            if !(1..=4).contains(&count) || octets.first() == Some(&0) {
                return None;
            }
            let fold = |sum: u32, octet: &u8| sum << 8 | u32::from(*octet);
            let length = usize::try_from(octets.iter().fold(0, fold)).ok()?;
            if length < 0x80 {
                return None;
            }
            (length, rest)
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, value))
    }

    /// The next element's value, which has to be of this kind.
    fn value(&mut self, tag: u8) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let (found, value) = ahead.next()?;
        if found != tag {
            return None;
        }
        *self = ahead;
        Some(value)
    }

    fn sequence(&mut self) -> Option<Self> {
        self.value(SEQUENCE).map(Self)
    }

    /// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ` (RFC 5280 section 4.1.2.5).
    fn time(&mut self) -> Option<Time> {
        let (tag, value) = self.next()?;
        let digits = value.strip_suffix(b"Z")?;
        let (year, rest) = match tag {
            UTC_TIME => {
                let (year, rest) = digits.split_at_checked(2)?;
                let year = number(year)?;
                (if year < 50 { 2000 + year } else { 1900 + year }, rest)
            }
            GENERALIZED_TIME => {
                let (year, rest) = digits.split_at_checked(4)?;
                (number(year)?, rest)
            }
            _ => return None,
        };
        let mut pairs = rest.chunks_exact(2).map(number);
        let mut pair = || u8::try_from(pairs.next()??).ok();
        let (month, day) = (Month::try_from(pair()?).ok()?, pair()?);
        let clock = Clock::from_hms(pair()?, pair()?, pair()?).ok()?;
        if rest.len() != 10 {
            return None;
        }
        let date = Date::from_calendar_date(i32::from(year), month, day).ok()?;
        let moment = PrimitiveDateTime::new(date, clock).assume_utc();
        Some(Time(moment.unix_timestamp()))
    }
}

/// At most four digits.
fn number(digits: &[u8]) -> Option<u16> {
    let all = (1..=4).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    all.then(|| str::from_utf8(digits).ok()?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use rcgen::{
        CertificateParams, CustomExtension, DistinguishedName, DnType, Issuer, KeyPair,
        date_time_ymd,
    };

    use super::*;

    fn der(names: &[&str], common: &str) -> Vec<u8> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common);
        params.not_before = date_time_ymd(2026, 11, 21);
        params.not_after = date_time_ymd(2055, 2, 28);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn names_dates_and_who_signed() {
        let names = [
            "MX.example.org",
            "*.example.org",
            "192.0.2.1",
            "mx.example.org",
        ];
        let about = About::read(&der(&names, "Grüße\n")).unwrap();
        assert_eq!(
            about,
            About {
                names: vec!["mx.example.org".to_owned(), "*.example.org".to_owned()],
                subject: "Grüße\u{fffd}".to_owned(),
                issuer: "Grüße\u{fffd}".to_owned(),
                self_signed: true,
                // UTCTime and, from 2050 on, GeneralizedTime.
                from: Time(1_795_219_200),
                until: Time(2_687_385_600),
            }
        );
        assert_eq!(about.from.rfc3339(), "2026-11-21T00:00:00Z");
        assert_eq!(about.until.rfc3339(), "2055-02-28T00:00:00Z");
    }

    #[test]
    fn who_signed_is_somebody_else() {
        let mut root = CertificateParams::new(Vec::<String>::new()).unwrap();
        root.distinguished_name = DistinguishedName::new();
        root.distinguished_name
            .push(DnType::OrganizationName, "Home Authority");
        let root = Issuer::new(root, KeyPair::generate().unwrap());
        let leaf = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        let leaf = leaf
            .signed_by(&KeyPair::generate().unwrap(), &root)
            .unwrap();
        let about = About::read(leaf.der()).unwrap();
        assert_eq!(about.issuer, "Home Authority");
        assert!(!about.self_signed);
    }

    #[test]
    fn the_common_name_only_without_alternatives() {
        assert_eq!(About::read(&der(&[], "a.test")).unwrap().names, ["a.test"]);
        assert!(
            About::read(&der(&[], "Not a host"))
                .unwrap()
                .names
                .is_empty()
        );
        assert_eq!(
            About::read(&der(&["b.test"], "a.test")).unwrap().names,
            ["b.test"]
        );
        assert!(
            About::read(&der(&["192.0.2.1"], "a.test"))
                .unwrap()
                .names
                .is_empty()
        );
    }

    #[test]
    fn names_that_nobody_can_ask_for() {
        for name in [
            "", "*", "*.", "a..b", "a b", "../a", "-a.b", "*.*.a", "a.*.b", "a\0.b",
        ] {
            assert_eq!(host(name.as_bytes()), None, "{name:?}");
        }
        assert_eq!(host("a.".repeat(127).as_bytes()), None);
        assert_eq!(host(&[0xff]), None);
        assert_eq!(host(b"*.A_1.b"), Some("*.a_1.b".to_owned()));
        assert_eq!(host(b"localhost"), Some("localhost".to_owned()));
    }

    /// Cut anywhere, or with any octet changed, it is read or it is not; nothing worse.
    #[test]
    fn hostile_octets_are_refused_or_harmless() {
        let good = der(&["a.test", "*.b.test"], "a.test");
        for end in 0..good.len() {
            // What is signed comes first; without all of it there is no certificate.
            assert_eq!(About::read(&good[..end]), None, "{end}");
        }
        for at in 0..good.len() {
            for value in [0x00, 0x1f, 0x7f, 0x80, 0x81, 0x84, 0x85, 0xff] {
                let mut bad = good.clone();
                bad[at] = value;
                let _ = About::read(&bad);
            }
        }
        let element = |octets: &[u8]| Reader(octets).next().map(|(tag, _)| tag);
        assert_eq!(element(&[0x30, 0x00]), Some(0x30));
        for bad in [
            &[0x30][..],
            &[0x30, 0x01],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0x81, 0x01, 0],
            &[0x30, 0x82, 0x00, 0x80],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x30, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x3f, 0x81, 0x01, 0],
        ] {
            assert_eq!(element(bad), None, "{bad:02x?}");
        }
    }

    #[test]
    fn times_are_of_the_calendar() {
        let time = |tag: u8, text: &str| {
            let mut octets = vec![tag, u8::try_from(text.len()).unwrap()];
            octets.extend_from_slice(text.as_bytes());
            Reader(&octets).time().map(Time::rfc3339)
        };
        for (tag, text, want) in [
            (UTC_TIME, "491231235959Z", Some("2049-12-31T23:59:59Z")),
            (UTC_TIME, "500101000000Z", Some("1950-01-01T00:00:00Z")),
            (
                GENERALIZED_TIME,
                "99991231235959Z",
                Some("9999-12-31T23:59:59Z"),
            ),
            (UTC_TIME, "261131000000Z", None),
            (UTC_TIME, "2611210000Z", None),
            (UTC_TIME, "26112100000000Z", None),
            (UTC_TIME, "261121000000+0100", None),
            (UTC_TIME, "+61121000000Z", None),
            (GENERALIZED_TIME, "20261121000000.5Z", None),
            (INTEGER, "261121000000Z", None),
        ] {
            assert_eq!(time(tag, text).as_deref(), want, "{text}");
        }
    }

    #[test]
    fn an_odd_subject_alternative_name() {
        let extension = |octets: &[u8]| {
            let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
            let odd = CustomExtension::from_oid_content(&[2, 5, 29, 17], octets.to_vec());
            params.custom_extensions.push(odd);
            let key = KeyPair::generate().unwrap();
            About::read(params.self_signed(&key).unwrap().der())
        };
        // A name that is longer than the list, and no list at all.
        assert_eq!(extension(&[0x30, 0x03, 0x82, 0x7f, b'a']), None);
        assert_eq!(extension(b"a.test"), None);
        let name = [0x30, 0x03, 0x82, 0x01, b'a'];
        assert_eq!(extension(&name).unwrap().names, ["a"]);
    }
}
