use proptest::prelude::*;

use super::*;
use crate::mail::structure::{Body, Scanner, Structure};

const HEADER: &[u8] =
    b"From: alice@home.test\r\nSubject: hi\r\nMessage-ID: <1@home.test>\r\n\r\nthe body\r\n";

fn recipient() -> Recipient {
    Recipient {
        address: "bob@away.test".to_owned(),
        orcpt: Some("rfc822;bob+2Bx@away.test".to_owned()),
        status: "5.1.1".to_owned(),
        remote: Some("mx.away.test".to_owned()),
        text: "550 5.1.1 <bob@away.test>: Recipient address rejected:\r\nUser unknown".to_owned(),
        tried: Some(Time(1_795_272_815)),
        ..Recipient::default()
    }
}

fn report(recipients: &[Recipient]) -> Report<'_> {
    Report {
        hostname: "mx.home.test",
        to: "alice@home.test",
        id: "4Wx1",
        envid: Some("env+3Dx+20y"),
        arrived: Time(1_795_272_000),
        now: Time(1_795_272_815),
        message_id: "dsn.1@mx.home.test",
        smtputf8: false,
        recipients,
    }
}

fn structure(message: &[u8]) -> Structure<'static> {
    let mut scanner = Scanner::new();
    scanner.push(message);
    scanner.finish()
}

/// What every report must be, whatever it is about: three parts in their places, lines of a length that
/// passes, no octet that is not text. Returns the parts.
fn check(message: &[u8]) -> Vec<Vec<u8>> {
    assert!(message.ends_with(b"--\r\n"));
    assert!(memchr::memchr(0, message).is_none());
    for line in message.split(|c| *c == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        assert!(line.len() <= 998 && !line.contains(&b'\r'), "{line:?}");
    }
    let names: Vec<_> = header::fields(message)
        .map(|field| String::from_utf8(field.name.to_vec()).unwrap())
        .collect();
    let mut unique = names.clone();
    unique.dedup();
    assert_eq!(names, unique);
    let structure = structure(message);
    let root = structure.root();
    assert!(root.part().is("multipart", "report"));
    let parts: Vec<_> = root
        .children()
        .map(|child| {
            let range = child.part().content();
            let (start, end) = (
                range.start.try_into().unwrap(),
                range.end.try_into().unwrap(),
            );
            message
                .get::<std::ops::Range<usize>>(start..end)
                .unwrap()
                .to_vec()
        })
        .collect();
    assert_eq!(parts.len(), 3);
    parts
}

#[test]
fn a_bounce_in_full() {
    let recipients = [recipient()];
    let message = compose(&report(&recipients), Original::Header(HEADER));
    check(&message);
    let text = String::from_utf8(message).unwrap();
    assert_eq!(
        text,
        "From: Mail Delivery System <MAILER-DAEMON@mx.home.test>\r\n\
         To: <alice@home.test>\r\n\
         Subject: Undelivered Mail Returned to Sender\r\n\
         Date: Sat, 21 Nov 2026 14:53:35 +0000\r\n\
         Message-ID: <dsn.1@mx.home.test>\r\n\
         References: <1@home.test>\r\n\
         Auto-Submitted: auto-replied\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status;\r\n\
         \tboundary=\"=_0.1795272815.4Wx1\"\r\n\
         \r\n\
         This is a MIME-encapsulated message.\r\n\
         \r\n\
         --=_0.1795272815.4Wx1\r\n\
         Content-Description: Notification\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: 7bit\r\n\
         \r\n\
         This is the mail system at host mx.home.test.\r\n\
         \r\n\
         Your message could not be delivered to everybody. Those named here did not\r\n\
         get it, and it is not tried again.\r\n\
         \r\n\
         <bob@away.test>: mx.away.test said:\r\n\
         \x20   550 5.1.1 <bob@away.test>: Recipient address rejected: User unknown\r\n\
         \x20   What to do: look for a typing mistake in the address, or ask the person\r\n\
         \x20   for the right one in another way.\r\n\
         \r\n\
         For further help write to <postmaster@mx.home.test>, and attach this report.\r\n\
         It is about the message that is attached below, 4Wx1.\r\n\
         \r\n\
         --=_0.1795272815.4Wx1\r\n\
         Content-Description: Delivery report\r\n\
         Content-Type: message/delivery-status\r\n\
         Content-Transfer-Encoding: 7bit\r\n\
         \r\n\
         Reporting-MTA: dns; mx.home.test\r\n\
         Original-Envelope-Id: env=x y\r\n\
         X-Pillarbox-Queue-ID: 4Wx1\r\n\
         Arrival-Date: Sat, 21 Nov 2026 14:40:00 +0000\r\n\
         \r\n\
         Original-Recipient: rfc822; bob+x@away.test\r\n\
         Final-Recipient: rfc822; bob@away.test\r\n\
         Action: failed\r\n\
         Status: 5.1.1\r\n\
         Remote-MTA: dns; mx.away.test\r\n\
         Diagnostic-Code: smtp; 550 5.1.1 <bob@away.test>: Recipient address\r\n\
         \x20rejected: User unknown\r\n\
         Last-Attempt-Date: Sat, 21 Nov 2026 14:53:35 +0000\r\n\
         \r\n\
         --=_0.1795272815.4Wx1\r\n\
         Content-Description: Undelivered Message Headers\r\n\
         Content-Type: text/rfc822-headers\r\n\
         Content-Transfer-Encoding: 7bit\r\n\
         \r\n\
         From: alice@home.test\r\n\
         Subject: hi\r\n\
         Message-ID: <1@home.test>\r\n\
         \r\n\
         --=_0.1795272815.4Wx1--\r\n"
    );
}

