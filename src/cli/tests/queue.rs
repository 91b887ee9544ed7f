//! `queue` on a stopped box (OQ-8).

use std::fs;

use crate::{
    base::time::Time,
    mail::summary::SummaryBuilder,
    store::{
        Store,
        queue::{Arrival, BodyKind, Fate, LaneNote, Queued, QueuedRecipient, Settled},
        request::{Deliver, Request as Wish},
    },
};

use super::{mail::opened, *};

/// Puts a message into the queue.
async fn queue(store: &Store, id: &str, sender: &str, to: &[&str]) {
    let text = format!("Subject: {id}\r\n\r\nx\r\n");
    let mut incoming = store.incoming();
    incoming.write(text.as_bytes()).await.unwrap();
    let mut summary = SummaryBuilder::new();
    summary.push(text.as_bytes());
    let recipient = |address: &&str| QueuedRecipient {
        address: (*address).to_owned(),
        ..QueuedRecipient::default()
    };
    let wish = Wish::Deliver(Deliver {
        prefix: vec![],
        body: incoming.finish().await.unwrap(),
        summary: summary.finish().encode(),
        received: Time(1_700_000_000),
        to: vec![],
        queue: Some(Queued {
            id: id.to_owned(),
            sender: sender.to_owned(),
            submitter: None,
            envid: None,
            ret: None,
            body: BodyKind::SevenBit,
            smtputf8: false,
            requiretls: false,
            arrival: Arrival::Person,
            recipients: to.iter().map(recipient).collect(),
        }),
        settles: Vec::new(),
        warns: None,
    });
    store.request(wish).await.unwrap();
}

fn furnish(data: &Path) {
    assert_eq!(on(data, "domain add home.test", "").exit, 0);
    opened(data, async |store| {
        queue(store, "Q1", "a@home.test", &["x@away.test", "y@away.test"]).await;
        queue(store, "Q2", "", &["x@far.test"]).await;
        queue(store, "Q3", "b@home.test", &["z@far.test", "x@near.test"]).await;
        let queue = store
            .read(|reader| reader.queue_named("Q1"))
            .unwrap()
            .unwrap();
        let waits = Fate::Waits {
            due: 900,
            reason: "host mx[192.0.2.1] said: 450 <b>no</b> \u{1b}[2J \u{9b}".to_owned(),
        };
        let settle = Wish::Settle {
            settled: vec![Settled {
                queue,
                recipients: vec![("x@away.test".to_owned(), waits)],
            }],
            lane: Some(LaneNote {
                lane: "far.test".to_owned(),
                not_before: 7200,
                failures: 3,
                reason: Some("connect to far.test[192.0.2.9]:25: Connection refused".to_owned()),
            }),
            uptime: 0,
        };
        store.request(settle).await.unwrap();
    });
}

/// The IDs of a list.
fn ids(data: &Path, options: &str) -> Vec<String> {
    let played = on(data, &format!("queue list --json {options}"), "");
    assert_eq!(played.exit, 0, "{}", played.err);
    let id = |line: &str| {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        row["id"].as_str().unwrap().to_owned()
    };
    played.out.lines().map(id).collect()
}

#[test]
fn oq_8_what_waits_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    furnish(data);
    let list = on(data, "queue list", "").out;
    let lines: Vec<_> = list.lines().collect();
    assert!(lines[0].starts_with("Q1  waiting, 18, arrived "), "{list}");
    assert!(
        lines[0].ends_with(" days ago, from <a@home.test>"),
        "{list}"
    );
    // UX-95: as text, and without what moves a cursor.
    assert_eq!(
        lines[1],
        "    to <x@away.test>, next try in 15 min: host mx[192.0.2.1] said: 450 <b>no</b> \\u{1b}[2J \
         \\u{9b}"
    );
    assert_eq!(lines[2], "    to <y@away.test>, next try now");
    assert!(lines[3].ends_with("from <>"), "{list}");
    let refused = "next try in 2 h: connect to far.test[192.0.2.9]:25: Connection refused";
    assert!(lines[4].ends_with(refused), "{list}");
    assert_eq!(lines[6], format!("    to <z@far.test>, {refused}"));
    // UX-96: one object a message.
    let json = on(data, "queue list --json", "").out;
    let row: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(row["state"], "waiting");
    assert_eq!(row["arrived"], "2023-11-14T22:13:20Z");
    assert_eq!(row["recipients"][0]["lane"], "away.test");
    assert_eq!(row["recipients"][0]["next_try_seconds"], 900);
    assert_eq!(row["recipients"][0]["tries"], 1);
    let show = on(data, "queue show Q3", "").out;
    assert!(show.contains(refused), "{show}");
    assert!(!json.contains('\u{9b}') && !json.contains('\u{1b}'));
}

