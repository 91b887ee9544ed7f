//! Looks through the log's ring: one pass, oldest first, a few blocks in memory.

use std::collections::{BTreeMap, HashMap, VecDeque};

use memchr::memmem::Finder;

use super::{Event, Log, Story, tell::tell};

/// Stories in an answer; of more, the newest.
const STORIES: usize = 200;
/// Lines of a story: its first ones and its newest.
const FIRST: usize = 20;
const NEWEST: usize = 180;
/// Blocks that are kept: a message's first lines stand shortly before the one that names an address.
const BEHIND: usize = 4;

/// What is looked for: an address in angle brackets and the like, or a message's name.
pub(super) struct Wanted {
    /// In lower case.
    word: String,
    finder: Finder<'static>,
}

impl Wanted {
    pub(super) fn new(what: &str) -> Self {
        let word = what.to_lowercase();
        Self {
            finder: Finder::new(word.as_bytes()).into_owned(),
            word,
        }
    }

    /// Whether a line in lower case has it as a whole word.
    fn is_in(&self, line: &str) -> bool {
        let part = |c: char| c.is_alphanumeric() || "@._-+=".contains(c);
        self.finder.find_iter(line.as_bytes()).any(|at| {
            let before = line.get(..at).and_then(|text| text.chars().next_back());
            let end = at.saturating_add(self.word.len());
            let after = line.get(end..).and_then(|text| text.chars().next());
            // `sasl_username=a@d`: a name ends at the sign.
            before.is_none_or(|c| c == '=' || !part(c)) && after.is_none_or(|c| !part(c))
        })
    }
}

/// All stories in which it is named, by their beginnings.
pub(super) fn find(log: &Log, wanted: &Wanted) -> Vec<Story> {
    let mut found = Found::default();
    let mut kept: VecDeque<String> = VecDeque::new();
    let mut next = 0;
    while let Some((number, text)) = (log.0)(next) {
        let Some(after) = number.checked_add(1) else {
            break;
        };
        next = after;
        let lower = text.to_ascii_lowercase();
        let fresh = match wanted.finder.find(lower.as_bytes()) {
            Some(_) => found.names(&text, &lower, wanted),
            None => Vec::new(),
        };
        if !fresh.is_empty() {
            for old in &kept {
                found.lines(old, Some(&fresh));
            }
        }
        if !found.known.is_empty() {
            found.lines(&text, None);
        }
        kept.push_back(text);
        if kept.len() > BEHIND {
            kept.pop_front();
        }
    }
    found.stories.into_values().collect()
}

#[derive(Default)]
struct Found {
    stories: BTreeMap<u64, Story>,
    /// Of the messages with a name.
    known: HashMap<String, u64>,
    count: u64,
}

impl Found {
    /// Begins a story for each name that is new; returns those. What has no name is a story of its own.
    fn names(&mut self, text: &str, lower: &str, wanted: &Wanted) -> Vec<String> {
        let mut fresh = Vec::new();
        for (line, lower) in text.lines().zip(lower.lines()) {
            if !wanted.is_in(lower) {
                continue;
            }
            let Some((time, id, rest)) = parts(line) else {
                continue;
            };
            if id == "NOQUEUE" {
                self.begin(Story {
                    id: None,
                    events: vec![event(time, rest)],
                    waits: false,
                });
            } else if !self.known.contains_key(id) {
                let number = self.begin(Story {
                    id: Some(id.to_owned()),
                    events: Vec::new(),
                    waits: false,
                });
                self.known.insert(id.to_owned(), number);
                fresh.push(id.to_owned());
            }
        }
        fresh
    }

    fn begin(&mut self, story: Story) -> u64 {
        let number = self.count;
        self.count = number.saturating_add(1);
        self.stories.insert(number, story);
        if self.stories.len() > STORIES
            && let Some((_, Story { id: Some(id), .. })) = self.stories.pop_first()
        {
            self.known.remove(&id);
        }
        number
    }

    /// Adds a block's lines to their stories; `only` to some.
    fn lines(&mut self, text: &str, only: Option<&[String]>) {
        for line in text.lines() {
            let Some((time, id, rest)) = parts(line) else {
                continue;
            };
            if only.is_some_and(|only| !only.iter().any(|fresh| fresh == id)) {
                continue;
            }
            let story = self.known.get(id).and_then(|n| self.stories.get_mut(n));
            if let Some(story) = story {
                if story.events.len() >= FIRST.saturating_add(NEWEST) {
                    story.events.remove(FIRST);
                }
                story.events.push(event(time, rest));
            }
        }
    }
}

fn event(time: &str, rest: &str) -> Event {
    Event {
        time: time.to_owned(),
        text: tell(rest),
        log: rest.to_owned(),
    }
}

/// `TIME LEVEL ROOM: ID: REST` to time, id and rest.
fn parts(line: &str) -> Option<(&str, &str, &str)> {
    let (head, text) = line.split_once(": ")?;
    let (time, _) = head.split_once(' ')?;
    let (id, rest) = text.split_once(": ")?;
    let plain = id.bytes().all(|octet| octet.is_ascii_alphanumeric());
    (plain && (4..=40).contains(&id.len())).then_some((time, id, rest))
}
