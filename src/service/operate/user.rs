//! `user`: people with a mailbox.

use serde::{Deserialize, Serialize};

use crate::{
    base::{id::UserId, secret::Secret, time::Time},
    config::{schema, value::print_size},
    service::{
        operate::{Context, Kind, Problem, Reply, alias, columns, domain::word, name, some},
        password::{Credentials, Passwords},
    },
    store::{
        self,
        directory::{DomainClass, Usage, User},
    },
};

/// One person after the other (ST-10).
static ADDING: smol::lock::Mutex<()> = smol::lock::Mutex::new(());

/// People that are read in one go.
const SLICE: usize = 256;

#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Request {
    /// `quota` in octets, 0 = none.
    Add {
        address: String,
        password: Password,
        quota: u64,
    },
    Disable {
        address: String,
    },
    Enable {
        address: String,
    },
    /// Of people whose mail is kept (ST-11) too, with `removed`.
    List {
        removed: bool,
    },
    Passwd {
        address: String,
        password: Password,
    },
    Quota {
        address: String,
        quota: u64,
    },
    Remove {
        address: String,
        purge: bool,
    },
    Rename {
        address: String,
        to: String,
    },
}

/// A new password.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Password {
    /// As it is typed.
    Clear(Secret),
    /// A hash of another mail server (ST-6).
    Hash(Secret),
}

/// A person as a list shows them.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Row {
    pub address: String,
    /// In octets; 0 = none.
    pub quota: u64,
    pub octets: u64,
    /// How much of the quota that is; `None` = no quota.
    pub percent: Option<u64>,
    pub messages: u64,
    pub enabled: bool,
    pub created: String,
    /// When the person was removed; the mail is still there.
    pub removed: Option<String>,
}

pub(super) async fn operate(
    context: &Context<'_>,
    request: Request,
    dry_run: bool,
) -> Result<Reply, Problem> {
    match request {
        Request::Add {
            address,
            password,
            quota,
        } => add(context, &address, &password, quota, dry_run).await,
        Request::Disable { address } => enable(context, &address, false, dry_run).await,
        Request::Enable { address } => enable(context, &address, true, dry_run).await,
        Request::List { removed } => list(context, removed),
        Request::Passwd { address, password } => {
            passwd(context, &address, &password, dry_run).await
        }
        Request::Quota { address, quota } => {
            let (user, key) = find(context, &address)?;
            let amount = amount(quota);
            let request = store::Request::SetQuota { user, quota };
            change(context, request, &key, &format!("quota {amount}"), dry_run).await
        }
        Request::Remove { address, purge } => remove(context, &address, purge, dry_run).await,
        Request::Rename { address, to } => rename(context, &address, &to, dry_run).await,
    }
}

async fn add(
    context: &Context<'_>,
    address: &str,
    password: &Password,
    quota: u64,
    dry_run: bool,
) -> Result<Reply, Problem> {
    // Between count and change nobody else comes in.
    let _alone = ADDING.lock().await;
    let key = free(context, address)?;
    check(password)?;
    counted(context)?;
    let note = match context.store.read(|reader| reader.alias(&key))? {
        Some(alias) if alias.enabled => format!(
            "\nnote: the alias {key} -> {} goes before the mailbox; to change that: pillarbox alias \
             remove {key}",
            alias.targets.join(", ")
        ),
        _ => String::new(),
    };
    if dry_run {
        return Ok(Reply::Done(format!("would add {key}{note}")));
    }
    let credentials = credentials(context, password, None).await?;
    let request = store::Request::AddUser {
        address: key.clone(),
        password: credentials.password,
        scram: credentials.scram,
        scram_salt: credentials.salt,
        scram_count: credentials.count,
        quota,
    };
    let done = context.store.request(request).await;
    done.map_err(|refusal| Problem::refused(&refusal, &key))?;
    Ok(Reply::Done(format!("added {key}{note}")))
}

/// Whether there may be one more person (ST-10).
fn counted(context: &Context<'_>) -> Result<(), Problem> {
    let most = context.config.number(&schema::LIMIT_MAILBOXES);
    if most == 0 {
        return Ok(());
    }
    let mut people = 0_u64;
    each(context, |_, user, _| {
        people = people.saturating_add(u64::from(user.removed.is_none()));
    })?;
    if people < most {
        return Ok(());
    }
    let text = format!(
        "there are {people} people with a mailbox already; to have more: pillarbox config set \
         limit.mailboxes NUMBER (0 = no limit)"
    );
    Err(Problem::new(Kind::NotAllowed, text))
}

async fn enable(
    context: &Context<'_>,
    address: &str,
    enabled: bool,
    dry_run: bool,
) -> Result<Reply, Problem> {
    let (user, key) = find(context, address)?;
    let request = store::Request::SetUserEnabled { user, enabled };
    let what = if enabled { "enabled" } else { "disabled" };
    change(context, request, &key, what, dry_run).await
}

