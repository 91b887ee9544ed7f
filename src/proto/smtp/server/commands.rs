//! Commands but for content: what is right in which order.

use std::str;

use super::state::{After, Hello, Mail, Pending, State, Transaction};
use super::{Auth, AuthOptions, Question, Session, Tls, UNKNOWN};
use crate::proto::sasl::{self, Mechanism};
use crate::proto::smtp::command::{self, Command, SyntaxError};
use crate::proto::smtp::parameter::{self, MailParameters, Offered, ParameterError};
use crate::proto::smtp::path::{Shape, shape};
use crate::proto::smtp::reply::Reply;

/// SU-1, RFC 3207 section 4.
pub(super) const MUST_SECURE: &str = "5.7.0 Must issue a STARTTLS command first";
/// RCPTs beyond the limit that are no errors: the peer has sent them before it saw the first 452.
const BEYOND_MAX: u32 = 1000;

impl Session {
    /// One line with its line end.
    pub(super) fn line(&mut self, line: &[u8]) {
        self.verb = UNKNOWN;
        let Some(text) = line.strip_suffix(b"\r\n") else {
            let cr = memchr::memchr(b'\r', line).is_some();
            return self.bare(if cr { "CR" } else { "LF" });
        };
        if memchr::memchr(b'\r', text).is_some() {
            return self.bare("CR");
        }
        let ahead = !self.input.is_empty();
        if ahead && self.peer.hello != Hello::Ehlo {
            self.peer.improper = true;
        }
        let Ok(text) = str::from_utf8(text) else {
            return self.refuse(500, "5.5.2 Error: bad UTF-8 syntax");
        };
        match command::parse(text) {
            Ok(command) => {
                self.verb = verb(&command);
                self.count(&command, ahead);
                if self.needs_tls() && needs_tls(&command) {
                    return self.must_secure();
                }
                self.obey(command);
            }
            Err(error) => self.misread(error),
        }
    }

    fn misread(&mut self, error: SyntaxError) {
        match error {
            SyntaxError::Recipient | SyntaxError::Sender if self.needs_tls() => self.must_secure(),
            SyntaxError::Argument(usage) => {
                self.verb = usage.split(' ').next().unwrap_or(UNKNOWN);
                if self.needs_tls() && !matches!(self.verb, "EHLO" | "STARTTLS") {
                    return self.must_secure();
                }
                self.refuse(501, format!("5.5.4 Syntax: {usage}"));
            }
            SyntaxError::Chunk => {
                self.verb = "BDAT";
                self.dismiss(501, "5.5.4 Syntax: BDAT count [LAST]");
            }
            SyntaxError::Line => self.refuse(500, "5.5.2 Error: bad syntax"),
            SyntaxError::Protocol => {
                self.dismiss(221, "2.7.0 Error: I can break rules, too. Goodbye.");
            }
            // An empty path is as malformed, and order comes first.
            SyntaxError::Recipient => {
                self.verb = "RCPT";
                self.rcpt("", "");
            }
            SyntaxError::Sender => {
                self.verb = "MAIL";
                self.mail("", "");
            }
            SyntaxError::Verb => self.refuse(500, "5.5.2 Error: command not recognized"),
        }
    }

    /// Keeps count of commands that lead to no message, and of commands that had to be the last of
    /// their group but were not (RFC 2920 section 3.1).
    fn count(&mut self, command: &Command<'_>, ahead: bool) {
        match command {
            Command::Data | Command::Ehlo { .. } | Command::Helo { .. } if ahead => {
                self.peer.improper = true;
            }
            _ => {}
        }
        match command {
            Command::Ehlo { .. }
            | Command::Etrn { .. }
            | Command::Helo { .. }
            | Command::Help
            | Command::Noop
            | Command::Rset => {
                self.junk = self.junk.saturating_add(1);
                if self.junk > self.options.junk_max {
                    self.errors = self.errors.saturating_add(1);
                }
            }
            _ => {}
        }
    }

