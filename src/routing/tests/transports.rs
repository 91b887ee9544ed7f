//! Patterns and targets of transports as people write them (TR-1 to TR-9, TR-12).

use crate::routing::{
    Options,
    transport::{Pattern, parse_pattern, parse_target},
};

#[test]
fn patterns() {
    for (text, want) in [
        ("*", Some("*")),
        ("Example.COM", Some("example.com")),
        (".Example.com", Some(".example.com")),
        ("bücher.example", Some("xn--bcher-kva.example")),
        (".bücher.example", Some(".xn--bcher-kva.example")),
        ("Joe@Example.com", Some("joe@example.com")),
        ("Joe+Tag@Example.com", Some("joe+tag@example.com")),
        ("\"a b\"@example.com", Some("a b@example.com")),
        ("localhost", Some("localhost")),
        ("[192.0.2.1]", Some("[192.0.2.1]")),
        ("joe@[IPv6:2001:db8::1]", Some("joe@[IPv6:2001:db8::1]")),
        ("", None),
        (".", None),
        ("..example.com", None),
        ("*.example.com", None),
        ("**", None),
        ("@example.com", None),
        ("joe@", None),
        ("a b", None),
        (".[192.0.2.1]", None),
        ("192.0.2.1", None),
        ("example.com.", None),
    ] {
        let got = parse_pattern(text).ok().map(|pattern| pattern.to_string());
        assert_eq!(got.as_deref(), want, "{text:?}");
    }
    let told = parse_pattern("*.example.com").unwrap_err().to_string();
    assert_eq!(
        told,
        "\"*.example.com\" is no pattern; there are user@domain, domain, .domain, \
         from:user@domain, from:domain and *"
    );
}

/// TR-8: listings show the order in which they are looked up.
#[test]
fn tr_8_the_most_specific_first() {
    let want = [
        "a+t@z.test",
        "joe+x@a.test",
        "a@z.test",
        "joe@a.test",
        "a.test",
        "sub.a.test",
        "z.test",
        ".much.longer.test",
        ".sub.a.test",
        ".a.test",
        ".z.test",
        ".test",
        "*",
    ];
    let mut got: Vec<Pattern> = want
        .iter()
        .rev()
        .map(|text| parse_pattern(text).unwrap())
        .collect();
    got.sort_by(|one, other| one.compare(other, &Options::default()));
    let got: Vec<_> = got.iter().map(Pattern::to_string).collect();
    assert_eq!(got, want);
}

