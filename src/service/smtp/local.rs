//! What the listeners for programs on this machine and for devices judge by themselves. They relay
//! (LM-6, LM-10), so what matters is who comes: the machine's own users, and listed addresses.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf};

use crate::{
    base::network::Network,
    mail::{address::Address, path::ReversePath},
    policy::{
        access,
        rate::{Rate, Window},
    },
    proto::smtp::reply::Reply,
    routing::{Destination, LookupFailed},
    service::{
        lookup, reply,
        smtp::{Door, Kind, Shared},
    },
    store::directory::Device,
};

/// What the admin chose for them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LocalOptions {
    /// System users who may send (`local.allow_uids`); `None` = all.
    pub allow_uids: Option<Vec<u32>>,
    /// Of all programs on this machine together, and of all trusted networks together (`local.rate`,
    /// LM-11).
    pub rate: Rate,
    /// `local.reject_text` (LM-1).
    pub reject_text: String,
    /// Role `relay`: what is not here goes to the default route, or nowhere.
    pub relay: bool,
    /// Networks whose machines may send like listed devices (`smtp.trusted_networks`, SR-19).
    pub trusted: Vec<Network>,
    /// `local.aliases` (LM-2).
    pub aliases: Option<PathBuf>,
}

impl Default for LocalOptions {
    fn default() -> Self {
        Self {
            allow_uids: None,
            rate: Rate {
                count: 200,
                seconds: 3600,
            },
            reject_text: "Local delivery only!".to_owned(),
            relay: false,
            trusted: Vec::new(),
            aliases: None,
        }
    }
}

/// What came lately, from the machine and from each device.
#[derive(Debug, Default)]
pub(super) struct Windows {
    machine: Window,
    /// All of the trusted networks together.
    trusted: Window,
    devices: BTreeMap<String, Window>,
}

/// Who may send from an address, and what.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Guest {
    /// A row of the device table, by its name.
    Device(String, Device),
    /// In none of the lists.
    Nobody,
    /// A router: behind its address is everybody.
    Router,
    /// One of the machine's own users, or in a trusted network.
    Trusted,
    /// A system user who is not in the list.
    User(Option<u32>),
}

impl Door {
    /// The system user at the other end (`local.allow_uids`), where it is known.
    #[must_use]
    pub fn owned_by(mut self, uid: Option<u32>) -> Self {
        self.uid = uid;
        self
    }

    /// It is the appliance itself that comes, with a report: it may, and it is not counted.
    #[must_use]
    pub fn of_ours(mut self) -> Self {
        self.ours = true;
        self
    }

    /// Who comes to these listeners; everybody else is a guest nowhere.
    pub(super) fn guest(&self) -> Result<Guest, LookupFailed> {
        let options = self.shared.options();
        match self.kind {
            Kind::Mx | Kind::Submission => Ok(Guest::Trusted),
            Kind::Local => Ok(match &options.local.allow_uids {
                Some(list) if !self.ours && !self.uid.is_some_and(|uid| list.contains(&uid)) => {
                    Guest::User(self.uid)
                }
                _ => Guest::Trusted,
            }),
            Kind::Devices => device(&self.shared, self.client.ip),
        }
    }

    /// Why a guest may not send, told at the recipients (SR-11).
    pub(super) fn barred(&self, guest: &Guest) -> Option<Reply> {
        match guest {
            Guest::Device(..) | Guest::Trusted => None,
            Guest::Nobody => Some(reply::client(&self.client)),
            Guest::Router => Some(reply::router(self.client.ip)),
            Guest::User(uid) => Some(reply::system_user(*uid)),
        }
    }

    /// Whether a guest may send one more message now (LM-11).
    pub(super) fn slowed(&self, guest: &Guest) -> Option<Reply> {
        let now = self.shared.world.now();
        let mut windows = self.shared.windows.borrow_mut();
        let (window, rate) = windows.of(self, guest)?;
        (!window.has_room(rate, now)).then(|| reply::too_many(&self.client))
    }

