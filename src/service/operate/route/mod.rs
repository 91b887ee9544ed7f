//! `route`: accounts at other mail servers (smart hosts). Passwords go in and never come out.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{
    base::secret::Secret,
    mail::domain::Domain,
    service::{
        lookup::DEFAULT_ROUTE as DEFAULT,
        operate::{
            Context, Kind, Problem, Reply, columns, edit,
            name::{domain_name, shown},
            some,
        },
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

#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Request {
    Add(Account),
    /// Which it is.
    Default,
    List,
    Remove {
        name: String,
    },
    SetDefault {
        name: Option<String>,
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
    pub from_rewrite: FromRewrite,
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
        Request::SetDefault { name } => set_default(context, name.as_deref(), dry_run).await,
    }
}

async fn add(context: &Context<'_>, account: Account, dry_run: bool) -> Result<Reply, Problem> {
    let name = parse(&account.name)?;
    if context.store.read(|reader| reader.route(&name))?.is_some() {
        let text = format!(
            "{name} is there already; to change it: pillarbox route remove {name}, then add it"
        );
        return Err(Problem::new(Kind::Exists, text));
    }
    let hosts = hosts(&account.hosts)?;
    if let Some(user) = &account.user {
        login(user, &account.password)?;
    }
    let place = format!("{} port {}", hosts.join(", "), account.port);
    let done = format!("route {name}: {place}, TLS {}", tls(account.tls));
    let note = match (account.tls, &account.user) {
        (RouteTls::None, Some(_)) => {
            "\nnote: without TLS the password crosses the network readable; use it only inside your \
             own network"
        }
        _ => "",
    };
    if dry_run {
        return Ok(Reply::Done(format!("would add {done}{note}")));
    }
    let row = rows::Route {
        hosts,
        port: account.port,
        tls: account.tls,
        user: account.user,
        password: account.password,
        from_rewrite: account.from_rewrite,
        from: None,
        secret_in: 0,
    };
    let swap = Swap {
        name: name.clone(),
        was: None,
        now: Some(row),
    };
    edit(context, vec![Edit::Route(swap)], &name).await?;
    Ok(Reply::Done(format!("added {done}{note}")))
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
    if dry_run {
        return Ok(Reply::Done(format!("would remove route {name}")));
    }
    let swap = Swap {
        name: name.clone(),
        was: Some(was),
        now: None,
    };
    edit(context, vec![Edit::Route(swap)], &name).await?;
    Ok(Reply::Done(format!("removed route {name}")))
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
    Ok(Reply::Done(done))
}

fn list(context: &Context<'_>) -> Result<Reply, Problem> {
    let (routes, default) = context
        .store
        .read(|reader| Ok((reader.routes()?, reader.setting(DEFAULT)?)))?;
    let rows = routes.into_iter().map(|(name, row)| Row {
        default: default.as_ref() == Some(&name),
        route: name,
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
                format!("From rewritten: {}", row.from_rewrite),
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
