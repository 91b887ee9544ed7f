//! `mail trace`: what became of a message, as a story (ST-4, UX-100). From the log's ring, and from the
//! queue for what still waits.

mod find;
mod tell;

#[cfg(test)]
mod tests;

use std::{collections::HashSet, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::service::operate::{
    Context, Kind, Problem, Reply,
    queue::{self, Filter},
};

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

/// What is said where there is no log.
const STOPPED: &str = "the log is in the memory of the running box, and it does not run (pillarbox serve); \
                       what it wrote before is with your service manager: journalctl -u pillarbox";

pub(super) async fn operate(context: &Context<'_>, request: Request) -> Result<Reply, Problem> {
    let Some(log) = context.log.clone() else {
        return Err(Problem::new(Kind::NotRunning, STOPPED));
    };
    let what = request.what.trim().trim_matches(['<', '>']).to_owned();
    if what.len() < 3 || what.len() > 320 || what.chars().any(char::is_control) {
        let text = "give an address, or the name of a message as the log has it (queued as)";
        return Err(Problem::new(Kind::BadData, text));
    }
    let wanted = find::Wanted::new(&what);
    // Unpacking the ring takes a while.
    let stories = blocking::unblock(move || find::find(&log, &wanted)).await;
    Ok(Reply::Stories(with_queue(context, stories, &what)?))
}

/// What became of a message of one recipient, and whether somebody has it.
pub(super) async fn fate(context: &Context<'_>, id: &str) -> Option<(bool, String)> {
    let (log, wanted) = (context.log.clone()?, find::Wanted::new(id));
    let stories = blocking::unblock(move || find::find(&log, &wanted)).await;
    let story = stories
        .into_iter()
        .find(|story| story.id.as_deref() == Some(id))?;
    let mut events = story.events.into_iter().rev();
    let event = events.find(|event| event.log.starts_with("to=<"))?;
    Some((event.log.contains(" status=sent"), event.text))
}

/// What waits, with how it waits: also what the log has forgotten.
fn with_queue(
    context: &Context<'_>,
    mut stories: Vec<Story>,
    what: &str,
) -> Result<Vec<Story>, Problem> {
    let mut waiting = Vec::new();
    if what.contains('@') {
        for filter in [
            Filter {
                to: Some(what.to_owned()),
                ..Filter::default()
            },
            Filter {
                from: Some(what.to_owned()),
                ..Filter::default()
            },
        ] {
            waiting.extend(queue::first(context, &filter)?);
        }
    } else if let Some(row) = queue::named(context, what)? {
        waiting.push(row);
    }
    let mut seen = HashSet::new();
    for row in waiting
        .into_iter()
        .filter(|row| seen.insert(row.id.clone()))
    {
        let id = row.id.clone();
        let at = stories
            .iter()
            .position(|story| story.id.as_ref() == Some(&id));
        let event = Event {
            time: row.arrived.clone(),
            text: queue::text(std::slice::from_ref(&row)).join("; "),
            log: String::new(),
        };
        match at.and_then(|at| stories.get_mut(at)) {
            Some(story) => {
                story.waits = true;
                let time = context.now.rfc3339();
                story.events.push(Event { time, ..event });
            }
            None => stories.push(Story {
                id: Some(id),
                events: vec![event],
                waits: true,
            }),
        }
    }
    Ok(stories)
}

pub(super) fn text(stories: &[Story]) -> Vec<String> {
    let mut lines = Vec::new();
    if stories.is_empty() {
        return vec!["nothing in the log that is kept, and nothing waits".to_owned()];
    }
    for story in stories {
        lines.push(match (&story.id, story.waits) {
            (Some(id), true) => format!("{id} (waits)"),
            (Some(id), false) => id.clone(),
            (None, _) => "refused".to_owned(),
        });
        let told = |event: &Event| format!("  {}  {}", event.time, queue::plain(&event.text));
        lines.extend(story.events.iter().map(told));
    }
    lines
}
