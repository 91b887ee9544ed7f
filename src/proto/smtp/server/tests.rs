//! Scripted sessions (`tests/transcripts/smtp/`) and what holds for all sessions.

pub(in crate::proto::smtp) mod script;
mod service;
mod smuggle;

use proptest::prelude::*;

use self::script::play;
use self::service::Driver;
use super::incoming::Incoming;
use super::*;

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts/smtp");

#[test]
fn transcripts() {
    let mut names: Vec<_> = std::fs::read_dir(SCRIPTS)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    assert!(!names.is_empty());
    for name in names {
        let script = std::fs::read_to_string(&name).unwrap();
        for cut in [1, 7, 4096] {
            play(&name.display().to_string(), &script, cut);
        }
    }
}

fn options() -> Options {
    Options {
        size_limit: 1000,
        ..Options::new("mx.home.test")
    }
}

fn driver() -> Driver {
    Driver::new(options(), &["alice@home.test", "bob@home.test"])
}

/// A driver whose session waits for the text after DATA.
fn in_data() -> Driver {
    let mut driver = driver();
    for line in [
        "EHLO a.test\r\n",
        "MAIL FROM:<x@away.test>\r\n",
        "RCPT TO:<alice@home.test>\r\n",
        "DATA\r\n",
    ] {
        driver.feed(line.as_bytes());
    }
    driver.replies.clear();
    driver
}

#[test]
fn an_idle_session_is_small() {
    assert!(
        size_of::<Session>() <= 400,
        "{} octets",
        size_of::<Session>()
    );
    assert!(size_of::<Incoming>() <= 256);
}

#[test]
fn pipelined_replies_leave_together() {
    let mut driver = driver();
    driver.feed(b"EHLO a.test\r\n");
    let before = driver.writes;
    driver.feed(
        b"MAIL FROM:<x@away.test>\r\nRCPT TO:<alice@home.test>\r\nRCPT TO:<no@home.test>\r\nDATA\r\n",
    );
    assert_eq!(driver.writes, before + 1);
    let codes: Vec<_> = driver.replies.iter().map(|reply| &reply[..3]).collect();
    assert_eq!(codes[2..], ["250", "250", "550", "354"]);
    let before = driver.writes;
    driver.feed(b"a\r\n.\r\nMAIL FROM:<>\r\nRSET\r\nQUIT\r\n");
    assert_eq!(driver.writes, before + 1);
    assert!(driver.closed);
}

#[test]
fn nothing_is_said_before_the_greeting() {
    let mut session = Session::new(options(), Instant(0));
    assert_eq!(session.input(b"NOOP\r\n"), 6);
    match session.step(Instant(0)) {
        Step::Write(octets) => assert_eq!(octets, b"220 mx.home.test ESMTP Pillarbox\r\n"),
        step => panic!("{step:?}"),
    }
}

#[test]
fn memory_is_bounded() {
    let mut session = Session::new(options(), Instant(0));
    assert_eq!(session.input(&vec![b'a'; 100_000]), INPUT_MAX);
    assert_eq!(session.input(b"a"), 0);
    let mut driver = in_data();
    driver.feed(&vec![b'a'; 100_000]);
    assert!(driver.longest_piece <= 64 * 1024);
}

#[test]
fn stranger_until_it_makes_progress() {
    let mut driver = driver();
    assert!(driver.session.stranger());
    driver.feed(b"EHLO a.test\r\nMAIL FROM:<x@away.test>\r\n");
    assert!(driver.session.stranger());
    driver.feed(b"RCPT TO:<alice@home.test>\r\n");
    assert!(!driver.session.stranger());
    driver.feed(b"RSET\r\n");
    assert!(driver.session.stranger());
    let mut driver = in_data();
    driver.feed(b"a\r\n.\r\n");
    driver.wait(59);
    assert!(!driver.session.stranger());
    driver.wait(2);
    assert!(driver.session.stranger());
}

