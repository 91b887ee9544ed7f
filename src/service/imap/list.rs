//! LIST and LSUB (RFC 3501 sections 6.3.8 and 6.3.9, RFC 5258, RFC 5819, RFC 6154), in slices: no
//! more names are held than a slice has, however many folders there are.

use std::{collections::VecDeque, ops::ControlFlow};

use super::{Imap, Outcome, Running, SLICE_ROWS, pace::Pace, sync::Tell};
use crate::{
    base::id::{FolderId, UserId},
    proto::imap::{
        command::{List, Lsub},
        pattern::Pattern,
        response,
        session::{Answer, Completion, Piece},
    },
    store::{Broken, Reader, Store, request::Special},
};

/// Names below one that are looked at, to see whether the patterns ask for all of them.
const BELOW_MAX: u32 = 256;

/// A LIST or LSUB that is being answered.
#[derive(Debug)]
pub struct Listing {
    user: UserId,
    what: What,
    patterns: Vec<Pattern>,
    /// The last name that was compared with the patterns; its followers are still to come.
    after: String,
    end: bool,
    /// What the patterns ask for, not told yet. A name marked so has no row of its own, perhaps: it
    /// lies above one that has.
    asked: VecDeque<(String, bool)>,
    /// Names of folders with a special use, where they are asked for with what lies above them.
    specials: Vec<String>,
}

#[derive(Debug)]
enum What {
    List(Box<List>),
    /// `above`: names above subscribed ones are told as \Noselect, since the pattern ends in `%`
    /// (RFC 3501 section 6.3.9).
    Lsub {
        above: bool,
    },
}

/// What is known of a name: there may be no folder of it.
#[derive(Debug)]
struct Entry {
    folder: Option<FolderId>,
    special: Option<Special>,
    subscribed: bool,
    /// There is a folder below it.
    children: bool,
}

impl Imap {
    pub(super) async fn list(&mut self, user: UserId, list: Box<List>) -> Outcome {
        if let [pattern] = list.patterns.as_slice()
            && pattern.is_empty()
            && !list.extended
        {
            // What separates levels.
            let mut out = Vec::new();
            response::list_root(&mut out);
            return Ok(self.finish(out, Completion::ok("List completed."), Tell::ALL));
        }
        let patterns = list.patterns.iter();
        let patterns = patterns.map(|pattern| Pattern::new(&list.reference, pattern));
        let mut listing = Listing::new(user, patterns.collect(), What::List(list));
        listing.find_specials(&self.shared.store).await?;
        self.list_more(Box::new(listing)).await
    }

    pub(super) async fn lsub(&mut self, user: UserId, lsub: &Lsub) -> Outcome {
        let (reference, pattern) = (&lsub.reference, &lsub.pattern);
        let last = if pattern.is_empty() {
            reference
        } else {
            pattern
        };
        let what = What::Lsub {
            above: last.ends_with('%'),
        };
        let patterns = vec![Pattern::new(reference, pattern)];
        let listing = Listing::new(user, patterns, what);
        self.list_more(Box::new(listing)).await
    }

    /// Tells the next names.
    pub(super) async fn list_more(&mut self, mut listing: Box<Listing>) -> Outcome {
        let mut out = Vec::new();
        let mut pace = Pace::new(&self.shared);
        loop {
            pace.breathe().await;
            if let Some((name, above)) = listing.asked.pop_front() {
                self.tell_name(&mut out, &listing, &name, above).await?;
            } else if !listing.end {
                listing.compare(&self.shared.store, &mut pace).await?;
            } else {
                let text = match listing.what {
                    What::List(_) => "List completed.",
                    What::Lsub { .. } => "Lsub completed.",
                };
                return Ok(self.finish(out, Completion::ok(text), Tell::ALL));
            }
            if out.len() > self.shared.slice_octets() {
                self.running = Some(Running::Listing(listing));
                return Ok(Answer::More(vec![Piece::Octets(out)]));
            }
        }
    }

    async fn tell_name(
        &self,
        out: &mut Vec<u8>,
        listing: &Listing,
        name: &str,
        above: bool,
    ) -> Result<(), Completion> {
        let (store, utf8) = (&self.shared.store, self.enabled.utf8);
        let found = store.read(|reader| {
            let entry = Entry::find(reader, listing.user, name)?;
            // It has a row and had its turn.
            if above && (entry.folder.is_some() || entry.subscribed) {
                return Ok(None);
            }
            let wanted = listing.wanted(reader, name, &entry)?;
            Ok(wanted.map(|told| (entry, told)))
        })?;
        let Some((entry, told)) = found else {
            return Ok(());
        };
        let What::List(list) = &listing.what else {
            let attribute = (!entry.subscribed).then_some("\\Noselect");
            response::list(out, "LSUB", attribute, name, utf8);
            return Ok(());
        };
        response::list(out, "LIST", attributes(list, &entry), name, utf8);
        if told.below {
            // Behind the name, before the line's end (RFC 5258 section 6).
            out.truncate(out.len().saturating_sub(2));
            let options: &[u8] = match (list.select.subscribed, list.select.special_use) {
                (true, true) => b"\"SUBSCRIBED\" \"SPECIAL-USE\"",
                (true, false) => b"\"SUBSCRIBED\"",
                (false, _) => b"\"SPECIAL-USE\"",
            };
            out.extend([b" (\"CHILDINFO\" (".as_slice(), options, b"))\r\n"].concat());
        }
        if let (Some(items), Some(folder), true) =
            (list.returns.status, entry.folder, told.selected)
        {
            self.write_status(out, folder, items).await?;
        }
        Ok(())
    }
}

/// Why a name is told.
#[derive(Clone, Copy, Debug)]
struct Told {
    /// The selection options fit it.
    selected: bool,
    /// They fit something below it, which RECURSIVEMATCH asks for.
    below: bool,
}

