//! `tls`: show, import (SU-11).

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    base::{secret::Secret, time::Time},
    config::{Config, schema},
    net::{
        certificate::{Error, Files, Flaw, PEM_MAX},
        pairs::{self, Import, ImportError, Origin, Pairs, Place},
        tls::Tls,
    },
    service::operate::{Context, Kind, Problem, Reply, columns},
};

/// Seconds.
const DAY: i64 = 86_400;
/// From so few days on an end is near.
pub(super) const NEAR: i64 = 14;

#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Request {
    /// Contents of the files, PEM.
    Import {
        certificate: Secret,
        key: Secret,
    },
    Show,
}

/// A certificate as it is shown.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Row {
    /// The hosts that it is for.
    pub names: Vec<String>,
    /// `self-signed`, or who signed it.
    pub issuer: String,
    /// RFC 3339.
    pub valid_from: String,
    pub valid_until: String,
    /// Negative once it has ended.
    pub days_left: i64,
    pub sha256: String,
    /// `configured`, `imported`, `self-signed`.
    pub from: String,
    /// The names for which clients get it.
    pub used_for: Vec<String>,
    /// Clients that name no host, or none of ours, get it.
    pub default: bool,
}

/// Where the certificates of a configuration are.
#[must_use]
pub fn place(config: &Config) -> Place {
    let certificate = config.text(&schema::TLS_CERTIFICATE);
    Place {
        data: PathBuf::from(config.text(&schema::DATA)),
        hostname: config.text(&schema::HOSTNAME).to_owned(),
        files: (!certificate.is_empty()).then(|| Files {
            certificate: PathBuf::from(certificate),
            key: PathBuf::from(config.text(&schema::TLS_KEY)),
        }),
    }
}

pub(super) fn operate(
    context: &Context<'_>,
    request: Request,
    dry_run: bool,
) -> Result<Reply, Problem> {
    match request {
        Request::Import { certificate, key } => import(context, &certificate, &key, dry_run),
        Request::Show => show(context),
    }
}

fn show(context: &Context<'_>) -> Result<Reply, Problem> {
    let running = context
        .running
        .as_ref()
        .and_then(|running| running.tls.as_ref());
    if let Some(tls) = running {
        return Ok(Reply::Certificates(rows(&tls.pairs(), context.now)));
    }
    let (pairs, _) = pairs::look(place(context.config)).map_err(|error| unread(&error))?;
    Ok(Reply::Certificates(rows(&pairs, context.now)))
}

fn rows(pairs: &Pairs, now: Time) -> Vec<Row> {
    let row = |(pair, used, default): (&pairs::Pair, Vec<&str>, bool)| {
        let about = &pair.about;
        Row {
            names: about.names.clone(),
            issuer: if about.self_signed {
                "self-signed".to_owned()
            } else {
                about.issuer.clone()
            },
            valid_from: about.from.rfc3339(),
            valid_until: about.until.rfc3339(),
            days_left: days(now, about.until),
            sha256: pair.fingerprint(),
            from: match pair.origin {
                Origin::Configured => "configured",
                Origin::Imported => "imported",
                Origin::SelfSigned => "self-signed",
            }
            .to_owned(),
            used_for: used.into_iter().map(str::to_owned).collect(),
            default,
        }
    };
    pairs.used().map(row).collect()
}

/// How long the certificate lasts that clients get who name no host.
pub(super) fn days_left(tls: &Tls, now: Time) -> Option<i64> {
    let pairs = tls.pairs();
    let default = pairs.used().find(|(_, _, default)| *default);
    default.map(|(pair, _, _)| days(now, pair.about.until))
}

/// Whole days until then; negative ones since.
fn days(now: Time, until: Time) -> i64 {
    until.0.saturating_sub(now.0).div_euclid(DAY)
}