/// SR-24: recipients alone are no progress, nor is half a command or content that does not flow.
#[test]
fn sr_24_a_transaction_that_stands_still_makes_a_stranger() {
    let mut driver = driver();
    driver.feed(b"EHLO a.test\r\nMAIL FROM:<x@away.test>\r\nRCPT TO:<alice@home.test>\r\n");
    driver.wait(9);
    driver.feed(b"RCP");
    assert!(!driver.session.stranger());
    driver.wait(1);
    assert!(driver.session.stranger());
    driver.feed(b"T TO:<bob@home.test>\r\n");
    assert!(!driver.session.stranger());
    driver.feed(b"DATA\r\n");
    driver.wait(9);
    driver.feed(b"a\r\n");
    driver.wait(9);
    assert!(!driver.session.stranger());
    driver.wait(1);
    assert!(driver.session.stranger());
    driver.feed(b"b\r\n");
    assert!(!driver.session.stranger());
}

/// Whoever logged in is no stranger, whatever comes after.
#[test]
fn who_logged_in_is_no_stranger() {
    let offer = AuthOptions {
        in_clear: true,
        ..AuthOptions::default()
    };
    let options = Options {
        auth: Auth::Offered(offer),
        ..options()
    };
    let mut driver = Driver::new(options, &[]);
    driver.feed(b"EHLO a.test\r\nAUTH LOGIN dXNlcg==\r\n");
    assert!(driver.session.stranger());
    driver.feed(b"cGVuY2ls\r\n");
    assert!(!driver.session.stranger());
    driver.feed(b"RSET\r\nEHLO a.test\r\n");
    assert!(!driver.session.stranger());
}

/// A session that has logged in with TLS holds nothing but its peer's channel binding on the heap.
#[test]
fn an_exchange_leaves_nothing_behind() {
    let options = Options {
        auth: Auth::Offered(AuthOptions::default()),
        ..options()
    };
    let secured = Secured {
        exporter: Some([7; 32]),
        ..Secured::default()
    };
    let mut driver = Driver::secured(options, &[], Some(secured));
    driver.feed(b"EHLO a.test\r\nAUTH PLAIN AHVzZXIAcGVuY2ls\r\n");
    assert!(driver.authenticated.is_some());
    assert!(matches!(driver.session.state, State::Command));
    assert_eq!(driver.session.out.capacity(), 0);
    assert!(driver.session.input.is_empty());
}

#[test]
fn stop_waits_for_the_message_that_is_coming() {
    let mut driver = in_data();
    driver.session.stop();
    driver.feed(b"a\r\n");
    assert!(!driver.closed);
    driver.feed(b".\r\n");
    assert_eq!(driver.settled.len(), 1);
    assert_eq!(
        driver.replies.back().map(String::as_str),
        Some("421 4.3.2 mx.home.test Service shutting down")
    );
    assert!(driver.closed);
}

#[test]
fn a_crowded_house_waits_one_minute() {
    let mut driver = driver();
    driver.feed(b"");
    driver.wait(61);
    driver.session.crowded(true);
    driver.feed(b"");
    assert!(driver.closed);
    assert_eq!(
        driver.replies.back().map(String::as_str),
        Some("421 4.4.2 mx.home.test Error: timeout exceeded")
    );
}

#[test]
fn what_a_service_takes_is_not_on_the_client() {
    let mut driver = in_data();
    driver.slow_s = 100;
    for _ in 0..10 {
        driver.feed(b"a\r\n");
    }
    driver.feed(b".\r\n");
    assert_eq!(driver.settled.len(), 1);
}

#[test]
fn swallowing_has_an_end() {
    for begin in [&b""[..], b"a\r\n.\r\nBDAT 18446744073709551615\r\n"] {
        let mut driver = in_data();
        driver.feed(begin);
        let mut seconds = 0;
        while !driver.closed {
            driver.feed(&vec![b'a'; 16 * 1024]);
            driver.wait(10);
            seconds += 10;
        }
        assert_eq!(seconds, 600);
        let last = driver.replies.back().unwrap();
        assert!(last.starts_with('5'), "{last}");
    }
}

#[test]
fn what_was_not_settled_is_forgotten_once() {
    for rest in [
        &b"a\n"[..],
        b"a\r\n.\r\nMAIL FROM:<>\r\nEHLO again\r\n",
        b"a\r\n.\r\nMAIL FROM:<>\r\nRSET\r\nRSET\r\n",
    ] {
        let mut driver = in_data();
        driver.feed(rest);
        assert_eq!(driver.forgets, 1, "{rest:?}");
    }
    let mut driver = in_data();
    driver.feed(&[b'a'; 2000]);
    driver.half_close();
    assert!(driver.closed);
    assert_eq!(driver.forgets, 1);
}

