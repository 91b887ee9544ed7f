//! `doctor`: what is wrong with the box, what it breaks, one next step (WB-2).

use crate::service::operate::{Context, Kind, Problem, Reply, status};

pub(super) async fn operate(context: &Context<'_>) -> Result<Reply, Problem> {
    if context.running.is_none() {
        return Err(Problem::new(Kind::NotRunning, status::NOT_RUNNING));
    }
    Ok(Reply::Findings(Vec::new()))
}
