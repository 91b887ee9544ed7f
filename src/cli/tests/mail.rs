//! `mail export` on a stopped box: what is in the files (ST-4).

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _, path::PathBuf, sync::Arc};

use crate::{
    base::time::Time,
    mail::{flag::Flags, summary::SummaryBuilder},
    net::world::RealWorld,
    store::{
        Store,
        disk::local::LocalDisk,
        request::{Append, Appended, Deliver, Recipient, Request as Wish},
    },
};

use super::*;

const DATE: Time = Time(1_795_272_815);

/// Opens a box's store for a test.
pub(super) fn opened<T>(data: &Path, work: impl AsyncFnOnce(&Store) -> T) -> T {
    let disk = LocalDisk::new(data).unwrap();
    let global = Global {
        config: None,
        data: Some(data.to_owned()),
        quiet: false,
    };
    let found = load::Found::read(&[], &global, None).unwrap();
    let options = reach::options(&found.config(Vec::new()).unwrap(), &RealWorld::new());
    let (store, running, _) = Store::open(Arc::new(disk), options).unwrap();
    let done = async_io::block_on(work(&store));
    store.stop();
    running.join().unwrap();
    done
}

fn summary(text: &[u8]) -> Vec<u8> {
    let mut summary = SummaryBuilder::new();
    summary.push(text);
    summary.finish().encode()
}

async fn deliver(store: &Store, text: &[u8], prefix: &[u8]) {
    let user = store.read(|reader| reader.user_named("a@home.test"));
    let mut incoming = store.incoming();
    incoming.write(text).await.unwrap();
    let wish = Wish::Deliver(Deliver {
        prefix: prefix.to_vec(),
        body: incoming.finish().await.unwrap(),
        summary: summary(text),
        received: DATE,
        to: vec![Recipient {
            user: user.unwrap().unwrap(),
            folder: None,
            flags: Flags::SEEN.with(Flags::FLAGGED),
            keywords: vec!["$Forwarded".to_owned()],
            always: false,
        }],
        queue: None,
        settles: Vec::new(),
        warns: None,
    });
    store.request(wish).await.unwrap();
}

async fn append(store: &Store, folder: &str, text: &[u8]) {
    let folder = store.read(|reader| {
        let user = reader.user_named("a@home.test")?.unwrap();
        Ok(reader.folder_named(user, folder)?.unwrap())
    });
    let mut incoming = store.incoming();
    incoming.write(text).await.unwrap();
    let wish = Wish::Append(Append {
        folder: folder.unwrap(),
        messages: vec![Appended {
            body: incoming.finish().await.unwrap(),
            summary: summary(text),
            date: DATE,
            flags: Flags::NONE,
            keywords: Vec::new(),
        }],
    });
    store.request(wish).await.unwrap();
}

const ONE: &[u8] =
    b"Subject: one\r\nStatus: X\r\n  folded\r\nFrom: b@away.test\r\n\r\nFrom here\r\n>From \
                     there\r\n>from\r\nend";

fn furnish(data: &Path) -> Vec<u8> {
    for (line, input) in [
        ("domain add home.test", ""),
        ("user add a@home.test --password-stdin", "hush"),
    ] {
        assert_eq!(on(data, line, input).exit, 0);
    }
    let mut long = b"Subject: long\r\n\r\n".to_vec();
    for line in 0..60_000 {
        long.extend_from_slice(format!("line {line}\r\n").as_bytes());
    }
    opened(data, async |store| {
        deliver(store, ONE, b"Return-Path: <b@away.test>\r\n").await;
        deliver(store, &long, b"Return-Path: <>\r\n").await;
        for n in 0..300 {
            append(
                store,
                "Sent",
                format!("Subject: {n}\r\n\r\nx\r\n").as_bytes(),
            )
            .await;
        }
    });
    long
}

