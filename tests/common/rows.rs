//! The rows of a house's directory, and its queue, as scripts write them.

use std::fmt::Write;

use pillarbox::base::secret::Secret;
use pillarbox::mail::address::Address;
use pillarbox::mail::domain::Domain;
use pillarbox::routing::transport;
use pillarbox::store::directory::{
    Access, Alias, DomainClass, Edit, FromRewrite, Route, RouteTls, Swap, Transport,
};
use pillarbox::store::queue::{BodyKind, QueueEntry, Ret};
use pillarbox::store::{Reader, Request};

use super::house::House;

impl House {
    /// `class` as the command line has it.
    pub async fn domain(&self, name: &str, class: &str) {
        let name = Domain::parse(name).unwrap().to_string();
        let known = self.store.read(|reader| reader.domain(&name)).unwrap();
        if known.is_none() {
            let class = match class {
                "alias" => DomainClass::Alias,
                "backup" => DomainClass::Backup,
                "local" => DomainClass::Local,
                "mailbox" => DomainClass::Mailbox,
                "relay" => DomainClass::Relay,
                _ => panic!("no such class: {class}"),
            };
            let request = Request::AddDomain {
                name,
                class,
                listed: false,
            };
            self.store.request(request).await.unwrap();
        }
    }

    /// With its domain.
    pub async fn mailbox(&self, address: &str, password: &str) {
        let address = Address::parse(address).unwrap();
        self.domain(address.domain.as_str(), "mailbox").await;
        let password = Secret::new(password.as_bytes().to_vec());
        let new = self.passwords.hash(&password, None).await.unwrap();
        let request = Request::AddUser {
            address: address.key(),
            password: new.password,
            scram: new.scram,
            scram_salt: new.salt,
            scram_count: new.count,
            quota: 0,
        };
        self.store.request(request).await.unwrap();
    }

    pub async fn app_password(&self, address: &str, name: &str) -> String {
        let user = self.user(address);
        let row = self.store.read(|reader| reader.user(user)).unwrap();
        let made = self.passwords.app_password(&row.unwrap(), name).await;
        let (secret, app) = made.unwrap();
        let request = Request::AddAppPassword { user, app };
        self.store.request(request).await.unwrap();
        String::from_utf8(secret.reveal().to_vec()).unwrap()
    }

    pub async fn password(&self, address: &str, password: &str) {
        let password = Secret::new(password.as_bytes().to_vec());
        let user = self.user(address);
        let row = self.store.read(|reader| reader.user(user)).unwrap();
        let new = self.passwords.hash(&password, row.as_ref()).await.unwrap();
        let request = Request::SetPassword {
            user,
            password: new.password,
            scram: new.scram,
            scram_salt: new.salt,
            scram_count: new.count,
            changed: true,
            was: None,
        };
        self.store.request(request).await.unwrap();
    }

    /// `off`: the row is there and inactive; none: it goes. The domain has to be there.
    pub async fn alias(&self, source: &str, targets: &str) {
        let source = source_key(source);
        let was = self.store.read(|reader| reader.alias(&source)).unwrap();
        let now = match (targets, &was) {
            ("", _) => None,
            ("off" | "on", Some(was)) => Some(Alias {
                enabled: targets == "on",
                ..was.clone()
            }),
            _ => {
                let (targets, srs) = match targets.strip_suffix(" no-srs") {
                    Some(targets) => (targets, Some(false)),
                    None => (targets, None),
                };
                Some(Alias {
                    targets: targets.split(',').map(|t| t.trim().to_owned()).collect(),
                    enabled: true,
                    srs,
                })
            }
        };
        let name = source;
        self.edit(Edit::Alias(Swap { name, was, now })).await;
    }

    /// No target: the row goes.
    pub async fn transport(&self, pattern: &str, target: &str) {
        let name = transport::parse_pattern(pattern).unwrap().to_string();
        let was = self.store.read(|reader| reader.transport(&name)).unwrap();
        let now = (!target.is_empty()).then(|| {
            transport::parse_target(target).unwrap();
            let target = target.to_owned();
            Transport { target, tls: None }
        });
        self.edit(Edit::Transport(Swap { name, was, now })).await;
    }