#[test]
fn subjects_and_actions() {
    for (actions, subject, status) in [
        (
            &[Action::Failed, Action::Delayed][..],
            "Undelivered Mail",
            "Action: failed",
        ),
        (
            &[Action::Delayed],
            "Delayed Mail (still",
            "Will-Retry-Until: Thu",
        ),
        (&[Action::Delivered], "Successful Mail", "Action: delivered"),
        (&[Action::Relayed], "Successful Mail", "Action: relayed"),
        (&[Action::Expanded], "Successful Mail", "Action: expanded"),
    ] {
        let recipients: Vec<_> = actions
            .iter()
            .map(|action| Recipient {
                action: *action,
                until: Some(Time(0)),
                ..recipient()
            })
            .collect();
        let message = compose(&report(&recipients), Original::Header(HEADER));
        let parts = check(&message);
        let text = String::from_utf8(message).unwrap();
        assert!(text.contains(&format!("Subject: {subject}")), "{text}");
        assert!(text.contains(status), "{text}");
        let groups = String::from_utf8(parts[1].clone()).unwrap();
        assert_eq!(groups.matches("Final-Recipient:").count(), actions.len());
        assert_eq!(
            groups.matches("Will-Retry").count(),
            usize::from(actions.contains(&Action::Delayed))
        );
    }
}

#[test]
fn whole_messages_go_back_while_they_are_small() {
    let recipients = [recipient()];
    let report = report(&recipients);
    let message = compose(&report, Original::Whole(HEADER));
    let parts = check(&message);
    assert_eq!(parts[2], HEADER);
    let inner = structure(&message);
    let third = inner.root().children().nth(2).unwrap();
    assert!(third.part().is("message", "rfc822"));
    assert!(matches!(third.part().body, Body::Message { .. }));
    let long = [HEADER, &b"0123456789abcdef\r\n".repeat(WHOLE_MAX / 18)].concat();
    let message = compose(&report, Original::Whole(&long));
    assert!(check(&message)[2].ends_with(b"<1@home.test>\r\n"));
    assert!(message.len() < 4096);
}

#[test]
fn addresses_in_other_scripts() {
    let recipients = [Recipient {
        address: "grüße+x@away.test".to_owned(),
        orcpt: Some("utf-8;gr\\x{FC}\\x{DF}e@away.test".to_owned()),
        text: "550 5.1.1 gibt es nicht: grüße".to_owned(),
        ..recipient()
    }];
    let original = Original::Header("From: Jürgen <a@b>\r\n\r\n".as_bytes());
    let plain = compose(&report(&recipients), original);
    let parts = check(&plain).map_text();
    assert!(parts[0].contains("<grüße+x@away.test>: "));
    assert!(parts[1].contains("Final-Recipient: utf-8; gr\\x{FC}\\x{DF}e\\x{2B}x@away.test\r\n"));
    assert!(parts[1].contains("Original-Recipient: utf-8; gr\\x{FC}\\x{DF}e@away.test\r\n"));
    assert!(parts[1].contains("smtp; 550 5.1.1 gibt es nicht: gr??e"));
    let text = String::from_utf8(plain).unwrap();
    assert!(text.contains("\r\nContent-Type: message/delivery-status\r\n"));
    assert!(text.contains("\r\nContent-Type: text/rfc822-headers\r\n"));
    let wide = compose(
        &Report {
            smtputf8: true,
            ..report(&recipients)
        },
        original,
    );
    let parts = check(&wide).map_text();
    assert!(parts[1].contains("Final-Recipient: utf-8; grüße+x@away.test\r\n"));
    let text = String::from_utf8(wide).unwrap();
    assert!(text.contains("\r\nContent-Type: message/global-delivery-status\r\n"));
    assert!(text.contains("\r\nContent-Type: message/global-headers\r\n"));
    assert!(text.contains("\r\nContent-Transfer-Encoding: 8bit\r\n\r\nThis is a MIME"));
}

