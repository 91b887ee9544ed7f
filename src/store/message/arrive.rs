//! Messages arrive: deliveries and APPEND.

use std::collections::BTreeSet;

use crate::{
    base::id::{ContentId, FolderId, Uid, UserId},
    mail::flag::Flags,
    store::{
        Broken, Refusal,
        apply::Context,
        change::{Accepted, Change, Delivery},
        decide::Numbers,
        directory,
        index::{
            key,
            table::{Rows, Tables},
        },
        mailbox::{self, Folder},
        message::{self, Message, UNCOUNTED, content},
        queue,
        request::{Append, Deliver},
    },
};

/// Decides a delivery to all its recipients. When it fits into at least one mailbox, or waits for
/// somebody who is not here or takes it always, all get it, over quota by at most this message (ST-8).
///
/// # Errors
///
/// For good: [`Refusal::NoUser`], [`Refusal::NoFolder`], [`Refusal::OverQuota`], [`Refusal::Limit`],
/// [`Refusal::Exists`] (of a warning), [`Refusal::NoEntry`] (of outcomes).
pub fn decide_delivery(
    rows: &impl Rows,
    numbers: &mut Numbers,
    deliver: &Deliver,
) -> Result<Change, Refusal> {
    queue::decide_settles(rows, &deliver.settles)?;
    let size = deliver
        .body
        .size()
        .saturating_add(deliver.prefix.len() as u64);
    let mut seen = BTreeSet::new();
    let mut deliveries = Vec::new();
    let mut full = None;
    let mut fits = deliver.queue.is_some();
    let mut mark = Flags::NONE;
    if let Some((user, level)) = deliver.warns {
        if directory::usage::usage(rows, user)?.warned >= level {
            return Err(Refusal::Exists);
        }
        mark = UNCOUNTED;
    }
    for to in &deliver.to {
        let folder = match to.folder {
            Some(folder) => folder,
            None => mailbox::named(rows, to.user, mailbox::INBOX)?.ok_or(Refusal::NoUser)?,
        };
        if !seen.insert(folder) {
            continue;
        }
        let row = mailbox::folder(rows, folder)?.ok_or(Refusal::NoFolder)?;
        if mark == UNCOUNTED {
            fits = true;
        } else {
            // Whoever has gone since RCPT gets nothing any more; the sender asks again, and is told.
            let person = directory::user(rows, row.user)?
                .filter(|person| person.enabled && person.removed.is_none())
                .ok_or(Refusal::NoUser)?;
            match room(rows, row.user, person.quota, size)? {
                None => fits = true,
                _ if to.always => fits = true,
                over => full = full.or(over),
            }
        }
        let flags = to.flags.without(UNCOUNTED).with(mark);
        deliveries.push(delivery(numbers, folder, &row, 0, flags, &to.keywords)?);
    }
    match (fits, full) {
        (false, Some((limit, wanted))) => return Err(Refusal::OverQuota { limit, wanted }),
        (false, None) => return Err(Refusal::NoUser),
        (true, _) => {}
    }
    Ok(Change::Accept(vec![Accepted {
        content: deliver.body.content().unwrap_or_else(|| numbers.content()),
        prefix: deliver.prefix.clone(),
        size: deliver.body.size(),
        pieces: Vec::new(),
        summary: deliver.summary.clone(),
        date: deliver.received,
        deliveries,
        queued: deliver
            .queue
            .clone()
            .map(|queued| (numbers.queue(), queued)),
        warns: deliver.warns,
        settles: deliver.settles.clone(),
    }]))
}

