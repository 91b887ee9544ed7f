//! Trace fields (RFC 5321 section 4.4).

use core::net::IpAddr;
use std::fmt;

use crate::base::machine::Secured;
use crate::base::time::Time;
use crate::mail::domain::Domain;
use crate::mail::path::ReversePath;

/// Longest piece of a peer's making that is shown, in octets.
const TEXT_MAX: usize = 255;

/// One hop. What the peer said is shown with everything replaced that could be read as something
/// else; [`fmt::Display`] gives the folded field with its CRLF.
#[derive(Clone, Debug)]
pub struct Received<'a> {
    /// What it said in HELO or EHLO; may be empty.
    pub from_helo: &'a str,
    pub client_ip: IpAddr,
    /// Its verified name.
    pub client_name: Option<&'a str>,
    /// Who the client is stays with us (SU-15): the field has no `from`.
    pub hidden: bool,
    /// The user of this machine who sent it, where that is known: says more than `from` then.
    pub uid: Option<u32>,
    /// Our own name.
    pub by: &'a str,
    /// `SMTP`, `ESMTP`, `ESMTPS`, `ESMTPSA`, `UTF8SMTP`, `LMTP`, … (RFC 3848, RFC 6531 section 4.3).
    pub with: &'static str,
    pub tls: Option<&'a Secured>,
    pub id: &'a str,
    /// The recipient, without brackets, where there is only one (SR-28).
    pub for_: Option<String>,
    pub time: Time,
}

impl fmt::Display for Received<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Received: ")?;
        let (by, id) = (clean(self.by), clean(self.id));
        if let Some(uid) = self.uid {
            // As Postfix says it.
            write!(f, "by {by} (Pillarbox, from userid {uid})\r\n\tid {id}")?;
        } else {
            if !self.hidden {
                self.from(f)?;
            }
            write!(f, "by {by} with {} id {id}", self.with)?;
        }
        if self.hidden {
            self.using(f, "\r\n\t", "")?;
        }
        if let Some(recipient) = &self.for_ {
            write!(f, "\r\n\tfor <{}>", plain(recipient))?;
        }
        write!(f, ";\r\n\t{}\r\n", self.time.rfc5322())
    }
}

impl Received<'_> {
    fn from(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let helo = if self.from_helo.is_empty() {
            "unknown"
        } else {
            self.from_helo
        };
        let name = self.client_name.unwrap_or("unknown");
        let ip = Domain::literal(self.client_ip);
        write!(f, "from {} ({} {ip})\r\n\t", clean(helo), clean(name))?;
        self.using(f, "", "\r\n\t")
    }

    fn using(&self, f: &mut fmt::Formatter<'_>, before: &str, after: &str) -> fmt::Result {
        let Some(tls) = self.tls else {
            return Ok(());
        };
        let (version, cipher) = (clean(&tls.version), clean(&tls.cipher));
        write!(f, "{before}(using {version} with cipher {cipher}){after}")
    }
}

/// The field that final delivery puts on top (RFC 5321 section 4.4), with its CRLF.
#[must_use]
pub fn return_path(path: &ReversePath) -> String {
    format!("Return-Path: {}\r\n", plain(&path.to_string()))
}

/// Only what host names, literals and identifiers are made of; all else becomes `?`.
fn clean(text: &str) -> String {
    let harmless = |c: char| {
        if c.is_ascii_alphanumeric() || "._-:[]".contains(c) {
            c
        } else {
            '?'
        }
    };
    text.chars().take(TEXT_MAX).map(harmless).collect()
}

