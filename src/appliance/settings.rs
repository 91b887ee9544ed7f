//! What a reload may change (OP-6), and what the listeners make of it.

use std::{net::SocketAddr, rc::Rc, sync::Arc};

use crate::{
    appliance::hall::Kind,
    config::{MEMORY_FIXED, MEMORY_SESSIONS},
    mail::domain::Domain,
    net::{
        certificate::Files,
        house::Limits,
        resolve::{Source, system},
    },
    proto::smtp::server::{Auth, AuthOptions, Options, Tls},
    routing, schedule,
    service::{self, smtp::LocalOptions},
};

/// What an idle session under TLS holds at most, in octets; a message on its way holds more.
pub const SESSION: u64 = 16 * 1024;

#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Settings {
    /// `limit.smtp_sessions`, `limit.smtp_sessions_per_address`.
    pub smtp_sessions: Limits,
    /// `limit.imap_sessions`, for POP3 too; nothing is limited per address.
    pub imap_sessions: Limits,
    pub imap_sessions_per_person: usize,
    /// `limit.compressed_sessions`.
    pub compressed_sessions: u64,
    /// Octets of the largest message; 0 = no limit.
    pub message_size: u64,
    /// `queue.*`.
    pub schedule: schedule::Options,
    /// `limit.deliveries`.
    pub deliveries: usize,
    /// Entries of the queue.
    pub queue: u64,
    /// The queue may take a twentieth of the disk (`spec/ux.md` section 3.12, tiny machines).
    pub queue_is_small: bool,
    /// For sessions and messages on their way, in octets (HD-4).
    pub memory: u64,
    /// The owner's certificate; else a self-signed one.
    pub tls: Option<Files>,
    /// A client on loopback may log in without TLS (`tls.plaintext_auth`).
    pub plaintext_loopback: bool,
    /// `smtp.old_outlook`.
    pub old_outlook: bool,
    /// `smtp.soft_bounce`.
    pub soft_bounce: bool,
    /// `smtp.check_helo`, `smtp.check_sender`.
    pub check_helo: bool,
    pub check_sender: bool,
    /// `dns.servers`; `None` = as the machine does.
    pub dns: Option<Vec<SocketAddr>>,
    /// Answers from there that are remembered.
    pub names: usize,
    /// `submission.hide_client`, `submission.strip_user_agent`.
    pub hide_client: bool,
    pub hide_agent: bool,
    /// `address.*`.
    pub delimiter: Option<char>,
    pub local: Vec<Domain>,
    /// What is put behind a bare local part in submission (AC-8).
    pub origin: Option<Domain>,
    /// Key of an address (AC-12).
    pub postmaster: Option<String>,
    /// `local.*`, for programs on this machine and devices.
    pub programs: LocalOptions,
    /// The port of `listen.local`, where it is on.
    pub local_port: Option<String>,
    /// `log.level`.
    pub level: ::log::LevelFilter,
}

impl Settings {
    /// What is left of `memory.limit` for sessions and messages: `cache` is that of the store, `ring`
    /// the log's, `hash` what a password's hash takes.
    #[must_use]
    pub fn memory(limit: u64, cache: u64, ring: u64, hash: u64) -> u64 {
        [MEMORY_FIXED, cache, ring, hash]
            .into_iter()
            .fold(limit, u64::saturating_sub)
            .max(MEMORY_SESSIONS)
    }

    /// How many sessions may wait because somebody failed to log in (SU-14): a quarter of a house, so
    /// that guessers fill none.
    #[must_use]
    pub fn waiting(&self) -> usize {
        [self.smtp_sessions.total, self.imap_sessions.total]
            .into_iter()
            .filter(|total| *total > 0)
            .min()
            .map_or(usize::MAX, |total| (total / 4).max(2))
    }

    /// Those of a box that nobody configured.
    #[cfg(test)]
    #[must_use]
    pub fn of_tests() -> Self {
        Self {
            smtp_sessions: Limits::default(),
            imap_sessions: Limits::default(),
            imap_sessions_per_person: 10,
            compressed_sessions: 4,
            message_size: 1 << 20,
            schedule: service::outbound::Options::new("").schedule,
            deliveries: 5,
            queue: 1000,
            queue_is_small: false,
            memory: u64::MAX,
            tls: None,
            plaintext_loopback: false,
            old_outlook: false,
            soft_bounce: false,
            check_helo: false,
            check_sender: true,
            dns: Some(Vec::new()),
            names: 256,
            hide_client: true,
            hide_agent: false,
            delimiter: Some('+'),
            local: Vec::new(),
            origin: None,
            postmaster: None,
            programs: LocalOptions::default(),
            local_port: None,
            level: log::LevelFilter::Info,
        }
    }

