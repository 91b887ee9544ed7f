//! Mail that `sendmail` left in the spool folder (LM-5): taken in by the doors of the local listener, as
//! if its writer had come there. What is refused for now waits in the folder, for those who do not have it
//! yet; what is refused for good goes back to its writer, and so does what waits for longer than
//! `queue.give_up`. The file goes when all of its recipients are seen to.
//!
//! Anybody on the machine may write there, so nothing of a file is believed but what the kernel says of
//! it: whose it is.

mod envelope;
mod folder;

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    fs::{self, File},
    io::{self, BufReader, Read as _, Seek as _, SeekFrom},
    path::PathBuf,
    rc::Rc,
};

use self::{
    envelope::ENVELOPE_MAX,
    folder::{Opened, Unopened},
};
pub use self::{
    envelope::{ADDRESS_MAX, Envelope, MAGIC, RECIPIENTS_MAX},
    folder::{Lies, lies},
};
use crate::{
    base::time::Instant,
    mail::report::{self, Action, Original, Report},
    net::{
        drive::Service as _,
        world::{Local, World},
    },
    policy::connection::Client,
    proto::smtp::{
        content::{Fault, Framing, Text},
        parameter::{Body, MailParameters, RcptParameters},
        reply::Reply,
        server::{Answer, Question},
    },
    service::smtp::{Door, Kind, Shared},
};

/// Files that are looked at in one go; the others have their turn after them.
const FILES_MAX: usize = 1000;
/// Files that are remembered as having to wait; others are tried in each turn.
const WAITING_MAX: usize = 10_000;
/// The folder is looked at this often, in seconds.
const LOOK: u64 = 3;
/// The first pause after a refusal for now, and the longest, in seconds.
const PAUSE: u64 = 60;
const PAUSE_MAX: u64 = 3600;
const PIECE: usize = 64 * 1024;

/// A file that has to wait.
#[derive(Clone, Debug)]
struct Waits {
    until: Instant,
    tries: u32,
    /// Recipients that need nothing more, where that could not be written beside it.
    done: BTreeSet<usize>,
}

/// What came of some recipients, by their place in the envelope.
#[derive(Debug, Default)]
struct Sent {
    taken: BTreeSet<usize>,
    /// For good.
    refused: Vec<(usize, Reply)>,
    /// Why the others wait.
    later: Option<String>,
}

/// A file in hand.
#[derive(Debug)]
struct Message {
    path: PathBuf,
    name: String,
    uid: u32,
    /// In octets, with what is above the message.
    size: u64,
    /// In seconds.
    age: u64,
    envelope: Envelope,
    /// With brackets.
    sender: String,
    file: File,
    /// Where the message begins.
    begins: u64,
}

/// The folder.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    doors: Rc<Shared>,
    world: Rc<dyn World>,
    waiting: RefCell<HashMap<String, Waits>>,
    /// Where the last turn ended, if it did not see all files.
    after: RefCell<String>,
}

impl Spool {
    #[must_use]
    pub fn new(folder: PathBuf, doors: Rc<Shared>, world: Rc<dyn World>) -> Self {
        Self {
            folder,
            doors,
            world,
            waiting: RefCell::default(),
            after: RefCell::default(),
        }
    }

