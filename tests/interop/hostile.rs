//! What nobody sends in good faith, over real sockets: a clear reply, bounded memory, and an honest
//! client beside it is served at once.

use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::house::{ANNA, House, PASSWORD};
use crate::talk::{Imap, Smtp, Talk};

/// How long an honest client may wait for a whole delivery, or a whole look into its INBOX, while
/// this machine also runs the attack and other tests.
const AT_ONCE: Duration = Duration::from_secs(3);

/// Proportional set size of a house of the normal profile under any attack here.
const MEMORY_KIB: u64 = 64 << 10;

/// The same process still runs, small and without a panic, and serves.
fn unharmed(house: &mut House) {
    honest(house);
    assert!(house.runs(), "the server ended");
    assert!(house.memory() < MEMORY_KIB, "{} KiB", house.memory());
    assert!(!house.log().contains("panic"), "{}", house.log());
}

/// Delivers a message and reads it back, each [`AT_ONCE`], from an address of its own.
fn honest(house: &House) {
    let begun = Instant::now();
    let talk = Talk::between([127, 0, 0, 2], house.mx).unwrap();
    let mut smtp = Smtp::over(talk).expect("an honest client is greeted");
    let reply = smtp
        .message(ANNA, "Subject: honest\r\n\r\nHello\r\n")
        .unwrap();
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    assert!(
        begun.elapsed() < AT_ONCE,
        "a delivery took {:?}",
        begun.elapsed()
    );
    let begun = Instant::now();
    let talk = Talk::between([127, 0, 0, 2], house.imap).unwrap();
    let mut imap = Imap::over(talk, ANNA).expect("an honest client logs in");
    imap.ok("SELECT INBOX").unwrap();
    assert!(!imap.search("SEARCH SUBJECT honest").unwrap().is_empty());
    assert!(
        begun.elapsed() < AT_ONCE,
        "looking into INBOX took {:?}",
        begun.elapsed()
    );
}

fn repeated(times: u32, text: impl Fn(u32) -> String) -> String {
    (0..times).map(text).collect()
}

#[test]
fn two_thousand_connections() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();

    let mut house = House::new();
    let mut open = Vec::new();
    for number in 0..2_000 {
        let port = if number % 2 == 0 {
            house.mx
        } else {
            house.imap
        };
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        // A third is silent, a third stops in the middle of a word, a third says something and waits.
        let said = match number % 3 {
            0 => "",
            1 => "EH",
            _ if port == house.mx => "EHLO slow.test\r\n",
            _ => "a NOOP\r\n",
        };
        // The house may have closed this one already: then it has said so.
        let _ = io::Write::write_all(&mut stream, said.as_bytes());
        open.push(stream);
        if number % 400 == 399 {
            honest(&house);
        }
    }
    unharmed(&mut house);
    // Whoever had to make room was told why.
    let mut told = 0;
    for stream in open.iter_mut().step_by(2) {
        stream.set_nonblocking(true).unwrap();
        let mut octets = [0; 4096];
        let read = io::Read::read(stream, &mut octets).unwrap_or(0);
        let text = String::from_utf8_lossy(&octets[..read]).into_owned();
        assert!(
            text.is_empty() || text.starts_with("220 ") || text.starts_with("421 4."),
            "{text}"
        );
        told += usize::from(text.contains("421 4."));
    }
    assert!(
        told > 500,
        "of 1,000 connections to a house for 100 sessions, {told} were told 421"
    );
    drop(open);
    unharmed(&mut house);
}

/// SR-24, SU-14, UX-160: a crowd that guesses passwords over and over holds up neither mail nor the
/// people of the house.
#[test]
fn guessers_keep_nobody_out() {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    let mut house = House::with("profile = \"tiny\"");
    let (over, tries) = (AtomicBool::new(false), AtomicU32::new(0));
    let submission = house.submission;
    let guess = |last: u8| -> io::Result<()> {
        let mut smtp = Smtp::over(Talk::between([127, 0, 2, last], submission)?)?;
        while !over.load(Ordering::Relaxed) {
            let number = tries.fetch_add(1, Ordering::Relaxed);
            let who = format!("\0u{}@home.test\0wrong{number}", number % 7);
            smtp.0
                .send(format!("AUTH PLAIN {}\r\n", STANDARD.encode(who)))?;
            smtp.reply()?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        for last in 1..=10 {
            let (guess, over) = (&guess, &over);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    // Sent away: it comes again.
                    let _ = guess(last);
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
        }
        std::thread::sleep(Duration::from_secs(3));
        let mut slow = Vec::new();
        for visit in 1..=5 {
            let begun = Instant::now();
            let from = [127, 0, 3, visit];
            let mail = || Smtp::over(Talk::between(from, house.mx)?);
            let right = STANDARD.encode(format!("\0{ANNA}\0{PASSWORD}"));
            let log_in = || {
                let mut smtp = Smtp::over(Talk::between(from, submission)?)?;
                smtp.command(&format!("AUTH PLAIN {right}"), "235")
            };
            let mut said = Vec::new();
            while let Err(error) = mail().and_then(|_| log_in()) {
                said.push(error.to_string());
                if begun.elapsed() > AT_ONCE {
                    break;
                }
            }
            if begun.elapsed() > AT_ONCE {
                slow.push((visit, begun.elapsed(), said));
            }
        }
        over.store(true, Ordering::Relaxed);
        assert!(slow.is_empty(), "{slow:?}");
    });
    assert!(tries.load(Ordering::Relaxed) > 20);
    unharmed(&mut house);
}

