//! Mail that `sendmail` left in the spool folder (LM-5): taken in by the doors of the local listener, as
//! if its writer had come there. What is refused for now waits in the folder; what is refused for good
//! goes back to its writer. The file goes when its message is on the medium.
//!
//! Anybody on the machine may write there, so nothing of a file is believed but what the kernel says of
//! it: whose it is.

use std::{
    cell::RefCell,
    collections::HashMap,
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    rc::Rc,
    time::SystemTime,
};

use rustix::fs::{Mode, OFlags};

use crate::{
    base::time::Instant,
    mail::report::{self, Action, Original, Report},
    net::{
        drive::Service as _,
        world::{Local, World},
    },
    policy::connection::Client,
    proto::smtp::{
        parameter::{Body, MailParameters, Notify, RcptParameters, Ret},
        reply::Reply,
        server::{Answer, Question},
    },
    service::smtp::{Door, Kind, Shared},
};

/// The first line of a file.
pub const MAGIC: &str = "pillarbox spool 1";
/// Files that are looked at in one go; the others wait for the next.
const FILES_MAX: usize = 1000;
/// The folder is looked at this often, in seconds.
const LOOK: u64 = 3;
/// The first pause after a refusal for now, and the longest, in seconds.
const PAUSE: u64 = 60;
const PAUSE_MAX: u64 = 3600;
/// A file that nobody finished goes after so long, in seconds.
const UNFINISHED: u64 = 86_400;
/// Longest line of an envelope, and its most lines.
const LINE_MAX: u64 = 2048;
const LINES_MAX: usize = 1100;
const PIECE: usize = 64 * 1024;

/// What a file says above its message.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Envelope {
    /// Reverse-path with brackets; empty = the writer's own.
    pub sender: String,
    /// With brackets.
    pub recipients: Vec<String>,
    pub notify: Option<Notify>,
    pub ret: Option<Ret>,
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
    fn read(file: &mut BufReader<File>) -> Option<Self> {
        let mut envelope = Self::default();
        for number in 0..LINES_MAX {
            let mut line = String::new();
            file.by_ref().take(LINE_MAX).read_line(&mut line).ok()?;
            let line = line.strip_suffix('\n')?;
            let (word, value) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                _ if number == 0 => (line == MAGIC).then_some(())?,
                "" => return (!envelope.recipients.is_empty()).then_some(envelope),
                "from" => value.clone_into(&mut envelope.sender),
                "to" => envelope.recipients.push(value.to_owned()),
                "notify" => {
                    let has = |word: &str| value.split(',').any(|given| given == word);
                    envelope.notify = Some(Notify {
                        success: has("success"),
                        failure: has("failure"),
                        delay: has("delay"),
                    });
                }
                "ret" if value == "full" => envelope.ret = Some(Ret::Full),
                "ret" => envelope.ret = Some(Ret::Headers),
                "envid" => envelope.envid = Some(value.to_owned()),
                _ => return None,
            }
        }
        None
    }
}

/// What came of a file.
#[derive(Debug)]
enum Outcome {
    /// Its message is taken, but for recipients that were refused for good.
    Taken(Vec<(String, Reply)>),
    Later(String),
}

/// The folder.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    doors: Rc<Shared>,
    world: Rc<dyn World>,
    /// Files that have to wait: until when, and how often they were tried.
    waiting: RefCell<HashMap<String, (Instant, u32)>>,
}

impl Spool {
    #[must_use]
    pub fn new(folder: PathBuf, doors: Rc<Shared>, world: Rc<dyn World>) -> Self {
        Self {
            folder,
            doors,
            world,
            waiting: RefCell::default(),
        }
    }