#[test]
fn oq_8_filters() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    furnish(data);
    for (options, want) in [
        ("", &["Q1", "Q2", "Q3"][..]),
        ("--to far.test", &["Q2", "Q3"]),
        ("--to @far.test", &["Q2", "Q3"]),
        ("--to Z@FAR.test", &["Q3"]),
        ("--from home.test", &["Q1", "Q3"]),
        ("--from <>", &["Q2"]),
        ("--from b@home.test --to near.test", &["Q3"]),
        ("--from b@home.test --to away.test", &[]),
        ("--lane near.test", &["Q3"]),
        ("--older 1d", &["Q1", "Q2", "Q3"]),
        ("--older 36500d", &[]),
        ("--held", &[]),
    ] {
        assert_eq!(ids(data, options), want, "{options}");
    }
    assert_eq!(on(data, "queue list --held", "").out, "nothing waits\n");
}

#[test]
fn oq_8_hold_release_retry_and_remove() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    furnish(data);
    let run = |line: &str| {
        let played = on(data, &format!("queue {line}"), "");
        (played.exit, played.out.trim_end().to_owned())
    };
    let would = run("hold --to far.test -n");
    assert_eq!(would, (0, "would hold 2 messages: Q2, Q3".to_owned()));
    assert_eq!(ids(data, "--held"), [""; 0]);
    // One that is not there: nothing is done.
    assert_eq!(run("hold Q1 Q9").0, 67);
    assert_eq!(ids(data, "--held"), [""; 0]);
    let held = run("hold --to far.test");
    assert_eq!(
        held,
        (
            0,
            "held: 2 messages: Q2, Q3 (not tried until released)".to_owned()
        )
    );
    assert_eq!(ids(data, "--held"), ["Q2", "Q3"]);
    assert!(run("list --held").1.contains("Q2  held, "));
    assert!(run("list --held").1.contains("to <x@far.test>, held"));
    // Held: it is not tried, and that is said.
    assert_ne!(run("retry Q3").0, 0);
    assert_eq!(run("release Q3 Q3").1, "released: Q3 (tried at once)");
    assert_eq!(run("release all").1, "released: Q2 (tried at once)");
    assert_eq!(run("release all").1, "released: nothing");
    assert_eq!(run("retry Q1").1, "due: Q1 (tried at once)");
    let now = run("list --to away.test").1;
    assert_eq!(now.matches("next try now").count(), 2, "{now}");
    assert_eq!(
        run("flush").1,
        "due: 3 messages: Q1, Q2, Q3 (tried at once)"
    );
    assert_eq!(run("bounce Q1").0, 69);
    let gone = run("remove Q1 Q3");
    assert_eq!(
        gone.1,
        "removed: 2 messages: Q1, Q3 (not sent; the sender is not told)"
    );
    assert_eq!(ids(data, ""), ["Q2"]);
    assert_eq!(run("remove all -n").1, "would remove Q2");
    assert_eq!(
        run("remove all").1,
        "removed: Q2 (not sent; the sender is not told)"
    );
    assert_eq!(run("list").1, "nothing waits");
}

#[test]
fn oq_8_pause_and_resume() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    furnish(data);
    let run = |line: &str| on(data, &format!("queue {line}"), "").out;
    assert_eq!(run("resume"), "was not paused\n");
    assert!(run("pause").starts_with("paused: "));
    assert!(run("pause").starts_with("was paused already"));
    assert!(run("list").contains("waits: sending is paused: host mx"));
    assert!(run("resume").starts_with("resumed: "));
    assert!(run("list").contains("next try in 15 min"));
    // It is no setting of the file's.
    assert_eq!(on(data, "config show", "").exit, 0);
}

/// UX-97: part by part, and everything is there.
#[test]
fn ux_97_many_are_listed_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("box");
    fs::create_dir(&data).unwrap();
    assert_eq!(on(&data, "domain add home.test", "").exit, 0);
    opened(&data, async |store| {
        for n in 0..1200 {
            let to = format!("x@d{}.test", n % 7);
            queue(store, &format!("Q{n}"), "a@home.test", &[&to]).await;
        }
    });
    assert_eq!(ids(&data, "").len(), 1200);
    assert_eq!(ids(&data, "--to d3.test").len(), 171);
    let removed = on(&data, "queue remove --to d3.test", "").out;
    assert!(removed.starts_with("removed: 171 messages ("), "{removed}");
    assert_eq!(ids(&data, "").len(), 1029);
}
