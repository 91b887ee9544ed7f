//! What a submission server mends in a header (RFC 6409 section 8, SU-15): a missing `Date:` and
//! `Message-ID:` are added, fields that are nobody else's business go.

use crate::mail::{
    address::Address,
    domain::Domain,
    envelope::{MAILBOXES_MAX, Mailbox},
    header::{self, Field},
    list,
    rewrite::phrase,
};

/// Removed always: who else gets it, and what only final delivery may write.
const SECRET: [&str; 3] = ["Bcc", "Resent-Bcc", "Return-Path"];
/// Where the author sits.
const PLACE: [&str; 1] = ["X-Originating-IP"];
/// What the author wrote it with.
const AGENT: [&str; 2] = ["User-Agent", "X-Mailer"];

/// What is mended, and with what.
#[derive(Clone, Debug)]
pub struct Fixup {
    /// The author's address stays with us: fields that tell it go, and `Received:` fields too, unless
    /// the message has passed here before or is sent on (`Resent-…`): then they show a loop.
    pub hide_client: bool,
    /// Fields that tell the author's program go.
    pub hide_agent: bool,
    /// Our own name, as `Received:` fields have it.
    pub hostname: String,
    /// For a missing `Date:`, as RFC 5322 section 3.3 has it.
    pub date: String,
    /// For a missing `From:`: programs and devices forget it.
    pub from: Option<String>,
    /// What stands behind the name of an author without a domain (AC-8): cron writes `From: root`.
    pub origin: Option<Domain>,
    /// For a missing `Message-ID:`, with its brackets.
    pub message_id: String,
}

impl Fixup {
    /// The mended block. `block` ends with its empty line, or where the message does; one that is
    /// nothing but an empty line is a header without fields.
    #[must_use]
    pub fn mend(&self, block: &[u8]) -> Vec<u8> {
        let keep_trace = !self.hide_client || self.is_on_its_way(block);
        let (mut out, mut from) = (Vec::with_capacity(block.len()), 0);
        let (mut end, mut date, mut id, mut author) = (0, false, false, false);
        for field in header::fields(block) {
            let empty = header::unfold(field.value).is_empty();
            date |= field.is("Date") && !empty;
            id |= field.is("Message-ID") && !empty;
            author |= field.is("From");
            end = field.whole.end;
            if let Some(line) = self.qualified(&field) {
                out.extend_from_slice(block.get(from..field.whole.start).unwrap_or_default());
                out.extend_from_slice(line.as_bytes());
                from = field.whole.end;
            }
            if self.goes(&field, keep_trace, empty) {
                out.extend_from_slice(block.get(from..field.whole.start).unwrap_or_default());
                from = field.whole.end;
            }
        }
        let end = fields_end(block, end);
        out.extend_from_slice(block.get(from..end).unwrap_or_default());
        if !out.is_empty() && !out.ends_with(b"\n") {
            out.extend_from_slice(b"\r\n");
        }
        if let Some(from) = self.from.as_ref().filter(|_| !author) {
            out.extend_from_slice(format!("From: {from}\r\n").as_bytes());
        }
        if !id {
            out.extend_from_slice(format!("Message-ID: {}\r\n", self.message_id).as_bytes());
        }
        if !date {
            out.extend_from_slice(format!("Date: {}\r\n", self.date).as_bytes());
        }
        out.extend_from_slice(block.get(end..).unwrap_or_default());
        out
    }

    fn goes(&self, field: &Field<'_>, keep_trace: bool, empty: bool) -> bool {
        let among = |names: &[&str]| names.iter().any(|name| field.is(name));
        among(&SECRET)
            || (self.hide_client && among(&PLACE))
            || (self.hide_agent && among(&AGENT))
            || (!keep_trace && field.is("Received"))
            || (empty && among(&["Date", "Message-ID"]))
    }

    /// The line of an author who has no domain, with one.
    fn qualified(&self, field: &Field<'_>) -> Option<String> {
        let origin = self.origin.as_ref().filter(|_| field.is("From"))?;
        let mut mailboxes = Vec::new();
        list::mailboxes(&header::unfold(field.value), &mut mailboxes);
        let [only] = mailboxes.as_slice() else {
            return None;
        };
        let Some(Author::Bare(local)) = author(only) else {
            return None;
        };
        let address = Address::new(local, origin.clone())?;
        let name = only.display_name();
        let plain = |c: char| c.is_ascii_alphanumeric() || " -_".contains(c);
        let name = if name.chars().all(plain) {
            name
        } else {
            phrase(&name)
        };
        Some(if name.is_empty() {
            format!("From: {address}\r\n")
        } else {
            format!("From: {name} <{address}>\r\n")
        })
    }

    fn is_on_its_way(&self, block: &[u8]) -> bool {
        header::fields(block).any(|field| {
            let resent = field.name.get(..7);
            resent.is_some_and(|start| start.eq_ignore_ascii_case(b"Resent-"))
                || (field.is("Received") && self.is_ours(field.value))
        })
    }

