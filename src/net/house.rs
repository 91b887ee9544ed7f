//! Who is in the house: how many sessions, from where, and who makes room when it is full (SR-24).

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    future::poll_fn,
    net::{IpAddr, Ipv6Addr},
    rc::Rc,
    task::{Context, Poll, Waker},
};

use crate::base::{
    memory::{Held, Memory},
    time::Instant,
};

/// A stranger from an address that holds no more places than the newcomer's stays for this long at
/// least, in milliseconds: long enough for an answer from the other side of the world.
const SILENCE: u64 = 250;

/// How many sessions there may be; 0 = no limit.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Limits {
    pub total: usize,
    /// Of one IPv4 address or one IPv6 /64; loopback is exempt.
    pub per_address: usize,
}

/// Why a newcomer is not let in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Full {
    Address,
    House,
}

/// What the house asks of a session; each is stronger than the one before.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Word {
    #[default]
    Stay,
    /// Come to an end: the process stops.
    Stop,
    /// Say goodbye and go: the place is somebody else's.
    Leave,
}

/// The sessions of one or more listeners that share limits; cheap to clone.
#[derive(Clone, Debug)]
pub struct House(Rc<Rooms>);

#[derive(Debug, Default)]
struct Rooms {
    limits: Cell<Limits>,
    /// What a session is counted with, in octets, and where (HD-4).
    memory: Option<(Memory, u64)>,
    places: RefCell<Vec<Option<Rc<Place>>>>,
    free: RefCell<Vec<usize>>,
    addresses: RefCell<HashMap<IpAddr, usize>>,
    /// Those that were not told to leave.
    present: Cell<usize>,
    leaving: Cell<usize>,
    crowded: Cell<bool>,
    stopping: Cell<bool>,
    emptied: RefCell<Option<Waker>>,
    /// Counts whatever a session does.
    stirs: Cell<u64>,
    stirred: RefCell<Option<Waker>>,
}

#[derive(Debug)]
struct Place {
    address: IpAddr,
    /// The last time it got anywhere.
    active: Cell<Instant>,
    stranger: Cell<bool>,
    /// Tried to log in, in vain.
    failed: Cell<bool>,
    word: Cell<Word>,
    waker: RefCell<Option<Waker>>,
}

/// A session's place; dropping it gives it back.
#[derive(Debug)]
pub struct Seat {
    house: House,
    slot: usize,
    place: Rc<Place>,
    _memory: Option<Held>,
}

