//! `domain check`: whether the world's DNS knows a domain as it should (UX-110 to UX-112). What a finding
//! says is one of many diagnoses, so that the next step is the right one.

mod ask;
mod reach;
mod spf;
mod text;

use std::net::IpAddr;

use crate::{
    config::schema::{self, Role},
    net::resolve::{Answer, Unfound},
    service::{
        lookup::DEFAULT_ROUTE,
        operate::{
            Context, Kind, Problem,
            finding::{Finding, State},
            status,
        },
        outbound::hosts::is_outside,
    },
    store::directory::{DkimAlgorithm, DkimState, DomainClass},
};

pub use ask::Ask;
pub use reach::{port_25, resolver};

/// What the records are compared with.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub domain: String,
    /// Our own name, to which MX leads.
    pub hostname: String,
    /// Our own addresses.
    pub own: Vec<IpAddr>,
    /// Mail for the domain arrives here.
    pub arrives: bool,
    /// Mail from the domain leaves from here.
    pub leaves: bool,
    /// The hosts of the default route, if mail leaves through one; it knows where our provider wants to be
    /// named.
    pub route: Option<Vec<String>>,
    pub keys: Vec<Key>,
}

/// A key that has to be in DNS.
#[derive(Clone, Debug)]
pub struct Key {
    pub selector: String,
    /// As behind `p=`: base64.
    pub public: String,
    /// `rsa` or `ed25519`.
    pub kind: &'static str,
}

/// Looks at each record that mail for the domain needs. A resolver that is dead gives findings of the
/// state `Unknown`.
///
/// # Errors
///
/// Nothing outside can be asked: the box does not run.
pub async fn domain(context: &Context<'_>, name: &str) -> Result<Vec<Finding>, Problem> {
    let Some(outside) = &context.outside else {
        return Err(Problem::new(Kind::NotRunning, status::NOT_RUNNING));
    };
    let facts = facts(context, name, outside.world.own_addresses())?;
    let mut findings = examine(&*outside.resolver, &facts).await;
    findings.extend(reach::sts(outside, &facts).await);
    Ok(findings)
}

fn facts(context: &Context<'_>, name: &str, own: Vec<IpAddr>) -> Result<Facts, Problem> {
    let (row, route, keys) = context.store.read(|reader| {
        let route = match reader.setting(DEFAULT_ROUTE)? {
            Some(route) => reader.route(&route)?,
            None => None,
        };
        Ok((reader.domain(name)?, route, reader.dkim_keys(name)?))
    })?;
    let class = row.map(|row| row.class);
    let keys = keys
        .into_iter()
        .filter(|(_, key)| !key.public.is_empty() && key.state != DkimState::Retired);
    Ok(Facts {
        domain: name.to_owned(),
        hostname: context.config.text(&schema::HOSTNAME).to_ascii_lowercase(),
        own,
        arrives: context.config.role() != Role::Relay && class != Some(DomainClass::Local),
        leaves: matches!(class, Some(DomainClass::Mailbox | DomainClass::Alias)),
        route: route.map(|route| route.hosts),
        keys: keys
            .map(|(selector, key)| Key {
                selector,
                public: text::base64(&key.public),
                kind: match key.algorithm {
                    DkimAlgorithm::Ed25519 => "ed25519",
                    DkimAlgorithm::Rsa => "rsa",
                },
            })
            .collect(),
    })
}

/// All records but those over HTTPS.
pub async fn examine(ask: &dyn Ask, facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    if facts.arrives {
        findings.push(mx(ask, facts).await);
        findings.push(address(ask, facts).await);
    }
    if facts.leaves {
        findings.push(spf::check(ask, facts).await);
        for key in &facts.keys {
            findings.push(text::dkim(ask, facts, key).await);
        }
        findings.push(text::dmarc(ask, facts).await);
        if facts.route.is_none() {
            findings.push(reverse(ask, facts).await);
        }
    }
    findings
}