    /// Whether a `Received:` field was written here.
    fn is_ours(&self, value: &[u8]) -> bool {
        let mut words = value
            .split(u8::is_ascii_whitespace)
            .filter(|w| !w.is_empty());
        words.any(|word| word.eq_ignore_ascii_case(b"by"))
            && words
                .next()
                .is_some_and(|name| name.eq_ignore_ascii_case(self.hostname.as_bytes()))
    }
}

/// Where the empty line begins that ends the block, or the block's end. `last` is where its last field
/// ends; lines that are no field may follow.
fn fields_end(block: &[u8], last: usize) -> usize {
    let mut at = last;
    while let Some(rest) = block.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(b"\r\n") || rest.starts_with(b"\n") {
            return at;
        }
        let line = memchr::memchr(b'\n', rest).map_or(rest.len(), |lf| lf.saturating_add(1));
        at = at.saturating_add(line);
    }
    at
}

/// Somebody that a message says it is from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Author {
    Address(Address),
    /// A local part without a domain (AC-8).
    Bare(String),
    /// Something else, as it can be shown.
    Unclear(String),
}

/// Stands for `<a@b> <c@d>`.
const TORN: &str = "two addresses without a comma";

/// All mailboxes in all `From:` and `Sender:` fields; names of groups are nobody. `None` where there
/// are more than anybody can judge.
#[must_use]
pub fn authors(block: &[u8]) -> Option<Vec<Author>> {
    let (mut mailboxes, mut torn) = (Vec::new(), None);
    for field in header::fields(block) {
        if field.is("From") || field.is("Sender") {
            let value = header::unfold(field.value);
            if list::is_torn(&value) {
                torn = Some(Author::Unclear(TORN.to_owned()));
            }
            list::mailboxes(&value, &mut mailboxes);
        }
    }
    if mailboxes.len() >= MAILBOXES_MAX {
        return None;
    }
    Some(mailboxes.iter().filter_map(author).chain(torn).collect())
}

