//! Reading what found messages are arranged by, from their rows.

use std::ops::ControlFlow;

use super::{on_pool, tell};
use crate::{
    base::{memory::Held, ranges::Ranges},
    mail::summary::Head,
    proto::imap::session::Completion,
    service::imap::{
        Imap,
        pace::Pace,
        refusal::no_memory,
        rest::Rest,
        selected::{Places, Reached},
        sort::Keys,
        summary::Made,
        thread::Threading,
    },
    store::{content::Pins, message::Message},
};

/// What is collected of one command may take, in octets.
const OCTETS_MAX: u64 = 64 * 1024 * 1024;
/// What is counted against the ceiling at once, in octets.
const STEP: u64 = 256 * 1024;

/// What is collected of messages.
#[derive(Debug, Default)]
pub enum Sink {
    #[default]
    None,
    Sort(Keys),
    Thread(Threading),
}

impl Sink {
    fn wants_head(&self) -> bool {
        match self {
            Self::None => false,
            Self::Sort(keys) => keys.wants_head(),
            Self::Thread(_) => true,
        }
    }

    fn take(&mut self, number: u32, row: &Message, head: &Head<'_>) {
        match self {
            Self::None => {}
            Self::Sort(keys) => keys.take(number, row, head),
            Self::Thread(threading) => threading.take(number, row, head),
        }
    }

    /// Of memory, with what the answer will take.
    fn octets(&self) -> u64 {
        match self {
            Self::None => 0,
            Self::Sort(keys) => keys.octets(),
            Self::Thread(threading) => threading.octets(),
        }
    }

    /// The whole answer. Takes time: for the pool.
    fn answer(self) -> Vec<u8> {
        match self {
            Self::None => Vec::new(),
            Self::Sort(keys) => keys.answer(),
            Self::Thread(threading) => threading.answer(),
        }
    }
}

#[derive(Debug)]
pub struct Collect {
    rest: Rest,
    uid: bool,
    sink: Sink,
    reached: Reached,
    /// The last summaries that had to be made from content.
    made: Vec<Made>,
    pins: Pins,
    held: Vec<Held>,
}

impl Collect {
    pub fn new(sink: Sink, uid: bool, found: &Ranges) -> Self {
        Self {
            rest: Rest::from(found),
            uid,
            sink,
            reached: Reached::default(),
            made: Vec::new(),
            pins: Pins::default(),
            held: Vec::new(),
        }
    }

    pub fn is_done(&self) -> bool {
        self.rest.is_empty()
    }
}

impl Imap {
    /// Goes on for one slice.
    pub(super) async fn collect(&mut self, collect: &mut Collect) -> Result<(), Completion> {
        let shared = self.shared.clone();
        let selected = self.open()?;
        let pace = Pace::new(&shared);
        let wants_head = collect.sink.wants_head();
        let Collect {
            rest,
            uid: by_uid,
            sink,
            reached,
            made,
            ..
        } = &mut *collect;
        let mut lacking = false;
        shared.store.read(|reader| {
            let mut places = Places::resume(selected.view.uids(), *reached);
            let mut failed = None;
            let mut first = true;
            rest.slice(reader, selected.folder(), |uid, row| {
                if !std::mem::take(&mut first) && pace.is_over() {
                    return ControlFlow::Break(());
                }
                let number = if *by_uid { uid.0 } else { places.of(uid.0) };
                if !wants_head {
                    sink.take(number, row, &Head::default());
                    return ControlFlow::Continue(());
                }
                if let Some((_, summary)) = made.iter().find(|made| made.0 == row.content) {
                    sink.take(number, row, &summary.head);
                    return ControlFlow::Continue(());
                }
                let taken = reader.summary(row.content, |octets| {
                    let head = Head::decode(octets)?;
                    sink.take(number, row, &head);
                    Some(())
                });
                match taken {
                    Ok(Some(Some(()))) => return ControlFlow::Continue(()),
                    Ok(_) => lacking = true,
                    Err(broken) => failed = Some(broken),
                }
                ControlFlow::Break(())
            })?;
            *reached = places.reached();
            failed.map_or(Ok(()), Err)
        })?;
        if lacking {
            collect.made = self.make_next(&collect.rest, &mut collect.pins).await?;
        }
        self.count(collect)
    }

    /// Counts what is collected (HD-4).
    fn count(&self, collect: &mut Collect) -> Result<(), Completion> {
        let octets = collect.sink.octets();
        if octets > OCTETS_MAX {
            return Err(Completion::no("Too much to arrange").with_code("LIMIT"));
        }
        while (collect.held.len() as u64).saturating_mul(STEP) < octets {
            let held = self.shared.memory.hold(STEP).ok_or_else(no_memory)?;
            collect.held.push(held);
        }
        Ok(())
    }

    /// Makes the answer.
    pub(super) async fn arrange(&mut self, collect: &mut Collect) -> (tell::Result, Vec<Held>) {
        let sink = std::mem::take(&mut collect.sink);
        let text = on_pool(&self.shared, move |_| sink.answer()).await;
        (tell::Result::of(text), std::mem::take(&mut collect.held))
    }
}
