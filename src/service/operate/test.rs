//! What `alias test` and `transport test` found: each step and the end (FW-13).

use serde::{Deserialize, Serialize};

use crate::routing::Routed;

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Report {
    pub address: String,
    /// Whether mail would be taken, or a transport matches.
    pub found: bool,
    /// What was looked at, in its order.
    pub steps: Vec<String>,
    /// Where the mail goes, a line each; or why it is refused.
    pub end: Vec<String>,
}

impl Report {
    /// Of an address that was routed.
    #[must_use]
    pub fn of(address: String, routed: &Routed) -> Self {
        use crate::routing::Step;
        let steps = routed.steps.iter();
        let steps = steps.filter(|step| !matches!(step, Step::Winner(_)));
        Self {
            address,
            found: routed.outcome.is_ok(),
            steps: steps.map(ToString::to_string).collect(),
            end: match &routed.outcome {
                Ok(all) => all.iter().map(ToString::to_string).collect(),
                Err(refusal) => vec![format!("refused: {refusal}")],
            },
        }
    }

    pub(super) fn text(&self) -> Vec<String> {
        let steps = self.steps.iter().map(|step| format!("  {step}"));
        let end = self.end.iter().map(|end| format!("=> {end}"));
        steps.chain(end).collect()
    }

    pub(super) fn exit(&self) -> u8 {
        u8::from(!self.found)
    }
}
