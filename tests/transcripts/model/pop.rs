//! POP3 beside IMAP: a maildrop as it was, and messages that go at QUIT.

use std::collections::BTreeSet;

use pillarbox::base::machine::Secured;
use pillarbox::net::world::World;

use super::super::common::house::Protocol;
use super::super::common::pump::Connection;
use super::{ADDRESS, Play};

impl Play {
    pub(super) async fn pop(&mut self) {
        let tls = Secured {
            version: "TLS1.3".to_owned(),
            cipher: "TLS_AES_128_GCM_SHA256".to_owned(),
            exporter: None,
        };
        let mut connection = self.house.connect(Protocol::Pop3, Some(&tls));
        let hello = format!("USER {ADDRESS}\r\nPASS secret\r\nUIDL\r\n");
        let out = self.pop_say(&mut connection, &hello).await;
        let listed: Vec<u32> = self.folders[0].messages.keys().copied().collect();
        let told = out.lines().filter_map(|line| line.split_once(' '));
        let told = told.filter(|(number, _)| number.parse::<u32>().is_ok());
        let told: Vec<&str> = told
            .map(|(_, name)| name.rsplit('.').next().unwrap())
            .collect();
        let want: Vec<_> = listed.iter().map(u32::to_string).collect();
        assert_eq!(told, want, "{out}\n{:#?}", self.trace);
        let mut gone = BTreeSet::new();
        for (number, uid) in (1..).zip(&listed) {
            if self.random(4) == 0 {
                self.pop_say(
                    &mut connection,
                    &format!("RETR {number}\r\nDELE {number}\r\n"),
                )
                .await;
                gone.insert(*uid);
            }
        }
        match self.random(3) {
            0 => self.other().await,
            1 => self.deliver().await,
            _ => {}
        }
        if self.random(4) == 0 {
            // The connection breaks: nothing goes.
            return;
        }
        self.folders[0]
            .messages
            .retain(|uid, _| !gone.contains(uid));
        let out = self.pop_say(&mut connection, "QUIT\r\n").await;
        assert!(out.starts_with("+OK"), "{out}\n{:#?}", self.trace);
    }

    async fn pop_say(&mut self, connection: &mut Box<dyn Connection>, text: &str) -> String {
        self.trace.push(format!("pop {text}"));
        let now = self.house.world.now();
        connection.feed(now, text.as_bytes()).await;
        let out = std::mem::take(connection.out());
        let out = String::from_utf8(out).unwrap();
        self.trace.push(out.clone());
        out
    }
}
