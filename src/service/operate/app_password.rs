//! `app-password`: a password for each device of a person, made here and shown once.

use serde::{Deserialize, Serialize};

use crate::{
    base::{id::UserId, secret::Secret, time::Time},
    service::{
        operate::{Context, Kind, Problem, Reply, columns, name::shown, user},
        password::{APP_NAME_MAX, APPS_MAX},
    },
    store,
};

#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Request {
    Add {
        user: String,
        name: String,
    },
    List {
        user: String,
    },
    /// By number or name.
    Remove {
        user: String,
        which: String,
    },
}

/// An app password as a list shows it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Row {
    pub id: u32,
    pub name: String,
    pub created: String,
    /// When it was used last.
    pub used: Option<String>,
}

/// A new one.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Made {
    pub user: String,
    pub id: u32,
    pub name: String,
    password: Secret,
}

/// The same for whoever asked for it.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    user: &'a str,
    id: u32,
    name: &'a str,
    password: String,
}

impl Made {
    /// What the device is given.
    #[must_use]
    pub fn password(&self) -> String {
        String::from_utf8_lossy(self.password.reveal()).into_owned()
    }

    pub(super) fn shown(&self) -> Shown<'_> {
        Shown {
            user: &self.user,
            id: self.id,
            name: &self.name,
            password: self.password(),
        }
    }

    pub(super) fn text(&self) -> Vec<String> {
        let Self { user, name, .. } = self;
        vec![
            format!("app password for {user}, {name:?}; it is shown this once:"),
            self.password(),
        ]
    }
}

pub(super) async fn operate(
    context: &Context<'_>,
    request: Request,
    dry_run: bool,
) -> Result<Reply, Problem> {
    match request {
        Request::Add { user, name } => add(context, &user, &name, dry_run).await,
        Request::List { user } => list(context, &user),
        Request::Remove { user, which } => remove(context, &user, &which, dry_run).await,
    }
}

async fn add(
    context: &Context<'_>,
    user: &str,
    name: &str,
    dry_run: bool,
) -> Result<Reply, Problem> {
    let (id, user) = user::find(context, user)?;
    let name = check(name)?;
    let there = rows(context, id)?;
    if there.iter().any(|row| row.name == name) {
        let text = format!("{user} has an app password {name:?} already; take another name");
        return Err(Problem::new(Kind::Exists, text));
    }
    if there.len() >= APPS_MAX {
        let text = format!("{user} has {APPS_MAX} app passwords; remove one first");
        return Err(Problem::new(Kind::NotAllowed, text));
    }
    if dry_run {
        let text = format!("{user}: would make an app password {name:?}");
        return Ok(Reply::Done(text));
    }
    let Some(row) = context.store.read(|reader| reader.user(id))? else {
        return Err(Problem::refused(&store::Refusal::NoUser, &user));
    };
    let Some((password, app)) = context.passwords.app_password(&row, name).await else {
        let text = "it could not be made now; try again";
        return Err(Problem::new(Kind::TryAgain, text));
    };
    let request = store::Request::AddAppPassword { user: id, app };
    match context.store.request(request).await {
        Ok(store::Reply::AppPassword(number)) => Ok(Reply::AppPassword(Made {
            user,
            id: number,
            name: name.to_owned(),
            password,
        })),
        Ok(_) => Err(Problem::new(Kind::TryAgain, "the store gave no number")),
        Err(refusal) => Err(Problem::refused(&refusal, &user)),
    }
}

async fn remove(
    context: &Context<'_>,
    user: &str,
    which: &str,
    dry_run: bool,
) -> Result<Reply, Problem> {
    let (id, user) = user::find(context, user)?;
    let rows = rows(context, id)?;
    // A name of digits is a name first: numbers are never given twice, names are chosen.
    let row = rows
        .iter()
        .find(|row| row.name == which)
        .or_else(|| rows.iter().find(|row| row.id.to_string() == which));
    let Some(row) = row else {
        let text = format!(
            "{user} has no app password {} (pillarbox app-password list {user})",
            shown(which)
        );
        return Err(Problem::new(Kind::NoSuch, text));
    };
    let done = format!("app password {} ({:?}) of {user}", row.id, row.name);
    if dry_run {
        return Ok(Reply::Done(format!("would remove {done}")));
    }
    let request = store::Request::RemoveAppPassword {
        user: id,
        id: row.id,
    };
    let removed = context.store.request(request).await;
    removed.map_err(|refusal| Problem::refused(&refusal, &user))?;
    Ok(Reply::Done(format!("removed {done}")))
}

fn list(context: &Context<'_>, user: &str) -> Result<Reply, Problem> {
    let (id, _) = user::find(context, user)?;
    Ok(Reply::AppPasswords(rows(context, id)?))
}

fn rows(context: &Context<'_>, user: UserId) -> Result<Vec<Row>, Problem> {
    let rows = context.store.read(|reader| reader.app_passwords(user))?;
    let rows = rows.into_iter().map(|(id, row)| Row {
        id,
        name: row.name,
        created: row.created.rfc3339(),
        used: row.used.map(Time::rfc3339),
    });
    Ok(rows.collect())
}

pub(super) fn text(rows: &[Row]) -> Vec<String> {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let used = match &row.used {
                Some(used) => format!("last used {used}"),
                None => "never used".to_owned(),
            };
            vec![
                row.id.to_string(),
                row.name.clone(),
                format!("made {}", row.created),
                used,
            ]
        })
        .collect();
    columns(&rows)
}

fn check(name: &str) -> Result<&str, Problem> {
    let name = name.trim();
    if name.is_empty() || name.chars().any(char::is_control) {
        let text = "give the device a name, like phone";
        return Err(Problem::new(Kind::BadData, text));
    }
    if name.chars().all(|letter| letter.is_ascii_digit()) {
        let text =
            "a name that is a number could be taken for an ID; give the device a name, like phone";
        return Err(Problem::new(Kind::BadData, text));
    }
    if name.len() > APP_NAME_MAX {
        let text = format!("the name is longer than {APP_NAME_MAX} octets");
        return Err(Problem::new(Kind::BadData, text));
    }
    Ok(name)
}
