//! `device`: machines of the house that send by their address alone (LM-10).

use serde::{Deserialize, Serialize};

use crate::{
    base::network::Network,
    config::open_to_all,
    mail::{address::Address, domain::Domain},
    net::{
        neighbours,
        world::{RealWorld, World as _},
    },
    service::operate::{Context, Kind, Problem, Reply, columns, edit, name::shown, remove_row},
    store::directory::{Device, Edit, Swap},
};

/// Messages an hour where nothing else is said.
const RATE: u32 = 60;
/// Ranges, senders and recipients of a device.
const LIST_MAX: usize = 100;
const NAME_MAX: usize = 64;

#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Request {
    Add {
        name: String,
        /// IP addresses and ranges.
        addresses: Vec<String>,
        /// Addresses or `@domain`; none = all.
        senders: Vec<String>,
        recipients: Vec<String>,
        /// `60/h`; none = the usual.
        rate: Option<String>,
    },
    List,
    Remove {
        name: String,
    },
}

/// A device as a list shows it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Row {
    pub name: String,
    pub addresses: Vec<String>,
    /// Empty = all.
    pub senders: Vec<String>,
    pub recipients: Vec<String>,
    /// Messages an hour; 0 = no limit.
    pub rate: u32,
}

pub(super) async fn operate(
    context: &Context<'_>,
    request: Request,
    dry_run: bool,
) -> Result<Reply, Problem> {
    match request {
        Request::Add {
            name,
            addresses,
            senders,
            recipients,
            rate,
        } => {
            let row = Device {
                addresses: each(&addresses, range)?,
                senders: each(&senders, who)?,
                recipients: each(&recipients, who)?,
                rate: rate.map_or(Ok(RATE), |rate| hourly(&rate))?,
                enabled: true,
            };
            add(context, &name, row, dry_run).await
        }
        Request::List => list(context),
        Request::Remove { name } => remove(context, &name, dry_run).await,
    }
}

async fn add(
    context: &Context<'_>,
    name: &str,
    row: Device,
    dry_run: bool,
) -> Result<Reply, Problem> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(plain) {
        let text = format!("{} is no name; use letters, digits, - and _", shown(name));
        return Err(Problem::new(Kind::BadData, text));
    }
    let networks: Vec<_> = row
        .addresses
        .iter()
        .filter_map(|a| Network::parse(a))
        .collect();
    if networks.is_empty() {
        return Err(Problem::new(Kind::BadData, "a device needs an address"));
    }
    if let Some(text) = forbidden(&networks) {
        return Err(Problem::new(Kind::BadData, text));
    }
    let rows = context.store.read(crate::store::Reader::devices)?;
    if rows.iter().any(|(other, _)| other == name) {
        let text = format!(
            "{name} is there already; to change it: pillarbox device remove {name}, then add it"
        );
        return Err(Problem::new(Kind::Exists, text));
    }
    let mut done = format!("added device {name}: {}", row.addresses.join(", "));
    if dry_run {
        return Ok(Reply::Done(format!(
            "would add device {name}: {}",
            row.addresses.join(", ")
        )));
    }
    edit(context, vec![Edit::Device(Swap::add(name, row))], name).await?;
    let listens = context
        .config
        .listeners(&crate::config::schema::LISTEN_DEVICES);
    if listens.is_empty() {
        done.push_str(
            "\nnote: nobody listens for devices yet (pillarbox config set listen.devices \
             0.0.0.0:2525, then restart)",
        );
    }
    for router in inside(&networks) {
        done.push_str("\nnote: ");
        done.push_str(&router.to_string());
        done.push_str(" is your router: it may not send, listed or not");
    }
    Ok(Reply::Done(done))
}

async fn remove(context: &Context<'_>, name: &str, dry_run: bool) -> Result<Reply, Problem> {
    let rows = context.store.read(crate::store::Reader::devices)?;
    let Some((name, there)) = rows.into_iter().find(|(other, _)| other == name) else {
        let text = format!("there is no device {} (pillarbox device list)", shown(name));
        return Err(Problem::new(Kind::NoSuch, text));
    };
    let row = Edit::Device(Swap::remove(&name, there));
    remove_row(context, (&name, row), &format!("device {name}"), dry_run).await
}

fn list(context: &Context<'_>) -> Result<Reply, Problem> {
    let rows = context.store.read(crate::store::Reader::devices)?;
    let rows = rows.into_iter().map(|(name, row)| Row {
        name,
        addresses: row.addresses,
        senders: row.senders,
        recipients: row.recipients,
        rate: row.rate,
    });
    Ok(Reply::Devices(rows.collect()))
}