    /// What a session of an SMTP listener may do.
    #[must_use]
    pub fn smtp(&self, hostname: &str, kind: Kind, loopback: bool) -> Options {
        let in_clear = loopback && self.plaintext_loopback;
        let options = Options {
            size_limit: self.message_size,
            soft_bounce: self.soft_bounce,
            tls: Tls::Offered,
            ..Options::new(hostname)
        };
        match kind {
            Kind::Imap | Kind::Imaps | Kind::Mx | Kind::Pop3 | Kind::Pop3s => options,
            Kind::Devices | Kind::Local => Options {
                bare_local_parts: self.origin.is_some(),
                bare_lf: true,
                auth: Auth::Anybody,
                requiretls: false,
                tls: Tls::Off,
                ..options
            },
            Kind::Submission | Kind::Submissions => Options {
                bare_local_parts: self.origin.is_some(),
                tls: if in_clear {
                    Tls::Offered
                } else {
                    Tls::Required
                },
                auth: Auth::Offered(AuthOptions {
                    in_clear,
                    old_outlook: self.old_outlook,
                    required: true,
                }),
                ..options
            },
        }
    }

    /// What the services behind them go by; `disk` in octets.
    #[must_use]
    pub fn door(&self, hostname: &str, disk: u64) -> service::smtp::Options {
        service::smtp::Options {
            routing: self.routing(hostname),
            local: self.programs.clone(),
            local_port: self.local_port.clone(),
            soft_bounce: self.soft_bounce,
            check_helo: self.check_helo,
            check_sender: self.check_sender,
            queue_entries: self.queue,
            queue_octets: if self.queue_is_small { disk / 20 } else { 0 },
            hide_client: self.hide_client,
            hide_agent: self.hide_agent,
            message_size: self.message_size,
            give_up: self.schedule.give_up,
            ..service::smtp::Options::new(hostname)
        }
    }

    /// Who says which servers are asked for names.
    #[must_use]
    pub fn names(&self) -> Source {
        match &self.dns {
            Some(servers) => Source::Configured(servers.clone()),
            None => Source::System(Rc::new(system::read)),
        }
    }

    fn routing(&self, hostname: &str) -> routing::Options {
        routing::Options {
            delimiter: self.delimiter,
            hostname: Domain::parse(hostname),
            local: self.local.clone(),
            // The MX takes no bare local parts but `<postmaster>`.
            origin: self.origin.clone(),
            postmaster: self.postmaster.clone(),
            names: Arc::default(),
            null_client: self.programs.relay,
        }
    }

    /// The same for mail that leaves; `mx`: where our own MX listens.
    #[must_use]
    pub fn outbound(&self, hostname: &str, mx: Vec<SocketAddr>) -> service::outbound::Options {
        service::outbound::Options {
            routing: self.routing(hostname),
            aliases: self.programs.aliases.clone(),
            schedule: self.schedule,
            deliveries: self.deliveries,
            mx,
            soft_bounce: self.soft_bounce,
            ..service::outbound::Options::new(hostname)
        }
    }

    /// The same for IMAP.
    #[must_use]
    pub fn imap(&self) -> service::imap::Options {
        service::imap::Options {
            message_size: self.message_size,
            per_person: self.imap_sessions_per_person,
            slice_octets: service::imap::SLICE_OCTETS,
        }
    }
}

/// What all sessions of one kind share; there are few of them, so they are made once a reload.
#[derive(Clone, Debug)]
pub struct Offers {
    /// For devices too.
    local: Arc<Options>,
    mx: Arc<Options>,
    submission: Arc<Options>,
    /// For clients on loopback, which may be allowed more (SU-3).
    near: Arc<Options>,
}

impl Offers {
    #[must_use]
    pub fn new(settings: &Settings, hostname: &str) -> Self {
        let of = |kind, loopback| Arc::new(settings.smtp(hostname, kind, loopback));
        Self {
            local: of(Kind::Local, false),
            mx: of(Kind::Mx, false),
            submission: of(Kind::Submission, false),
            near: of(Kind::Submission, true),
        }
    }

    #[must_use]
    pub fn of(&self, kind: Kind, loopback: bool) -> Arc<Options> {
        Arc::clone(match (kind, loopback) {
            (Kind::Submission | Kind::Submissions, true) => &self.near,
            (Kind::Submission | Kind::Submissions, false) => &self.submission,
            (Kind::Devices | Kind::Local, _) => &self.local,
            (Kind::Imap | Kind::Imaps | Kind::Mx | Kind::Pop3 | Kind::Pop3s, _) => &self.mx,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn the_queue_of_a_small_machine_leaves_room_on_the_disk() {
        let mut settings = Settings::of_tests();
        assert_eq!(settings.door("mx.test", 1000 * MIB).queue_octets, 0);
        settings.queue_is_small = true;
        assert_eq!(settings.door("mx.test", 1000 * MIB).queue_octets, 50 * MIB);
    }

    #[test]
    fn what_is_left_of_the_memory() {
        // The three profiles of `spec/ux.md` section 3.12.
        for (limit, cache, ring, hash, left) in [
            (24, 1, 1, 7, 8),
            (64, 1, 4, 12, 40),
            (192, 4, 16, 19, 146),
            (16, 1, 1, 19, 2),
        ] {
            let octets = Settings::memory(limit * MIB, cache * MIB, ring * MIB, hash * MIB);
            assert_eq!(octets, left * MIB);
        }
    }
}