async fn passwd(
    context: &Context<'_>,
    address: &str,
    password: &Password,
    dry_run: bool,
) -> Result<Reply, Problem> {
    let (user, key) = find(context, address)?;
    check(password)?;
    let what = "new password";
    if dry_run {
        return Ok(Reply::Done(format!("{key}: would be: {what}")));
    }
    let row = context.store.read(|reader| reader.user(user))?;
    let credentials = credentials(context, password, row.as_ref()).await?;
    let request = store::Request::SetPassword {
        user,
        password: credentials.password,
        scram: credentials.scram,
        scram_salt: credentials.salt,
        scram_count: credentials.count,
        changed: true,
        was: None,
    };
    change(context, request, &key, what, dry_run).await
}

async fn remove(
    context: &Context<'_>,
    address: &str,
    purge: bool,
    dry_run: bool,
) -> Result<Reply, Problem> {
    // Who is removed already can still be purged.
    let (user, key) = match find(context, address) {
        Err(problem) if purge && problem.kind == Kind::NoSuch => {
            let key = parse(address)?;
            (kept(context, &key)?.ok_or(problem)?, key)
        }
        other => other?,
    };
    let what = if purge {
        "removed with all mail"
    } else {
        "removed; the mail is kept for 30 days (user remove --purge does not)"
    };
    let what = format!("{what}{}", left(context, &key)?);
    let request = store::Request::RemoveUser { user, purge };
    change(context, request, &key, &what, dry_run).await
}

async fn rename(
    context: &Context<'_>,
    address: &str,
    to: &str,
    dry_run: bool,
) -> Result<Reply, Problem> {
    let (user, key) = find(context, address)?;
    let to = free(context, to)?;
    let what = format!("now {to}{}", left(context, &key)?);
    let request = store::Request::RenameUser { user, address: to };
    change(context, request, &key, &what, dry_run).await
}

/// What still names an address that goes, as notes.
fn left(context: &Context<'_>, key: &str) -> Result<String, Problem> {
    let mut notes = String::new();
    let aliases = alias::naming(context, key)?;
    if let Some(first) = aliases.first() {
        notes = format!(
            "\nnote: aliases still lead to {key}: {}; change them (pillarbox alias remove {first} {key})",
            some(&aliases)
        );
    }
    if context.config.postmaster() == Some(key) {
        notes.push_str(
            "\nnote: mail for postmaster went there; now the first person gets it (pillarbox config \
             set address.postmaster ADDRESS)",
        );
    }
    Ok(notes)
}

fn list(context: &Context<'_>, removed: bool) -> Result<Reply, Problem> {
    let mut rows = Vec::new();
    each(context, |_, user, usage| {
        if removed || user.removed.is_none() {
            rows.push(Row {
                address: user.address.clone(),
                quota: user.quota,
                percent: percent(usage.octets, user.quota),
                octets: usage.octets,
                messages: usage.messages,
                enabled: user.enabled,
                created: user.created.rfc3339(),
                removed: user.removed.map(Time::rfc3339),
            });
        }
    })?;
    rows.sort_by(|a, b| a.address.cmp(&b.address));
    Ok(Reply::Users(rows))
}

pub(super) fn text(rows: &[Row]) -> Vec<String> {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let state = match (&row.removed, row.enabled) {
                (Some(time), _) => format!("removed {time}"),
                (None, true) => String::new(),
                (None, false) => "disabled".to_owned(),
            };
            vec![
                row.address.clone(),
                format!("{} messages", row.messages),
                format!("{} of {}", near(row.octets), amount(row.quota)),
                row.percent
                    .map_or_else(String::new, |percent| format!("{percent}%")),
                state,
            ]
        })
        .collect();
    columns(&rows)
}

/// Has a change made that has been looked at, or says what it would be.
async fn change(
    context: &Context<'_>,
    request: store::Request,
    key: &str,
    what: &str,
    dry_run: bool,
) -> Result<Reply, Problem> {
    if dry_run {
        return Ok(Reply::Done(format!("{key}: would be: {what}")));
    }
    let done = context.store.request(request).await;
    done.map_err(|refusal| Problem::refused(&refusal, key))?;
    Ok(Reply::Done(format!("{key}: {what}")))
}

/// Shows every person, with what their mail takes, a slice at a time.
fn each(context: &Context<'_>, mut show: impl FnMut(UserId, &User, Usage)) -> Result<(), Problem> {
    let mut after = None;
    loop {
        let slice = context.store.read(|reader| {
            let users = reader.users(after, SLICE)?;
            let usages: Result<Vec<_>, _> = users.iter().map(|(id, _)| reader.usage(*id)).collect();
            Ok((users, usages?))
        })?;
        let (users, usages) = slice;
        for ((id, user), usage) in users.iter().zip(usages) {
            show(*id, user, usage);
        }
        match users.last() {
            Some((last, _)) => after = Some(*last),
            None => return Ok(()),
        }
    }
}

/// The person of this address who was removed last and whose mail is kept.
fn kept(context: &Context<'_>, key: &str) -> Result<Option<UserId>, Problem> {
    let mut found = None;
    each(context, |id, user, _| {
        if user.removed.is_some() && user.address == key {
            found = Some(id);
        }
    })?;
    Ok(found)
}

