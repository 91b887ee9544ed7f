//! Flags change.

use std::ops::ControlFlow;

use crate::{
    base::ranges::Ranges,
    mail::flag::Flags,
    store::{
        Broken, Refusal,
        change::{Change, Flagged},
        decide::Numbers,
        index::{
            key,
            table::{Rows, Tables},
        },
        mailbox,
        message::{self, Message, UNCOUNTED, journal},
        request::{Flag, FlagMode},
    },
};

/// What a decided STORE says to its client.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Left alone because of UNCHANGEDSINCE.
    pub failed: Ranges,
}

/// Decides a STORE: names exactly the messages that change. `None`: none does.
///
/// # Errors
///
/// For good: [`Refusal::NoFolder`], [`Refusal::Limit`] (keywords).
pub fn decide(
    rows: &impl Rows,
    numbers: &Numbers,
    flag: &Flag,
) -> Result<(Option<Change>, Outcome), Refusal> {
    let folder = mailbox::folder(rows, flag.folder)?.ok_or(Refusal::NoFolder)?;
    let (keywords, names) = match flag.mode {
        // What the folder does not know cannot be taken away.
        FlagMode::Remove => (mailbox::known_keywords(&folder, &flag.keywords), Vec::new()),
        FlagMode::Add | FlagMode::Replace => {
            mailbox::keywords(&folder, &flag.keywords, numbers.keywords_max)?
        }
    };
    let mut uids = Ranges::new();
    let mut outcome = Outcome::default();
    message::scan(rows, flag.folder, &flag.uids, &mut |uid, mut message| {
        if flag.unchanged_since.is_some_and(|s| message.modseq > s) {
            outcome.failed.insert(uid.0);
        } else if alter(&mut message, flag.mode, flag.flags, &keywords) {
            uids.insert(uid.0);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    if uids.is_empty() {
        return Ok((None, outcome));
    }
    let modseq = mailbox::next_modseq(&folder)?;
    let flagged = Flagged {
        folder: flag.folder,
        uids,
        mode: flag.mode,
        flags: flag.flags,
        keywords,
        names,
        modseq,
    };
    Ok((Some(Change::Flag(flagged)), outcome))
}

/// Applies new flags.
///
/// # Errors
///
/// The index fails.
pub fn apply(tables: &mut Tables<'_>, flagged: &Flagged) -> Result<(), Broken> {
    let Some(mut folder) = mailbox::folder(tables, flagged.folder)? else {
        return Ok(());
    };
    folder.keywords.extend(flagged.names.iter().cloned());
    folder.modseq = folder.modseq.max(flagged.modseq);
    message::for_each(
        tables,
        flagged.folder,
        &flagged.uids,
        &mut |tables, uid, mut message| {
            let before = message.flags;
            alter(&mut message, flagged.mode, flagged.flags, &flagged.keywords);
            message.modseq = flagged.modseq;
            folder.count_flags(uid, before, message.flags, message.size);
            tables.set(&key::message(flagged.folder, uid), &message)
        },
    )?;
    let id = flagged.folder;
    journal::changed(tables, id, &mut folder, flagged.modseq, &flagged.uids)?;
    message::put_folder(tables, id, folder)
}

/// Changes a message's flags; says whether that made a difference.
fn alter(message: &mut Message, mode: FlagMode, flags: Flags, keywords: &[u16]) -> bool {
    let (old_flags, old) = (message.flags, message.keywords.clone());
    match mode {
        FlagMode::Add => {
            message.flags = message.flags.with(flags);
            message.keywords.extend_from_slice(keywords);
        }
        FlagMode::Remove => {
            message.flags = message.flags.without(flags);
            message.keywords.retain(|k| !keywords.contains(k));
        }
        FlagMode::Replace => {
            message.flags = flags;
            message.keywords = keywords.to_vec();
        }
    }
    // That is no flag: nobody sets it or takes it away.
    message.flags = if old_flags.has(UNCOUNTED) {
        message.flags.with(UNCOUNTED)
    } else {
        message.flags.without(UNCOUNTED)
    };
    message.keywords.sort_unstable();
    message.keywords.dedup();
    old_flags != message.flags || old != message.keywords
}
