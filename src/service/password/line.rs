//! The line before the one hash that is worked on (its memory is what the profile allows): devices
//! that are known go first, then addresses that did nothing wrong, and nobody waits behind a crowd
//! that tries the same account.

use std::{
    cell::RefCell,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

/// Who may wait. On a slow machine a hash takes a second: more would only wait in vain.
const WAITING_MAX: usize = 96;
/// Who may wait for one account, known devices aside.
const ACCOUNT_MAX: u32 = 16;

/// Who goes first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Class {
    /// The admin, and devices that have logged in to this account before.
    Known,
    /// An address that has done nothing wrong.
    Fresh,
    /// An address that had something wrong.
    Failed,
}

/// Somebody's place in the line.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub class: Class,
    /// Whatever tells accounts apart, those that are not there too.
    pub account: u64,
}

impl Place {
    /// The one who runs the box.
    pub const ADMIN: Self = Self {
        class: Class::Known,
        account: 0,
    };
}

/// The line is full.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Busy;

#[derive(Default)]
pub struct Line(RefCell<Inner>);

#[derive(Default)]
struct Inner {
    busy: bool,
    /// Tells those who wait apart, in the order in which they came.
    next: u64,
    waiting: Vec<Waiting>,
}

struct Waiting {
    place: Place,
    /// How many of the same account came before, of this class.
    behind: u32,
    number: u64,
    /// It is this one's turn; it has not noticed yet.
    called: bool,
    waker: Option<Waker>,
}

impl Waiting {
    fn rank(&self) -> (Class, u32, u64) {
        (self.place.class, self.behind, self.number)
    }
}

/// While it lives, nobody else hashes.
pub struct Turn<'a>(&'a Line);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.call();
    }
}

impl Line {
    /// # Errors
    ///
    /// The line is full, and nobody in it goes after this one.
    pub async fn turn(&self, place: Place) -> Result<Turn<'_>, Busy> {
        let Some(number) = self.enter(place)? else {
            return Ok(Turn(self));
        };
        Ticket { line: self, number }.await
    }

    /// `None`: it is this one's turn already.
    fn enter(&self, place: Place) -> Result<Option<u64>, Busy> {
        let mut inner = self.0.borrow_mut();
        if !inner.busy {
            inner.busy = true;
            return Ok(None);
        }
        let same = |other: &&Waiting| {
            other.place.account == place.account && other.place.class == place.class
        };
        let behind = match place.class {
            Class::Known => 0,
            Class::Failed | Class::Fresh => inner.waiting.iter().filter(same).count(),
        };
        let behind = u32::try_from(behind).unwrap_or(u32::MAX);
        let new = Waiting {
            place,
            behind,
            number: inner.next,
            called: false,
            waker: None,
        };
        if behind >= ACCOUNT_MAX {
            return Err(Busy);
        }
        if inner.waiting.len() >= WAITING_MAX {
            let last = inner
                .waiting
                .iter_mut()
                .enumerate()
                .filter(|(_, other)| !other.called)
                .max_by_key(|(_, other)| other.rank())
                .filter(|(_, other)| other.rank() > new.rank());
            let (at, last) = last.ok_or(Busy)?;
            let waker = last.waker.take();
            inner.waiting.remove(at);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        let number = inner.next;
        inner.next = number.wrapping_add(1);
        inner.waiting.push(new);
        Ok(Some(number))
    }

    /// The turn goes to the next.
    fn call(&self) {
        let mut inner = self.0.borrow_mut();
        let next = inner.waiting.iter_mut().min_by_key(|other| other.rank());
        let waker = next.map(|next| {
            next.called = true;
            next.waker.take()
        });
        inner.busy = waker.is_some();
        drop(inner);
        if let Some(waker) = waker.flatten() {
            waker.wake();
        }
    }
}

struct Ticket<'a> {
    line: &'a Line,
    number: u64,
}

