//! The crate `imap`.

use std::{net::TcpStream, thread, time::Duration};

use imap::{
    Client, Session,
    extensions::{
        idle::WaitOutcome,
        sort::{SortCharset, SortCriterion},
    },
    types::{Flag, UnsolicitedResponse},
};

use crate::{
    Outcome,
    mails::{BIG, FOLDERS, ODD, plain},
};

type Imap = Session<TcpStream>;

fn log_in(port: u16, user: &str, password: &str) -> Outcome<Imap> {
    let mut client = Client::new(TcpStream::connect(("127.0.0.1", port))?);
    client.read_greeting()?;
    let refused = client.login(user, "wrong");
    let (error, client) = refused.err().ok_or("a wrong password is taken")?;
    assert!(
        error.to_string().contains("AUTHENTICATIONFAILED"),
        "{error}"
    );
    Ok(client.login(user, password).map_err(|(error, _)| error)?)
}

pub fn run(port: u16, user: &str, password: &str) -> Outcome {
    let mut session = log_in(port, user, password)?;
    {
        let capabilities = session.capabilities()?;
        for name in ["IMAP4rev1", "IDLE", "MOVE", "UIDPLUS", "SORT", "CONDSTORE"] {
            assert!(capabilities.has_str(name), "no {name}");
        }
    }
    folders(&mut session)?;
    big(&mut session)?;
    odd(&mut session)?;
    idle(&mut session, port, user, password)?;
    clear(&mut session)?;
    session.logout()?;
    Ok(())
}

fn folders(session: &mut Imap) -> Outcome {
    for name in FOLDERS {
        session.create(name)?;
        session.subscribe(name)?;
    }
    assert!(session.create("Work").is_err());
    let listed = session.list(Some(""), Some("*"))?;
    let names: Vec<_> = listed.iter().map(|name| name.name().to_owned()).collect();
    for name in FOLDERS.iter().chain(&["INBOX", "Trash", "Sent"]) {
        assert!(names.iter().any(|n| n == name), "{name} not in {names:?}");
    }
    assert!(listed.iter().all(|name| name.delimiter() == Some("/")));
    let subscribed = session.lsub(Some(""), Some("*"))?;
    assert!(subscribed.len() >= FOLDERS.len());
    assert_eq!(session.list(Some("Work/"), Some("%"))?.len(), 1);
    session.rename("Entw&APw-rfe &- mehr", "Entw&APw-rfe &2D3cjA-")?;
    session.rename("Entw&APw-rfe &2D3cjA-", "Entw&APw-rfe &- mehr")?;
    Ok(())
}

