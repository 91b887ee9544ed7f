//! A word with the server through its socket: the few commands of SMTP that one message needs. It is one
//! process with nothing else to do, so it waits for each answer.

use std::{
    fmt,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use crate::{proto::smtp::parameter::Ret, service::spool::Envelope};

/// How long an answer may take; that to a whole message waits for the disk.
const WAIT: Duration = Duration::from_mins(5);
/// Longest answer in octets.
const REPLY_MAX: u64 = 64 * 1024;

#[derive(Debug)]
pub enum Failure {
    /// For now: what was answered.
    Later(String),
    /// Nobody is there, or went away.
    Lost(io::Error),
    /// For good.
    Refused(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Later(reply) | Self::Refused(reply) => f.write_str(reply),
            Self::Lost(error) => write!(f, "the server does not answer ({error})"),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Lost(error)
    }
}

/// Connects to the server's socket.
///
/// # Errors
///
/// Nobody listens there.
pub fn connect(path: &Path) -> io::Result<UnixStream> {
    let socket = crate::appliance::control::connect(path)?;
    socket.set_read_timeout(Some(WAIT))?;
    socket.set_write_timeout(Some(WAIT))?;
    Ok(socket)
}

#[derive(Debug)]
pub struct Talk {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
}

impl Talk {
    /// # Errors
    ///
    /// Nobody is there, or not for us now.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let writer = connect(path)?;
        let mut talk = Self {
            reader: BufReader::new(writer.try_clone()?),
            writer,
        };
        talk.reply()?;
        talk.say("EHLO localhost")?;
        Ok(talk)
    }

    /// Sends one message; returns who was refused for good, while others were not, and what was said.
    ///
    /// # Errors
    ///
    /// Nobody has it.
    pub fn send(
        &mut self,
        envelope: &Envelope,
        message: &[u8],
    ) -> Result<Vec<(String, String)>, Failure> {
        let mut mail = format!("MAIL FROM:{} BODY=8BITMIME", envelope.sender);
        let addresses = envelope.recipients.iter().chain([&envelope.sender]);
        if !addresses.into_iter().all(|address| address.is_ascii()) {
            mail.push_str(" SMTPUTF8");
        }
        match envelope.ret {
            Some(Ret::Full) => mail.push_str(" RET=FULL"),
            Some(Ret::Headers) => mail.push_str(" RET=HDRS"),
            None => {}
        }
        if let Some(envid) = &envelope.envid {
            mail.push_str(" ENVID=");
            mail.push_str(envid);
        }
        self.say(&mail)?;
        let notify = envelope.notify.map_or(String::new(), |notify| {
            let words = [
                ("SUCCESS", notify.success),
                ("FAILURE", notify.failure),
                ("DELAY", notify.delay),
            ];
            let words: Vec<_> = words
                .iter()
                .filter(|word| word.1)
                .map(|word| word.0)
                .collect();
            match words.as_slice() {
                [] => " NOTIFY=NEVER".to_owned(),
                words => format!(" NOTIFY={}", words.join(",")),
            }
        });
        let mut refused = Vec::new();
        for to in &envelope.recipients {
            match self.say(&format!("RCPT TO:{to}{notify}")) {
                Ok(()) => {}
                Err(Failure::Refused(reply)) => refused.push((to.clone(), reply)),
                // All of it waits: who was taken here is taken again.
                Err(failure) => return Err(failure),
            }
        }
        if refused.len() == envelope.recipients.len() {
            let replies: Vec<_> = refused.into_iter().map(|(_, reply)| reply).collect();
            return Err(Failure::Refused(replies.join("; ")));
        }
        self.say("DATA")?;
        self.writer.write_all(&stuffed(message))?;
        self.say(".")?;
        let _bye = self.writer.write_all(b"QUIT\r\n");
        Ok(refused)
    }

    fn say(&mut self, line: &str) -> Result<(), Failure> {
        let line: String = line.chars().filter(|c| !c.is_control()).collect();
        self.writer.write_all(format!("{line}\r\n").as_bytes())?;
        self.reply()
    }

    fn reply(&mut self) -> Result<(), Failure> {
        let mut text = String::new();
        loop {
            let mut line = String::new();
            let room = REPLY_MAX.saturating_sub(text.len() as u64);
            self.reader.by_ref().take(room).read_line(&mut line)?;
            let Some(line) = line.strip_suffix("\r\n") else {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            };
            if text.is_empty() {
                line.clone_into(&mut text);
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                break;
            }
        }
        match text.as_bytes().first() {
            Some(b'2' | b'3') => Ok(()),
            Some(b'5') => Err(Failure::Refused(text)),
            _ => Err(Failure::Later(text)),
        }
    }
}

/// RFC 5321 section 4.5.2.
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len());
    for line in message.split_inclusive(|octet| *octet == b'\n') {
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_doubled() {
        assert_eq!(stuffed(b".\r\na.\r\n..b\r\n"), b"..\r\na.\r\n...b\r\n");
    }
}
