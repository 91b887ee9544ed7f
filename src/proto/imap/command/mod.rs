//! What a client can ask for (RFC 3501 section 6 and the extensions in [`super::capability`]), as
//! values that are whole: names are UTF-8, flags known, numbers in range.

use ::time::Date;

use super::flag::FlagList;
use super::lexer::{Lexer, SyntaxError};
use super::seqset::SeqSet;
use crate::base::id::ModSeq;
use crate::base::ranges::Ranges;
use crate::base::secret::Secret;
use crate::base::time::Time;

mod account;
mod append;
mod date;
mod fetch;
mod folder;
mod list;
mod quota;
mod search;
mod sort;
mod store;
pub mod table;
#[cfg(test)]
mod tests;

/// The name of a command is read, its arguments are not.
#[derive(Debug)]
pub struct Opened<'a> {
    pub tag: &'a str,
    pub entry: Result<&'static table::Entry, SyntaxError>,
    lexer: Lexer<'a>,
}

/// Reads tag and name of a command that is whole, literals included. `utf8`: the client has enabled
/// UTF8=ACCEPT.
///
/// # Errors
///
/// [`SyntaxError::Tag`]: the answer cannot have one.
pub fn open(octets: &[u8], utf8: bool) -> Result<Opened<'_>, SyntaxError> {
    let mut lexer = Lexer::new(octets);
    lexer.utf8 = utf8;
    let tag = lexer.tag()?;
    Ok(Opened {
        tag,
        entry: entry(&mut lexer),
        lexer,
    })
}

impl Opened<'_> {
    /// After a failure of [`Self::parse`]: the word that was not understood, and what follows.
    #[must_use]
    pub fn word(&self) -> &[u8] {
        self.lexer.word()
    }

    /// Reads the arguments, to the end.
    pub fn parse(&mut self) -> Result<Command, SyntaxError> {
        let mut command = (self.entry?.parse)(&mut self.lexer)?;
        self.lexer.end()?;
        if let Command::Search(search) = &mut command {
            self.tag.clone_into(&mut search.tag);
        }
        Ok(command)
    }
}

/// The next message of an APPEND to `folder` (RFC 3502), from what follows the one before, with the
/// head of its literal; `None` if that one was the last.
///
/// # Errors
///
/// [`SyntaxError::Argument`]: it is neither.
pub fn append_more(line: &[u8], folder: &str) -> Result<Option<Box<AppendMessage>>, SyntaxError> {
    append::more(&mut Lexer::new(line), folder)
}

fn entry(lexer: &mut Lexer<'_>) -> Result<&'static table::Entry, SyntaxError> {
    let mut word = || {
        let word = lexer.space().and_then(|()| lexer.keyword());
        word.map_err(|_| SyntaxError::Command)
    };
    let mut name = word()?;
    if name == "UID" {
        name.push(' ');
        name.push_str(&word()?);
    }
    table::named(&name).ok_or(SyntaxError::Command)
}

/// One command without its tag. Folder names are UTF-8 with `/` between levels; INBOX is always
/// written `INBOX`, and so is its prefix in `INBOX/…`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    /// A message follows as a literal. The session asks [`super::session::Question::AppendBegin`]
    /// instead of passing this on.
    Append(Box<AppendMessage>),
    /// The session's own.
    Authenticate(Box<Authenticate>),
    /// The session's own.
    Capability,
    Check,
    Close,
    /// The session's own (RFC 4978).
    Compress,
    Copy(Box<Copy>),
    Create(Box<Create>),
    Delete {
        folder: String,
    },
    /// The session's own. Capability names in upper case; unknown ones are ignored.
    Enable(Vec<String>),
    Expunge,
    Fetch(Box<Fetch>),
    /// GETQUOTA (RFC 9208 section 4.1.1).
    GetQuota {
        root: String,
    },
    /// GETQUOTAROOT (RFC 9208 section 4.1.2).
    GetQuotaRoot {
        folder: String,
    },
    /// What the client says of itself: field and value; empty for `NIL`.
    Id(Vec<(String, Option<String>)>),
    /// The session's own.
    Idle,
    List(Box<List>),
    /// The session asks [`super::session::Question::Login`] instead of passing this on.
    Login {
        user: String,
        password: Secret,
    },
    /// The session's own.
    Logout,
    Lsub(Box<Lsub>),
    Move(Box<Copy>),
    Namespace,
    Noop,
    Rename {
        from: String,
        to: String,
    },
    Search(Box<Search>),
    /// SELECT and EXAMINE.
    Select(Box<Select>),
    /// SETQUOTA (RFC 9208 section 4.1.3): read whole, and never allowed.
    SetQuota {
        root: String,
    },
    Sort(Box<Sort>),
    /// The session's own.
    StartTls,
    Status(Box<Status>),
    Store(Box<Store>),
    Subscribe {
        folder: String,
    },
    Thread(Box<Thread>),
    /// UID EXPUNGE (RFC 4315).
    UidExpunge(SeqSet),
    Unselect,
    Unsubscribe {
        folder: String,
    },
}

