//! Messages that belong together, as trees (RFC 5256 section 3). Values in, values out; the time
//! grows with the number of messages and references, whatever they say.

use std::{
    borrow::Cow,
    collections::HashMap,
    hash::{BuildHasherDefault, DefaultHasher, Hasher},
};

use memchr::{memchr, memchr3};

/// References of one message that count: its nearest ancestors.
pub const REFERENCES_MAX: usize = 64;
/// Ancestors that are looked at before a link counts as a loop.
const DEPTH_MAX: usize = 1_000;
/// Messages that are named but not there have a place each, up to so many for every one that is.
const NAMED_MAX: usize = 4;

const NONE: u32 = u32::MAX;

/// Makes numbers of Message-IDs and subjects, so that no string has to be kept. What makes two of them
/// the same number cannot be found out without the secret.
#[derive(Clone, Debug)]
pub struct Digest(DefaultHasher);

impl Digest {
    #[must_use]
    pub fn new(secret: [u8; 16]) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(&secret);
        Self(hasher)
    }

    /// Never 0.
    #[must_use]
    pub fn of(&self, octets: &[u8]) -> u64 {
        let mut hasher = self.0.clone();
        hasher.write(octets);
        hasher.finish().max(1)
    }
}

/// The Message-IDs of a field's value, without brackets, as they are compared: quotes and white space
/// do not count (RFC 5256 section 3).
pub fn message_ids(value: &[u8]) -> impl Iterator<Item = Cow<'_, [u8]>> {
    let mut rest = value;
    std::iter::from_fn(move || {
        loop {
            let start = memchr(b'<', rest)?.checked_add(1)?;
            let inner = rest.get(start..)?;
            let end = memchr(b'>', inner)?;
            rest = inner.get(end..)?;
            let id = inner.get(..end)?;
            // A bracket that never closed.
            let id = memchr::memrchr(b'<', id)
                .and_then(|at| id.get(at.checked_add(1)?..))
                .unwrap_or(id);
            let noise = |octet: &u8| octet.is_ascii_whitespace() || matches!(octet, b'"' | b'\\');
            let odd = memchr3(b'"', b'\\', b' ', id).or_else(|| memchr3(b'\t', b'\r', b'\n', id));
            let id = if odd.is_some() {
                Cow::Owned(id.iter().filter(|c| !noise(c)).copied().collect())
            } else {
                Cow::Borrowed(id)
            };
            if !id.is_empty() {
                return Some(id);
            }
        }
    })
}

/// What a place among those of Message-IDs takes, in octets: the entry, a mark, and of eight one is
/// always free.
const PLACE: usize = 20;

/// One message, as far as threads want to know it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Message {
    /// What it is called in the answer; never 0.
    pub number: u32,
    /// When it was sent, in seconds.
    pub sent: i64,
    /// Digest of its Message-ID.
    pub id: Option<u64>,
    /// Digest of its base subject; 0 if that is empty.
    pub subject: u64,
    /// Its subject says that it is a reply or a forward.
    pub reply: bool,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    message: Message,
    parent: u32,
    child: u32,
    next: u32,
    /// Something was linked under it once.
    named: bool,
}

impl Node {
    /// `number` 0: a message that is named and not there, or that only holds others together.
    fn is_dummy(&self) -> bool {
        self.message.number == 0
    }
}

/// Takes messages in the order of their numbers.
#[derive(Debug, Default)]
pub struct Builder {
    nodes: Vec<Node>,
    /// Of Message-IDs.
    places: HashMap<u64, u32, BuildHasherDefault<Same>>,
    messages: usize,
}

/// A digest is a hash already.
#[derive(Debug, Default)]
pub struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, octets: &[u8]) {
        for octet in octets {
            self.0 = self.0.rotate_left(8) ^ u64::from(*octet);
        }
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = n;
    }
}

/// The trees. Made of places: a root's, and from there children and siblings.
#[derive(Debug)]
pub struct Threads {
    nodes: Vec<Node>,
    roots: Vec<u32>,
}

/// A place in [`Threads`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct At(u32);

impl Threads {
    /// The first messages of the threads, in order.
    pub fn roots(&self) -> impl Iterator<Item = At> + '_ {
        self.roots.iter().map(|&at| At(at))
    }

    /// The message's number; `None` where nothing stands but what holds several together.
    #[must_use]
    pub fn number(&self, at: At) -> Option<u32> {
        let node = self.nodes.get(at.0 as usize)?;
        (!node.is_dummy()).then_some(node.message.number)
    }

    /// The first message that answers it.
    #[must_use]
    pub fn child(&self, at: At) -> Option<At> {
        self.nodes.get(at.0 as usize).and_then(|n| place(n.child))
    }

    /// The next one that answers the same.
    #[must_use]
    pub fn next(&self, at: At) -> Option<At> {
        self.nodes.get(at.0 as usize).and_then(|n| place(n.next))
    }
}

