//! MTA-STS: records, policies and answers as tables; what is remembered.

mod life;

use super::{fetch::body, *};

fn txt(records: &[&str]) -> Option<String> {
    let records: Vec<_> = records
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .collect();
    record(&records)
}

/// RFC 8461 section 3.1.
#[test]
fn records() {
    let good = "v=STSv1; id=20160831085700Z;";
    for (records, want) in [
        (&[good][..], Some("20160831085700Z")),
        (&["v=STSv1;id=1"], Some("1")),
        (&["v=STSv1; foo=bar; id=a1 ; x"], Some("a1")),
        (&["v=spf1 -all", good, "anything"], Some("20160831085700Z")),
        (&[good, "v=STSv1; id=2;"], None),
        (&[], None),
        (&["v=STSv1"], None),
        (&["v=STSv1; id="], None),
        (&["v=STSv1; id=a-b"], None),
        (&["v=STSv1; id=123456789012345678901234567890123"], None),
        (&["v=STSv2; id=1"], None),
        (&["id=1; v=STSv1"], None),
    ] {
        assert_eq!(txt(records).as_deref(), want, "{records:?}");
    }
}

/// RFC 8461 section 3.2.
#[test]
fn policies() {
    let good = "version: STSv1\r\nmode: enforce\r\nmx: mail.Example.com\r\nmx: *.example.net\r\n\
                max_age: 604800\r\n";
    let parsed = policy(good.as_bytes()).unwrap();
    assert_eq!(
        parsed,
        Policy {
            mode: Mode::Enforce,
            mx: vec!["mail.example.com".to_owned(), "*.example.net".to_owned()],
            max_age: 604_800,
        }
    );
    assert_eq!(
        policy(good.replace("\r\n", "\n").as_bytes()),
        Ok(parsed.clone())
    );
    // Fields that nobody knows, and second ones.
    let more = format!("{good}hello: x\n\nnonsense\nmode: none\nversion: STSv2\n");
    assert_eq!(policy(more.as_bytes()), Ok(parsed));
    let life = |age: &str| {
        let text = good.replace("604800", age);
        policy(text.as_bytes()).map(|policy| policy.max_age)
    };
    assert_eq!(life("0"), Ok(0));
    assert_eq!(life("9999999999"), Ok(31_557_600));
    for age in ["", "-1", "1d", "99999999999", "1.5"] {
        assert_eq!(life(age).unwrap_err(), "it has no max_age in seconds");
    }
    let none = policy(b"version: STSv1\nmode: none\nmax_age: 86400\n").unwrap();
    assert_eq!((none.mode, none.mx.len()), (Mode::None, 0));
    for (from, to, want) in [
        ("STSv1", "STSv2", "it has no line \"version: STSv1\""),
        ("version: STSv1", "", "it has no line \"version: STSv1\""),
        (
            "enforce",
            "enforced",
            "its mode is none of enforce, testing and none",
        ),
        ("mx: ", "nx: ", "it names no mail server (mx)"),
        (
            "*.example",
            "*.*.example",
            "\"*.*.example.net\" is no mail server's name",
        ),
        (
            "*.example",
            ".example",
            "\".example.net\" is no mail server's name",
        ),
        (
            "mail.Example.com",
            "a b",
            "\"a b\" is no mail server's name",
        ),
        ("mail.Example.com", "", "\"\" is no mail server's name"),
    ] {
        let text = good.replace(from, to);
        assert_eq!(policy(text.as_bytes()).unwrap_err(), want, "{text}");
    }
    assert_eq!(policy(&[0xff]).unwrap_err(), "it is not UTF-8");
    let many = format!("{good}{}", "mx: a.test\n".repeat(101));
    assert_eq!(
        policy(many.as_bytes()).unwrap_err(),
        "it names more than 100 mail servers"
    );
}

