//! What a session asks the service, and what it is answered.

use super::super::command::{AppendMessage, Command};
use crate::base::id::ContentRange;
use crate::base::secret::Secret;
use crate::proto::sasl;

/// What the session cannot settle itself. Each is answered once, by an [`Answer`].
#[derive(Debug)]
pub enum Question {
    /// The literal of an APPEND cannot be taken (a NUL in it, no line end after it): forget what
    /// came since [`Question::AppendBegin`]. Answer [`Answer::Done`]; its completion is ignored.
    AppendAbort,
    /// May this message come? [`Answer::Accept`] lets its octets follow as `Step::Content`;
    /// [`Answer::Done`] refuses it. MULTIAPPEND (RFC 3502) asks it once for each message, of the same
    /// folder.
    AppendBegin(Box<AppendMessage>, Enabled),
    /// The literals are whole: all of their octets came as `Step::Content`. Deliver all or none.
    AppendEnd,
    /// Every command that needs the store. Never APPEND, AUTHENTICATE, CAPABILITY, COMPRESS, ENABLE,
    /// IDLE, LOGIN, LOGOUT or STARTTLS: those are the session's own. NOOP and CHECK come here.
    Command(Box<Command>, Enabled),
    /// The connection is gone or logged out: forget everything, an open APPEND too. Answer
    /// [`Answer::Done`]; its completion is ignored.
    Forget,
    /// An exchange of AUTHENTICATE has ended well: the person of the last [`Answer::Sasl`] comes in.
    Enter,
    /// LOGIN. The name as the client wrote it.
    Login { user: String, password: Secret },
    /// What [`Answer::More`] brought is sent: go on with the running command.
    More,
    /// The client idles and something may have happened: what is new? The completion of
    /// [`Answer::Done`] is ignored, save for [`StateChange::Bye`].
    Poll(Enabled),
    /// An exchange of AUTHENTICATE asks. Answer [`Answer::Sasl`].
    Sasl(sasl::Question),
}

/// What the client has enabled, by ENABLE (RFC 5161) or by a command that implies it (RFC 7162
/// section 3.1). It only ever grows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Enabled {
    /// MODSEQ belongs into every FETCH response.
    pub condstore: bool,
    /// VANISHED instead of EXPUNGE; implies `condstore`.
    pub qresync: bool,
    /// Folder names and quoted strings are UTF-8 (RFC 6855).
    pub utf8: bool,
}

/// A piece of a reply.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Piece {
    /// Rendered untagged responses, or parts of them.
    Octets(Vec<u8>),
    /// Stored content; its literal's head `{n}\r\n` is at the end of the octets before it.
    Range(ContentRange),
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// To [`Question::AppendBegin`] only: let the literal come.
    Accept,
    /// Send these, then the tagged completion.
    Done(Vec<Piece>, Completion),
    /// Send these, then ask [`Question::More`].
    More(Vec<Piece>),
    /// To [`Question::Sasl`] only.
    Sasl(sasl::Answer),
}

/// How a command ended: `tag status [code] text`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Completion {
    pub status: Status,
    /// What stands between the brackets, without them: `READ-WRITE`, `UIDNEXT 4`.
    pub code: Option<String>,
    pub text: String,
    pub state: Option<StateChange>,
}

impl Completion {
    /// `tag OK text`, nothing else.
    #[must_use]
    pub fn ok(text: &str) -> Self {
        Self::plain(Status::Ok, text)
    }

    /// `tag NO text`, nothing else.
    #[must_use]
    pub fn no(text: &str) -> Self {
        Self::plain(Status::No, text)
    }

    /// Not with this name and password.
    #[must_use]
    pub fn refused() -> Self {
        Self::no("Authentication failed.").with_code("AUTHENTICATIONFAILED")
    }

    /// Text of a search cannot be decoded (RFC 3501 section 6.4.4).
    #[must_use]
    pub fn bad_charset() -> Self {
        Self::no("The text is not in a known charset").with_code("BADCHARSET (US-ASCII UTF-8)")
    }

    /// An answer that does not fit the question.
    #[must_use]
    pub fn server_bug() -> Self {
        Self::no("Internal error").with_code("SERVERBUG")
    }

    /// Whether somebody may log in cannot be told now.
    #[must_use]
    pub fn not_now() -> Self {
        Self::no("Temporary authentication failure.").with_code("UNAVAILABLE")
    }

    /// `tag BAD text`, nothing else.
    #[must_use]
    pub fn bad(text: &str) -> Self {
        Self::plain(Status::Bad, text)
    }

    /// The same with a response code.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// The same with a change of the session's state.
    #[must_use]
    pub fn with_state(mut self, state: StateChange) -> Self {
        self.state = Some(state);
        self
    }

    fn plain(status: Status, text: &str) -> Self {
        Self {
            status,
            code: None,
            text: text.to_owned(),
            state: None,
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Status {
    Ok,
    No,
    Bad,
}

/// What a completion does to the session's state (RFC 3501 section 3). A LOGIN that is answered
/// with OK needs none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StateChange {
    Authenticated,
    /// `* BYE` with the completion's code and text instead of a tagged reply; then the end.
    Bye,
    /// Also with the NO of a SELECT that failed while another folder was selected.
    Deselected,
    Selected {
        read_only: bool,
    },
}
