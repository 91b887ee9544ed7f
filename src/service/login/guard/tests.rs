use super::*;

fn v4(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

const NOW: Instant = Instant(1_000_000);

/// A whole try that fails; when it was judged, and the milliseconds until it is told.
fn fail(guard: &mut Guard, peer: IpAddr, account: u64, now: Instant) -> Option<(Instant, u64)> {
    let (own, _) = guard.begin(peer, account, now)?;
    let at = guard.admit(own, now);
    let told = at.map(|at| (at, guard.wrong(own, at)));
    guard.end(own);
    told
}

fn right(guard: &mut Guard, peer: IpAddr, account: u64, now: Instant) -> Option<Instant> {
    let (own, _) = guard.begin(peer, account, now)?;
    let at = guard.admit(own, now);
    if let Some(at) = at {
        guard.right(own, at);
    }
    guard.end(own);
    at
}

/// SU-14: per address, whatever the name.
#[test]
fn su_14_failures_make_the_next_try_wait() {
    let mut guard = Guard::default();
    assert_eq!(fail(&mut guard, v4(1), 1, NOW), Some((NOW, 2000)));
    let two = NOW.plus_seconds(2);
    assert_eq!(fail(&mut guard, v4(1), 2, NOW), Some((two, 4000)));
    assert_eq!(
        right(&mut guard, v4(2), 1, NOW),
        Some(NOW),
        "nobody else waits"
    );
    let six = NOW.plus_seconds(6);
    assert_eq!(right(&mut guard, v4(1), 1, NOW), Some(six));
    // One's own right password does not make the next guess at others' quicker.
    assert_eq!(fail(&mut guard, v4(1), 3, NOW), Some((six, 6000)));
    // The device is known now: it waits for nobody.
    assert_eq!(right(&mut guard, v4(1), 1, six), Some(six));
    let later = NOW.plus_seconds(FORGET + 20);
    assert_eq!(fail(&mut guard, v4(1), 9, later), Some((later, 2000)));
}

/// UX-208: five tries, then a growing wait, at most 15 minutes.
#[test]
fn ux_208_one_name_from_one_address() {
    let mut guard = Guard::default();
    let mut now = NOW;
    let mut waits = vec![];
    for _ in 0..14 {
        let (at, _) = loop {
            if let Some(told) = fail(&mut guard, v4(1), 1, now) {
                break told;
            }
            now = now.plus_seconds(1);
        };
        let pair = guard.guests.get(&Key::Pair(v4(1), 1)).unwrap();
        waits.push(pair.free.since(at).as_secs());
        now = at;
    }
    assert_eq!(
        waits,
        [2, 4, 6, 8, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900]
    );
}

#[test]
fn a_known_device_has_its_own_place() {
    let mut guard = Guard::default();
    assert!(right(&mut guard, v4(1), 1, NOW).is_some());
    // Somebody else at the same address fails with another name.
    for _ in 0..3 {
        fail(&mut guard, v4(1), 2, NOW);
    }
    assert_eq!(right(&mut guard, v4(1), 1, NOW), Some(NOW));
    // Its own failures count for nobody else, and never lock it for long.
    let mut at = NOW;
    for _ in 0..20 {
        (at, _) = fail(&mut guard, v4(1), 1, at).unwrap();
    }
    assert_eq!(guard.failures(1, at), 0);
    assert_eq!(right(&mut guard, v4(1), 1, at), Some(at.plus_seconds(20)));
    // After thirty days it is a stranger.
    let later = at.plus_seconds(20 + KNOWN);
    let (own, _) = guard.begin(v4(1), 1, later).unwrap();
    assert!(!own.known);
}

#[test]
fn a_flood_from_one_address_is_sent_away() {
    let mut guard = Guard::default();
    fail(&mut guard, v4(1), 1, NOW);
    let mut begin = |peer| {
        let taken = (0..3000).filter(|_| guard.begin(peer, 1, NOW).is_some());
        taken.count()
    };
    assert_eq!(begin(v4(1)), 5, "held");
    assert_eq!(begin(v4(2)), 32, "in line");
}

/// SU-14: guessing that is spread over many addresses.
#[test]
fn su_14_failures_of_an_account() {
    let mut guard = Guard::default();
    let peer = |n: u32| IpAddr::from((0x0a00_0000 + n).to_be_bytes());
    for n in 0..19 {
        fail(&mut guard, peer(n), 1, NOW).unwrap();
    }
    let soon = NOW.plus_seconds(2);
    assert!(fail(&mut guard, peer(0), 1, soon).is_some());
    assert_eq!(fail(&mut guard, peer(1), 1, soon), None, "failed before");
    assert!(
        fail(&mut guard, peer(1), 2, soon).is_some(),
        "another account"
    );
    for n in 20..600 {
        assert!(fail(&mut guard, peer(n), 1, soon).is_some(), "{n}");
    }
    assert_eq!(fail(&mut guard, peer(1000), 1, soon), None);
    assert_eq!(right(&mut guard, peer(1001), 2, soon), Some(soon));
    let later = soon.plus_seconds(LEAK);
    assert_eq!(right(&mut guard, peer(1000), 1, later), Some(later));
}

#[test]
fn the_tables_do_not_grow_without_end() {
    let mut guard = Guard::default();
    assert!(right(&mut guard, v4(1), 7, NOW).is_some());
    for n in 0..10_000_u32 {
        let now = NOW.plus(u64::from(n));
        let peer = IpAddr::from((0x0a00_0000 + n).to_be_bytes());
        assert!(fail(&mut guard, peer, u64::from(n) + 100, now).is_some());
        if n % 100 == 0 {
            fail(&mut guard, peer, 1, now.plus_seconds(2));
        }
    }
    assert_eq!(guard.guests.len(), GUESTS_MAX);
    assert_eq!(guard.accounts.len(), ACCOUNTS_MAX);
    assert!(
        guard.failures(1, NOW.plus_seconds(12)) > 10,
        "the one under attack stays"
    );
    let (own, _) = guard.begin(v4(1), 7, NOW.plus_seconds(20)).unwrap();
    assert!(own.known, "known devices stay");
    guard.end(own);
    let (own, _) = guard.begin(v4(9), 1, NOW).unwrap();
    guard.end(own);
    assert!(
        !guard.guests.contains_key(&Key::Network(v4(9))),
        "nothing to remember"
    );
}

#[test]
fn one_network_is_one_address() {
    let one: IpAddr = "2001:db8:1:2::1".parse().unwrap();
    let other: IpAddr = "2001:db8:1:2:3:4:5:6".parse().unwrap();
    assert_eq!(network(one), network(other));
    let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
    assert_eq!(network(mapped), v4(1));
}
