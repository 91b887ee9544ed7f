//! `route test`: what the provider says, and what to do about it (UX-08, UX-58).

use serde::{Deserialize, Serialize};

use super::{find, own_address, tls};
use crate::{
    service::{
        operate::{Context, Kind, Problem, Reply, queue::plain, status},
        outbound::{ProbeStep, Probed as Found},
    },
    store::directory::{Route, RouteTls},
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
}

pub(super) async fn test(
    context: &Context<'_>,
    name: &str,
    to: Option<&str>,
) -> Result<Reply, Problem> {
    let (name, route) = find(context, name)?;
    let Some(outbound) = context.outbound else {
        return Err(Problem::new(Kind::NotRunning, status::NOT_RUNNING));
    };
    let _ = to;
    let sender = own_address(&route).unwrap_or_default();
    let found = outbound.probe(&name, &sender).await;
    Ok(Reply::Probed(Probed::new(name, &route, &found)))
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
        lines.extend(self.hint.iter().map(|hint| format!("    {hint}")));
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
    if says("expired") || says("not valid yet") || says("notvalidyet") {
        format!(
            "the certificate of {host} is out of date, or the clock of this box is wrong (date); if the \
             clock is right, only the provider can mend it"
        )
    } else if says("not valid for") || says("name") {
        format!("the certificate is for another name than {host}: give --host the name that it has")
    } else if says("unknown issuer") || says("unknownissuer") || says("self-signed") {
        format!(
            "nobody known vouches for the certificate of {host}: wrong host, or somebody is in between; \
             the password was not sent"
        )
    } else if says("not offer") || says("no starttls") || says("plain") {
        format!(
            "it offers no encryption on port {}, so the password was not sent: give {}, or for a server \
             of your own network --tls none",
            route.port,
            other_port(route)
        )
    } else {
        format!(
            "no encrypted connection with TLS {}: wrong port? Most providers take {}",
            tls(route.tls),
            other_port(route)
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
    if says("not offer") || says("no mechanism") {
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
