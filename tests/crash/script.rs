//! What happens in a run: everything that alters state, and everything that the store does by itself.

use pillarbox::{
    base::ranges::Ranges,
    mail::flag::Flags,
    store::{queue::Fate, request::FlagMode},
};

use crate::{
    lanes::{note, settled, waits},
    model::Wish,
    world::World,
};

type Done = Result<(), String>;

fn span(low: u32, high: u32) -> Ranges {
    Ranges::span(low, high)
}

/// A domain and two people.
pub fn settle_in(world: &mut World) -> Done {
    world.ask(&[Wish::AddDomain("home.test".to_owned())])?;
    world.ask(&[
        Wish::AddUser("anna@home.test".to_owned()),
        Wish::AddUser("bert@home.test".to_owned()),
    ])
}

/// Deliveries, flags, copies, moves, expunges, folders, settings.
pub fn everyday(world: &mut World) -> Done {
    settle_in(world)?;
    let anna = world.view().inbox(1).unwrap_or(0);
    let trash = world.view().named(1, "Trash").unwrap_or(0);
    world.ask(&[Wish::Deliver(1, 900, vec![1])])?;
    world.ask(&[
        Wish::Deliver(2, 4000, vec![1, 2]),
        Wish::Deliver(3, 9000, vec![2]),
        Wish::Append(anna, vec![(4, 300), (5, 20_000)]),
    ])?;
    world.ask(&[
        Wish::Flag(anna, span(1, 3), FlagMode::Add, Flags::SEEN, vec![]),
        Wish::Create(1, "Work".to_owned()),
        Wish::Set("a.setting".to_owned(), Some("on".to_owned())),
    ])?;
    let work = world.view().named(1, "Work").unwrap_or(0);
    world.ask(&[
        Wish::Create(1, "Work/Old".to_owned()),
        Wish::Copy(anna, work, span(1, 2)),
        Wish::Flag(
            anna,
            span(2, 2),
            FlagMode::Add,
            Flags::DELETED,
            vec!["$Done".to_owned()],
        ),
        Wish::Move(anna, trash, span(3, 9)),
    ])?;
    world.see(anna, span(1, 9));
    world.filter(0, 3)?;
    world.ask(&[
        Wish::Copy(anna, anna, span(1, 9)),
        Wish::FlagSince(anna, span(1, 99), Flags::FLAGGED, 4),
        Wish::Move(work, work, span(1, 1)),
    ])?;
    world.ask(&[
        Wish::Expunge(anna, None),
        Wish::Rename(work, "Arbeit".to_owned()),
        Wish::Subscribe(1, "Arbeit".to_owned(), true),
        Wish::Set("a.setting".to_owned(), None),
    ])?;
    world.ask(&[Wish::Delete(trash), Wish::Rename(anna, "Before".to_owned())])?;
    world.ask(&[Wish::Leave(2)])?;
    world.filter(0, 9)?;
    world.ask(&[Wish::Deliver(6, 70, vec![1])])
}

/// Mail that waits for others, aliases, secrets, and somebody who goes with everything.
pub fn queue_and_tables(world: &mut World) -> Done {
    let text = |text: &str| text.to_owned();
    let to = |n: u32| vec![format!("u{n}@away.test")];
    world.ask(&[
        Wish::Send(20, 700, vec![1], to(1)),
        Wish::Send(21, 9000, vec![], to(2)),
        Wish::AddApp(2, text("phone")),
        Wish::AddApp(2, text("laptop")),
        Wish::Edit(vec![
            (text("info@home.test"), None, Some(text("anna@home.test"))),
            (text("@home.test"), None, Some(text("bert@home.test"))),
        ]),
    ])?;
    let apps = world.view().people.get(&2).map(|p| p.apps.clone());
    let phone = apps.and_then(|apps| apps.into_keys().next()).unwrap_or(0);
    let first = world.view().queue.into_keys().next().unwrap_or(0);
    let changed = (
        text("info@home.test"),
        Some(text("anna@home.test")),
        Some(text("bert@home.test")),
    );
    world.ask(&[
        Wish::Edit(vec![
            changed.clone(),
            (text("@home.test"), Some(text("bert@home.test")), None),
        ]),
        // Somebody was quicker: nothing of it is done.
        Wish::Edit(vec![
            (text("more@home.test"), None, Some(text("anna@home.test"))),
            changed,
        ]),
        Wish::RemoveApp(2, phone),
        Wish::Password(1, text("$argon2id$another")),
        Wish::RemoveQueued(first),
    ])?;
    let anna = world.view().inbox(1).unwrap_or(0);
    let all = span(1, 99);
    world.ask(&[
        Wish::Flag(anna, all, FlagMode::Add, Flags::DELETED, vec![]),
        Wish::Expunge(anna, None),
        Wish::Purge(2),
    ])?;
    world.housekeep(8);
    let last = world.view().queue.into_keys().last().unwrap_or(0);
    world.ask(&[Wish::RemoveQueued(last)])
}

