//! All commands: what each needs and may do, and which parser takes its arguments.

use super::super::lexer::{Lexer, SyntaxError};
use super::{Command, account, append, fetch, folder, list, quota, search, sort, store};

/// What state a command needs (RFC 3501 section 3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Needs {
    Any,
    NotAuthenticated,
    /// A folder may be selected or not.
    Authenticated,
    Selected,
}

/// One command.
#[derive(Debug)]
pub struct Entry {
    /// In upper case; those of `UID` with both words.
    pub name: &'static str,
    pub needs: Needs,
    /// Its arguments are sequence numbers: while it runs, numbers must not move.
    pub sequence: bool,
    /// EXPUNGE responses may go out while it runs or at its end (RFC 3501 section 7.4.1).
    pub expunge: bool,
    pub parse: fn(&mut Lexer<'_>) -> Result<Command, SyntaxError>,
}

type Parse = fn(&mut Lexer<'_>) -> Result<Command, SyntaxError>;

const fn entry(name: &'static str, needs: Needs, parse: Parse) -> Entry {
    Entry {
        name,
        needs,
        sequence: false,
        expunge: true,
        parse,
    }
}

/// Takes sequence numbers, and EXPUNGE must wait.
const fn numbers(name: &'static str, parse: Parse) -> Entry {
    Entry {
        sequence: true,
        expunge: false,
        ..entry(name, Needs::Selected, parse)
    }
}

/// Takes sequence numbers; EXPUNGE may go out.
const fn moving(name: &'static str, parse: Parse) -> Entry {
    Entry {
        sequence: true,
        ..entry(name, Needs::Selected, parse)
    }
}

use Needs::{Any, Authenticated, NotAuthenticated, Selected};

static TABLE: [Entry; 44] = [
    entry("APPEND", Authenticated, append::append),
    entry("AUTHENTICATE", NotAuthenticated, account::authenticate),
    entry("CAPABILITY", Any, |_| Ok(Command::Capability)),
    entry("CHECK", Selected, |_| Ok(Command::Check)),
    entry("CLOSE", Selected, |_| Ok(Command::Close)),
    entry("COMPRESS", Authenticated, account::compress),
    moving("COPY", |l| store::copy(l, false)),
    entry("CREATE", Authenticated, folder::create),
    entry("DELETE", Authenticated, folder::delete),
    entry("ENABLE", Authenticated, account::enable),
    entry("EXAMINE", Authenticated, |l| folder::select(l, true)),
    entry("EXPUNGE", Selected, |_| Ok(Command::Expunge)),
    numbers("FETCH", |l| fetch::fetch(l, false)),
    entry("GETQUOTA", Authenticated, quota::get),
    entry("GETQUOTAROOT", Authenticated, quota::get_root),
    entry("ID", Any, account::id),
    entry("IDLE", Authenticated, |_| Ok(Command::Idle)),
    entry("LIST", Authenticated, list::list),
    entry("LOGIN", NotAuthenticated, account::login),
    entry("LOGOUT", Any, |_| Ok(Command::Logout)),
    entry("LSUB", Authenticated, list::lsub),
    moving("MOVE", |l| store::move_to(l, false)),
    entry("NAMESPACE", Authenticated, |_| Ok(Command::Namespace)),
    entry("NOOP", Any, |_| Ok(Command::Noop)),
    entry("RENAME", Authenticated, folder::rename),
    numbers("SEARCH", |l| search::search(l, false)),
    entry("SELECT", Authenticated, |l| folder::select(l, false)),
    entry("SETQUOTA", Authenticated, quota::set),
    numbers("SORT", |l| sort::sort(l, false)),
    entry("STARTTLS", NotAuthenticated, |_| Ok(Command::StartTls)),
    entry("STATUS", Authenticated, folder::status),
    numbers("STORE", |l| store::store(l, false)),
    entry("SUBSCRIBE", Authenticated, folder::subscribe),
    numbers("THREAD", |l| sort::thread(l, false)),
    entry("UID COPY", Selected, |l| store::copy(l, true)),
    entry("UID EXPUNGE", Selected, store::uid_expunge),
    entry("UID FETCH", Selected, |l| fetch::fetch(l, true)),
    entry("UID MOVE", Selected, |l| store::move_to(l, true)),
    entry("UID SEARCH", Selected, |l| search::search(l, true)),
    entry("UID SORT", Selected, |l| sort::sort(l, true)),
    entry("UID STORE", Selected, |l| store::store(l, true)),
    entry("UID THREAD", Selected, |l| sort::thread(l, true)),
    entry("UNSELECT", Selected, |_| Ok(Command::Unselect)),
    entry("UNSUBSCRIBE", Authenticated, folder::unsubscribe),
];

/// By the name in upper case, `UID FETCH` for those of two words.
#[must_use]
pub fn named(name: &str) -> Option<&'static Entry> {
    TABLE
        .binary_search_by(|entry| entry.name.cmp(name))
        .ok()
        .and_then(|at| TABLE.get(at))
}

impl Command {
    /// The name by which the table has it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Append(_) => "APPEND",
            Self::Authenticate(_) => "AUTHENTICATE",
            Self::Capability => "CAPABILITY",
            Self::Check => "CHECK",
            Self::Close => "CLOSE",
            Self::Compress => "COMPRESS",
            Self::Copy(copy) => two(copy.uid, "COPY", "UID COPY"),
            Self::Create(_) => "CREATE",
            Self::Delete { .. } => "DELETE",
            Self::Enable(_) => "ENABLE",
            Self::Expunge => "EXPUNGE",
            Self::Fetch(fetch) => two(fetch.uid, "FETCH", "UID FETCH"),
            Self::GetQuota { .. } => "GETQUOTA",
            Self::GetQuotaRoot { .. } => "GETQUOTAROOT",
            Self::Id(_) => "ID",
            Self::Idle => "IDLE",
            Self::List(_) => "LIST",
            Self::Login { .. } => "LOGIN",
            Self::Logout => "LOGOUT",
            Self::Lsub(_) => "LSUB",
            Self::Move(copy) => two(copy.uid, "MOVE", "UID MOVE"),
            Self::Namespace => "NAMESPACE",
            Self::Noop => "NOOP",
            Self::Rename { .. } => "RENAME",
            Self::Search(search) => two(search.uid, "SEARCH", "UID SEARCH"),
            Self::Select(select) => two(select.read_only, "SELECT", "EXAMINE"),
            Self::SetQuota { .. } => "SETQUOTA",
            Self::Sort(sort) => two(sort.uid, "SORT", "UID SORT"),
            Self::StartTls => "STARTTLS",
            Self::Status(_) => "STATUS",
            Self::Store(store) => two(store.uid, "STORE", "UID STORE"),
            Self::Subscribe { .. } => "SUBSCRIBE",
            Self::Thread(thread) => two(thread.uid, "THREAD", "UID THREAD"),
            Self::UidExpunge(_) => "UID EXPUNGE",
            Self::Unselect => "UNSELECT",
            Self::Unsubscribe { .. } => "UNSUBSCRIBE",
        }
    }

    /// Whether EXPUNGE responses may go out while it runs or at its end.
    #[must_use]
    pub fn may_expunge(&self) -> bool {
        named(self.name()).is_some_and(|entry| entry.expunge)
    }
}

fn two(second: bool, name: &'static str, other: &'static str) -> &'static str {
    if second { other } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_for_the_search() {
        assert!(TABLE.is_sorted_by(|a, b| a.name < b.name));
        for entry in &TABLE {
            assert_eq!(named(entry.name).map(|e| e.name), Some(entry.name));
        }
    }

    /// RFC 3501 section 7.4.1 names three, RFC 5256 two; their UID forms may tell.
    #[test]
    fn five_commands_hold_expunge_back() {
        let held: Vec<_> = TABLE
            .iter()
            .filter(|e| !e.expunge)
            .map(|e| e.name)
            .collect();
        assert_eq!(held, ["FETCH", "SEARCH", "SORT", "STORE", "THREAD"]);
    }
}