fn big(session: &mut Imap) -> Outcome {
    for number in 1..=BIG {
        session.append("Work", plain(number).as_bytes()).finish()?;
    }
    let mailbox = session.status("Work", "(MESSAGES UNSEEN UIDNEXT UIDVALIDITY)")?;
    assert_eq!((mailbox.exists, mailbox.uid_next), (BIG, Some(BIG + 1)));
    assert_eq!(session.select("Work")?.exists, BIG);
    let all = session.fetch(
        "1:*",
        "(UID FLAGS RFC822.SIZE INTERNALDATE ENVELOPE BODYSTRUCTURE)",
    )?;
    assert_eq!(all.len(), 500);
    for fetch in all.iter() {
        let subject = fetch
            .envelope()
            .and_then(|e| e.subject.as_deref())
            .ok_or("subject")?;
        assert_eq!(
            subject,
            format!("Number {}", fetch.uid.ok_or("uid")?).as_bytes()
        );
        assert!(fetch.bodystructure().is_some() && fetch.internal_date().is_some());
    }
    let bodies = session.uid_fetch("1:*", "BODY.PEEK[]")?;
    for fetch in bodies.iter() {
        let text = plain(fetch.uid.ok_or("uid")?);
        assert_eq!(fetch.body(), Some(text.as_bytes()));
    }
    session.uid_fetch("7", "BODY[TEXT]")?;
    assert_eq!(
        session.uid_search("SEEN")?.into_iter().collect::<Vec<_>>(),
        [7]
    );
    assert_eq!(session.uid_search("SUBJECT \"Number 49\"")?.len(), 11);
    assert_eq!(session.search("BODY \"message 333.\"")?.len(), 1);
    let sorted = session.uid_sort(
        &[
            SortCriterion::Reverse(&SortCriterion::Size),
            SortCriterion::Date,
        ],
        SortCharset::Utf8,
        "UID 1:20",
    )?;
    assert_eq!((sorted.len(), sorted.last()), (20, Some(&8)), "{sorted:?}");
    let stored = session.uid_store("1:100", "+FLAGS (\\Flagged $Label1)")?;
    assert_eq!(stored.len(), 100);
    session.uid_store("101:200", "+FLAGS.SILENT (\\Deleted)")?;
    session.uid_mv("1:100", "Work/2026")?;
    let gone = session.expunge()?;
    assert_eq!(gone.seqs().count(), 100);
    // It does not quote this one by itself.
    session.uid_copy("201:250", "\"Entw&APw-rfe &- mehr\"")?;
    assert_eq!(session.noop().map(|()| session.search("ALL"))??.len(), 300);
    assert_eq!(session.select("Work/2026")?.exists, 100);
    let moved = session.fetch("100", "(FLAGS)")?;
    let flags = moved.get(0).ok_or("nothing moved")?.flags();
    assert!(flags.contains(&Flag::Flagged) && flags.contains(&Flag::Custom("$Label1".into())));
    session.close()?;
    let quota = session.get_quota_root("INBOX")?;
    assert_eq!(quota.mailbox_name(), "INBOX");
    Ok(())
}

fn odd(session: &mut Imap) -> Outcome {
    let folder = FOLDERS[4];
    for mail in ODD {
        session.append(folder, mail).flag(Flag::Seen).finish()?;
    }
    session.select(folder)?;
    let got = session.fetch("1:*", "(BODY.PEEK[] ENVELOPE BODYSTRUCTURE FLAGS)")?;
    assert_eq!(got.len(), ODD.len());
    for (fetch, mail) in got.iter().zip(ODD) {
        assert_eq!(fetch.body(), Some(mail));
        assert!(fetch.envelope().is_some() && fetch.bodystructure().is_some());
    }
    let found = session.uid_search("CHARSET UTF-8 BODY \"Gr\"")?;
    assert_eq!(found.len(), 1);
    Ok(())
}

fn idle(session: &mut Imap, port: u16, user: &str, password: &str) -> Outcome {
    let before = session.select("INBOX")?.exists;
    let other = {
        let (user, password) = (user.to_owned(), password.to_owned());
        thread::spawn(move || {
            let mut session = log_in(port, &user, &password).map_err(|error| error.to_string())?;
            thread::sleep(Duration::from_millis(300));
            let appended = session.append("INBOX", plain(1).as_bytes()).finish();
            appended.map_err(|error| error.to_string())?;
            session.logout().map_err(|error| error.to_string())
        })
    };
    let mut told = None;
    let outcome = session
        .idle()
        .timeout(Duration::from_secs(20))
        .keepalive(false)
        .wait_while(|response| {
            if let UnsolicitedResponse::Exists(count) = response {
                told = Some(count);
            }
            told.is_none()
        })?;
    assert_eq!(outcome, WaitOutcome::MailboxChanged);
    assert_eq!(told, Some(before + 1));
    other.join().map_err(|_| "the other session panicked")??;
    Ok(())
}

fn clear(session: &mut Imap) -> Outcome {
    session.uid_store("1:*", "+FLAGS (\\Deleted)")?;
    session.close()?;
    for name in FOLDERS.iter().rev() {
        session.unsubscribe(name)?;
        session.delete(name)?;
    }
    assert!(session.select("Work").is_err());
    Ok(())
}
