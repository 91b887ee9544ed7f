//! A log line in words.

/// The part behind the message's name, as a sentence; what is not known stays as it is.
pub(super) fn tell(rest: &str) -> String {
    let told = if rest.starts_with("client=") {
        client(rest)
    } else if rest.starts_with("from=<") {
        arrived(rest)
    } else if rest.starts_with("to=<") {
        fate(rest)
    } else if let Some((verb, text)) = reject(rest) {
        Some(format!("refused at {verb}{text}"))
    } else if rest == "removed" {
        Some("done: nothing of it waits".to_owned())
    } else {
        notice(rest)
    };
    told.unwrap_or_else(|| rest.to_owned())
}

/// `client=host[ip], sasl_method=PLAIN, sasl_username=a@d`.
fn client(rest: &str) -> Option<String> {
    let host = field(rest, "client=")?;
    Some(match field(rest, "sasl_username=") {
        Some(user) => format!("comes from {host}, logged in as {user}"),
        None => format!("comes from {host}"),
    })
}

/// `from=<a@d>, size=12, nrcpt=1`.
fn arrived(rest: &str) -> Option<String> {
    let (from, size) = (field(rest, "from=")?, field(rest, "size=")?);
    let count = field(rest, "nrcpt=")?;
    Some(format!(
        "taken: from {from}, {size} octets, recipients: {count}"
    ))
}

/// `to=<a@d>, relay=r, delay=1, dsn=2.0.0, status=sent (250 Ok)`.
fn fate(rest: &str) -> Option<String> {
    let (to, relay) = (field(rest, "to=")?, field(rest, "relay=")?);
    let (_, status) = rest.split_once(" status=")?;
    let (word, why) = status.split_once(' ').unwrap_or((status, ""));
    let what = match word {
        "bounced" => "goes back to its sender",
        "deferred" => "waits for another try",
        word => word,
    };
    let orig = field(rest, "orig_to=").map_or(String::new(), |orig| format!(" (for {orig})"));
    let through = match relay {
        "local" | "none" => String::new(),
        relay => format!(" through {relay}"),
    };
    Some(
        format!("to {to}{orig}: {what}{through} {why}")
            .trim_end()
            .to_owned(),
    )
}

/// `reject: RCPT from h[ip]: 550 ...; from=<> to=<> proto=ESMTP helo=<h>`: the verb, and what follows it.
fn reject(rest: &str) -> Option<(&str, &str)> {
    let rest = rest
        .strip_prefix("reject: ")
        .or_else(|| rest.strip_prefix("would refuse: "))?;
    let at = rest.find(' ')?;
    Some(rest.split_at(at))
}

/// `sender non-delivery notification: ID`.
fn notice(rest: &str) -> Option<String> {
    let (what, id) = rest
        .strip_prefix("sender ")?
        .split_once(" notification: ")?;
    let what = match what {
        "non-delivery" => "that it failed",
        "delay" => "that it is late",
        "delivery status" | "success" => "that it arrived",
        other => other,
    };
    Some(format!("its sender is told {what}: {id}"))
}

/// The value behind a name, to the next comma outside of brackets.
fn field<'a>(rest: &'a str, name: &str) -> Option<&'a str> {
    let at = if let Some(value) = rest.strip_prefix(name) {
        value
    } else {
        rest.split_once(&format!(" {name}"))?.1
    };
    let end = if at.starts_with('<') {
        at.find(">,").map(|at| at.saturating_add(1))
    } else {
        at.find(", ")
    };
    match end {
        Some(end) => at.get(..end),
        None => Some(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_lines_in_words() {
        for (line, want) in [
            (
                "client=mx.away.test[192.0.2.1]",
                "comes from mx.away.test[192.0.2.1]",
            ),
            (
                "client=unknown[192.0.2.1], sasl_method=PLAIN, sasl_username=a@home.test",
                "comes from unknown[192.0.2.1], logged in as a@home.test",
            ),
            (
                "from=<b@away.test>, size=512, nrcpt=2",
                "taken: from <b@away.test>, 512 octets, recipients: 2",
            ),
            (
                "to=<x@away.test>, relay=mx[192.0.2.1]:25, delay=1, dsn=2.0.0, status=sent (250 Ok)",
                "to <x@away.test>: sent through mx[192.0.2.1]:25 (250 Ok)",
            ),
            (
                "to=<a@home.test>, orig_to=<info@home.test>, relay=local, delay=0, status=sent (delivered \
                 to mailbox)",
                "to <a@home.test> (for <info@home.test>): sent (delivered to mailbox)",
            ),
            (
                "to=<x@away.test>, relay=none, delay=9, dsn=4.4.1, status=deferred (connect to mx: \
                 Connection refused)",
                "to <x@away.test>: waits for another try (connect to mx: Connection refused)",
            ),
            (
                "reject: RCPT from h[192.0.2.1]: 550 5.1.1 no; from=<> to=<a@home.test>",
                "refused at RCPT from h[192.0.2.1]: 550 5.1.1 no; from=<> to=<a@home.test>",
            ),
            (
                "sender non-delivery notification: 4ABC",
                "its sender is told that it failed: 4ABC",
            ),
            ("removed", "done: nothing of it waits"),
            ("message-id=<x@y>", "message-id=<x@y>"),
            ("to=<", "to=<"),
        ] {
            assert_eq!(tell(line), want);
        }
    }
}
