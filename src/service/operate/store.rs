//! `store`: check and rebuild.

use serde::{Deserialize, Serialize};

use crate::service::operate::{Context, Kind, Problem, Reply};

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub enum Request {
    Check,
    Rebuild,
}

/// What was read or made anew.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Report {
    /// What was done, in one line.
    pub text: String,
    /// Each place that cannot be read and what it held.
    pub damage: Vec<String>,
}

impl Report {
    pub(super) fn text(&self) -> Vec<String> {
        let mut lines = vec![self.text.clone()];
        lines.extend(self.damage.iter().map(|damage| format!("- {damage}")));
        lines
    }

    pub(super) fn exit(&self) -> u8 {
        if self.damage.is_empty() { 0 } else { 2 }
    }
}

#[expect(
    clippy::unused_async,
    reason = "the store will answer later than asked"
)]
pub(super) async fn operate(
    context: &Context<'_>,
    request: Request,
    dry_run: bool,
) -> Result<Reply, Problem> {
    match request {
        Request::Check => check(context).map(Reply::Store),
        Request::Rebuild if dry_run => Ok(Reply::Done(
            "would make the index anew from the log".to_owned(),
        )),
        Request::Rebuild => rebuild(context).map(Reply::Store),
    }
}

/// Reads everything.
fn check(_context: &Context<'_>) -> Result<Report, Problem> {
    Err(not_yet())
}

/// A new index from dump and log.
fn rebuild(_context: &Context<'_>) -> Result<Report, Problem> {
    Err(not_yet())
}

fn not_yet() -> Problem {
    Problem::new(Kind::NotAllowed, "the store does not offer this yet")
}
