//! `route test`: what the provider says, and what to do about it (UX-08, UX-58).

use serde::{Deserialize, Serialize};

use super::{find, own_address, tls};
use crate::{
    config::schema,
    mail::{address::Address, summary::SummaryBuilder},
    service::{
        operate::{
            Context, Kind, Outside, Problem, Reply,
            name::address,
            queue::{self, plain},
            status, trace,
        },
        outbound::{ProbeStep, Probed as Found},
    },
    store::{
        self,
        content::Body,
        directory::{Route, RouteTls},
        queue::{Arrival, BodyKind, Queued, QueuedRecipient},
        request::Deliver,
    },
};

/// How a test went.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Probed {
    pub route: String,
    /// It would take mail.
    pub ok: bool,
    /// `host[ip]:port`, as far as it came.
    pub relay: String,
    /// `name`, `connect`, `greeting`, `tls`, `auth` or `sender`: where it ended.
    pub step: Option<String>,
    /// What the other side said last, or why there was nobody to say it.
    pub reply: String,
    /// What to do.
    pub hint: Option<String>,
    /// What became of a message that was sent as well.
    pub message: Option<String>,
}

/// Seconds in which a message of a test should have left.
const WAIT: u64 = 40;
/// Pause between two looks at it, in milliseconds.
const LOOK: u64 = 250;

pub(super) async fn test(
    context: &Context<'_>,
    name: &str,
    to: Option<&str>,
) -> Result<Reply, Problem> {
    let to = to.map(address).transpose()?;
    let mut probed = probe(context, name).await?;
    if let Some(to) = to
        && probed.ok
    {
        let (ok, text) = send(context, &probed.route, &to).await?;
        probed.ok = ok;
        probed.message = Some(text);
    }
    Ok(Reply::Probed(probed))
}

/// Connects as mail would.
pub(in crate::service::operate) async fn probe(
    context: &Context<'_>,
    name: &str,
) -> Result<Probed, Problem> {
    let (name, route) = find(context, name)?;
    let Some(outbound) = context.outbound else {
        return Err(Problem::new(Kind::NotRunning, status::NOT_RUNNING));
    };
    let sender = own_address(&route).unwrap_or_default();
    let found = outbound.probe(&name, &sender).await;
    Ok(Probed::new(name, &route, &found))
}

/// Sends a message through the queue and waits for what becomes of it.
async fn send(context: &Context<'_>, name: &str, to: &Address) -> Result<(bool, String), Problem> {
    let Some(Outside { world, .. }) = &context.outside else {
        return Err(Problem::new(Kind::NotRunning, status::NOT_RUNNING));
    };
    let route = context.store.read(|reader| reader.route(name))?;
    let Some(from) = route.as_ref().and_then(own_address) else {
        let text = "a message needs a sender: give the route one (pillarbox route set NAME --from ADDRESS)";
        return Err(Problem::new(Kind::BadData, text));
    };
    let mut random = [0; 8];
    world.random().fill(&mut random);
    let id = format!("T{:016X}", u64::from_le_bytes(random));
    let host = context.config.text(&schema::HOSTNAME);
    let text = format!(
        "From: {from}\r\nTo: {to}\r\nSubject: Test of the route {name}\r\nDate: {}\r\nMessage-ID: \
         <{id}@{host}>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nThis \
         message was sent by pillarbox route test on {host}.\r\n",
        context.now.rfc5322()
    );
    let mut summary = SummaryBuilder::new();
    summary.push(text.as_bytes());
    let deliver = Deliver {
        prefix: Vec::new(),
        summary: summary.finish().encode(),
        body: Body::small(text.into_bytes()),
        received: context.now,
        to: Vec::new(),
        queue: Some(Queued {
            id: id.clone(),
            sender: from,
            submitter: None,
            envid: None,
            ret: None,
            body: BodyKind::SevenBit,
            smtputf8: false,
            requiretls: false,
            arrival: Arrival::Here,
            recipients: vec![QueuedRecipient {
                address: to.to_string(),
                transport: Some(format!("relay:{name}")),
                pinned: true,
                due: context.outbound.map_or(0, |outbound| outbound.now()),
                ..QueuedRecipient::default()
            }],
        }),
        settles: Vec::new(),
        warns: None,
    };
    let done = context
        .store
        .request(store::Request::Deliver(deliver))
        .await;
    done.map_err(|refusal| Problem::refused(&refusal, "the test message"))?;
    if let Some(outbound) = context.outbound {
        outbound.wake();
    }
    let until = world.now().plus_seconds(WAIT);
    while world.now() < until {
        world.sleep(world.now().plus(LOOK)).await;
        let Some(row) = queue::named(context, &id)? else {
            return Ok(match trace::fate(context, &id).await {
                Some((sent, text)) => (sent, format!("{id}: {text}")),
                None => (true, format!("{id} has left the queue")),
            });
        };
        let waits = row.recipients.into_iter().find_map(|one| one.reason);
        if let Some(reason) = waits {
            return Ok((
                false,
                format!("{id} waits: {reason} (pillarbox queue show {id})"),
            ));
        }
    }
    Ok((
        false,
        format!("{id} still waits (pillarbox queue show {id})"),
    ))
}

