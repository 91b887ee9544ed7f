//! Whom a message is from when it leaves by a route that takes only senders it knows (LM-9, UX-09, UX-10).

use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::mail::{
    address::Address,
    envelope::Mailbox,
    header::{self, Field},
    list,
};

/// How `From:` becomes the route's own address.
#[derive(Clone, Debug)]
pub struct Rewrite {
    pub mode: Mode,
    /// The route's own.
    pub address: Address,
    /// Our own name: an address there is one of the machine's.
    pub hostname: String,
    /// The message is passed on for somebody else (FW-11): the name says so (UX-10).
    pub forwarded: bool,
}

/// Whose `From:` is rewritten. Of a message that is passed on, it is in both of the first two, where it is
/// not of the route's domain already.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// Everybody's.
    Always,
    /// The machine's own: at `localhost`, the hostname, or without a domain.
    Local,
    Off,
}

/// The old value.
const KEPT: &str = "X-Original-From";

impl Rewrite {
    /// Whether an address (without brackets) becomes the route's.
    #[must_use]
    pub fn concerns(&self, address: &str) -> bool {
        let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
        let own = domain.eq_ignore_ascii_case(self.address.domain.as_str());
        let same = own && local.eq_ignore_ascii_case(&self.address.local);
        match self.mode {
            Mode::Off => false,
            Mode::Always => !same,
            Mode::Local => !same && (self.is_local(domain) || self.forwarded && !own),
        }
    }

    /// The reverse-path with which it leaves (without brackets); the null one stays.
    #[must_use]
    pub fn reverse(&self, sender: &str) -> String {
        if sender.is_empty() || !self.concerns(sender) {
            sender.to_owned()
        } else {
            self.address.to_string()
        }
    }

    fn is_local(&self, domain: &str) -> bool {
        let known = [
            "",
            "localhost",
            "localhost.localdomain",
            self.hostname.as_str(),
        ];
        known.iter().any(|name| name.eq_ignore_ascii_case(domain))
    }

    /// `From:` as it becomes. The name stays, so that people see whose it is.
    fn field(&self, author: Option<&Mailbox<'_>>) -> String {
        let mut name = author.map(Mailbox::display_name).unwrap_or_default();
        if name.trim().is_empty() {
            let local = author.and_then(|author| author.local.as_ref());
            name = local
                .map(|local| local.text().into_owned())
                .unwrap_or_default();
        }
        if self.forwarded && !name.is_empty() {
            name = [&name, " via ", self.address.domain.as_str()].concat();
        }
        let name = phrase(&name);
        let space = if name.is_empty() { "" } else { "\r\n " };
        format!("From: {name}{space}<{}>\r\n", self.address)
    }
}

/// The header block as it leaves. Where there is nothing to change, it is as it was. The block ends with its
/// empty line, or where the message does.
#[must_use]
pub fn from(block: &[u8], rewrite: &Rewrite) -> Vec<u8> {
    let mut authors = Vec::new();
    let mut end = 0;
    for field in header::fields(block) {
        end = field.whole.end;
        if field.is("From") {
            list::mailboxes(&header::unfold(field.value), &mut authors);
        }
    }
    authors.retain(|mailbox| mailbox.host.is_some());
    let concerned = |mailbox: &Mailbox<'_>| rewrite.concerns(&spelled(mailbox));
    let nobody = authors.is_empty() && rewrite.mode != Mode::Off;
    if !nobody && !authors.iter().any(concerned) {
        return block.to_vec();
    }
    let useful = authors
        .iter()
        .any(|author| !rewrite.is_local(&host(author)));
    let has = |name: &str| header::value(block, name).is_some();
    let keep = Keep {
        reply_to: useful && !has("Reply-To"),
        original: !has(KEPT),
    };
    let mut out = Vec::with_capacity(block.len().saturating_add(256));
    let (mut from, mut done) = (0, false);
    for field in header::fields(block) {
        let goes = field.is("Sender") || field.is("From");
        if !goes {
            continue;
        }
        out.extend_from_slice(block.get(from..field.whole.start).unwrap_or_default());
        from = field.whole.end;
        if field.is("From") && !done {
            done = true;
            out.extend_from_slice(rewrite.field(authors.first()).as_bytes());
            keep.write(&field, &mut out);
        }
    }
    out.extend_from_slice(block.get(from..end).unwrap_or_default());
    if !out.is_empty() && !out.ends_with(b"\n") {
        out.extend_from_slice(b"\r\n");
    }
    if !done {
        out.extend_from_slice(rewrite.field(None).as_bytes());
    }
    out.extend_from_slice(block.get(from.max(end)..).unwrap_or_default());
    out
}

