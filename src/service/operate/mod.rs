//! What an admin does: one file per noun, request in, reply or problem out, with all texts. Page,
//! control socket and command line call this and nothing else.

pub mod access;
pub mod alias;
pub mod app_password;
pub mod check;
pub mod config;
pub mod device;
pub mod dkim;
pub mod dns;
pub mod doctor;
pub mod domain;
pub mod finding;
pub mod kept;
pub mod mail;
mod name;
pub mod queue;
pub mod route;
pub mod status;
pub mod store;
pub mod test;
pub mod tls;
pub mod trace;
pub mod transport;
pub mod user;
pub mod wire;

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::{
    base::time::Time,
    config::Config,
    net::{resolve::Resolver, world::World},
    service::{outbound::Outbound, password::Passwords},
    store::{self as store_room, Broken, Refusal, Store, directory::Edit},
};

/// What operations work on.
#[derive(Debug)]
pub struct Context<'a> {
    pub store: &'a Store,
    pub passwords: &'a Passwords,
    pub config: &'a Config,
    pub now: Time,
    /// `None` when only the store is open, for one command.
    pub running: Option<status::Running>,
    /// Has the running appliance read its settings anew; `None` as above.
    pub renew: Option<config::Renew<'a>>,
    /// To be woken where queued mail may leave now; `None` as above.
    pub outbound: Option<&'a Rc<Outbound>>,
    /// `None` where nothing outside can be asked.
    pub outside: Option<Outside>,
    /// The log's newest lines; `None` as above.
    pub log: Option<trace::Log>,
}

/// What is outside, for tests of it.
#[derive(Clone, Debug)]
pub struct Outside {
    pub world: Rc<dyn World>,
    pub resolver: Rc<Resolver>,
}

/// What is to be done.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Call {
    pub request: Request,
    /// Says what would happen, and does nothing.
    pub dry_run: bool,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Request {
    Access(access::Request),
    Alias(alias::Request),
    AppPassword(app_password::Request),
    Config(config::Request),
    Device(device::Request),
    Dkim(dkim::Request),
    Doctor,
    Domain(domain::Request),
    Mail(mail::Request),
    Queue(queue::Request),
    Route(route::Request),
    Status,
    Store(store::Request),
    Tls(tls::Request),
    Trace(trace::Request),
    Transport(transport::Request),
    User(user::Request),
}

/// What was done or found.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum Reply {
    Access(Vec<access::Row>),
    Aliases(Vec<alias::Row>),
    AppPassword(app_password::Made),
    AppPasswords(Vec<app_password::Row>),
    Certificates(Vec<tls::Row>),
    DefaultRoute(route::Default),
    Devices(Vec<device::Row>),
    /// A change, in one line for people, and notes in further lines.
    Done(String),
    Domains(Vec<domain::Row>),
    /// Parts of messages, for an export.
    Exported(Vec<mail::Part>),
    /// What a self-test found.
    Findings(Vec<finding::Finding>),
    Folders(Vec<mail::Folder>),
    Presets(Vec<route::Preset>),
    Probed(route::Probed),
    Queue(queue::Page),
    Queued(Box<queue::Message>),
    Records(Vec<dns::Record>),
    Routes(Vec<route::Row>),
    Settings(Vec<config::Row>),
    Status(Box<status::Report>),
    Store(store::Report),
    Stories(Vec<trace::Story>),
    Test(test::Report),
    Transports(Vec<transport::Row>),
    Users(Vec<user::Row>),
}

/// One line over the control socket.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Answer {
    Problem(Problem),
    Reply(Reply),
}

/// Why something was not done.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Problem {
    pub kind: Kind,
    /// For people: what, and where it helps, what to do.
    pub text: String,
}

/// Problems by exit code (`spec/ux.md` section 3.13).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Kind {
    BadConfig,
    BadData,
    Exists,
    NoSuch,
    NotAllowed,
    NotRunning,
    TryAgain,
    Usage,
}

impl Kind {
    #[must_use]
    pub fn exit(self) -> u8 {
        match self {
            Self::Usage => 64,
            Self::BadData => 65,
            Self::NoSuch => 67,
            Self::NotRunning => 69,
            Self::Exists => 73,
            Self::TryAgain => 75,
            Self::NotAllowed => 77,
            Self::BadConfig => 78,
        }
    }
}

impl Problem {
    #[must_use]
    pub fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
        }
    }

    /// Why the store did not do something to `what`.
    #[must_use]
    pub fn refused(refusal: &Refusal, what: &str) -> Self {
        let kind = match refusal {
            Refusal::Exists => Kind::Exists,
            Refusal::Name => Kind::BadData,
            Refusal::NoDomain | Refusal::NoEntry | Refusal::NoFolder | Refusal::NoUser => {
                Kind::NoSuch
            }
            Refusal::Limit { .. } | Refusal::NotEmpty | Refusal::OverQuota { .. } => {
                Kind::NotAllowed
            }
            Refusal::Broken(_) | Refusal::Changed | Refusal::Full | Refusal::Unknown => {
                Kind::TryAgain
            }
        };
        Self::new(kind, format!("{what}: {refusal}"))
    }
}