/// All files below a folder, by name without the Maildir's time and number.
fn tree(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let mode = path.metadata().unwrap().permissions().mode() & 0o777;
        if path.is_dir() {
            assert_eq!(mode, 0o700, "{}", path.display());
            found.extend(tree(&path));
        } else {
            assert_eq!(mode, 0o600, "{}", path.display());
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

fn lf(text: &[u8]) -> Vec<u8> {
    String::from_utf8(text.to_vec())
        .unwrap()
        .replace("\r\n", "\n")
        .into_bytes()
}

#[test]
fn st_4_maildir() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("box");
    fs::create_dir(&data).unwrap();
    let long = furnish(&data);
    let out = folder.path().join("out");
    let line = format!("mail export a@home.test --maildir {}", out.display());
    let played = on(&data, &line, "");
    assert_eq!((played.exit, played.err.as_str()), (0, ""));
    assert_eq!(
        played.out,
        format!("wrote 302 messages of 6 folders to {}\n", out.display())
    );
    let files = tree(&out);
    let with = |start: &[u8], text: &[u8]| [start, &lf(text)].concat();
    let one = with(b"Return-Path: <b@away.test>\n", ONE);
    let long = with(b"Return-Path: <>\n", &long);
    let name =
        |uid: u32, size: usize| out.join(format!("cur/1795272815.U{uid}.pillarbox,S={size}:2,FS"));
    assert_eq!(files[&name(1, one.len())], one);
    assert_eq!(files[&name(2, long.len())], long);
    let modified = fs::metadata(name(1, one.len()))
        .unwrap()
        .modified()
        .unwrap();
    let since = modified.duration_since(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(since.as_secs(), 1_795_272_815);
    let sent = files
        .keys()
        .filter(|path| path.starts_with(out.join(".Sent/cur")));
    assert_eq!(sent.count(), 300);
    assert!(files.contains_key(&out.join(".Sent/maildirfolder")));
    // It is not written over.
    let again = on(&data, &line, "");
    assert_eq!(again.exit, 73, "{}", again.err);
    // One folder is the Maildir itself.
    let sent = folder.path().join("sent");
    let line = format!(
        "mail export a@home.test/Sent --json --maildir {}",
        sent.display()
    );
    let played = on(&data, &line, "");
    assert_eq!(
        played.out,
        "{\"damaged\":0,\"folders\":1,\"messages\":300}\n"
    );
    assert_eq!(fs::read_dir(sent.join("cur")).unwrap().count(), 300);
    for (line, exit) in [
        ("mail export c@home.test --mbox", 67),
        ("mail export a@home.test/None --mbox", 67),
        ("mail export a@home.test/ --mbox", 65),
        ("mail export a@home.test --mbox none/x/y", 65),
    ] {
        let target = folder.path().join("never");
        let target = if line.ends_with('y') {
            String::new()
        } else {
            target.display().to_string()
        };
        assert_eq!(
            on(&data, &format!("{line} {target}"), "").exit,
            exit,
            "{line}"
        );
    }
    assert!(!folder.path().join("never").exists());
}

#[test]
fn st_4_mbox() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("box");
    fs::create_dir(&data).unwrap();
    let long = furnish(&data);
    let file = folder.path().join("mbox");
    let line = format!("mail export a@home.test/INBOX --mbox {}", file.display());
    let played = on(&data, &line, "");
    assert_eq!((played.exit, played.err.as_str()), (0, ""));
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let text = fs::read_to_string(&file).unwrap();
    let start = "From b@away.test Sat Nov 21 14:53:35 2026\nReturn-Path: <b@away.test>\nSubject: one\nFrom: \
                 b@away.test\nStatus: RO\nX-Status: F\nX-Keywords: $Forwarded\n\n>From here\n>>From \
                 there\n>from\nend\n\nFrom MAILER-DAEMON Sat Nov 21 14:53:35 2026\nReturn-Path: \
                 <>\nSubject: long\nStatus: RO\nX-Status: F\nX-Keywords: $Forwarded\n\nline 0\n";
    assert_eq!(text.get(..start.len()).unwrap(), start);
    assert!(text.ends_with("line 59999\n\n"));
    assert_eq!(
        text.lines()
            .filter(|line| line.starts_with("line "))
            .count(),
        60_000
    );
    assert!(long.len() > 700_000);
    assert_eq!(on(&data, &line, "").exit, 73);
    // Of all folders each message says which.
    let file = folder.path().join("all");
    let line = format!("mail export a@home.test --mbox {}", file.display());
    assert_eq!(on(&data, &line, "").exit, 0);
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(text.matches("\nX-Folder: Sent\n").count(), 300);
    assert_eq!(text.matches("\nX-Folder: INBOX\n").count(), 2);
}
