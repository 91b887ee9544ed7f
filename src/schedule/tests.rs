use super::*;
use crate::base::time::Instant;

const HOUR: u64 = 3600;

fn options() -> Options {
    Options {
        first_retry: 300,
        max_retry: 2 * HOUR,
        warn_after: 4 * HOUR,
        give_up: 5 * 24 * HOUR,
    }
}

#[test]
fn oq_3_pauses_double_up_to_the_longest() {
    for (tries, pause) in [
        (0, 300),
        (1, 300),
        (2, 600),
        (3, 1200),
        (5, 4800),
        (6, 7200),
        (7, 7200),
        (63, 7200),
        (64, 7200),
        (65, 7200),
        (200, 7200),
        (u32::MAX, 7200),
    ] {
        assert_eq!(options().pause(tries), pause, "{tries}");
    }
    let endless = Options {
        first_retry: u64::MAX / 2,
        max_retry: u64::MAX,
        ..options()
    };
    for (tries, pause) in [
        (1, u64::MAX / 2),
        (2, u64::MAX - 1),
        (3, u64::MAX),
        (99, u64::MAX),
    ] {
        assert_eq!(endless.pause(tries), pause, "{tries}");
    }
    let at_once = Options {
        first_retry: 0,
        ..options()
    };
    assert_eq!(at_once.pause(70), 0);
}

#[test]
fn oq_3_age_is_judged() {
    use Verdict::{GiveUp, Keep, Warn};
    let never = Options {
        warn_after: 0,
        ..options()
    };
    let late = Options {
        warn_after: 6 * 24 * HOUR,
        ..options()
    };
    for (age, warned, options, verdict) in [
        (0, false, options(), Keep),
        (4 * HOUR - 1, false, options(), Keep),
        (4 * HOUR, false, options(), Warn),
        (4 * HOUR, true, options(), Keep),
        (120 * HOUR - 1, true, options(), Keep),
        (120 * HOUR - 1, false, options(), Warn),
        (120 * HOUR, false, options(), GiveUp),
        (120 * HOUR, true, options(), GiveUp),
        (u64::MAX, false, options(), GiveUp),
        (119 * HOUR, false, never, Keep),
        (120 * HOUR, false, never, GiveUp),
        // A warning that would come after the end is none.
        (6 * 24 * HOUR, false, late, GiveUp),
    ] {
        assert_eq!(judge(age, warned, &options), verdict, "{age} {warned}");
    }
}

#[test]
fn a_window_opens_by_one_and_closes_by_half() {
    let mut window = Window::new(5);
    let mut sizes = vec![window.size()];
    for success in [true, true, true, true, true, false, false, false, true] {
        if success {
            window.success();
        } else {
            window.failure();
        }
        sizes.push(window.size());
    }
    assert_eq!(sizes, [1, 2, 3, 4, 5, 5, 2, 1, 1, 2]);
    assert!(window.admits(1) && !window.admits(2));
    // None at all would be a lane that never goes.
    assert!(Window::new(0).admits(0));
}

/// What happens to a network, and what is to be seen of it then.
#[derive(Clone, Copy, Debug)]
enum Event {
    Fails,
    Nothing,
    /// A probe: whether it was up until then.
    ProbeFails(bool),
    /// Whether that was a return.
    Succeeds(bool),
}

/// At so many seconds: what happens, whether it is up then, when the next probe is, up-time since the
/// last row.
type Row = (u64, Event, bool, Option<u64>, u64);

fn play(rows: &[Row]) {
    use Event::{Fails, Nothing, ProbeFails, Succeeds};
    let mut network = Network::new(Instant(0));
    for (seconds, event, up, probe, passed) in rows {
        let now = Instant(0).plus_seconds(*seconds);
        assert_eq!(network.tick(now), *passed, "at {seconds}");
        match event {
            Fails => network.failure(now),
            Nothing => {}
            ProbeFails(down) => assert_eq!(network.probe_failed(now), *down, "at {seconds}"),
            Succeeds(back) => assert_eq!(network.success(now), *back, "at {seconds}"),
        }
        assert_eq!(network.is_up(), *up, "at {seconds}");
        let next = network.next_probe().map(|at| at.0 / 1000);
        assert_eq!(next, *probe, "at {seconds}");
    }
}