/// RFC 8461 section 4.1.
#[test]
fn which_hosts_a_policy_names() {
    let policy = Policy {
        mode: Mode::Enforce,
        mx: vec!["mail.a.test".to_owned(), "*.b.test".to_owned()],
        max_age: 1,
    };
    for host in ["mail.a.test", "MAIL.A.test", "x.b.test"] {
        assert!(policy.allows(host), "{host}");
    }
    for host in [
        "a.test",
        "x.mail.a.test",
        "b.test",
        "x.y.b.test",
        "",
        "test",
    ] {
        assert!(!policy.allows(host), "{host}");
    }
}

/// An answer, whole or cut after each octet: the same, or more is needed.
#[test]
fn answers() {
    let long = "x".repeat(70_000);
    let whole = [
        (
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n\r\nabc",
            Ok("abc"),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n",
            Ok("abc"),
        ),
        (
            "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nabc",
            Ok("abc"),
        ),
        (
            "HTTP/1.1 301 Moved\r\nLocation: https://b.test/\r\n\r\n",
            Err("the server sends us elsewhere (HTTP 301), which is not allowed here"),
        ),
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            Err("the server answers HTTP 404"),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\nabc",
            Err("it is \"text/html\", not text/plain"),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
            Err("the answer is coded in a way that nobody asked for"),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nabc",
            Err("the length is no number"),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\nabc",
            Err("it is longer than 65536 octets"),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            Err("the answer's chunks are broken"),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
            Err("the answer's chunks are broken"),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n",
            Err("it is longer than 65536 octets"),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc",
            Err("the answer ends too early"),
        ),
        ("HTTP/1.1 200 OK\r\n", Err("the answer ends too early")),
        ("", Err("the answer ends too early")),
        (
            "220 mx.a.test ESMTP\r\n",
            Err("the answer is not HTTP: invalid HTTP version"),
        ),
    ];
    for (text, want) in whole {
        let want = want.map(|body| Some(body.as_bytes().to_vec()));
        assert_eq!(
            body(text.as_bytes(), true).map_err(|why| why.clone()),
            want.clone().map_err(ToOwned::to_owned),
            "{text}"
        );
        for end in 0..text.len() {
            let part = &text.as_bytes()[..end];
            match (body(part, false), &want) {
                (Ok(None), _) => {}
                (Ok(found), Ok(want)) => assert_eq!(&found, want, "{end} {text}"),
                (Err(why), Err(want)) => assert_eq!(why, *want, "{end} {text}"),
                (found, want) => panic!("{found:?} {want:?} {end} {text}"),
            }
        }
    }
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{long}{long}");
    assert_eq!(
        body(endless.as_bytes(), false).unwrap_err(),
        "it is longer than 65536 octets"
    );
    let head = format!("HTTP/1.1 200 OK\r\nX: {long}");
    assert_eq!(
        body(head.as_bytes(), false).unwrap_err(),
        "the answer's head is too long"
    );
}

#[test]
fn what_is_kept_is_read_again() {
    let kept = Kept {
        id: "a1".to_owned(),
        fetched: Time(BUILT + 10),
        policy: Rc::new(Policy {
            mode: Mode::Enforce,
            mx: vec!["mx.a.test".to_owned(), "*.b.test".to_owned()],
            max_age: 100,
        }),
    };
    assert_eq!(
        kept.text(),
        format!("a1 {} 100 enforce mx.a.test,*.b.test", BUILT + 10)
    );
    assert_eq!(Kept::parse(&kept.text()), Some(kept.clone()));
    for bad in ["", "a1", "a1 x 100 enforce a", "a1 1 100 strict a"] {
        assert_eq!(Kept::parse(bad), None, "{bad}");
    }
    assert!(!kept.is_over(Time(BUILT + 110)));
    assert!(kept.is_over(Time(BUILT + 111)));
    // UX-37.
    assert!(!kept.is_over(Time(0)));
    assert!(!is_due(&kept, "a1", Time(BUILT + 100)));
    assert!(!is_due(&kept, "a1", Time(0)));
    assert!(is_due(&kept, "a2", Time(BUILT + 100)));
    assert!(is_due(&kept, "a1", Time(BUILT + 10 + RENEW)));
}
