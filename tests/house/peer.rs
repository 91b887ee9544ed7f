//! A mail server elsewhere that does what a test says.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use async_io::Async;
use smol::io::BufReader;
use smol::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, Take};

use super::net::{Net, Place};

/// A command came; `"."` is the end of a message, `""` the connection itself.
#[derive(Clone, Debug)]
pub struct Event {
    /// In upper case: `MAIL`, `RCPT`, …
    pub verb: String,
    /// How often this verb came to this peer, with this time.
    pub times: u32,
    /// In seconds since the start.
    pub now: u64,
}

/// What the peer does.
#[derive(Clone, Debug)]
pub enum Act {
    /// The connection ends without a word.
    Die,
    /// These lines, parted by `|`; all but the last with a hyphen.
    Say(String),
}

#[expect(clippy::unnecessary_wraps, reason = "what a judge returns")]
pub fn say(text: &str) -> Option<Act> {
    Some(Act::Say(text.to_owned()))
}

/// A message that was taken.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Taken {
    pub mail: String,
    pub rcpt: Vec<String>,
    pub text: String,
    /// When, in seconds since the start.
    pub at: u64,
}

type Judge = RefCell<Box<dyn FnMut(&Event) -> Option<Act>>>;

pub struct Peer {
    net: Rc<Net>,
    judge: Judge,
    /// What EHLO offers.
    offers: RefCell<Vec<String>>,
    /// The connection is cut once so many octets have come over it.
    pub cut: Cell<usize>,
    pub taken: RefCell<Vec<Taken>>,
    pub log: RefCell<Vec<String>>,
    pub sessions: Cell<u32>,
    /// At once, and the most of that.
    pub at_once: Cell<(usize, usize)>,
}

impl Peer {
    /// One at these addresses that takes everything but where `judge` says something else.
    pub fn new(
        net: &Rc<Net>,
        addresses: &[&str],
        judge: impl FnMut(&Event) -> Option<Act> + 'static,
    ) -> Rc<Self> {
        let offers = ["PIPELINING", "8BITMIME", "SIZE 0", "ENHANCEDSTATUSCODES"];
        let peer = Rc::new(Self {
            net: net.clone(),
            judge: RefCell::new(Box::new(judge)),
            offers: RefCell::new(offers.map(ToOwned::to_owned).to_vec()),
            cut: Cell::new(usize::MAX),
            taken: RefCell::default(),
            log: RefCell::default(),
            sessions: Cell::new(0),
            at_once: Cell::new((0, 0)),
        });
        for address in addresses {
            let peer = peer.clone();
            let serve = move |stream, from| -> pillarbox::net::world::Local<'static, ()> {
                let peer = peer.clone();
                Box::pin(async move {
                    let (now, most) = peer.at_once.get();
                    peer.at_once.set((now + 1, most.max(now + 1)));
                    let _gone = peer.serve(stream, from).await;
                    let (now, most) = peer.at_once.get();
                    peer.at_once.set((now - 1, most));
                })
            };
            net.place(address, Place::Serve(Rc::new(serve)));
        }
        peer
    }

    /// One that takes everything.
    pub fn kind(net: &Rc<Net>, addresses: &[&str]) -> Rc<Self> {
        Self::new(net, addresses, |_| None)
    }

    pub fn offer(&self, keyword: &str) {
        self.offers.borrow_mut().push(keyword.to_owned());
    }

    pub fn lacks(&self, keyword: &str) {
        self.offers.borrow_mut().retain(|offer| offer != keyword);
    }

    /// Other behaviour from now on.
    pub fn change(&self, judge: impl FnMut(&Event) -> Option<Act> + 'static) {
        *self.judge.borrow_mut() = Box::new(judge);
    }

    pub fn count(&self) -> usize {
        self.taken.borrow().len()
    }

    pub fn last(&self) -> Taken {
        self.taken.borrow().last().cloned().expect("a message")
    }

    fn act(&self, verb: &str, usual: impl FnOnce() -> String) -> Act {
        let times = {
            let mut log = self.log.borrow_mut();
            log.push(verb.to_owned());
            log.iter().filter(|seen| *seen == verb).count()
        };
        let event = Event {
            verb: verb.to_owned(),
            times: u32::try_from(times).unwrap(),
            now: self.net.now() / 1000,
        };
        let act = (self.judge.borrow_mut())(&event);
        act.unwrap_or_else(|| Act::Say(usual()))
    }

    async fn serve(&self, stream: Async<UnixStream>, _: IpAddr) -> std::io::Result<()> {
        self.sessions.set(self.sessions.get() + 1);
        let mut stream = BufReader::new(stream).take(self.cut.get().try_into().unwrap());
        let act = self.act("", || "220 peer.test ESMTP".to_owned());
        if !answer(&mut stream, act).await? {
            return Ok(());
        }
        let mut message = Taken::default();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            if !line.ends_with('\n') {
                return Ok(());
            }
            let line = line.trim_end();
            let verb = line.split([' ', ':']).next().unwrap_or("");
            let verb = verb.to_uppercase();
            let nobody = matches!(verb.as_str(), "DATA") && message.rcpt.is_empty();
            let act = match (
                verb.as_str(),
                nobody || (verb == "RCPT" && message.mail.is_empty()),
            ) {
                (_, true) => Act::Say("554 5.5.1 No valid recipients".to_owned()),
                _ => self.act(&verb, || self.usual(&verb)),
            };
            let fine = matches!(&act, Act::Say(text) if text.starts_with(['2', '3']));
            match verb.as_str() {
                "MAIL" if fine => {
                    message = Taken {
                        mail: line.to_owned(),
                        ..Taken::default()
                    };
                }
                "RCPT" if fine => message.rcpt.push(line.to_owned()),
                _ => {}
            }
            if !answer(&mut stream, act).await? || verb == "QUIT" {
                return Ok(());
            }
            if matches!(verb.as_str(), "RSET" | "EHLO" | "HELO") {
                message = Taken::default();
            }
            if verb == "DATA" && fine {
                message.text = text(&mut stream).await?;
                message.at = self.net.now() / 1000;
                let act = self.act(".", || "250 2.0.0 Ok: queued as PEER".to_owned());
                if matches!(&act, Act::Say(text) if text.starts_with('2')) {
                    self.taken.borrow_mut().push(std::mem::take(&mut message));
                }
                if !answer(&mut stream, act).await? {
                    return Ok(());
                }
            }
        }
    }

    fn usual(&self, verb: &str) -> String {
        match verb {
            "EHLO" => {
                let offers = self.offers.borrow().join("|250 ");
                format!("250 peer.test|250 {offers}")
            }
            "DATA" => "354 Go on".to_owned(),
            "QUIT" => "221 2.0.0 Bye".to_owned(),
            "STARTTLS" => "502 5.5.1 No".to_owned(),
            _ => "250 2.0.0 Ok".to_owned(),
        }
    }
}

