//! An mbox of the kind mboxrd: lines that look like a separator get a `>`, and lose it when they are
//! read.

use std::{
    fmt::Write as _,
    fs::File,
    io::{self, BufWriter, Write as _},
    path::Path,
};

use super::{lines::Lines, maildir::create};
use crate::{
    base::time::Time,
    mail::{flag::Flags, header},
    service::operate::mail::Part,
};

/// Fields of other programs' states, which would be mistaken for ours.
const STATES: [&[u8]; 4] = [b"status:", b"x-status:", b"x-keywords:", b"x-folder:"];

/// A file with messages behind each other.
#[derive(Debug)]
pub struct Mbox {
    file: BufWriter<File>,
    /// Said in each message; one folder alone needs none.
    folder: Option<String>,
    open: Option<Open>,
}

/// A message that is being written.
#[derive(Debug, Default)]
struct Open {
    lines: Lines,
    /// The header has ended.
    body: bool,
    /// The line before was a field of somebody's state: what is folded below it goes, too.
    skipped: bool,
    /// The next piece goes on with a line.
    within: bool,
}

impl Mbox {
    /// # Errors
    ///
    /// There is such a file, or the disk says no.
    pub fn new(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: BufWriter::new(create(path)?),
            folder: None,
            open: None,
        })
    }

    /// What follows belongs to this folder.
    pub fn begin(&mut self, folder: Option<&str>) {
        self.folder = folder.map(ToOwned::to_owned);
    }

    /// # Errors
    ///
    /// The disk says no.
    pub fn part(&mut self, part: &Part) -> io::Result<()> {
        let mut open = if let Some(open) = self.open.take() {
            open
        } else {
            let date = Time(part.date);
            let (sender, year) = (sender(&part.octets), date.calendar().year());
            writeln!(self.file, "From {sender} {} {year:04}", date.asctime())?;
            Open::default()
        };
        let states = states(part, self.folder.as_deref());
        let mut lines = std::mem::take(&mut open.lines);
        let file = &mut self.file;
        lines.feed(&part.octets, &mut |line| open.line(line, &states, file))?;
        if !part.is_last() {
            open.lines = lines;
            self.open = Some(open);
            return Ok(());
        }
        lines.end(&mut |line| open.line(line, &states, file))?;
        open.end(&states, file)
    }

    /// All of it is on the medium.
    ///
    /// # Errors
    ///
    /// The disk says no.
    pub fn end(self) -> io::Result<()> {
        let file = self.file.into_inner();
        file.map_err(io::IntoInnerError::into_error)?.sync_all()
    }
}

impl Open {
    fn line(&mut self, line: &[u8], states: &str, file: &mut BufWriter<File>) -> io::Result<()> {
        let within = std::mem::replace(&mut self.within, !line.ends_with(b"\n"));
        if !self.body && !within {
            if line == b"\n" {
                self.body = true;
                file.write_all(states.as_bytes())?;
            } else if line.starts_with(b" ") || line.starts_with(b"\t") {
                // Folded: as the line above.
            } else {
                let is = |name: &&[u8]| {
                    let start = line.get(..name.len()).unwrap_or_default();
                    start.eq_ignore_ascii_case(name)
                };
                self.skipped = STATES.iter().any(is);
            }
        }
        if self.skipped && !self.body {
            return Ok(());
        }
        let quotes = line.iter().take_while(|octet| **octet == b'>').count();
        if !within
            && line
                .get(quotes..)
                .is_some_and(|rest| rest.starts_with(b"From "))
        {
            file.write_all(b">")?;
        }
        file.write_all(line)
    }

    /// The line end that may lack, and the empty line between messages.
    fn end(&mut self, states: &str, file: &mut BufWriter<File>) -> io::Result<()> {
        if self.within {
            file.write_all(b"\n")?;
        }
        if !self.body {
            file.write_all(states.as_bytes())?;
        }
        file.write_all(b"\n")
    }
}

/// Who sent it, as the separator says it: of the Return-Path.
fn sender(octets: &[u8]) -> String {
    let path = header::value(octets, "Return-Path").unwrap_or_default();
    let path = String::from_utf8_lossy(path);
    let path = path.trim().trim_start_matches('<').trim_end_matches('>');
    let plain = |c: char| !c.is_whitespace() && !c.is_control();
    if path.is_empty() || !path.chars().all(plain) {
        return "MAILER-DAEMON".to_owned();
    }
    path.to_owned()
}

/// The fields that hold the flags.
fn states(part: &Part, folder: Option<&str>) -> String {
    let letters = |all: &[(Flags, char)]| -> String {
        let set = all.iter().filter(|(flag, _)| part.flags.has(*flag));
        set.map(|(_, letter)| *letter).collect()
    };
    let status = letters(&[(Flags::SEEN, 'R')]);
    let mut text = format!("Status: {status}O\n");
    let more = letters(&[
        (Flags::ANSWERED, 'A'),
        (Flags::FLAGGED, 'F'),
        (Flags::DELETED, 'D'),
        (Flags::DRAFT, 'T'),
    ]);
    if !more.is_empty() {
        let _ = writeln!(text, "X-Status: {more}");
    }
    if !part.keywords.is_empty() {
        let _ = writeln!(text, "X-Keywords: {}", part.keywords.join(" "));
    }
    if let Some(folder) = folder {
        let _ = writeln!(text, "X-Folder: {folder}");
    }
    text
}
