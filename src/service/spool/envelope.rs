//! What a file says above its message.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _},
};

use crate::proto::smtp::parameter::{Notify, Ret, is_envid};

/// The first line of a file.
pub const MAGIC: &str = "pillarbox spool 1";
/// Longest line, and most lines.
const LINE_MAX: u64 = 2048;
const LINES_MAX: usize = 1100;
/// Recipients that `sendmail` writes into one file, and their longest in octets.
pub const RECIPIENTS_MAX: usize = 100;
pub const ADDRESS_MAX: usize = 1000;
/// Longest of what is above the message, in octets.
pub const ENVELOPE_MAX: u64 = LINE_MAX * LINES_MAX as u64;

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Envelope {
    /// Reverse-path with brackets; empty = the writer's own.
    pub sender: String,
    /// With brackets.
    pub recipients: Vec<String>,
    pub notify: Option<Notify>,
    pub ret: Option<Ret>,
    /// In xtext (RFC 3461 section 4), as SMTP has it.
    pub envid: Option<String>,
}

impl Envelope {
    /// The lines above the message, the empty one included.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut out = format!("{MAGIC}\n");
        let mut line = |word: &str, value: &str| {
            let value: String = value.chars().filter(|c| !c.is_control()).collect();
            out.push_str(&[word, " ", &value, "\n"].concat());
        };
        line("from", &self.sender);
        for recipient in &self.recipients {
            line("to", recipient);
        }
        if let Some(notify) = &self.notify {
            let words = [
                ("success", notify.success),
                ("failure", notify.failure),
                ("delay", notify.delay),
            ];
            let words: Vec<_> = words.iter().filter(|w| w.1).map(|w| w.0).collect();
            line("notify", &words.join(","));
        }
        match self.ret {
            Some(Ret::Full) => line("ret", "full"),
            Some(Ret::Headers) => line("ret", "hdrs"),
            None => {}
        }
        if let Some(envid) = &self.envid {
            line("envid", envid);
        }
        out.push('\n');
        out
    }

    /// Reads them; `None` if they are not what [`Envelope::encode`] writes.
    ///
    /// # Errors
    ///
    /// The file cannot be read now.
    pub fn read(file: &mut BufReader<File>) -> io::Result<Option<Self>> {
        let mut envelope = Self::default();
        for number in 0..LINES_MAX {
            let mut line = Vec::new();
            file.by_ref().take(LINE_MAX).read_until(b'\n', &mut line)?;
            let line = line.strip_suffix(b"\n").map(std::str::from_utf8);
            let Some(Ok(line)) = line else {
                return Ok(None);
            };
            if number == 0 {
                if line != MAGIC {
                    return Ok(None);
                }
                continue;
            }
            if line.is_empty() {
                return Ok((!envelope.recipients.is_empty()).then_some(envelope));
            }
            if !envelope.line(line) {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// Takes a line; whether it is one.
    fn line(&mut self, line: &str) -> bool {
        let (word, value) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "from" => value.clone_into(&mut self.sender),
            "to" => self.recipients.push(value.to_owned()),
            "notify" => {
                let has = |word: &str| value.split(',').any(|given| given == word);
                self.notify = Some(Notify {
                    success: has("success"),
                    failure: has("failure"),
                    delay: has("delay"),
                });
            }
            "ret" if value == "full" => self.ret = Some(Ret::Full),
            "ret" => self.ret = Some(Ret::Headers),
            // Anybody writes files here; this one goes out as it stands.
            "envid" => self.envid = is_envid(value).then(|| value.to_owned()),
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn an_envelope_and_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let envelope = Envelope {
            sender: "<root>".to_owned(),
            recipients: vec!["<a@home.test>".to_owned(), "<root>".to_owned()],
            notify: Some(Notify {
                success: false,
                failure: true,
                delay: true,
            }),
            ret: Some(Ret::Headers),
            envid: Some("x+2By".to_owned()),
        };
        let read = |text: String| {
            fs::write(&path, text).unwrap();
            let mut file = BufReader::new(File::open(&path).unwrap());
            let read = Envelope::read(&mut file).unwrap();
            let mut rest = String::new();
            file.read_to_string(&mut rest).unwrap();
            (read, rest)
        };
        let text = envelope.encode() + "Subject: x\r\n\r\nto <evil@away.test>\r\n";
        let (got, rest) = read(text);
        assert_eq!(got, Some(envelope.clone()));
        assert!(rest.starts_with("Subject: x\r\n"));
        let smuggled = Envelope {
            recipients: vec!["<a@home.test>\nto <b@away.test>".to_owned()],
            ..envelope.clone()
        };
        assert_eq!(read(smuggled.encode()).0.unwrap().recipients.len(), 1);
        for envid in ["x REQUIRETLS", "a=b", "+2b"] {
            let envid = Some(envid.to_owned());
            let wrong = Envelope {
                envid,
                ..envelope.clone()
            };
            assert_eq!(read(wrong.encode()).0.unwrap().envid, None, "not in xtext");
        }
        for wrong in [
            "",
            "\n",
            "pillarbox spool 1\n\n",
            "pillarbox spool 1\nto <a>",
            "pillarbox spool 2\nto <a>\n\n",
        ] {
            assert_eq!(read(wrong.to_owned()).0, None, "{wrong:?}");
        }
    }
}