pub(super) fn text(rows: &[Row]) -> Vec<String> {
    if rows.is_empty() {
        return vec!["there is no certificate yet; the first start makes one".to_owned()];
    }
    let mut lines = Vec::new();
    for row in rows {
        let left = match row.days_left {
            left @ ..0 => format!("ended {} days ago", left.saturating_neg()),
            left => format!("{left} days left"),
        };
        let mut used = row.used_for.clone();
        if row.default {
            used.push("everybody else".to_owned());
        }
        let used = match used.as_slice() {
            [] => "nobody".to_owned(),
            used => used.join(", "),
        };
        let until = format!("{} ({left})", row.valid_until);
        let fields = [
            ("names", row.names.join(", ")),
            ("issuer", row.issuer.clone()),
            ("valid from", row.valid_from.clone()),
            ("valid until", until),
            ("sha256", row.sha256.clone()),
            ("comes from", row.from.clone()),
            ("used for", used),
        ];
        let fields: Vec<_> = fields
            .into_iter()
            .map(|(name, value)| vec![name.to_owned(), value])
            .collect();
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.extend(columns(&fields));
    }
    lines
}

fn import(
    context: &Context<'_>,
    certificate: &Secret,
    key: &Secret,
    dry_run: bool,
) -> Result<Reply, Problem> {
    let bad = |text: &str| Problem::new(Kind::BadData, text);
    if certificate.reveal().len() > PEM_MAX || key.reveal().len() > PEM_MAX {
        return Err(bad("this is too long for a certificate or a key"));
    }
    let import = Import::new(certificate.reveal(), key.reveal()).map_err(|error| match error {
        ImportError::Flaw(Flaw::Mismatch) => bad("the key does not belong to the certificate"),
        ImportError::Flaw(Flaw::NoCertificate) => {
            bad("the first file holds no certificate (PEM: -----BEGIN CERTIFICATE-----)")
        }
        ImportError::Flaw(Flaw::NoKey) => {
            bad("the second file holds no private key (PEM: -----BEGIN PRIVATE KEY-----)")
        }
        ImportError::Flaw(flaw @ (Flaw::Encrypted | Flaw::Unusable(_))) => bad(&flaw.to_string()),
        ImportError::Nameless => bad("the certificate is for no host name"),
    })?;
    let about = &import.pair.about;
    let names = about.names.join(", ");
    let mut notes = String::new();
    if about.until < context.now {
        notes.push_str("; it has expired, clients will not trust it");
    } else if days(context.now, about.until) < NEAR {
        notes.push_str("; it expires soon");
    }
    if about.from > context.now {
        notes.push_str("; it is not valid yet");
    }
    if !about.self_signed && import.pair.key.cert.len() == 1 {
        notes.push_str("; it comes without the chain of its issuer, which many clients need");
    }
    let until = about.until.rfc3339();
    if dry_run {
        let text = format!("would import the certificate for {names}, valid until {until}{notes}");
        return Ok(Reply::Done(text));
    }
    let place = place(context.config);
    import.keep(&place).map_err(|error| {
        let text = format!("{}: {error}", place.data.display());
        Problem::new(Kind::TryAgain, text)
    })?;
    if let Some(tls) = context
        .running
        .as_ref()
        .and_then(|running| running.tls.as_ref())
    {
        let old = tls.pairs();
        let now = context.now;
        let (pairs, _) =
            pairs::gather(old.place.clone(), now, Some(&old)).map_err(|error| unread(&error))?;
        tls.swap(pairs);
    }
    let text = format!("imported the certificate for {names}, valid until {until}{notes}");
    Ok(Reply::Done(text))
}

fn unread(error: &Error) -> Problem {
    let kind = match error {
        Error::Read { error, .. } if error.kind() == std::io::ErrorKind::PermissionDenied => {
            Kind::NotAllowed
        }
        Error::Make { .. } => Kind::TryAgain,
        Error::Key { .. } | Error::Pem { .. } | Error::Read { .. } => Kind::BadData,
    };
    Problem::new(kind, error.to_string())
}

#[cfg(test)]
mod tests;
