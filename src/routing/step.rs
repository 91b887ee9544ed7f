//! What was looked at on the way, in plain words for `alias test` and `transport test`.

use std::fmt;

use crate::routing::{
    class::Class,
    route::{Destination, Refusal},
};

/// One step. [`fmt::Display`] is one line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// Reached before: one copy is enough (FW-12).
    Again { address: String },
    /// A row that stands for other addresses.
    Alias {
        source: String,
        targets: Vec<String>,
    },
    /// The row maps the address to nothing but itself (FW-5).
    AliasIgnored { source: String },
    /// An address is looked at.
    Begin {
        address: String,
        /// `None` = foreign.
        class: Option<Class>,
    },
    /// An address that leads nowhere (FW-9).
    Dead { address: String, refusal: Refusal },
    /// From the first address of the circle to its return.
    Loop { chain: Vec<String> },
    /// Somebody's mailbox.
    Mailbox { key: String },
    /// No alias with this source.
    NoAlias { source: String },
    /// No mailbox with this address.
    NoMailbox { key: String },
    /// Not in the list of its relay or backup domain.
    NotListed { key: String },
    /// A relay or backup domain: it goes on.
    Pass { address: String },
    /// A name that always exists (AC-12); it stands for `heir`, else for the postmaster.
    Standard {
        address: String,
        heir: Option<String>,
    },
    /// The transport that wins (TR-8).
    Transport { pattern: String, target: String },
    /// One place where the mail goes.
    Winner(Destination),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Again { address } => write!(f, "{address}: reached before, one copy"),
            Self::Alias { source, targets } => {
                let what = if source.starts_with('@') {
                    "catch-all"
                } else {
                    "alias"
                };
                write!(f, "{what} {source} -> {}", targets.join(", "))
            }
            Self::AliasIgnored { source } => {
                write!(f, "alias {source} names only itself: ignored")
            }
            Self::Begin { address, class } => match class {
                Some(class) => write!(f, "{address}: in a domain of class {class}"),
                None => write!(f, "{address}: not in a domain of ours"),
            },
            Self::Dead { address, refusal } => write!(f, "dead end {address}: {refusal}"),
            Self::Loop { chain } => write!(f, "loop: {}", chain.join(" -> ")),
            Self::Mailbox { key } => write!(f, "mailbox {key}"),
            Self::NoAlias { source } => {
                let what = if source.starts_with('@') {
                    "catch-all"
                } else {
                    "alias"
                };
                write!(f, "no {what} {source}")
            }
            Self::NoMailbox { key } => write!(f, "no mailbox {key}"),
            Self::NotListed { key } => write!(f, "{key} is not in its domain's list of recipients"),
            Self::Pass { address } => write!(f, "{address} is passed on"),
            Self::Standard { address, heir } => match heir {
                Some(heir) => write!(f, "{address} is a standard name, it stands for {heir}"),
                None => write!(f, "{address} is a standard name, the postmaster reads it"),
            },
            Self::Transport { pattern, target } => write!(f, "transport {pattern} -> {target}"),
            Self::Winner(destination) => write!(f, "=> {destination}"),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Discard { address } => write!(f, "{address}: accepted and dropped"),
            Self::Mailbox { address, .. } => write!(f, "{address}: delivered to a mailbox here"),
            Self::Queue {
                address,
                srs,
                transport,
            } => {
                let how = transport
                    .as_deref()
                    .unwrap_or("the domain's mail exchanger");
                let srs = if *srs { ", sender rewritten" } else { "" };
                write!(f, "{address}: sent on through {how}{srs}")
            }
        }
    }
}
