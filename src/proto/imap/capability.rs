//! What the server can do, in one table.

/// When a capability is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum When {
    Always,
    /// To strangers who may log in here.
    Login,
    /// To strangers who may not: the connection is in clear (RFC 3501 section 6.2.3).
    NoLogin,
}

const TABLE: [(&str, When); 15] = [
    // RFC 3501 section 7.2.1 wants it there, wherever.
    ("IMAP4rev1", When::Always),
    ("LITERAL+", When::Always),
    ("SASL-IR", When::Always),
    ("ID", When::Always),
    ("ENABLE", When::Always),
    ("IDLE", When::Always),
    ("NAMESPACE", When::Always),
    ("SPECIAL-USE", When::Always),
    ("CREATE-SPECIAL-USE", When::Always),
    ("UIDPLUS", When::Always),
    ("MOVE", When::Always),
    ("UNSELECT", When::Always),
    ("CHILDREN", When::Always),
    ("AUTH=PLAIN", When::Login),
    ("LOGINDISABLED", When::NoLogin),
];

/// `CAPABILITY IMAP4rev1 …`, for an untagged response or a response code. `login` says whether
/// passwords may be sent on this connection.
#[must_use]
pub fn list(authenticated: bool, login: bool) -> String {
    let told = |when| match when {
        When::Always => true,
        When::Login => !authenticated && login,
        When::NoLogin => !authenticated && !login,
    };
    let mut text = "CAPABILITY".to_owned();
    for (name, _) in TABLE.iter().filter(|(_, when)| told(*when)) {
        text.push(' ');
        text.push_str(name);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_told_what() {
        let common = "CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE NAMESPACE SPECIAL-USE \
                      CREATE-SPECIAL-USE UIDPLUS MOVE UNSELECT CHILDREN";
        assert_eq!(list(true, true), common);
        assert_eq!(list(false, true), format!("{common} AUTH=PLAIN"));
        assert_eq!(list(false, false), format!("{common} LOGINDISABLED"));
    }
}