/// What becomes of mail that waits: tries, reports, holds, the network that comes back.
pub fn outcomes(world: &mut World) -> Done {
    let text = |text: &str| text.to_owned();
    let (a, b, c) = ("a@one.test", "b@one.test", "c@two.test");
    world.aside(Wish::Uptime(100));
    world.ask(&[
        Wish::Send(30, 700, vec![1], vec![text(a), text(c)]),
        Wish::Send(31, 9000, vec![], vec![text(a), text(b)]),
        Wish::Send(32, 500, vec![], vec![text(c)]),
    ])?;
    let ids: Vec<u64> = world.view().queue.into_keys().collect();
    // Where the disk fails some are not there.
    let [first, second, third] = [0, 1, 2].map(|at| ids.get(at).copied().unwrap_or(999));
    // One is sent, one waits with its lane, one moves.
    let relay = Fate::Moved {
        transport: Some(text("relay:out")),
    };
    world.ask(&[
        Wish::Settle(
            vec![
                settled(first, &[(a, Fate::Gone)]),
                settled(second, &[(a, waits(500)), (b, waits(400))]),
            ],
            None,
            200,
        ),
        Wish::Settle(
            vec![settled(third, &[(c, waits(900))])],
            Some(note("two.test", 900, 2)),
            210,
        ),
        Wish::Settle(vec![settled(second, &[(a, relay)])], None, 205),
    ])?;
    // Its sender hears that it is late, once.
    let late = || vec![settled(second, &[(b, Fate::Warned)])];
    world.ask(&[
        Wish::Report(33, 600, vec![1], vec![], late()),
        Wish::Report(34, 600, vec![1], vec![], late()),
    ])?;
    world.aside(Wish::Uptime(300));
    world.ask(&[
        Wish::Hold(vec![first, 999], true),
        Wish::Settle(vec![settled(first, &[(c, waits(950))])], None, 310),
        Wish::Wake(315, vec!["other.test".to_owned()]),
        Wish::Wake(320, vec![]),
        Wish::Retry(vec![second, first]),
    ])?;
    world.housekeep(8);
    world.ask(&[
        Wish::Hold(vec![first], false),
        Wish::Settle(vec![], Some(note("two.test", 2000, 3)), 330),
        Wish::Settle(vec![], Some(note("nowhere.test", 2000, 3)), 330),
    ])?;
    world.aside(Wish::Uptime(340));
    // Reports of failures: to somebody here, and to somebody elsewhere.
    world.ask(&[
        Wish::Report(
            35,
            5000,
            vec![1],
            vec![],
            vec![settled(first, &[(c, Fate::Gone)])],
        ),
        Wish::Report(
            36,
            800,
            vec![],
            vec![text("s@three.test")],
            vec![settled(second, &[(a, Fate::Gone), (b, waits(3000))])],
        ),
    ])?;
    world.housekeep(8);
    world.ask(&[
        Wish::Report(
            37,
            800,
            vec![1],
            vec![],
            vec![settled(first, &[(c, Fate::Gone)])],
        ),
        Wish::RemoveQueued(third),
        Wish::Settle(
            vec![settled(second, &[(b, Fate::Gone)])],
            Some(note("one.test", 0, 0)),
            400,
        ),
    ])?;
    let last = world.view().queue.into_keys().last().unwrap_or(0);
    let done = settled(last, &[("s@three.test", Fate::Gone)]);
    world.ask(&[Wish::Settle(vec![done], None, 500)])
}

/// Big content in pieces, between other things.
pub fn streams(world: &mut World) -> Done {
    world.begin_stream(100, 200_000);
    world.begin_stream(101, 150_000);
    world.push_stream(100, 70_000, &[1])?;
    world.push_stream(101, 140_000, &[1])?;
    world.ask(&[Wish::Deliver(7, 100, vec![2])])?;
    world.push_stream(100, 70_000, &[1])?;
    world.push_stream(101, 70_000, &[1, 2])?;
    world.push_stream(100, 70_000, &[2])
}

/// Segments fill, are emptied, freed and used again; a dump and checkpoints come with it.
pub fn space(world: &mut World, rounds: u64) -> Done {
    let inbox = world.view().inbox(2).unwrap_or(0);
    for round in 0..rounds {
        for tag in 0..8 {
            world.ask(&[Wish::Deliver(1000 + round * 10 + tag, 60_000, vec![2])])?;
        }
        let last = world.view().folders.get(&inbox).map_or(1, |f| f.uid_next);
        let most = span(1, last.saturating_sub(3));
        if round % 2 == 1 {
            world.ask(&[Wish::Remove(inbox, most)])?;
        } else {
            let deleted = Flags::DELETED;
            world.ask(&[Wish::Flag(inbox, most, FlagMode::Add, deleted, vec![])])?;
            world.ask(&[Wish::Expunge(inbox, None)])?;
        }
        world.housekeep(60);
    }
    Ok(())
}

/// A short run in which everything may fail: what was asked for may not be there.
pub fn streams_and_flags(world: &mut World) -> Done {
    let anna = world.view().inbox(1).unwrap_or(0);
    let bert = world.view().inbox(2).unwrap_or(0);
    world.ask(&[
        Wish::Deliver(1, 900, vec![1, 2]),
        Wish::Deliver(2, 5000, vec![1]),
    ])?;
    world.begin_stream(100, 150_000);
    push(world, 100, 80_000)?;
    world.ask(&[Wish::Flag(
        anna,
        span(1, 2),
        FlagMode::Add,
        Flags::SEEN,
        vec![],
    )])?;
    push(world, 100, 80_000)?;
    world.ask(&[
        Wish::Copy(anna, anna, span(1, 1)),
        Wish::Append(bert, vec![(8, 80)]),
    ])?;
    world.begin_stream(101, 90_000);
    push(world, 101, 66_000)?;
    world.housekeep(5);
    push(world, 101, 66_000)
}

/// The next part of a stream, if it has not failed.
fn push(world: &mut World, tag: u64, octets: usize) -> Done {
    if world.streams.contains_key(&tag) {
        world.push_stream(tag, octets, &[1])?;
    }
    Ok(())
}