/// The text, and as it is stored, or what is said.
const TARGETS: &[(&str, &str)] = &[
    (":", ":"),
    ("discard:", "discard:"),
    ("smtp:Host.Example", "smtp:host.example"),
    ("smtp:host.example:2025", "smtp:host.example:2025"),
    ("smtp:[1.2.3.4]", "smtp:[1.2.3.4]"),
    ("smtp:[1.2.3.4]:2025", "smtp:[1.2.3.4]:2025"),
    ("smtp:[2001:DB8::1]", "smtp:[2001:db8::1]"),
    ("smtp:[2001:db8::1]:25", "smtp:[2001:db8::1]:25"),
    ("smtp:[IPv6:2001:db8::1]", "smtp:[2001:db8::1]"),
    ("smtp:[Mail.D]", "smtp:[mail.d]"),
    (
        "smtp:[bücher.example]:25",
        "smtp:[xn--bcher-kva.example]:25",
    ),
    ("lmtp:unix:/run/dovecot/lmtp", "lmtp:unix:/run/dovecot/lmtp"),
    ("lmtp:unix:/a:b", "lmtp:unix:/a:b"),
    ("lmtp:[127.0.0.1]:24", "lmtp:[127.0.0.1]:24"),
    ("lmtp:[mail.d]", "lmtp:[mail.d]"),
    ("relay:smart-1.x_y", "relay:smart-1.x_y"),
    ("error:gone away", "error:gone away"),
    ("error: gone away ", "error:gone away"),
    ("error:5.1.2 no such host", "error:5.1.2 no such host"),
    ("error:4.3.0 later", "error:4.3.0 later"),
    ("error:5.7.100 policy", "error:5.7.100 policy"),
    ("error:5.1 is no status", "error:5.1 is no status"),
    ("error:550 is no status", "error:550 is no status"),
    // What is wrong with it is said in words.
    (
        "",
        "\"\" is no transport; there are smtp:host, smtp:[host]:port, lmtp:unix:/path, lmtp:[host]:port, relay:NAME, error:text, discard: and :",
    ),
    (
        "host.example",
        "\"host.example\" is no transport; there are smtp:host, smtp:[host]:port, lmtp:unix:/path, lmtp:[host]:port, relay:NAME, error:text, discard: and :",
    ),
    (
        "pipe:cat",
        "\"pipe:cat\" is no transport; there are smtp:host, smtp:[host]:port, lmtp:unix:/path, lmtp:[host]:port, relay:NAME, error:text, discard: and :",
    ),
    (
        "SMTP:host.example",
        "\"SMTP:host.example\" is no transport; there are smtp:host, smtp:[host]:port, lmtp:unix:/path, lmtp:[host]:port, relay:NAME, error:text, discard: and :",
    ),
    (":host", "nothing can follow here: \"host\""),
    ("discard:all", "nothing can follow here: \"all\""),
    ("smtp:", "\"\" is not a host"),
    ("smtp:a b", "\"a b\" is not a host"),
    ("smtp:-x.test", "\"-x.test\" is not a host"),
    (
        "smtp:1.2.3.4",
        "1.2.3.4 is an address: it needs brackets, [1.2.3.4]",
    ),
    (
        "smtp:1.2.3.4:25",
        "1.2.3.4 is an address: it needs brackets, [1.2.3.4]",
    ),
    (
        "smtp:2001:db8::1",
        "2001:db8::1 is an address: it needs brackets, [2001:db8::1]",
    ),
    ("smtp:host.example:", "\"\" is not a port: 1 to 65535"),
    ("smtp:host.example:0", "\"0\" is not a port: 1 to 65535"),
    (
        "smtp:host.example:65536",
        "\"65536\" is not a port: 1 to 65535",
    ),
    ("smtp:host.example:+25", "\"+25\" is not a port: 1 to 65535"),
    (
        "smtp:host.example:smtp",
        "\"smtp\" is not a port: 1 to 65535",
    ),
    ("smtp:[1.2.3.4]25", "\"[1.2.3.4]25\" is not a host"),
    ("smtp:[1.2.3.4", "\"[1.2.3.4\" is not a host"),
    ("smtp:[]", "\"[]\" is not a host"),
    ("smtp:[[1.2.3.4]]", "\"[[1.2.3.4]]\" is not a host"),
    ("smtp:[1.2.3.4]:x", "\"x\" is not a port: 1 to 65535"),
    ("lmtp:host:24", "\"host:24\" is not a host"),
    ("lmtp:", "\"\" is not a host"),
    (
        "lmtp:unix:run/lmtp",
        "\"run/lmtp\" is not the path of a socket: it begins with / and has up to 107 letters",
    ),
    (
        "lmtp:unix:/",
        "\"/\" is not the path of a socket: it begins with / and has up to 107 letters",
    ),
    ("relay:", "\"\" is not the name of a route"),
    ("relay:a b", "\"a b\" is not the name of a route"),
    (
        "error:",
        "error: needs a text of 1 to 200 letters that the sender is told",
    ),
    (
        "error:5.1.2",
        "error: needs a text of 1 to 200 letters that the sender is told",
    ),
    (
        "error:2.0.0 fine",
        "2.0.0 is no status of a refusal: it begins with 4 or 5, as in 5.1.1",
    ),
    (
        "error:a\r\n250 ok",
        "the text of a refusal is plain ASCII, without controls",
    ),
    (
        "error:für immer",
        "the text of a refusal is plain ASCII, without controls",
    ),
];

#[test]
fn targets() {
    for (text, want) in TARGETS {
        let got = match parse_target(text) {
            Ok(target) => {
                let shown = target.to_string();
                assert_eq!(parse_target(&shown), Ok(target), "{shown}");
                shown
            }
            Err(problem) => problem.to_string(),
        };
        assert_eq!(got, *want, "{text:?}");
    }
    let long = format!("error:{}", "x".repeat(201));
    assert!(parse_target(&long).is_err());
    let long = format!("lmtp:unix:/{}", "x".repeat(107));
    assert!(parse_target(&long).is_err());
}
