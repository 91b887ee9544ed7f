//! Machines that may send without a password: printers, cameras, boxes in the cellar.

use serde::{Deserialize, Serialize};

/// A machine in the house that sends by its address alone (LM-5). Its name is what the administrator
/// calls it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Device {
    /// CIDRs in canonical form (`base::network::Network`); one address has its full length.
    pub addresses: Vec<String>,
    /// Reverse-paths it may use: addresses or `@domain`, in key form; none = all.
    pub senders: Vec<String>,
    /// To whom it may send: addresses or `@domain`, in key form; none = everybody.
    pub recipients: Vec<String>,
    /// Messages an hour; 0 = as many as it likes.
    pub rate: u32,
    /// An inactive row is as if it did not exist.
    pub enabled: bool,
}
