//! `queue`: mail that waits to leave.

use serde::{Deserialize, Serialize};

use crate::{
    base::id::QueueId,
    config::value::print_size,
    service::operate::{Context, Kind, Problem, Reply, columns, name::shown},
    store::{
        self,
        queue::{BodyKind, QueueEntry, QueuedRecipient},
    },
};

/// Why mail waits for which nothing has been tried.
pub const WAITS: &str = "this version does not send yet";

/// Entries that are read in one go.
const SLICE: usize = 256;

#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Request {
    List,
    Remove { id: String },
    Show { id: String },
}

/// A message as a list shows it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Row {
    /// As its sender was told ("queued as").
    pub id: String,
    pub arrived: String,
    /// In octets.
    pub size: u64,
    /// Empty = the null reverse-path.
    pub sender: String,
    pub recipients: Vec<String>,
    /// Why the first recipient waits for whom that is known.
    pub reason: Option<String>,
}

/// A message with all that is known of it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Message {
    pub id: String,
    pub arrived: String,
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
    pub address: String,
    /// `None` = the mail servers (MX) of its domain.
    pub transport: Option<String>,
    pub reason: Option<String>,
    /// Whether the sender is rewritten for this one.
    pub srs: bool,
    pub notify: Option<String>,
    pub orcpt: Option<String>,
}

pub(super) async fn operate(
    context: &Context<'_>,
    request: Request,
    dry_run: bool,
) -> Result<Reply, Problem> {
    match request {
        Request::List => list(context),
        Request::Remove { id } => {
            let (queue, entry) = find(context, &id)?;
            let id = entry.queued.id;
            if dry_run {
                return Ok(Reply::Done(format!("would remove {id}")));
            }
            let request = store::Request::RemoveQueued { queue };
            let done = context.store.request(request).await;
            done.map_err(|refusal| Problem::refused(&refusal, &id))?;
            Ok(Reply::Done(format!("removed {id}; it is not sent")))
        }
        Request::Show { id } => show(context, &id),
    }
}

fn list(context: &Context<'_>) -> Result<Reply, Problem> {
    let mut rows = Vec::new();
    let mut after = None;
    loop {
        let slice = context.store.read(|reader| reader.queue(after, SLICE))?;
        let Some((last, _)) = slice.last() else {
            return Ok(Reply::Queue(rows));
        };
        after = Some(*last);
        rows.extend(slice.into_iter().map(|(_, entry)| row(entry)));
    }
}

fn row(entry: QueueEntry) -> Row {
    let recipients = entry.queued.recipients;
    Row {
        id: entry.queued.id,
        arrived: entry.arrived.rfc3339(),
        size: entry.size,
        sender: entry.queued.sender,
        reason: recipients
            .iter()
            .find_map(|r| r.reason.clone())
            .or_else(|| Some(WAITS.to_owned())),
        recipients: recipients.into_iter().map(|r| r.address).collect(),
    }
}

fn show(context: &Context<'_>, id: &str) -> Result<Reply, Problem> {
    let (_, entry) = find(context, id)?;
    let queued = entry.queued;
    let submitter = match queued.submitter {
        Some(user) => context.store.read(|reader| reader.user(user))?,
        None => None,
    };
    Ok(Reply::Queued(Box::new(Message {
        id: queued.id,
        arrived: entry.arrived.rfc3339(),
        size: entry.size,
        sender: queued.sender,
        submitter: submitter.map(|user| user.address),
        recipients: queued.recipients.into_iter().map(recipient).collect(),
        envid: queued.envid,
        ret: queued.ret.map(|ret| {
            let word = match ret {
                store::queue::Ret::Full => "FULL",
                store::queue::Ret::Headers => "HDRS",
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

fn recipient(row: QueuedRecipient) -> Recipient {
    Recipient {
        address: row.address,
        transport: row.transport,
        reason: row.reason.or_else(|| Some(WAITS.to_owned())),
        srs: row.srs.is_some(),
        notify: row.notify.map(|notify| notify.to_string()),
        orcpt: row.orcpt,
    }
}

fn find(context: &Context<'_>, id: &str) -> Result<(QueueId, QueueEntry), Problem> {
    let found = context.store.read(|reader| {
        let Some(queue) = reader.queue_named(id)? else {
            return Ok(None);
        };
        Ok(reader.queue_entry(queue)?.map(|entry| (queue, entry)))
    })?;
    found.ok_or_else(|| {
        let text = format!("no message {} waits (pillarbox queue list)", shown(id));
        Problem::new(Kind::NoSuch, text)
    })
}

pub(super) fn text(rows: &[Row]) -> Vec<String> {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let reason = match &row.reason {
                Some(reason) => format!("({reason})"),
                None => String::new(),
            };
            vec![
                row.id.clone(),
                row.arrived.clone(),
                size(row.size),
                format!("<{}>", row.sender),
                "->".to_owned(),
                row.recipients.join(", "),
                reason,
            ]
        })
        .collect();
    columns(&rows)
}

impl Message {
    pub(super) fn text(&self) -> Vec<String> {
        let mut lines = vec![
            format!("{}: {}, arrived {}", self.id, size(self.size), self.arrived),
            format!("from <{}>", self.sender),
        ];
        if let Some(user) = &self.submitter {
            lines.push(format!("sent by {user}"));
        }
        for recipient in &self.recipients {
            let way = recipient.transport.as_deref();
            let way = way.unwrap_or("the mail servers (MX) of its domain");
            let mut line = format!("to <{}> through {way}", recipient.address);
            if let Some(reason) = &recipient.reason {
                line = format!("{line} ({reason})");
            }
            for (value, what) in [(&recipient.notify, "NOTIFY"), (&recipient.orcpt, "ORCPT")] {
                if let Some(value) = value {
                    line = format!("{line}, {what}={value}");
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
                lines.push(format!("{what}={value}"));
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

fn size(octets: u64) -> String {
    match octets {
        0..1024 => octets.to_string(),
        1024..1_048_576 => print_size(octets.div_ceil(1024).saturating_mul(1024)),
        _ => print_size(octets.div_ceil(1_048_576).saturating_mul(1_048_576)),
    }
}