/// Without controls: an address may be quoted and may be UTF-8.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use core::net::{Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::mail::header::fields;
    use crate::mail::path::parse_reverse;

    fn received() -> Received<'static> {
        Received {
            from_helo: "away.test",
            client_ip: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            client_name: None,
            hidden: false,
            uid: None,
            by: "mx.home.test",
            with: "ESMTP",
            tls: None,
            id: "4Wx1",
            for_: None,
            time: Time(1_795_272_815),
        }
    }

    #[test]
    fn plain_hop() {
        assert_eq!(
            received().to_string(),
            "Received: from away.test (unknown [192.0.2.1])\r\n\
             \tby mx.home.test with ESMTP id 4Wx1;\r\n\
             \tSat, 21 Nov 2026 14:53:35 +0000\r\n"
        );
    }

    #[test]
    fn hop_with_everything() {
        let tls = Secured {
            version: "TLS1.3".into(),
            exporter: None,
            cipher: "TLS_AES_128_GCM_SHA256".into(),
        };
        let hop = Received {
            client_ip: IpAddr::V6(Ipv6Addr::LOCALHOST),
            client_name: Some("mail.away.test"),
            with: "ESMTPS",
            tls: Some(&tls),
            for_: Some("alice@home.test".into()),
            ..received()
        };
        assert_eq!(
            hop.to_string(),
            "Received: from away.test (mail.away.test [IPv6:::1])\r\n\
             \t(using TLS1.3 with cipher TLS_AES_128_GCM_SHA256)\r\n\
             \tby mx.home.test with ESMTPS id 4Wx1\r\n\
             \tfor <alice@home.test>;\r\n\
             \tSat, 21 Nov 2026 14:53:35 +0000\r\n"
        );
    }

    #[test]
    fn a_hop_that_tells_no_client() {
        let hop = Received {
            hidden: true,
            with: "ESMTPA",
            ..received()
        };
        assert_eq!(
            hop.to_string(),
            "Received: by mx.home.test with ESMTPA id 4Wx1;\r\n\
             \tSat, 21 Nov 2026 14:53:35 +0000\r\n"
        );
        let tls = Secured {
            version: "TLS1.3".into(),
            cipher: "TLS_AES_128_GCM_SHA256".into(),
            ..Secured::default()
        };
        let hop = Received {
            tls: Some(&tls),
            for_: Some("alice@home.test".into()),
            ..hop
        };
        assert_eq!(
            hop.to_string(),
            "Received: by mx.home.test with ESMTPA id 4Wx1\r\n\
             \t(using TLS1.3 with cipher TLS_AES_128_GCM_SHA256)\r\n\
             \tfor <alice@home.test>;\r\n\
             \tSat, 21 Nov 2026 14:53:35 +0000\r\n"
        );
    }

    #[test]
    fn a_user_of_this_machine() {
        let hop = Received {
            uid: Some(1000),
            ..received()
        };
        assert_eq!(
            hop.to_string(),
            "Received: by mx.home.test (Pillarbox, from userid 1000)\r\n\
             \tid 4Wx1;\r\n\
             \tSat, 21 Nov 2026 14:53:35 +0000\r\n"
        );
    }

    #[test]
    fn nothing_gets_in() {
        let long = "x".repeat(5000);
        for helo in [
            "a\r\n\r\nEvil: 1",
            "a) (b [127.0.0.1])",
            "é\0\u{85}",
            ";",
            "",
            &long,
        ] {
            let text = Received {
                from_helo: helo,
                ..received()
            }
            .to_string();
            assert_eq!(fields(text.as_bytes()).count(), 1, "{text}");
            assert_eq!(text.matches('(').count(), 1, "{text}");
            assert_eq!(text.matches(';').count(), 1, "{text}");
            assert!(text.is_ascii() && text.lines().all(|line| line.len() < 998));
        }
    }

    #[test]
    fn return_paths() {
        for (path, want) in [
            ("<>", "Return-Path: <>\r\n"),
            ("<a@b.test>", "Return-Path: <a@b.test>\r\n"),
            ("<root>", "Return-Path: <root>\r\n"),
        ] {
            assert_eq!(return_path(&parse_reverse(path).unwrap()), want);
        }
    }
}
