//! COPY and MOVE.

use std::{
    collections::BTreeSet,
    ops::{ControlFlow, RangeInclusive},
};

use crate::{
    base::{
        id::{FolderId, Uid},
        ranges::Ranges,
    },
    store::{
        Broken, Refusal,
        apply::Context,
        change::{Change, Copied},
        decide::Numbers,
        directory,
        index::{
            key,
            table::{Rows, Tables},
        },
        mailbox::{self, Folder},
        message::{self, Message, UNCOUNTED, journal},
    },
};

/// What a message's row and its part of a content's row take in the index, in octets, at most.
pub const ROW: u64 = 96;

/// Decides a COPY or MOVE: names exactly the messages that are there. `None`: none is.
///
/// # Errors
///
/// For good: [`Refusal::NoFolder`], [`Refusal::OverQuota`], [`Refusal::Limit`] of UIDs and MODSEQs
/// (keywords that the target has no place for are left out). For now: [`Refusal::Full`] when the rows
/// of a COPY would not fit on the disk.
pub fn decide(
    rows: &impl Rows,
    numbers: &Numbers,
    from: FolderId,
    to: FolderId,
    uids: &Ranges,
    moves: bool,
) -> Result<Option<Change>, Refusal> {
    let source = mailbox::folder(rows, from)?.ok_or(Refusal::NoFolder)?;
    let target = mailbox::folder(rows, to)?.ok_or(Refusal::NoFolder)?;
    let (mut there, mut size, mut used) = (Ranges::new(), 0_u64, BTreeSet::new());
    message::scan(rows, from, uids, &mut |uid, message| {
        there.insert(uid.0);
        size = size.saturating_add(message.size);
        used.extend(message.keywords);
        Ok(ControlFlow::Continue(()))
    })?;
    if there.is_empty() {
        return Ok(None);
    }
    if !moves {
        if there.count().saturating_mul(2 * ROW) > numbers.index_room {
            return Err(Refusal::Full);
        }
        within_quota(rows, target.user, size)?;
    }
    let used: Vec<(u16, String)> = used
        .into_iter()
        .filter_map(|place| Some((place, source.keywords.get(usize::from(place))?.clone())))
        .collect();
    let mut known = target.clone();
    let (mut names, mut keywords) = (Vec::new(), Vec::new());
    for (place, name) in used {
        // A message without its label is better than one that cannot be put into Trash or Archive.
        let Ok((places, new)) = mailbox::keywords(&known, &[name], numbers.keywords_max) else {
            continue;
        };
        known.keywords.extend(new.iter().cloned());
        names.extend(new);
        keywords.extend(places.first().map(|&there| (place, there)));
    }
    let first = target.uid_next;
    let last = u64::from(first.0).saturating_add(there.count());
    if last > u64::from(u32::MAX) {
        return Err(Refusal::Limit {
            name: "UIDs",
            limit: u64::from(u32::MAX),
        });
    }
    let from_modseq = mailbox::next_modseq(&source)?;
    let modseq = mailbox::next_modseq(&target)?;
    let copied = Copied {
        from,
        to,
        uids: there,
        first,
        from_modseq,
        modseq,
        keywords,
        names,
    };
    Ok(Some(if moves {
        Change::Move(copied)
    } else {
        Change::Copy(copied)
    }))
}

fn within_quota(rows: &impl Rows, user: crate::base::id::UserId, size: u64) -> Result<(), Refusal> {
    let quota = directory::user(rows, user)?.map_or(0, |user| user.quota);
    let wanted = directory::usage::usage(rows, user)?
        .octets
        .saturating_add(size);
    if quota > 0 && wanted > quota {
        return Err(Refusal::OverQuota {
            limit: quota,
            wanted,
        });
    }
    Ok(())
}