impl From<Broken> for Problem {
    fn from(broken: Broken) -> Self {
        Self::new(Kind::TryAgain, broken.to_string())
    }
}

impl Reply {
    /// Lines for people.
    #[must_use]
    pub fn text(&self) -> Vec<String> {
        match self {
            Self::Access(rows) => access::text(rows),
            Self::Aliases(rows) => rows.iter().map(alias::Row::text).collect(),
            Self::AppPassword(made) => made.text(),
            Self::AppPasswords(rows) => app_password::text(rows),
            Self::Certificates(rows) => tls::text(rows),
            Self::DefaultRoute(default) => vec![default.text()],
            Self::Devices(rows) => device::text(rows),
            Self::Done(text) => text.lines().map(ToOwned::to_owned).collect(),
            Self::Domains(rows) => domain::text(rows),
            Self::Exported(_) => Vec::new(),
            Self::Findings(findings) => finding::text(findings),
            Self::Folders(rows) => rows.iter().map(|row| row.name.clone()).collect(),
            Self::Presets(rows) => route::presets(rows),
            Self::Probed(probed) => probed.text(),
            Self::Queue(page) => queue::text(&page.rows),
            Self::Queued(message) => message.text(),
            Self::Records(records) => dns::text(records),
            Self::Routes(rows) => route::text(rows),
            Self::Settings(rows) => rows.iter().map(config::Row::text).collect(),
            Self::Status(report) => report.text(),
            Self::Store(report) => report.text(),
            Self::Stories(stories) => trace::text(stories),
            Self::Test(report) => report.text(),
            Self::Transports(rows) => transport::text(rows),
            Self::Users(rows) => user::text(rows),
        }
    }

    /// Lines for programs: one object each.
    #[must_use]
    pub fn json(&self) -> Vec<String> {
        match self {
            Self::Access(rows) => objects(rows),
            Self::Aliases(rows) => objects(rows),
            Self::AppPassword(made) => vec![object(&made.shown())],
            Self::AppPasswords(rows) => objects(rows),
            Self::Certificates(rows) => rows.iter().map(object).collect(),
            Self::DefaultRoute(default) => vec![object(default)],
            Self::Devices(rows) => objects(rows),
            Self::Done(line) => vec![object(&serde_json::json!({ "done": line }))],
            Self::Domains(rows) => objects(rows),
            Self::Exported(_) => Vec::new(),
            Self::Findings(findings) => objects(findings),
            Self::Folders(rows) => objects(rows),
            Self::Presets(rows) => objects(rows),
            Self::Probed(probed) => vec![object(probed)],
            Self::Queue(page) => objects(&page.rows),
            Self::Queued(message) => vec![object(message)],
            Self::Records(records) => objects(records),
            Self::Routes(rows) => objects(rows),
            Self::Settings(rows) => rows.iter().map(|row| object(&row.json())).collect(),
            Self::Status(report) => vec![object(report)],
            Self::Store(report) => vec![object(report)],
            Self::Stories(stories) => objects(stories),
            Self::Test(report) => vec![object(report)],
            Self::Transports(rows) => objects(rows),
            Self::Users(rows) => objects(rows),
        }
    }

    /// 0, or what `status`, `store check` and the tests found: 1 = warning, no match; 2 = failing.
    #[must_use]
    pub fn exit(&self) -> u8 {
        match self {
            Self::Findings(findings) => finding::exit(findings),
            Self::Probed(probed) => probed.exit(),
            Self::Status(report) => report.state.exit(),
            Self::Store(report) => report.exit(),
            Self::Stories(stories) => u8::from(stories.is_empty()),
            Self::Test(report) => report.exit(),
            _ => 0,
        }
    }
}