#[test]
fn lm_12_ten_minutes_of_failures_and_it_is_down() {
    use Event::{Fails, Nothing, ProbeFails, Succeeds};
    play(&[
        (60, Fails, true, None, 60),
        (599, Fails, true, None, 539),
        // Nobody has asked yet.
        (600, Fails, true, Some(600), 1),
        (601, Fails, true, Some(600), 1),
        (605, ProbeFails(true), false, Some(635), 4),
        (610, Fails, false, Some(635), 0),
        (635, ProbeFails(false), false, Some(665), 0),
        (900_000, ProbeFails(false), false, Some(900_030), 0),
        // It is back; nothing of the ten days counts.
        (900_030, Succeeds(true), true, None, 0),
        (900_040, Nothing, true, None, 10),
        (900_050, Succeeds(false), true, None, 10),
    ]);
}

#[test]
fn lm_12_silence_is_no_failure() {
    use Event::{Fails, Nothing, ProbeFails, Succeeds};
    play(&[
        (86_400, Nothing, true, None, 86_400),
        // One dead host after a quiet day is asked about, and nothing is woken.
        (86_401, Fails, true, Some(86_401), 1),
        (86_402, Succeeds(false), true, None, 1),
        // The probe that was on its way comes too late to say anything.
        (86_403, ProbeFails(false), true, None, 1),
        (86_404, Succeeds(false), true, None, 1),
    ]);
}

#[test]
fn lm_12_failures_are_remembered_without_new_ones() {
    use Event::{Fails, Nothing, ProbeFails, Succeeds};
    play(&[
        (10, Succeeds(false), true, None, 10),
        (20, Fails, true, None, 10),
        (609, Nothing, true, None, 589),
        (610, Nothing, true, Some(610), 1),
        (700, Nothing, true, Some(610), 90),
        (700, ProbeFails(true), false, Some(730), 0),
        (730, Succeeds(true), true, None, 0),
    ]);
}

#[test]
fn a_clock_that_stands_or_is_odd_ages_nothing() {
    let mut network = Network::new(Instant(5000));
    assert_eq!(network.tick(Instant(5000)), 0);
    assert_eq!(network.tick(Instant(0)), 0);
    assert_eq!(network.tick(Instant(5999)), 0);
    assert_eq!(network.tick(Instant(6000)), 1);
    // Parts of seconds are not lost.
    let mut seconds = 0;
    for at in 0..100 {
        seconds += network.tick(Instant(6000 + at * 333));
    }
    assert_eq!(seconds, 32);
    network.failure(Instant(0));
    assert!(network.is_up());
    assert_eq!(
        network.tick(Instant::NEVER),
        (u64::MAX - 38_967 + 967) / 1000
    );
    network.failure(Instant::NEVER);
    assert!(network.probe_failed(Instant::NEVER));
    assert_eq!(network.next_probe(), Some(Instant::NEVER));
}

#[test]
fn lm_12_what_was_heard_by_others_counts() {
    let at = |seconds| Instant(0).plus_seconds(seconds);
    let mut network = Network::new(at(0));
    network.failure(at(500));
    network.seen(at(550));
    network.tick(at(1100));
    network.failure(at(1100));
    assert!(network.is_up());
    // Older news change nothing, and what is down takes more than a word from before.
    network.seen(at(10));
    network.failure(at(1150));
    assert!(network.probe_failed(at(1180)));
    assert!(!network.is_up());
    network.seen(at(1149));
    network.seen(at(1190));
    assert!(!network.is_up());
    // Who was heard while there was doubt ends it.
    let mut network = Network::new(at(0));
    network.failure(at(700));
    assert_eq!(network.next_probe(), Some(at(700)));
    network.seen(at(701));
    assert!(!network.probe_failed(at(702)));
    assert!(network.is_up());
}
