//! What clients make of responses.

use std::collections::BTreeSet;

use super::Play;
use super::state::{Client, FlagSet, Folder, Kind, Known};

/// A message as a FETCH told it.
#[derive(Debug, Default)]
pub struct Told {
    pub place: usize,
    pub uid: Option<u32>,
    pub modseq: Option<u64>,
    pub flags: Option<FlagSet>,
    pub recent: bool,
}

impl Play {
    /// Believes what it is told. `command` is what it asked for, without the tag.
    pub fn hear(&mut self, session: usize, command: &str, out: &str) {
        let trace = &self.trace;
        let client = &mut self.clients[session];
        let Some(folder) = client.folder.map(|folder| &self.folders[folder]) else {
            return;
        };
        let mut codes = vec![];
        for line in responses(out) {
            let context = format!("{line}\n{trace:#?}");
            codes.extend(highest(&line));
            if let Some(uids) = line.strip_prefix("* VANISHED ") {
                vanished(client, folder, command, uids, &context);
                continue;
            }
            let mut words = line.split(' ').skip(1);
            let (number, word) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
            let Ok(number) = number.parse::<usize>() else {
                continue;
            };
            match word.trim_end() {
                "EXISTS" => exists(client, folder, number, &context),
                "EXPUNGE" => {
                    assert!(client.kind != Kind::Qresync, "{context}");
                    assert!(!by_number(command), "{context}");
                    client.messages.remove(number - 1);
                }
                "FETCH" => fetch(client, command, &fetched(&line).unwrap(), &context),
                _ => {}
            }
        }
        let mut lines = out.lines();
        let tagged = lines.rfind(|line| !line.starts_with("* ") && !line.starts_with("+ "));
        codes.extend(tagged.and_then(highest));
        // RFC 7162 section 6.
        if let Some(code) = codes.last() {
            client.highest = *code;
            client.shown = 0;
        } else if tagged.is_some() {
            client.highest = client.highest.max(client.shown);
            client.shown = 0;
        }
    }
}

/// More messages: the oracle says which, the client may remember them.
fn exists(client: &mut Client, folder: &Folder, number: usize, context: &str) {
    let messages = &mut client.messages;
    assert!(number >= messages.len(), "{context}");
    let new = number - messages.len();
    for (uid, _) in folder.messages.range(client.last + 1..).take(new) {
        let known = client.cache.remove(uid);
        messages.push(known.unwrap_or_else(|| Known::new(*uid)));
    }
    assert_eq!(messages.len(), number, "{context}");
    client.last = client.last.max(messages.last().map_or(0, |m| m.uid));
}

fn vanished(client: &mut Client, folder: &Folder, command: &str, uids: &str, context: &str) {
    assert!(client.kind == Kind::Qresync, "{context}");
    if let Some(uids) = uids.strip_prefix("(EARLIER) ") {
        for uid in numbers(uids) {
            assert!(!folder.messages.contains_key(&uid), "{context}");
            assert!(client.messages.iter().all(|m| m.uid != uid), "{context}");
            client.cache.remove(&uid);
        }
        return;
    }
    assert!(!by_number(command), "{context}");
    for uid in numbers(uids) {
        let place = client.messages.iter().position(|m| m.uid == uid);
        client.messages.remove(place.expect(context));
    }
}

fn fetch(client: &mut Client, command: &str, told: &Told, context: &str) {
    let message = &mut client.messages[told.place - 1];
    assert!(told.uid.is_none_or(|uid| uid == message.uid), "{context}");
    let asked = command.contains("FETCH");
    let (qresync, condstore) = (client.kind == Kind::Qresync, client.kind > Kind::Plain);
    assert!(asked || !qresync || told.uid.is_some(), "{context}");
    assert!(asked || !condstore || told.modseq.is_some(), "{context}");
    assert!(condstore || told.modseq.is_none(), "{context}");
    if let Some(flags) = &told.flags {
        message.flags = Some(flags.clone());
    }
    if let Some(modseq) = told.modseq {
        message.modseq = Some(modseq);
        client.shown = client.shown.max(modseq);
    }
}

/// A command during which no number may move (RFC 3501 section 7.4.1).
fn by_number(command: &str) -> bool {
    let verb = command.split(' ').next().unwrap_or_default();
    ["FETCH", "STORE", "SEARCH"].contains(&verb)
}

fn highest(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once("[HIGHESTMODSEQ ")?;
    rest.split_once(']')?.0.parse().ok()
}

/// What `1,3:5` means.
pub fn numbers(set: &str) -> BTreeSet<u32> {
    let parts = set.trim_end().split(',').filter(|part| !part.is_empty());
    parts
        .flat_map(|part| {
            let (low, high) = part.split_once(':').unwrap_or((part, part));
            low.parse::<u32>().unwrap()..=high.parse().unwrap()
        })
        .collect()
}

/// Untagged responses, literals left out.
pub fn responses(out: &str) -> Vec<String> {
    let (mut all, mut rest) = (vec![], out);
    while !rest.is_empty() {
        let mut whole = String::new();
        loop {
            let (line, after) = rest.split_once("\r\n").unwrap_or((rest, ""));
            rest = after;
            let literal = line
                .strip_suffix('}')
                .and_then(|line| line.rsplit_once('{'))
                .and_then(|(start, n)| Some((start, n.parse::<usize>().ok()?)));
            let Some((start, length)) = literal else {
                whole.push_str(line);
                break;
            };
            whole.push_str(start);
            rest = &rest[length..];
        }
        if whole.starts_with("* ") {
            all.push(whole);
        }
    }
    all
}

pub fn fetched(line: &str) -> Option<Told> {
    let (place, items) = line.strip_prefix("* ")?.split_once(" FETCH (")?;
    let number = |name: &str| {
        let (_, rest) = items.split_once(name)?;
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse::<u64>().ok()
    };
    let flags = items
        .split_once("FLAGS (")
        .and_then(|(_, rest)| rest.split_once(')'));
    let mut flags: Option<FlagSet> = flags.map(|(flags, _)| {
        let words = flags.split(' ').filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    });
    Some(Told {
        place: place.parse().ok()?,
        uid: number("UID ").map(|uid| u32::try_from(uid).unwrap()),
        modseq: number("MODSEQ ("),
        recent: flags.as_mut().is_some_and(|flags| flags.remove("\\Recent")),
        flags,
    })
}

/// All FETCH responses.
pub fn all_fetched(out: &str) -> Vec<Told> {
    let lines = responses(out);
    lines.iter().filter_map(|line| fetched(line)).collect()
}

pub fn set(uids: &BTreeSet<u32>) -> String {
    let uids: Vec<_> = uids.iter().map(u32::to_string).collect();
    uids.join(",")
}

pub fn words(flags: &FlagSet) -> String {
    flags.iter().cloned().collect::<Vec<_>>().join(" ")
}