    /// Takes in what lies there and what comes; never ends by itself.
    #[must_use]
    pub fn run(self: Rc<Self>) -> Local<'static, ()> {
        Box::pin(async move {
            let mut known = None;
            loop {
                let stamp = self
                    .folder
                    .metadata()
                    .and_then(|found| found.modified())
                    .ok();
                if stamp != known || !self.waiting.borrow().is_empty() {
                    known = stamp;
                    if self.round().await {
                        known = None;
                    }
                }
                let world = &self.world;
                world.sleep(world.now().plus_seconds(LOOK)).await;
            }
        })
    }

    /// Looks at the files once; returns whether there are more than that.
    async fn round(&self) -> bool {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return false;
        };
        let mut names: Vec<_> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .take(FILES_MAX)
            .collect();
        let more = names.len() >= FILES_MAX;
        names.sort_unstable();
        self.waiting
            .borrow_mut()
            .retain(|name, _| names.contains(name));
        let now = self.world.now();
        for name in names {
            let waits = self.waiting.borrow().get(&name).copied();
            if waits.is_some_and(|(until, _)| now < until) {
                continue;
            }
            let path = self.folder.join(&name);
            if !is_name(&name) {
                forget_unfinished(&path);
                continue;
            }
            if let Err(reason) = self.take(&path, &name).await {
                let tries = waits.map_or(0, |(_, tries)| tries).saturating_add(1);
                let pause = PAUSE.saturating_mul(1 << tries.min(6)).min(PAUSE_MAX);
                log::warn!("spool: {name} waits: {reason}");
                let until = self.world.now().plus_seconds(pause);
                self.waiting.borrow_mut().insert(name, (until, tries));
            }
        }
        more
    }

    /// One file.
    async fn take(&self, path: &Path, name: &str) -> Result<(), String> {
        let Some((file, uid)) = open(path) else {
            log::warn!("spool: {name} is no file of one writer and goes");
            let _gone = fs::remove_file(path);
            return Ok(());
        };
        let mut file = BufReader::with_capacity(PIECE, file);
        let Some(envelope) = Envelope::read(&mut file) else {
            log::warn!("spool: {name} of uid {uid} is not what sendmail writes, and goes");
            return fs::remove_file(path).map_err(|error| error.to_string());
        };
        let own = writer(uid);
        let trusted = uid == 0 || uid == rustix::process::geteuid().as_raw();
        let sender = if trusted && !envelope.sender.is_empty() {
            envelope.sender.clone()
        } else {
            format!("<{own}>")
        };
        log::info!("spool: {name}: uid={uid} from={sender}");
        match self.send(&envelope, &sender, uid, &mut file).await {
            Outcome::Later(reason) => return Err(reason),
            Outcome::Taken(refused) if refused.is_empty() => {}
            Outcome::Taken(refused) => {
                if sender != "<>" {
                    let back = [sender.as_str(), "<postmaster>"];
                    self.bounce(&envelope, &refused, &back, path).await?;
                }
            }
        }
        fs::remove_file(path).map_err(|error| error.to_string())
    }

    fn door(&self, uid: u32) -> Door {
        let client = Client::new([127, 0, 0, 1].into(), Some("localhost".to_owned()));
        Door::new(Rc::clone(&self.doors), Kind::Local, client, None).owned_by(Some(uid))
    }

    /// Says to a door what a client would.
    async fn send(
        &self,
        envelope: &Envelope,
        sender: &str,
        uid: u32,
        message: &mut BufReader<File>,
    ) -> Outcome {
        let mut door = self.door(uid);
        let utf8 = !sender.is_ascii() || envelope.recipients.iter().any(|to| !to.is_ascii());
        let parameters = MailParameters {
            body: Some(Body::EightBitMime),
            envid: envelope.envid.clone(),
            ret: envelope.ret,
            smtputf8: utf8,
            ..MailParameters::default()
        };
        let all = |reply: &Reply| {
            let to = envelope.recipients.iter();
            Outcome::Taken(to.map(|to| (to.clone(), reply.clone())).collect())
        };
        let mut refused = Vec::new();
        let hello = Question::Hello {
            name: "localhost".to_owned(),
            esmtp: true,
        };
        let from = Question::Sender {
            path: sender.to_owned(),
            parameters,
        };
        for question in [hello, from] {
            match verdict(door.ask(question).await) {
                Ok(()) => {}
                Err(Some(reply)) if reply.is_permanent() => return all(&reply),
                Err(reply) => return Outcome::Later(words(reply.as_ref())),
            }
        }
        for to in &envelope.recipients {
            let parameters = RcptParameters {
                notify: envelope.notify,
                ..RcptParameters::default()
            };
            let path = to.clone();
            match verdict(door.ask(Question::Recipient { path, parameters }).await) {
                Ok(()) => {}
                Err(Some(reply)) if reply.is_permanent() => refused.push((to.clone(), reply)),
                Err(reply) => return Outcome::Later(words(reply.as_ref())),
            }
        }
        if refused.len() == envelope.recipients.len() {
            return Outcome::Taken(refused);
        }
        match verdict(door.ask(Question::Begin).await) {
            Ok(()) => {}
            Err(Some(reply)) if reply.is_permanent() => return all(&reply),
            Err(reply) => return Outcome::Later(words(reply.as_ref())),
        }
        let size = match pour(&mut door, message).await {
            Ok(size) => size,
            Err(error) => return Outcome::Later(error.to_string()),
        };
        match verdict(door.ask(Question::End { size }).await) {
            Ok(()) => Outcome::Taken(refused),
            Err(Some(reply)) if reply.is_permanent() => all(&reply),
            Err(reply) => Outcome::Later(words(reply.as_ref())),
        }
    }

    /// Tells the writer who was refused; where that cannot be told, the postmaster.
    async fn bounce(
        &self,
        envelope: &Envelope,
        refused: &[(String, Reply)],
        back: &[&str],
        path: &Path,
    ) -> Result<(), String> {
        let text = self.report(envelope, refused, back.first().unwrap_or(&"<>"), path);
        let mut reason = String::new();
        for to in back {
            let mut door = self.door(rustix::process::geteuid().as_raw());
            let from = Question::Sender {
                path: "<>".to_owned(),
                parameters: MailParameters::default(),
            };
            let recipient = Question::Recipient {
                path: (*to).to_owned(),
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

    fn report(
        &self,
        envelope: &Envelope,
        refused: &[(String, Reply)],
        sender: &str,
        path: &Path,
    ) -> Vec<u8> {
        let options = self.doors.options();
        let now = self.world.date();
        let recipients: Vec<_> = refused
            .iter()
            .map(|(to, reply)| report::Recipient {
                address: bare(to),
                action: Action::Failed,
                status: status(reply),
                text: format!("{} {}", reply.code, reply.lines.join(" ")),
                ..report::Recipient::default()
            })
            .collect();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        let header = header_of(path);
        let report = Report {
            hostname: &options.hostname,
            to: &bare(sender),
            id: &name,
            envid: envelope.envid.as_deref(),
            arrived: now,
            now,
            message_id: &format!("{name}@{}", options.hostname),
            smtputf8: false,
            recipients: &recipients,
        };
        report::compose(&report, Original::Header(&header))
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

/// The message's octets; they have line ends of CRLF already.
async fn pour(door: &mut Door, message: &mut BufReader<File>) -> io::Result<u64> {
    let mut size = 0_u64;
    loop {
        let piece = message.fill_buf()?.to_vec();
        if piece.is_empty() {
            return Ok(size);
        }
        message.consume(piece.len());
        size = size.saturating_add(piece.len() as u64);
        door.content(piece).await;
    }
}

/// The header block of a file, for a report.
fn header_of(path: &Path) -> Vec<u8> {
    let mut header = Vec::new();
    let Some((file, _)) = open(path) else {
        return header;
    };
    let mut file = BufReader::new(file);
    if Envelope::read(&mut file).is_none() {
        return header;
    }
    let _read = file.take(PIECE as u64).read_to_end(&mut header);
    let end = memchr::memmem::find(&header, b"\r\n\r\n");
    header.truncate(end.map_or(header.len(), |at| at.saturating_add(2)));
    header
}

/// Whether a name is one that `sendmail` gives a file that is whole: 128 bits in hex.
fn is_name(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|octet| octet.is_ascii_hexdigit())
}

/// A plain file with one name, and whose it is.
fn open(path: &Path) -> Option<(File, u32)> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).ok()?);
    let found = file.metadata().ok()?;
    (found.is_file() && found.nlink() == 1).then(|| (file, found.uid()))
}