impl Listing {
    fn new(user: UserId, patterns: Vec<Pattern>, what: What) -> Self {
        Self {
            user,
            what,
            patterns,
            after: String::new(),
            end: false,
            asked: VecDeque::new(),
            specials: Vec::new(),
        }
    }

    /// Notes the special folders, where something has to be known of those below a name.
    async fn find_specials(&mut self, store: &Store) -> Result<(), Broken> {
        let What::List(wish) = &self.what else {
            return Ok(());
        };
        if !(wish.select.special_use && wish.select.recursive_match) {
            return Ok(());
        }
        let most = SLICE_ROWS as usize;
        let mut after = String::new();
        loop {
            let (user, specials) = (self.user, &mut self.specials);
            let page = store.read(|reader| {
                let page = reader.names(user, &after, most)?;
                for (name, id) in &page {
                    let row = id.map(|id| reader.folder(id)).transpose()?.flatten();
                    if row.is_some_and(|row| row.special.is_some()) {
                        specials.push(name.clone());
                    }
                }
                Ok(page)
            })?;
            match page.last() {
                Some((last, _)) if page.len() >= most => after.clone_from(last),
                _ => return Ok(()),
            }
            smol::future::yield_now().await;
        }
    }

    /// Compares the next names, and those above them, with the patterns.
    async fn compare(&mut self, store: &Store, pace: &mut Pace) -> Result<(), Broken> {
        let most = SLICE_ROWS as usize;
        let names = store.read(|reader| reader.names(self.user, &self.after, most))?;
        self.end = names.len() < most;
        for (name, _) in names {
            for (at, _) in name.match_indices('/') {
                // The levels that it shares with the name before were looked at with that.
                let (level, inside) = (name.get(..at), name.get(..=at));
                if let (Some(level), Some(inside)) = (level, inside)
                    && !self.after.starts_with(inside)
                    && self.is_asked(level, pace).await
                {
                    self.asked.push_back((level.to_owned(), true));
                }
            }
            if self.is_asked(&name, pace).await {
                self.asked.push_back((name.clone(), false));
            }
            self.after = name;
        }
        Ok(())
    }

    async fn is_asked(&self, name: &str, pace: &mut Pace) -> bool {
        for pattern in &self.patterns {
            pace.breathe().await;
            if pattern.matches(name) {
                return true;
            }
        }
        false
    }

    /// Whether a name that the patterns ask for is told, and why.
    fn wanted(&self, reader: &Reader, name: &str, entry: &Entry) -> Result<Option<Told>, Broken> {
        let told = match &self.what {
            What::Lsub { above } => Told {
                selected: entry.subscribed,
                below: *above && !entry.subscribed && self.is_below(reader, name, true)?,
            },
            What::List(list) => {
                let select = &list.select;
                // Names of which nothing exists but subscriptions are not LIST's, unless it asks
                // for them.
                let there = entry.folder.is_some() || entry.children;
                let selected = (!select.special_use || entry.special.is_some())
                    && if select.subscribed {
                        entry.subscribed
                    } else {
                        there
                    };
                let below = select.recursive_match && self.is_below(reader, name, selected)?;
                Told { selected, below }
            }
        };
        Ok((told.selected || told.below).then_some(told))
    }

    /// Whether the selection options fit a name below this one: `any`, or one that is not told itself,
    /// as telling this one would be idle otherwise (RFC 5258 section 3.5).
    fn is_below(&self, reader: &Reader, name: &str, any: bool) -> Result<bool, Broken> {
        let is_told = |below: &str| self.patterns.iter().any(|pattern| pattern.matches(below));
        let (subscribed, special) = match &self.what {
            What::List(list) => (list.select.subscribed, list.select.special_use),
            What::Lsub { .. } => (true, false),
        };
        if special {
            let is_in = |below: &str| {
                let rest = below.strip_prefix(name);
                rest.is_some_and(|rest| rest.starts_with('/'))
            };
            for below in self.specials.iter().filter(|below| is_in(below)) {
                if (any || !is_told(below))
                    && (!subscribed || reader.is_subscribed(self.user, below)?)
                {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        let (mut found, mut looked) = (false, 0_u32);
        reader.subscriptions_below(self.user, name, &mut |below| {
            looked = looked.saturating_add(1);
            found = any || looked > BELOW_MAX || !is_told(below);
            if found {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        Ok(found)
    }
}

impl Entry {
    fn find(reader: &Reader, user: UserId, name: &str) -> Result<Self, Broken> {
        let folder = reader.folder_named(user, name)?;
        let row = folder.map(|id| reader.folder(id)).transpose()?.flatten();
        Ok(Self {
            folder,
            special: row.and_then(|row| row.special),
            subscribed: reader.is_subscribed(user, name)?,
            children: reader.has_folder_below(user, name)?,
        })
    }
}

fn attributes(list: &List, entry: &Entry) -> Vec<&'static str> {
    let mut all = Vec::new();
    if entry.folder.is_none() {
        all.push(if list.extended {
            "\\NonExistent"
        } else {
            "\\Noselect"
        });
    }
    all.push(if entry.children {
        "\\HasChildren"
    } else {
        "\\HasNoChildren"
    });
    if entry.subscribed && (list.select.subscribed || list.returns.subscribed) {
        all.push("\\Subscribed");
    }
    match entry.special {
        None => {}
        Some(Special::Archive) => all.push("\\Archive"),
        Some(Special::Drafts) => all.push("\\Drafts"),
        Some(Special::Junk) => all.push("\\Junk"),
        Some(Special::Sent) => all.push("\\Sent"),
        Some(Special::Trash) => all.push("\\Trash"),
    }
    all
}
