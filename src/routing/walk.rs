//! From one address to all at whom it ends, without recursion. The order of rows is that of
//! `spec/mail.md` section 4: alias `user+tag@d`, alias `user@d`, the mailboxes of the two, the standard
//! names, alias `@d`.

use std::collections::{HashMap, HashSet};

use crate::{
    base::id::UserId,
    mail::address::Address,
    routing::{
        alias::{self, Target},
        class::{Class, class},
        directory::{Directory, Forward, LookupFailed},
        keys::Keys,
        options::Options,
        route::{Destination, Refusal, Rights, postmaster},
        step::Step,
        transport::{self, Choice},
    },
};

/// Results of one address (FW-8).
const RESULTS_MAX: usize = 1000;
/// Addresses looked at for one: each of the results may have come by way of a few others.
const LOOKED_MAX: usize = 4 * RESULTS_MAX;

/// Names that exist in every hosted domain (AC-12, RFC 2142).
const STANDARD: [&str; 6] = [
    "abuse",
    "hostmaster",
    "mailer-daemon",
    "postmaster",
    "root",
    "webmaster",
];

pub(super) struct Walk<'a> {
    directory: &'a dyn Directory,
    options: &'a Options,
    rights: Rights,
    /// Whether it matters how the mail gets to where it ends.
    transports: bool,
    /// The aliases between the first address and the one that is looked at.
    path: Vec<Frame>,
    /// Addresses that were replaced by others, by key.
    reached: HashMap<String, Reached>,
    looked: usize,
    found: Vec<Destination>,
    /// Who is in `found`.
    once: HashSet<Once>,
    /// Why the first dead end is one.
    dead: Option<Refusal>,
    pub steps: Vec<Step>,
}

/// An alias whose targets are looked at one by one.
struct Frame {
    /// The key of the address that it replaces.
    key: String,
    source: String,
    targets: std::vec::IntoIter<Address>,
    srs: bool,
    /// A local part of the sender's making went through a row for all local parts: nothing below leaves
    /// (SR-10).
    stays: bool,
}

impl Frame {
    fn is_wide(&self) -> bool {
        self.source.starts_with('@')
    }

    fn is(&self, key: &str) -> bool {
        self.key == key || self.source == key
    }
}

#[derive(Clone, Copy)]
enum Reached {
    /// All it leads to is known.
    Done,
    /// On the path. `keeps`: its own list names it, so that coming back to it is no circle.
    Open { keeps: bool },
}

#[derive(Eq, Hash, PartialEq)]
enum Once {
    Address(String),
    Mailbox(UserId),
}

/// Which rows an address that an alias names itself has behind it.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Past {
    Nothing,
    Exact,
    Wide,
}

/// Where an address ends if no transport says otherwise.
enum End {
    Mailbox(UserId),
    Out { srs: bool },
}

impl<'a> Walk<'a> {
    pub fn new(directory: &'a dyn Directory, options: &'a Options, rights: Rights) -> Self {
        Self {
            directory,
            options,
            rights,
            transports: true,
            path: Vec::new(),
            reached: HashMap::new(),
            looked: 0,
            found: Vec::new(),
            once: HashSet::new(),
            dead: None,
            steps: Vec::new(),
        }
    }

    pub fn without_transports(mut self) -> Self {
        self.transports = false;
        self
    }

    /// Finds all destinations of an address.
    ///
    /// # Errors
    ///
    /// Why there are none, or why they cannot be told now.
    pub fn run(&mut self, address: &Address) -> Result<Vec<Destination>, Refusal> {
        self.visit(address)?;
        self.finish()
    }

    /// Finds all destinations of one target of an alias that replaces `address`.
    ///
    /// # Errors
    ///
    /// As [`Walk::run`].
    pub fn run_below(
        &mut self,
        address: &Address,
        source: &str,
        targets: &[String],
        only: usize,
    ) -> Result<Vec<Destination>, Refusal> {
        let keys = Keys::of(self.options, address);
        let forward = Forward {
            targets: targets.to_vec(),
            srs: None,
        };
        if self.enter(&keys, address, source, &forward)? {
            if let Some(frame) = self.path.last_mut() {
                let one: Vec<_> = frame.targets.by_ref().skip(only).take(1).collect();
                frame.targets = one.into_iter();
            }
            return self.finish();
        }
        // Nothing but itself: a row that is ignored (FW-5).
        Ok(Vec::new())
    }

    fn finish(&mut self) -> Result<Vec<Destination>, Refusal> {
        while let Some(frame) = self.path.last_mut() {
            if let Some(address) = frame.targets.next() {
                self.visit(&address)?;
            } else if let Some(frame) = self.path.pop() {
                self.mark(&frame, Reached::Done);
            }
        }
        if self.found.is_empty() {
            return Err(self.dead.take().unwrap_or(Refusal::Unknown));
        }
        Ok(std::mem::take(&mut self.found))
    }

