//! UX-111: a zone that is right, broken in one way after the other; each way has its own diagnosis.

use std::collections::BTreeMap;

use async_io::block_on;

use super::*;
use crate::net::{
    resolve::{Found, Mx},
    world::Local,
};

/// `name TYPE value`, a line each; ` alias` behind an address: a CNAME led there.
#[derive(Default)]
struct Zone {
    rows: BTreeMap<(String, String), Vec<String>>,
    dead: bool,
}

impl Zone {
    fn new(text: &str) -> Self {
        let mut zone = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let mut words = line.splitn(3, ' ');
            let mut word = || words.next().unwrap_or_default().to_owned();
            let (name, kind, value) = (word(), word(), word());
            zone.rows.entry((name, kind)).or_default().push(value);
        }
        zone
    }

    fn get<T>(&self, name: &str, kind: &str, make: impl Fn(&str) -> T) -> Answer<Vec<T>> {
        if self.dead {
            return Err(Unfound::TryAgain("no server answers".to_owned()));
        }
        if !self.rows.keys().any(|(there, _)| there == name) {
            return Err(Unfound::NoSuchName);
        }
        let rows = self.rows.get(&(name.to_owned(), kind.to_owned()));
        let rows = rows.map(Vec::as_slice).unwrap_or_default();
        Ok(Found {
            records: rows.iter().map(|row| make(row)).collect(),
            authentic: false,
            alias: rows.iter().any(|row| row.ends_with(" alias")),
        })
    }
}

impl Ask for Zone {
    fn mx<'a>(&'a self, name: &'a str) -> Local<'a, Answer<Vec<Mx>>> {
        let make = |row: &str| {
            let (preference, host) = row.split_once(' ').unwrap();
            Mx {
                preference: preference.parse().unwrap(),
                host: host.trim_end_matches('.').to_owned(),
            }
        };
        Box::pin(async move {
            self.get(name, "MX", make).map(|mut found| {
                found.records.sort();
                found
            })
        })
    }

    fn addresses<'a>(&'a self, name: &'a str) -> Local<'a, Answer<Vec<IpAddr>>> {
        let make = |row: &str| row.trim_end_matches(" alias").parse().unwrap();
        Box::pin(async move { self.get(name, "A", make) })
    }

    fn txt<'a>(&'a self, name: &'a str) -> Local<'a, Answer<Vec<Vec<u8>>>> {
        Box::pin(async move { self.get(name, "TXT", |row| row.as_bytes().to_vec()) })
    }

    fn names(&self, ip: IpAddr) -> Local<'_, Answer<Vec<String>>> {
        Box::pin(async move { self.get(&ip.to_string(), "PTR", ToOwned::to_owned) })
    }
}

/// As long as the real one of 2048 bits.
fn rsa() -> String {
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A".repeat(11) + "IDAQAB"
}

const ED: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

fn zone() -> String {
    format!(
        "dom.test MX 10 mail.dom.test
         mail.dom.test A 203.0.113.5
         203.0.113.5 PTR mail.dom.test
         dom.test TXT v=spf1 mx ~all
         dom.test TXT some-verification=1
         r202611._domainkey.dom.test TXT v=DKIM1; k=rsa; p={}
         e202611._domainkey.dom.test TXT v=DKIM1; k=ed25519; p={ED}
         _dmarc.dom.test TXT v=DMARC1; p=none; rua=mailto:x@dom.test",
        rsa()
    )
}

fn facts() -> Facts {
    let key = |selector: &str, kind, public: &str| Key {
        selector: selector.to_owned(),
        public: public.to_owned(),
        kind,
    };
    Facts {
        domain: "dom.test".to_owned(),
        hostname: "mail.dom.test".to_owned(),
        own: vec!["127.0.0.1".parse().unwrap(), "203.0.113.5".parse().unwrap()],
        arrives: true,
        leaves: true,
        route: None,
        keys: vec![key("r202611", "rsa", &rsa()), key("e202611", "ed25519", ED)],
    }
}

/// What is not well: its kind of record, and what was found.
fn flaws(zone: &Zone, facts: &Facts) -> Vec<String> {
    let findings = block_on(examine(zone, facts));
    let bad = findings.iter().filter(|finding| finding.state != State::Ok);
    bad.map(|finding| {
        if finding.state != State::Unknown {
            assert!(
                !finding.next.is_empty() && !finding.breaks.is_empty(),
                "{finding:?}"
            );
        }
        format!("{:?}: {}: {}", finding.state, finding.what, finding.found)
    })
    .collect()
}

#[test]
fn what_is_right_is_right() {
    assert_eq!(flaws(&Zone::new(&zone()), &facts()), Vec::<String>::new());
    // Behind a router the address is not known.
    let behind = Facts {
        own: vec!["192.168.1.5".parse().unwrap()],
        ..facts()
    };
    assert_eq!(
        flaws(&Zone::new(&zone()), &behind),
        [
            "Unknown: Address (A, AAAA) of mail.dom.test: 203.0.113.5; this box is behind a router and \
             cannot tell whether that is its address"
        ]
    );
}