    pub async fn route(&self, name: &str, host: &str) {
        let now = Some(Route {
            hosts: vec![host.to_owned()],
            port: 587,
            tls: RouteTls::StartTls,
            user: None,
            password: Secret::default(),
            from_rewrite: FromRewrite::Off,
            from: None,
            secret_in: 0,
        });
        let (name, was) = (name.to_owned(), None);
        self.edit(Edit::Route(Swap { name, was, now })).await;
    }

    pub async fn access(&self, network: &str, word: &str) {
        let name = network.to_owned();
        let list = self.store.read(Reader::access_list).unwrap();
        let was = list.into_iter().find(|(row, _)| *row == name);
        let was = was.map(|(_, row)| row);
        let now = match word {
            "allow" | "reject" => Some(Access {
                allow: word == "allow",
            }),
            _ => None,
        };
        self.edit(Edit::Access(Swap { name, was, now })).await;
    }

    /// A known recipient of a domain that is passed on: from then on only those are known.
    pub async fn recipient(&self, address: &str) {
        let address = Address::parse(address).unwrap();
        let name = address.domain.to_string();
        let request = Request::SetDomainListed { name, listed: true };
        self.store.request(request).await.unwrap();
        let (name, was, now) = (address.key(), None, Some(()));
        self.edit(Edit::Recipient(Swap { name, was, now })).await;
    }

    pub async fn enable_domain(&self, name: &str, enabled: bool) {
        let name = name.to_owned();
        let request = Request::SetDomainEnabled { name, enabled };
        self.store.request(request).await.unwrap();
    }

    pub async fn edit(&self, edit: Edit) {
        self.store.request(Request::Edit(vec![edit])).await.unwrap();
    }

    /// What waits, oldest first: the entries in words, and their contents.
    pub async fn queue(&self) -> Vec<(Vec<String>, Vec<u8>)> {
        self.store.settle().await.unwrap();
        let entries = self.store.read(|reader| reader.queue(None, 1000)).unwrap();
        let count = self.store.read(Reader::queue_count).unwrap();
        assert_eq!(u64::try_from(entries.len()), Ok(count));
        entries
            .into_iter()
            .map(|(_, entry)| (self.words(&entry), self.content(entry.content)))
            .collect()
    }

    /// `from=<…>` with what is kept of MAIL, and a line for each recipient with what is kept of RCPT.
    fn words(&self, entry: &QueueEntry) -> Vec<String> {
        let queued = &entry.queued;
        let mut first = format!("from=<{}>", queued.sender);
        if let Some(user) = queued.submitter {
            let row = self.store.read(|reader| reader.user(user)).unwrap();
            write!(first, " submitter={}", row.unwrap().address).unwrap();
        }
        if let Some(envid) = &queued.envid {
            write!(first, " envid={envid}").unwrap();
        }
        first.push_str(match queued.ret {
            Some(Ret::Full) => " ret=FULL",
            Some(Ret::Headers) => " ret=HDRS",
            None => "",
        });
        first.push_str(match queued.body {
            BodyKind::BinaryMime => " body=BINARYMIME",
            BodyKind::EightBitMime => " body=8BITMIME",
            BodyKind::SevenBit => "",
        });
        for (word, on) in [
            (" smtputf8", queued.smtputf8),
            (" requiretls", queued.requiretls),
        ] {
            first.push_str(if on { word } else { "" });
        }
        let mut lines = vec![first];
        for recipient in &queued.recipients {
            let mut line = format!("to=<{}>", recipient.address);
            if let Some(notify) = recipient.notify {
                write!(line, " notify={notify}").unwrap();
            }
            if let Some(orcpt) = &recipient.orcpt {
                write!(line, " orcpt={orcpt}").unwrap();
            }
            if recipient.srs.is_some() {
                line.push_str(" srs");
            }
            if let Some(transport) = &recipient.transport {
                write!(line, " transport={transport}").unwrap();
            }
            lines.push(line);
        }
        lines
    }
}

/// `@domain`, or an address in key form.
fn source_key(source: &str) -> String {
    match source.strip_prefix('@') {
        Some(domain) => format!("@{}", Domain::parse(domain).unwrap()),
        None => Address::parse(source).unwrap().key(),
    }
}
