//! What is known of the common providers (UX-08): nobody has to look up hosts and ports.

use serde::{Deserialize, Serialize};

use crate::{
    service::operate::{Kind, Problem, name::shown},
    store::directory::RouteTls,
};

/// What a provider's account needs, with `{region}` where the provider has several places.
struct Known {
    name: &'static str,
    provider: &'static str,
    host: &'static str,
    port: u16,
    tls: RouteTls,
    /// The first is taken where none is given; empty words mean that it has to be.
    regions: &'static [(&'static str, &'static str)],
    /// Who logs in, and with what.
    login: &'static str,
    /// What belongs into SPF (RFC 7208 section 5.2), where the provider wants it there.
    include: Option<&'static str>,
}

const NONE: &[(&str, &str)] = &[];
const MAILBOX: &str = "your full address, and your password";
const APP_PASSWORD: &str =
    "your full address, and an app password that you make in your account there";

const fn known(
    name: &'static str,
    provider: &'static str,
    host: &'static str,
    login: &'static str,
) -> Known {
    Known {
        name,
        provider,
        host,
        port: 587,
        tls: RouteTls::StartTls,
        regions: NONE,
        login,
        include: None,
    }
}

impl Known {
    const fn implicit(self) -> Self {
        Self {
            port: 465,
            tls: RouteTls::Implicit,
            ..self
        }
    }

    const fn at(self, regions: &'static [(&'static str, &'static str)]) -> Self {
        Self { regions, ..self }
    }

    const fn include(self, domain: &'static str) -> Self {
        Self {
            include: Some(domain),
            ..self
        }
    }
}

/// By name.
const KNOWN: &[Known] = &[
    known(
        "brevo",
        "Brevo",
        "smtp-relay.brevo.com",
        "the login and the SMTP key of your account's page \"SMTP and API\"",
    )
    .include("spf.brevo.com"),
    known("fastmail", "Fastmail", "smtp.fastmail.com", APP_PASSWORD)
        .implicit()
        .include("spf.messagingengine.com"),
    known("gmail", "Gmail", "smtp.gmail.com", APP_PASSWORD).include("_spf.google.com"),
    known("gmx", "GMX", "mail.gmx.net", MAILBOX),
    known("icloud", "iCloud", "smtp.mail.me.com", APP_PASSWORD),
    known("mailbox.org", "mailbox.org", "smtp.mailbox.org", MAILBOX)
        .implicit()
        .include("mailbox.org"),
    known(
        "mailgun",
        "Mailgun",
        "smtp{region}.mailgun.org",
        "an SMTP user of your domain there, like postmaster@your.domain",
    )
    .at(&[("us", ""), ("eu", ".eu")])
    .include("mailgun.org"),
    known(
        "mailjet",
        "Mailjet",
        "in-v3.mailjet.com",
        "the API key, and the secret key as the password",
    )
    .include("spf.mailjet.com"),
    known(
        "office365",
        "Microsoft 365",
        "smtp.office365.com",
        "the mailbox's address; its admin has to allow SMTP AUTH for it",
    )
    .include("spf.protection.outlook.com"),
    known(
        "outlook",
        "Outlook.com",
        "smtp-mail.outlook.com",
        "your full address; Microsoft has turned off passwords for most accounts, choose another \
         provider then",
    ),
    known(
        "postmark",
        "Postmark",
        "smtp.postmarkapp.com",
        "the server's API token, as user and as password",
    )
    .include("spf.mtasv.net"),
    known(
        "sendgrid",
        "SendGrid",
        "smtp.sendgrid.net",
        "the word apikey, and an API key as the password",
    )
    .include("sendgrid.net"),
    known(
        "ses",
        "Amazon SES",
        "email-smtp.{region}.amazonaws.com",
        "SMTP credentials of the SES console (not an access key)",
    )
    .at(&[])
    .include("amazonses.com"),
    known(
        "smtp2go",
        "SMTP2GO",
        "mail{region}.smtp2go.com",
        "an SMTP user of your account there",
    )
    .at(&[("any", ""), ("us", "-us"), ("eu", "-eu"), ("au", "-au")])
    .include("spf.smtp2go.com"),
    known("web.de", "WEB.DE", "smtp.web.de", MAILBOX),
    known("yahoo", "Yahoo", "smtp.mail.yahoo.com", APP_PASSWORD).implicit(),
    known("zoho", "Zoho Mail", "smtp.zoho.{region}", APP_PASSWORD)
        .implicit()
        .at(&[
            ("com", "com"),
            ("eu", "eu"),
            ("in", "in"),
            ("com.au", "com.au"),
        ]),
];

/// A provider as a list shows it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Preset {
    pub preset: String,
    pub provider: String,
    /// With `{region}` where a region belongs there.
    pub host: String,
    pub port: u16,
    pub tls: String,
    pub regions: Vec<String>,
    /// Who logs in, and with what.
    pub login: String,
}

/// What a preset fills in.
#[derive(Debug)]
pub struct Filled {
    pub host: String,
    pub port: u16,
    pub tls: RouteTls,
    /// Who logs in, and with what.
    pub login: &'static str,
}