/// UX-112.
#[test]
fn ux_112_a_dead_resolver_is_nobodys_fault() {
    let zone = Zone {
        dead: true,
        ..Zone::default()
    };
    let findings = block_on(examine(&zone, &facts()));
    assert_eq!(findings.len(), 7);
    for finding in findings {
        assert_eq!(finding.state, State::Unknown, "{finding:?}");
        assert_eq!(finding.found, "nobody could tell: no server answers");
    }
}

/// Each way to break it: what is put in the place of what, and what the check says. All are different.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn ux_111_each_variant_has_its_diagnosis() {
    let half = rsa().split_off(255);
    let cut = format!("p={}", &rsa()[..255]);
    let tail = format!("p={half}");
    let whole = format!("p={}", rsa());
    let variants = [
        ("dom.test MX 10 mail.dom.test", "", "there is none"),
        (
            "10 mail.dom.test",
            "10 mail.dom.test.dom.test",
            "it leads to mail.dom.test.dom.test: your provider put the domain behind",
        ),
        (
            "10 mail.dom.test",
            "10 203.0.113.5",
            "it holds the address 203.0.113.5, where a name",
        ),
        (
            "10 mail.dom.test",
            "10 203.0.113.5.dom.test",
            "it holds the address 203.0.113.5, where a name",
        ),
        (
            "10 mail.dom.test",
            "10 mx.old.test",
            "it leads elsewhere: mx.old.test",
        ),
        (
            "10 mail.dom.test",
            "0 .",
            "it says that the domain takes no mail",
        ),
        (
            "10 mail.dom.test",
            "10 mail.dom.test\ndom.test MX 5 mx.old.test",
            "mx.old.test comes before",
        ),
        (
            "mail.dom.test A 203.0.113.5",
            "mail.dom.test A 203.0.113.5 alias",
            "it is an alias (CNAME)",
        ),
        (
            "mail.dom.test A 203.0.113.5",
            "mail.dom.test A 203.0.113.99",
            "203.0.113.99 is not an address of this box",
        ),
        (
            "mail.dom.test A 203.0.113.5",
            "mail.dom.test A 192.168.1.5",
            "192.168.1.5 is an address of a home network",
        ),
        (
            "mail.dom.test A",
            "mail.dom.test.dom.test A",
            "there is none, but mail.dom.test.dom.test has one",
        ),
        ("dom.test TXT v=spf1 mx ~all", "", "there is none"),
        (
            "v=spf1 mx ~all",
            "v=spf1 mx ~all\ndom.test TXT v=spf1 include:x.test ~all",
            "there are 2 SPF records",
        ),
        (
            "v=spf1 mx ~all",
            "\"v=spf1 mx ~all\"",
            "quotes stand in the text",
        ),
        (
            "v=spf1 mx ~all",
            "v=spf1 ip4:203.0.113.9 -all",
            "it does not let this box send",
        ),
        ("v=spf1 mx ~all", "v=spf1 mx +all", "it lets everybody send"),
        (
            "v=spf1 mx ~all",
            "v=spf1 ip4:203.0.113.9 all",
            "it lets everybody send",
        ),
        (
            "v=spf1 mx ~all",
            "v=spf1 mix ~all",
            "it cannot be read: \"mix\" means nothing",
        ),
        (
            "v=spf1 mx ~all",
            "v=spf1 ip4:203.0.113.999 mx ~all",
            "it cannot be read: \"ip4:203.0.113.999\"",
        ),
        (
            "v=spf1 mx ~all",
            "v=spf1 include:none.test mx ~all",
            "it cannot be read: none.test, which it includes",
        ),
        (
            "v=spf1 mx ~all",
            "v=spf1 include:loop.test mx ~all\nloop.test TXT v=spf1 include:loop.test -all",
            "it makes receivers ask DNS 11 times",
        ),
        (
            "r202611._domainkey.dom.test",
            "r202611._domainkey.dom.test.dom.test",
            "there is none, but there is one at r202611._domainkey.dom.test.dom.test",
        ),
        (
            "r202611._domainkey.dom.test",
            "default._domainkey.dom.test",
            "there is none, but the key is at default._domainkey.dom.test: a wrong selector",
        ),
        (
            "r202611._domainkey.dom.test",
            "r202610._domainkey.dom.test",
            "there is none",
        ),
        (&whole, &cut, "a part of the key is missing: 255 of 358"),
        (&whole, &tail, "a part of the key is missing: 103 of 358"),
        (
            "v=DKIM1; k=rsa;",
            "\"v=DKIM1; k=rsa;\" \"",
            "quotes or backslashes stand",
        ),
        ("k=rsa; p=", "k=rsa; p=AAAA", "it holds another key"),
        (
            "k=rsa; p=",
            "k=rsa; p=; x=",
            "it says that the key is revoked",
        ),
        (
            &format!("k=ed25519; p={ED}"),
            &format!("k=rsa; p={}", rsa()),
            "it holds the key of the other selector",
        ),
        ("k=ed25519; p=", "k=ed25519; q=", "it holds no key"),
        (
            "r202611._domainkey.dom.test TXT v=DKIM1",
            "r202611._domainkey.dom.test TXT x\nr202611._domainkey.dom.test TXT v=DKIM1",
            "there are 2 records; one is allowed",
        ),
        (
            "_dmarc.dom.test TXT",
            "_dmarc.dom.test.dom.test TXT",
            "there is none, but there is one at _dmarc.dom.test.dom.test",
        ),
        (
            "_dmarc.dom.test TXT",
            "dom.test TXT",
            "it is at dom.test itself",
        ),
        ("_dmarc.dom.test TXT", "x.dom.test TXT", "there is none"),
        (
            "v=DMARC1; p=none",
            "\"v=DMARC1; p=none",
            "quotes stand in the text",
        ),
        ("p=none", "p=strict", "its policy (p=) is none of"),
        (
            "v=DMARC1; p=none",
            "v=DMARC1; p=reject\n_dmarc.dom.test TXT v=DMARC1; p=none",
            "there are 2 records, so none counts",
        ),
        ("203.0.113.5 PTR mail.dom.test", "", "203.0.113.5 has none"),
        (
            "PTR mail.dom.test",
            "PTR 5.113.0.203.isp.test",
            "203.0.113.5 is called 5.113.0.203.isp.test, not mail.dom.test, and that name does not lead back",
        ),
        (
            "PTR mail.dom.test",
            "PTR host.isp.test\nhost.isp.test A 203.0.113.5",
            "203.0.113.5 is called host.isp.test, not mail.dom.test",
        ),
    ];
    let good = zone();
    let mut seen = Vec::new();
    for (from, to, want) in variants {
        assert!(good.contains(from), "{from}");
        let flaws = flaws(&Zone::new(&good.replace(from, to)), &facts());
        assert!(
            flaws.iter().any(|flaw| flaw.contains(want)),
            "{from} -> {to}: {flaws:#?}"
        );
        seen.push(flaws.join("\n"));
    }
    seen.sort();
    seen.dedup();
    assert!(seen.len() >= 38, "{}", seen.len());
}

