use std::sync::Arc;

use super::{
    Log,
    find::{Wanted, find},
    text,
};

/// A ring of these blocks; the first ones were dropped.
fn log(blocks: Vec<String>) -> Log {
    Log(Arc::new(move |from| {
        let at = usize::try_from(from.max(7)).unwrap() - 7;
        Some((u64::try_from(at).unwrap() + 7, blocks.get(at)?.clone()))
    }))
}

fn lines(all: &[&str]) -> String {
    let mut text = String::new();
    for line in all {
        text.push_str("2026-11-22T00:00:00Z info smtp: ");
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[test]
fn st_4_the_story_of_a_message() {
    let other = lines(&[
        "4BBB: client=h[192.0.2.9]",
        "4BBB: to=<c@home.test>, relay=none, status=x",
    ]);
    let log = log(vec![
        lines(&["connect from h[192.0.2.1]", "4AAA: client=h[192.0.2.1]"]),
        other.clone(),
        lines(&[
            "4AAA: message-id=<1@x>",
            "4AAA: from=<B@Away.test>, size=5, nrcpt=1",
            "4AAA: to=<a@home.test>, relay=none, delay=0, status=queued (waits to be sent)",
            "NOQUEUE: reject: RCPT from h[192.0.2.1]: 550 5.1.1 no; from=<b@away.test> to=<xa@home.test> x",
        ]),
        other,
        lines(&[
            "4AAA: to=<a@home.test>, relay=none, delay=9, dsn=4.4.1, status=deferred (no)",
            "4CCC: from=<b@away.test.example>, size=5, nrcpt=1",
            "4DDD: client=h[192.0.2.1], sasl_method=PLAIN, sasl_username=b@away.test",
        ]),
        lines(&["4AAA: removed"]),
    ]);
    let ids = |what: &str| -> Vec<Option<String>> {
        let found = find(&log, &Wanted::new(what));
        found.into_iter().map(|story| story.id).collect()
    };
    let name = |id: &str| Some(id.to_owned());
    assert_eq!(ids("a@home.test"), [name("4AAA")]);
    assert_eq!(ids("b@AWAY.test"), [name("4AAA"), None, name("4DDD")]);
    assert_eq!(ids("xa@home.test"), [None]);
    assert_eq!(ids("nobody@home.test"), []);
    assert_eq!(ids("4aaa"), [name("4AAA")]);
    let story = find(&log, &Wanted::new("a@home.test")).remove(0);
    let events: Vec<_> = story
        .events
        .iter()
        .map(|event| event.text.as_str())
        .collect();
    assert_eq!(
        events,
        [
            "comes from h[192.0.2.1]",
            "message-id=<1@x>",
            "taken: from <B@Away.test>, 5 octets, recipients: 1",
            "to <a@home.test>: queued (waits to be sent)",
            "to <a@home.test>: waits for another try (no)",
            "done: nothing of it waits",
        ]
    );
    let told = text(&[story]);
    assert_eq!(told[0], "4AAA");
    assert_eq!(told[1], "  2026-11-22T00:00:00Z  comes from h[192.0.2.1]");
}

#[test]
fn an_answer_is_bounded() {
    let mut block = String::new();
    for n in 0..1000 {
        block.push_str(&lines(&[&format!(
            "NOQUEUE: reject: RCPT {n} to=<a@home.test> x"
        )]));
    }
    for _ in 0..1000 {
        block.push_str(&lines(&[
            "4AAA: to=<a@home.test>, relay=none, status=deferred (no)",
        ]));
    }
    let found = find(&log(vec![block]), &Wanted::new("a@home.test"));
    assert_eq!(found.len(), 200);
    assert_eq!(found.last().unwrap().events.len(), 200);
}