trait MapText {
    fn map_text(self) -> Vec<String>;
}

impl MapText for Vec<Vec<u8>> {
    fn map_text(self) -> Vec<String> {
        self.into_iter()
            .map(|part| String::from_utf8(part).unwrap())
            .collect()
    }
}

/// A remote server tries to add fields, parts and messages of its own.
#[test]
fn nothing_gets_out_of_its_place() {
    let evil = "550 x\r\n\r\n--=_0.1795272815.4Wx1--\r\nAction: delivered\0\u{85}\u{2028}";
    let recipients = [Recipient {
        text: evil.to_owned(),
        remote: Some(evil.to_owned()),
        address: format!("\"{evil}\"@away.test"),
        orcpt: Some(evil.to_owned()),
        status: evil.to_owned(),
        ..recipient()
    }];
    let inner = b"A: b\r\n\r\n--=_0.1795272815.4Wx1\r\n\r\n--=_1.1795272815.4Wx1--\r\n\0\n\r";
    let message = compose(&report(&recipients), Original::Whole(inner));
    let parts = check(&message);
    let groups = parts[1].clone();
    let lines: Vec<_> = groups.split(|c| *c == b'\n').collect();
    assert_eq!(
        lines.iter().filter(|l| l.starts_with(b"Action:")).count(),
        1
    );
    assert!(lines.iter().any(|l| l.starts_with(b"Status: 5.0.0")));
    assert!(memmem::find(&message, b"boundary=\"=_2.").is_some());
}

#[test]
fn escapes_of_xtext() {
    for (text, want) in [
        ("", ""),
        ("plain", "plain"),
        ("a+2Bb+3Dc", "a+b=c"),
        ("a+2", "a+2"),
        ("+", "+"),
        ("a+zz", "a+zz"),
        ("+C3+BC", "ü"),
        ("+FF", "\u{fffd}"),
    ] {
        assert_eq!(clean::xtext(text), want, "{text}");
    }
}

proptest! {
    #[test]
    fn anything_makes_a_report(
        texts in proptest::collection::vec(any::<String>(), 8),
        original: Vec<u8>,
        whole: bool,
        smtputf8: bool,
        long in "[a =_0.]{0,3000}",
    ) {
        let recipients = [
            Recipient {
                address: texts[0].clone(),
                orcpt: Some(texts[1].clone()),
                action: Action::Delayed,
                status: texts[2].clone(),
                remote: Some(texts[3].clone()),
                text: long.clone(),
                tried: None,
                until: Some(Time(i64::MAX)),
            },
            Recipient { address: long, ..recipient() },
        ];
        let report = Report {
            hostname: &texts[4],
            to: &texts[5],
            id: &texts[6],
            envid: Some(&texts[7]),
            smtputf8,
            ..report(&recipients)
        };
        let original = if whole { Original::Whole(&original) } else { Original::Header(&original) };
        let message = compose(&report, original);
        let parts = check(&message);
        prop_assert_eq!(parts[1].split(|c| *c == b'\n').filter(|l| l.starts_with(b"Final-Recipient:")).count(), 2);
    }
}

#[test]
fn the_name_alone_and_the_reply_alone() {
    let recipients = [Recipient {
        remote: Some("mx.away.test[192.0.2.2]".to_owned()),
        text: format!("550 5.1.1 no{WHEN}RCPT TO command)"),
        ..recipient()
    }];
    let message = compose(&report(&recipients), Original::Header(HEADER));
    let text = String::from_utf8(message).unwrap();
    let fields = "Remote-MTA: dns; mx.away.test\r\nDiagnostic-Code: smtp; 550 5.1.1 no\r\n";
    assert!(text.contains(fields), "{text}");
    assert!(text.contains("mx.away.test[192.0.2.2] said:"), "{text}");
}