    /// Takes in what lies there and what comes; never ends by itself.
    #[must_use]
    pub fn run(self: Rc<Self>) -> Local<'static, ()> {
        Box::pin(async move {
            let mut known = None;
            loop {
                let now = self.world.now();
                let due = self
                    .waiting
                    .borrow()
                    .values()
                    .any(|waits| waits.until <= now);
                let stamp = folder::stamp(&self.folder);
                if due || stamp.is_none() || stamp != known {
                    // Of a folder that just changed nobody knows whether it changes again unseen.
                    known = if self.round().await { None } else { stamp };
                }
                let world = &self.world;
                world.sleep(world.now().plus_seconds(LOOK)).await;
            }
        })
    }

    /// Looks at the files once; returns whether there may be more to do at once.
    async fn round(&self) -> bool {
        let now = self.world.now();
        let long_ago = |waits: &Waits| now >= waits.until.plus_seconds(PAUSE_MAX);
        self.waiting
            .borrow_mut()
            .retain(|_, waits| !long_ago(waits));
        let resting: BTreeSet<String> = {
            let waiting = self.waiting.borrow();
            let resting = waiting.iter().filter(|(_, waits)| now < waits.until);
            resting.map(|(name, _)| name.clone()).collect()
        };
        let (path, after) = (self.folder.clone(), self.after.borrow().clone());
        let listed = blocking::unblock(move || {
            folder::list(&path, &after, FILES_MAX, |name| resting.contains(name))
        });
        let Ok(names) = listed.await else {
            return true;
        };
        let some = !names.is_empty() || !self.after.borrow().is_empty();
        *self.after.borrow_mut() = match names.last() {
            Some(last) if names.len() >= FILES_MAX => last.clone(),
            _ => String::new(),
        };
        for name in names {
            let waits = self.waiting.borrow().get(&name).cloned();
            let (tries, mut done) = waits.map_or_else(Default::default, |w| (w.tries, w.done));
            let taken = self.take(&name, tries, &mut done).await;
            let mut waiting = self.waiting.borrow_mut();
            match taken {
                Ok(()) => {
                    waiting.remove(&name);
                }
                Err(reason) => {
                    log::warn!("spool: {name} waits: {reason}");
                    let tries = tries.saturating_add(1);
                    let pause = PAUSE.saturating_mul(1 << tries.min(6)).min(PAUSE_MAX);
                    let until = self.world.now().plus_seconds(pause);
                    // Whoever has it must not get it again, so that is never left out.
                    if waiting.len() < WAITING_MAX || !done.is_empty() {
                        waiting.insert(name, Waits { until, tries, done });
                    }
                }
            }
        }
        some
    }

    /// One file. `done`: its recipients that need nothing more.
    async fn take(&self, name: &str, tries: u32, done: &mut BTreeSet<usize>) -> Result<(), String> {
        let path = self.folder.join(name);
        let opened = match folder::open(&path) {
            Ok(opened) => opened,
            Err(Unopened::Gone) => return Ok(()),
            Err(Unopened::Foreign) => {
                log::warn!("spool: {name} is no file of one writer and goes");
                return fs::remove_file(&path)
                    .or_else(|_| fs::remove_dir(&path))
                    .map_err(|error| error.to_string());
            }
            Err(Unopened::Later(error)) => return Err(error.to_string()),
        };
        let Some(mut message) = read(opened, path, name).map_err(|error| error.to_string())? else {
            log::error!("spool: {name} is not what sendmail writes; it is put aside");
            return folder::aside(&self.folder.join(name)).map_err(|error| error.to_string());
        };
        done.extend(folder::done(&message.path));
        let count = message.envelope.recipients.len();
        let mut later = None;
        let left: Vec<_> = (0..count).filter(|place| !done.contains(place)).collect();
        let mut refused = Vec::new();
        for places in left.chunks(RECIPIENTS_MAX) {
            let sent = self.send(&mut message, places).await;
            done.extend(&sent.taken);
            refused.extend(sent.refused);
            later = sent.later.or(later);
            if !sent.taken.is_empty() && done.len() < count {
                self.keep(&message, done);
            }
        }
        if !refused.is_empty() {
            match self.tell(&mut message, &refused).await {
                Ok(()) => {
                    done.extend(refused.iter().map(|(place, _)| *place));
                    if done.len() < count {
                        self.keep(&message, done);
                    }
                }
                Err(reason) => later = Some(reason),
            }
        }
        if done.len() < count {
            let reason = later.unwrap_or_else(|| words(None));
            // After a long time without a server, one refusal is not the last word.
            if tries == 0 || message.age < self.doors.options().give_up {
                return Err(reason);
            }
            self.give_up(&mut message, done, &reason).await?;
            return Ok(());
        }
        folder::remove(&message.path).map_err(|error| error.to_string())
    }

    fn keep(&self, message: &Message, done: &BTreeSet<usize>) {
        if let Err(error) = folder::keep_done(&message.path, done) {
            // It is known until the next start.
            let path = self.folder.display();
            log::error!("spool: {path}: who has {} already: {error}", message.name);
        }
    }

    /// It waited long enough: its writer is told, or the file stays for people to look at.
    async fn give_up(
        &self,
        message: &mut Message,
        done: &BTreeSet<usize>,
        reason: &str,
    ) -> Result<(), String> {
        let reply = Reply::new(554, ["4.4.7 delivery time expired: ", reason].concat());
        let left = (0..message.envelope.recipients.len()).filter(|place| !done.contains(place));
        let failed: Vec<_> = left.map(|place| (place, reply.clone())).collect();
        log::warn!("spool: {} is given up: {reason}", message.name);
        match self.tell(message, &failed).await {
            Ok(()) => folder::remove(&message.path),
            Err(untold) => {
                log::error!("spool: {} is put aside: {untold}", message.name);
                folder::aside(&message.path)
            }
        }
        .map_err(|error| error.to_string())
    }

    fn door(&self) -> Door {
        let client = Client::new([127, 0, 0, 1].into(), Some("localhost".to_owned()));
        Door::new(Rc::clone(&self.doors), Kind::Local, client, None)
    }

    /// Says to a door what a client would, for the recipients at some places.
    async fn send(&self, message: &mut Message, places: &[usize]) -> Sent {
        let mut door = self.door().owned_by(Some(message.uid));
        let envelope = &message.envelope;
        let to = |place: &usize| envelope.recipients.get(*place).cloned().unwrap_or_default();
        let utf8 = !message.sender.is_ascii() || places.iter().any(|place| !to(place).is_ascii());
        let parameters = MailParameters {
            body: Some(Body::EightBitMime),
            envid: envelope.envid.clone(),
            ret: envelope.ret,
            smtputf8: utf8,
            ..MailParameters::default()
        };
        let hello = Question::Hello {
            name: "localhost".to_owned(),
            esmtp: true,
        };
        let from = Question::Sender {
            path: message.sender.clone(),
            parameters,
        };
        for question in [hello, from] {
            if let Err(reply) = verdict(door.ask(question).await) {
                return Sent::none(places, reply);
            }
        }
        let (mut sent, mut taken) = (Sent::default(), Vec::new());
        for place in places {
            let parameters = RcptParameters {
                notify: envelope.notify,
                ..RcptParameters::default()
            };
            let path = to(place);
            match verdict(door.ask(Question::Recipient { path, parameters }).await) {
                Ok(()) => taken.push(*place),
                Err(Some(reply)) if reply.is_permanent() => sent.refused.push((*place, reply)),
                // The others get it now.
                Err(reply) => sent.later = Some(words(reply.as_ref())),
            }
        }
        if taken.is_empty() {
            return sent;
        }
        let said = match verdict(door.ask(Question::Begin).await) {
            Ok(()) => self.content(&mut door, message).await,
            Err(reply) => Err(reply),
        };
        match said {
            Ok(()) => sent.taken.extend(taken),
            Err(reply) => {
                let none = Sent::none(&taken, reply);
                sent.refused.extend(none.refused);
                sent.later = none.later.or(sent.later);
            }
        }
        sent
    }

    /// The message, through what checks line ends and size of a client's.
    async fn content(&self, door: &mut Door, message: &mut Message) -> Result<(), Option<Reply>> {
        let limit = self.doors.options().message_size;
        let too_big = || Reply::new(552, "5.3.4 Error: message file too big");
        if limit > 0 && message.size > limit.saturating_add(ENVELOPE_MAX) {
            return Err(Some(too_big()));
        }
        let broken = |error: io::Error| Reply::new(451, ["4.3.0 ", &error.to_string()].concat());
        let mut file = message.file.try_clone().map_err(|e| Some(broken(e)))?;
        let begins = SeekFrom::Start(message.begins);
        file.seek(begins).map_err(|error| Some(broken(error)))?;
        let mut text = Text::new(Framing::Counted, true);
        let bare = |fault| {
            let name = if fault == Fault::BareCr { "CR" } else { "LF" };
            Some(Reply::new(
                550,
                ["5.5.2 Error: bare <", name, "> received"].concat(),
            ))
        };
        loop {
            let read = blocking::unblock(move || {
                let mut piece = Vec::with_capacity(PIECE);
                let got = file.by_ref().take(PIECE as u64).read_to_end(&mut piece);
                got.map(|_| (piece, file))
            });
            let piece;
            (piece, file) = read.await.map_err(|error| Some(broken(error)))?;
            let mut out = Vec::with_capacity(piece.len());
            if piece.is_empty() {
                text.finish(&mut out).map_err(bare)?;
            } else {
                text.take(&piece, &mut out).map_err(bare)?;
            }
            if limit > 0 && text.size() > limit {
                return Err(Some(too_big()));
            }
            door.content(out).await;
            if piece.is_empty() {
                break;
            }
        }
        let size = text.size();
        verdict(door.ask(Question::End { size }).await)
    }

    /// Tells the writer who does not get it; where that cannot be told, the postmaster.
    async fn tell(&self, message: &mut Message, failed: &[(usize, Reply)]) -> Result<(), String> {
        if message.sender == "<>" {
            log::warn!("spool: {} has no sender who could be told", message.name);
            return Ok(());
        }
        let text = self.report(message, failed);
        let mut reason = String::new();
        for to in [message.sender.as_str(), "<postmaster>"] {
            let mut door = self.door().of_ours();
            let from = Question::Sender {
                path: "<>".to_owned(),
                parameters: MailParameters::default(),
            };
            let recipient = Question::Recipient {
                path: to.to_owned(),
                parameters: RcptParameters::default(),
            };
            let mut said = Ok(());
            for question in [from, recipient, Question::Begin] {
                if said.is_ok() {
                    said = verdict(door.ask(question).await);
                }
            }
            if said.is_ok() {
                let size = text.len() as u64;
                door.content(text.clone()).await;
                said = verdict(door.ask(Question::End { size }).await);
            }
            match said {
                Ok(()) => return Ok(()),
                Err(reply) => reason = words(reply.as_ref()),
            }
        }
        Err(format!("it cannot go back: {reason}"))
    }

    fn report(&self, message: &mut Message, failed: &[(usize, Reply)]) -> Vec<u8> {
        let options = self.doors.options();
        let now = self.world.date();
        let recipients = &message.envelope.recipients;
        let recipients: Vec<_> = failed
            .iter()
            .map(|(place, reply)| report::Recipient {
                address: recipients
                    .get(*place)
                    .map_or_else(String::new, |to| bare(to)),
                action: Action::Failed,
                status: status(reply),
                text: words(Some(reply)),
                ..report::Recipient::default()
            })
            .collect();
        let header = message.header();
        let report = Report {
            hostname: &options.hostname,
            to: &bare(&message.sender),
            id: &message.name,
            envid: message.envelope.envid.as_deref(),
            arrived: now,
            now,
            message_id: &format!("{}@{}", message.name, options.hostname),
            smtputf8: false,
            recipients: &recipients,
        };
        report::compose(&report, Original::Header(&header))
    }
}

