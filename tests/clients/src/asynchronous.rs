//! The crate `async-imap`, its connection compressed (RFC 4978).

use std::{fmt::Debug, time::Duration};

use async_imap::{Client, Session, extensions::idle::IdleResponse, types::Flag};
use futures_util::TryStreamExt;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::sleep,
};

use crate::{
    Outcome,
    mails::{BIG, FOLDERS, ODD, plain},
};

async fn log_in(port: u16, user: &str, password: &str) -> Outcome<Session<TcpStream>> {
    let mut client = Client::new(TcpStream::connect(("127.0.0.1", port)).await?);
    client.read_response().await?.ok_or("no greeting")?;
    Ok(client
        .login(user, password)
        .await
        .map_err(|(error, _)| error)?)
}

pub async fn run(port: u16, user: &str, password: &str) -> Outcome {
    let mut session = log_in(port, user, password).await?;
    let capabilities = session.capabilities().await?;
    for name in ["IMAP4rev1", "IDLE", "MOVE", "CONDSTORE", "COMPRESS=DEFLATE"] {
        assert!(capabilities.has_str(name), "no {name}");
    }
    let id = session
        .id([("name", Some("async-imap"))])
        .await?
        .ok_or("no ID")?;
    assert_eq!(id.get("name").map(String::as_str), Some("Pillarbox"));
    let mut session = session.compress(|stream| stream).await?;
    folders(&mut session).await?;
    big(&mut session).await?;
    odd(&mut session).await?;
    let mut session = idle(session, port, user, password).await?;
    clear(&mut session).await?;
    session.logout().await?;
    Ok(())
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Debug + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Debug + Send> Stream for T {}

async fn folders<T: Stream>(session: &mut Session<T>) -> Outcome {
    for name in FOLDERS {
        session.create(name).await?;
        session.subscribe(name).await?;
    }
    let names = session.list(Some(""), Some("*")).await?;
    let names: Vec<_> = names
        .map_ok(|name| name.name().to_owned())
        .try_collect()
        .await?;
    for name in FOLDERS.iter().chain(&["INBOX", "Trash", "Sent"]) {
        assert!(names.iter().any(|n| n == name), "{name} not in {names:?}");
    }
    let subscribed = session.lsub(Some(""), Some("Work*")).await?;
    assert_eq!(subscribed.try_collect::<Vec<_>>().await?.len(), 3);
    session.rename("Work/2026/a b", "Work/2026/a%b").await?;
    session.rename("Work/2026/a%b", "Work/2026/a b").await?;
    Ok(())
}

async fn big<T: Stream>(session: &mut Session<T>) -> Outcome {
    for number in 1..=BIG {
        let date = Some("\"01-Nov-2026 10:00:00 +0100\"");
        session
            .append("Work", Some("(\\Seen)"), date, plain(number))
            .await?;
    }
    let mailbox = session
        .status("Work", "(MESSAGES UIDNEXT UNSEEN HIGHESTMODSEQ)")
        .await?;
    assert_eq!((mailbox.exists, mailbox.unseen), (BIG, Some(0)));
    let mailbox = session.select_condstore("Work").await?;
    assert!(mailbox.exists == BIG && mailbox.highest_modseq.is_some());
    let all = session
        .fetch(
            "1:*",
            "(UID FLAGS RFC822.SIZE ENVELOPE BODYSTRUCTURE MODSEQ)",
        )
        .await?;
    let all: Vec<_> = all.try_collect().await?;
    assert_eq!(all.len(), 500);
    for fetch in &all {
        let number = fetch.uid.ok_or("uid")?;
        let subject = fetch.envelope().and_then(|e| e.subject.as_deref());
        assert_eq!(subject, Some(format!("Number {number}").as_bytes()));
        assert_eq!(fetch.size, u32::try_from(plain(number).len()).ok());
        assert!(fetch.bodystructure().is_some() && fetch.modseq.is_some());
    }
    let bodies: Vec<_> = session
        .uid_fetch("1:*", "BODY.PEEK[]")
        .await?
        .try_collect()
        .await?;
    for fetch in &bodies {
        let text = plain(fetch.uid.ok_or("uid")?);
        assert_eq!(fetch.body(), Some(text.as_bytes()));
    }
    assert_eq!(session.uid_search("SUBJECT \"Number 49\"").await?.len(), 11);
    let stored = session
        .uid_store("1:100", "+FLAGS (\\Flagged $Label1)")
        .await?;
    assert_eq!(stored.try_collect::<Vec<_>>().await?.len(), 100);
    session.uid_mv("1:100", "Work/2026").await?;
    session.uid_copy("101:150", "Entw&APw-rfe &- mehr").await?;
    let stored = session
        .uid_store("101:200", "+FLAGS.SILENT (\\Deleted)")
        .await?;
    assert!(stored.try_collect::<Vec<_>>().await?.len() <= 100);
    let gone = session.uid_expunge("101:150").await?;
    assert_eq!(gone.try_collect::<Vec<_>>().await?.len(), 50);
    let gone = session.expunge().await?;
    assert_eq!(gone.try_collect::<Vec<_>>().await?.len(), 50);
    assert_eq!(session.search("ALL").await?.len(), 300);
    assert_eq!(session.examine("Work/2026").await?.exists, 100);
    let moved: Vec<_> = session.fetch("100", "FLAGS").await?.try_collect().await?;
    let flags: Vec<_> = moved.iter().flat_map(|fetch| fetch.flags()).collect();
    assert!(
        flags.contains(&Flag::Flagged) && flags.contains(&Flag::Seen),
        "{flags:?}"
    );
    session.close().await?;
    let (roots, _) = session.get_quota_root("INBOX").await?;
    assert_eq!(roots.len(), 1);
    Ok(())
}

async fn odd<T: Stream>(session: &mut Session<T>) -> Outcome {
    let folder = FOLDERS[4];
    for mail in ODD {
        session.append(folder, None, None, mail).await?;
    }
    session.select(folder).await?;
    let got = session
        .fetch("1:*", "(BODY.PEEK[] ENVELOPE BODYSTRUCTURE)")
        .await?;
    let got: Vec<_> = got.try_collect().await?;
    assert_eq!(got.len(), ODD.len());
    for (fetch, mail) in got.iter().zip(ODD) {
        assert_eq!(fetch.body(), Some(mail));
        assert!(fetch.envelope().is_some() && fetch.bodystructure().is_some());
    }
    Ok(())
}

async fn idle<T: Stream>(
    mut session: Session<T>,
    port: u16,
    user: &str,
    password: &str,
) -> Outcome<Session<T>> {
    session.select("INBOX").await?;
    let mut idle = session.idle();
    idle.init().await?;
    let mut other = log_in(port, user, password).await?;
    let (waiting, _stop) = idle.wait_with_timeout(Duration::from_secs(20));
    let append = async {
        sleep(Duration::from_millis(300)).await;
        other.append("INBOX", None, None, plain(1)).await?;
        other.logout().await
    };
    let (told, appended) = futures_util::future::join(waiting, append).await;
    appended?;
    assert!(matches!(told?, IdleResponse::NewData(_)));
    Ok(idle.done().await?)
}

async fn clear<T: Stream>(session: &mut Session<T>) -> Outcome {
    let stored = session
        .uid_store("1:*", "+FLAGS.SILENT (\\Deleted)")
        .await?;
    stored.try_collect::<Vec<_>>().await?;
    session.close().await?;
    for name in FOLDERS.iter().rev() {
        session.unsubscribe(name).await?;
        session.delete(name).await?;
    }
    assert!(session.select("Work").await.is_err());
    Ok(())
}