fn place(at: u32) -> Option<At> {
    (at != NONE).then_some(At(at))
}

impl Builder {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Of memory, in octets, with what is taken ahead.
    #[must_use]
    pub fn octets(&self) -> u64 {
        let nodes = self.nodes.capacity().saturating_mul(size_of::<Node>());
        let places = self.places.capacity().saturating_mul(PLACE);
        nodes.saturating_add(places) as u64
    }

    /// The next message and what it refers to, oldest first: its References, or the first Message-ID
    /// of its In-Reply-To (step 1).
    pub fn push(&mut self, message: Message, references: &[u64]) {
        self.messages = self.messages.saturating_add(1);
        let Some(own) = self.own(message) else {
            return;
        };
        let from = references.len().saturating_sub(REFERENCES_MAX);
        let mut above = NONE;
        for &id in references.get(from..).unwrap_or_default() {
            let Some(at) = self.named(id) else {
                continue;
            };
            if self.parent(at) == NONE {
                self.link(above, at);
            }
            above = at;
        }
        // What an earlier message said of its place may have been cut short.
        self.set_parent(own, NONE);
        self.link(above, own);
    }

    /// The message's place: where it was named, or a new one. A Message-ID that another one has too is
    /// none.
    fn own(&mut self, message: Message) -> Option<u32> {
        if let Some(id) = message.id
            && let Some(&at) = self.places.get(&id)
        {
            let node = self.nodes.get_mut(at as usize)?;
            if node.is_dummy() {
                node.message = message;
                return Some(at);
            }
            return self.add(message);
        }
        let at = self.add(message)?;
        if let Some(id) = message.id {
            self.places.insert(id, at);
        }
        Some(at)
    }

    fn named(&mut self, id: u64) -> Option<u32> {
        if let Some(&at) = self.places.get(&id) {
            return Some(at);
        }
        if self.nodes.len() >= self.messages.saturating_add(64).saturating_mul(NAMED_MAX) {
            return None;
        }
        let at = self.add(Message::default())?;
        self.places.insert(id, at);
        Some(at)
    }

    fn add(&mut self, message: Message) -> Option<u32> {
        let at = u32::try_from(self.nodes.len()).ok().filter(|&n| n < NONE)?;
        if self.nodes.len() == self.nodes.capacity() {
            // Not twice as much: it is counted.
            self.nodes.reserve_exact((self.nodes.len() / 4).max(64));
        }
        self.nodes.push(Node {
            message,
            parent: NONE,
            child: NONE,
            next: NONE,
            named: false,
        });
        Some(at)
    }

    fn parent(&self, at: u32) -> u32 {
        self.nodes.get(at as usize).map_or(NONE, |n| n.parent)
    }

    fn set_parent(&mut self, at: u32, parent: u32) {
        if let Some(node) = self.nodes.get_mut(at as usize) {
            node.parent = parent;
        }
    }

    /// Links, unless that would make a loop.
    fn link(&mut self, parent: u32, child: u32) {
        if parent == NONE || parent == child {
            return;
        }
        if self.nodes.get(child as usize).is_none_or(|n| n.named) {
            let mut at = parent;
            for _ in 0..DEPTH_MAX {
                if at == NONE || at == child {
                    break;
                }
                at = self.parent(at);
            }
            if at != NONE {
                return;
            }
        }
        if let Some(node) = self.nodes.get_mut(parent as usize) {
            node.named = true;
        }
        self.set_parent(child, parent);
    }

    /// THREAD=REFERENCES (RFC 5256 section 3), steps 2 to 6.
    #[must_use]
    pub fn references(mut self) -> Threads {
        self.places = HashMap::default();
        self.prune();
        let order = self.order();
        let roots = self.arrange(&order);
        if self.gather(&roots) {
            let roots = self.arrange(&order);
            return self.finish(roots);
        }
        self.finish(roots)
    }

    /// THREAD=ORDEREDSUBJECT (RFC 5256 section 3): one subject, one thread; all answer the first.
    #[must_use]
    pub fn ordered_subject(mut self) -> Threads {
        let order = self.order();
        let mut firsts: HashMap<u64, u32, BuildHasherDefault<Same>> = HashMap::default();
        for &at in &order {
            let subject = self.message(at).subject;
            let first = *firsts.entry(subject).or_insert(at);
            self.set_parent(at, if first == at { NONE } else { first });
        }
        let roots = self.arrange(&order);
        self.finish(roots)
    }

    fn finish(self, roots: Vec<u32>) -> Threads {
        Threads {
            nodes: self.nodes,
            roots,
        }
    }