#[test]
fn a_handshake_starts_over() {
    let mut driver = Driver::new(
        Options {
            tls: Tls::Offered,
            ..options()
        },
        &["alice@home.test"],
    );
    driver.feed(b"EHLO a.test\r\n");
    assert!(driver.replies[1].contains("250-STARTTLS"));
    driver.feed(b"STARTTLS\r\n");
    assert!(driver.handshaken);
    driver.session.secured(Secured::default());
    driver.feed(b"MAIL FROM:<>\r\n");
    driver.feed(b"EHLO a.test\r\n");
    driver.feed(b"STARTTLS\r\n");
    let replies: Vec<_> = driver.replies.iter().skip(2).collect();
    assert!(replies[0].starts_with("220 2.0.0"));
    assert!(replies[1].starts_with("503 5.5.1"));
    assert!(!replies[2].contains("STARTTLS"));
    assert!(replies[3].starts_with("554 5.5.1"));
}

#[test]
fn octets_ahead_of_a_handshake_end_the_connection() {
    let tls = Options {
        tls: Tls::Offered,
        ..options()
    };
    let mut driver = Driver::new(tls, &[]);
    driver.feed(b"EHLO a.test\r\n");
    driver.feed(b"STARTTLS\r\nNOOP\r\n");
    assert!(driver.closed && !driver.handshaken);
    assert_eq!(driver.replies.len(), 2);
}

/// Lines and octets as peers may mix them.
fn fragment() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        &b"EHLO a.test\r\n"[..],
        b"HELO a.test\r\n",
        b"MAIL FROM:<x@away.test>\r\n",
        b"MAIL FROM:<> SIZE=2000\r\n",
        b"RCPT TO:<alice@home.test>\r\n",
        b"RCPT TO:<no@home.test>\r\n",
        b"DATA\r\n",
        b"BDAT 5\r\n",
        b"BDAT 3 LAST\r\n",
        b"BDAT 0 LAST\r\n",
        b"BDAT 2000\r\n",
        b"RSET\r\n",
        b"NOOP\r\n",
        b"VRFY x\r\n",
        b"a\r\nb\r\n",
        b".\r\n",
        b"\r\n.\r\n",
        b"QUIT\r\n",
        b"\n",
        b"\r",
    ]);
    prop_oneof![
        8 => known.prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => (0..5000_usize).prop_map(|length| vec![b'x'; length]),
    ]
}

proptest! {
    #[test]
    fn random_octets_always_end(octets in prop::collection::vec(any::<u8>(), 0..3000)) {
        let mut driver = driver();
        driver.feed(&octets);
        driver.half_close();
        prop_assert!(driver.closed);
        prop_assert_eq!(driver.settled.len(), 0);
    }

    #[test]
    fn the_cut_changes_nothing(fragments in prop::collection::vec(fragment(), 0..30)) {
        let octets = fragments.concat();
        let mut outcomes = vec![];
        for cut in [1, 7, 4096] {
            let mut driver = driver();
            driver.feed(b"EHLO a.test\r\n");
            for piece in octets.chunks(cut) {
                driver.feed(piece);
            }
            driver.half_close();
            prop_assert!(driver.closed);
            outcomes.push((driver.replies, driver.settled));
        }
        // Only whether text was sent ahead depends on how it comes (SR-15).
        let ahead = |(replies, _): &(std::collections::VecDeque<String>, _)| {
            replies.iter().any(|reply| reply.contains("pipelining"))
        };
        if !outcomes.iter().any(ahead) {
            prop_assert_eq!(&outcomes[0], &outcomes[1]);
            prop_assert_eq!(&outcomes[0], &outcomes[2]);
        }
    }
}

#[test]
fn a_doubt_about_the_end_is_not_answered() {
    let mut driver = in_data();
    driver.hang = true;
    driver.feed(b"a\r\n.\r\nNOOP\r\n");
    assert!(driver.closed);
    assert!(driver.replies.is_empty());
    assert_eq!(driver.forgets, 0);
}