/// Through a provider: it has to be named, and PTR is its business.
#[test]
fn through_a_provider() {
    let through = |host: &str| Facts {
        route: Some(vec![host.to_owned()]),
        ..facts()
    };
    let good = zone().replace("203.0.113.5 PTR mail.dom.test", "");
    let flaw = "Warning: Permission to send (SPF) of dom.test: it does not name the provider that sends \
                for us (smtp.gmail.com)";
    assert_eq!(flaws(&Zone::new(&good), &through("smtp.gmail.com")), [flaw]);
    let named = good.replace(
        "mx ~all",
        "mx include:_spf.google.com ~all\n_spf.google.com TXT v=spf1 ip4:192.0.2.0/24 ~all",
    );
    assert_eq!(
        flaws(&Zone::new(&named), &through("smtp.gmail.com")),
        Vec::<String>::new()
    );
    let named = named.replace("_spf.google.com", "spf.smtp2go.com");
    assert_eq!(
        flaws(&Zone::new(&named), &through("mail.smtp2go.com")),
        Vec::<String>::new()
    );
}

/// Whom SPF lets send, as a table.
#[test]
fn spf_lets_send() {
    for (record, passes) in [
        ("v=spf1 ip4:203.0.113.5 -all", true),
        ("v=spf1 ip4:203.0.113.0/24 -all", true),
        ("v=spf1 ip4:203.0.112.0/24 -all", false),
        ("v=spf1 ip6:2001:db8::/32 -all", false),
        ("v=spf1 a:mail.dom.test -all", true),
        (
            "v=spf1 a:other.test/24 -all\nother.test A 203.0.113.77",
            true,
        ),
        ("v=spf1 a:other.test -all\nother.test A 203.0.113.77", false),
        (
            "v=spf1 mx:other.test -all\nother.test MX 1 mail.dom.test",
            true,
        ),
        (
            "v=spf1 include:other.test -all\nother.test TXT v=spf1 ip4:203.0.113.5 -all",
            true,
        ),
        (
            "v=spf1 include:other.test -all\nother.test TXT v=spf1 -ip4:203.0.113.5 +all",
            false,
        ),
        (
            "v=spf1 redirect=other.test\nother.test TXT v=spf1 mx:dom.test -all",
            true,
        ),
        (
            "v=spf1 exp=x.test redirect=other.test\nother.test TXT v=spf1 -all",
            false,
        ),
        ("V=SPF1 MX -ALL", true),
        ("v=spf1 -mx +ip4:203.0.113.5 -all", false),
        ("v=spf1 exists:%{i}.x.test a:mail.dom.test ?all", true),
    ] {
        let zone = Zone::new(&zone().replace("v=spf1 mx ~all", record));
        let flaws = flaws(&zone, &facts());
        let refused = flaws
            .iter()
            .any(|flaw| flaw.contains("does not let this box send"));
        assert_eq!(
            (refused, flaws.len()),
            (!passes, usize::from(!passes)),
            "{record} {flaws:?}"
        );
    }
}
