//! What the server can do, in one table.

use std::fmt::Write as _;

use crate::proto::sasl::Mechanism;

/// What decides which capabilities a client is told.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Told {
    pub authenticated: bool,
    /// Whether passwords may be sent on this connection.
    pub login: bool,
    /// STARTTLS would be carried out.
    pub starttls: bool,
    /// Whether the channel can be bound to (RFC 9266).
    pub bound: bool,
    /// Largest message of APPEND, in octets; 0 = no limit.
    pub append_limit: u64,
    /// COMPRESS would be carried out.
    pub compress: bool,
}

/// When a capability is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum When {
    Always,
    /// While compression may be switched on.
    Compress,
    /// To strangers who may not: the connection is in clear (RFC 3501 section 6.2.3).
    NoLogin,
    StartTls,
}

/// It has its number behind it, where there is a limit (RFC 7889 section 3).
const APPEND_LIMIT: &str = "APPENDLIMIT";

const TABLE: [(&str, When); 34] = [
    // RFC 3501 section 7.2.1 wants it there, wherever.
    ("IMAP4rev1", When::Always),
    ("LITERAL+", When::Always),
    ("SASL-IR", When::Always),
    ("ID", When::Always),
    ("ENABLE", When::Always),
    ("IDLE", When::Always),
    ("NAMESPACE", When::Always),
    ("CHILDREN", When::Always),
    ("LIST-EXTENDED", When::Always),
    ("LIST-STATUS", When::Always),
    ("SPECIAL-USE", When::Always),
    ("CREATE-SPECIAL-USE", When::Always),
    ("UNSELECT", When::Always),
    ("UIDPLUS", When::Always),
    ("MOVE", When::Always),
    ("ESEARCH", When::Always),
    ("SEARCHRES", When::Always),
    ("WITHIN", When::Always),
    ("CONDSTORE", When::Always),
    ("QRESYNC", When::Always),
    (APPEND_LIMIT, When::Always),
    ("MULTIAPPEND", When::Always),
    ("STATUS=SIZE", When::Always),
    ("QUOTA", When::Always),
    ("QUOTA=RES-STORAGE", When::Always),
    ("QUOTA=RES-MESSAGE", When::Always),
    ("BINARY", When::Always),
    ("UTF8=ACCEPT", When::Always),
    ("SORT", When::Always),
    ("THREAD=ORDEREDSUBJECT", When::Always),
    ("THREAD=REFERENCES", When::Always),
    ("COMPRESS=DEFLATE", When::Compress),
    ("STARTTLS", When::StartTls),
    ("LOGINDISABLED", When::NoLogin),
];

/// `CAPABILITY IMAP4rev1 …`, for an untagged response or a response code.
#[must_use]
pub fn list(told: &Told) -> String {
    let stranger = !told.authenticated;
    let is_told = |when| match when {
        When::Always => true,
        When::Compress => told.authenticated && told.compress,
        When::NoLogin => stranger && !told.login,
        When::StartTls => stranger && told.starttls,
    };
    let mut text = "CAPABILITY".to_owned();
    for (name, _) in TABLE.iter().filter(|(_, when)| is_told(*when)) {
        text.push(' ');
        text.push_str(name);
        if *name == APPEND_LIMIT && told.append_limit > 0 {
            let _written = write!(text, "={}", announced(told.append_limit));
        }
    }
    let mechanisms = Mechanism::ALL.into_iter().filter(|m| m.fits(told.bound));
    for mechanism in mechanisms.filter(|_| stranger && told.login) {
        text.push_str(" AUTH=");
        text.push_str(mechanism.name());
    }
    text
}

/// The limit of APPEND as it is told: a number has 32 bits (RFC 7889 section 5).
#[must_use]
pub fn announced(append_limit: u64) -> u64 {
    append_limit.min(u64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_told_what() {
        let common = "CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE NAMESPACE CHILDREN \
                      LIST-EXTENDED LIST-STATUS SPECIAL-USE CREATE-SPECIAL-USE UNSELECT UIDPLUS MOVE \
                      ESEARCH SEARCHRES WITHIN CONDSTORE QRESYNC APPENDLIMIT=7 MULTIAPPEND \
                      STATUS=SIZE QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE BINARY UTF8=ACCEPT SORT \
                      THREAD=ORDEREDSUBJECT THREAD=REFERENCES";
        let told = Told {
            authenticated: true,
            login: true,
            starttls: false,
            bound: false,
            append_limit: 7,
            compress: false,
        };
        assert_eq!(list(&told), common);
        for (append_limit, want) in [(0, "APPENDLIMIT "), (1 << 40, "APPENDLIMIT=4294967295 ")] {
            let told = Told {
                append_limit,
                ..told
            };
            assert_eq!(list(&told), common.replace("APPENDLIMIT=7 ", want));
        }
        let compress = Told {
            compress: true,
            ..told
        };
        assert_eq!(list(&compress), format!("{common} COMPRESS=DEFLATE"));
        let stranger = Told {
            authenticated: false,
            ..compress
        };
        let auth = "AUTH=PLAIN AUTH=LOGIN AUTH=SCRAM-SHA-256";
        assert_eq!(list(&stranger), format!("{common} {auth}"));
        let bound = Told {
            bound: true,
            ..stranger
        };
        let plus = "AUTH=SCRAM-SHA-256-PLUS";
        assert_eq!(list(&bound), format!("{common} {auth} {plus}"));
        let in_clear = Told {
            login: false,
            starttls: true,
            ..stranger
        };
        assert_eq!(list(&in_clear), format!("{common} STARTTLS LOGINDISABLED"));
    }
}
