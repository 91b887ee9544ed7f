//! SPF (RFC 7208) as far as a check needs it: is there one record, can it be read, does it ask for too
//! much, and does it let us send?

use std::net::IpAddr;

use super::{
    Ask, Facts, is_public, known,
    text::{quoted, starts, texts},
};
use crate::{
    net::{resolve::Unfound, world::Local},
    service::operate::{
        finding::{Finding, State},
        route::presets,
    },
};

const START: &str = "v=spf1";
/// Look-ups that a receiver makes (RFC 7208 section 4.6.4).
const LOOKUPS_MAX: u32 = 10;

pub(super) async fn check(ask: &dyn Ask, facts: &Facts) -> Finding {
    let domain = &facts.domain;
    let what = format!("Permission to send (SPF) of {domain}");
    let finding = |state: State, found: String, next: String| {
        let breaks = "others take mail from the domain for forged";
        Finding::new(state, what.as_str(), found, breaks, next)
    };
    let texts = match known(&what, ask.txt(domain).await) {
        Ok(records) => texts(records),
        Err(unknown) => return *unknown,
    };
    let add = format!("\"pillarbox domain dns {domain}\" shows what to set");
    let ours: Vec<_> = texts.iter().filter(|text| is_spf(text)).collect();
    let [text] = ours.as_slice() else {
        if !ours.is_empty() {
            let found = format!("there are {} SPF records, so none counts", ours.len());
            let next = "put all into one: what stands between \"v=spf1\" and \"all\", one behind the other";
            return finding(State::Failing, found, next.to_owned());
        }
        return if texts.iter().any(|text| quoted(text, START)) {
            let found = "quotes stand in the text itself".to_owned();
            finding(
                State::Failing,
                found,
                "paste the value without quotes".to_owned(),
            )
        } else {
            finding(State::Failing, "there is none".to_owned(), add)
        };
    };
    let senders = match senders(ask, facts).await {
        Ok(senders) => senders,
        Err(why) => return super::unknown(&what, &why),
    };
    let mut walk = Walk {
        ask,
        senders,
        lookups: 0,
        included: Vec::new(),
        wrong: None,
        late: None,
        everybody: false,
    };
    let passes = walk.record(domain, text, 0).await;
    if let Some(why) = walk.late {
        return super::unknown(&what, &why);
    }
    if let Some(wrong) = walk.wrong {
        let next = format!("mend it; {add}");
        return finding(State::Failing, format!("it cannot be read: {wrong}"), next);
    }
    if walk.lookups > LOOKUPS_MAX {
        let found = format!(
            "it makes receivers ask DNS {} times; after {LOOKUPS_MAX} they stop and refuse",
            walk.lookups
        );
        let next = "remove include: of services that no longer send for you".to_owned();
        return finding(State::Failing, found, next);
    }
    if walk.everybody {
        let found = "it lets everybody send (+all)".to_owned();
        return finding(State::Failing, found, "end it with ~all or -all".to_owned());
    }
    let included = walk.included;
    match &facts.route {
        Some(hosts) if !names_provider(&included, hosts) => {
            let found = format!(
                "it does not name the provider that sends for us ({})",
                hosts.join(", ")
            );
            let next = format!("add the provider's include: in front of ~all; {add}");
            finding(State::Warning, found, next)
        }
        None if !passes => finding(
            State::Failing,
            "it does not let this box send: neither its address nor mx is in it".to_owned(),
            format!("add mx in front of ~all; {add}"),
        ),
        _ => Finding::ok(what, (*text).clone()),
    }
}

fn is_spf(text: &str) -> bool {
    let rest = text.get(START.len()..);
    starts(text, START) && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// The addresses from which we send, as far as they are known.
async fn senders(ask: &dyn Ask, facts: &Facts) -> Result<Vec<IpAddr>, String> {
    let own = facts.own.iter().copied().filter(|ip| is_public(*ip));
    let own: Vec<_> = own.collect();
    if !own.is_empty() || facts.route.is_some() {
        return Ok(own);
    }
    match ask.addresses(&facts.hostname).await {
        Ok(found) => Ok(found.records),
        Err(Unfound::NoSuchName) => Ok(Vec::new()),
        Err(Unfound::NotHere(why) | Unfound::TryAgain(why)) => Err(why),
    }
}

/// Whether one of the includes has the last two labels of what the provider wants there, or else of one
/// of the hosts: `_spf.isp.test` for `smtp.isp.test`. Others are no error, only a warning.
fn names_provider(included: &[String], hosts: &[String]) -> bool {
    hosts.iter().any(|host| {
        let host = host.to_ascii_lowercase();
        let known = presets::include(std::slice::from_ref(&host));
        let wanted = presets::end(known.unwrap_or(&host));
        included.iter().any(|name| presets::end(name) == wanted)
    })
}

struct Walk<'a> {
    ask: &'a dyn Ask,
    senders: Vec<IpAddr>,
    lookups: u32,
    included: Vec<String>,
    /// What cannot be read.
    wrong: Option<String>,
    /// Why nobody can tell.
    late: Option<String>,
    everybody: bool,
}