/// One message of an APPEND; MULTIAPPEND (RFC 3502) brings several with the same folder.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AppendMessage {
    pub folder: String,
    pub flags: FlagList,
    /// INTERNALDATE to give; now if the client names none.
    pub date: Option<Time>,
    /// Octets of the literal as the client announced them.
    pub size: u64,
    /// It came as a literal8 and may hold NUL (RFC 3516).
    pub binary: bool,
    /// It came as `UTF8 (~{…})`: its header may be UTF-8 (RFC 6855 section 4).
    pub utf8: bool,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Authenticate {
    /// In upper case.
    pub mechanism: String,
    /// The initial response, decoded (RFC 4959); empty for `=`.
    pub initial: Option<Secret>,
}

/// COPY, MOVE, and both with UID.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Copy {
    /// `set` holds UIDs, not sequence numbers.
    pub uid: bool,
    pub set: SeqSet,
    pub folder: String,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Create {
    pub folder: String,
    /// From `(USE (\Sent))` (RFC 6154 section 3); empty without.
    pub special_use: Vec<SpecialUse>,
}

/// Special uses of folders (RFC 6154 section 2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SpecialUse {
    All,
    Archive,
    Drafts,
    Flagged,
    Junk,
    Sent,
    Trash,
}

impl SpecialUse {
    /// Each use with the attribute that names it.
    pub const NAMES: [(Self, &'static str); 7] = [
        (Self::All, "\\All"),
        (Self::Archive, "\\Archive"),
        (Self::Drafts, "\\Drafts"),
        (Self::Flagged, "\\Flagged"),
        (Self::Junk, "\\Junk"),
        (Self::Sent, "\\Sent"),
        (Self::Trash, "\\Trash"),
    ];

    /// By its attribute, `\Sent`, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES
            .iter()
            .find(|(_, n)| n.eq_ignore_ascii_case(name))
            .map(|(special_use, _)| *special_use)
    }
}

