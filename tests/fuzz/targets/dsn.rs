//! What goes into a report of a delivery: texts of other servers, addresses, the message itself. Whatever
//! it is, the report is a message of three parts. And what else looks at a message that leaves: the From
//! rewriting, SRS, the signature.

use pillarbox::base::time::Time;
use pillarbox::mail::address::Address;
use pillarbox::mail::header::fields;
use pillarbox::mail::report::{Action, Original, Recipient, Report, compose};
use pillarbox::mail::rewrite::{self, Mode, Rewrite};
use pillarbox::mail::srs::Srs;
use pillarbox::mail::structure::Scanner;

pub const WORDS: &[&str] = &[
    "\n",
    "\r\n",
    "\r\n\r\n",
    "--",
    "=_0.1795272815.",
    "=_1.1795272815.",
    "5.1.1",
    "550 5.1.1 no",
    "rfc822;a+2Bb@c.test",
    "utf-8;\\x{FC}@c.test",
    "+0D+0A",
    "a@b.test",
    "\"a b\"@c.test",
    "grüße@b.test",
    "SRS0=AAAAAAAA=AA=b.test=a",
    "SRS1=AAAAAAAA=c.test==AAAA=AA=b.test=a",
    "From: ",
    "Sender: ",
    "Reply-To: ",
    "Message-ID: <",
    ">",
    "Action: delivered\r\n",
    "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x",
    "\0",
    "\u{2028}",
    "1",
];

/// Ten lines of texts, then the message. The first line's digits choose.
pub fn run(data: &[u8]) {
    let mut lines = data.splitn(11, |octet| *octet == b'\n');
    let mut text = || String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let chosen = text();
    let texts: Vec<String> = (0..9).map(|_| text()).collect();
    let message = lines.next().unwrap_or_default();
    let [address, orcpt, status, remote, said, to, id, envid, name] =
        <[String; 9]>::try_from(texts).expect("nine");
    report(
        &chosen,
        message,
        (&address, &orcpt, &status, &remote, &said),
        (&to, &id, &envid, &name),
    );
    rewriting(&name, message);
    let srs = Srs::new(b"secret");
    let now = Time(1_795_272_815);
    if let Some(path) = srs.forward(&address, "home.test", now) {
        let local = Address::parse(&path).expect("an address").local;
        assert!(srs.reverse(&local, now).is_ok(), "{path}");
    }
    // Nobody guesses a hash.
    assert!(srs.reverse(&orcpt, now).is_err());
}

fn report(
    chosen: &str,
    message: &[u8],
    (address, orcpt, status, remote, said): (&str, &str, &str, &str, &str),
    (to, id, envid, hostname): (&str, &str, &str, &str),
) {
    let has = |digit: char| chosen.contains(digit);
    let action = match () {
        () if has('1') => Action::Delayed,
        () if has('2') => Action::Delivered,
        () if has('3') => Action::Relayed,
        () => Action::Failed,
    };
    let recipient = Recipient {
        address: address.to_owned(),
        orcpt: has('4').then(|| orcpt.to_owned()),
        action,
        status: status.to_owned(),
        remote: has('5').then(|| remote.to_owned()),
        text: said.to_owned(),
        tried: Some(Time(0)),
        until: Some(Time(i64::MAX)),
    };
    let recipients = [recipient.clone(), recipient];
    let report = Report {
        hostname,
        to,
        id,
        envid: has('6').then_some(envid),
        arrived: Time(0),
        now: Time(1_795_272_815),
        message_id: id,
        smtputf8: has('7'),
        recipients: &recipients,
    };
    let original = if has('8') {
        Original::Whole(message)
    } else {
        Original::Header(message)
    };
    let out = compose(&report, original);
    for line in out.split(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        assert!(line.len() <= 998 && !line.contains(&b'\r') && !line.contains(&0));
    }
    let mut scanner = Scanner::new();
    scanner.push(&out);
    let structure = scanner.finish();
    let root = structure.root();
    assert!(root.part().is("multipart", "report"));
    let parts: Vec<_> = root.children().collect();
    assert_eq!(parts.len(), 3);
    let place = parts[1].part().content();
    let (start, end) = (
        place.start.try_into().expect("small"),
        place.end.try_into().expect("small"),
    );
    let groups: &[u8] = out
        .get::<std::ops::Range<usize>>(start..end)
        .expect("a part");
    let lines = groups.split(|octet| *octet == b'\n');
    let actions = lines.filter(|line| line.starts_with(b"Action: ")).count();
    assert_eq!(actions, recipients.len());
}

fn rewriting(hostname: &str, message: &[u8]) {
    let rewrite = Rewrite {
        mode: Mode::Always,
        address: Address::parse("box@home.test").expect("an address"),
        hostname: hostname.to_owned(),
        forwarded: message.len().is_multiple_of(2),
    };
    let out = rewrite::from(message, &rewrite);
    let from: Vec<_> = fields(&out).filter(|field| field.is("From")).collect();
    assert!(!from.is_empty() && rewrite::from(&out, &rewrite) == out);
}