/// Where the old value goes.
struct Keep {
    reply_to: bool,
    original: bool,
}

impl Keep {
    fn write(&self, field: &Field<'_>, out: &mut Vec<u8>) {
        let mut line = |name: &str| {
            out.extend_from_slice(name.as_bytes());
            out.push(b':');
            out.extend_from_slice(field.value);
            out.extend_from_slice(b"\r\n");
        };
        if self.reply_to {
            line("Reply-To");
        }
        if self.original {
            line(KEPT);
        }
    }
}

fn host(mailbox: &Mailbox<'_>) -> String {
    let host = mailbox.host.as_ref();
    host.map(|host| host.text().into_owned())
        .unwrap_or_default()
}

/// `local@host`, or the local part alone.
fn spelled(mailbox: &Mailbox<'_>) -> String {
    let local = mailbox.local.as_ref().map(|l| l.text()).unwrap_or_default();
    match host(mailbox) {
        host if host.is_empty() => local.into_owned(),
        host => match mailbox.address() {
            Some(address) => [&address.local, "@", address.domain.as_str()].concat(),
            None => [&*local, "@", &host].concat(),
        },
    }
}

/// A name as a header has it: quoted, or as encoded words (RFC 2047 section 2), at most 75 octets each.
pub(super) fn phrase(name: &str) -> String {
    const LONGEST: usize = 200;
    const WORD: usize = 45;
    let name: String = name
        .chars()
        .filter(|c| !c.is_control())
        .take(LONGEST)
        .collect();
    let name = name.trim();
    if name.is_empty() {
        return String::new();
    }
    if name.is_ascii() && !name.contains("=?") {
        let mut out = String::from("\"");
        for c in name.chars() {
            if matches!(c, '"' | '\\') {
                out.push('\\');
            }
            out.push(c);
        }
        out.push('"');
        return out;
    }
    let mut words = vec![String::new()];
    for c in name.chars() {
        match words.last_mut() {
            Some(word) if word.len().saturating_add(c.len_utf8()) <= WORD => word.push(c),
            _ => words.push(c.to_string()),
        }
    }
    let words: Vec<_> = words
        .iter()
        .map(|word| format!("=?UTF-8?B?{}?=", BASE64_STANDARD.encode(word)))
        .collect();
    words.join("\r\n ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mail::envelope::Envelope;

    fn rewrite(mode: Mode, forwarded: bool) -> Rewrite {
        Rewrite {
            mode,
            address: Address::parse("alerts@home.test").unwrap(),
            hostname: "nas.lan".to_owned(),
            forwarded,
        }
    }

    #[test]
    fn whom_it_concerns() {
        // Always; local; local and passed on.
        for (address, want) in [
            ("root@localhost", [true, true, true]),
            ("root", [true, true, true]),
            ("root@NAS.lan", [true, true, true]),
            ("alice@home.test", [true, false, false]),
            ("Alerts@Home.Test", [false, false, false]),
            ("bob@away.test", [true, false, true]),
        ] {
            let modes = [
                (Mode::Always, false),
                (Mode::Local, false),
                (Mode::Local, true),
            ];
            for ((mode, forwarded), want) in modes.into_iter().zip(want) {
                let rewrite = rewrite(mode, forwarded);
                assert_eq!(rewrite.concerns(address), want, "{address} {mode:?}");
                let reverse = if want { "alerts@home.test" } else { address };
                assert_eq!(rewrite.reverse(address), reverse);
            }
            assert!(!rewrite(Mode::Off, true).concerns(address));
        }
        assert_eq!(rewrite(Mode::Always, true).reverse(""), "");
    }

    #[test]
    fn lm_9_ux_09_what_becomes_of_from() {
        for (mode, forwarded, block, want) in [
            (
                Mode::Local,
                false,
                "From: root (Cron Daemon)\r\nTo: a@b\r\n\r\n",
                "From: \"Cron Daemon\"\r\n <alerts@home.test>\r\n\
                 X-Original-From: root (Cron Daemon)\r\nTo: a@b\r\n\r\n",
            ),
            (
                Mode::Local,
                false,
                "To: a@b\r\nFROM:\r\n root@localhost\r\nSender: x@y\r\n",
                "To: a@b\r\nFrom: \"root\"\r\n <alerts@home.test>\r\n\
                 X-Original-From:\r\n root@localhost\r\n",
            ),
            (
                Mode::Local,
                false,
                "From: alice@home.test\r\nSender: x@y\r\n\r\n",
                "From: alice@home.test\r\nSender: x@y\r\n\r\n",
            ),
            (
                Mode::Always,
                false,
                "From: Alice <alice@home.test>\r\n\r\n",
                "From: \"Alice\"\r\n <alerts@home.test>\r\nReply-To: Alice <alice@home.test>\r\n\
                 X-Original-From: Alice <alice@home.test>\r\n\r\n",
            ),
            (
                Mode::Always,
                false,
                "From: a@b, c@d\r\nReply-To: e@f\r\nX-Original-From: g@h\r\nFrom: i@j\r\n\r\n",
                "From: \"a\"\r\n <alerts@home.test>\r\nReply-To: e@f\r\nX-Original-From: g@h\r\n\r\n",
            ),
            (Mode::Off, true, "From: root\r\n\r\n", "From: root\r\n\r\n"),
            (Mode::Off, true, "To: a@b\r\n\r\n", "To: a@b\r\n\r\n"),
            (
                Mode::Local,
                false,
                "To: a@b\r\n\r\n",
                "To: a@b\r\nFrom: <alerts@home.test>\r\n\r\n",
            ),
            (Mode::Always, false, "", "From: <alerts@home.test>\r\n"),
            (
                Mode::Always,
                false,
                "\r\n",
                "From: <alerts@home.test>\r\n\r\n",
            ),
        ] {
            let got = from(block.as_bytes(), &rewrite(mode, forwarded));
            assert_eq!(String::from_utf8(got).unwrap(), want, "{block:?}");
        }
    }

    #[test]
    fn ux_10_a_forwarded_message_says_via_whom() {
        for (block, want) in [
            (
                "From: Bob <bob@away.test>\r\n\r\n",
                "From: \"Bob via home.test\"\r\n <alerts@home.test>\r\n\
                 Reply-To: Bob <bob@away.test>\r\nX-Original-From: Bob <bob@away.test>\r\n\r\n",
            ),
            (
                "From: bob@away.test\r\n\r\n",
                "From: \"bob via home.test\"\r\n <alerts@home.test>\r\n\
                 Reply-To: bob@away.test\r\nX-Original-From: bob@away.test\r\n\r\n",
            ),
            (
                "From: Alice <alice@home.test>\r\n\r\n",
                "From: Alice <alice@home.test>\r\n\r\n",
            ),
        ] {
            let got = from(block.as_bytes(), &rewrite(Mode::Local, true));
            assert_eq!(String::from_utf8(got).unwrap(), want, "{block:?}");
        }
    }

    #[test]
    fn names_as_a_header_has_them() {
        for (name, want) in [
            ("", ""),
            (" a b ", "\"a b\""),
            ("a \"b\" \\c", "\"a \\\"b\\\" \\\\c\""),
            ("Jürgen", "=?UTF-8?B?SsO8cmdlbg==?="),
            ("=?x?q?y?=", "=?UTF-8?B?PT94P3E/eT89?="),
            ("a\r\nBcc: b", "\"aBcc: b\""),
        ] {
            assert_eq!(phrase(name), want);
        }
        let long = "ü".repeat(120);
        let words = phrase(&long);
        assert!(words.lines().all(|line| line.len() <= 76));
        assert_eq!(
            header::decode_words(&header::unfold(words.as_bytes())),
            long
        );
    }

    proptest! {
        #[test]
        fn one_author_is_left(
            block in "(((From|Sender|To|X):[ a-zü<>@.,\"()=?-]{0,30}|junk)\r\n){0,6}(\r\n)?",
            forwarded: bool,
        ) {
            let rewrite = rewrite(Mode::Always, forwarded);
            let got = from(block.as_bytes(), &rewrite);
            let authors = Envelope::from_header(&got).from;
            prop_assert_eq!(authors.len(), 1);
            prop_assert_eq!(spelled(&authors[0]), "alerts@home.test");
            prop_assert_eq!(from(&got, &rewrite), got);
            let kept = header::fields(block.as_bytes()).filter(|f| f.is("To") || f.is("X")).count();
            prop_assert_eq!(header::fields(&from(block.as_bytes(), &rewrite)).filter(|f| f.is("To") || f.is("X")).count(), kept);
        }
    }
}
