//! `route`: accounts at other mail servers (smart hosts). Passwords go in and never come out.

pub(in crate::service::operate) mod presets;
mod probe;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{
    base::secret::Secret,
    mail::{address::Address, domain::Domain},
    service::{
        lookup::DEFAULT_ROUTE as DEFAULT,
        operate::{
            Context, Kind, Problem, Reply, columns, edit,
            name::{address, domain_name, shown},
            remove_row, some,
        },
        outbound::is_near,
    },
    store::{
        self, Reader,
        directory::{self as rows, Edit, FromRewrite, RouteTls, Swap},
    },
};

/// Longest name of a route, in octets, as `relay:NAME` takes it.
const NAME_MAX: usize = 63;
/// Hosts of a route.
const HOSTS_MAX: usize = 16;

pub(super) use presets::text as presets;
pub use presets::{Filled, Preset, all, fill};
pub use probe::Probed;
pub(super) use probe::probe;

#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Request {
    Add(Account),
    /// Which it is.
    Default,
    List,
    Remove {
        name: String,
    },
    Set(Change),
    SetDefault {
        name: Option<String>,
    },
    /// Connects as mail would. With an address a message is sent there, too.
    Test {
        name: String,
        to: Option<String>,
    },
}

/// An account at another mail server.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Account {
    pub name: String,
    /// In the order in which they are tried.
    pub hosts: Vec<String>,
    pub port: u16,
    pub tls: RouteTls,
    /// `None` = nobody logs in.
    pub user: Option<String>,
    pub password: Secret,
    /// `None` = that of this machine's own programs, where there is an address for it.
    pub from_rewrite: Option<FromRewrite>,
    /// The address that From becomes; `None` = the user, where that is an address.
    pub from: Option<String>,
}

/// What of a route becomes something else.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Change {
    pub name: String,
    pub hosts: Option<Vec<String>>,
    pub port: Option<u16>,
    pub tls: Option<RouteTls>,
    pub user: Option<String>,
    pub password: Option<Secret>,
    pub from_rewrite: Option<FromRewrite>,
    pub from: Option<String>,
}

/// A route as a list shows it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Row {
    pub route: String,
    pub hosts: Vec<String>,
    pub port: u16,
    /// `none`, `starttls` or `implicit`.
    pub tls: String,
    pub user: Option<String>,
    /// `off`, `local` or `always`.
    pub from_rewrite: String,
    /// What From becomes where it is rewritten.
    pub from: Option<String>,
    /// Mail to others leaves through it.
    pub default: bool,
}

/// The default route; `None` = mail to others goes straight to their servers.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Default {
    pub route: Option<String>,
}

impl Default {
    pub(super) fn text(&self) -> String {
        match &self.route {
            Some(route) => route.clone(),
            None => "no default: mail to others goes straight to their servers".to_owned(),
        }
    }
}

pub(super) async fn operate(
    context: &Context<'_>,
    request: Request,
    dry_run: bool,
) -> Result<Reply, Problem> {
    match request {
        Request::Add(account) => add(context, account, dry_run).await,
        Request::Default => {
            let route = context.store.read(|reader| reader.setting(DEFAULT))?;
            Ok(Reply::DefaultRoute(Default { route }))
        }
        Request::List => list(context),
        Request::Remove { name } => remove(context, &name, dry_run).await,
        Request::Set(change) => set(context, change, dry_run).await,
        Request::SetDefault { name } => set_default(context, name.as_deref(), dry_run).await,
        Request::Test { name, to } => probe::test(context, &name, to.as_deref()).await,
    }
}

async fn add(context: &Context<'_>, account: Account, dry_run: bool) -> Result<Reply, Problem> {
    let name = parse(&account.name)?;
    if context.store.read(|reader| reader.route(&name))?.is_some() {
        let text = format!("{name} is there already; to change it: pillarbox route set {name}");
        return Err(Problem::new(Kind::Exists, text));
    }
    let row = rows::Route {
        hosts: hosts(&account.hosts)?,
        port: account.port,
        tls: account.tls,
        user: account.user,
        password: account.password,
        from_rewrite: account.from_rewrite.unwrap_or(FromRewrite::Off),
        from: account.from,
        secret_in: 0,
    };
    let from_rewrite = account.from_rewrite.or_else(|| {
        let any = own_address(&row).is_some();
        any.then_some(FromRewrite::Local)
    });
    let row = rows::Route {
        from_rewrite: from_rewrite.unwrap_or(FromRewrite::Off),
        ..row
    };
    let what = put(context, name, None, row, dry_run).await?;
    let word = if dry_run { "would add" } else { "added" };
    Ok(Reply::Done(format!("{word} {what}")))
}