#[test]
fn half_closed_connections_get_their_answers() {
    let mut house = House::new();
    // All of a delivery, then the end of what we send: the reply to the content still comes.
    let mut smtp = Smtp::to(house.mx).unwrap();
    smtp.command("MAIL FROM:<you@away.test>", "250").unwrap();
    smtp.command("RCPT TO:<anna@home.test>", "250").unwrap();
    smtp.command("DATA", "354").unwrap();
    smtp.0.send("Subject: half\r\n\r\nclosed\r\n.\r\n").unwrap();
    smtp.0.end_sending().unwrap();
    smtp.expect("250 2.0.0").unwrap();
    assert_eq!(smtp.0.rest().unwrap(), "", "and then the connection closes");
    // The end in the middle of the content: nothing is delivered.
    let mut smtp = Smtp::to(house.mx).unwrap();
    smtp.command("MAIL FROM:<you@away.test>", "250").unwrap();
    smtp.command("RCPT TO:<anna@home.test>", "250").unwrap();
    smtp.command("DATA", "354").unwrap();
    smtp.0.send("Subject: cut\r\n\r\nhalf a li").unwrap();
    smtp.0.end_sending().unwrap();
    assert!(!smtp.0.rest().unwrap().starts_with('2'));
    let mut talk = Talk::to(house.imap).unwrap();
    talk.line().unwrap();
    talk.send("a NOOP\r\nb NOOP\r\nc NO").unwrap();
    talk.end_sending().unwrap();
    let said = talk.rest().unwrap();
    assert!(
        said.starts_with("a OK") && said.contains("\r\nb OK"),
        "{said}"
    );
    let mut imap = Imap::to(house.imap, ANNA).unwrap();
    imap.ok("SELECT INBOX").unwrap();
    assert_eq!(imap.search("SEARCH ALL").unwrap(), [1]);
    unharmed(&mut house);
}

#[test]
fn a_browser_is_sent_away() {
    let mut house = House::new();
    let request = "GET / HTTP/1.1\r\nHost: home.test\r\nUser-Agent: x\r\n\r\n";
    let mut talk = Talk::to(house.mx).unwrap();
    talk.line().unwrap();
    talk.send(request).unwrap();
    assert!(
        talk.rest()
            .unwrap()
            .starts_with("221 2.7.0 Error: I can break rules, too. Goodbye.")
    );
    let mut talk = Talk::to(house.imap).unwrap();
    talk.line().unwrap();
    talk.send(request).unwrap();
    talk.end_sending().unwrap();
    let said = talk.rest().unwrap();
    assert!(said.contains("BAD") || said.contains("BYE"), "{said}");
    // Clear text where TLS is spoken.
    let mut talk = Talk::to(house.imaps).unwrap();
    talk.send(request).unwrap();
    assert!(!talk.rest().unwrap().contains("* OK"));
    unharmed(&mut house);
}

