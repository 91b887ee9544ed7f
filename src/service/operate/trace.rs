//! `mail trace`: what became of a message, as a story (ST-4, UX-100). From the log's ring, and from the
//! queue for what still waits.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::service::operate::{Context, Kind, Problem, Reply};

/// The log's ring: the block of lines with this number, or the first one behind it that is still there,
/// with its number. The last one is not full yet.
#[derive(Clone)]
pub struct Log(pub Arc<dyn Fn(u64) -> Option<(u64, String)> + Send + Sync>);

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Log")
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Request {
    /// An address, or the name of a message ("queued as").
    pub what: String,
}

/// What is known of one message, or of one that was refused.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Story {
    /// `None`: refused before it had a name.
    pub id: Option<String>,
    pub events: Vec<Event>,
    /// It waits in the queue now.
    pub waits: bool,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Event {
    pub time: String,
    /// What happened, for people.
    pub text: String,
    /// The log's words.
    pub log: String,
}

pub(super) async fn operate(context: &Context<'_>, request: Request) -> Result<Reply, Problem> {
    let _ = (context, request);
    Err(Problem::new(Kind::NotRunning, "not in this version"))
}

pub(super) fn text(stories: &[Story]) -> Vec<String> {
    let mut lines = Vec::new();
    for story in stories {
        let id = story.id.as_deref().unwrap_or("refused");
        lines.push(id.to_owned());
        lines
            .extend((story.events.iter()).map(|event| format!("  {}  {}", event.time, event.text)));
    }
    lines
}
