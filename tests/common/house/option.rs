//! What a script chooses: `option KEY VALUE`.

use super::*;

/// Looks at a store that recovers, 10 ms apart.
const TRIES: u32 = 300;

impl House {
    /// As a reload does.
    fn doors(&self, change: impl FnOnce(&mut smtp::Options)) {
        let mut options = (*self.doors.options()).clone();
        change(&mut options);
        self.doors.set_options(options);
    }

    async fn set(&self, key: &str, value: &str) {
        let (key, value) = (key.to_owned(), Some(value.to_owned()));
        let request = Request::Set { key, value };
        self.store.request(request).await.unwrap();
    }

    pub async fn option(&mut self, key: &str, value: &str) {
        let number = || value.parse::<u64>().unwrap();
        let small = || value.parse::<u32>().unwrap();
        match key {
            "append_limit" => self.imap.append_limit = number(),
            "broken" | "full" | "unreadable" | "unwritable" => self.fault(key, value == "on").await,
            "compressed" => self.places.count.limit(number()),
            "command_wait_s" => self.smtp.command_wait_s = number(),
            "data_wait_s" => self.smtp.data_wait_s = number(),
            "default_route" => self.set(DEFAULT_ROUTE, value).await,
            "disabled" => {
                let user = self.user(value);
                let request = Request::SetUserEnabled {
                    user,
                    enabled: false,
                };
                self.store.request(request).await.unwrap();
            }
            "idle_wait" => {
                self.imap.idle_wait = number();
                self.pop3.idle_wait = number();
            }
            "device" => {
                let mut words = value.split(' ').map(str::to_owned);
                let name = words.next().unwrap();
                let now = Some(Device {
                    addresses: vec![words.next().unwrap()],
                    senders: words.next().into_iter().collect(),
                    recipients: words.next().into_iter().collect(),
                    rate: 3,
                    enabled: true,
                });
                let edit = Edit::Device(Swap {
                    name,
                    was: None,
                    now,
                });
                self.edit(edit).await;
            }
            "login" => self.imap.login = value == "on",
            "mails_max" => self.smtp.mails_max = small(),
            "old_outlook" => {
                if let Auth::Offered(auth) = &mut self.submission.auth {
                    auth.old_outlook = value == "on";
                }
            }
            "memory" => self.memory.limit(number()),
            "password" => {
                let (address, password) = value.split_once(' ').unwrap();
                self.password(address, password).await;
            }
            "plaintext_auth" => self.plaintext_loopback = value == "loopback",
            "recipients_max" => self.smtp.recipients_max = small(),
            "removed" => {
                let user = self.user(value);
                let request = Request::RemoveUser { user, purge: false };
                self.store.request(request).await.unwrap();
            }
            "size_limit" => {
                self.smtp.size_limit = number();
                self.submission.size_limit = number();
            }
            "soft_bounce" => {
                let on = value == "on";
                self.doors(|door| door.soft_bounce = on);
                self.smtp.soft_bounce = on;
                self.submission.soft_bounce = on;
            }
            "slice_octets" => self.slice_octets = value.parse().unwrap(),
            "starttls" => self.imap.starttls = value == "on",
            "tls" => {
                self.pop3.tls = value != "off";
                self.smtp.tls = match value {
                    "off" => Tls::Off,
                    "required" => Tls::Required,
                    _ => Tls::Offered,
                }
            }
            _ => self.doors(|door| door_option(door, key, value)),
        }
    }

    /// What is wrong with the disk.
    async fn fault(&mut self, key: &str, on: bool) {
        let faults = &self.faults;
        match key {
            "broken" => faults.broken.store(on, Ordering::SeqCst),
            "full" => {
                faults.full.store(on, Ordering::SeqCst);
                // The writer looks at the disk when it has something to do.
                self.store.settle().await.unwrap();
                return;
            }
            "unreadable" => {
                faults.unreadable_soon.store(on, Ordering::SeqCst);
                if on {
                    return;
                }
                faults.readable();
            }
            _ => faults.unwritable.store(on, Ordering::SeqCst),
        }
        self.recover().await;
    }

    /// Once the disk is back the store finds its way as soon as somebody wishes something.
    async fn recover(&self) {
        let faulty = [&self.faults.broken, &self.faults.unwritable];
        if faulty.iter().any(|fault| fault.load(Ordering::SeqCst)) {
            return;
        }
        for _ in 0..TRIES {
            let settled = self.store.settle().await.is_ok();
            if settled && self.store.read(Reader::sequence).is_ok() {
                return;
            }
            self.world.pass(1);
            sleep(Duration::from_millis(10));
        }
        panic!("the store does not recover");
    }
}

/// What is chosen for all listeners of SMTP.
fn door_option(door: &mut smtp::Options, key: &str, value: &str) {
    let (on, number) = (value == "on", || value.parse().unwrap());
    match key {
        "allow_uids" => {
            let uids = value.split(',').map(|uid| uid.parse().unwrap()).collect();
            door.local.allow_uids = Some(uids);
        }
        "check_helo" => door.check_helo = on,
        "check_sender" => door.check_sender = on,
        "delimiter" => door.routing.delimiter = value.chars().next(),
        "hide_agent" => door.hide_agent = on,
        "hide_client" => door.hide_client = on,
        "local_port" => door.local_port = Some(value.to_owned()),
        "postmaster" => door.routing.postmaster = Some(value.to_owned()),
        "queue_entries" => door.queue_entries = number(),
        "queue_octets" => door.queue_octets = number(),
        "rate" => door.local.rate.count = number(),
        "relay" => {
            door.local.relay = on;
            door.routing.null_client = on;
        }
        "trusted" => door.local.trusted = vec![Network::parse(value).unwrap()],
        _ => panic!("no such option: {key}"),
    }
}