pub(super) fn text(rows: &[Row]) -> Vec<String> {
    let words = |list: &[String], all: &str| match list {
        [] => all.to_owned(),
        list => list.join(","),
    };
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            vec![
                row.name.clone(),
                words(&row.addresses, ""),
                format!("from {}", words(&row.senders, "anybody")),
                format!("to {}", words(&row.recipients, "anybody")),
                format!("{}/h", row.rate),
            ]
        })
        .collect();
    columns(&rows)
}

/// Why networks may not be listed: they reach into the internet, or are a router's address or one of
/// this machine's alone (UX page D).
#[must_use]
pub fn forbidden(networks: &[Network]) -> Option<String> {
    let own = neighbours::networks();
    if let Some(wide) = networks.iter().find(|network| !network.is_inside(&own)) {
        return Some(open_to_all(*wide));
    }
    let world = RealWorld::new();
    let one = |ip| networks.iter().any(|network| is_one(*network, ip));
    if let Some(router) = world.gateways().into_iter().find(|ip| one(*ip)) {
        return Some(format!(
            "{router} is your router. Listing it could open the box to the internet."
        ));
    }
    let mut own = world.own_addresses().into_iter();
    let own = own.find(|ip| !ip.is_loopback() && one(*ip))?;
    Some(format!(
        "{own} is this machine itself; programs on it use listen.local"
    ))
}

fn is_one(network: Network, ip: std::net::IpAddr) -> bool {
    let whole = if ip.is_ipv4() { 32 } else { 128 };
    network.bits() == whole && network.contains(ip)
}

/// Routers within ranges.
fn inside(networks: &[Network]) -> Vec<std::net::IpAddr> {
    let mut routers = neighbours::gateways();
    routers.retain(|ip| networks.iter().any(|network| network.contains(*ip)));
    routers
}

fn each(
    texts: &[String],
    read: impl Fn(&str) -> Result<String, Problem>,
) -> Result<Vec<String>, Problem> {
    let words = texts.iter().flat_map(|text| text.split(','));
    let words = words.map(str::trim).filter(|word| !word.is_empty());
    let read: Vec<_> = words.map(read).collect::<Result<_, _>>()?;
    if read.len() > LIST_MAX {
        let text = format!("more than {LIST_MAX} are too many");
        return Err(Problem::new(Kind::BadData, text));
    }
    Ok(read)
}

fn range(text: &str) -> Result<String, Problem> {
    Network::parse(text)
        .map(|network| network.to_string())
        .ok_or_else(|| {
            let text = format!(
                "{} is no IP address or range; write 192.168.1.7 or 192.168.1.0/24",
                shown(text)
            );
            Problem::new(Kind::BadData, text)
        })
}

/// An address or `@domain`, as it is compared.
fn who(text: &str) -> Result<String, Problem> {
    let key = match text.strip_prefix('@') {
        Some(domain) => Domain::parse(domain).map(|domain| format!("@{domain}")),
        None => Address::parse(text).map(|address| address.key()),
    };
    key.ok_or_else(|| {
        let text = format!("{} is neither name@domain nor @domain", shown(text));
        Problem::new(Kind::BadData, text)
    })
}

/// `60/h`, or a number.
fn hourly(text: &str) -> Result<u32, Problem> {
    let digits = text.strip_suffix("/h").unwrap_or(text);
    digits.parse().map_err(|_| {
        let text = format!("{} is no rate; write it like 60/h", shown(text));
        Problem::new(Kind::BadData, text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_device_may_be_told() {
        assert_eq!(hourly("60/h").unwrap(), 60);
        assert_eq!(hourly("0").unwrap(), 0);
        assert!(hourly("60/m").is_err());
        assert_eq!(who("A@Home.Test").unwrap(), "a@home.test");
        assert_eq!(who("@Home.Test").unwrap(), "@home.test");
        assert!(who("home.test").is_err());
        let list = ["192.168.1.7,10.0.0.0/8".to_owned(), String::new()];
        assert_eq!(each(&list, range).unwrap(), ["192.168.1.7", "10.0.0.0/8"]);
        for wide in ["0.0.0.0/0", "::/0", "8.0.0.0/8"] {
            let wide = Network::parse(wide).unwrap();
            assert!(forbidden(&[wide]).unwrap().contains("internet"), "{wide}");
        }
        let ip = "192.168.1.1".parse().unwrap();
        assert!(is_one(Network::parse("192.168.1.1").unwrap(), ip));
        assert!(!is_one(Network::parse("192.168.1.0/24").unwrap(), ip));
    }
}