/// FETCH and UID FETCH. UID FETCH always has [`FetchItem::Uid`]; no item is there twice.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fetch {
    /// `set` holds UIDs, not sequence numbers.
    pub uid: bool,
    pub set: SeqSet,
    /// Macros are already replaced by what they stand for.
    pub items: Vec<FetchItem>,
    /// CHANGEDSINCE (RFC 7162 section 3.1.4.1).
    pub changed_since: Option<ModSeq>,
    /// VANISHED (RFC 7162 section 3.2.6).
    pub vanished: bool,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FetchItem {
    /// `BINARY[…]<…>` and `BINARY.PEEK[…]<…>` (RFC 3516): the part decoded.
    Binary(Box<BinarySection>),
    /// `BINARY.SIZE[…]`: octets of the decoded part; empty for the whole message.
    BinarySize(Vec<u32>),
    /// `BODY` without a section: BODYSTRUCTURE without extension data.
    Body,
    /// `BODY[…]<…>` and `BODY.PEEK[…]<…>`.
    BodySection(Box<BodySection>),
    BodyStructure,
    Envelope,
    Flags,
    InternalDate,
    ModSeq,
    /// `RFC822`: as `BODY[]`, under its own name.
    Rfc822,
    /// As `BODY.PEEK[HEADER]`.
    Rfc822Header,
    Rfc822Size,
    /// As `BODY[TEXT]`: sets `\Seen`.
    Rfc822Text,
    Uid,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BinarySection {
    /// Part numbers from the outside in, never 0; empty for the whole message.
    pub part: Vec<u32>,
    /// First octet and highest number of octets, which is never 0.
    pub partial: Option<(u32, u32)>,
    /// Leaves `\Seen` alone.
    pub peek: bool,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BodySection {
    pub section: Section,
    /// First octet and highest number of octets, which is never 0.
    pub partial: Option<(u32, u32)>,
    /// Leaves `\Seen` alone.
    pub peek: bool,
}

/// Which part of a message (RFC 3501 section 6.4.5).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Section {
    /// Part numbers from the outside in, never 0; empty for the message itself.
    pub part: Vec<u32>,
    pub text: SectionText,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum SectionText {
    /// The whole part, or the whole message.
    #[default]
    Full,
    Header,
    /// `HEADER.FIELDS (names)` or, with `not`, `HEADER.FIELDS.NOT (names)`. Names as they came.
    HeaderFields {
        names: Vec<String>,
        not: bool,
    },
    /// Only with a part number.
    Mime,
    Text,
}

/// LIST with its extensions (RFC 5258, RFC 5819, RFC 6154).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct List {
    pub reference: String,
    /// With `%` and `*`; [`super::pattern::Pattern`] compares. A single empty pattern asks for
    /// the hierarchy separator.
    pub patterns: Vec<String>,
    pub select: ListSelect,
    pub returns: ListReturn,
    /// Selection options, return options or several patterns were given: answer as RFC 5258 says.
    pub extended: bool,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four options that a client gives or not"
)]
pub struct ListSelect {
    pub recursive_match: bool,
    pub remote: bool,
    pub special_use: bool,
    pub subscribed: bool,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ListReturn {
    pub children: bool,
    pub special_use: bool,
    pub status: Option<StatusItems>,
    pub subscribed: bool,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Lsub {
    pub reference: String,
    pub pattern: String,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Search {
    /// The command's, for ESEARCH (RFC 4466 section 2.6.2).
    pub tag: String,
    /// The results are UIDs, not sequence numbers.
    pub uid: bool,
    /// What RETURN asks for (RFC 4731); `None` for a plain `* SEARCH`.
    pub returns: Option<SearchReturn>,
    /// Text in it is decoded: CHARSET has done its work. `None` where it could not and `$` is to become
    /// empty (RFC 5182 section 2.1).
    pub key: Option<SearchKey>,
}

/// RETURN options of SEARCH (RFC 4731 section 3.1, RFC 5182); `RETURN ()` is `all`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "options that a client gives or not"
)]
pub struct SearchReturn {
    pub all: bool,
    pub count: bool,
    pub max: bool,
    pub min: bool,
    /// The result becomes `$` (RFC 5182).
    pub save: bool,
}

/// What to search for (RFC 3501 section 6.4.4). `NEW` is `And(Recent, Not(Seen))`; `OLD`, `UNSEEN`
/// and the like are `Not` of their opposites. At most [`SEARCH_DEPTH`] levels deep.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SearchKey {
    All,
    /// Several keys that must all match; never empty.
    And(Vec<SearchKey>),
    Bcc(String),
    /// INTERNALDATE earlier than this day.
    Before(Date),
    Body(String),
    Cc(String),
    /// The message has all of these system flags.
    Flag(crate::mail::flag::Flags),
    From(String),
    /// Field name, and text in it; empty text asks whether the field is there.
    Header(String, String),
    Keyword(String),
    /// Octets, strictly more.
    Larger(u64),
    /// MODSEQ at or above (RFC 7162 section 3.1.5).
    ModSeq(ModSeq),
    Not(Box<SearchKey>),
    /// INTERNALDATE at least so many seconds ago (RFC 5032); never 0.
    Older(u32),
    /// INTERNALDATE on this day.
    On(Date),
    /// Several keys of which one is enough; never empty.
    Or(Vec<SearchKey>),
    /// `\Recent` in this session's view.
    Recent,
    SentBefore(Date),
    SentOn(Date),
    SentSince(Date),
    /// Sequence numbers; a set may be `$`.
    Sequence(SeqSet),
    Since(Date),
    /// Octets, strictly fewer.
    Smaller(u64),
    Subject(String),
    Text(String),
    To(String),
    Uid(SeqSet),
    /// INTERNALDATE at most so many seconds ago (RFC 5032); never 0.
    Younger(u32),
}

/// Deepest nesting of a [`SearchKey`]: `NOT`, `OR` and parentheses each count one, a chain of `OR`
/// one as a whole.
pub const SEARCH_DEPTH: usize = 32;

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Select {
    pub folder: String,
    /// EXAMINE.
    pub read_only: bool,
    /// `(CONDSTORE)` (RFC 7162 section 3.1.8).
    pub condstore: bool,
    /// `(QRESYNC (…))` (RFC 7162 section 3.2.5).
    pub qresync: Option<Box<Qresync>>,
}