    fn message(&self, at: u32) -> Message {
        let node = self.nodes.get(at as usize);
        node.map_or(Message::default(), |node| node.message)
    }

    fn is_dummy(&self, at: u32) -> bool {
        self.nodes.get(at as usize).is_none_or(Node::is_dummy)
    }

    fn child(&self, at: u32) -> u32 {
        self.nodes.get(at as usize).map_or(NONE, |n| n.child)
    }

    fn next(&self, at: u32) -> u32 {
        self.nodes.get(at as usize).map_or(NONE, |n| n.next)
    }

    /// Step 3: what is named and not there goes, unless it stands at the top and holds several
    /// together.
    fn prune(&mut self) {
        let all = u32::try_from(self.nodes.len()).unwrap_or(NONE);
        let mut path = Vec::new();
        for at in 0..all {
            // Up to the next message that is there, or to the top.
            let mut above = self.parent(at);
            while above != NONE && self.is_dummy(above) && self.parent(above) != NONE {
                path.push(above);
                above = self.parent(above);
            }
            // Whoever comes this way again has one step to go.
            for passed in path.drain(..) {
                self.set_parent(passed, above);
            }
            self.set_parent(at, above);
        }
        let mut children = vec![0_u8; self.nodes.len()];
        for node in self.nodes.iter().filter(|node| !node.is_dummy()) {
            if let Some(count) = children.get_mut(node.parent as usize) {
                *count = count.saturating_add(1);
            }
        }
        for at in 0..all {
            let above = self.parent(at);
            let alone = children.get(above as usize) == Some(&1) && self.is_dummy(above);
            if alone || self.is_dummy(at) {
                self.set_parent(at, NONE);
            }
        }
    }

    /// The messages that are there, as siblings are sorted: by date, then by number.
    fn order(&self) -> Vec<u32> {
        let mut order: Vec<(i64, u32, u32)> = (0..)
            .zip(&self.nodes)
            .filter(|(_, node)| !node.is_dummy())
            .map(|(at, node)| (node.message.sent, node.message.number, at))
            .collect();
        order.sort_unstable();
        order.into_iter().map(|(_, _, at)| at).collect()
    }

    /// Lines up all siblings; returns the top, in order (steps 4 and 6).
    fn arrange(&mut self, order: &[u32]) -> Vec<u32> {
        for node in &mut self.nodes {
            (node.child, node.next) = (NONE, NONE);
        }
        let mut roots: Vec<u32> = Vec::new();
        // Dummies stand at the top, their date is their first child's.
        let mut seen = vec![false; self.nodes.len()];
        for &at in order {
            let above = self.parent(at);
            let top = if above == NONE { at } else { above };
            if (above == NONE || self.is_dummy(above))
                && let Some(seen) = seen.get_mut(top as usize)
                && !std::mem::replace(seen, true)
            {
                roots.push(top);
            }
        }
        for &at in order.iter().rev() {
            let above = self.parent(at);
            let first = self.child(above);
            if let Some(node) = self.nodes.get_mut(above as usize) {
                node.child = at;
                if let Some(node) = self.nodes.get_mut(at as usize) {
                    node.next = first;
                }
            }
        }
        roots
    }

    /// Step 5: threads with one subject become one. Says whether anything changed.
    fn gather(&mut self, roots: &[u32]) -> bool {
        let mut table: HashMap<u64, u32, BuildHasherDefault<Same>> = HashMap::default();
        let subject = |this: &Self, at: u32| {
            let at = if this.is_dummy(at) {
                this.child(at)
            } else {
                at
            };
            this.message(at).subject
        };
        for &at in roots {
            let name = subject(self, at);
            if name == 0 {
                continue;
            }
            let held = *table.entry(name).or_insert(at);
            let better = !self.is_dummy(held)
                && (self.is_dummy(at) || self.message(held).reply && !self.message(at).reply);
            if better {
                table.insert(name, at);
            }
        }
        let mut changed = false;
        for &at in roots {
            let name = subject(self, at);
            let Some(&held) = table.get(&name).filter(|&&held| held != at) else {
                continue;
            };
            changed = true;
            match (self.is_dummy(held), self.is_dummy(at)) {
                (true, true) => {
                    let mut child = self.child(at);
                    while child != NONE {
                        self.set_parent(child, held);
                        child = self.next(child);
                    }
                }
                (true, false) => self.set_parent(at, held),
                (false, _) if self.message(at).reply && !self.message(held).reply => {
                    self.set_parent(at, held);
                }
                (false, _) => {
                    if let Some(both) = self.add(Message::default()) {
                        self.set_parent(held, both);
                        self.set_parent(at, both);
                        table.insert(name, both);
                    }
                }
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests;
