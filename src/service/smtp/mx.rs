//! What the MX judges by itself. It never relays (SR-10), whoever the client is.

use std::net::IpAddr;

use crate::{
    base::network::Network,
    mail::{
        address::Address,
        path::{ForwardPath, ReversePath},
    },
    policy::{
        access,
        sender::{self, Whose},
    },
    routing::{self, LookupFailed, Refusal, Rights},
    service::{
        lookup::{self, Rows},
        smtp::envelope::Objection,
    },
    store::Store,
};

/// Whether the access list turns a client away (SR-18).
pub(super) fn is_barred(store: &Store, ip: IpAddr) -> Result<bool, LookupFailed> {
    lookup::find(store, |rows| {
        let list = rows.access()?;
        let list = list
            .iter()
            .filter_map(|(name, allow)| Some((Network::parse(name)?, *allow)));
        Ok(access::judge(list, ip) == Some(false))
    })
}

/// A sender of ours that is nobody (SR-14), and whose an address is that was looked at.
pub(super) fn objection(
    rows: &Rows<'_>,
    options: &routing::Options,
    reverse: &ReversePath,
) -> (Option<Objection>, Option<Whose>) {
    let mut found = None;
    let judged = sender::judge(reverse, |address| {
        *found.insert(whose(rows, options, address))
    });
    let objection = judged.err().map(|refusal| Objection {
        refusal,
        user: String::new(),
    });
    (objection, found)
}

fn whose(rows: &Rows<'_>, options: &routing::Options, address: &Address) -> Whose {
    let path = ForwardPath::Address(address.clone());
    match routing::route(rows, options, Rights::Stranger, &path).outcome {
        Err(Refusal::Foreign) => Whose::Foreign,
        Err(Refusal::LookupFailed) => Whose::LookupFailed,
        Err(Refusal::Unknown) => Whose::Nobodys,
        Ok(_)
        | Err(
            Refusal::AliasLoop | Refusal::Nobody | Refusal::TooMany | Refusal::Transport { .. },
        ) => Whose::Ours,
    }
}
