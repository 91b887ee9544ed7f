//! The least client that there can be: lines and octets over a socket, for what no program would do.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use crate::house::PASSWORD;

/// A conversation in clear. Every wait ends after 30 seconds.
pub struct Talk {
    read: BufReader<TcpStream>,
    write: TcpStream,
}

impl Talk {
    pub fn to(port: u16) -> io::Result<Self> {
        Self::over(TcpStream::connect(("127.0.0.1", port))?)
    }

    /// From another address of loopback.
    pub fn between(from: [u8; 4], port: u16) -> io::Result<Self> {
        use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        bind(&socket, &SocketAddr::from((from, 0)))?;
        connect(&socket, &SocketAddr::from(([127, 0, 0, 1], port)))?;
        Self::over(TcpStream::from(socket))
    }

    fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        stream.set_write_timeout(Some(Duration::from_secs(30)))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            read: BufReader::new(stream.try_clone()?),
            write: stream,
        })
    }

    pub fn send(&mut self, octets: impl AsRef<[u8]>) -> io::Result<()> {
        self.write.write_all(octets.as_ref())
    }

    /// A line with its CRLF taken off; an error at the end of the stream.
    pub fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        self.read.read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(String::from_utf8_lossy(&line)
            .trim_end_matches(['\r', '\n'])
            .to_owned())
    }

    pub fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut octets = vec![0; length];
        self.read.read_exact(&mut octets)?;
        Ok(octets)
    }

    /// All that still comes, until the peer closes. A reset counts as the end: the peer may close
    /// while our octets are on their way.
    pub fn rest(&mut self) -> io::Result<String> {
        let mut octets = Vec::new();
        match self.read.read_to_end(&mut octets) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            Err(error) => return Err(error),
        }
        Ok(String::from_utf8_lossy(&octets).into_owned())
    }

    pub fn end_sending(&self) -> io::Result<()> {
        self.write.shutdown(Shutdown::Write)
    }
}

/// SMTP, as far as sending goes.
pub struct Smtp(pub Talk);

impl Smtp {
    pub fn to(port: u16) -> io::Result<Self> {
        Self::over(Talk::to(port)?)
    }

    pub fn over(talk: Talk) -> io::Result<Self> {
        let mut smtp = Self(talk);
        smtp.expect("220")?;
        smtp.command("EHLO away.test", "250")?;
        Ok(smtp)
    }

    /// The whole reply; its lines are parted by newlines.
    pub fn reply(&mut self) -> io::Result<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.0.line()?;
            let last = line.as_bytes().get(3) != Some(&b'-');
            lines.push(line);
            if last {
                return Ok(lines.join("\n"));
            }
        }
    }

    pub fn expect(&mut self, code: &str) -> io::Result<String> {
        let reply = self.reply()?;
        if reply.starts_with(code) {
            Ok(reply)
        } else {
            Err(io::Error::other(reply))
        }
    }

    pub fn command(&mut self, line: &str, code: &str) -> io::Result<String> {
        self.0.send(format!("{line}\r\n"))?;
        self.expect(code)
    }

    /// Envelope and content (dots are doubled here); returns the reply to the end of the content.
    pub fn message(&mut self, to: &str, content: &str) -> io::Result<String> {
        self.command("MAIL FROM:<you@away.test>", "250")?;
        self.command(&format!("RCPT TO:<{to}>"), "250")?;
        self.command("DATA", "354")?;
        let stuffed = content.replace("\r\n.", "\r\n..");
        self.0.send(format!("{stuffed}.\r\n"))?;
        self.reply()
    }
}

/// IMAP, logged in.
pub struct Imap {
    pub talk: Talk,
    number: u32,
}

/// One response line, its literals taken out and put beside it.
#[derive(Debug)]
pub struct Response {
    pub text: String,
    pub literals: Vec<Vec<u8>>,
}

impl Imap {
    pub fn to(port: u16, user: &str) -> io::Result<Self> {
        Self::over(Talk::to(port)?, user)
    }

    pub fn over(mut talk: Talk, user: &str) -> io::Result<Self> {
        let greeting = talk.line()?;
        if !greeting.starts_with("* OK") {
            return Err(io::Error::other(greeting));
        }
        let mut imap = Self { talk, number: 0 };
        imap.ok(&format!("LOGIN {user} {PASSWORD}"))?;
        Ok(imap)
    }

    /// Runs a command; returns its untagged responses and its tagged one.
    pub fn command(&mut self, text: &str) -> io::Result<(Vec<Response>, String)> {
        self.number += 1;
        let tag = format!("t{}", self.number);
        self.talk.send(format!("{tag} {text}\r\n"))?;
        self.finish(&tag)
    }

    /// Appends a message with a literal that needs no waiting; returns the tagged response.
    pub fn append(&mut self, folder: &str, message: &str) -> io::Result<String> {
        self.number += 1;
        let tag = format!("t{}", self.number);
        let length = message.len();
        self.talk.send(format!(
            "{tag} APPEND {folder} {{{length}+}}\r\n{message}\r\n"
        ))?;
        Ok(self.finish(&tag)?.1)
    }

    /// Runs a command that must succeed.
    pub fn ok(&mut self, text: &str) -> io::Result<Vec<Response>> {
        let (responses, tagged) = self.command(text)?;
        if tagged.starts_with("OK") {
            Ok(responses)
        } else {
            Err(io::Error::other(format!("{text}: {tagged}")))
        }
    }

    /// What the search finds.
    pub fn search(&mut self, text: &str) -> io::Result<Vec<u32>> {
        let responses = self.ok(text)?;
        let numbers = responses
            .iter()
            .filter_map(|r| r.text.strip_prefix("* SEARCH"));
        Ok(numbers
            .flat_map(str::split_whitespace)
            .filter_map(|n| n.parse().ok())
            .collect())
    }

    fn finish(&mut self, tag: &str) -> io::Result<(Vec<Response>, String)> {
        let mut responses = Vec::new();
        loop {
            let response = self.response()?;
            if let Some(outcome) = response.text.strip_prefix(&format!("{tag} ")) {
                return Ok((responses, outcome.to_owned()));
            }
            responses.push(response);
        }
    }

    fn response(&mut self) -> io::Result<Response> {
        let (mut text, mut literals) = (String::new(), Vec::new());
        loop {
            let line = self.talk.line()?;
            text.push_str(&line);
            let length = line
                .strip_suffix('}')
                .and_then(|line| line.rsplit_once('{'))
                .and_then(|(_, length)| length.parse().ok());
            let Some(length) = length else {
                return Ok(Response { text, literals });
            };
            literals.push(self.talk.exactly(length)?);
        }
    }
}
