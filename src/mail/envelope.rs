//! The envelope of a message as IMAP gives it (RFC 3501 section 7.4.2).

use serde::{Deserialize, Serialize};

use crate::mail::address::Address;
use crate::mail::domain::Domain;
use crate::mail::header::{decode_words, fields, unfold};
use crate::mail::list::mailboxes;
use crate::mail::octets::Octets;

/// Most mailboxes and group marks that are kept of one kind of field; the rest is left out.
pub const MAILBOXES_MAX: usize = 2_000;

/// One address of a field; all octets as in the header, unquoted, encoded words not decoded.
///
/// A group begins with one whose `host` is `None` and whose `local` is the group's name, and ends
/// with one that is all `None`. An address without a domain has an empty `host`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Mailbox<'a> {
    #[serde(borrow)]
    pub name: Option<Octets<'a>>,
    /// The obsolete source route, `@a,@b`.
    #[serde(borrow)]
    pub route: Option<Octets<'a>>,
    #[serde(borrow)]
    pub local: Option<Octets<'a>>,
    #[serde(borrow)]
    pub host: Option<Octets<'a>>,
}

impl Mailbox<'_> {
    /// As an address, if it is one.
    #[must_use]
    pub fn address(&self) -> Option<Address> {
        let local = str::from_utf8(self.local.as_ref()?).ok()?;
        let domain = Domain::parse(str::from_utf8(self.host.as_ref()?).ok()?)?;
        Address::new(local.to_owned(), domain)
    }

    /// The name for people, encoded words decoded; empty if there is none.
    #[must_use]
    pub fn display_name(&self) -> String {
        self.name
            .as_ref()
            .map_or_else(String::new, |name| decode_words(name))
    }
}

/// What the header says, unfolded: text fields from their first occurrence, addresses from all.
/// `sender` and `reply_to` are as in the header; IMAP shows [`Envelope::sender_or_from`] and
/// [`Envelope::reply_to_or_from`].
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Envelope<'a> {
    #[serde(borrow)]
    pub date: Option<Octets<'a>>,
    #[serde(borrow)]
    pub subject: Option<Octets<'a>>,
    #[serde(borrow)]
    pub from: Vec<Mailbox<'a>>,
    #[serde(borrow)]
    pub sender: Vec<Mailbox<'a>>,
    #[serde(borrow)]
    pub reply_to: Vec<Mailbox<'a>>,
    #[serde(borrow)]
    pub to: Vec<Mailbox<'a>>,
    #[serde(borrow)]
    pub cc: Vec<Mailbox<'a>>,
    #[serde(borrow)]
    pub bcc: Vec<Mailbox<'a>>,
    #[serde(borrow)]
    pub in_reply_to: Option<Octets<'a>>,
    #[serde(borrow)]
    pub message_id: Option<Octets<'a>>,
}

impl<'a> Envelope<'a> {
    /// Reads a header block; whatever stands there, the result holds no CR, LF or NUL.
    #[must_use]
    pub fn from_header(block: &[u8]) -> Envelope<'static> {
        let mut envelope = Envelope::default();
        for field in fields(block) {
            envelope.take(field.name, field.value);
        }
        envelope
    }

    /// The `Sender:`, or the `From:` where there is none (RFC 3501 section 7.4.2).
    #[must_use]
    pub fn sender_or_from(&self) -> &[Mailbox<'a>] {
        or(&self.sender, &self.from)
    }

    /// The `Reply-To:`, or the `From:` where there is none (RFC 3501 section 7.4.2).
    #[must_use]
    pub fn reply_to_or_from(&self) -> &[Mailbox<'a>] {
        or(&self.reply_to, &self.from)
    }

    /// Octets of memory that it takes, about.
    pub(super) fn cost(&self) -> usize {
        let text = |o: &Option<Octets<'_>>| o.as_ref().map_or(0, |o| o.len());
        let mailbox = |m: &Mailbox<'_>| {
            [&m.name, &m.route, &m.local, &m.host]
                .map(text)
                .iter()
                .fold(size_of::<Mailbox<'_>>(), |sum, n| sum.saturating_add(*n))
        };
        let texts = [
            &self.date,
            &self.subject,
            &self.in_reply_to,
            &self.message_id,
        ]
        .map(text);
        let lists = [
            &self.from,
            &self.sender,
            &self.reply_to,
            &self.to,
            &self.cc,
            &self.bcc,
        ];
        let lists = lists.into_iter().flatten().map(mailbox);
        texts
            .into_iter()
            .chain(lists)
            .fold(0, usize::saturating_add)
    }
}

impl Envelope<'static> {
    /// Takes the next field of a header; its value may be folded.
    pub(super) fn take(&mut self, name: &[u8], value: &[u8]) {
        let texts: [(&[u8], _); 4] = [
            (b"Date", &mut self.date),
            (b"Subject", &mut self.subject),
            (b"Message-ID", &mut self.message_id),
            (b"In-Reply-To", &mut self.in_reply_to),
        ];
        for (known, to) in texts {
            if name.eq_ignore_ascii_case(known) {
                to.get_or_insert_with(|| unfold(value).into_owned().into());
                return;
            }
        }
        let lists: [(&[u8], _); 6] = [
            (b"From", &mut self.from),
            (b"To", &mut self.to),
            (b"Cc", &mut self.cc),
            (b"Reply-To", &mut self.reply_to),
            (b"Sender", &mut self.sender),
            (b"Bcc", &mut self.bcc),
        ];
        for (known, to) in lists {
            if name.eq_ignore_ascii_case(known) && to.len() < MAILBOXES_MAX {
                mailboxes(&unfold(value), to);
            }
        }
    }
}