/// A file that nobody finished, or that is nobody's business here.
#[expect(clippy::disallowed_methods, reason = "files have the machine's time")]
fn forget_unfinished(path: &Path) {
    let age = fs::symlink_metadata(path)
        .and_then(|found| found.modified())
        .ok()
        .and_then(|changed| SystemTime::now().duration_since(changed).ok());
    if age.is_some_and(|age| age.as_secs() > UNFINISHED) {
        let _gone = fs::remove_file(path);
    }
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
            let (file, _) = open(&path).unwrap();
            let mut file = BufReader::new(file);
            let read = Envelope::read(&mut file);
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
            ..envelope
        };
        assert_eq!(read(smuggled.encode()).0.unwrap().recipients.len(), 1);
        for wrong in [
            "",
            "\n",
            "pillarbox spool 1\n\n",
            "pillarbox spool 1\nto <a>",
        ] {
            assert_eq!(read(wrong.to_owned()).0, None, "{wrong:?}");
        }
    }

    #[test]
    fn only_plain_files_with_one_name() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("plain"), "x").unwrap();
        assert!(open(&at("plain")).is_some());
        std::os::unix::fs::symlink(at("plain"), at("link")).unwrap();
        assert!(open(&at("link")).is_none());
        assert!(open(folder.path()).is_none());
        fs::hard_link(at("plain"), at("second")).unwrap();
        assert!(open(&at("plain")).is_none());
        assert!(is_name(&"0a".repeat(16)) && !is_name(&"0a".repeat(15)) && !is_name("x.tmp"));
        let passwd = "root:x:0:0::/root:/bin/sh\nanna:x:1000:1000::/:/bin/sh\n";
        assert_eq!(user_name(passwd, 1000).as_deref(), Some("anna"));
        assert_eq!(user_name(passwd, 7), None);
    }
}