/// `None`: nobody can tell now (UX-112).
fn unknown(what: &str, why: &str) -> Finding {
    let found = format!("nobody could tell: {why}");
    let next = "try again later; \"pillarbox doctor\" says whether names can be looked up at all";
    Finding::new(State::Unknown, what, found, "", next)
}

/// What is there: nothing where the name is not; or that nobody can tell.
fn known<T: Default>(what: &str, answer: Answer<T>) -> Result<T, Box<Finding>> {
    match answer {
        Ok(found) => Ok(found.records),
        Err(Unfound::NoSuchName) => Ok(T::default()),
        Err(Unfound::NotHere(why) | Unfound::TryAgain(why)) => Err(Box::new(unknown(what, &why))),
    }
}

async fn mx(ask: &dyn Ask, facts: &Facts) -> Finding {
    const BREAKS: &str = "mail for the domain does not arrive here";
    let (domain, hostname) = (&facts.domain, &facts.hostname);
    let what = format!("Mail server record (MX) of {domain}");
    let failing = |found: String, next: String| {
        Finding::new(State::Failing, what.as_str(), found, BREAKS, next)
    };
    let answer = ask.mx(domain).await;
    if answer == Err(Unfound::NoSuchName) {
        let found = format!("there is no domain {domain} in DNS");
        let next = "register it, or set its name servers where it is registered";
        return failing(found, next.to_owned());
    }
    let records = match known(&what, answer) {
        Ok(records) => records,
        Err(unknown) => return *unknown,
    };
    let add = format!("at your DNS provider set: MX, name @, value {hostname}., priority 10");
    let Some(best) = records.first() else {
        return failing("there is none".to_owned(), add);
    };
    if let Some(ours) = records.iter().find(|mx| mx.host == *hostname) {
        if ours.preference > best.preference {
            let found = format!("{} comes before {hostname}", best.host);
            let next = format!(
                "if that is no other server of yours that passes mail on to this one, remove it; {add}"
            );
            return Finding::new(State::Warning, what, found, BREAKS, next);
        }
        return Finding::ok(what, format!("{hostname}, priority {}", ours.preference));
    }
    if best.host.is_empty() {
        let found = "it says that the domain takes no mail (a null MX, \".\")".to_owned();
        return failing(found, format!("remove it; {add}"));
    }
    let doubled = format!("{hostname}.{domain}");
    if best.host == doubled {
        let found = format!("it leads to {doubled}: your provider put the domain behind the name");
        let next =
            format!("write the value with a dot at its end, {hostname}., or only its first part");
        return failing(found, next);
    }
    let front = best.host.strip_suffix(&format!(".{domain}"));
    let mut number = [Some(best.host.as_str()), front].into_iter().flatten();
    if let Some(ip) = number.find_map(|text| text.parse::<IpAddr>().ok()) {
        let found = format!("it holds the address {ip}, where a name has to be");
        return failing(found, add);
    }
    let names: Vec<_> = records.iter().map(|mx| mx.host.as_str()).collect();
    failing(format!("it leads elsewhere: {}", names.join(", ")), add)
}

