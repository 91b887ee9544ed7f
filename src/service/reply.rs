//! From a refusal to its SMTP reply: the one place. Codes and texts are those of `spec/mail.md`, to the
//! letter: admins grep for them.

use std::net::IpAddr;

use crate::{
    mail::{
        address::Address,
        path::{ForwardPath, ReversePath},
    },
    policy::{connection::Client, sender},
    proto::smtp::reply::Reply,
    routing,
    service::inbound::Failure,
    store::Refusal,
};

/// How the peer hears of a refusal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Told {
    /// Not at all: the connection ends, because either answer could be wrong.
    Hang,
    Reply(Reply),
}

impl From<Reply> for Told {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}

/// A client that may not come (SR-18); told at the recipient (SR-11).
#[must_use]
pub fn client(client: &Client) -> Reply {
    Reply::new(
        554,
        format!("5.7.1 <{client}>: Client host rejected: Access denied"),
    )
}

/// A listed address that is a router's (LM-10, UX page D).
#[must_use]
pub fn router(ip: IpAddr) -> Reply {
    Reply::new(
        554,
        format!("5.7.1 {ip} is a router or this machine itself: it may not send for others"),
    )
}

/// Somebody on this machine who may not send (`local.allow_uids`).
#[must_use]
pub fn system_user(uid: Option<u32>) -> Reply {
    let who = uid.map_or_else(|| "an unknown user".to_owned(), |uid| format!("uid {uid}"));
    Reply::new(
        554,
        format!("5.7.1 Client rejected: {who} may not send here (local.allow_uids)"),
    )
}

/// More messages than this machine or device may send in a time (LM-10, LM-11).
#[must_use]
pub fn too_many(client: &Client) -> Reply {
    Reply::new(
        451,
        format!("4.7.1 <{client}>: Error: too many messages, try again later"),
    )
}

/// Mail that would leave a box whose mail stays (LM-1).
#[must_use]
pub fn local_only(path: &ForwardPath, text: &str) -> Reply {
    Reply::new(
        550,
        format!("5.1.1 {path}: Recipient address rejected: {text}"),
    )
}

/// A sender or recipient that is not the device's (LM-10).
#[must_use]
pub fn device_sender(path: &ReversePath, device: &str) -> Reply {
    Reply::new(
        553,
        format!("5.7.1 {path}: Sender address rejected: not one of device {device}"),
    )
}

#[must_use]
pub fn device_recipient(address: &Address, device: &str) -> Reply {
    Reply::new(
        554,
        format!("5.7.1 <{address}>: Recipient address rejected: not one for device {device}"),
    )
}

/// A name in HELO that DNS does not know (SR-12); told at the recipient (SR-11).
#[must_use]
pub fn helo(name: &str) -> Reply {
    Reply::new(
        450,
        format!("4.7.1 <{name}>: Helo command rejected: Host not found"),
    )
}

/// A sender that is refused (SR-13, SR-14, SU-10); told at the recipient (SR-11). `user` is the authenticated
/// user that it does not belong to.
#[must_use]
pub fn sender(refusal: sender::Refusal, path: &ReversePath, user: &str) -> Reply {
    match refusal {
        sender::Refusal::Bare => Reply::new(
            504,
            format!("5.5.2 {path}: Sender address rejected: need fully-qualified address"),
        ),
        sender::Refusal::DomainDeaf => Reply::new(
            550,
            format!("5.1.10 {path}: Sender address rejected: Domain takes no mail (null MX)"),
        ),
        sender::Refusal::DomainUnknown => Reply::new(
            550,
            format!("5.1.8 {path}: Sender address rejected: Domain not found"),
        ),
        sender::Refusal::DomainUnsure => Reply::new(
            450,
            format!("4.1.8 {path}: Sender address rejected: Domain not found"),
        ),
        sender::Refusal::LookupFailed => lookup_failed(path),
        sender::Refusal::NotOwned => not_owned(&path.to_string(), user),
        sender::Refusal::Unknown => Reply::new(
            550,
            format!("5.1.0 {path}: Sender address rejected: User unknown in virtual mailbox table"),
        ),
    }
}