    fn obey(&mut self, command: Command<'_>) {
        match command {
            Command::Auth { argument } => self.auth(argument),
            Command::Bdat { size, last } => self.bdat(size, last),
            Command::Data => self.data(),
            Command::Ehlo { name } => self.hello(name, true),
            Command::Etrn { argument } => self.etrn(argument),
            Command::Expn => self.refuse(502, "5.5.1 EXPN command is disabled"),
            Command::Helo { name } => self.hello(name, false),
            Command::Help => self.say(
                214,
                "2.0.0 HELO EHLO MAIL RCPT DATA BDAT RSET NOOP ETRN QUIT: see RFC 5321",
            ),
            Command::Mail { path, parameters } => self.mail(path, parameters),
            Command::Noop => self.say(250, "2.0.0 Ok"),
            Command::Quit => self.part(221, "2.0.0 Bye"),
            Command::Rcpt { path, parameters } => self.rcpt(path, parameters),
            Command::Rset => self.forget(After::Reset),
            Command::StartTls => self.start_tls(),
            Command::Vrfy => self.refuse(502, "5.5.1 VRFY command is disabled"),
        }
    }

    /// A new EHLO is a RSET too (RFC 5321 section 4.1.4).
    fn hello(&mut self, name: &str, esmtp: bool) {
        self.forget(After::Hello {
            name: name.to_owned(),
            esmtp,
        });
    }

    fn etrn(&mut self, argument: &str) {
        match (&self.peer.hello, &self.mail) {
            (Hello::None, _) => self.refuse(503, "5.5.1 Error: send HELO/EHLO first"),
            (_, Mail::None) => {
                let argument = argument.to_owned();
                self.ask(Question::QueueRun { argument }, Pending::QueueRun);
            }
            (_, Mail::Failed | Mail::Open(_)) => {
                self.refuse(503, "5.5.1 Error: MAIL transaction in progress");
            }
        }
    }

    fn start_tls(&mut self) {
        match (&self.peer.hello, &self.mail) {
            _ if self.peer.secured => self.refuse(554, "5.5.1 Error: TLS already active"),
            _ if self.options.tls == Tls::Off => {
                self.refuse(502, "5.5.1 Error: command not implemented");
            }
            (Hello::Ehlo, Mail::None) => {
                self.say(220, "2.0.0 Ready to start TLS");
                self.state = State::Handshake;
            }
            (Hello::Ehlo, Mail::Failed | Mail::Open(_)) => {
                self.refuse(503, "5.5.1 Error: MAIL transaction in progress");
            }
            (Hello::Helo | Hello::None, _) => self.refuse(503, "5.5.1 Error: send EHLO first"),
        }
    }

    /// Whether a handshake has to come first (SU-1).
    pub(super) fn needs_tls(&self) -> bool {
        self.options.tls == Tls::Required && !self.peer.secured
    }

    fn must_secure(&mut self) {
        self.refuse(530, MUST_SECURE);
    }

    fn must_authenticate(&self) -> bool {
        matches!(
            self.options.auth,
            Auth::Offered(AuthOptions { required: true, .. })
        ) && !self.peer.authenticated
    }

    fn mail(&mut self, path: &str, parameters: &str) {
        match (&self.peer.hello, &self.mail) {
            (Hello::None, _) => self.refuse(503, "5.5.1 Error: send HELO/EHLO first"),
            _ if self.must_authenticate() => {
                self.refuse_path(path, 530, "5.7.0 Authentication required");
            }
            (_, Mail::Failed | Mail::Open(_)) => {
                self.refuse(503, "5.5.1 Error: nested MAIL command");
            }
            (_, Mail::None) => match parameter::mail(parameters, self.offered()) {
                Ok(parameters) => self.sender(path, parameters),
                Err(error) => self.bad_parameter(path, error),
            },
        }
    }