#[test]
fn lines_without_end() {
    let mut house = House::new();
    let piece = vec![b'x'; 1 << 20];
    let flood = |port: u16, start: &str| {
        let mut talk = Talk::to(port).unwrap();
        talk.line().unwrap();
        let mut sent = talk.send(start);
        for _ in 0..64 {
            if sent.is_err() {
                break;
            }
            sent = talk.send(&piece);
        }
        // Closing while we send may lose the reply on its way (a reset); it may not go on for ever.
        let _ = talk.end_sending();
        talk.rest().unwrap_or_default()
    };
    let said = flood(house.mx, "EHLO ");
    let clear = said.starts_with("500 5.") || said.starts_with("421 4.7.0");
    assert!(said.is_empty() || clear, "{said}");
    let said = flood(house.imap, "a LOGIN ");
    assert!(
        said.is_empty() || said.contains("BAD") || said.contains("BYE"),
        "{said}"
    );
    // Long, but not without end: an answer, and the line is not cut into commands.
    let mut smtp = Smtp::to(house.mx).unwrap();
    smtp.0
        .send(format!("RSET {}\r\n", "y".repeat(5_000)))
        .unwrap();
    let reply = smtp.reply().unwrap();
    assert!(
        reply.starts_with("500 5.") || reply.starts_with("501 5."),
        "{reply}"
    );
    // A line of content as long as a megabyte.
    let mut smtp = Smtp::to(house.mx).unwrap();
    let long = format!("Subject: long\r\n\r\n{}\r\n", "z".repeat(1 << 20));
    let reply = smtp.message(ANNA, &long).unwrap();
    assert!(
        reply.starts_with("250 ") || reply.starts_with("55"),
        "{reply}"
    );
    unharmed(&mut house);
}

#[test]
fn literals_of_four_gibibytes() {
    let mut house = House::new();
    let mut imap = Imap::to(house.imap, ANNA).unwrap();
    for length in [
        "4294967296",
        "4294967295",
        "36700161",
        "99999999999999999999999",
    ] {
        let (_, tagged) = imap.command(&format!("APPEND INBOX {{{length}}}")).unwrap();
        assert!(
            tagged.starts_with("NO") || tagged.starts_with("BAD"),
            "{length}: {tagged}"
        );
    }
    // The literal that does not wait: it cannot be taken, so the connection ends, with a word.
    imap.talk.send("x APPEND INBOX {4294967295+}\r\n").unwrap();
    let said = imap.talk.rest().unwrap();
    assert!(
        said.contains("BYE") || said.contains("x NO") || said.contains("x BAD"),
        "{said}"
    );
    // Before any log-in nobody has a use for long literals.
    let mut talk = Talk::to(house.imap).unwrap();
    talk.line().unwrap();
    talk.send("a LOGIN {4294967295}\r\n").unwrap();
    let said = talk.line().unwrap();
    assert!(
        said.starts_with("a BAD") || said.starts_with("a NO") || said.starts_with("* BYE"),
        "{said}"
    );
    // SMTP's own: a chunk larger than any message. A receiver takes the whole of it before it says
    // no (RFC 3030 section 2), so this one ends early and waits for whatever is said then.
    let mut smtp = Smtp::to(house.mx).unwrap();
    smtp.command("MAIL FROM:<you@away.test>", "250").unwrap();
    smtp.command("RCPT TO:<anna@home.test>", "250").unwrap();
    smtp.0.send("BDAT 4294967296 LAST\r\n").unwrap();
    for _ in 0..64 {
        smtp.0.send(vec![b'x'; 1 << 20]).unwrap();
    }
    smtp.0.end_sending().unwrap();
    let said = smtp.0.rest().unwrap();
    assert!(!said.contains("250 "), "{said}");
    unharmed(&mut house);
}

#[test]
fn a_million_header_lines() {
    let mut house = House::new();
    let lines = repeated(1_000_000, |number| format!("X-{number}: y\r\n"));
    let reply = Smtp::to(house.mx)
        .unwrap()
        .message(ANNA, &format!("{lines}\r\nbody\r\n"))
        .unwrap();
    assert!(reply.starts_with("552 5."), "{reply}");
    let mut imap = Imap::to(house.imap, ANNA).unwrap();
    let tagged = imap
        .append("INBOX", &format!("{lines}\r\nbody\r\n"))
        .unwrap();
    assert!(
        tagged.starts_with("NO") || tagged.starts_with("OK"),
        "{tagged}"
    );
    // A header without end, and one field as long as is allowed.
    let reply = Smtp::to(house.mx).unwrap().message(ANNA, &lines).unwrap();
    assert!(reply.starts_with("552 5."), "{reply}");
    let field = format!("Subject: {}\r\n\r\nbody\r\n", "word\r\n ".repeat(20_000));
    let reply = Smtp::to(house.mx).unwrap().message(ANNA, &field).unwrap();
    assert!(reply.starts_with("250 "), "{reply}");
    imap.ok("SELECT INBOX").unwrap();
    imap.ok("FETCH 1:* (ENVELOPE BODYSTRUCTURE)").unwrap();
    unharmed(&mut house);
}