/// Decides an APPEND.
///
/// # Errors
///
/// For good: [`Refusal::NoFolder`], [`Refusal::OverQuota`], [`Refusal::Limit`].
pub fn decide_append(
    rows: &impl Rows,
    numbers: &mut Numbers,
    append: &Append,
) -> Result<Change, Refusal> {
    let mut folder = mailbox::folder(rows, append.folder)?.ok_or(Refusal::NoFolder)?;
    let size = append.messages.iter().map(|m| m.body.size()).sum();
    let quota = directory::user(rows, folder.user)?.map_or(0, |user| user.quota);
    if let Some((limit, wanted)) = room(rows, folder.user, quota, size)? {
        return Err(Refusal::OverQuota { limit, wanted });
    }
    let mut accepted = Vec::new();
    for (nth, message) in (0..).zip(&append.messages) {
        let delivery = delivery(
            numbers,
            append.folder,
            &folder,
            nth,
            message.flags.without(UNCOUNTED),
            &message.keywords,
        )?;
        folder.keywords.extend(delivery.names.iter().cloned());
        accepted.push(Accepted {
            content: message.body.content().unwrap_or_else(|| numbers.content()),
            prefix: Vec::new(),
            size: message.body.size(),
            pieces: Vec::new(),
            summary: message.summary.clone(),
            date: message.date,
            deliveries: vec![delivery],
            queued: None,
            warns: None,
            settles: Vec::new(),
        });
    }
    Ok(Change::Accept(accepted))
}

/// Limit and what would be used, if `size` more octets are over the quota.
fn room(
    rows: &impl Rows,
    user: UserId,
    quota: u64,
    size: u64,
) -> Result<Option<(u64, u64)>, Broken> {
    if quota == 0 {
        return Ok(None);
    }
    let wanted = directory::usage::usage(rows, user)?
        .octets
        .saturating_add(size);
    Ok((wanted > quota).then_some((quota, wanted)))
}

/// The `nth` new message of one change.
fn delivery(
    numbers: &Numbers,
    id: FolderId,
    folder: &Folder,
    nth: u32,
    flags: Flags,
    keywords: &[String],
) -> Result<Delivery, Refusal> {
    let (keywords, names) = mailbox::keywords(folder, keywords, numbers.keywords_max)?;
    let uid = folder.uid_next.0.checked_add(nth);
    // The last number stays free: UIDNEXT has to name one that is not given yet.
    let uid = uid.filter(|&uid| uid < u32::MAX).ok_or(Refusal::Limit {
        name: "UIDs",
        limit: u64::from(u32::MAX),
    })?;
    Ok(Delivery {
        folder: id,
        uid: Uid(uid),
        modseq: mailbox::next_modseq(folder)?,
        flags,
        keywords,
        names,
    })
}

/// Applies arrivals.
///
/// # Errors
///
/// The index fails.
pub fn apply(tables: &mut Tables<'_>, at: &Context, accepted: &[Accepted]) -> Result<(), Broken> {
    for accepted in accepted {
        content::add(tables, accepted)?;
        for delivery in &accepted.deliveries {
            // The folder is gone: damage before this change. The others get theirs.
            if let Some(folder) = mailbox::folder(tables, delivery.folder)? {
                arrive(tables, accepted.content, folder, accepted, delivery)?;
            }
        }
        if let Some((id, queued)) = &accepted.queued {
            queue::add(tables, accepted, *id, queued)?;
        }
        queue::settle_all(tables, at, &accepted.settles)?;
        if let Some((user, level)) = accepted.warns {
            directory::usage::warn(tables, user, level)?;
        }
        drop_if_unnamed(tables, at, accepted.content)?;
    }
    Ok(())
}

fn arrive(
    tables: &mut Tables<'_>,
    id: ContentId,
    mut folder: Folder,
    accepted: &Accepted,
    delivery: &Delivery,
) -> Result<(), Broken> {
    folder.keywords.extend(delivery.names.iter().cloned());
    let row = Message {
        flags: delivery.flags,
        keywords: delivery.keywords.clone(),
        modseq: delivery.modseq,
        size: accepted.octets(),
        date: accepted.date,
        content: id,
    };
    folder.raise(delivery.uid, delivery.modseq);
    message::put(tables, delivery.folder, &mut folder, delivery.uid, &row)?;
    tables.set(&key::folder(delivery.folder), &folder)
}

fn drop_if_unnamed(tables: &mut Tables<'_>, at: &Context, id: ContentId) -> Result<(), Broken> {
    match content::row(tables, id)? {
        Some(row) if row.messages == 0 => content::drop_unnamed(tables, at, id, &row),
        _ => Ok(()),
    }
}
