//! Tells people that their mailbox is nearly full: one message at 80 % and one at 95 % (ST-9). It is not
//! counted, no program answers it, and it is given once: again only after the mailbox was emptier.

use crate::{
    base::{
        id::UserId,
        time::{Instant, Time},
    },
    mail::flag::Flags,
    net::world::World,
    policy::quota,
    service::{
        inbound::{self, Delivery, Failure, Reception},
        lookup,
    },
    store::{Refusal, Store, request::Recipient},
};

/// Somebody who is to be warned.
struct Due {
    user: UserId,
    address: String,
    /// In percent.
    level: u8,
    quota: u64,
    used: u64,
}

/// Warns those whose mail has just grown past a level. What goes wrong is in the log alone: their mail
/// has arrived.
pub async fn give(store: &Store, world: &dyn World, users: &[UserId]) {
    for user in users {
        let Some(due) = due(store, *user) else {
            continue;
        };
        match warn(store, world, &due).await {
            Ok(()) => log::info!("quota: <{}> is {} % full: warned", due.address, due.level),
            // Another session was quicker.
            Err(Failure::Store(Refusal::Exists | Refusal::NoUser)) => {}
            Err(failure) => log::warn!("quota: <{}>: not warned: {failure:?}", due.address),
        }
    }
}

fn due(store: &Store, user: UserId) -> Option<Due> {
    let rows = lookup::find(store, |rows| Ok((rows.user(user)?, rows.usage(user)?)));
    let (row, usage) = rows.ok()?;
    let row = row?;
    let level = quota::warning(row.quota, usage.octets, usage.warned)?;
    Some(Due {
        user,
        address: row.address,
        level,
        quota: row.quota,
        used: usage.octets,
    })
}

async fn warn(store: &Store, world: &dyn World, due: &Due) -> Result<(), Failure> {
    let text = message(due, world.time(), world.now());
    let mut reception = Reception::begin(store, Vec::new(), None);
    reception.write(text.as_bytes()).await;
    let delivery = Delivery {
        // No bounce and no automatic answer comes back (RFC 3834 section 2).
        prefix: b"Return-Path: <>\r\n".to_vec(),
        to: vec![Recipient {
            user: due.user,
            folder: None,
            flags: Flags::NONE,
            keywords: Vec::new(),
            always: false,
        }],
        queue: None,
        settles: Vec::new(),
        warns: Some((due.user, due.level)),
    };
    inbound::deliver(store, reception.finish().await?, delivery, world.time()).await?;
    Ok(())
}

/// From the postmaster of the person's own domain, who is there in any case (SR-26).
fn message(due: &Due, time: Time, now: Instant) -> String {
    let Due {
        user,
        address,
        level,
        ..
    } = due;
    let domain = address.rsplit('@').next().unwrap_or_default();
    let subject = match level {
        quota::LAST.. => "Your mailbox is almost full".to_owned(),
        _ => format!("Your mailbox is {level} % full"),
    };
    format!(
        "From: Mail server <postmaster@{domain}>\r\n\
         To: <{address}>\r\n\
         Subject: {subject}\r\n\
         Date: {date}\r\n\
         Message-ID: <quota.{level}.{user}.{seconds}.{tick}@{domain}>\r\n\
         Auto-Submitted: auto-generated\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: 8bit\r\n\
         \r\n\
         Your mailbox {address} holds {used} of {quota}.\r\n\
         \r\n\
         When it is full, new messages to you are refused, and their senders\r\n\
         are told so.\r\n\
         \r\n\
         To make room, delete messages that you no longer need, big ones first,\r\n\
         and empty the folders Trash and Junk. Or ask for more room: an answer\r\n\
         to this message reaches whoever runs the server.\r\n",
        date = time.rfc5322(),
        seconds = time.0,
        tick = now.0,
        used = size(due.used),
        quota = size(due.quota),
    )
}

/// In the largest unit that leaves a number above 9.
fn size(octets: u64) -> String {
    let units = ["octets", "KiB", "MiB", "GiB", "TiB"];
    let mut left = octets;
    let mut at = 0;
    while left >= 10 * 1024 && at + 1 < units.len() {
        left /= 1024;
        at += 1;
    }
    format!("{left} {}", units.get(at).unwrap_or(&"octets"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (octets, want) in [
            (0, "0 octets"),
            (10_239, "10239 octets"),
            (10_240, "10 KiB"),
            (1 << 30, "1024 MiB"),
            (10 << 30, "10 GiB"),
            (u64::MAX, "16777215 TiB"),
        ] {
            assert_eq!(size(octets), want);
        }
    }

    #[test]
    fn a_warning_is_a_whole_message() {
        let due = Due {
            user: UserId(7),
            address: "alice@home.test".to_owned(),
            level: 80,
            quota: 1 << 20,
            used: 900_000,
        };
        let text = message(&due, Time(1_795_272_815), Instant(5));
        for line in [
            "From: Mail server <postmaster@home.test>\r\n",
            "Subject: Your mailbox is 80 % full\r\n",
            "\r\n\r\nYour mailbox alice@home.test holds 878 KiB of 1024 KiB.\r\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
        assert!(text.lines().all(|line| line.len() < 79));
    }
}