impl Probed {
    fn new(name: String, route: &Route, found: &Found) -> Self {
        let reply = plain(&found.reply);
        Self {
            route: name,
            ok: found.failed.is_none(),
            relay: found.relay.clone(),
            step: found.failed.map(|step| word(step).to_owned()),
            hint: found.failed.map(|step| hint(step, route, &reply)),
            reply,
            message: None,
        }
    }

    pub(in crate::service::operate) fn text(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.ok {
            lines.push(format!(
                "ok: {} takes our mail ({})",
                self.relay, self.route
            ));
        } else {
            let step = self.step.as_deref().unwrap_or_default();
            lines.push(format!(
                "failing at {step}: {} ({})",
                self.relay, self.route
            ));
        }
        if !self.reply.is_empty() {
            lines.push(format!("    it says: {}", self.reply));
        }
        let more = self.hint.iter().chain(&self.message);
        lines.extend(more.map(|text| format!("    {text}")));
        lines
    }

    pub(in crate::service::operate) fn exit(&self) -> u8 {
        if self.ok { 0 } else { 2 }
    }
}

fn word(step: ProbeStep) -> &'static str {
    match step {
        ProbeStep::Name => "name",
        ProbeStep::Connect => "connect",
        ProbeStep::Greeting => "greeting",
        ProbeStep::Tls => "tls",
        ProbeStep::Auth => "auth",
        ProbeStep::Sender => "sender",
    }
}

/// What to do: by the step, then by who it is and what was said.
fn hint(step: ProbeStep, route: &Route, reply: &str) -> String {
    let host = route.hosts.first().map_or("", String::as_str);
    let lower = reply.to_ascii_lowercase();
    let says = |text: &str| lower.contains(text);
    match step {
        ProbeStep::Name => format!(
            "{host} has no address: look at how it is spelled; if other names fail as well, name \
             resolution is broken here (pillarbox doctor)"
        ),
        ProbeStep::Connect => connect(route, &says),
        ProbeStep::Greeting => greeting(route, &says),
        ProbeStep::Tls => handshake(route, host, &says),
        ProbeStep::Auth => auth(host, &says),
        ProbeStep::Sender => sender(host, reply, &says),
    }
}

/// Which ports belong to which kind of TLS.
fn other_port(route: &Route) -> &'static str {
    match route.tls {
        RouteTls::Implicit => "--port 465 with --tls implicit, or --port 587 with --tls starttls",
        RouteTls::None | RouteTls::StartTls => {
            "--port 587 with --tls starttls, or --port 465 with --tls implicit"
        }
    }
}

fn connect(route: &Route, says: &impl Fn(&str) -> bool) -> String {
    let port = route.port;
    let ports = other_port(route);
    if says("refused") {
        format!("nobody listens on port {port} there: wrong port? Most providers take {ports}")
    } else if port == 25 {
        "nothing came back: many lines block port 25 out; use the provider's port 587 or 465"
            .to_owned()
    } else {
        format!(
            "nothing came back on port {port}: wrong host or port, or a firewall is between; most \
             providers take {ports}"
        )
    }
}

fn greeting(route: &Route, says: &impl Fn(&str) -> bool) -> String {
    if says("554") || says("550") || says("521") {
        return "it takes no mail from this line; ask the provider which host and port to use"
            .to_owned();
    }
    let ports = other_port(route);
    match route.tls {
        RouteTls::Implicit => {
            format!(
                "it does not begin with TLS on port {}: give {ports}",
                route.port
            )
        }
        RouteTls::None | RouteTls::StartTls => format!(
            "it does not greet as a mail server; if port {} is for TLS from the first octet, give \
             --tls implicit; most providers take {ports}",
            route.port
        ),
    }
}

fn handshake(route: &Route, host: &str, says: &impl Fn(&str) -> bool) -> String {
    let ports = other_port(route);
    if says("expired") || says("not valid before") {
        format!(
            "the certificate of {host} is out of date, or the clock of this box is wrong (date); if the \
             clock is right, only the provider can mend it"
        )
    } else if says("certificate is for") {
        format!("the certificate is for another name than {host}: give --host the name that it has")
    } else if says("not trusted") || says("nobody but itself") {
        format!(
            "nobody known vouches for the certificate of {host}: wrong host, or somebody is in between; \
             the password was not sent"
        )
    } else if says("not offered") {
        format!(
            "it offers no encryption on port {}, so the password was not sent: give {ports}, or for a \
             server of your own network --tls none",
            route.port
        )
    } else if says("in plain text") && route.tls == RouteTls::Implicit {
        format!(
            "it begins in clear on port {}: give --tls starttls for this port, or {ports}",
            route.port
        )
    } else {
        format!(
            "no encrypted connection with TLS {}: wrong port? Most providers take {ports}",
            tls(route.tls)
        )
    }
}

