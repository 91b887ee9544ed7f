//! OQ-1 as a table: what DNS says, and which hosts come of it.

use std::{net::Ipv4Addr, rc::Rc};

use async_io::block_on;

use super::*;
use crate::net::{resolve::Found, world::RealWorld};

fn own() -> Own {
    Own {
        hostname: "mx.home.test".to_owned(),
        addresses: vec![
            "127.0.0.1".parse().unwrap(),
            "192.0.2.1".parse().unwrap(),
            "2001:db8::1".parse().unwrap(),
        ],
        port: 25,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it stands where an answer does")]
fn found<T>(records: T) -> Answer<T> {
    Ok(Found {
        records,
        authentic: false,
        alias: false,
    })
}

fn ips(text: &str) -> Answer<Vec<IpAddr>> {
    match text {
        "nxdomain" => Err(Unfound::NoSuchName),
        "servfail" => Err(Unfound::TryAgain("SERVFAIL".to_owned())),
        _ => found(
            text.split_whitespace()
                .map(|ip| ip.parse().unwrap())
                .collect(),
        ),
    }
}

/// `10 mx.a.test 192.0.2.9 …` a line: the walk through a domain's MX, in one line.
fn walk(port: u16, lines: &[&str]) -> String {
    let own = own();
    let mut gathered = Gathered::new("a.test", port, &own);
    for line in lines {
        let (preference, rest) = line.split_once(' ').unwrap();
        let (host, answer) = rest.split_once(' ').unwrap_or((rest, ""));
        let mx = Mx {
            preference: preference.parse().unwrap(),
            host: host.to_owned(),
        };
        if gathered.is_done(&mx) || gathered.is_us(&mx) || !gathered.answer(&mx, ips(answer), false)
        {
            break;
        }
    }
    match gathered.end() {
        Ok(hosts) => {
            let host = |host: &Host| {
                let addresses: Vec<_> = host
                    .addresses
                    .iter()
                    .map(|to| to.ip().to_string())
                    .collect();
                assert!(host.addresses.iter().all(|to| to.port() == port));
                format!("{}={}", host.name, addresses.join(","))
            };
            hosts.iter().map(host).collect::<Vec<_>>().join(" ")
        }
        Err(failure) => say(failure),
    }
}

fn say(failure: Failure) -> String {
    match failure {
        Failure::Fails { code, status, text } => format!("{code} {status} {text}"),
        Failure::Waits { status, text } => format!("{status} {text}"),
    }
}

#[test]
fn oq_1_hosts_of_a_domain() {
    const LOOP: &str = "554 5.4.6 mail for a.test loops back to myself";
    for (lines, want) in [
        (
            &["10 x 203.0.113.1", "20 y 203.0.113.2"][..],
            "x=203.0.113.1 y=203.0.113.2",
        ),
        // IPv6 and IPv4 by turns, IPv6 first, each once.
        (
            &["10 x 203.0.113.1 203.0.113.2 203.0.113.1 2001:db8::9 2001:db8::8 2001:db8::7"],
            "x=2001:db8::9,203.0.113.1,2001:db8::8,203.0.113.2,2001:db8::7",
        ),
        (&["10 x ::ffff:203.0.113.1"], "x=203.0.113.1"),
        // We are one of them: it goes, and what is no better.
        (
            &[
                "10 x 203.0.113.1",
                "20 y 203.0.113.2",
                "20 mx.home.test",
                "30 z 203.0.113.3",
            ],
            "x=203.0.113.1",
        ),
        (&["10 x 203.0.113.1", "20 y 192.0.2.1"], "x=203.0.113.1"),
        (
            &["10 x 203.0.113.1", "20 y 203.0.113.2 2001:db8::1"],
            "x=203.0.113.1",
        ),
        (&["10 x 203.0.113.1", "10 y 127.0.0.1"], LOOP),
        (&["10 MX.home.test", "20 y 203.0.113.2"], LOOP),
        (&["10 y ::1"], LOOP),
        (&["10 y 127.9.9.9"], LOOP),
        // Nobody's addresses are passed over.
        (
            &["10 x 0.0.0.0 ff02::1 255.255.255.255 203.0.113.1"],
            "x=203.0.113.1",
        ),
        (
            &["10 x 0.0.0.0"],
            "550 5.4.4 Name service error for name=x type=A: Host found but no usable address",
        ),
        // A host that is not there is passed over …
        (
            &["10 x nxdomain", "20 y servfail", "30 z 203.0.113.3"],
            "z=203.0.113.3",
        ),
        // … and where nothing is left, hope counts more.
        (
            &["10 x nxdomain", "20 y servfail", "30 z"],
            "4.4.3 Host or domain name not found. Name service error for name=y type=A: \
             Host not found, try again (SERVFAIL)",
        ),
        (
            &["10 x nxdomain", "20 y"],
            "550 5.4.4 Host or domain name not found. Name service error for name=x type=A: \
             Host not found",
        ),
        (
            &["10 x servfail", "20 mx.home.test"],
            "4.4.3 Host or domain name not found. Name service error for name=x type=A: \
             Host not found, try again (SERVFAIL)",
        ),
        (&["10 x nxdomain", "20 mx.home.test"], LOOP),
    ] {
        assert_eq!(walk(25, lines), want, "{lines:?}");
    }
    // Another port of this machine is not our MX; loopback is never asked for by others' DNS.
    assert_eq!(walk(26, &["10 x 192.0.2.1"]), "x=192.0.2.1");
    assert_eq!(
        walk(26, &["10 mx.home.test 192.0.2.1"]),
        "mx.home.test=192.0.2.1"
    );
    assert_eq!(walk(26, &["10 x 127.0.0.1"]), LOOP);
}

#[test]
fn oq_1_so_many_and_no_more() {
    let line = |n: u8| format!("{n} h{n} 203.0.113.{n}");
    let lines: Vec<_> = (1..=9).map(line).collect();
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    assert_eq!(walk(25, &lines).split(' ').count(), HOSTS_MAX);
    // Among many of one preference we may come late.
    let mut lines: Vec<_> = (1..=9).map(|n| format!("10 h{n} 203.0.113.{n}")).collect();
    lines.push("10 mx.home.test".to_owned());
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    assert!(walk(25, &lines).starts_with("554 5.4.6"));
    let ips: Vec<IpAddr> = (0..50)
        .map(|n| Ipv4Addr::new(203, 0, 113, n).into())
        .collect();
    assert_eq!(by_turns(&ips, 25).len(), ADDRESSES_MAX);
}

#[test]
fn oq_1_mx_records() {
    let mx = |preference: u16, host: &str| Mx {
        preference,
        host: host.to_owned(),
    };
    let get = |answer| servers("a.test", answer).map_err(say);
    // Without MX the domain itself (RFC 5321 section 5.1).
    assert_eq!(get(found(vec![])), Ok((vec![mx(0, "a.test")], false)));
    let null = get(found(vec![mx(0, "")]));
    assert_eq!(
        null.unwrap_err(),
        "556 5.1.10 Domain a.test does not accept mail (null MX)"
    );
    let mixed = found(vec![mx(0, ""), mx(5, "x"), mx(7, "a\nb")]);
    assert_eq!(get(mixed), Ok((vec![mx(5, "x")], false)));
    let sealed = Ok(Found {
        records: vec![mx(5, "x")],
        authentic: true,
        alias: true,
    });
    assert_eq!(get(sealed), Ok((vec![mx(5, "x")], true)));
    assert_eq!(
        get(Err(Unfound::NoSuchName)).unwrap_err(),
        "550 5.1.2 Host or domain name not found. Name service error for name=a.test type=MX: \
         Host not found"
    );
    for unfound in [
        Unfound::TryAgain("no answer".to_owned()),
        Unfound::NotHere("no answer".to_owned()),
    ] {
        assert_eq!(
            get(Err(unfound)).unwrap_err(),
            "4.4.3 Host or domain name not found. Name service error for name=a.test type=MX: \
             Host not found, try again (no answer)"
        );
    }
}

/// DANE needs the whole way to be authentic (RFC 7672 section 2.2).
#[test]
fn authentic_is_the_whole_way() {
    let own = own();
    for (mx, addresses) in [(true, true), (true, false), (false, true)] {
        let mut gathered = Gathered::new("a.test", 25, &own);
        let record = Mx {
            preference: 1,
            host: "x".to_owned(),
        };
        let answer = Ok(Found {
            records: vec!["203.0.113.1".parse().unwrap()],
            authentic: addresses,
            alias: false,
        });
        assert!(gathered.answer(&record, answer, mx));
        assert_eq!(gathered.end().unwrap()[0].authentic, mx && addresses);
    }
}

/// TR-4: an admin may name any host, this machine too; and an address needs no DNS.
#[test]
fn tr_4_named_hosts() {
    let resolver = Resolver::new(Rc::new(RealWorld::new()), vec![]);
    let hosts = ["127.0.0.1".to_owned(), "::1".to_owned()];
    let found = block_on(named(&resolver, &hosts, 2525)).unwrap();
    let to: Vec<_> = found
        .iter()
        .map(|host| host.addresses[0].to_string())
        .collect();
    assert_eq!(to, ["127.0.0.1:2525", "[::1]:2525"]);
    let literal = Domain::parse("[203.0.113.1]").unwrap();
    let found = block_on(of_domain(&resolver, &literal, 25, &own())).unwrap();
    assert_eq!(found[0].name, "203.0.113.1");
    let ours = Domain::parse("[192.0.2.1]").unwrap();
    let found = block_on(of_domain(&resolver, &ours, 25, &own()));
    assert!(say(found.unwrap_err()).starts_with("554 5.4.6"));
}
