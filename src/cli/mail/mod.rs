//! `mail`: copies of people's mail, and what became of a message.

mod lines;
mod maildir;
mod mbox;

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{
    cli::{
        Global, Stop, Terminal,
        line::Line,
        look, reach, shown,
        table::{Argument, Command, JSON, Opt, READ, Value},
    },
    service::operate::{Call, Kind, Problem, Reply, Request, mail, trace},
    store::mailbox::INBOX,
};

use maildir::Maildir;
use mbox::Mbox;

pub(super) const NOUN: Command = Command::noun(
    "mail",
    "Copies of people's mail, and what became of a message",
    &[
        Command::verb(
            "export",
            "Write a person's mail, or one folder of it, to files that other programs read",
            export,
        )
        .takes(&[Argument::one(
            "ADDRESS[/FOLDER]",
            "Whose mail; with a folder, only what is in that one",
        )])
        .with(&[MAILDIR, MBOX, JSON])
        .more(
            "Examples:
  pillarbox mail export anna@example.org --maildir ./anna
  pillarbox mail export anna@example.org/Sent --mbox sent.mbox

Nothing that is there already is written over. Maildir keeps the flags in the names, folders as in
Maildir++ (.Sent); mbox is of the kind mboxrd, with flags in Status, X-Status and X-Keywords.",
        ),
        Command::verb(
            "trace",
            "What became of a message: of all to or from an address, or of the one with this ID",
            trace,
        )
        .takes(&[Argument::one(
            "ADDRESS|ID",
            "An address, or the name of a message (\"queued as ID\")",
        )])
        .with(READ)
        .more(
            "It looks through the log that the box keeps in memory (limit.log_ring) and through the queue.
Exit code 1 if there is nothing.",
        ),
    ],
);

const MAILDIR: Opt = Opt::value("maildir", "DIR", Value::Path, "A new folder, as a Maildir");
const MBOX: Opt = Opt::value("mbox", "FILE", Value::Path, "A new file, as an mbox");

fn export(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let path = |option: &str| line.path_of(option);
    let target = match (path("maildir"), path("mbox")) {
        (Some(path), None) => Target::Maildir(path),
        (None, Some(path)) => Target::Mbox(path),
        _ => return Err(usage("give either --maildir DIR or --mbox FILE")),
    };
    let whose = line.text(0);
    let one = whose.find('@').is_some_and(|at| {
        let domain = whose.get(at..).unwrap_or_default();
        domain.contains('/')
    });
    let first = call(mail::Request::Folders { whose });
    let (quiet, json) = (global.quiet, line.json());
    reach::converse(terminal, global, &first, &mut |terminal, reply, ask| {
        let Reply::Folders(folders) = reply else {
            return Err(strange());
        };
        let path = target.path().to_owned();
        let failed = |error: io::Error| unwritten(&path, &error);
        let mut files = Files::new(&target, one).map_err(failed)?;
        let mut told = Told::default();
        for folder in &folders {
            files.begin(folder).map_err(failed)?;
            told.folders = told.folders.saturating_add(1);
            copy(folder, ask, &mut |part| {
                if part.damaged {
                    let (uid, name) = (part.uid, shown(&folder.name));
                    let text = format!("pillarbox: message {uid} of {name} is damaged");
                    terminal.complain(&text);
                    told.damaged = told.damaged.saturating_add(1);
                }
                told.messages = told.messages.saturating_add(u64::from(part.is_last()));
                files.part(part).map_err(failed)
            })?;
        }
        files.end().map_err(failed)?;
        if json {
            terminal.line(&serde_json::json!(told).to_string());
        } else if !quiet {
            terminal.line(&format!(
                "wrote {} messages of {} folders to {}",
                told.messages,
                told.folders,
                path.display()
            ));
        }
        Ok(u8::from(told.damaged > 0))
    })
}

/// What was written.
#[derive(Default, Serialize)]
struct Told {
    folders: u64,
    messages: u64,
    /// Of these, some octets could not be read.
    damaged: u64,
}

/// Asks for a folder's messages, a part at a time.
fn copy(
    folder: &mail::Folder,
    ask: reach::Ask<'_>,
    each: &mut dyn FnMut(&mail::Part) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let mut after = mail::Mark::default();
    loop {
        let folder = folder.clone();
        let request = mail::Request::Messages { folder, after };
        let Reply::Exported(parts) = ask(&call(request))? else {
            return Err(strange());
        };
        let Some(last) = parts.last() else {
            return Ok(());
        };
        after = last.mark();
        parts.iter().try_for_each(&mut *each)?;
    }
}

fn call(request: mail::Request) -> Call {
    Call {
        request: Request::Mail(request),
        dry_run: false,
    }
}

/// Where it goes.
enum Target {
    Maildir(PathBuf),
    Mbox(PathBuf),
}

impl Target {
    fn path(&self) -> &Path {
        match self {
            Self::Maildir(path) | Self::Mbox(path) => path,
        }
    }
}

/// What is written; `one`: it is one folder only.
enum Files {
    Maildir(Maildir, bool),
    Mbox(Box<Mbox>, bool),
}

impl Files {
    fn new(target: &Target, one: bool) -> io::Result<Self> {
        Ok(match target {
            Target::Maildir(path) => Self::Maildir(Maildir::new(path)?, one),
            Target::Mbox(path) => Self::Mbox(Box::new(Mbox::new(path)?), one),
        })
    }

    fn begin(&mut self, folder: &mail::Folder) -> io::Result<()> {
        match self {
            Self::Maildir(maildir, one) => maildir.begin(folder, *one || folder.name == INBOX),
            Self::Mbox(mbox, one) => {
                mbox.begin((!*one).then_some(folder.name.as_str()));
                Ok(())
            }
        }
    }

    fn part(&mut self, part: &mail::Part) -> io::Result<()> {
        match self {
            Self::Maildir(maildir, _) => maildir.part(part),
            Self::Mbox(mbox, _) => mbox.part(part),
        }
    }

    fn end(self) -> io::Result<()> {
        match self {
            Self::Maildir(maildir, _) => maildir.end(),
            Self::Mbox(mbox, _) => mbox.end(),
        }
    }
}

fn unwritten(path: &Path, error: &io::Error) -> Stop {
    let path = path.display();
    let (kind, text) = match error.kind() {
        io::ErrorKind::AlreadyExists => (
            Kind::Exists,
            format!("{path}: there is something already; give a name that is free"),
        ),
        io::ErrorKind::PermissionDenied => (
            Kind::NotAllowed,
            format!(
                "{path}: {error} (while the box is stopped, its own user writes the files: name a place \
                 where that one may, or start the box)"
            ),
        ),
        io::ErrorKind::NotFound => (Kind::BadData, format!("{path}: its folder is not there")),
        _ => (Kind::TryAgain, format!("{path}: {error}")),
    };
    Problem::new(kind, text).into()
}

fn strange() -> Stop {
    Problem::new(Kind::TryAgain, "the server's answer is not understood").into()
}

fn usage(text: &str) -> Stop {
    Problem::new(Kind::Usage, text).into()
}

fn trace(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let what = line.text(0);
    let request = trace::Request { what };
    look(terminal, global, line, Request::Trace(request))
}
