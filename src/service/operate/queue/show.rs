//! One message with all that is known of it.

use serde::{Deserialize, Serialize};

use super::{
    State, Waiting, find,
    list::View,
    text::{plain, size, span, tried},
};
use crate::{
    service::operate::{Context, Problem, Reply},
    store::queue::{BodyKind, Ret},
};

/// A message with all that is known of it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Message {
    pub id: String,
    pub state: State,
    pub arrived: String,
    pub age_seconds: u64,
    /// In octets.
    pub size: u64,
    pub sender: String,
    /// Who logged in to send it.
    pub submitter: Option<String>,
    pub recipients: Vec<Recipient>,
    pub envid: Option<String>,
    /// `FULL` or `HDRS`.
    pub ret: Option<String>,
    /// `7BIT`, `8BITMIME` or `BINARYMIME`.
    pub body: String,
    pub requiretls: bool,
    pub smtputf8: bool,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Recipient {
    pub waiting: Waiting,
    /// `None` = the mail servers (MX) of its domain.
    pub transport: Option<String>,
    /// Whether the sender is rewritten for this one.
    pub srs: bool,
    pub notify: Option<String>,
    pub orcpt: Option<String>,
}

pub(super) fn show(context: &Context<'_>, id: &str) -> Result<Reply, Problem> {
    let (queue, entry) = find(context, id)?;
    let (row, submitter) = context.store.read(|reader| {
        let submitter = match entry.queued.submitter {
            Some(user) => reader.user(user)?,
            None => None,
        };
        Ok((View::new(context, reader)?.row(queue, &entry)?, submitter))
    })?;
    let queued = entry.queued;
    let recipients = queued.recipients.into_iter().zip(row.recipients);
    Ok(Reply::Queued(Box::new(Message {
        id: row.id,
        state: row.state,
        arrived: row.arrived,
        age_seconds: row.age_seconds,
        size: row.size,
        sender: row.sender,
        submitter: submitter.map(|user| user.address),
        recipients: recipients
            .map(|(recipient, waiting)| Recipient {
                waiting,
                transport: recipient.transport,
                srs: recipient.srs.is_some(),
                notify: recipient.notify.map(|notify| notify.to_string()),
                orcpt: recipient.orcpt,
            })
            .collect(),
        envid: queued.envid,
        ret: queued.ret.map(|ret| {
            let word = match ret {
                Ret::Full => "FULL",
                Ret::Headers => "HDRS",
            };
            word.to_owned()
        }),
        body: match queued.body {
            BodyKind::BinaryMime => "BINARYMIME",
            BodyKind::EightBitMime => "8BITMIME",
            BodyKind::SevenBit => "7BIT",
        }
        .to_owned(),
        requiretls: queued.requiretls,
        smtputf8: queued.smtputf8,
    })))
}

impl Message {
    pub(in crate::service::operate) fn text(&self) -> Vec<String> {
        let mut lines = vec![
            format!(
                "{}: {}, {}, arrived {} ({} ago)",
                self.id,
                self.state.word(),
                size(self.size),
                self.arrived,
                span(self.age_seconds)
            ),
            format!("from <{}>", plain(&self.sender)),
        ];
        if let Some(user) = &self.submitter {
            lines.push(format!("sent by {user}"));
        }
        for recipient in &self.recipients {
            let way = recipient.transport.as_deref();
            let way = way.unwrap_or("the mail servers (MX) of its domain");
            let mut line = format!(
                "to <{}> through {}, {}",
                plain(&recipient.waiting.address),
                plain(way),
                tried(self.state, &recipient.waiting)
            );
            for (value, what) in [(&recipient.notify, "NOTIFY"), (&recipient.orcpt, "ORCPT")] {
                if let Some(value) = value {
                    line = format!("{line}, {what}={}", plain(value));
                }
            }
            if recipient.srs {
                line.push_str(", sender rewritten (SRS)");
            }
            lines.push(line);
        }
        lines.push(format!("BODY={}", self.body));
        for (value, what) in [(&self.ret, "RET"), (&self.envid, "ENVID")] {
            if let Some(value) = value {
                lines.push(format!("{what}={}", plain(value)));
            }
        }
        for (on, what) in [
            (self.requiretls, "goes only where TLS is sure (REQUIRETLS)"),
            (self.smtputf8, "needs a server that takes UTF-8 (SMTPUTF8)"),
        ] {
            if on {
                lines.push(what.to_owned());
            }
        }
        lines
    }
}