/// Does what is asked. When it returns, a change is on the medium and in effect.
///
/// # Errors
///
/// Nothing has changed, except where the text says that nobody knows.
pub async fn operate(context: &Context<'_>, call: Call) -> Result<Reply, Problem> {
    match call.request {
        Request::Access(request) => access::operate(context, request, call.dry_run).await,
        Request::Alias(request) => alias::operate(context, request, call.dry_run).await,
        Request::AppPassword(request) => {
            app_password::operate(context, request, call.dry_run).await
        }
        Request::Config(request) => config::operate(context, &request, call.dry_run).await,
        Request::Device(request) => device::operate(context, request, call.dry_run).await,
        Request::Dkim(request) => dkim::operate(context, request, call.dry_run).await,
        Request::Doctor => doctor::operate(context).await,
        Request::Domain(request) => domain::operate(context, request, call.dry_run).await,
        Request::Mail(request) => mail::operate(context, request).await,
        Request::Queue(request) => queue::operate(context, request, call.dry_run).await,
        Request::Route(request) => route::operate(context, request, call.dry_run).await,
        Request::Status => status::operate(context),
        Request::Store(request) => store::operate(context, request, call.dry_run).await,
        Request::Tls(request) => tls::operate(context, request, call.dry_run),
        Request::Trace(request) => trace::operate(context, request).await,
        Request::Transport(request) => transport::operate(context, request, call.dry_run).await,
        Request::User(request) => user::operate(context, request, call.dry_run).await,
    }
}

/// The same for one line of the control socket, see [`wire`].
pub async fn line(context: &Context<'_>, line: &[u8]) -> String {
    let answer = match wire::decode(line) {
        Some(call) => match operate(context, call).await {
            Ok(reply) => Answer::Reply(reply),
            Err(problem) => Answer::Problem(problem),
        },
        None => Answer::Problem(Problem::new(
            Kind::Usage,
            "not understood, is the program newer than the server?",
        )),
    };
    let encoded = wire::encode(&answer);
    if encoded.len() < wire::LINE_MAX {
        return encoded;
    }
    wire::encode(&Answer::Problem(Problem::new(
        Kind::NotAllowed,
        "that is too much for one answer; ask for less (alias list DOMAIN), or stop the server and \
         ask again",
    )))
}

/// Has rows of the admin's tables changed, all or none.
async fn edit(context: &Context<'_>, edits: Vec<Edit>, what: &str) -> Result<(), Problem> {
    let done = context
        .store
        .request(store_room::Request::Edit(edits))
        .await;
    match done {
        Ok(_) => Ok(()),
        Err(refusal) => Err(Problem::refused(&refusal, what)),
    }
}

/// A row goes, or would; `what` says which. Its name is in `name`.
async fn remove_row(
    context: &Context<'_>,
    (name, row): (&str, Edit),
    what: &str,
    dry_run: bool,
) -> Result<Reply, Problem> {
    if dry_run {
        return Ok(Reply::Done(format!("would remove {what}")));
    }
    edit(context, vec![row], name).await?;
    Ok(Reply::Done(format!("removed {what}")))
}

/// A row comes, or would; as [`remove_row`].
async fn add_row(
    context: &Context<'_>,
    (name, row): (&str, Edit),
    what: &str,
    dry_run: bool,
) -> Result<Reply, Problem> {
    if dry_run {
        return Ok(Reply::Done(format!("would add {what}")));
    }
    edit(context, vec![row], name).await?;
    Ok(Reply::Done(format!("added {what}")))
}

/// A number of things.
fn count(number: usize, one: &str, more: &str) -> String {
    let word = if number == 1 { one } else { more };
    format!("{number} {word}")
}

/// The first few of many, in words.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<_> = names.iter().take(SHOWN).map(String::as_str).collect();
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => shown.join(", "),
        Some(more) => format!("{} and {more} more", shown.join(", ")),
    }
}

fn objects<T: Serialize>(rows: &[T]) -> Vec<String> {
    rows.iter().map(object).collect()
}

fn object<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "{}".to_owned())
}

/// Puts rows below each other, in columns.
fn columns(rows: &[Vec<String>]) -> Vec<String> {
    let count = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    rows.iter()
        .map(|row| {
            let cells: Vec<_> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_exit_code() {
        for (kind, exit) in [
            (Kind::Usage, 64),
            (Kind::BadData, 65),
            (Kind::NoSuch, 67),
            (Kind::NotRunning, 69),
            (Kind::Exists, 73),
            (Kind::TryAgain, 75),
            (Kind::NotAllowed, 77),
            (Kind::BadConfig, 78),
        ] {
            assert_eq!(kind.exit(), exit);
        }
    }

    #[test]
    fn answers_survive_the_socket() {
        let problem = Problem::refused(&Refusal::NoUser, "a@home.test");
        assert_eq!(problem.text, "a@home.test: no such user");
        let sent = wire::encode(&Answer::Problem(problem.clone()));
        assert!(!sent.contains('\n'));
        match wire::decode(sent.as_bytes()).unwrap() {
            Answer::Problem(got) => assert_eq!(got, problem),
            Answer::Reply(_) => panic!("{sent}"),
        }
    }

    #[test]
    fn columns_line_up() {
        let rows = [
            vec!["a".to_owned(), "b".to_owned()],
            vec!["ccc".to_owned(), String::new()],
        ];
        assert_eq!(columns(&rows), ["a    b", "ccc"]);
    }
}