/// Applies a COPY or MOVE. Numbers are taken whether or not the messages are there.
///
/// # Errors
///
/// The index fails.
pub fn apply(
    tables: &mut Tables<'_>,
    at: &Context,
    copied: &Copied,
    moves: bool,
) -> Result<(), Broken> {
    let Some(target) = mailbox::folder(tables, copied.to)? else {
        return Ok(());
    };
    let source = mailbox::folder(tables, copied.from)?;
    // Of a folder that is gone nothing is left, whatever rows still wait to be removed.
    let there = source.is_some();
    let moves = moves && there;
    let source = source.filter(|_| copied.from != copied.to);
    let mut ends = Ends { source, target };
    let target = &mut ends.target;
    target.keywords.extend(copied.names.iter().cloned());
    target.modseq = target.modseq.max(copied.modseq);
    let last = u64::from(copied.first.0).saturating_add(copied.uids.count());
    let next = u32::try_from(last).unwrap_or(u32::MAX);
    target.uid_next = target.uid_next.max(Uid(next));
    let (none, mut ranks) = (Ranges::new(), Ranks::new(&copied.uids));
    message::for_each(
        tables,
        copied.from,
        if there { &copied.uids } else { &none },
        &mut |tables, uid, old| {
            let to = u64::from(copied.first.0).saturating_add(ranks.before(uid));
            let to = Uid(u32::try_from(to).unwrap_or(u32::MAX));
            let mut new = Message {
                keywords: map(&old.keywords, &copied.keywords),
                modseq: copied.modseq,
                ..old.clone()
            };
            if moves {
                return ends.shift(tables, at, copied, (uid, &old), (to, &new));
            }
            new.flags = old.flags.without(UNCOUNTED);
            message::put(tables, copied.to, &mut ends.target, to, &new)
        },
    )?;
    if moves {
        let modseq = match &ends.source {
            Some(_) => copied.from_modseq,
            None => copied.modseq,
        };
        let row = ends.source();
        row.modseq = row.modseq.max(modseq);
        journal::vanished(tables, copied.from, row, modseq, &copied.uids)?;
    }
    if let Some(source) = ends.source
        && moves
    {
        message::put_folder(tables, copied.from, source)?;
    }
    message::put_folder(tables, copied.to, ends.target)
}

/// The folders of a COPY or MOVE.
struct Ends {
    /// `None`: it is the target.
    source: Option<Folder>,
    target: Folder,
}

impl Ends {
    fn source(&mut self) -> &mut Folder {
        self.source.as_mut().unwrap_or(&mut self.target)
    }

    /// Moves one message.
    fn shift(
        &mut self,
        tables: &mut Tables<'_>,
        at: &Context,
        copied: &Copied,
        (uid, old): (Uid, &Message),
        (to, new): (Uid, &Message),
    ) -> Result<(), Broken> {
        let key = key::message(copied.to, to);
        let user = self.target.user;
        if self.source().user != user || tables.has(&key)? {
            // In first, out second: the content never counts as unnamed in between.
            message::put(tables, copied.to, &mut self.target, to, new)?;
            return message::take(tables, at, copied.from, self.source(), uid, old);
        }
        // As many have the content as before, and as much counts for the quota.
        tables.set(&key, new)?;
        tables.remove(&key::message(copied.from, uid))?;
        self.target.count_in(to, new);
        self.source().count_out(uid, old);
        Ok(())
    }
}

/// How many of a set are below each of its members, asked in ascending order.
struct Ranks<'a> {
    spans: Box<dyn Iterator<Item = RangeInclusive<u32>> + 'a>,
    span: Option<RangeInclusive<u32>>,
    /// How many are below `span`.
    below: u64,
}

impl<'a> Ranks<'a> {
    fn new(uids: &'a Ranges) -> Self {
        let mut spans = Box::new(uids.spans());
        Self {
            span: spans.next(),
            spans,
            below: 0,
        }
    }

    fn before(&mut self, uid: Uid) -> u64 {
        while let Some(span) = self.span.take_if(|span| *span.end() < uid.0) {
            let width = u64::from(span.end().saturating_sub(*span.start())).saturating_add(1);
            self.below = self.below.saturating_add(width);
            self.span = self.spans.next();
        }
        let start = self.span.as_ref().map_or(uid.0, |span| *span.start());
        self.below
            .saturating_add(u64::from(uid.0.saturating_sub(start)))
    }
}

fn map(places: &[u16], mapping: &[(u16, u16)]) -> Vec<u16> {
    let mut out: Vec<u16> = places
        .iter()
        .filter_map(|place| {
            let found = mapping.binary_search_by_key(place, |(from, _)| *from);
            Some(mapping.get(found.ok()?)?.1)
        })
        .collect();
    out.sort_unstable();
    out
}