    /// Looks at one address: it ends here, or an alias that replaces it is put on the path.
    fn visit(&mut self, address: &Address) -> Result<(), Refusal> {
        self.looked = self.looked.saturating_add(1);
        if self.looked > LOOKED_MAX {
            return Err(Refusal::TooMany);
        }
        let keys = Keys::of(self.options, address);
        let past = match self.path.last() {
            Some(frame) if frame.is(&keys.full) && frame.is_wide() => Past::Wide,
            Some(frame) if frame.is(&keys.full) => Past::Exact,
            _ => Past::Nothing,
        };
        if past == Past::Nothing {
            match self.reached.get(&keys.full) {
                Some(Reached::Done | Reached::Open { keeps: true }) => {
                    self.steps.push(Step::Again { address: keys.full });
                    return Ok(());
                }
                Some(Reached::Open { keeps: false }) => return Err(self.circle(keys.full)),
                None => {}
            }
        }
        let class = class(self.directory, self.options, &address.domain)?;
        self.steps.push(Step::Begin {
            address: keys.full.clone(),
            class,
        });
        let Some(class) = class else {
            return self.foreign(&keys, address);
        };
        if past == Past::Nothing {
            for source in keys.exact() {
                if self.alias(&keys, address, source)? {
                    return Ok(());
                }
            }
            if class == Class::Local && self.named(&keys, address)? {
                return Ok(());
            }
        }
        if class.is_hosted() {
            self.hosted(&keys, address, class, past)
        } else {
            self.passed_on(&keys, address, past)
        }
    }

    /// What no exact alias has taken, in a domain that ends here.
    fn hosted(
        &mut self,
        keys: &Keys,
        address: &Address,
        class: Class,
        past: Past,
    ) -> Result<(), Refusal> {
        if class.has_mailboxes() {
            for key in keys.exact() {
                if let Some(user) = self.directory.mailbox(key)? {
                    self.steps.push(Step::Mailbox {
                        key: key.to_owned(),
                    });
                    let invented = key != keys.full;
                    return self.end(keys, address, End::Mailbox(user), invented);
                }
                self.steps.push(Step::NoMailbox {
                    key: key.to_owned(),
                });
            }
        }
        // `mailer-daemon` is one name even where `-` parts names from tags.
        let standard = [keys.local(), keys.user()]
            .into_iter()
            .find(|name| STANDARD.contains(name));
        if let Some(name) = standard {
            if self.heir(keys, name, address, class)? {
                return Ok(());
            }
            if let Some(user) = postmaster(self.directory, self.options)? {
                self.steps.push(Step::Standard {
                    address: keys.full.clone(),
                    heir: None,
                });
                let invented = keys.untagged.is_some();
                return self.end(keys, address, End::Mailbox(user), invented);
            }
            if self.chosen(keys, address)? {
                return Ok(());
            }
        }
        if past != Past::Wide && self.alias(keys, address, keys.wide())? {
            return Ok(());
        }
        if class == Class::Local && self.goes_on(address)? {
            return Ok(());
        }
        let refusal = if standard.is_some() {
            Refusal::Nobody
        } else {
            Refusal::Unknown
        };
        self.dead(&keys.full, refusal)
    }

