//! What `alias test` and `transport test` found: each step and the end (FW-13).

use serde::{Deserialize, Serialize};

use crate::{
    base::id::UserId,
    routing::{Destination, Refusal, Routed},
};

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
    /// Of an address that was routed; `who` has a mailbox.
    #[must_use]
    pub fn of(address: String, routed: &Routed, who: impl Fn(UserId) -> Option<String>) -> Self {
        use crate::routing::Step;
        let steps = routed.steps.iter();
        let steps = steps.filter(|step| !matches!(step, Step::Winner(_)));
        Self {
            address,
            found: routed.outcome.is_ok(),
            steps: steps.map(ToString::to_string).collect(),
            end: match &routed.outcome {
                Ok(all) => all.iter().map(|end| ended(end, &who)).collect(),
                // What an admin most likely wants to know of an address elsewhere.
                Err(Refusal::Foreign) => {
                    let text = "refused: not to be passed on from here for strangers; who has \
                         logged in may send there";
                    vec![text.to_owned()]
                }
                Err(refusal @ Refusal::Transport { .. }) => vec![refusal.to_string()],
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

/// An end, with the name of the mailbox where that is another than the address.
fn ended(end: &Destination, who: &impl Fn(UserId) -> Option<String>) -> String {
    match end {
        Destination::Mailbox { user, address } => match who(*user) {
            Some(person) if !person.eq_ignore_ascii_case(address) => {
                format!("{address}: delivered to the mailbox of {person}")
            }
            _ => end.to_string(),
        },
        _ => end.to_string(),
    }
}
