//! `store`: check and rebuild.

use serde::{Deserialize, Serialize};

use crate::service::operate::{Context, Problem, Reply};

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

pub(super) async fn operate(
    context: &Context<'_>,
    request: Request,
    dry_run: bool,
) -> Result<Reply, Problem> {
    match request {
        Request::Check => check(context).await.map(Reply::Store),
        Request::Rebuild if dry_run => Ok(Reply::Done(
            "would make the index anew from the log".to_owned(),
        )),
        Request::Rebuild => rebuild(context).await.map(Reply::Store),
    }
}

/// Reads everything, beside all else.
async fn check(context: &Context<'_>) -> Result<Report, Problem> {
    let store = context.store.clone();
    let found = blocking::unblock(move || store.check()).await?;
    Ok(Report {
        text: format!(
            "read {} messages, {} contents, {} octets",
            found.messages, found.contents, found.octets
        ),
        damage: found.wrong,
    })
}

/// A new index from dump and log.
async fn rebuild(context: &Context<'_>) -> Result<Report, Problem> {
    context.store.rebuild().await?;
    check(context).await
}
