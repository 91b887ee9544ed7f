//! SEARCH and UID SEARCH (RFC 3501 section 6.4.4, RFC 4731, RFC 5182), and what SORT and THREAD
//! share with them: finding messages, reading what they are arranged by, telling the answer.

mod collect;
mod content;
pub(super) mod decode;
mod fill;
mod key;
mod scan;
mod tell;

use self::{
    collect::Collect,
    scan::{Plan, Scan},
    tell::Result as Told,
};
use super::{
    Imap, Outcome, Running, SLICE_OCTETS,
    sync::{Tell, pieces},
};
use crate::{
    base::{memory::Held, ranges::Ranges, time::Instant},
    proto::imap::{
        command::{Search, SearchKey},
        session::{Answer, Completion},
    },
};

use self::scan::on_pool;
pub use self::{
    collect::Sink,
    fill::{Filling, fill},
};

/// A client that waits for long hears something now and then, in seconds: it knows that we are here,
/// and we learn whether it is.
const WORD: u64 = 10;

/// A SEARCH, SORT or THREAD that is carried out.
#[derive(Debug)]
pub struct Searching {
    stage: Stage,
    purpose: Purpose,
    uid: bool,
    /// When the client hears something at the latest.
    word: Instant,
}

#[derive(Debug)]
pub enum Purpose {
    Arrange(Box<Sink>),
    Search(Box<Search>),
}

#[derive(Debug)]
enum Stage {
    Scan(Box<Scan>),
    Collect(Box<Collect>),
    /// With what it holds of the ceiling for memory.
    Tell(Box<Told>, #[expect(dead_code, reason = "held")] Vec<Held>),
}

/// How far a command has come.
enum Said {
    All(Vec<u8>),
    Part(Vec<u8>),
}

impl Imap {
    pub(super) async fn search(&mut self, mut search: Search) -> Outcome {
        let Some(key) = search.key.take() else {
            self.open()?.save(Ranges::new());
            return Err(Completion::bad_charset());
        };
        let uid = search.uid;
        self.seek(&key, uid, Purpose::Search(Box::new(search)))
            .await
    }

    /// Begins to look for messages.
    pub(super) async fn seek(&mut self, key: &SearchKey, uid: bool, purpose: Purpose) -> Outcome {
        let shared = self.shared.clone();
        let selected = self.open()?;
        let row = shared.store.read(|reader| reader.folder(selected.folder()));
        let (keywords, failed) = match row {
            Ok(row) => (row.map(|row| row.keywords).unwrap_or_default(), None),
            Err(broken) => (Vec::new(), Some(broken)),
        };
        let now = shared.world.time();
        let plan = Plan::new(key::compile(key, selected, &keywords, now));
        let scan = Scan::new(plan, selected.view.uids());
        let searching = Box::new(Searching {
            stage: Stage::Scan(Box::new(scan)),
            purpose,
            uid,
            word: shared.world.now().plus_seconds(WORD),
        });
        match failed {
            Some(broken) => Ok(self.search_failed(&searching, broken.into())),
            None => Ok(self.search_more(searching).await),
        }
    }

    /// Goes on.
    pub(super) async fn search_more(&mut self, mut searching: Box<Searching>) -> Answer {
        match self.search_on(&mut searching).await {
            Ok(Said::Part(out)) => {
                self.running = Some(Running::Searching(searching));
                Answer::More(pieces(out))
            }
            Ok(Said::All(out)) => {
                let completion = Completion::ok(match &searching.purpose {
                    Purpose::Search(_) => "Search completed.",
                    Purpose::Arrange(_) => "Completed.",
                });
                self.finish(out, completion, tell(searching.uid))
            }
            Err(completion) => self.search_failed(&searching, completion),
        }
    }

    /// A search that fails with NO empties `$` if it was to fill it (RFC 5182 section 2.1).
    fn search_failed(&mut self, searching: &Searching, completion: Completion) -> Answer {
        if let Purpose::Search(search) = &searching.purpose
            && search.returns.is_some_and(|returns| returns.save)
            && let Some(selected) = self.selected.as_deref_mut()
        {
            selected.save(Ranges::new());
        }
        self.finish(Vec::new(), completion, tell(searching.uid))
    }

    async fn search_on(&mut self, searching: &mut Searching) -> Result<Said, Completion> {
        loop {
            let next = match &mut searching.stage {
                Stage::Scan(scan) if scan.is_done() => {
                    Some(self.found(scan, &mut searching.purpose, searching.uid)?)
                }
                Stage::Scan(scan) => {
                    self.scan(scan).await?;
                    None
                }
                Stage::Collect(collect) if collect.is_done() => {
                    let (told, held) = self.arrange(collect).await;
                    Some(Stage::Tell(Box::new(told), held))
                }
                Stage::Collect(collect) => {
                    self.collect(collect).await?;
                    None
                }
                Stage::Tell(told, _) => {
                    let mut out = Vec::new();
                    let done = told.write(&mut out, SLICE_OCTETS);
                    return Ok(if done {
                        Said::All(out)
                    } else {
                        Said::Part(out)
                    });
                }
            };
            if let Some(stage) = next {
                searching.stage = stage;
            }
            smol::future::yield_now().await;
            let now = self.shared.world.now();
            if now >= searching.word {
                searching.word = now.plus_seconds(WORD);
                return Ok(Said::Part(b"* OK Still searching.\r\n".to_vec()));
            }
        }
    }

    /// All that match are known.
    fn found(
        &mut self,
        scan: &mut Scan,
        purpose: &mut Purpose,
        uid: bool,
    ) -> Result<Stage, Completion> {
        let modseq = scan.has_mod_seq();
        let found = std::mem::take(&mut scan.found);
        let selected = self.open()?;
        let search = match purpose {
            Purpose::Search(search) => search,
            Purpose::Arrange(sink) => {
                let collect = Collect::new(std::mem::take(&mut **sink), uid, &found.uids);
                return Ok(Stage::Collect(Box::new(collect)));
            }
        };
        let numbers = if uid {
            found.uids.clone()
        } else {
            selected.view.sequences(&found.uids)
        };
        let told = match search.returns {
            Some(returns) => {
                if returns.save {
                    selected.save(tell::saved(returns, &found.uids));
                }
                tell::extended(
                    &search.tag,
                    uid,
                    returns,
                    &numbers,
                    modseq.then_some(&found),
                )
            }
            None => tell::plain(&numbers, modseq.then_some(&found)),
        };
        Ok(Stage::Tell(Box::new(told), Vec::new()))
    }
}

fn tell(uid: bool) -> Tell {
    Tell {
        expunge: uid,
        own: None,
        uid,
    }
}