/// # Errors
///
/// There is no such preset, or no such region.
pub fn fill(preset: &str, region: Option<&str>) -> Result<Filled, Problem> {
    let known = KNOWN.iter().find(|known| known.name == preset);
    let Some(known) = known else {
        let text = format!(
            "no preset {} is known (pillarbox route presets); give --host, --port and --tls as your \
             provider names them",
            shown(preset)
        );
        return Err(Problem::new(Kind::BadData, text));
    };
    Ok(Filled {
        host: host(known, region)?,
        port: known.port,
        tls: known.tls,
        login: known.login,
    })
}

/// What the provider of one of these hosts wants to see in SPF, if it is known.
#[must_use]
pub fn include(hosts: &[String]) -> Option<&'static str> {
    let of_host = |host: &String| {
        let host = host.to_ascii_lowercase();
        let end = match end(&host) {
            // Brevo's hosts of old.
            "sendinblue.com" => "brevo.com",
            end => end,
        };
        let known = KNOWN.iter().find(|known| self::end(known.host) == end);
        known.and_then(|known| known.include)
    };
    hosts.iter().find_map(of_host)
}

/// The last two labels of a name.
#[must_use]
pub fn end(name: &str) -> &str {
    let mut dots = name.rmatch_indices('.');
    match dots.nth(1) {
        Some((dot, _)) => name.get(dot.saturating_add(1)..).unwrap_or(name),
        None => name,
    }
}

fn host(known: &Known, region: Option<&str>) -> Result<String, Problem> {
    let wrong = |text: String| Problem::new(Kind::BadData, text);
    let takes_one = known.host.contains("{region}");
    let part = match (region, known.regions) {
        (None, _) if !takes_one => "",
        (Some(_), _) if !takes_one => {
            return Err(wrong(format!("{} has no regions", known.provider)));
        }
        (None, [(_, first), ..]) => first,
        (None, []) => {
            return Err(wrong(format!(
                "give --region, the one of your {} account, like eu-west-1",
                known.provider
            )));
        }
        (Some(region), []) => {
            let letter = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit();
            let fits = region.bytes().all(|octet| letter(octet) || octet == b'-');
            if !fits || region.is_empty() || region.len() > 32 {
                return Err(wrong(format!(
                    "{} is no region, like eu-west-1",
                    shown(region)
                )));
            }
            region
        }
        (Some(region), regions) => {
            let Some((_, part)) = regions.iter().find(|(name, _)| *name == region) else {
                let names: Vec<_> = regions.iter().map(|(name, _)| *name).collect();
                return Err(wrong(format!(
                    "{} has these regions: {}",
                    known.provider,
                    names.join(", ")
                )));
            };
            part
        }
    };
    Ok(known.host.replace("{region}", part))
}

/// All that are known.
#[must_use]
pub fn all() -> Vec<Preset> {
    let preset = |known: &Known| Preset {
        preset: known.name.to_owned(),
        provider: known.provider.to_owned(),
        host: known.host.to_owned(),
        port: known.port,
        tls: super::tls(known.tls).to_owned(),
        regions: known
            .regions
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect(),
        login: known.login.to_owned(),
    };
    KNOWN.iter().map(preset).collect()
}

pub(in crate::service::operate) fn text(presets: &[Preset]) -> Vec<String> {
    let mut lines = Vec::new();
    for preset in presets {
        let region = match (preset.regions.as_slice(), preset.host.contains("{region}")) {
            (_, false) => String::new(),
            ([], true) => ", needs --region".to_owned(),
            (regions, true) => format!(", --region {}", regions.join("|")),
        };
        lines.push(format!(
            "{:<12}{}: {} port {}, TLS {}{region}",
            preset.preset, preset.provider, preset.host, preset.port, preset.tls
        ));
        lines.push(format!("            log in with {}", preset.login));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_by_their_hosts() {
        for (host, want) in [
            ("smtp.gmail.com", Some("_spf.google.com")),
            ("SMTP-relay.Gmail.com", Some("_spf.google.com")),
            ("email-smtp.eu-west-1.amazonaws.com", Some("amazonses.com")),
            ("smtp-relay.sendinblue.com", Some("spf.brevo.com")),
            ("mailbox.org", Some("mailbox.org")),
            ("evilgmail.com", None),
            ("smtp.isp.test", None),
            ("smtp", None),
        ] {
            assert_eq!(include(&[host.to_owned()]), want, "{host}");
        }
    }

    #[test]
    fn presets_are_filled() {
        for (preset, region, want) in [
            ("gmail", None, Some("smtp.gmail.com")),
            ("gmail", Some("eu"), None),
            ("ses", None, None),
            (
                "ses",
                Some("eu-west-1"),
                Some("email-smtp.eu-west-1.amazonaws.com"),
            ),
            ("ses", Some("a.example.org"), None),
            ("ses", Some(""), None),
            ("mailgun", None, Some("smtp.mailgun.org")),
            ("mailgun", Some("eu"), Some("smtp.eu.mailgun.org")),
            ("mailgun", Some("au"), None),
            ("zoho", Some("eu"), Some("smtp.zoho.eu")),
            ("nobody", None, None),
        ] {
            let filled = fill(preset, region).ok();
            assert_eq!(
                filled.map(|f| f.host).as_deref(),
                want,
                "{preset} {region:?}"
            );
        }
        let names: Vec<_> = KNOWN.iter().map(|known| known.name).collect();
        assert!(names.is_sorted());
        assert_eq!(text(&all()).len(), 2 * KNOWN.len());
    }
}