impl House {
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let rooms = Rooms::default();
        rooms.limits.set(limits);
        Self(Rc::new(rooms))
    }

    /// The same, and each session holds `octets` of `memory`.
    #[must_use]
    pub fn counted(limits: Limits, memory: Memory, octets: u64) -> Self {
        let rooms = Rooms {
            memory: Some((memory, octets)),
            ..Rooms::default()
        };
        rooms.limits.set(limits);
        Self(Rc::new(rooms))
    }

    /// Other limits from now on; nobody is sent away for them.
    pub fn limit(&self, limits: Limits) {
        self.0.limits.set(limits);
    }

    /// How many sessions there are, leaving ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.present.get().saturating_add(self.0.leaving.get())
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives a newcomer a place, if need be that of the stranger who has been silent longest.
    ///
    /// # Errors
    ///
    /// There is none, and nobody who could make room.
    pub fn enter(&self, address: IpAddr, now: Instant) -> Result<Seat, Full> {
        let address = group(address);
        let rooms = &*self.0;
        let limits = rooms.limits.get();
        let held = self.held(address);
        if limits.per_address > 0 && !address.is_loopback() && held >= limits.per_address {
            return Err(Full::Address);
        }
        let memory = match &rooms.memory {
            Some((memory, octets)) => Some(memory.hold(*octets).ok_or(Full::House)?),
            None => None,
        };
        if limits.total > 0 && rooms.present.get() >= limits.total {
            // Those who leave hold sockets still, so they are bounded, too.
            if rooms.leaving.get() > limits.total.saturating_add(16) {
                return Err(Full::House);
            }
            let place = self.guest_to_go(held, now).ok_or(Full::House)?;
            self.tell(&place, Word::Leave);
        }
        Ok(self.seat(address, now, memory))
    }

    /// Asks every session to come to an end.
    pub fn stop(&self) {
        self.0.stopping.set(true);
        let places: Vec<_> = self.0.places.borrow().iter().flatten().cloned().collect();
        for place in places {
            self.tell(&place, Word::Stop);
        }
    }

    /// Whether every session was asked to end.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.stopping.get()
    }

    /// Ready when nobody is left. One task may wait for it.
    pub async fn emptied(&self) {
        poll_fn(|context| {
            if self.is_empty() {
                return Poll::Ready(());
            }
            self.0.emptied.replace(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    /// How often anything happened in a session; only its change means something.
    #[must_use]
    pub fn stirs(&self) -> u64 {
        self.0.stirs.get()
    }

    /// Ready when [`House::stirs`] is no longer `known`. One task may wait for it.
    pub async fn stirred(&self, known: u64) {
        poll_fn(|context| {
            if self.stirs() != known {
                return Poll::Ready(());
            }
            self.0.stirred.replace(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    fn stir(&self) {
        self.0.stirs.set(self.0.stirs.get().wrapping_add(1));
        let waker = self.0.stirred.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn seat(&self, address: IpAddr, now: Instant, memory: Option<Held>) -> Seat {
        let rooms = &*self.0;
        let place = Rc::new(Place {
            address,
            active: Cell::new(now),
            stranger: Cell::new(true),
            failed: Cell::new(false),
            word: Cell::new(if rooms.stopping.get() {
                Word::Stop
            } else {
                Word::Stay
            }),
            waker: RefCell::new(None),
        });
        let free = rooms.free.borrow_mut().pop();
        let mut places = rooms.places.borrow_mut();
        let slot = free.unwrap_or(places.len());
        match places.get_mut(slot) {
            Some(entry) => *entry = Some(Rc::clone(&place)),
            None => places.push(Some(Rc::clone(&place))),
        }
        drop(places);
        *rooms.addresses.borrow_mut().entry(address).or_default() += 1;
        rooms.present.set(rooms.present.get().saturating_add(1));
        self.count();
        Seat {
            house: self.clone(),
            slot,
            place,
            _memory: memory,
        }
    }

    /// The stranger silent longest: first of those whose address holds clearly more places than the
    /// newcomer's, then of those that failed to log in, else of all that had time to say something.
    fn guest_to_go(&self, held: usize, now: Instant) -> Option<Rc<Place>> {
        let places = self.0.places.borrow();
        let strangers = || {
            places
                .iter()
                .flatten()
                .filter(|place| place.stranger.get() && place.word.get() != Word::Leave)
        };
        strangers()
            .filter(|place| self.held(place.address) > held.saturating_add(1))
            .min_by_key(|place| place.active.get())
            .or_else(|| {
                strangers()
                    .filter(|place| place.failed.get())
                    .min_by_key(|place| place.active.get())
            })
            .or_else(|| {
                strangers()
                    .filter(|place| place.active.get().plus(SILENCE) <= now)
                    .min_by_key(|place| place.active.get())
            })
            .cloned()
    }

    fn tell(&self, place: &Place, word: Word) {
        if word <= place.word.get() {
            return;
        }
        if word == Word::Leave {
            self.forget(place);
            let leaving = &self.0.leaving;
            leaving.set(leaving.get().saturating_add(1));
        }
        place.word.set(word);
        place.wake();
    }

    /// Takes a place out of what counts against the limits.
    fn forget(&self, place: &Place) {
        let mut addresses = self.0.addresses.borrow_mut();
        if let Some(held) = addresses.get_mut(&place.address) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                addresses.remove(&place.address);
            }
        }
        drop(addresses);
        self.0.present.set(self.0.present.get().saturating_sub(1));
        self.count();
    }

    /// Crowded from four fifths on, until it is below three fifths.
    fn count(&self) {
        let (present, total) = (self.0.present.get(), self.0.limits.get().total);
        let crowded = self.0.crowded.get();
        let fifths = if crowded { 3 } else { 4 };
        let is = total > 0 && present.saturating_mul(5) >= total.saturating_mul(fifths);
        if is != crowded {
            self.0.crowded.set(is);
            for place in self.0.places.borrow().iter().flatten() {
                place.wake();
            }
        }
    }

    fn held(&self, address: IpAddr) -> usize {
        let addresses = self.0.addresses.borrow();
        addresses.get(&address).copied().unwrap_or_default()
    }
}

impl Seat {
    /// The peer's address as it is counted: an IPv6 one without its lower half.
    #[must_use]
    pub fn group(&self) -> IpAddr {
        self.place.address
    }

    /// The session got somewhere: a command was answered, content was taken.
    pub fn progress(&self, now: Instant) {
        self.place.active.set(now);
        self.house.stir();
    }

    /// Whether this session would have to make room.
    pub fn stranger(&self, stranger: bool) {
        self.place.stranger.set(stranger);
    }

    /// It tried to log in, in vain: while it is a stranger, it makes room before others do, however
    /// busy it is.
    pub fn failed(&self) {
        self.place.failed.set(true);
    }

    #[must_use]
    pub fn word(&self) -> Word {
        self.place.word.get()
    }

    #[must_use]
    pub fn crowded(&self) -> bool {
        self.house.0.crowded.get()
    }

    /// Ready when the house's word or its crowdedness differs from what the session knows.
    pub fn poll_news(&self, context: &mut Context<'_>, known: (Word, bool)) -> Poll<()> {
        if (self.word(), self.crowded()) != known {
            return Poll::Ready(());
        }
        let mut waker = self.place.waker.borrow_mut();
        match &mut *waker {
            Some(waker) => waker.clone_from(context.waker()),
            None => *waker = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let rooms = &*self.house.0;
        if self.word() == Word::Leave {
            rooms.leaving.set(rooms.leaving.get().saturating_sub(1));
        } else {
            self.house.forget(&self.place);
        }
        if let Some(entry) = rooms.places.borrow_mut().get_mut(self.slot) {
            *entry = None;
        }
        rooms.free.borrow_mut().push(self.slot);
        self.house.stir();
        if self.house.is_empty()
            && let Some(waker) = rooms.emptied.take()
        {
            waker.wake();
        }
    }
}

impl Place {
    fn wake(&self) {
        let waker = self.waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// A household has a /64; an IPv4 peer on a dual-stack socket is an IPv4 peer.
fn group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// HD-4: memory that is taken is a full house, until somebody goes.
    #[test]
    fn sessions_are_counted() {
        let memory = Memory::new(100);
        let house = House::counted(Limits::default(), memory.clone(), 40);
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let enter = || house.enter(address, Instant(0));
        let first = enter().unwrap();
        let _second = enter().unwrap();
        assert_eq!(enter().unwrap_err(), Full::House);
        drop(first);
        let _third = enter().unwrap();
        assert_eq!(memory.held(), 80);
    }

    fn at(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn house(total: usize, per_address: usize) -> House {
        House::new(Limits { total, per_address })
    }

    #[test]
    fn one_address_gets_its_share_and_loopback_more() {
        let house = house(10, 2);
        let now = Instant(0);
        let first = house.enter(at(1), now).unwrap();
        let _second = house.enter(at(1), now).unwrap();
        assert_eq!(house.enter(at(1), now).unwrap_err(), Full::Address);
        drop(first);
        let _third = house.enter(at(1), now).unwrap();
        let own: Vec<_> = (0..4)
            .map(|_| house.enter([127, 0, 0, 1].into(), now).unwrap())
            .collect();
        assert_eq!(house.len(), 6);
        drop(own);
        assert_eq!(house.len(), 2);
    }

    #[test]
    fn an_ipv6_household_is_one_address() {
        let house = house(10, 1);
        let _first = house
            .enter("2001:db8::1".parse().unwrap(), Instant(0))
            .unwrap();
        let second = house.enter("2001:db8::2".parse().unwrap(), Instant(0));
        assert_eq!(second.unwrap_err(), Full::Address);
        let mapped = house.enter("::ffff:192.0.2.1".parse().unwrap(), Instant(0));
        assert_eq!(mapped.unwrap().group(), at(1));
    }

    #[test]
    fn the_stranger_silent_longest_makes_room() {
        let house = house(3, 0);
        let seats: Vec<_> = (1..=3)
            .map(|n| house.enter(at(n), Instant(u64::from(n))).unwrap())
            .collect();
        seats[0].stranger(false);
        seats[1].progress(Instant(50));
        assert_eq!(
            house.enter(at(9), Instant(100)).unwrap_err(),
            Full::House,
            "nobody had time to say anything"
        );
        let newcomer = house.enter(at(9), Instant(400)).unwrap();
        let words: Vec<_> = seats.iter().map(Seat::word).collect();
        assert_eq!(words, [Word::Stay, Word::Stay, Word::Leave]);
        assert_eq!(house.len(), 4);
        drop((seats, newcomer));
        assert!(house.is_empty());
    }

    #[test]
    fn who_holds_many_places_gives_one_at_once() {
        let house = house(4, 0);
        let _single = house.enter(at(1), Instant(0)).unwrap();
        let many: Vec<_> = (0..3)
            .map(|_| house.enter(at(2), Instant(1)).unwrap())
            .collect();
        let _newcomer = house.enter(at(3), Instant(2)).unwrap();
        assert_eq!(many[0].word(), Word::Leave);
        assert!(many[1].crowded());
    }

    /// SR-24, SU-14: however quickly it guesses on.
    #[test]
    fn who_failed_to_log_in_makes_room_first() {
        let house = house(3, 0);
        let seats: Vec<_> = (1..=3)
            .map(|n| house.enter(at(n), Instant(u64::from(n))).unwrap())
            .collect();
        seats[1].failed();
        seats[1].progress(Instant(400));
        let _newcomer = house.enter(at(9), Instant(400)).unwrap();
        let words: Vec<_> = seats.iter().map(Seat::word).collect();
        assert_eq!(words, [Word::Stay, Word::Leave, Word::Stay]);
    }

    #[test]
    fn a_stop_reaches_all_and_those_who_come_later() {
        let house = house(0, 0);
        let first = house.enter(at(1), Instant(0)).unwrap();
        house.stop();
        let second = house.enter(at(1), Instant(0)).unwrap();
        assert_eq!((first.word(), second.word()), (Word::Stop, Word::Stop));
        assert!(!first.crowded());
    }
}