/// What a client knows of a folder that it comes back to (RFC 7162 section 3.2.5).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Qresync {
    /// UIDVALIDITY, never 0.
    pub validity: u32,
    pub modseq: ModSeq,
    /// UIDs that the client knows; all of the folder if it does not say.
    pub known: Option<Ranges>,
    /// Sequence numbers and the UIDs that they had, as many of one as of the other.
    pub matching: Option<(Ranges, Ranges)>,
}

/// SORT and UID SORT (RFC 5256).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sort {
    /// The results are UIDs, not sequence numbers.
    pub uid: bool,
    /// What counts first comes first; never empty.
    pub criteria: Vec<SortCriterion>,
    /// As in [`Search`].
    pub key: SearchKey,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SortCriterion {
    pub key: SortKey,
    pub reverse: bool,
}

/// RFC 5256 section 3.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SortKey {
    /// INTERNALDATE.
    Arrival,
    Cc,
    /// The Date field.
    Date,
    From,
    Size,
    Subject,
    To,
}

/// THREAD and UID THREAD (RFC 5256).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Thread {
    /// The results are UIDs, not sequence numbers.
    pub uid: bool,
    pub algorithm: ThreadAlgorithm,
    /// As in [`Search`].
    pub key: SearchKey,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ThreadAlgorithm {
    OrderedSubject,
    References,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Status {
    pub folder: String,
    pub items: StatusItems,
}

/// One thing that STATUS tells (RFC 3501 section 6.3.10, RFC 8438, RFC 9051, RFC 7162, RFC 7889,
/// RFC 9208).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StatusItem {
    /// Largest message of APPEND, in octets.
    AppendLimit,
    Deleted,
    /// Octets of what is `\Deleted`.
    DeletedStorage,
    HighestModSeq,
    Messages,
    Recent,
    Size,
    UidNext,
    UidValidity,
    Unseen,
}

impl StatusItem {
    /// Each item with its name.
    pub const NAMES: [(Self, &'static str); 10] = [
        (Self::AppendLimit, "APPENDLIMIT"),
        (Self::Deleted, "DELETED"),
        (Self::DeletedStorage, "DELETED-STORAGE"),
        (Self::HighestModSeq, "HIGHESTMODSEQ"),
        (Self::Messages, "MESSAGES"),
        (Self::Recent, "RECENT"),
        (Self::Size, "SIZE"),
        (Self::UidNext, "UIDNEXT"),
        (Self::UidValidity, "UIDVALIDITY"),
        (Self::Unseen, "UNSEEN"),
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        let found = Self::NAMES.iter().find(|(item, _)| *item == self);
        found.map_or("", |(_, name)| name)
    }

    const fn bit(self) -> u16 {
        match self {
            Self::Deleted => 1,
            Self::HighestModSeq => 2,
            Self::Messages => 4,
            Self::Recent => 8,
            Self::Size => 16,
            Self::UidNext => 32,
            Self::UidValidity => 64,
            Self::Unseen => 128,
            Self::AppendLimit => 256,
            Self::DeletedStorage => 512,
        }
    }
}

/// A set of [`StatusItem`]s.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct StatusItems(u16);

impl StatusItems {
    #[must_use]
    pub const fn with(self, item: StatusItem) -> Self {
        Self(self.0 | item.bit())
    }

    #[must_use]
    pub const fn has(self, item: StatusItem) -> bool {
        self.0 & item.bit() != 0
    }

    /// The items with their names, in the order of [`StatusItem::NAMES`].
    pub fn iter(self) -> impl Iterator<Item = (StatusItem, &'static str)> {
        StatusItem::NAMES
            .into_iter()
            .filter(move |(item, _)| self.has(*item))
    }
}

/// STORE and UID STORE.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Store {
    /// `set` holds UIDs, not sequence numbers.
    pub uid: bool,
    pub set: SeqSet,
    pub mode: StoreMode,
    /// The client does not want to be told the new flags.
    pub silent: bool,
    pub flags: FlagList,
    /// UNCHANGEDSINCE (RFC 7162 section 3.1.3).
    pub unchanged_since: Option<ModSeq>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StoreMode {
    Add,
    Remove,
    Replace,
}
