//! Who is on the other side of a connection.

use std::{fmt, net::IpAddr};

/// The peer of a connection, as logs and `Received:` lines name it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Client {
    pub ip: IpAddr,
    /// The name that the address has in the DNS, if it leads back to the address.
    pub name: Option<String>,
}

impl Client {
    /// An IPv4 client of a socket for both families is an IPv4 client.
    #[must_use]
    pub fn new(ip: IpAddr, name: Option<String>) -> Self {
        Self {
            ip: ip.to_canonical(),
            name,
        }
    }

    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.ip.is_loopback()
    }
}

/// `host[ip]`; `unknown[ip]` without a name.
impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.as_deref().unwrap_or("unknown");
        write!(f, "{name}[{}]", self.ip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_as_in_logs() {
        for (ip, name, want, loopback) in [
            ("192.0.2.1", None, "unknown[192.0.2.1]", false),
            ("::ffff:127.0.0.1", None, "unknown[127.0.0.1]", true),
            ("::1", Some("localhost"), "localhost[::1]", true),
        ] {
            let client = Client::new(ip.parse().unwrap(), name.map(str::to_owned));
            assert_eq!(client.to_string(), want);
            assert_eq!(client.is_loopback(), loopback);
        }
    }
}
