//! ENABLE (RFC 5161), and the commands that imply it.

use super::super::command::{Command, FetchItem, SearchKey, StatusItem};
use super::super::response;
use super::{Completion, Enabled, Session};

impl Session {
    pub(super) fn enable(&mut self, names: &[String]) {
        let asked = |name: &str| names.iter().any(|n| n == name);
        let enabled = &mut self.enabled;
        let qresync = asked("QRESYNC");
        enabled.qresync |= qresync;
        // RFC 7162 section 3.2.3.
        enabled.condstore |= qresync || asked("CONDSTORE");
        enabled.utf8 |= asked("UTF8=ACCEPT");
        let known = ["CONDSTORE", "QRESYNC", "UTF8=ACCEPT"];
        let mut line = Vec::new();
        response::enabled(&mut line, known.into_iter().filter(|name| asked(name)));
        self.out.octets(line);
        self.complete(&Completion::ok("Enable completed."));
    }
}

/// What only works for clients that have enabled it (RFC 7162 sections 3.2.5 and 3.2.6).
pub(super) fn needed(command: &Command, enabled: Enabled) -> Result<(), Completion> {
    let qresync = match command {
        Command::Fetch(fetch) => fetch.vanished,
        Command::Select(select) => select.qresync.is_some(),
        _ => false,
    };
    if qresync && !enabled.qresync {
        return Err(Completion::bad("ENABLE QRESYNC first"));
    }
    Ok(())
}

/// Whether a command enables CONDSTORE (RFC 7162 section 3.1).
pub(super) fn implied(command: &Command) -> bool {
    match command {
        Command::Fetch(fetch) => {
            fetch.changed_since.is_some() || fetch.items.contains(&FetchItem::ModSeq)
        }
        Command::Search(search) => search.key.as_ref().is_some_and(has_modseq),
        Command::Select(select) => select.condstore,
        Command::Sort(sort) => has_modseq(&sort.key),
        Command::Status(status) => status.items.has(StatusItem::HighestModSeq),
        Command::Store(store) => store.unchanged_since.is_some(),
        Command::Thread(thread) => has_modseq(&thread.key),
        _ => false,
    }
}

/// Whether messages are searched by MODSEQ.
fn has_modseq(key: &SearchKey) -> bool {
    match key {
        SearchKey::And(keys) | SearchKey::Or(keys) => keys.iter().any(has_modseq),
        SearchKey::ModSeq(_) => true,
        SearchKey::Not(key) => has_modseq(key),
        _ => false,
    }
}