/// A and AAAA of our own name.
async fn address(ask: &dyn Ask, facts: &Facts) -> Finding {
    const BREAKS: &str = "other servers do not find this box";
    let host = &facts.hostname;
    let what = format!("Address (A, AAAA) of {host}");
    let answer = ask.addresses(host).await;
    let alias = answer.as_ref().is_ok_and(|found| found.alias);
    let ips = match known(&what, answer) {
        Ok(ips) => ips,
        Err(unknown) => return *unknown,
    };
    let outside: Vec<_> = facts.own.iter().filter(|ip| is_public(**ip)).collect();
    let here = outside.iter().map(ToString::to_string).collect::<Vec<_>>();
    let add = match here.as_slice() {
        [] => format!("set A for {host} to the public address of your connection"),
        here => format!("set A (AAAA for IPv6) for {host} to {}", here.join(" and ")),
    };
    let failing = |found: String, next: String| {
        Finding::new(State::Failing, what.as_str(), found, BREAKS, next)
    };
    if ips.is_empty() {
        let doubled = format!("{host}.{}", facts.domain);
        return match ask.addresses(&doubled).await {
            Ok(found) if !found.records.is_empty() => {
                let found =
                    format!("there is none, but {doubled} has one: the domain stands there twice");
                let next =
                    format!("in the name field write only what stands before the domain; {add}");
                failing(found, next)
            }
            _ => failing("there is none".to_owned(), add),
        };
    }
    let seen = ips.iter().map(ToString::to_string).collect::<Vec<_>>();
    let seen = seen.join(", ");
    if alias {
        let found = format!("it is an alias (CNAME); some servers refuse to send to one ({seen})");
        let next = format!("replace the CNAME: {add}");
        return Finding::new(State::Warning, what, found, BREAKS, next);
    }
    if !ips.iter().any(|ip| is_public(*ip)) {
        let found =
            format!("{seen} is an address of a home network, which nobody outside can reach");
        return failing(found, add);
    }
    if outside.is_empty() {
        let found = format!(
            "{seen}; this box is behind a router and cannot tell whether that is its address"
        );
        let next = "compare it with the address that your router shows for the internet connection";
        return Finding::new(State::Unknown, what, found, "", next);
    }
    let strange: Vec<_> = ips.iter().filter(|ip| !facts.own.contains(ip)).collect();
    match strange.as_slice() {
        [] => Finding::ok(what, seen),
        [ip, ..] => failing(
            format!("{ip} is not an address of this box: an old one, or another machine's"),
            add,
        ),
    }
}

/// PTR: only who sends directly is asked for it.
async fn reverse(ask: &dyn Ask, facts: &Facts) -> Finding {
    const BREAKS: &str = "big providers refuse mail from this box, or put it into spam";
    let host = &facts.hostname;
    let what = format!("Reverse name (PTR) of the address of {host}");
    let forward = match known(&what, ask.addresses(host).await) {
        Ok(ips) => ips,
        Err(unknown) => return *unknown,
    };
    let own = facts.own.iter().copied().filter(|ip| is_public(*ip));
    let mut ips: Vec<_> = own.collect();
    if ips.is_empty() {
        ips = forward.into_iter().filter(|ip| is_public(*ip)).collect();
    }
    if ips.is_empty() {
        return unknown(&what, "the public address is not known yet");
    }
    for ip in ips {
        let names = match known(&what, ask.names(ip).await) {
            Ok(names) => names,
            Err(unknown) => return *unknown,
        };
        if names.iter().any(|name| name == host) {
            continue;
        }
        let next = format!(
            "ask who gave you the address (your internet or server provider, not the domain's) to set \
             it to {host}; or send through a provider (pillarbox route add)"
        );
        let Some(name) = names.first() else {
            let found = format!("{ip} has none");
            return Finding::new(State::Failing, what, found, BREAKS, next);
        };
        let back = ask.addresses(name).await;
        let (state, more) = match back {
            Ok(found) if found.records.contains(&ip) => (State::Warning, ""),
            Ok(_) | Err(Unfound::NoSuchName) => {
                (State::Failing, ", and that name does not lead back to it")
            }
            Err(Unfound::NotHere(why) | Unfound::TryAgain(why)) => return unknown(&what, &why),
        };
        let found = format!("{ip} is called {name}, not {host}{more}");
        return Finding::new(state, what, found, BREAKS, next);
    }
    Finding::ok(what, host.clone())
}

/// Whether others can reach an address from everywhere.
fn is_public(ip: IpAddr) -> bool {
    let own = match ip.to_canonical() {
        IpAddr::V4(v4) => {
            let shared = matches!(v4.octets(), [100, 64..=127, ..]);
            v4.is_private() || v4.is_link_local() || shared
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    };
    is_outside(ip) && !own
}

#[cfg(test)]
mod tests;