impl Sent {
    /// The whole message was refused.
    fn none(places: &[usize], reply: Option<Reply>) -> Self {
        match reply {
            Some(reply) if reply.is_permanent() => Self {
                refused: places.iter().map(|place| (*place, reply.clone())).collect(),
                ..Self::default()
            },
            reply => Self {
                later: Some(words(reply.as_ref())),
                ..Self::default()
            },
        }
    }
}

/// What stands above a message; `None`: nobody here understands it.
fn read(opened: Opened, path: PathBuf, name: &str) -> io::Result<Option<Message>> {
    let Opened {
        file,
        uid,
        size,
        age,
    } = opened;
    let mut reader = BufReader::new(file);
    let Some(envelope) = Envelope::read(&mut reader)? else {
        return Ok(None);
    };
    let begins = reader.stream_position()?;
    let trusted = uid == 0 || uid == rustix::process::geteuid().as_raw();
    let sender = if trusted && !envelope.sender.is_empty() {
        envelope.sender.clone()
    } else {
        format!("<{}>", writer(uid))
    };
    log::info!("spool: {name}: uid={uid} from={sender}");
    Ok(Some(Message {
        path,
        name: name.to_owned(),
        uid,
        size,
        age,
        envelope,
        sender,
        file: reader.into_inner(),
        begins,
    }))
}