async fn set(context: &Context<'_>, change: Change, dry_run: bool) -> Result<Reply, Problem> {
    let (name, was) = find(context, &change.name)?;
    let row = rows::Route {
        hosts: match &change.hosts {
            Some(texts) => hosts(texts)?,
            None => was.hosts.clone(),
        },
        port: change.port.unwrap_or(was.port),
        tls: change.tls.unwrap_or(was.tls),
        user: change.user.or_else(|| was.user.clone()),
        password: change.password.unwrap_or_else(|| was.password.clone()),
        from_rewrite: change.from_rewrite.unwrap_or(was.from_rewrite),
        from: change.from.or_else(|| was.from.clone()),
        secret_in: was.secret_in,
    };
    let what = put(context, name, Some(was), row, dry_run).await?;
    let word = if dry_run { "would be now" } else { "now" };
    Ok(Reply::Done(format!("{word} {what}")))
}

/// Writes a route that is in order; returns what it is, in words.
async fn put(
    context: &Context<'_>,
    name: String,
    was: Option<rows::Route>,
    mut row: rows::Route,
    dry_run: bool,
) -> Result<String, Problem> {
    if let Some(user) = &row.user {
        login(user, &row.password)?;
    }
    if let Some(from) = &row.from {
        row.from = Some(address(from)?.to_string());
    }
    let from = own_address(&row);
    if row.from_rewrite != FromRewrite::Off && from.is_none() {
        let text = "to rewrite From, an address is needed that the provider knows as yours: give --from \
                    ADDRESS (or --from-rewrite off)";
        return Err(Problem::new(Kind::BadData, text));
    }
    let place = format!("{} port {}", row.hosts.join(", "), row.port);
    let mut what = format!("route {name}: {place}, TLS {}", tls(row.tls));
    if row.tls == RouteTls::None && row.user.is_some() {
        what.push_str(
            "\nnote: without TLS the password crosses the network readable; use it only inside your \
             own network",
        );
    }
    if let Some(host) = row.hosts.iter().find(|host| is_near(host))
        && row.tls != RouteTls::None
    {
        let note = format!(
            "\nnote: nobody certifies {host}: its certificate is not verified, TLS only encrypts; use it \
             only inside your own network"
        );
        what.push_str(&note);
    }
    if !dry_run {
        let swap = Swap {
            name: name.clone(),
            was,
            now: Some(row),
        };
        edit(context, vec![Edit::Route(swap)], &name).await?;
        wake(context).await;
    }
    Ok(what)
}

/// The address that From becomes.
pub(super) fn own_address(route: &rows::Route) -> Option<String> {
    let user = route.user.as_deref().and_then(Address::parse);
    let user = user.map(|address| address.to_string());
    route.from.clone().or(user)
}

/// What waits because of how it was before may be tried again.
async fn wake(context: &Context<'_>) {
    if let Some(outbound) = context.outbound {
        outbound.wake_lanes().await;
        outbound.afresh();
        return;
    }
    let Ok(uptime) = context.store.read(Reader::uptime) else {
        return;
    };
    let lanes = Vec::new();
    // If it fails, mail leaves a little later.
    let _later = context
        .store
        .request(store::Request::WakeLanes { lanes, uptime })
        .await;
}

async fn remove(context: &Context<'_>, name: &str, dry_run: bool) -> Result<Reply, Problem> {
    let (name, was) = find(context, name)?;
    let (transports, default) = context
        .store
        .read(|reader| Ok((reader.transports()?, reader.setting(DEFAULT)?)))?;
    let target = format!("relay:{name}");
    let using: Vec<_> = transports
        .into_iter()
        .filter(|(_, row)| row.target == target)
        .map(|(pattern, _)| pattern)
        .collect();
    if default.as_deref() == Some(&name) {
        let text = format!(
            "{name} is the default route; first: pillarbox route default --unset (or another NAME)"
        );
        return Err(Problem::new(Kind::NotAllowed, text));
    }
    if let Some(first) = using.first() {
        let text = format!(
            "transports use {name}: {}; first: pillarbox transport remove {first}",
            some(&using)
        );
        return Err(Problem::new(Kind::NotAllowed, text));
    }
    let row = Edit::Route(Swap::remove(&name, was));
    remove_row(context, (&name, row), &format!("route {name}"), dry_run).await
}

async fn set_default(
    context: &Context<'_>,
    name: Option<&str>,
    dry_run: bool,
) -> Result<Reply, Problem> {
    let value = match name {
        Some(name) => Some(find(context, name)?.0),
        None => None,
    };
    let done = match &value {
        Some(name) => format!("mail to others leaves through {name}"),
        None => "no default route: mail to others goes straight to their servers".to_owned(),
    };
    if dry_run {
        return Ok(Reply::Done(format!("would be: {done}")));
    }
    let key = DEFAULT.to_owned();
    let request = store::Request::Set { key, value };
    let set = context.store.request(request).await;
    set.map_err(|refusal| Problem::refused(&refusal, DEFAULT))?;
    wake(context).await;
    Ok(Reply::Done(done))
}

