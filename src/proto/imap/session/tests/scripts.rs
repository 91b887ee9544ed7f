//! What a session does when all goes well, and when a client errs.

use super::*;

/// RFC 3501 section 3.
#[test]
fn states() {
    play(&format!(
        "S: * OK [CAPABILITY IMAP4rev1 
         C: a SELECT INBOX
         S: a BAD Log in first
         C: a2 NOOP
         S: a2 OK
         C: a3 STARTTLS
         S: a3 BAD STARTTLS is not available
         C: b LOGIN alice wrong
         Q: Login
         A: NO Authentication failed.
         S: b NO Authentication failed.
         {}
         C: c LOGIN alice hush
         S: c BAD Already logged in
         C: d FETCH 1 FLAGS
         S: d BAD Select a folder first
         {SELECT}
         C: e fetch 1 flags
         Q: Command(Fetch(
         A: * 1 FETCH (FLAGS ())\\r\\n || OK Fetch completed.
         S: * 1 FETCH (FLAGS ())
         S: e OK Fetch completed.
         C: f CLOSE
         Q: Command(Close, 
         A: OK Close completed. > deselected
         S: f OK
         C: g CHECK
         S: g BAD Select a folder first
         C: h LOGOUT
         S: * BYE Logging out
         S: h OK Logout completed.
         closed",
        LOGIN.replace("S: * OK [CAPABILITY IMAP4rev1 \n", "")
    ));
}

#[test]
fn capability_and_log_in_in_clear() {
    let options = Options {
        login: false,
        ..Options::default()
    };
    play_cut(
        "S: * OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE NAMESPACE CHILDREN
         C: a CAPABILITY
         S: * CAPABILITY IMAP4rev1 LITERAL+ SASL-IR
         S: a OK
         C: b LOGIN alice hush
         S: b NO [PRIVACYREQUIRED]
         C: c AUTHENTICATE PLAIN
         S: c NO [PRIVACYREQUIRED]",
        4096,
        options,
    );
}

/// RFC 4616, RFC 4959.
#[test]
fn authenticate_plain() {
    play(
        "S: * OK
         C: a AUTHENTICATE PLAIN
         S: +
         C: *
         S: a BAD Authentication cancelled
         C: b AUTHENTICATE PLAIN
         S: +
         C: ???
         S: b BAD Not in base64
         C: c AUTHENTICATE PLAIN =
         S: c BAD Not a response of PLAIN
         C: d AUTHENTICATE PLAIN Ym9iAGFsaWNlAGh1c2g=
         S: d NO [AUTHORIZATIONFAILED]
         C: e AUTHENTICATE GSSAPI
         S: e NO This mechanism
         C: f authenticate plain AGFsaWNlAGh1c2g=
         Q: Sasl(Password { name: \"alice\", password: *** })
         A: refused
         S: f NO [AUTHENTICATIONFAILED]
         C: f2 authenticate login
         S: + VXNlcm5hbWU6
         C: YWxpY2U=
         S: + UGFzc3dvcmQ6
         C: aHVzaA==
         Q: Sasl(Password { name: \"alice\", password: *** })
         A: later
         S: f2 NO [UNAVAILABLE]
         C: f3 AUTHENTICATE SCRAM-SHA-256-PLUS
         S: f3 NO This mechanism
         C: g AUTHENTICATE PLAIN
         S: +
         C: AGFsaWNlAGh1c2g=
         Q: Sasl(Password { name: \"alice\", password: *** })
         A: right
         Q: Enter
         A: OK Logged in
         S: g OK [CAPABILITY IMAP4rev1",
    );
}

/// RFC 3501 section 6.2.1: what came before the handshake is forgotten.
#[test]
fn start_tls() {
    let options = Options {
        login: false,
        starttls: true,
        ..Options::default()
    };
    play_cut(
        "S: * OK [CAPABILITY IMAP4rev1
         C: a AUTHENTICATE PLAIN
         S: a NO [PRIVACYREQUIRED]
         C: b STARTTLS
         S: b OK Begin TLS
         S: shaking
         C: c CAPABILITY
         S: * CAPABILITY IMAP4rev1
         S: c OK
         C: d STARTTLS
         S: d BAD The connection is encrypted already
         C: e LOGIN alice hush
         Q: Login {
         A: OK x
         S: e OK",
        4096,
        options,
    );
    play_cut(
        "S: * OK
         C: a STARTTLS\\r\\nb LOGIN x y
         closed",
        4096,
        options,
    );
    play(
        "S: * OK
         C: a STARTTLS
         S: a BAD STARTTLS is not available",
    );
}

/// RFC 4978: what follows the command is packed already.
#[test]
fn compress() {
    let places = Places {
        count: Memory::new(1),
        memory: Memory::new(1 << 20),
    };
    let mut first = Session::new(Options::default());
    let mut second = Session::new(Options::default());
    for session in [&mut first, &mut second] {
        session.compression(places.clone());
        assert!(said(session, b"a COMPRESS DEFLATE\r\n").ends_with("a BAD Log in first\r\n"));
        let told = said(session, b"b LOGIN x y\r\n");
        assert!(told.contains("COMPRESS=DEFLATE"), "{told}");
    }
    let told = said(&mut first, b"c COMPRESS DEFLATE\r\nd NOOP\r\n");
    assert_eq!(told, "c OK DEFLATE active\r\n<d NOOP\r\n>");
    let told = said(&mut first, b"e COMPRESS DEFLATE\r\nf CAPABILITY\r\n");
    assert!(told.starts_with("e NO [COMPRESSIONACTIVE]"), "{told}");
    assert!(!told.contains("COMPRESS=DEFLATE"), "{told}");
    // One is the most.
    let told = said(&mut second, b"c COMPRESS DEFLATE\r\nd CAPABILITY\r\n");
    assert!(told.starts_with("c NO [LIMIT]"), "{told}");
    assert!(!told.contains("COMPRESS=DEFLATE"), "{told}");
    drop(first);
    let told = said(&mut second, b"e CAPABILITY\r\n");
    assert!(told.contains("COMPRESS=DEFLATE"), "{told}");
}

/// What a session says to this; what goes to the inflater in `<>`, and is forgotten.
fn said(session: &mut Session, octets: &[u8]) -> String {
    let mut told = vec![];
    let mut rest = octets;
    loop {
        match session.step(Instant::default()) {
            Step::Ask(_) => session.answer(done("OK done")),
            Step::Compress(octets) => told.extend([b"<", &octets[..], b">"].concat()),
            Step::Write(octets) => told.extend(octets),
            Step::Read { .. } if rest.is_empty() => break,
            Step::Read { .. } => rest = &rest[session.input(rest)..],
            _ => panic!("nothing of this"),
        }
    }
    String::from_utf8(told).unwrap()
}

#[test]
fn pipelined_commands_are_worked_off_in_order() {
    let mut session = Session::new(Options::default());
    session.input(b"a LOGIN x y\r\nb NOOP\r\nc CAPABILITY\r\nd NOOP\r\n");
    let now = Instant::default();
    let mut told = vec![];
    loop {
        match session.step(now) {
            Step::Ask(_) => session.answer(done("OK done")),
            Step::Write(octets) => told.push(String::from_utf8(octets).unwrap()),
            _ => break,
        }
    }
    assert_eq!(told.len(), 1, "{told:?}");
    let tags: Vec<_> = told[0].lines().map(|line| &line[..1]).collect();
    assert_eq!(tags, ["*", "a", "b", "*", "c", "d"]);
}

#[test]
fn literals() {
    play(
        "S: * OK
         C: a LOGIN {5}
         S: + Ready
         C: alice {4}
         S: + Ready
         C: hush
         Q: Login { user: \"alice\"
         A: OK Logged in
         S: a OK
         C: b SELECT {5+}
         C: inbox
         Q: Command(Select(Select { folder: \"INBOX\"
         A: OK Done > selected
         S: b OK
         # Literals hold what lines cannot.
         C: c SUBSCRIBE {4}
         S: + Ready
         C: a\\r\\nb
         S: c NO [CANNOT]
         # RFC 3501 section 9: but no NUL.
         C: d SELECT {3+}
         C: a\\0b
         S: d BAD
         C: e NOOP
         Q: Command(Noop, 
         A: OK Done
         S: e OK",
    );
}

#[test]
fn append() {
    play(&format!(
        "{LOGIN}
         C: a APPEND sent (\\Seen) {{15}}
         Q: AppendBegin(AppendMessage {{ folder: \"sent\"
         A: accept
         S: + Ready
         C: From: a\\r\\n\\r\\nxyz\\
         quiet
         D: From: a\\r\\n\\r\\nxyz
         C:
         Q: AppendEnd
         A: OK Append completed.
         S: a OK"
    ));
    play(&format!(
        "{LOGIN}
         C: a APPEND {{4}}
         S: + Ready
         C: sent {{5+}}
         Q: AppendBegin(AppendMessage {{ folder: \"sent\"
         A: accept
         C: hello\\
         quiet
         D: hello
         C: 
         Q: AppendEnd
         A: OK [APPENDUID 1 2] Done
         S: a OK
         # Refused before it comes.
         C: b APPEND gone {{5}}
         Q: AppendBegin
         A: NO No such folder
         S: b NO No such folder
         # Refused, and coming nevertheless.
         C: c APPEND gone {{5+}}
         Q: AppendBegin
         A: NO No such folder
         quiet
         C: x NOO
         S: c NO No such folder
         C: d APPEND sent {{36700161}}
         S: d NO [TOOBIG]
         C: e APPEND sent (\\Foo) {{5}}
         S: e BAD No such flag
         C: f APPEND sent (\\Foo) {{5+}}
         C: hello
         S: f BAD No such flag
         C: g APPEND sent {{99999999+}}
         S: g NO [TOOBIG]
         S: * BYE
         closed"
    ));
}

#[test]
fn an_append_that_goes_wrong_is_forgotten() {
    play(&format!(
        "{LOGIN}
         C: a APPEND sent {{5+}}
         Q: AppendBegin
         A: accept
         C: he\\0lo
         Q: AppendAbort
         A: OK x
         S: a NO A message with NUL
         D:
         C: b APPEND sent {{5+}}
         Q: AppendBegin
         A: accept
         C: hello{{10+}}
         D: hello
         C: x LOGOUT\\r\\n
         Q: AppendAbort
         A: OK x
         S: b BAD
         C: c APPEND sent {{5+}}
         Q: AppendBegin
         A: accept
         C: he\\
         wait 179
         C: l\\
         wait 179
         wait 1
         D: hel
         S: * BYE Idle for too long
         closed"
    ));
}

/// What is told before a refusal may take several answers; the message is no command all the same.
#[test]
fn a_refused_append_with_much_to_tell() {
    play(&format!(
        "{LOGIN}
         C: a APPEND nowhere {{20+}}
         Q: AppendBegin
         A: more * 2 EXPUNGE\\r\\n
         S: * 2 EXPUNGE
         Q: More
         A: more * 1 EXPUNGE\\r\\n
         S: * 1 EXPUNGE
         Q: More
         A: NO [TRYCREATE] No folder
         C: b DELETE Archive\\r\\nxx
         S: a NO [TRYCREATE] No folder
         C: c APPEND nowhere {{20}}
         Q: AppendBegin
         A: more * 1 EXISTS\\r\\n
         S: * 1 EXISTS
         Q: More
         A: NO No folder
         S: c NO No folder
         C: d APPEND nowhere {{20+}}
         Q: AppendBegin
         A: right
         C: e DELETE Archive\\r\\nxx
         S: d NO [SERVERBUG]"
    ));
}

/// RFC 3502: all messages or none. RFC 3516: a literal8 may hold NUL. RFC 6855 section 4.
#[test]
fn several_messages() {
    play(&format!(
        "{LOGIN}
         C: a APPEND sent (\\Seen) {{2}}
         Q: AppendBegin(AppendMessage {{ folder: \"sent\"
         A: accept
         S: + Ready
         C: hi (\\Draft) \" 7-Feb-1994 21:52:25 -0800\" ~{{3+}}
         D: hi
         Q: AppendBegin(AppendMessage {{ folder: \"sent\"
         A: accept
         C: a\\0b UTF8 (~{{1}}
         D: a\\0b
         Q: AppendBegin(AppendMessage {{ folder: \"sent\"
         A: accept
         S: + Ready
         C: x)
         D: x
         Q: AppendEnd
         A: OK Append completed.
         S: a OK
         # The second is refused: the first goes, too.
         C: b APPEND sent {{2+}}
         Q: AppendBegin
         A: accept
         C: hi {{3}}
         D: hi
         Q: AppendBegin
         A: NO Full
         Q: AppendAbort
         A: OK x
         S: b NO Full
         C: c APPEND sent {{2+}}
         Q: AppendBegin
         A: accept
         C: hi {{3+}}
         D: hi
         Q: AppendBegin
         A: NO Full
         C: abc
         Q: AppendAbort
         A: OK x
         S: c NO Full
         # Nothing takes all of it back.
         C: d APPEND sent {{2+}}
         Q: AppendBegin
         A: accept
         C: hi {{0}}
         D: hi
         Q: AppendAbort
         A: OK x
         S: d NO Append cancelled
         C: e APPEND sent {{2+}}
         Q: AppendBegin
         A: accept
         C: hi (\\Foo) {{2+}}
         D: hi
         C: hi
         Q: AppendAbort
         A: OK x
         S: e BAD Expected another message
         C: f APPEND sent UTF8 (~{{2+}}
         Q: AppendBegin
         A: accept
         C: hi
         D: hi
         Q: AppendAbort
         A: OK x
         S: f BAD Expected another message"
    ));
}

/// RFC 5161, RFC 7162 section 3.1.
#[test]
fn enabled() {
    let off = "condstore: false, qresync: false, utf8: false";
    let condstore = "condstore: true, qresync: false, utf8: false";
    let all = "condstore: true, qresync: true, utf8: true";
    play(&format!(
        "{LOGIN}
         C: a NOOP
         Q: Command(Noop, Enabled {{ {off}
         A: OK x
         S: a OK
         C: b ENABLE X-FOO
         S: * ENABLED
         S: b OK
         C: c SELECT a (QRESYNC (1 2))
         S: c BAD ENABLE QRESYNC first
         C: d STATUS a (HIGHESTMODSEQ)
         Q: Command(Status(Status {{ folder: \"a\", items: StatusItems(2) }}), Enabled {{ {condstore}
         A: OK x
         S: d OK
         C: e ENABLE utf8=accept QRESYNC
         S: * ENABLED QRESYNC UTF8=ACCEPT
         S: e OK
         C: f NOOP
         Q: Command(Noop, Enabled {{ {all}
         A: OK x
         S: f OK
         # In UTF-8 a name is what it is.
         C: g SUBSCRIBE A&B-\u{fc}
         Q: Command(Subscribe {{ folder: \"A&B-\u{fc}\"
         A: OK x
         S: g OK"
    ));
}

/// The client learns what was not understood.
#[test]
fn bad_arguments_are_named() {
    play(&format!(
        "{LOGIN}{SELECT}
         C: a FETCH 1 (FLAGS FOO BAR)
         S: a BAD Bad arguments of FETCH, at: FOO BAR)
         C: b STATUS a
         S: b BAD Bad arguments of STATUS: something is missing
         C: c SEARCH FROM
         S: c BAD Bad arguments of SEARCH: something is missing
         C: d STORE 1 FLAGZ (a)
         S: d BAD Bad arguments of STORE, at: FLAGZ (a)
         C: e NOOP x
         S: e BAD Bad arguments of NOOP, at: x
         C: f CHECK a{{3+}}
         C: abc
         S: f BAD Bad arguments of CHECK, at: a"
    ));
}

/// RFC 2177.
#[test]
fn idle() {
    play(&format!(
        "{LOGIN}{SELECT}
         wake
         quiet
         C: a IDLE
         Q: Poll
         A: * 3 EXISTS\\r\\n || OK x
         S: + idling
         S: * 3 EXISTS
         quiet
         wake
         Q: Poll
         A: more * 4 EXISTS\\r\\n
         Q: More
         A: * 1 EXPUNGE\\r\\n || OK x
         S: * 4 EXISTS
         S: * 1 EXPUNGE
         wake
         Q: Poll
         wake
         A: OK x
         Q: Poll
         A: OK x
         quiet
         C: done
         S: a OK Idle completed.
         wake
         quiet
         C: b IDLE
         Q: Poll
         A: OK x
         S: + idling
         C: c NOOP
         S: b BAD Expected DONE
         C: d IDLE
         Q: Poll
         A: OK x
         S: + idling
         stop
         S: * BYE Server shutting down
         closed"
    ));
}

#[test]
fn content_is_sent_as_ranges() {
    play(&format!(
        "{LOGIN}{SELECT}
         C: a FETCH 1:2 BODY[]
         Q: Command(Fetch
         A: more * 1 FETCH (BODY[] {{3}}\\r\\n | ~3 | )\\r\\n
         S: * 1 FETCH (BODY[] {{3}}
         S: ~~~)
         Q: More
         A: * 2 FETCH (BODY[] {{4}}\\r\\n | ~4 | )\\r\\n || OK Fetch completed.
         S: * 2 FETCH (BODY[] {{4}}
         S: ~~~~)
         S: a OK"
    ));
}