    /// What the file of aliases says of a name of this machine (LM-2).
    fn named(&mut self, keys: &Keys, address: &Address) -> Result<bool, Refusal> {
        let options = self.options;
        for key in keys.exact() {
            let name = key.rsplit_once('@').map_or(key, |(name, _)| name);
            if let Some(targets) = options.names.targets(name, &address.domain) {
                let forward = Forward { targets, srs: None };
                if self.enter(keys, address, key, &forward)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Standard names end at the chosen reader, also where that is somebody elsewhere (AC-12).
    fn chosen(&mut self, keys: &Keys, address: &Address) -> Result<bool, Refusal> {
        let chosen = self.options.postmaster.as_deref().and_then(Address::parse);
        let Some(reader) = chosen else {
            return Ok(false);
        };
        if class(self.directory, self.options, &reader.domain)?.is_some() {
            return Ok(false);
        }
        self.steps.push(Step::Standard {
            address: keys.full.clone(),
            heir: Some(reader.to_string()),
        });
        let forward = Forward {
            targets: vec![reader.to_string()],
            srs: None,
        };
        self.enter(keys, address, &keys.full, &forward)
    }

    /// A name of this machine that nobody here has leaves through the default route, where the box is
    /// one for that (LM-6, LM-7).
    fn goes_on(&mut self, address: &Address) -> Result<bool, Refusal> {
        let options = self.options;
        if !options.null_client
            || self.rights != Rights::User
            || self.directory.default_route()?.is_none()
        {
            return Ok(false);
        }
        let origin = options.origin.as_ref();
        let outside = match origin.filter(|origin| origin.as_str() != "localhost") {
            Some(origin) => address.at(origin),
            None => None,
        };
        let Some(outside) = outside else {
            return Ok(false);
        };
        let keys = Keys::of(options, &outside);
        self.steps.push(Step::Pass {
            address: keys.full.clone(),
        });
        self.end(&keys, &outside, End::Out { srs: false }, true)?;
        Ok(true)
    }

    /// What no exact alias has taken, in a domain that somebody else hosts (AC-5, AC-6). A list that
    /// knows the address goes before the catch-all, as a mailbox does.
    fn passed_on(&mut self, keys: &Keys, address: &Address, past: Past) -> Result<(), Refusal> {
        let listed = self.directory.listed(keys.domain())?;
        let mut known = false;
        if listed {
            for key in keys.exact().chain([keys.wide()]) {
                known = known || self.directory.recipient(key)?;
            }
        }
        if !known && past != Past::Wide && self.alias(keys, address, keys.wide())? {
            return Ok(());
        }
        if listed && !known {
            self.steps.push(Step::NotListed {
                key: keys.full.clone(),
            });
            return self.dead(&keys.full, Refusal::Unknown);
        }
        self.steps.push(Step::Pass {
            address: keys.full.clone(),
        });
        self.end(keys, address, End::Out { srs: false }, true)
    }

    /// An address in a domain that is not ours.
    fn foreign(&mut self, keys: &Keys, address: &Address) -> Result<(), Refusal> {
        let srs = match (self.path.last(), self.rights) {
            (Some(frame), _) => frame.srs,
            (None, Rights::User) => false,
            (None, Rights::Stranger) => return self.dead(&keys.full, Refusal::Foreign),
        };
        self.end(keys, address, End::Out { srs }, false)
    }

    /// Puts the alias with this source on the path; `false` if there is none that says anything.
    fn alias(&mut self, keys: &Keys, address: &Address, source: &str) -> Result<bool, Refusal> {
        let Some(forward) = self.directory.alias(source)? else {
            self.steps.push(Step::NoAlias {
                source: source.to_owned(),
            });
            return Ok(false);
        };
        self.enter(keys, address, source, &forward)
    }

    /// A standard name without rows of its own stands for another that has some (LM-3).
    fn heir(
        &mut self,
        keys: &Keys,
        name: &str,
        address: &Address,
        class: Class,
    ) -> Result<bool, Refusal> {
        let heirs: &[&str] = match (name, class) {
            ("mailer-daemon", _) => &["postmaster", "root"],
            ("postmaster", Class::Local) => &["root"],
            _ => &[],
        };
        for name in heirs {
            let heir = format!("{name}{}", keys.wide());
            let exists = self.directory.alias(&heir)?.is_some()
                || (class.has_mailboxes() && self.directory.mailbox(&heir)?.is_some());
            if exists {
                self.steps.push(Step::Standard {
                    address: keys.full.clone(),
                    heir: Some(heir.clone()),
                });
                let forward = Forward {
                    targets: vec![heir],
                    srs: None,
                };
                return self.enter(keys, address, &keys.full, &forward);
            }
        }
        Ok(false)
    }

    fn enter(
        &mut self,
        keys: &Keys,
        address: &Address,
        source: &str,
        forward: &Forward,
    ) -> Result<bool, Refusal> {
        if forward.targets.len() > LOOKED_MAX {
            return Err(Refusal::TooMany);
        }
        let mut targets = Vec::with_capacity(forward.targets.len());
        for text in &forward.targets {
            match alias::parse_target(text) {
                Ok(Target::Address(target)) => targets.push(target),
                Ok(Target::Domain(domain)) => match address.at(&domain) {
                    Some(target) => targets.push(target),
                    None => self.dead(text, Refusal::Unknown)?,
                },
                // It was checked when it was saved: whatever it means, no mail is lost for it.
                Err(_) => return Err(Refusal::LookupFailed),
            }
        }
        let itself = |target: &Address| {
            let key = target.key();
            key == keys.full || key == source
        };
        let own = targets.iter().filter(|target| itself(target)).count();
        if own == targets.len() {
            self.steps.push(Step::AliasIgnored {
                source: source.to_owned(),
            });
            return Ok(false);
        }
        // `user+tag@d` can come back to the alias of `user@d` that is being looked at.
        if source != keys.full
            && let Some(reached) = self.reached.get(source)
        {
            return match reached {
                // Its other targets are taken care of.
                _ if own > 0 => Ok(false),
                Reached::Done | Reached::Open { keeps: true } => {
                    self.steps.push(Step::Again {
                        address: keys.full.clone(),
                    });
                    Ok(true)
                }
                Reached::Open { keeps: false } => Err(self.circle(source.to_owned())),
            };
        }
        self.steps.push(Step::Alias {
            source: source.to_owned(),
            targets: forward.targets.clone(),
        });
        let above = self.path.last();
        let frame = Frame {
            key: keys.full.clone(),
            source: source.to_owned(),
            targets: targets.into_iter(),
            srs: forward.srs.unwrap_or(true),
            stays: above.is_some_and(|frame| frame.stays)
                || (source.starts_with('@') && keys.is_odd()),
        };
        let before = self.reached.get(&keys.full);
        let keeps = own > 0 || matches!(before, Some(Reached::Open { keeps: true }));
        self.mark(&frame, Reached::Open { keeps });
        self.path.push(frame);
        Ok(true)
    }

    /// Remembers the address that an alias replaces, and the alias itself where it is that of
    /// `user@d` for `user+tag@d`.
    fn mark(&mut self, frame: &Frame, reached: Reached) {
        self.reached.insert(frame.key.clone(), reached);
        if !frame.is_wide() && frame.source != frame.key {
            self.reached.insert(frame.source.clone(), reached);
        }
    }

    /// An address at its end. `invented`: its local part stands in no row, so that an odd one could be
    /// meant for somebody behind us (SR-10).
    fn end(
        &mut self,
        keys: &Keys,
        address: &Address,
        end: End,
        invented: bool,
    ) -> Result<(), Refusal> {
        let choice = self.transport(keys)?;
        let text = address.to_string();
        let destination = match (choice, end) {
            (Choice::Refuse { code, status, text }, _) => {
                return self.dead(&keys.full, Refusal::Transport { code, status, text });
            }
            (Choice::Discard, _) => Destination::Discard { address: text },
            (Choice::None, End::Mailbox(user)) => Destination::Mailbox {
                user,
                address: text,
            },
            (Choice::None, End::Out { srs }) => Destination::Queue {
                address: text,
                srs,
                transport: self.default_route()?,
            },
            (Choice::Through(transport), end) => Destination::Queue {
                address: text,
                srs: matches!(end, End::Out { srs: true }),
                transport: Some(transport),
            },
        };
        let stays = self.path.last().is_some_and(|frame| frame.stays);
        if matches!(destination, Destination::Queue { .. })
            && (stays || (invented && keys.is_odd()))
        {
            return self.dead(&keys.full, Refusal::Foreign);
        }
        self.keep(keys, destination)
    }

    fn transport(&mut self, keys: &Keys) -> Result<Choice, Refusal> {
        if !self.transports || !self.directory.any_transport()? {
            return Ok(Choice::None);
        }
        let Some((pattern, target)) = transport::find(self.directory, keys)? else {
            return Ok(Choice::None);
        };
        self.steps.push(Step::Transport {
            pattern,
            target: target.clone(),
        });
        Ok(transport::choose(self.directory, &target)?)
    }

    /// The route for what nobody here hosts. One that is gone loses no mail.
    fn default_route(&self) -> Result<Option<String>, LookupFailed> {
        if !self.transports {
            return Ok(None);
        }
        match self.directory.default_route()? {
            None => Ok(None),
            Some(name) if self.directory.route(&name)? => Ok(Some(format!("relay:{name}"))),
            Some(_) => Err(LookupFailed),
        }
    }

    fn keep(&mut self, keys: &Keys, destination: Destination) -> Result<(), Refusal> {
        // A single address ends once: there is nothing to compare.
        if !self.path.is_empty() {
            let once = match &destination {
                Destination::Mailbox { user, .. } => Once::Mailbox(*user),
                Destination::Discard { .. } | Destination::Queue { .. } => {
                    Once::Address(keys.full.clone())
                }
            };
            if !self.once.insert(once) {
                self.steps.push(Step::Again {
                    address: keys.full.clone(),
                });
                return Ok(());
            }
        }
        if self.found.len() >= RESULTS_MAX {
            return Err(Refusal::TooMany);
        }
        self.steps.push(Step::Winner(destination.clone()));
        self.found.push(destination);
        Ok(())
    }

    /// A dead end; it is the whole's end where it is only one for now.
    fn dead(&mut self, address: &str, refusal: Refusal) -> Result<(), Refusal> {
        self.steps.push(Step::Dead {
            address: address.to_owned(),
            refusal: refusal.clone(),
        });
        if refusal.is_temporary() {
            return Err(refusal);
        }
        self.dead.get_or_insert(refusal);
        Ok(())
    }

    fn circle(&mut self, key: String) -> Refusal {
        let from = self.path.iter().position(|frame| frame.is(&key));
        let keys = self.path.iter().skip(from.unwrap_or(0));
        let mut chain: Vec<_> = keys.map(|frame| frame.key.clone()).collect();
        chain.push(key);
        self.steps.push(Step::Loop { chain });
        Refusal::AliasLoop
    }
}
