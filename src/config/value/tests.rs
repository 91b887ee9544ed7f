use super::*;

#[test]
fn sizes_in_both_directions() {
    for (text, octets, printed) in [
        ("0", Some(0), "0"),
        ("1023", Some(1023), "1023"),
        ("1024", Some(1024), "1KiB"),
        ("35MiB", Some(36_700_160), "35MiB"),
        ("35 mib", Some(36_700_160), "35MiB"),
        ("1536KiB", Some(1_572_864), "1536KiB"),
        ("1GiB", Some(1 << 30), "1GiB"),
        ("35MB", None, ""),
        ("-1", None, ""),
        ("", None, ""),
        ("MiB", None, ""),
        ("99999999999999999999GiB", None, ""),
        ("18446744073709551615GiB", None, ""),
    ] {
        assert_eq!(parse_size(text), octets, "{text}");
        if let Some(octets) = octets {
            assert_eq!(print_size(octets), printed);
        }
    }
}

#[test]
fn listeners_in_both_directions() {
    let value = Kind::Listeners.parse("127.0.0.1:143, [::1]:143").unwrap();
    assert_eq!(value.toml(), r#"["127.0.0.1:143", "[::1]:143"]"#);
    assert_eq!(value.text(), "127.0.0.1:143,[::1]:143");
    assert_eq!(Kind::Listeners.parse(&value.text()), Ok(value));
    assert_eq!(
        Kind::Listeners.parse("off").unwrap().toml(),
        r#""off""#.to_owned()
    );
    for wrong in [
        "",
        "143",
        ":143",
        "localhost:143",
        "off,127.0.0.1:1",
        "127.0.0.1:70000",
    ] {
        assert!(Kind::Listeners.parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn hosts_and_paths() {
    assert_eq!(
        Kind::Host.parse("Mail.Home.Test."),
        Ok(Value::Text("mail.home.test".to_owned()))
    );
    for wrong in ["", ".", "a..b", "-a.b", "a b", "h\u{f6}st"] {
        assert!(Kind::Host.parse(wrong).is_err(), "{wrong}");
    }
    assert!(Kind::Path.parse("data").is_err());
    assert!(Kind::Path.parse("").is_err());
    assert!(Kind::OptionalPath.parse("").is_ok());
    assert_eq!(quoted("a\"b\\c\n"), r#""a\"b\\c\u000A""#);
}

/// A kind; then texts that are right with their forms in environment and file, and wrong ones with what
/// is said, without the text itself.
type Row = (
    Kind,
    &'static [(&'static str, &'static str, &'static str)],
    &'static [(&'static str, &'static str)],
);

const TABLE: &[Row] = &[
    (
        Kind::Choice(&["a", "b"]),
        &[("a", "a", r#""a""#), (" b ", "b", r#""b""#)],
        &[("", "is none of: a, b"), ("A", "is none of: a, b")],
    ),
    (
        Kind::Count { least: 1, most: 99 },
        &[("1", "1", "1"), ("99", "99", "99"), ("007", "7", "7")],
        &[
            ("0", "is no number from 1 to 99"),
            ("100", "is no number from 1 to 99"),
            ("-1", "is no number from 1 to 99"),
            ("1.5", "is no number from 1 to 99"),
            ("", "is no number from 1 to 99"),
        ],
    ),
    (
        Kind::Delimiter,
        &[
            ("+", "+", r#""+""#),
            ("-", "-", r#""-""#),
            ("", "", r#""""#),
        ],
        &[
            (
                "++",
                "is no delimiter; write one character like + or -, or nothing",
            ),
            (
                "a",
                "is no delimiter; write one character like + or -, or nothing",
            ),
            (
                "@",
                "is no delimiter; write one character like + or -, or nothing",
            ),
            (
                "%",
                "is no delimiter; write one character like + or -, or nothing",
            ),
            (
                "\u{e4}",
                "is no delimiter; write one character like + or -, or nothing",
            ),
        ],
    ),
    (
        Kind::Domains,
        &[
            ("", "", "[]"),
            ("Home.Test", "home.test", r#""home.test""#),
            (
                "b\u{fc}ro.test. , box",
                "xn--bro-hoa.test,box",
                r#"["xn--bro-hoa.test", "box"]"#,
            ),
        ],
        &[
            ("a..b", "is no domain"),
            ("[192.0.2.1]", "is no domain"),
            ("192.0.2.1", "is no domain"),
            ("@home.test", "is no domain"),
        ],
    ),
    (
        Kind::Duration {
            least: 1,
            most: 5 * 86_400,
        },
        &[
            ("30s", "30s", r#""30s""#),
            ("5m", "5m", r#""5m""#),
            ("4h", "4h", r#""4h""#),
            ("5d", "5d", r#""5d""#),
            ("90s", "90s", r#""90s""#),
            ("3600s", "1h", r#""1h""#),
        ],
        &[
            ("0", "is not between 1s and 5d"),
            ("0h", "is not between 1s and 5d"),
            ("121h", "is not between 1s and 5d"),
            ("5", "is no time; write it like 30s, 5m, 4h or 5d"),
            ("h", "is no time; write it like 30s, 5m, 4h or 5d"),
            ("-5m", "is no time; write it like 30s, 5m, 4h or 5d"),
            ("+5m", "is no time; write it like 30s, 5m, 4h or 5d"),
            ("1.5h", "is no time; write it like 30s, 5m, 4h or 5d"),
            ("1h30m", "is no time; write it like 30s, 5m, 4h or 5d"),
            ("5M", "is no time; write it like 30s, 5m, 4h or 5d"),
            (
                "18446744073709551615d",
                "is no time; write it like 30s, 5m, 4h or 5d",
            ),
            ("", "is no time; write it like 30s, 5m, 4h or 5d"),
        ],
    ),
    (
        Kind::Networks,
        &[
            ("", "", "[]"),
            ("192.0.2.9/24", "192.0.2.0/24", r#""192.0.2.0/24""#),
            (
                "192.0.2.1, 2001:db8::/32",
                "192.0.2.1,2001:db8::/32",
                r#"["192.0.2.1", "2001:db8::/32"]"#,
            ),
        ],
        &[
            (
                "192.0.2.0/33",
                "is no network; write it like 192.0.2.0/24 or 2001:db8::/32",
            ),
            (
                "off",
                "is no network; write it like 192.0.2.0/24 or 2001:db8::/32",
            ),
        ],
    ),
    (
        Kind::OptionalAddress,
        &[
            ("", "", r#""""#),
            ("Anna@Home.Test", "anna@home.test", r#""anna@home.test""#),
        ],
        &[
            ("anna", "is no address; write name@domain"),
            ("a b@home.test", "is no address; write name@domain"),
        ],
    ),
    (
        Kind::OptionalDomain,
        &[
            ("", "", r#""""#),
            ("Home.Test.", "home.test", r#""home.test""#),
        ],
        &[("a b", "is no domain"), ("[IPv6:::1]", "is no domain")],
    ),
    (
        Kind::OptionalPath,
        &[("", "", r#""""#), ("/a b", "/a b", r#""/a b""#)],
        &[
            ("a", "is no path from / on"),
            ("/a\0", "is no path from / on"),
        ],
    ),
    (
        Kind::OptionalUrl,
        &[
            ("", "", r#""""#),
            (
                "https://ntfy.test/x?y=1",
                "https://ntfy.test/x?y=1",
                r#""https://ntfy.test/x?y=1""#,
            ),
            (
                "http://[::1]:80/",
                "http://[::1]:80/",
                r#""http://[::1]:80/""#,
            ),
        ],
        &[
            ("ntfy.test", "is no URL; write it like https://host/path"),
            ("https://", "is no URL; write it like https://host/path"),
            ("https:///x", "is no URL; write it like https://host/path"),
            ("https://a b", "is no URL; write it like https://host/path"),
            ("file:///etc", "is no URL; write it like https://host/path"),
        ],
    ),
    (
        Kind::Path,
        &[("/a", "/a", r#""/a""#)],
        &[
            ("", "is no path from / on"),
            ("off", "is no path from / on"),
        ],
    ),
    (
        Kind::PathOrOff,
        &[("off", "off", r#""off""#), ("/a", "/a", r#""/a""#)],
        &[
            ("", "is no path from / on"),
            ("Off", "is no path from / on"),
        ],
    ),
    (
        Kind::Rate,
        &[
            ("200/h", "200/h", r#""200/h""#),
            ("1 / s", "1/s", r#""1/s""#),
            ("60/m", "60/m", r#""60/m""#),
            ("5000/d", "5000/d", r#""5000/d""#),
        ],
        &[
            ("200", "is no rate; write it like 200/h (s, m, h or d)"),
            ("0/h", "is no rate; write it like 200/h (s, m, h or d)"),
            ("-1/h", "is no rate; write it like 200/h (s, m, h or d)"),
            ("200/hour", "is no rate; write it like 200/h (s, m, h or d)"),
            ("200/2h", "is no rate; write it like 200/h (s, m, h or d)"),
            ("/h", "is no rate; write it like 200/h (s, m, h or d)"),
        ],
    ),
    (
        Kind::Servers,
        &[
            ("system", "system", r#""system""#),
            ("192.0.2.1", "192.0.2.1", r#""192.0.2.1""#),
            ("192.0.2.1 ::1", "192.0.2.1,::1", r#"["192.0.2.1", "::1"]"#),
            (
                "192.0.2.1:53 [::1]:5353",
                "192.0.2.1,[::1]:5353",
                r#"["192.0.2.1", "[::1]:5353"]"#,
            ),
        ],
        &[
            ("dns.test", "is no IP address"),
            ("192.0.2.1:x", "is no IP address"),
        ],
    ),
    (
        Kind::Size {
            least: 1024,
            most: 1 << 30,
        },
        &[
            ("35MiB", "35MiB", r#""35MiB""#),
            ("1024", "1KiB", r#""1KiB""#),
        ],
        &[
            ("1023", "is not between 1KiB and 1GiB"),
            ("2GiB", "is not between 1KiB and 1GiB"),
            ("35MB", "is no size; write it like 512KiB, 35MiB or 1GiB"),
        ],
    ),
    (
        Kind::Text,
        &[(
            "Local delivery only!",
            "Local delivery only!",
            r#""Local delivery only!""#,
        )],
        &[
            (
                "",
                "is no text that can be sent; write 1 to 200 ASCII characters",
            ),
            (
                "a\r\n250 b",
                "is no text that can be sent; write 1 to 200 ASCII characters",
            ),
            (
                "gr\u{fc}n",
                "is no text that can be sent; write 1 to 200 ASCII characters",
            ),
        ],
    ),
    (
        Kind::Uids,
        &[
            ("all", "all", r#""all""#),
            ("0,1000", "0,1000", r#"["0", "1000"]"#),
        ],
        &[
            ("root", "is no user number"),
            ("4294967296", "is no user number"),
        ],
    ),
    (
        Kind::YesNo,
        &[
            ("true", "true", "true"),
            ("yes", "true", "true"),
            ("on", "true", "true"),
            ("false", "false", "false"),
            ("no", "false", "false"),
            ("off", "false", "false"),
        ],
        &[
            ("", "is neither true nor false"),
            ("1", "is neither true nor false"),
        ],
    ),
];

#[test]
fn every_kind_in_both_directions() {
    for (kind, right, wrong) in TABLE {
        for (text, plain, toml) in *right {
            let value = kind.parse(text).unwrap_or_else(|e| panic!("{kind:?}: {e}"));
            assert_eq!(
                (&*value.text(), &*value.toml()),
                (*plain, *toml),
                "{kind:?}"
            );
            assert_eq!(kind.parse(plain), Ok(value), "{kind:?} {text}");
        }
        for (text, said) in *wrong {
            let expected = format!("{text:?} {said}");
            assert_eq!(kind.parse(text), Err(expected), "{kind:?}");
        }
    }
    let long = "x".repeat(201);
    assert!(Kind::Text.parse(&long[1..]).is_ok());
    assert!(Kind::Text.parse(&long).is_err());
    for kind in [Kind::Servers, Kind::Uids, Kind::Listeners] {
        assert!(kind.parse("").unwrap_err().starts_with("is empty; "));
    }
}
