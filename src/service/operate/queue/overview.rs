//! The queue in a few figures, for `status` and `doctor`.

use std::{fmt::Write as _, path::Path};

use super::{
    is_paused,
    text::{plain, span},
};
use crate::service::{
    operate::{self, Context, Problem},
    spool,
};

/// Lanes that are looked at in one go, and in all.
const SLICE: usize = 256;
const LANES_MAX: usize = 4096;
/// Lanes whose reason is told.
const TOLD: usize = 5;

/// How the queue is.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    pub waiting: u64,
    /// Since the oldest arrived.
    pub oldest_seconds: u64,
    pub paused: bool,
    /// There seems to be no network.
    pub offline: bool,
    /// Ways out whose last try failed.
    pub failing: usize,
    /// Of the first of them: the way out, how many wait for it, and what was said.
    pub reasons: Vec<(String, u64, String)>,
    /// In the spool folder, from sendmail, not yet in the queue.
    pub spooled: spool::Lies,
}

impl Overview {
    /// In one line.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = self.queued();
        if let Some(spooled) = spooled(&self.spooled) {
            text.push_str("; ");
            text.push_str(&spooled);
        }
        text
    }

    fn queued(&self) -> String {
        if self.waiting == 0 {
            return if self.paused {
                "nothing waits; sending is paused".to_owned()
            } else {
                "nothing waits".to_owned()
            };
        }
        let count = usize::try_from(self.waiting).unwrap_or(usize::MAX);
        let mut text = format!(
            "{}, the oldest for {}",
            operate::count(count, "message waits", "messages wait"),
            span(self.oldest_seconds)
        );
        if self.paused {
            text.push_str("; sending is paused (pillarbox queue resume)");
        }
        if self.offline {
            text.push_str("; there seems to be no network");
        }
        if let Some((lane, waiting, reason)) = self.reasons.first() {
            let _ = write!(text, "; for {lane} ({waiting}): {reason}");
        }
        if self.failing > 1 {
            let more = self.failing.saturating_sub(1);
            let _ = write!(
                text,
                "; {more} more do not take mail (pillarbox queue list)"
            );
        }
        text
    }
}

/// What lies in the spool folder, in words; `None`: nothing.
#[must_use]
pub fn spooled(lies: &spool::Lies) -> Option<String> {
    let mut parts = Vec::new();
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    if lies.messages > 0 {
        let messages = operate::count(count(lies.messages), "message", "messages");
        parts.push(format!(
            "{messages} from sendmail in the spool folder, the oldest for {}",
            span(lies.oldest)
        ));
    }
    if lies.aside > 0 {
        let files = operate::count(count(lies.aside), "file", "files");
        parts.push(format!("{files} put aside there (the log says why)"));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// # Errors
///
/// The store cannot be read.
pub fn overview(context: &Context<'_>) -> Result<Overview, Problem> {
    let mut found = context.store.read(|reader| {
        let totals = reader.queue_totals()?;
        let oldest = reader.queue(None, 1)?.pop();
        let age = oldest.map(|(_, entry)| super::list::age(&entry, context));
        Ok(Overview {
            waiting: totals.entries,
            oldest_seconds: age.unwrap_or_default(),
            paused: is_paused(reader)?,
            ..Overview::default()
        })
    })?;
    found.spooled = spool::lies(Path::new(&context.config.spool()));
    found.offline = context.outbound.is_some_and(|outbound| !outbound.is_up());
    let (mut after, mut looked) = (None::<String>, 0_usize);
    while looked < LANES_MAX {
        let slice = context
            .store
            .read(|reader| reader.lanes(after.as_deref(), SLICE))?;
        let Some((last, _)) = slice.last() else {
            break;
        };
        after = Some(last.clone());
        looked = looked.saturating_add(slice.len());
        for (name, lane) in slice {
            if lane.failures == 0 || lane.waiting == 0 {
                continue;
            }
            found.failing = found.failing.saturating_add(1);
            if found.reasons.len() < TOLD {
                let reason = plain(&lane.reason.unwrap_or_default());
                found.reasons.push((plain(&name), lane.waiting, reason));
            }
        }
    }
    Ok(found)
}