/// Whether it goes on.
async fn answer(
    stream: &mut Take<BufReader<Async<UnixStream>>>,
    act: Act,
) -> std::io::Result<bool> {
    match act {
        Act::Die => Ok(false),
        Act::Say(text) => {
            let lines: Vec<_> = text.split('|').collect();
            let mut out = String::new();
            for (at, line) in lines.iter().enumerate() {
                let (code, rest) = line.split_at(3);
                let mark = if at + 1 < lines.len() { "-" } else { " " };
                out.extend([code, mark, rest.trim_start(), "\r\n"]);
            }
            stream.get_mut().get_mut().write_all(out.as_bytes()).await?;
            Ok(!text.starts_with("421"))
        }
    }
}

/// Brings a message to a server, as a stranger does: what it says to each step. Parameters of MAIL may
/// stand behind `<from>`.
pub async fn bring(stream: Async<UnixStream>, from: &str, to: &str, text: &str) -> Vec<String> {
    let mut stream = BufReader::new(stream);
    let mut said = vec![];
    let body = format!("{text}\r\n.");
    let lines = [
        String::new(),
        "EHLO stranger.test".to_owned(),
        if from.starts_with('<') {
            format!("MAIL FROM:{from}")
        } else {
            format!("MAIL FROM:<{from}>")
        },
        format!("RCPT TO:<{to}>"),
        "DATA".to_owned(),
        body,
        "QUIT".to_owned(),
    ];
    for line in lines {
        if !line.is_empty() {
            let line = format!("{line}\r\n");
            let sent = stream.get_mut().write_all(line.as_bytes()).await;
            sent.unwrap();
        }
        let mut reply = String::new();
        loop {
            let mut piece = String::new();
            if stream.read_line(&mut piece).await.unwrap() == 0 {
                return said;
            }
            reply.push_str(&piece);
            if piece.as_bytes().get(3) != Some(&b'-') {
                break;
            }
        }
        let goes_on = reply.starts_with(['2', '3']);
        said.push(reply.trim_end().to_owned());
        if !goes_on {
            return said;
        }
    }
    said
}

async fn text(stream: &mut Take<BufReader<Async<UnixStream>>>) -> std::io::Result<String> {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        if !line.ends_with('\n') {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == ".\r\n" {
            return Ok(text);
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}