    fn sender(&mut self, path: &str, parameters: MailParameters) {
        let limit = self.options.size_limit;
        let null_sender = match shape(path) {
            Some(Shape::Null) => true,
            Some(Shape::Mailbox) => false,
            Some(Shape::Local) if self.options.bare_local_parts => false,
            Some(Shape::Local) | None => {
                return self.refuse_path(path, 501, "5.1.7 Bad sender address syntax");
            }
        };
        if !path.is_ascii() && !parameters.smtputf8 {
            // RFC 6531 section 3.5.
            return self.refuse_path(path, 550, "5.6.7 Error: the address needs SMTPUTF8");
        }
        if limit > 0 && parameters.size.is_some_and(|size| size > limit) {
            return self.refuse_path(path, 552, "5.3.4 Message size exceeds fixed limit");
        }
        if self.options.mails_max > 0 && self.mails >= self.options.mails_max {
            // RFC 9422 section 4.1.
            let text = format!("4.7.0 {} Error: too many messages", self.options.hostname);
            return self.dismiss(421, text);
        }
        let transaction = Box::new(Transaction {
            null_sender,
            smtputf8: parameters.smtputf8,
            ..Transaction::default()
        });
        let path = path.to_owned();
        self.ask(
            Question::Sender { path, parameters },
            Pending::Sender(transaction),
        );
    }

    fn rcpt(&mut self, path: &str, parameters: &str) {
        let offered = self.offered();
        let Mail::Open(transaction) = &mut self.mail else {
            return self.refuse(503, "5.5.1 Error: need MAIL command");
        };
        if transaction.chunks.is_some() {
            return self.refuse(503, "5.5.1 Error: need BDAT, RSET or QUIT");
        }
        if transaction.accepted >= self.options.recipients_max {
            transaction.beyond = transaction.beyond.saturating_add(1);
            if transaction.beyond > BEYOND_MAX {
                self.errors = self.errors.saturating_add(1);
            }
            // The rest is told by the count of those that were taken.
            let first = transaction.beyond == 1;
            let reply = Reply::new(452, "4.5.3 Error: too many recipients");
            self.put(&reply);
            if first {
                self.note_refusal(path, reply);
            }
            return;
        }
        let wrong = wrong_recipient(path, transaction.smtputf8, self.options.bare_local_parts);
        let parameters = parameter::rcpt(parameters, offered);
        if wrong.is_some() || parameters.is_err() {
            transaction.refused = transaction.refused.saturating_add(1);
        }
        match (wrong, parameters) {
            (Some((code, text)), _) => self.refuse_path(path, code, text),
            (None, Err(error)) => self.bad_parameter(path, error),
            (None, Ok(parameters)) => {
                let path = path.to_owned();
                self.ask(Question::Recipient { path, parameters }, Pending::Recipient);
            }
        }
    }

    fn bad_parameter(&mut self, path: &str, error: ParameterError) {
        match error {
            ParameterError::Unsupported(key) => {
                self.refuse_path(path, 555, format!("5.5.4 Unsupported option: {key}"));
            }
            ParameterError::Value(key) => {
                self.refuse_path(path, 501, format!("5.5.4 Bad value of {key}"));
            }
        }
    }

    fn offered(&self) -> Offered {
        let esmtp = self.peer.hello == Hello::Ehlo;
        Offered {
            auth: esmtp && self.auth_offer().is_some(),
            dsn: self.options.dsn && esmtp,
            requiretls: self.options.requiretls && esmtp && self.peer.secured,
            smtputf8: esmtp,
        }
    }

    /// What the service said.
    pub(super) fn answered(&mut self, pending: Pending, reply: Reply) {
        match pending {
            // Not an answer to this: the service cannot tell.
            Pending::Auth(exchange) => self.auth_answered(exchange, sasl::Answer::TryAgain),
            Pending::Begin(chunk) => self.begun(chunk, reply),
            Pending::End => self.settled(&reply),
            Pending::Forget(after) => self.forgotten(after),
            Pending::Hello { esmtp } if reply.is_positive() => self.greeted(esmtp),
            Pending::Hello { .. } | Pending::QueueRun => {
                self.pass(&reply);
            }
            Pending::Recipient => self.recipient(&reply),
            Pending::Sender(transaction) => {
                if self.pass(&reply) && reply.is_positive() {
                    self.mails = self.mails.saturating_add(1);
                    self.mail = Mail::Open(transaction);
                }
            }
        }
    }

    fn recipient(&mut self, reply: &Reply) {
        if let Mail::Open(transaction) = &mut self.mail {
            let count = if reply.is_positive() {
                &mut transaction.accepted
            } else {
                &mut transaction.refused
            };
            *count = count.saturating_add(1);
        }
        self.pass(reply);
    }

