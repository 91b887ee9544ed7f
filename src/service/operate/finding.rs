//! What a self-test found: what is wrong, what it breaks, one next step (`spec/ux.md` 3.0 rule 2).
//! `doctor` and `domain check` tell it alike.

use serde::{Deserialize, Serialize};

/// How one thing is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Ok,
    /// Nobody could tell now: never a failure (UX-112).
    Unknown,
    Warning,
    Failing,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Finding {
    pub state: State,
    /// What was looked at, in words before acronyms: `Mail server record (MX) of home.test`.
    pub what: String,
    /// What was found.
    pub found: String,
    /// What does not work because of it; empty where all is well.
    pub breaks: String,
    /// One next step; empty where there is none.
    pub next: String,
}

impl Finding {
    #[must_use]
    pub fn ok(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            state: State::Ok,
            what: what.into(),
            found: found.into(),
            breaks: String::new(),
            next: String::new(),
        }
    }

    #[must_use]
    pub fn new(
        state: State,
        what: impl Into<String>,
        found: impl Into<String>,
        breaks: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self {
            state,
            breaks: breaks.into(),
            next: next.into(),
            ..Self::ok(what, found)
        }
    }
}

pub(super) fn text(findings: &[Finding]) -> Vec<String> {
    let mut lines = Vec::new();
    for finding in findings {
        let word = match finding.state {
            State::Ok => "ok",
            State::Unknown => "could not tell",
            State::Warning => "warning",
            State::Failing => "failing",
        };
        lines.push(format!("{word}: {}: {}", finding.what, finding.found));
        for part in [&finding.breaks, &finding.next] {
            if !part.is_empty() {
                lines.push(format!("    {part}"));
            }
        }
    }
    lines
}

/// 0 = all is well (or could not be told), 1 = a warning, 2 = something fails.
pub(super) fn exit(findings: &[Finding]) -> u8 {
    let one = |finding: &Finding| match finding.state {
        State::Ok | State::Unknown => 0,
        State::Warning => 1,
        State::Failing => 2,
    };
    findings.iter().map(one).max().unwrap_or_default()
}