impl Message {
    /// The header block, for a report; what of it can be read.
    fn header(&mut self) -> Vec<u8> {
        let mut raw = Vec::new();
        if self.file.seek(SeekFrom::Start(self.begins)).is_ok() {
            let _part = self.file.by_ref().take(PIECE as u64).read_to_end(&mut raw);
        }
        let mut header = Vec::new();
        let _as_far = Text::new(Framing::Counted, true).take(&raw, &mut header);
        let end = memchr::memmem::find(&header, b"\r\n\r\n");
        header.truncate(end.map_or(header.len(), |at| at.saturating_add(2)));
        header
    }
}

/// `None`: yes. Nobody can tell: no reply.
fn verdict(answer: Answer) -> Result<(), Option<Reply>> {
    match answer {
        Answer::Reply(reply) if reply.is_positive() => Ok(()),
        Answer::Reply(reply) => Err(Some(reply)),
        Answer::Auth(_) | Answer::Hang => Err(None),
    }
}

fn words(reply: Option<&Reply>) -> String {
    reply.map_or_else(
        || "nobody can tell how it went".to_owned(),
        |reply| format!("{} {}", reply.code, reply.lines.join(" ")),
    )
}

fn status(reply: &Reply) -> String {
    let first = reply.lines.first().map_or("", String::as_str);
    let word = first.split(' ').next().unwrap_or_default();
    let is_status =
        word.split('.').count() == 3 && word.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if is_status { word } else { "5.0.0" }.to_owned()
}

fn bare(path: &str) -> String {
    let inner = path
        .strip_prefix('<')
        .and_then(|rest| rest.strip_suffix('>'));
    inner.unwrap_or(path).to_owned()
}

/// The name of a system user.
fn writer(uid: u32) -> String {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    user_name(&passwd, uid).unwrap_or_else(|| format!("uid-{uid}"))
}

/// The name that `passwd` has for a number.
#[must_use]
pub fn user_name(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_users() {
        let passwd = "root:x:0:0::/root:/bin/sh\nanna:x:1000:1000::/:/bin/sh\n";
        assert_eq!(user_name(passwd, 1000).as_deref(), Some("anna"));
        assert_eq!(user_name(passwd, 7), None);
    }
}