fn or<'m, 'a>(own: &'m [Mailbox<'a>], from: &'m [Mailbox<'a>]) -> &'m [Mailbox<'a>] {
    if own.is_empty() { from } else { own }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_a_header() {
        let envelope = Envelope::from_header(
            b"Date: Sat, 21 Nov 2026\r\n 14:53:35 +0000\r\n\
              SUBJECT: one\r\n\
              Subject: two\r\n\
              From: A <a@a.test>\r\n\
              To: b@b.test\r\n\
              To: c@c.test\r\n\
              Message-ID: <1@a.test>\r\n\
              In-Reply-To:\r\n\
              \r\n\
              Cc: body@a.test\r\n",
        );
        let text = |o: &Option<Octets<'_>>| o.as_ref().map(|o| o.text().into_owned());
        assert_eq!(
            text(&envelope.date).unwrap(),
            "Sat, 21 Nov 2026 14:53:35 +0000"
        );
        assert_eq!(text(&envelope.subject).unwrap(), "one");
        assert_eq!(text(&envelope.message_id).unwrap(), "<1@a.test>");
        assert_eq!(text(&envelope.in_reply_to).unwrap(), "");
        assert_eq!(envelope.to.len(), 2);
        assert!(envelope.cc.is_empty() && envelope.sender.is_empty());
        assert_eq!(envelope.sender_or_from(), envelope.from);
        assert_eq!(envelope.reply_to_or_from(), envelope.from);
        assert_eq!(Envelope::from_header(b""), Envelope::default());
    }

    /// What real programs send: name, then address or what stands in its place.
    #[test]
    fn odd_senders() {
        for (value, name, address) in [
            (
                &b"\"=?UTF-8?B?w4l2YQ==?=\" <eva@a.test>"[..],
                "Éva",
                "eva@a.test",
            ),
            (
                b"=?iso-8859-1?Q?=C9va?=\r\n =?iso-8859-1?Q?_B?= <eva@a.test>",
                "Éva B",
                "eva@a.test",
            ),
            (b"\xc9va <eva@a.test>", "Éva", "eva@a.test"),
            (
                b"'eva@a.test' via List <list@b.test>",
                "'eva@a.test' via List",
                "list@b.test",
            ),
            (b"eva@a.test <eva@a.test>", "eva@a.test", "eva@a.test"),
            (b"\"eva@a.test\" <eva@a.test>", "eva@a.test", "eva@a.test"),
            (b"<<eva@a.test>>", "", "eva@a.test"),
            (b"<eva@a.test> (Eva)", "Eva", "eva@a.test"),
            (
                b"root@host.test (Cron Daemon)",
                "Cron Daemon",
                "root@host.test",
            ),
            (b"root (Cron Daemon)", "Cron Daemon", "-"),
            (
                b"MAILER-DAEMON@mx.test (Mail Delivery System)",
                "Mail Delivery System",
                "MAILER-DAEMON@mx.test",
            ),
            (b"Eva B. [Shop] <eva@a.test>", "Eva B. [Shop]", "eva@a.test"),
            (b"Eva: <eva@a.test>", "", "-"),
            (b"\"Eva\\\" <eva@a.test>", "\"Eva\\\"", "eva@a.test"),
            (b"Eva <eva..b@a.test>", "Eva", "\"eva..b\"@a.test"),
            (b"Eva <eva @ a.test>", "Eva", "eva@a.test"),
            (b"Eva <eva@a.test", "Eva", "eva@a.test"),
            (b"Eva <mailto:eva@a.test>", "Eva", "mailtoeva@a.test"),
            (b"/O=ORG/CN=EVA", "", "-"),
            (b"Eva <>", "Eva", "-"),
            (b"\"\" <eva@a.test>", "", "eva@a.test"),
            (
                "Éva <éva@bücher.example>".as_bytes(),
                "Éva",
                "éva@xn--bcher-kva.example",
            ),
            (b"\0Eva <e\0va@a.test>", "Eva", "eva@a.test"),
        ] {
            let block = [b"From: ", value, b"\r\n"].concat();
            let envelope = Envelope::from_header(&block);
            let first = &envelope.from[0];
            let found = first.address().map_or("-".to_owned(), |a| a.to_string());
            let shown = value.escape_ascii();
            assert_eq!(
                (first.display_name().as_str(), found.as_str()),
                (name, address),
                "{shown}"
            );
        }
    }

    #[test]
    fn repeated_fields_have_one_limit() {
        let block = "To: a@b, c@d\r\n".repeat(5_000);
        let envelope = Envelope::from_header(block.as_bytes());
        assert_eq!(envelope.to.len(), MAILBOXES_MAX);
        assert!(envelope.cost() > MAILBOXES_MAX * size_of::<Mailbox<'_>>());
    }
}
