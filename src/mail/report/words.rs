//! What a person reads: what happened, to whom, what the other server said, what to do.

use crate::mail::report::{
    Action, Recipient, Report,
    clean::{self, Charset, wrap},
};

fn heaviest(report: &Report<'_>) -> Action {
    let actions = report.recipients.iter().map(|to| to.action);
    actions.max().unwrap_or_default()
}

/// As Postfix words it: people and programs know these lines.
pub(super) fn subject(report: &Report<'_>) -> &'static str {
    match heaviest(report) {
        Action::Failed => "Undelivered Mail Returned to Sender",
        Action::Delayed => "Delayed Mail (still being retried)",
        Action::Delivered | Action::Expanded | Action::Relayed => "Successful Mail Delivery Report",
    }
}

pub(super) fn text(report: &Report<'_>) -> String {
    let host = clean::name(report.hostname);
    let mut out = format!("This is the mail system at host {host}.\r\n\r\n");
    wrap(&mut out, "", "", opening(report));
    for recipient in report.recipients {
        out.push_str("\r\n");
        about(&mut out, recipient);
    }
    out.push_str("\r\n");
    let help = format!(
        "For further help write to <postmaster@{host}>, and attach this report. It is about the \
         message that is attached below, {}.",
        clean::name(report.id)
    );
    wrap(&mut out, "", "", &help);
    out
}

fn opening(report: &Report<'_>) -> &'static str {
    match heaviest(report) {
        Action::Failed => {
            "Your message could not be delivered to everybody. Those named here did not get it, and it \
             is not tried again."
        }
        Action::Delayed => {
            "THIS IS A WARNING ONLY. YOU DO NOT NEED TO SEND YOUR MESSAGE AGAIN. It could not be \
             delivered yet to those named here, and is tried again and again."
        }
        Action::Delivered | Action::Expanded | Action::Relayed => {
            "Your message went well, as far as can be seen here. You asked to be told."
        }
    }
}

fn about(out: &mut String, recipient: &Recipient) {
    let address = clean::text(&recipient.address, Charset::Utf8, clean::ADDRESS_MAX);
    let said = clean::text(&recipient.text, Charset::Utf8, clean::TEXT_MAX);
    let remote = recipient.remote.as_deref().map(clean::name);
    let what = match (recipient.action, remote) {
        (Action::Failed | Action::Delayed, Some(remote)) => format!("{remote} said:"),
        (Action::Failed | Action::Delayed, None) => String::new(),
        (Action::Delivered, _) => "delivered to the mailbox".to_owned(),
        (Action::Expanded, _) => "passed on to the members of a list".to_owned(),
        (Action::Relayed, Some(remote)) => {
            format!("passed on to {remote}, which does not report what becomes of it")
        }
        (Action::Relayed, None) => "passed on, to where nothing is reported".to_owned(),
    };
    wrap(out, "", "    ", &format!("<{address}>: {what}"));
    if !said.is_empty() {
        wrap(out, "    ", "    ", &said);
    }
    if let (Action::Delayed, Some(until)) = (recipient.action, recipient.until) {
        let until = format!("It is tried until {}.", until.rfc5322());
        wrap(out, "    ", "    ", &until);
    }
    if recipient.action == Action::Failed {
        wrap(
            out,
            "    ",
            "    ",
            &format!("What to do: {}", cure(recipient)),
        );
    }
}

/// By the status' subject and detail (RFC 3463 section 3).
fn cure(recipient: &Recipient) -> &'static str {
    let status = clean::status(&recipient.status);
    match status.split_once('.').map_or("", |(_, rest)| rest) {
        "1.2" | "4.4" => "look for a typing mistake in what comes after the @ of the address.",
        "1.10" => "this domain takes no mail at all; look for another address.",
        rest if rest.starts_with("1.") => {
            "look for a typing mistake in the address, or ask the person for the right one in \
             another way."
        }
        "2.2" => {
            "the mailbox there is full; tell the person in another way, and send it again later."
        }
        "2.3" | "3.4" => "the message is too big there; send less of it, or a link to it.",
        "4.6" => "this address leads in a circle; tell whoever runs the mail there.",
        "7.30" => {
            "the way there is not as safe as the message asks for; send it without that wish."
        }
        rest if rest.starts_with("4.") => {
            "their server could not be reached in all that time; look for a typing mistake in the \
             address, or send it again later."
        }
        rest if rest.starts_with("7.") => {
            "their server does not want this message; its words say why. If they mean nothing to you, \
             show them to whoever runs your mail."
        }
        _ => {
            "the words above say why; if they mean nothing to you, show them to whoever runs your mail."
        }
    }
}