fn author(mailbox: &Mailbox<'_>) -> Option<Author> {
    // A group's beginning or end.
    let host = mailbox.host.as_ref()?;
    if let Some(address) = mailbox.address() {
        return Some(Author::Address(address));
    }
    let local = mailbox.local.as_ref().map(|l| l.text()).unwrap_or_default();
    if host.is_empty() && !local.is_empty() {
        return Some(Author::Bare(local.into_owned()));
    }
    Some(Author::Unclear(format!("{local}@{}", host.text())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fixup() -> Fixup {
        Fixup {
            hide_client: true,
            hide_agent: false,
            hostname: "mx.home.test".to_owned(),
            date: "Sat, 21 Nov 2026 14:53:35 +0000".to_owned(),
            from: None,
            origin: None,
            message_id: "<1@mx.home.test>".to_owned(),
        }
    }

    /// AC-8: as cron writes it.
    #[test]
    fn lm_9_an_author_without_a_domain_gets_one() {
        let fixup = Fixup {
            from: Some("root@home.test".to_owned()),
            origin: Domain::parse("home.test"),
            ..fixup()
        };
        for (before, after) in [
            ("From: root\r\n", "From: root@home.test\r\n"),
            (
                "From: root (Cron Daemon)\r\n",
                "From: Cron Daemon <root@home.test>\r\n",
            ),
            (
                "From: \"=?x\" <root>\r\n",
                "From: =?UTF-8?B?PT94?= <root@home.test>\r\n",
            ),
            (
                "From: \"(Cron Daemon)\" <root>\r\n",
                "From: \"(Cron Daemon)\" <root@home.test>\r\n",
            ),
            (
                "From: J\u{fc}rgen <root>\r\n",
                "From: =?UTF-8?B?SsO8cmdlbg==?= <root@home.test>\r\n",
            ),
            ("From: a@b.test\r\n", "From: a@b.test\r\n"),
            ("From: a, b\r\n", "From: a, b\r\n"),
            ("Subject: x\r\n", "Subject: x\r\nFrom: root@home.test\r\n"),
        ] {
            let got = mended(&fixup, &format!("{before}\r\n"));
            assert!(got.starts_with(after), "{before:?}: {got:?}");
        }
    }

    fn mended(fixup: &Fixup, block: &str) -> String {
        String::from_utf8(fixup.mend(block.as_bytes())).unwrap()
    }

    const ADDED: &str = "Message-ID: <1@mx.home.test>\r\nDate: Sat, 21 Nov 2026 14:53:35 +0000\r\n";

    #[test]
    fn what_is_missing_is_added() {
        for (block, want) in [
            ("A: b\r\n\r\n", format!("A: b\r\n{ADDED}\r\n")),
            ("A: b\r\n", format!("A: b\r\n{ADDED}")),
            ("A: b", format!("A: b\r\n{ADDED}")),
            ("\r\n", format!("{ADDED}\r\n")),
            ("", ADDED.to_owned()),
            ("Date:\r\nMESSAGE-id: \r\n \r\n\r\n", format!("{ADDED}\r\n")),
            (
                "A: b\r\ngarbage\r\n\r\n",
                format!("A: b\r\ngarbage\r\n{ADDED}\r\n"),
            ),
        ] {
            assert_eq!(mended(&fixup(), block), want, "{block:?}");
        }
        let whole = "date: Thu, 1 Jan 1970 00:00:00 +0000\r\nMessage-Id: <2@b>\r\n\r\n";
        assert_eq!(mended(&fixup(), whole), whole);
    }

    #[test]
    fn what_is_nobodys_business_goes() {
        let block = "Return-Path: <a@b>\r\n\
            X-Originating-IP: [192.0.2.1]\r\n\
            Received: from phone\r\n\tby laptop.local; today\r\n\
            Date: x\r\n\
            Bcc: c@d,\r\n\
            \x20e@f\r\n\
            User-Agent: Mutt\r\n\
            bcc :\r\n\
            To: g@h\r\n\
            X-Mailer: Pine\r\n\
            Message-ID: <2@b>\r\n\
            \r\n";
        let want =
            "Date: x\r\nUser-Agent: Mutt\r\nTo: g@h\r\nX-Mailer: Pine\r\nMessage-ID: <2@b>\r\n\r\n";
        assert_eq!(mended(&fixup(), block), want);
        let agent = Fixup {
            hide_agent: true,
            ..fixup()
        };
        assert_eq!(
            mended(&agent, block),
            "Date: x\r\nTo: g@h\r\nMessage-ID: <2@b>\r\n\r\n"
        );
        let open = Fixup {
            hide_client: false,
            ..fixup()
        };
        let shown = mended(&open, block);
        assert!(shown.contains("Received: from phone\r\n\tby laptop.local; today\r\n"));
        assert!(shown.contains("X-Originating-IP"));
        assert!(!shown.contains("e@f") && !shown.contains("Return-Path"));
    }

    #[test]
    fn a_message_on_its_way_keeps_its_trace() {
        for (line, kept) in [
            ("Resent-From: a@b\r\nResent-Bcc: c@d\r\n", true),
            (
                "Received: from x\r\n\tby MX.home.test with ESMTP id 1\r\n",
                true,
            ),
            ("Received: from mx.home.test by away.test\r\n", false),
            ("Received: by\r\n", false),
        ] {
            let block = format!("Received: by away.test\r\n{line}\r\n");
            let got = mended(&fixup(), &block);
            assert_eq!(got.contains("by away.test"), kept, "{line}");
            assert!(!got.contains("c@d"));
        }
    }

    #[test]
    fn who_it_is_from() {
        let address = |text| Author::Address(Address::parse(text).unwrap());
        for (block, want) in [
            ("From: A <a@b.test>\r\n", vec![address("a@b.test")]),
            (
                "FROM: a@b.test,\r\n c@d.test\r\nSender : e@f.test\r\nfrom: g@h.test\r\n",
                vec![
                    address("a@b.test"),
                    address("c@d.test"),
                    address("e@f.test"),
                    address("g@h.test"),
                ],
            ),
            ("From: root\r\n", vec![Author::Bare("root".to_owned())]),
            ("From: nobody: ;\r\n", vec![]),
            ("Reply-To: a@b.test\r\n\r\nFrom: c@d.test\r\n", vec![]),
            (
                "From: <a@b_.-test>\r\n",
                vec![Author::Unclear("a@b_.-test".to_owned())],
            ),
        ] {
            assert_eq!(authors(block.as_bytes()), Some(want), "{block}");
        }
        for (value, torn) in [
            ("<a@b.test> <c@d.test>", true),
            ("A <a@b.test>\r\n B <c@d.test>, <e@f.test>", true),
            ("<a@b.test>(, )<c@d.test>", true),
            ("<a@b.test>, <c@d.test>", false),
            ("g: <a@b.test>; <c@d.test>", false),
            ("\"<c@d.test>\" <a@b.test>", false),
        ] {
            let got = authors(format!("From: {value}\r\n").as_bytes()).unwrap();
            let unclear = Author::Unclear(TORN.to_owned());
            assert_eq!(got.contains(&unclear), torn, "{value}");
        }
        let many = format!("From: {}\r\n", "a@b,".repeat(MAILBOXES_MAX + 1));
        assert_eq!(authors(many.as_bytes()), None);
    }

    proptest! {
        #[test]
        fn any_block(block in "(Bcc|Date|From|Received|x)?[: \t\r\nab@]{0,40}") {
            let fixup = fixup();
            let once = fixup.mend(block.as_bytes());
            prop_assert_eq!(&fixup.mend(&once), &once);
            prop_assert!(header::value(&once, "Date").is_some());
            prop_assert!(header::value(&once, "Message-ID").is_some());
            prop_assert!(header::value(&once, "Bcc").is_none());
        }
    }
}