/// `author` with brackets (SU-10).
fn not_owned(author: &str, user: &str) -> Reply {
    Reply::new(
        553,
        format!("5.7.1 {author}: Sender address rejected: not owned by user {user}"),
    )
}

/// Whoever was logged in is somebody else now, or nobody (SU-9).
#[must_use]
pub fn stale(hostname: &str) -> Reply {
    Reply::new(
        421,
        format!("4.7.0 {hostname} Error: your account has changed, log in again"),
    )
}

/// Why a recipient leads nowhere (SR-8, SR-9, SR-10, SR-26, FW-8, TR-9).
#[must_use]
pub fn recipient(refusal: routing::Refusal, path: &ForwardPath, hint: Option<&str>) -> Reply {
    match refusal {
        routing::Refusal::AliasLoop | routing::Refusal::TooMany => {
            Reply::new(451, "4.6.0 Alias expansion error")
        }
        routing::Refusal::Foreign => relay_denied(path, hint),
        routing::Refusal::LookupFailed => lookup_failed(path),
        routing::Refusal::Nobody => Reply::new(
            451,
            format!("4.3.0 {path}: Recipient address rejected: nobody is set up to read this yet"),
        ),
        routing::Refusal::Transport { code, status, text } => Reply::new(
            code,
            format!("{status} {path}: Recipient address rejected: {text}"),
        ),
        routing::Refusal::Unknown => Reply::new(
            550,
            format!(
                "5.1.1 {path}: Recipient address rejected: User unknown in virtual mailbox table"
            ),
        ),
    }
}

/// The recipient's mailbox has no room (ST-8).
#[must_use]
pub fn full(path: &ForwardPath) -> Reply {
    Reply::new(
        552,
        format!("5.2.2 {path}: Recipient address rejected: Mailbox is full"),
    )
}

/// The disk has no room (SR-30).
#[must_use]
pub fn no_room() -> Reply {
    Reply::new(452, "4.3.1 Insufficient system storage")
}

/// Too much is on its way at once (HD-4).
#[must_use]
pub fn no_memory() -> Reply {
    Reply::new(452, "4.3.1 Insufficient system resources (memory)")
}

/// The queue takes no more (`limit.queue`).
#[must_use]
pub fn queue_full() -> Reply {
    Reply::new(452, "4.3.1 Insufficient system storage: the queue is full")
}

/// A message that came and is not taken; from `user`, where somebody has logged in.
#[must_use]
pub fn message(failure: &Failure, user: &str) -> Told {
    match failure {
        Failure::HeaderTooBig => Reply::new(552, "5.3.4 Message header too big").into(),
        Failure::LookupFailed => Reply::new(451, "4.3.0 Temporary lookup failure").into(),
        Failure::NotOwned(author) => not_owned(author, user).into(),
        Failure::Nul => Reply::new(550, "5.6.0 Message header holds a NUL").into(),
        Failure::Store(refusal) => store(refusal),
        Failure::TooManyHops => Reply::new(554, "5.4.6 Error: too many hops").into(),
    }
}

/// What the store refused at the end of a message.
fn store(refusal: &Refusal) -> Told {
    match refusal {
        Refusal::Full => no_room().into(),
        Refusal::OverQuota { .. } => Reply::new(552, "5.2.2 Mailbox is full").into(),
        Refusal::Limit { name, .. } => {
            Reply::new(452, format!("4.3.1 Insufficient system resources ({name})")).into()
        }
        // The recipients were there at RCPT; the peer asks again and hears what has become of them.
        Refusal::NoDomain | Refusal::NoFolder | Refusal::NoUser => {
            Reply::new(451, "4.3.0 Temporary lookup failure").into()
        }
        Refusal::Broken(_)
        | Refusal::Changed
        | Refusal::Exists
        | Refusal::Name
        | Refusal::NoEntry
        | Refusal::NotEmpty => Reply::new(451, "4.3.0 Error: queue file write error").into(),
        Refusal::Unknown => Told::Hang,
    }
}