impl Walk<'_> {
    /// Whether the record of `domain` lets one of our addresses send. All of it is walked: another sender
    /// makes a receiver ask for more.
    fn record<'b>(&'b mut self, domain: &'b str, text: &'b str, depth: u32) -> Local<'b, bool> {
        Box::pin(async move {
            let (mut redirect, mut verdict) = (None, None);
            for term in text.split_ascii_whitespace().skip(1) {
                if self.lookups > LOOKUPS_MAX || self.wrong.is_some() || self.late.is_some() {
                    return false;
                }
                let lower = term.to_ascii_lowercase();
                if let Some(to) = lower.strip_prefix("redirect=") {
                    redirect = Some(to.to_owned());
                    continue;
                }
                // Other modifiers (RFC 7208 section 6).
                let modifier = lower.split_once('=');
                if modifier.is_some_and(|(name, _)| !name.contains([':', '/'])) {
                    continue;
                }
                let bare = lower.trim_start_matches(['+', '-', '~', '?']);
                let allows = bare.len() == lower.len() || lower.starts_with('+');
                let fits = self.term(domain, bare, depth).await;
                if fits && verdict.is_none() {
                    verdict = Some(allows);
                }
                // What stands behind it counts for nobody (RFC 7208 section 5.1).
                if bare == "all" {
                    self.everybody |= allows && depth == 0;
                    return verdict.unwrap_or_default();
                }
            }
            match (verdict, redirect) {
                (Some(verdict), _) => verdict,
                (None, Some(to)) => self.include(&to, depth).await,
                (None, None) => false,
            }
        })
    }

    /// Whether a mechanism fits one of our addresses.
    async fn term(&mut self, domain: &str, term: &str, depth: u32) -> bool {
        let (name, argument) = match term.split_once([':', '/']) {
            Some((name, _)) => (name, term.get(name.len()..).unwrap_or_default()),
            None => (term, ""),
        };
        let argument = argument.strip_prefix(':').unwrap_or(argument);
        match name {
            "all" => true,
            "ip4" | "ip6" => match network(argument) {
                Some(network) => self.senders.iter().any(|ip| within(*ip, network)),
                None => self.is_wrong(term),
            },
            "a" | "mx" => {
                let (host, bits) = argument.split_once('/').unwrap_or((argument, ""));
                let host = if host.is_empty() { domain } else { host };
                self.lookups = self.lookups.saturating_add(1);
                let hosts = if name == "mx" {
                    let found = self.ask.mx(host).await;
                    let found = self.told(found).unwrap_or_default();
                    found.into_iter().map(|mx| mx.host).take(10).collect()
                } else {
                    vec![host.to_owned()]
                };
                let (four, six) = bits.split_once("//").unwrap_or((bits, ""));
                for host in hosts {
                    let found = self.ask.addresses(&host).await;
                    for ip in self.told(found).unwrap_or_default() {
                        let bits = if ip.is_ipv4() {
                            four
                        } else {
                            six.trim_start_matches('/')
                        };
                        let whole = if ip.is_ipv4() { 32 } else { 128 };
                        let bits = bits.parse().unwrap_or(whole);
                        if self.senders.iter().any(|own| within(*own, (ip, bits))) {
                            return true;
                        }
                    }
                }
                false
            }
            "include" if argument.is_empty() => self.is_wrong(term),
            "include" => self.include(argument, depth).await,
            // What they give depends on the message.
            "exists" | "ptr" => {
                self.lookups = self.lookups.saturating_add(1);
                false
            }
            _ => self.is_wrong(term),
        }
    }

    async fn include(&mut self, domain: &str, depth: u32) -> bool {
        self.lookups = self.lookups.saturating_add(1);
        if depth == 0 {
            self.included.push(domain.to_owned());
        }
        // A macro is of the message, too (RFC 7208 section 7).
        if self.lookups > LOOKUPS_MAX || domain.contains('%') {
            return false;
        }
        let found = self.ask.txt(domain).await;
        let Some(records) = self.told(found) else {
            return false;
        };
        let ours: Vec<_> = texts(records)
            .into_iter()
            .filter(|text| is_spf(text))
            .collect();
        if let [text] = ours.as_slice() {
            return self.record(domain, text, depth.saturating_add(1)).await;
        }
        self.wrong = Some(format!("{domain}, which it includes, has no SPF record"));
        false
    }

    fn is_wrong(&mut self, term: &str) -> bool {
        let shown: String = term.chars().take(60).collect();
        self.wrong = Some(format!("{shown:?} means nothing"));
        false
    }

    fn told<T: Default>(&mut self, answer: crate::net::resolve::Answer<T>) -> Option<T> {
        match answer {
            Ok(found) => Some(found.records),
            Err(Unfound::NoSuchName) => Some(T::default()),
            Err(Unfound::NotHere(why) | Unfound::TryAgain(why)) => {
                self.late = Some(why);
                None
            }
        }
    }
}

/// `192.0.2.0/24`, `2001:db8::1`.
fn network(text: &str) -> Option<(IpAddr, u32)> {
    let (ip, bits) = match text.split_once('/') {
        Some((ip, bits)) => (ip, Some(bits)),
        None => (text, None),
    };
    let ip: IpAddr = ip.parse().ok()?;
    let whole = if ip.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Some(whole), |bits| bits.parse().ok())?;
    (bits <= whole).then_some((ip, bits))
}

fn within(ip: IpAddr, (network, bits): (IpAddr, u32)) -> bool {
    let same = |a: u128, b: u128, width: u32| {
        let shift = width.saturating_sub(bits);
        bits == 0 || a.checked_shr(shift) == b.checked_shr(shift)
    };
    match (ip.to_canonical(), network.to_canonical()) {
        (IpAddr::V4(a), IpAddr::V4(b)) => same(a.to_bits().into(), b.to_bits().into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => same(a.to_bits(), b.to_bits(), 128),
        _ => false,
    }
}