/// By the end of a host's name.
const LOGINS: &[(&str, &str)] = &[
    (
        "gmail.com",
        "make an app password (Google account, Security, App passwords) and give that one: the \
         account's own password is not taken",
    ),
    (
        "yahoo.com",
        "make an app password in your Yahoo account's security page, and give that one",
    ),
    (
        "me.com",
        "make an app-specific password at account.apple.com, and give that one",
    ),
    (
        "fastmail.com",
        "make an app password (Settings, Privacy & Security), and give that one",
    ),
    (
        "office365.com",
        "the admin of the organisation has to allow SMTP AUTH for this mailbox; else choose another \
         provider",
    ),
    (
        "outlook.com",
        "Microsoft has turned off passwords for most accounts: choose another provider",
    ),
    (
        "amazonaws.com",
        "SES takes SMTP credentials (SES console, SMTP settings), of the same region; an access key is \
         something else",
    ),
    (
        "sendgrid.net",
        "the user is the word apikey, the password an API key that may send",
    ),
    (
        "brevo.com",
        "give the login and an SMTP key of the page \"SMTP and API\"; the account's password is not \
         taken",
    ),
];

fn auth(host: &str, says: &impl Fn(&str) -> bool) -> String {
    if says("no log-in is offered") || says("no mechanism in common") {
        return "it offers no log-in that we know; without a password: add the route without --user"
            .to_owned();
    }
    let known = LOGINS.iter().find(|(end, _)| host.ends_with(end));
    let text = known.map_or(
        "user or password is wrong; some providers want a password for apps that you make on their page",
        |(_, text)| *text,
    );
    format!("{text} (pillarbox route set NAME --password-stdin)")
}

fn sender(host: &str, reply: &str, says: &impl Fn(&str) -> bool) -> String {
    if host.ends_with("amazonaws.com") && (reply.contains("554") || says("not verified")) {
        return "verify the domain (or the address) in the SES console, in the same region"
            .to_owned();
    }
    if says("not owned") || says("not allowed") || says("verif") || says("own") {
        return "the provider does not know this sender as yours: verify the domain on its page, or give \
                --from an address that it knows"
            .to_owned();
    }
    if says("auth") {
        return "it wants a log-in: give --user and --password-stdin".to_owned();
    }
    "the provider does not take this sender: give --from an address of your account there"
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{base::secret::Secret, store::directory::FromRewrite};

    fn route(host: &str, port: u16, tls: RouteTls) -> Route {
        Route {
            hosts: vec![host.to_owned()],
            port,
            tls,
            user: Some("me@home.test".to_owned()),
            password: Secret::new(b"hush".to_vec()),
            from_rewrite: FromRewrite::Off,
            from: None,
            secret_in: 0,
        }
    }

    /// UX-58: each mistake has its own text.
    #[test]
    fn ux_58_each_failure_has_its_own_hint() {
        let plain = route("smtp.away.test", 587, RouteTls::StartTls);
        let mut seen = std::collections::BTreeSet::new();
        for (step, reply, want) in [
            (ProbeStep::Auth, "535 5.7.8 Error", "password is wrong"),
            (ProbeStep::Connect, "Connection refused", "wrong port?"),
            (ProbeStep::Connect, "timed out", "nothing came back"),
            (
                ProbeStep::Tls,
                "the certificate of mx has expired: on 2026-01-01",
                "out of date",
            ),
            (
                ProbeStep::Tls,
                "TLS is required, but was not offered by host mx",
                "offers no encryption",
            ),
            (
                ProbeStep::Tls,
                "the certificate of mx is signed by nobody but itself",
                "nobody known vouches",
            ),
            (
                ProbeStep::Tls,
                "the certificate is for mx.a.test, not for smtp.away.test",
                "for another name",
            ),
            (
                ProbeStep::Tls,
                "mx ended the connection in the middle of the TLS handshake",
                "wrong port?",
            ),
            (ProbeStep::Name, "no such name", "has no address"),
            (ProbeStep::Greeting, "no greeting", "--tls implicit"),
            (
                ProbeStep::Sender,
                "553 not owned by user",
                "verify the domain",
            ),
        ] {
            let hint = hint(step, &plain, reply);
            assert!(hint.contains(want), "{reply}: {hint}");
            assert!(seen.insert(hint), "{reply}");
        }
        for (host, step, reply, want) in [
            (
                "smtp.gmail.com",
                ProbeStep::Auth,
                "535 5.7.8 Username and Password not accepted",
                "make an app password",
            ),
            (
                "email-smtp.eu-west-1.amazonaws.com",
                ProbeStep::Sender,
                "554 Message rejected: Email address is not verified",
                "verify the domain",
            ),
            (
                "smtp.sendgrid.net",
                ProbeStep::Auth,
                "535 Authentication failed",
                "the word apikey",
            ),
        ] {
            let hint = hint(step, &route(host, 587, RouteTls::StartTls), reply);
            assert!(hint.contains(want), "{host}: {hint}");
        }
        let implicit = route("smtp.away.test", 587, RouteTls::Implicit);
        let text = "mx answers in plain text at this port, not with TLS";
        let hint = hint(ProbeStep::Tls, &implicit, text);
        assert!(hint.contains("it begins in clear"), "{hint}");
    }
}
