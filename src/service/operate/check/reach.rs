//! What has to be tried instead of looked up: the resolver itself, the way out on port 25, a policy over
//! HTTPS.

use std::{io, net::SocketAddr};

use smol::{
    future,
    io::{AsyncReadExt, AsyncWriteExt},
};

use super::{Facts, known, text};
use crate::{
    net::{
        trust::Trust,
        world::{Endpoint, World},
    },
    service::{
        operate::{
            Outside,
            finding::{Finding, State},
        },
        outbound::sts::{self, Mode},
    },
};

/// For a connection, and for a greeting, in seconds.
const WAIT: u64 = 10;

/// Whether names can be looked up at all.
pub async fn resolver(outside: &Outside) -> Finding {
    const WHAT: &str = "Looking up names (DNS)";
    if outside.resolver.probe("example.com").await {
        return Finding::ok(WHAT, "a server answers");
    }
    Finding::new(
        State::Failing,
        WHAT,
        "no server answers",
        "no mail leaves, and strangers' mail is put off",
        "look whether this machine is online; which servers are asked: pillarbox config show (dns.servers)",
    )
}

/// Whether mail servers can be reached directly. `domain`: whose mail server is asked, which the finding
/// names; it is greeted and left.
pub async fn port_25(outside: &Outside, domain: &str) -> Finding {
    let what = format!("Way out to mail servers (port 25), tried with {domain}");
    let hosts = match known(&what, outside.resolver.mx(domain).await) {
        Ok(hosts) => hosts,
        Err(unknown) => return *unknown,
    };
    let mut last = format!("{domain} has no mail server");
    for mx in hosts.iter().take(2) {
        let addresses = outside.resolver.addresses(&mx.host).await;
        let found = addresses.map(|found| found.records).unwrap_or_default();
        let four = found.iter().find(|ip| ip.is_ipv4());
        let six = found.iter().find(|ip| ip.is_ipv6());
        for ip in four.into_iter().chain(six) {
            match greeting(&*outside.world, (*ip, 25).into()).await {
                Ok(()) => return Finding::ok(what, format!("{}[{ip}] answers", mx.host)),
                Err(error) => last = format!("{}[{ip}]: {error}", mx.host),
            }
        }
    }
    Finding::new(
        State::Failing,
        what,
        last,
        "mail cannot go straight to other servers",
        "ask your internet provider to open port 25 outwards; or send through a provider: pillarbox route \
         add, pillarbox route default",
    )
}

async fn greeting(world: &dyn World, to: SocketAddr) -> io::Result<()> {
    let late = async {
        world.sleep(world.now().plus_seconds(WAIT)).await;
        Err(io::Error::new(io::ErrorKind::TimedOut, "no answer"))
    };
    let greeted = async {
        let mut socket = world.connect(&Endpoint::Tcp(to)).await?;
        let mut octets = [0; 256];
        let length = socket.read(&mut octets).await?;
        // Who says 4xx or 5xx is reached all the same; who says nothing is a box between.
        socket.write_all(b"QUIT\r\n").await?;
        if octets.get(..length).is_some_and(|said| said.len() >= 3) {
            Ok(())
        } else {
            Err(io::Error::other("the connection ends at once"))
        }
    };
    future::or(greeted, late).await
}

/// MTA-STS and TLS-RPT: nobody needs them, but who publishes them wrongly loses mail.
pub(super) async fn sts(outside: &Outside, facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !facts.arrives {
        return findings;
    }
    let domain = &facts.domain;
    let what = format!("Encryption policy (MTA-STS) of {domain}");
    let name = format!("_mta-sts.{domain}");
    match known(&what, outside.resolver.txt(&name).await) {
        Ok(records) if records.is_empty() => {}
        Ok(records) if sts::record(&records).is_none() => findings.push(Finding::new(
            State::Warning,
            what,
            format!("the record at {name} is not of the form v=STSv1; id=…"),
            "others do not look at the policy",
            "set: TXT, name _mta-sts, value v=STSv1; id=1 (one record; another id for each policy)",
        )),
        Ok(_) => {
            let trust = Trust::new(outside.world.clone());
            let policy = sts::look(&*outside.world, &outside.resolver, &trust, domain).await;
            findings.push(match policy {
                Err(unfetched) => Finding::new(
                    State::Failing,
                    what,
                    unfetched.to_string(),
                    "servers that know an older policy keep to it; others see none",
                    format!("publish it at https://mta-sts.{domain}/.well-known/mta-sts.txt, or remove {name}"),
                ),
                Ok(policy) if policy.mode != Mode::None && !policy.allows(&facts.hostname) => {
                    Finding::new(
                        State::Failing,
                        what,
                        format!("it does not name {} as a mail server", facts.hostname),
                        "servers that obey it send no mail here",
                        format!("add the line \"mx: {}\" to it, and change the id at {name}", facts.hostname),
                    )
                }
                Ok(policy) => Finding::ok(what, format!("mode {}", policy.mode.word())),
            });
        }
        Err(unknown) => findings.push(*unknown),
    }
    let what = format!("Reports about encryption (TLS-RPT) of {domain}");
    let name = format!("_smtp._tls.{domain}");
    if let Ok(records) = known(&what, outside.resolver.txt(&name).await) {
        let texts = text::texts(records);
        let fine = |text: &String| text::starts(text, "v=TLSRPTv1") && text.contains("rua=");
        match texts.iter().filter(|text| fine(text)).count() {
            _ if texts.is_empty() => {}
            1 => findings.push(Finding::ok(what, "it is there")),
            _ => findings.push(Finding::new(
                State::Warning,
                what,
                "it is not one record of the form v=TLSRPTv1; rua=mailto:…",
                "nobody sends you reports",
                "set: TXT, name _smtp._tls, value v=TLSRPTv1; rua=mailto:postmaster@… with your address",
            )),
        }
    }
    findings
}
