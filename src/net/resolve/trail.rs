//! From a name along its aliases to what it has.

use super::{
    ALIASES_MAX, Unfound,
    ask::{self, Server},
    message::{Data, Kind, is_name},
};
use crate::{base::time::Instant, net::world::World};

/// What a question came to.
#[derive(Clone, Debug)]
pub struct Outcome(pub Result<Set, Unfound>);

/// Records of one kind.
#[derive(Clone, Debug, Default)]
pub struct Set {
    pub records: Vec<Data>,
    pub authentic: bool,
    pub alias: bool,
}

impl Outcome {
    /// In octets, roughly.
    #[must_use]
    pub fn size(&self) -> usize {
        match &self.0 {
            Ok(set) => set.records.iter().map(Data::size).sum(),
            Err(Unfound::NoSuchName) => 0,
            Err(Unfound::NotHere(text) | Unfound::TryAgain(text)) => text.len(),
        }
    }
}

/// Longest that anything is believed, in seconds.
const DAY: u32 = 86_400;
/// The same for what is not there (RFC 2308 section 5 allows three).
const HOUR: u32 = 3_600;
/// For failures (RFC 9520 section 3.2), and for what is not there where nobody says for how long.
const MOMENT: u32 = 5;

/// The outcome, and how long it may be believed, in seconds; `heard` is called when a server answers.
pub async fn follow(
    world: &dyn World,
    servers: &[Server],
    name: &str,
    kind: Kind,
    deadline: Instant,
    heard: &dyn Fn(),
) -> (Outcome, u32) {
    let mut set = Set {
        authentic: true,
        ..Set::default()
    };
    let (mut name, mut aliases, mut least) = (name.to_owned(), 0, DAY);
    loop {
        let said = ask::ask(world, servers, &name, kind, deadline).await;
        let response = match said {
            Ok(response) => response,
            Err(unfound) => return (Outcome(Err(unfound)), MOMENT),
        };
        heard();
        aliases += response.aliases;
        if aliases > ALIASES_MAX {
            let text = "its aliases have no end".to_owned();
            return (Outcome(Err(Unfound::TryAgain(text))), MOMENT);
        }
        set.authentic &= response.authentic;
        set.alias |= response.target.is_some();
        let negative = response.negative.unwrap_or(MOMENT).min(HOUR);
        if response.is_no_such_name() {
            return (Outcome(Err(Unfound::NoSuchName)), least.min(negative));
        }
        least = least.min(response.ttl);
        match response.target {
            _ if !response.records.is_empty() => {
                set.records = response.records;
                return (Outcome(Ok(set)), least);
            }
            // The server did not follow it to its end.
            Some(target) if response.negative.is_none() => {
                if !is_name(&target) {
                    return (Outcome(Err(Unfound::NoSuchName)), least.min(negative));
                }
                name = target;
            }
            _ => return (Outcome(Ok(set)), least.min(negative)),
        }
    }
}