    /// A message of this guest was taken.
    pub(super) fn took(&self, guest: &Guest) {
        let now = self.shared.world.now();
        let mut windows = self.shared.windows.borrow_mut();
        if let Some((window, rate)) = windows.of(self, guest) {
            window.count(rate, now);
        }
    }

    /// Whether a device may send from this address.
    pub(super) fn may_send(guest: &Guest, reverse: &ReversePath) -> Result<(), Reply> {
        match guest {
            Guest::Device(name, row) => match reverse.address() {
                Some(address) if !is_listed(&row.senders, address) => {
                    Err(reply::device_sender(reverse, name))
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Whether a device may send to this address.
    pub(super) fn may_reach(guest: &Guest, recipient: &Address) -> Result<(), Reply> {
        match guest {
            Guest::Device(name, row) if !is_listed(&row.recipients, recipient) => {
                Err(reply::device_recipient(recipient, name))
            }
            _ => Ok(()),
        }
    }

    /// Whether some of a message would leave, from a box whose mail stays (LM-1).
    pub(super) fn stays(&self, destinations: &[Destination]) -> bool {
        let leaves = |destination: &Destination| {
            matches!(
                destination,
                Destination::Queue {
                    transport: None,
                    ..
                }
            )
        };
        matches!(self.kind, Kind::Devices | Kind::Local)
            && self.shared.options().local.relay
            && destinations.iter().any(leaves)
    }
}

impl Windows {
    fn of(&mut self, door: &Door, guest: &Guest) -> Option<(&mut Window, Rate)> {
        match (door.kind, guest) {
            (Kind::Local, _) if door.ours => None,
            (Kind::Local, _) => Some((&mut self.machine, door.shared.options().local.rate)),
            (Kind::Devices, Guest::Device(name, row)) => {
                let rate = Rate {
                    count: row.rate.into(),
                    seconds: 3600,
                };
                Some((self.devices.entry(name.clone()).or_default(), rate))
            }
            (Kind::Devices, Guest::Trusted) => {
                Some((&mut self.trusted, door.shared.options().local.rate))
            }
            _ => None,
        }
    }
}

/// An empty list lists all.
fn is_listed(list: &[String], address: &Address) -> bool {
    let key = address.key();
    let domain = key.rfind('@').and_then(|at| key.get(at..));
    list.is_empty()
        || list
            .iter()
            .any(|listed| *listed == key || Some(listed.as_str()) == domain)
}

/// What the device table and the trusted networks say of an address: the smallest range counts.
fn device(shared: &Shared, ip: IpAddr) -> Result<Guest, LookupFailed> {
    let options = shared.options();
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "`Rows::devices` is for one lifetime only"
    )]
    let rows = lookup::find(&shared.store, |rows| rows.devices())?;
    let ranges = |row: &Device| -> Vec<Network> {
        let texts = row.addresses.iter();
        texts.filter_map(|text| Network::parse(text)).collect()
    };
    let found = rows
        .into_iter()
        .filter(|(_, row)| row.enabled)
        .filter_map(|(name, row)| {
            let fits = ranges(&row).into_iter().filter(|range| range.contains(ip));
            let bits = fits.map(|range| range.bits()).max()?;
            Some((bits, name, row))
        })
        .max_by_key(|(bits, ..)| *bits);
    let trusted = options.local.trusted.iter().map(|network| (*network, true));
    let guest = match found {
        Some((_, name, row)) => Guest::Device(name, row),
        None if access::judge(trusted, ip) == Some(true) => Guest::Trusted,
        None => return Ok(Guest::Nobody),
    };
    // Looked at last: only who is listed can be a router that is listed.
    let world = &shared.world;
    if world.gateways().contains(&ip) || (!ip.is_loopback() && world.own_addresses().contains(&ip))
    {
        return Ok(Guest::Router);
    }
    Ok(guest)
}
