//! The record in DNS and the policy's text (RFC 8461 section 3).

/// Longest life of a policy in seconds (RFC 8461 section 3.2).
const AGE_MAX: u64 = 31_557_600;
/// Longest id in octets (RFC 8461 section 3.1).
const ID_MAX: usize = 32;
/// More mail servers than this are no domain's.
const MX_MAX: usize = 100;

/// A policy (RFC 8461 section 3.2).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Policy {
    pub mode: Mode,
    /// Host names, or `*.` and a domain, in lower case.
    pub mx: Vec<String>,
    /// Seconds.
    pub max_age: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    Enforce,
    None,
    Testing,
}

impl Mode {
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "enforce" => Self::Enforce,
            "none" => Self::None,
            "testing" => Self::Testing,
            _ => return None,
        })
    }

    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::None => "none",
            Self::Testing => "testing",
        }
    }
}

impl Policy {
    /// Whether a mail server is one of those that the policy names (RFC 8461 section 4.1): `*.` stands
    /// for one label.
    #[must_use]
    pub fn allows(&self, host: &str) -> bool {
        let below = host.split_once('.').map(|(_, below)| below);
        self.mx.iter().any(|pattern| {
            pattern.eq_ignore_ascii_case(host)
                || pattern
                    .strip_prefix("*.")
                    .zip(below)
                    .is_some_and(|(parent, below)| parent.eq_ignore_ascii_case(below))
        })
    }
}

/// The id of the one record among those at `_mta-sts.`; where there are several, or none, the domain has
/// no policy (RFC 8461 section 3.1).
#[must_use]
pub fn record(records: &[Vec<u8>]) -> Option<String> {
    let mut ours = records
        .iter()
        .filter(|record| record.starts_with(b"v=STSv1;") || *record == b"v=STSv1");
    let (Some(record), None) = (ours.next(), ours.next()) else {
        return None;
    };
    let text = str::from_utf8(record).ok()?;
    let id = text.split(';').find_map(|field| {
        let (key, value) = field.split_once('=')?;
        (key.trim() == "id").then(|| value.trim())
    })?;
    let fits = (1..=ID_MAX).contains(&id.len()) && id.bytes().all(|c| c.is_ascii_alphanumeric());
    fits.then(|| id.to_owned())
}

/// Reads a policy.
///
/// # Errors
///
/// What is wrong with it, in plain words.
pub fn policy(text: &[u8]) -> Result<Policy, String> {
    let text = str::from_utf8(text).map_err(|_| "it is not UTF-8")?;
    let (mut version, mut mode, mut max_age, mut mx) = (None, None, None, Vec::new());
    for line in text.lines() {
        // What is no field and what nobody knows is passed over (RFC 8461 section 3.2).
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        match key.trim() {
            // Of a field that is given twice the first counts.
            "version" => drop(version.get_or_insert(value)),
            "mode" => drop(mode.get_or_insert(value)),
            "max_age" => drop(max_age.get_or_insert(value)),
            "mx" => mx.push(server(value)?),
            _ => {}
        }
    }
    if version != Some("STSv1") {
        return Err("it has no line \"version: STSv1\"".to_owned());
    }
    let mode = mode.and_then(Mode::parse);
    let mode = mode.ok_or("its mode is none of enforce, testing and none")?;
    let age = max_age.filter(|digits| {
        (1..=10).contains(&digits.len()) && digits.bytes().all(|c| c.is_ascii_digit())
    });
    let age: Option<u64> = age.and_then(|digits| digits.parse().ok());
    let max_age = age.ok_or("it has no max_age in seconds")?.min(AGE_MAX);
    if mx.is_empty() && mode != Mode::None {
        return Err("it names no mail server (mx)".to_owned());
    }
    if mx.len() > MX_MAX {
        return Err(format!("it names more than {MX_MAX} mail servers"));
    }
    Ok(Policy { mode, mx, max_age })
}

/// `mx.example.com` or `*.example.com`.
fn server(text: &str) -> Result<String, String> {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let label = |label: &str| {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(allowed)
    };
    if name.len() <= 253 && name.split('.').all(label) {
        Ok(text.to_ascii_lowercase())
    } else {
        let shown: String = text.chars().take(100).collect();
        Err(format!("{shown:?} is no mail server's name"))
    }
}
