//! `kill -9` under load, again and again. What was acknowledged is there exactly once and whole; what
//! was not is there at most once and whole.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::house::{ANNA, BEN, House};
use crate::talk::{Imap, Smtp};

const ROUNDS: u32 = 20;
/// Senders over SMTP; one more appends over IMAP.
const SENDERS: u32 = 4;

/// What this test was promised.
#[derive(Default)]
struct Ledger {
    /// Messages that were answered with 250 or a tagged OK, each with its mailbox.
    acknowledged: BTreeMap<u32, &'static str>,
    /// Of those, the ones whose \Flagged was answered with a tagged OK.
    flagged: Vec<u32>,
}

/// Small ones and such as stream into the log; each says at its end which it is.
fn text(number: u32) -> String {
    let line = format!("{number:08} {}\r\n", "0123456789abcdef".repeat(4));
    let lines = if number.is_multiple_of(7) { 3_000 } else { 30 };
    format!(
        "Subject: ledger {number}\r\n\r\n{}end {number}\r\n",
        line.repeat(lines)
    )
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled() {
    let mut house = House::new();
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let next = Arc::new(AtomicU32::new(0));
    for round in 0..ROUNDS {
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for sender in 0..=SENDERS {
            let (ledger, next, stop) = (Arc::clone(&ledger), Arc::clone(&next), Arc::clone(&stop));
            let (mx, imap) = (house.mx, house.imap);
            threads.push(thread::spawn(move || {
                let work = || !stop.load(Ordering::Relaxed);
                // Ends with an error when the server is killed; that is the point.
                let _ = if sender < SENDERS {
                    deliver(mx, sender, &next, &ledger, work)
                } else {
                    append(imap, &next, &ledger, work)
                };
            }));
        }
        // From the middle of the first message to well under way.
        thread::sleep(Duration::from_millis(20 + u64::from(round) * 67 % 900));
        house.kill();
        stop.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().unwrap();
        }
        let took = house.start();
        assert!(
            took < Duration::from_secs(10),
            "the start after a kill took {took:?}"
        );
        compare(&house, &ledger.lock().unwrap());
    }
    let acknowledged = ledger.lock().unwrap().acknowledged.len();
    eprintln!("{acknowledged} messages acknowledged in {ROUNDS} rounds");
    assert!(
        acknowledged > 200,
        "too little load to show anything: {acknowledged} messages"
    );
    // And once more after an ordinary stop.
    house.stop();
    house.start();
    compare(&house, &ledger.lock().unwrap());
}

fn deliver(
    port: u16,
    sender: u32,
    next: &AtomicU32,
    ledger: &Mutex<Ledger>,
    work: impl Fn() -> bool,
) -> io::Result<()> {
    let user = if sender == 0 { BEN } else { ANNA };
    let mut smtp = Smtp::to(port)?;
    while work() {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let reply = smtp.message(user, &text(number))?;
        assert!(reply.starts_with("250 "), "{reply}");
        ledger.lock().unwrap().acknowledged.insert(number, user);
    }
    Ok(())
}

fn append(
    port: u16,
    next: &AtomicU32,
    ledger: &Mutex<Ledger>,
    work: impl Fn() -> bool,
) -> io::Result<()> {
    let mut imap = Imap::to(port, ANNA)?;
    imap.ok("SELECT INBOX")?;
    while work() {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let tagged = imap.append("INBOX", &text(number))?;
        let uid = tagged
            .strip_prefix("OK [APPENDUID ")
            .and_then(|rest| {
                rest.split(']')
                    .next()?
                    .split(' ')
                    .nth(1)?
                    .parse::<u32>()
                    .ok()
            })
            .unwrap_or_else(|| panic!("{tagged}"));
        ledger.lock().unwrap().acknowledged.insert(number, ANNA);
        imap.ok(&format!("UID STORE {uid} +FLAGS.SILENT (\\Flagged)"))?;
        ledger.lock().unwrap().flagged.push(number);
    }
    Ok(())
}

/// Reads everything back and holds it against the ledger.
fn compare(house: &House, ledger: &Ledger) {
    let begun = Instant::now();
    let mut there: BTreeMap<u32, (&str, usize, bool)> = BTreeMap::new();
    for user in [ANNA, BEN] {
        let mut imap = Imap::to(house.imap, user).unwrap();
        imap.ok("SELECT INBOX").unwrap();
        let flagged = imap.search("SEARCH FLAGGED").unwrap();
        for response in imap.ok("FETCH 1:* (BODY.PEEK[])").unwrap_or_default() {
            let place: u32 = response.text.split(' ').nth(1).unwrap().parse().unwrap();
            let octets = String::from_utf8(response.literals[0].clone()).unwrap();
            let at = octets.find("Subject: ledger ").expect("a message of ours");
            let number = octets[at + 16..].lines().next().unwrap().parse().unwrap();
            assert_eq!(
                octets[at..],
                text(number),
                "message {number} of {user} is not whole"
            );
            let row = there.entry(number).or_insert((user, 0, false));
            row.1 += 1;
            row.2 = flagged.contains(&place);
        }
    }
    for (number, (user, times, _)) in &there {
        assert_eq!(
            *times, 1,
            "message {number} of {user} is there {times} times"
        );
    }
    for (number, user) in &ledger.acknowledged {
        let found = there.get(number).map(|row| row.0);
        assert_eq!(
            found,
            Some(*user),
            "message {number} was acknowledged and is not there"
        );
    }
    for number in &ledger.flagged {
        assert!(
            there[number].2,
            "the flag of message {number} was acknowledged and is not there"
        );
    }
    assert!(
        begun.elapsed() < Duration::from_mins(1),
        "reading it back took {:?}",
        begun.elapsed()
    );
}