/// `hint` follows for clients on loopback: which port relays (SR-10).
fn relay_denied(path: &ForwardPath, hint: Option<&str>) -> Reply {
    let hint = hint.map_or(String::new(), |port| format!("; use port {port}"));
    Reply::new(554, format!("5.7.1 {path}: Relay access denied{hint}"))
}

/// The directory cannot be read (SR-9).
#[must_use]
pub fn lookup_failed(path: &impl std::fmt::Display) -> Reply {
    Reply::new(451, format!("4.3.0 {path}: Temporary lookup failure"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::path::{parse_forward, parse_reverse};

    fn line(reply: &Reply) -> String {
        format!("{} {}", reply.code, reply.lines.join("\n"))
    }

    #[test]
    fn recipients() {
        use routing::Refusal;
        let path = parse_forward("<x@home.test>").unwrap();
        for (refusal, hint, want) in [
            (
                Refusal::Unknown,
                None,
                "550 5.1.1 <x@home.test>: Recipient address rejected: User unknown in virtual mailbox table",
            ),
            (
                Refusal::LookupFailed,
                None,
                "451 4.3.0 <x@home.test>: Temporary lookup failure",
            ),
            (
                Refusal::Foreign,
                None,
                "554 5.7.1 <x@home.test>: Relay access denied",
            ),
            (
                Refusal::Foreign,
                Some("2526"),
                "554 5.7.1 <x@home.test>: Relay access denied; use port 2526",
            ),
            (Refusal::AliasLoop, None, "451 4.6.0 Alias expansion error"),
            (Refusal::TooMany, None, "451 4.6.0 Alias expansion error"),
            (
                Refusal::Transport {
                    code: 550,
                    status: "5.1.2".to_owned(),
                    text: "gone away".to_owned(),
                },
                None,
                "550 5.1.2 <x@home.test>: Recipient address rejected: gone away",
            ),
            (
                Refusal::Nobody,
                None,
                "451 4.3.0 <x@home.test>: Recipient address rejected: nobody is set up to read this yet",
            ),
        ] {
            assert_eq!(line(&recipient(refusal, &path, hint)), want);
        }
        assert_eq!(
            line(&full(&path)),
            "552 5.2.2 <x@home.test>: Recipient address rejected: Mailbox is full"
        );
    }

    #[test]
    fn senders() {
        let path = parse_reverse("<ghost@home.test>").unwrap();
        for (refusal, want) in [
            (
                sender::Refusal::Unknown,
                "550 5.1.0 <ghost@home.test>: Sender address rejected: User unknown in virtual mailbox table",
            ),
            (
                sender::Refusal::DomainUnsure,
                "450 4.1.8 <ghost@home.test>: Sender address rejected: Domain not found",
            ),
            (
                sender::Refusal::LookupFailed,
                "451 4.3.0 <ghost@home.test>: Temporary lookup failure",
            ),
            (
                sender::Refusal::NotOwned,
                "553 5.7.1 <ghost@home.test>: Sender address rejected: not owned by user a@home.test",
            ),
        ] {
            assert_eq!(line(&sender(refusal, &path, "a@home.test")), want);
        }
    }

    #[test]
    fn clients() {
        let who = Client::new([192, 0, 2, 1].into(), None);
        assert_eq!(
            line(&client(&who)),
            "554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: Access denied"
        );
    }

    #[test]
    fn soft_bounces() {
        for (hard, soft) in [
            ((550, "5.1.1 no"), "450 4.1.1 no"),
            ((554, "no 5.1.1"), "454 no 5.1.1"),
            ((451, "4.3.0 later"), "451 4.3.0 later"),
            ((250, "2.0.0 Ok"), "250 2.0.0 Ok"),
        ] {
            assert_eq!(line(&Reply::new(hard.0, hard.1).softened()), soft);
        }
    }

    #[test]
    fn a_doubt_is_not_answered() {
        assert_eq!(message(&Failure::Store(Refusal::Unknown), ""), Told::Hang);
        let full = message(&Failure::Store(Refusal::Full), "");
        assert_eq!(full, Told::Reply(no_room()));
    }
}