/// Addresses of people in a domain.
pub(super) fn at(context: &Context<'_>, domain: &str) -> Result<Vec<String>, Problem> {
    let mut found = Vec::new();
    each(context, |_, user, _| {
        if user.removed.is_none() && user.address.rsplit('@').next() == Some(domain) {
            found.push(user.address.clone());
        }
    })?;
    Ok(found)
}

pub(super) fn find(context: &Context<'_>, address: &str) -> Result<(UserId, String), Problem> {
    let key = parse(address)?;
    if let Some(user) = context.store.read(|reader| reader.user_named(&key))? {
        return Ok((user, key));
    }
    let text = format!("no such user: {key} (pillarbox user list)");
    Err(Problem::new(Kind::NoSuch, text))
}

/// The key of an address that nobody has, at a domain that is ours.
fn free(context: &Context<'_>, address: &str) -> Result<String, Problem> {
    let key = parse(address)?;
    let domain = key.rsplit('@').next().unwrap_or_default();
    let (taken, row) = context.store.read(|reader| {
        let taken = reader.user_named(&key)?.is_some();
        Ok((taken, reader.domain(domain)?))
    })?;
    let Some(row) = row else {
        if domain.starts_with('[') {
            let text = format!("{domain} is no domain; nobody can have a mailbox there");
            return Err(Problem::new(Kind::BadData, text));
        }
        if name::listed(context.config).iter().any(|own| own == domain) {
            let text = format!(
                "{domain} is a name of this machine itself; give your mail a domain of its own, or \
                 forward the address: pillarbox alias add {key} TARGET"
            );
            return Err(Problem::new(Kind::NotAllowed, text));
        }
        let text = format!("no such domain: {domain} (pillarbox domain add {domain})");
        return Err(Problem::new(Kind::NoSuch, text));
    };
    let class = row.class;
    if !matches!(class, DomainClass::Mailbox | DomainClass::Local) {
        let text = format!(
            "{domain} has class {}, so nobody has a mailbox there; forward the address instead: \
             pillarbox alias add {key} TARGET",
            word(class)
        );
        return Err(Problem::new(Kind::NotAllowed, text));
    }
    if taken {
        return Err(Problem::new(
            Kind::Exists,
            format!("{key} is there already"),
        ));
    }
    Ok(key)
}

fn parse(address: &str) -> Result<String, Problem> {
    name::address(address).map(|address| address.key())
}

/// Whether it can be a password, or the hash of one; nothing of it is told.
fn check(password: &Password) -> Result<(), Problem> {
    match password {
        Password::Clear(clear) => Passwords::typeable(clear),
        Password::Hash(hash) => Passwords::import(hash).map(drop),
    }
    .map_err(|wrong| Problem::new(Kind::BadData, wrong))
}

/// What is stored of a password. `of`: whose it becomes, if that person is there.
async fn credentials(
    context: &Context<'_>,
    password: &Password,
    of: Option<&User>,
) -> Result<Credentials, Problem> {
    let made = match password {
        Password::Clear(clear) => context.passwords.hash(clear, of).await,
        Password::Hash(hash) => {
            let imported = Passwords::import(hash);
            let imported = imported.map_err(|wrong| Problem::new(Kind::BadData, wrong))?;
            context.passwords.take(imported, of).await
        }
    };
    made.ok_or_else(|| {
        let text = "the password could not be hashed now; try again";
        Problem::new(Kind::TryAgain, text)
    })
}

fn amount(quota: u64) -> String {
    match quota {
        0 => "no limit".to_owned(),
        octets => match print_size(octets) {
            plain if plain.bytes().all(|digit| digit.is_ascii_digit()) => format!("{plain} octets"),
            sized => sized,
        },
    }
}

/// Never more than what is there, so that 100 % is full.
fn percent(octets: u64, quota: u64) -> Option<u64> {
    octets.saturating_mul(100).checked_div(quota)
}

/// For people: never below, at most a unit above.
fn near(octets: u64) -> String {
    match octets {
        0 => "0".to_owned(),
        1..1_048_576 => format!("{}KiB", octets.div_ceil(1024)),
        _ => format!("{}MiB", octets.div_ceil(1_048_576)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_that_cannot_be_typed() {
        for (octets, right) in [
            (&b"hush"[..], true),
            ("p\u{e4}ss w\u{f6}rd".as_bytes(), true),
            (b"", false),
            (b"a\0b", false),
            (b"a\nb", false),
            (b"\xff", false),
            (&[b'x'; 1025], false),
            (&[b'x'; 1024], true),
        ] {
            assert_eq!(
                Passwords::typeable(&Secret::new(octets.to_vec())).is_ok(),
                right
            );
        }
    }

    #[test]
    fn a_person_on_a_line() {
        let row = Row {
            address: "a@home.test".to_owned(),
            quota: 1 << 30,
            octets: (1 << 29) + 1,
            percent: percent((1 << 29) + 1, 1 << 30),
            messages: 2,
            enabled: false,
            created: String::new(),
            removed: None,
        };
        assert_eq!(
            text(&[row]),
            ["a@home.test  2 messages  513MiB of 1GiB  50%  disabled"]
        );
    }
}
