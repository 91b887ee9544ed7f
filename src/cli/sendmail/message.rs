//! The message on standard input: its end, its line ends, and whom its header names.

use std::io::{self, BufRead, Read as _};

use super::arguments::Arguments;
use crate::mail::{envelope::Envelope, header, path::parse_reverse};

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Message {
    /// With line ends of CRLF, without what `-t` takes out.
    pub octets: Vec<u8>,
    /// Whom the header names, with `-t`.
    pub recipients: Vec<String>,
}

impl Message {
    /// Reads to the end, or to a line with only a dot; `None` if it is longer than `limit` octets.
    ///
    /// # Errors
    ///
    /// Standard input cannot be read.
    pub fn read(
        input: &mut dyn BufRead,
        arguments: &Arguments,
        limit: u64,
    ) -> io::Result<Option<Self>> {
        let mut octets = Vec::new();
        let mut first = true;
        loop {
            let mut line = Vec::new();
            let room = limit.saturating_sub(octets.len() as u64).saturating_add(2);
            if (&mut *input).take(room).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            while let [text @ .., b'\n' | b'\r'] = line.as_slice() {
                line.truncate(text.len());
            }
            if line == b"." && !arguments.dots {
                break;
            }
            // As mbox files have it.
            if !(first && line.starts_with(b"From ")) {
                // A CR alone is no line end anywhere else.
                octets.extend(line.iter().map(|o| if *o == b'\r' { b' ' } else { *o }));
                octets.extend_from_slice(b"\r\n");
            }
            first = false;
            if octets.len() as u64 > limit {
                return Ok(None);
            }
        }
        let mut message = Self {
            octets,
            recipients: Vec::new(),
        };
        message.look(arguments);
        Ok(Some(message))
    }

    fn look(&mut self, arguments: &Arguments) {
        let end = memchr::memmem::find(&self.octets, b"\r\n\r\n");
        let end = end.map_or(self.octets.len(), |at| at.saturating_add(2));
        let (block, body) = self
            .octets
            .split_at_checked(end)
            .unwrap_or((&self.octets, &[]));
        let mut head = Vec::with_capacity(block.len());
        let mut from = false;
        if arguments.from_header {
            self.recipients = named(block);
        }
        let mut at = 0;
        for field in header::fields(block) {
            from |= field.is("From");
            if arguments.from_header && (field.is("Bcc") || field.is("Resent-Bcc")) {
                head.extend_from_slice(block.get(at..field.whole.start).unwrap_or_default());
                at = field.whole.end;
            }
        }
        head.extend_from_slice(block.get(at..).unwrap_or_default());
        if !from
            && let Some(name) = &arguments.full_name
            && let Some(sender) = &arguments.sender
            && parse_reverse(&format!("<{sender}>")).is_ok_and(|path| path.address().is_some())
        {
            let name: String = name
                .chars()
                .filter(|c| !c.is_control() && !"\"\\".contains(*c))
                .collect();
            let line = format!("From: \"{name}\" <{sender}>\r\n");
            head.splice(..0, line.into_bytes());
        }
        head.extend_from_slice(body);
        self.octets = head;
    }
}

/// To, Cc and Bcc; of a message that is sent on, those of `Resent-…`.
fn named(block: &[u8]) -> Vec<String> {
    let resent = header::fields(block).any(|field| {
        let start = field.name.get(..7);
        start.is_some_and(|start| start.eq_ignore_ascii_case(b"Resent-"))
    });
    let names = if resent {
        ["Resent-To", "Resent-Cc", "Resent-Bcc"]
    } else {
        ["To", "Cc", "Bcc"]
    };
    let mut found = Vec::new();
    for field in header::fields(block) {
        if !names.iter().any(|name| field.is(name)) {
            continue;
        }
        // One reader for all address lists: it looks at `To:`.
        let value = header::unfold(field.value);
        let line = [b"To: ", value.as_ref(), b"\r\n\r\n"].concat();
        for mailbox in &Envelope::from_header(&line).to {
            let local = mailbox
                .local
                .as_ref()
                .map(|local| local.text().into_owned());
            match (mailbox.address(), local, &mailbox.host) {
                (Some(address), ..) => found.push(address.to_string()),
                (None, Some(local), Some(host)) if host.is_empty() && !local.is_empty() => {
                    found.push(local);
                }
                _ => {}
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, arguments: &Arguments) -> Message {
        Message::read(&mut text.as_bytes(), arguments, 10_000)
            .unwrap()
            .unwrap()
    }

    #[test]
    fn where_a_message_ends() {
        let plain = Arguments::default();
        let dots = Arguments {
            dots: true,
            ..Arguments::default()
        };
        let text = "From root Sat\nSubject: x\n\na\r\n.\n..b\nc\rd";
        assert_eq!(read(text, &plain).octets, b"Subject: x\r\n\r\na\r\n");
        assert_eq!(
            read(text, &dots).octets,
            b"Subject: x\r\n\r\na\r\n.\r\n..b\r\nc d\r\n"
        );
        assert!(
            Message::read(&mut &b"too long"[..], &plain, 5)
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn whom_a_header_names() {
        let t = Arguments {
            from_header: true,
            ..Arguments::default()
        };
        let text = "To: root, \"A, B\" <a@home.test>,\n\tfriends: b@home.test, c@home.test;\nBcc:\n d@home.test\nCc: (x) e@home.test\nSubject: Bcc: x\n\nBcc: f@home.test\n";
        let message = read(text, &t);
        let want = [
            "root",
            "a@home.test",
            "b@home.test",
            "c@home.test",
            "d@home.test",
            "e@home.test",
        ];
        assert_eq!(message.recipients, want);
        let octets = String::from_utf8(message.octets).unwrap();
        assert!(
            !octets.contains("d@home.test") && octets.contains("Bcc: f@home.test"),
            "{octets}"
        );
        let resent = read("To: a@home.test\nResent-To: b@home.test\n\nx\n", &t);
        assert_eq!(resent.recipients, ["b@home.test"]);
        let without = read("Bcc: a@home.test\n\n", &Arguments::default());
        assert!(without.octets.starts_with(b"Bcc: ") && without.recipients.is_empty());
    }

    #[test]
    fn a_name_for_a_message_without_an_author() {
        let arguments = Arguments {
            full_name: Some("Cron \"x\" Daemon".to_owned()),
            sender: Some("root@home.test".to_owned()),
            ..Arguments::default()
        };
        let message = read("Subject: x\n\ny\n", &arguments);
        let start = b"From: \"Cron x Daemon\" <root@home.test>\r\nSubject: x\r\n";
        assert!(message.octets.starts_with(start));
        let message = read("From: a@b.test\n\ny\n", &arguments);
        assert!(message.octets.starts_with(b"From: a@b.test\r\n"));
    }
}