#[test]
fn ten_thousand_nested_parts() {
    let mut house = House::new();
    let multiparts = repeated(10_000, |depth| {
        format!("Content-Type: multipart/mixed; boundary=b{depth}\r\n\r\n--b{depth}\r\n")
    });
    let messages = "Content-Type: message/rfc822\r\n\r\n".repeat(10_000);
    let brothers = format!(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n{}--b--\r\n",
        "--b\r\n\r\nx\r\n".repeat(100_000)
    );
    for content in [&multiparts, &messages, &brothers] {
        let reply = Smtp::to(house.mx)
            .unwrap()
            .message(ANNA, &format!("Subject: deep\r\n{content}\r\nx\r\n"))
            .unwrap();
        assert!(
            reply.starts_with("250 ") || reply.starts_with("55"),
            "{reply}"
        );
    }
    let begun = Instant::now();
    let mut imap = Imap::to(house.imap, ANNA).unwrap();
    imap.ok("SELECT INBOX").unwrap();
    imap.ok("FETCH 1:* (ENVELOPE BODYSTRUCTURE BODY)").unwrap();
    imap.ok("FETCH 1:* (BODY.PEEK[1.1.1.1.1.1.1.1.1] BODY.PEEK[1.2.3.TEXT])")
        .unwrap();
    imap.ok("SEARCH BODY nothing-there").unwrap();
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    unharmed(&mut house);
}

#[test]
fn octets_that_are_no_text() {
    let mut house = House::new();
    let mut talk = Talk::to(house.mx).unwrap();
    talk.line().unwrap();
    for line in [
        &b"EHLO \0\xff\r\n"[..],
        b"\0\0\0\0\r\n",
        b"MAIL FROM:<\xc3\x28@a.test>\r\n",
        b"\xff\xfe\r\n",
    ] {
        talk.send(line).unwrap();
        let reply = talk.line().unwrap();
        assert!(reply.starts_with('5'), "{line:?}: {reply}");
    }
    let mut imap = Imap::to(house.imap, ANNA).unwrap();
    for line in [
        &b"x1 \0\r\n"[..],
        b"x2 SELECT \"\xff\xfe\"\r\n",
        b"\xff\xff \xff\r\n",
        b"x3 FETCH 1 \0\r\n",
        b"\r\n",
    ] {
        imap.talk.send(line).unwrap();
        let reply = imap.talk.line().unwrap();
        assert!(
            reply.contains(" BAD") || reply.contains(" NO"),
            "{line:?}: {reply}"
        );
    }
    drop(imap);
    // In content: taken as it is or refused, never half.
    let mut smtp = Smtp::to(house.mx).unwrap();
    smtp.command("MAIL FROM:<you@away.test>", "250").unwrap();
    smtp.command("RCPT TO:<anna@home.test>", "250").unwrap();
    smtp.command("DATA", "354").unwrap();
    smtp.0
        .send(b"Subject: \xff\xfe\0\r\n\r\n\0\x01\xff\r\n.\r\n")
        .unwrap();
    let taken = smtp.reply().unwrap();
    assert!(
        taken.starts_with("250 ") || taken.starts_with('5'),
        "{taken}"
    );
    // A bare line feed ends nothing but the connection (smuggling).
    let mut smtp = Smtp::to(house.mx).unwrap();
    smtp.command("MAIL FROM:<you@away.test>", "250").unwrap();
    smtp.command("RCPT TO:<anna@home.test>", "250").unwrap();
    smtp.command("DATA", "354").unwrap();
    smtp.0
        .send("Subject: a\r\n\r\nx\n.\nMAIL FROM:<evil@away.test>\r\nRCPT TO:<anna@home.test>\r\nDATA\r\nSubject: b\r\n\r\n.\r\n")
        .unwrap();
    let said = smtp.0.rest().unwrap();
    assert!(
        said.starts_with("550 5.5.2 Error: bare <LF> received") && said.lines().count() == 1,
        "{said}"
    );
    let mut imap = Imap::to(house.imap, ANNA).unwrap();
    imap.ok("SELECT INBOX").unwrap();
    assert_eq!(
        imap.search("SEARCH ALL").unwrap().len(),
        usize::from(taken.starts_with("250 "))
    );
    unharmed(&mut house);
}

#[test]
fn many_errors_end_a_session() {
    let mut house = House::new();
    let mut talk = Talk::to(house.mx).unwrap();
    talk.line().unwrap();
    talk.send("EHLO away.test\r\n").unwrap();
    while talk.line().unwrap().starts_with("250-") {}
    talk.send("BOGUS\r\n".repeat(100)).unwrap();
    let said = talk.rest().unwrap();
    assert!(said.lines().count() <= 25, "{said}");
    assert!(
        said.lines().last().unwrap().starts_with("421 4.7.0"),
        "{said}"
    );
    unharmed(&mut house);
}