fn list(context: &Context<'_>) -> Result<Reply, Problem> {
    let (routes, default) = context
        .store
        .read(|reader| Ok((reader.routes()?, reader.setting(DEFAULT)?)))?;
    let rows = routes.into_iter().map(|(name, row)| Row {
        default: default.as_ref() == Some(&name),
        route: name,
        from: own_address(&row),
        hosts: row.hosts,
        port: row.port,
        tls: tls(row.tls).to_owned(),
        user: row.user,
        from_rewrite: rewrite(row.from_rewrite).to_owned(),
    });
    Ok(Reply::Routes(rows.collect()))
}

pub(super) fn text(rows: &[Row]) -> Vec<String> {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let user = match &row.user {
                Some(user) => format!("user {user}"),
                None => "no log-in".to_owned(),
            };
            vec![
                row.route.clone(),
                format!("{} port {}", row.hosts.join(", "), row.port),
                format!("TLS {}", row.tls),
                user,
                match (&row.from, row.from_rewrite.as_str()) {
                    (Some(from), mode @ ("always" | "local")) => {
                        format!("From rewritten: {mode}, to {from}")
                    }
                    (_, mode) => format!("From rewritten: {mode}"),
                },
                if row.default { "default" } else { "" }.to_owned(),
            ]
        })
        .collect();
    columns(&rows)
}

/// Whether there is such a route; what `relay:` names.
pub(super) fn exists(reader: &Reader, name: &str) -> Result<bool, store::Broken> {
    Ok(reader.route(name)?.is_some())
}

fn find(context: &Context<'_>, name: &str) -> Result<(String, rows::Route), Problem> {
    let name = parse(name)?;
    if let Some(row) = context.store.read(|reader| reader.route(&name))? {
        return Ok((name, row));
    }
    let text = format!("no such route: {name} (pillarbox route list)");
    Err(Problem::new(Kind::NoSuch, text))
}

fn parse(name: &str) -> Result<String, Problem> {
    let letter = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet);
    if (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(letter) {
        return Ok(name.to_owned());
    }
    let text = format!(
        "{} is no name for a route; use letters, digits, - _ and . only",
        shown(name)
    );
    Err(Problem::new(Kind::BadData, text))
}

fn hosts(texts: &[String]) -> Result<Vec<String>, Problem> {
    let hosts = texts.iter().map(|text| host(text.trim()));
    let hosts = hosts.collect::<Result<Vec<_>, _>>();
    let hosts = hosts.map_err(|wrong| Problem::new(Kind::BadData, wrong))?;
    if hosts.is_empty() || hosts.len() > HOSTS_MAX {
        let text = format!("give 1 to {HOSTS_MAX} hosts");
        return Err(Problem::new(Kind::BadData, text));
    }
    Ok(hosts)
}

/// A name in ASCII, or an IP address with or without brackets.
fn host(text: &str) -> Result<String, String> {
    let ip = text.parse::<IpAddr>().ok();
    if let Some(ip) = ip.or_else(|| Domain::parse(text).and_then(|domain| domain.ip())) {
        return Ok(ip.to_string());
    }
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let bare = bare.unwrap_or(text);
    match bare.parse::<IpAddr>() {
        Ok(ip) => Ok(ip.to_string()),
        Err(_) => domain_name(bare)
            .map_err(|_| format!("{} is no host name and no IP address", shown(text))),
    }
}

/// What AUTH can carry (RFC 4616 section 2: no NUL).
fn login(user: &str, password: &Secret) -> Result<(), Problem> {
    let wrong = if user.is_empty() || user.chars().any(char::is_control) {
        "the user name is empty or holds control characters"
    } else if password.reveal().is_empty() {
        "the password is empty"
    } else if password.reveal().contains(&0) {
        "the password holds a NUL"
    } else {
        return Ok(());
    };
    Err(Problem::new(Kind::BadData, wrong))
}

fn tls(tls: RouteTls) -> &'static str {
    match tls {
        RouteTls::Implicit => "implicit",
        RouteTls::None => "none",
        RouteTls::StartTls => "starttls",
    }
}

fn rewrite(rewrite: FromRewrite) -> &'static str {
    match rewrite {
        FromRewrite::Always => "always",
        FromRewrite::Local => "local",
        FromRewrite::Off => "off",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_names() {
        for (text, want) in [
            ("Smtp.Example.NET", Some("smtp.example.net")),
            ("192.0.2.1", Some("192.0.2.1")),
            ("[192.0.2.1]", Some("192.0.2.1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("[smtp.example.net]", Some("smtp.example.net")),
            ("smtp.example.net:25", None),
            ("a b", None),
            ("", None),
        ] {
            assert_eq!(host(text).ok().as_deref(), want, "{text}");
        }
        assert!(parse("pro-vider_1.x").is_ok());
        for bad in ["", "a b", "a:b", &"x".repeat(64), "\u{e4}"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
