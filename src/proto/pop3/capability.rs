//! What CAPA tells (RFC 2449), in one table.

use crate::proto::sasl::Mechanism;

/// When a capability is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum When {
    Always,
    /// Where passwords may be sent.
    Login,
    /// To strangers on a connection in clear that can be encrypted.
    Tls,
}

const TABLE: [(&str, When); 10] = [
    ("TOP", When::Always),
    ("UIDL", When::Always),
    ("RESP-CODES", When::Always),
    // RFC 3206.
    ("AUTH-RESP-CODE", When::Always),
    ("PIPELINING", When::Always),
    // Nothing is removed by the server.
    ("EXPIRE NEVER", When::Always),
    // RFC 6856.
    ("UTF8 USER", When::Always),
    ("IMPLEMENTATION Pillarbox", When::Always),
    // RFC 2595 section 4.
    ("STLS", When::Tls),
    ("USER", When::Login),
];

/// The lines of CAPA, with CRLF. `login`: passwords may be sent, and SASL exchanges run with or
/// without a channel binding (`bound`); `tls`: STLS can be given.
#[must_use]
pub fn list(login: bool, tls: bool, bound: bool) -> String {
    let told = |when| match when {
        When::Always => true,
        When::Login => login,
        When::Tls => tls,
    };
    let mut text = String::new();
    for (name, _) in TABLE.iter().filter(|(_, when)| told(*when)) {
        text.push_str(name);
        text.push_str("\r\n");
    }
    if login {
        // RFC 5034 section 3.
        text.push_str("SASL");
        for mechanism in Mechanism::ALL.into_iter().filter(|m| m.fits(bound)) {
            text.push(' ');
            text.push_str(mechanism.name());
        }
        text.push_str("\r\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_told_what() {
        let common = "TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nEXPIRE NEVER\r\n\
                      UTF8 USER\r\nIMPLEMENTATION Pillarbox\r\n";
        assert_eq!(list(false, false, false), common);
        assert_eq!(list(false, true, false), format!("{common}STLS\r\n"));
        let sasl = "SASL PLAIN LOGIN SCRAM-SHA-256";
        assert_eq!(
            list(true, false, false),
            format!("{common}USER\r\n{sasl}\r\n")
        );
        assert_eq!(
            list(true, false, true),
            format!("{common}USER\r\n{sasl} SCRAM-SHA-256-PLUS\r\n")
        );
    }
}