impl<'a> Future for Ticket<'a> {
    type Output = Result<Turn<'a>, Busy>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut inner = self.line.0.borrow_mut();
        let mut waiting = inner.waiting.iter_mut().enumerate();
        match waiting.find(|(_, other)| other.number == self.number) {
            None => Poll::Ready(Err(Busy)),
            Some((at, own)) if own.called => {
                inner.waiting.remove(at);
                Poll::Ready(Ok(Turn(self.line)))
            }
            Some((_, own)) => {
                own.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut inner = self.line.0.borrow_mut();
        let mut waiting = inner.waiting.iter();
        let Some(at) = waiting.position(|other| other.number == self.number) else {
            return;
        };
        let called = inner.waiting.remove(at).called;
        drop(inner);
        if called {
            self.line.call();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, rc::Rc};

    use async_executor::LocalExecutor;

    use super::*;

    fn place(class: Class, account: u64) -> Place {
        Place { class, account }
    }

    /// Lets these wait while somebody has the turn; the order in which they then get it.
    fn order(places: &[Place]) -> Vec<Result<usize, usize>> {
        let line = Rc::new(Line::default());
        let told = Rc::new(RefCell::new(Vec::new()));
        let executor = LocalExecutor::new();
        let first = line.enter(Place::ADMIN).unwrap();
        assert_eq!(first, None);
        for (number, place) in places.iter().copied().enumerate() {
            let (line, told) = (line.clone(), told.clone());
            let task = executor.spawn(async move {
                let turn = line.turn(place).await;
                told.borrow_mut().push(match turn {
                    Ok(_) => Ok(number),
                    Err(Busy) => Err(number),
                });
                smol::future::yield_now().await;
                drop(turn);
            });
            task.detach();
            while executor.try_tick() {}
        }
        drop(Turn(&line));
        while executor.try_tick() {}
        assert!(!line.0.borrow().busy && line.0.borrow().waiting.is_empty());
        told.take()
    }

    #[test]
    fn known_first_then_fresh_and_one_of_each_account() {
        let told = order(&[
            place(Class::Failed, 1),
            place(Class::Fresh, 1),
            place(Class::Fresh, 1),
            place(Class::Fresh, 1),
            place(Class::Fresh, 2),
            place(Class::Known, 1),
            place(Class::Fresh, 2),
        ]);
        assert_eq!(told, [5, 1, 4, 2, 6, 3, 0].map(Ok));
    }

    #[test]
    fn a_crowd_is_sent_away_at_once() {
        let told = order(&[place(Class::Fresh, 1); 500]);
        let away = told.iter().filter(|turn| turn.is_err()).count();
        assert_eq!(away, 500 - 16);
        assert_eq!(told.first(), Some(&Err(16)));
    }

    #[test]
    fn who_goes_first_finds_room_in_a_full_line() {
        let mut places: Vec<_> = (0..200).map(|n| place(Class::Failed, n)).collect();
        places.push(place(Class::Known, 0));
        let told = order(&places);
        let away: Vec<_> = told.iter().filter_map(|turn| turn.err()).collect();
        assert_eq!(away.len(), 200 - 95);
        assert!(away.contains(&95), "the last of the line made room");
        assert_eq!(told.iter().find(|turn| turn.is_ok()), Some(&Ok(200)));
    }

    #[test]
    fn who_leaves_passes_the_turn_on() {
        let line = Line::default();
        let turn = smol::block_on(line.turn(Place::ADMIN)).unwrap();
        let called = Cell::new(0);
        let mut one = Box::pin(line.turn(Place::ADMIN));
        let mut two = Box::pin(async {
            let _turn = line.turn(Place::ADMIN).await;
            called.set(1);
        });
        smol::block_on(async {
            assert!(smol::future::poll_once(&mut one).await.is_none());
            assert!(smol::future::poll_once(&mut two).await.is_none());
            drop(turn);
            drop(one);
            assert!(smol::future::poll_once(&mut two).await.is_some());
        });
        assert_eq!(called.get(), 1);
        assert!(!line.0.borrow().busy);
    }
}