    fn settled(&mut self, reply: &Reply) {
        self.mail = Mail::None;
        if self.pass(reply) && reply.is_positive() {
            self.errors = 0;
            self.junk = 0;
            self.settled = Some(self.now);
        }
    }

    /// The answer to HELO, or EHLO with what is there (RFC 5321 section 4.1.1.1).
    fn greeted(&mut self, esmtp: bool) {
        let mut reply = Reply::new(250, self.options.hostname.as_str());
        if esmtp {
            self.peer.hello = Hello::Ehlo;
            reply.lines.extend(self.extensions());
        } else {
            self.peer.hello = Hello::Helo;
        }
        self.put(&reply);
    }

    fn extensions(&self) -> Vec<String> {
        let options = &self.options;
        let mut lines = vec!["PIPELINING".to_owned()];
        lines.push(match options.size_limit {
            0 => "SIZE".to_owned(),
            limit => format!("SIZE {limit}"),
        });
        lines.push("ETRN".to_owned());
        if options.tls != Tls::Off && !self.peer.secured {
            lines.push("STARTTLS".to_owned());
        }
        if let Some(offer) = self.auth_offer() {
            let names: Vec<_> = self.mechanisms().map(Mechanism::name).collect();
            lines.push(format!("AUTH {}", names.join(" ")));
            if offer.old_outlook {
                lines.push("AUTH=LOGIN PLAIN".to_owned());
            }
        }
        lines.push("ENHANCEDSTATUSCODES".to_owned());
        lines.push("8BITMIME".to_owned());
        if options.dsn {
            lines.push("DSN".to_owned());
        }
        lines.push("SMTPUTF8".to_owned());
        lines.push("CHUNKING".to_owned());
        if options.requiretls && self.peer.secured {
            lines.push("REQUIRETLS".to_owned());
        }
        // RFC 9422.
        let recipients = format!("LIMITS RCPTMAX={}", options.recipients_max);
        lines.push(match options.mails_max {
            0 => recipients,
            mails => format!("{recipients} MAILMAX={mails}"),
        });
        lines
    }
}

/// What RFC 3207 section 4 lets come before a handshake that has to be. BDAT has octets to swallow
/// first.
fn needs_tls(command: &Command<'_>) -> bool {
    !matches!(
        command,
        Command::Bdat { .. }
            | Command::Ehlo { .. }
            | Command::Noop
            | Command::Quit
            | Command::StartTls
    )
}

/// How notes name a command.
fn verb(command: &Command<'_>) -> &'static str {
    match command {
        Command::Auth { .. } => "AUTH",
        Command::Bdat { .. } => "BDAT",
        Command::Data => "DATA",
        Command::Ehlo { .. } => "EHLO",
        Command::Etrn { .. } => "ETRN",
        Command::Expn => "EXPN",
        Command::Helo { .. } => "HELO",
        Command::Help => "HELP",
        Command::Mail { .. } => "MAIL",
        Command::Noop => "NOOP",
        Command::Quit => "QUIT",
        Command::Rcpt { .. } => "RCPT",
        Command::Rset => "RSET",
        Command::StartTls => "STARTTLS",
        Command::Vrfy => "VRFY",
    }
}

/// What a path cannot be as a recipient.
fn wrong_recipient(path: &str, smtputf8: bool, bare: bool) -> Option<(u16, &'static str)> {
    // The one name that needs no domain (RFC 5321 section 4.5.1).
    let bare = bare || path.eq_ignore_ascii_case("<postmaster>");
    match shape(path) {
        Some(Shape::Local) if !bare => Some((501, "5.1.3 Bad recipient address syntax")),
        // RFC 6531 section 3.5.
        Some(Shape::Local | Shape::Mailbox) if !path.is_ascii() && !smtputf8 => {
            Some((553, "5.6.7 Error: the address needs SMTPUTF8"))
        }
        Some(Shape::Local | Shape::Mailbox) => None,
        Some(Shape::Null) | None => Some((501, "5.1.3 Bad recipient address syntax")),
    }
}
