//! SMTP command lines, RFC 5321 section 4.1. Text in, value out: no state, no IO, no log.

use super::path;

/// One command, parts borrowed from its line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Command<'a> {
    /// RFC 4954.
    Auth {
        argument: &'a str,
    },
    /// RFC 3030 section 2; `size` octets follow the line.
    Bdat {
        size: u64,
        last: bool,
    },
    Data,
    Ehlo {
        name: &'a str,
    },
    /// RFC 1985.
    Etrn {
        argument: &'a str,
    },
    Expn,
    Helo {
        name: &'a str,
    },
    Help,
    /// The path with its brackets, not checked further; `parameters` is what follows it.
    Mail {
        path: &'a str,
        parameters: &'a str,
    },
    Noop,
    Quit,
    Rcpt {
        path: &'a str,
        parameters: &'a str,
    },
    Rset,
    StartTls,
    Vrfy,
}

/// What is wrong with a line; each has a reply of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SyntaxError {
    /// The argument is missing or surplus; how the command is written.
    Argument(&'static str),
    /// BDAT whose octets cannot be counted: nothing that follows can be told from commands.
    Chunk,
    /// The line is empty or has control characters in it.
    Line,
    /// The peer speaks another protocol, or sends a message's header lines as commands.
    Protocol,
    /// What RCPT names is no path in brackets.
    Recipient,
    /// What MAIL names is no path in brackets.
    Sender,
    /// No such command.
    Verb,
}

/// First words of HTTP requests; no SMTP command will have these names.
const FOREIGN: [&str; 10] = [
    "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PRI", "PUT", "TRACE",
];

/// Parses one line without its CRLF. Verbs ignore case (RFC 5321 section 2.4), white space at the
/// end is no part of a command (section 4.1.1).
pub fn parse(line: &str) -> Result<Command<'_>, SyntaxError> {
    let line = line.trim_end_matches([' ', '\t']);
    if line.is_empty() || line.chars().any(|c| c.is_ascii_control() && c != '\t') {
        return Err(SyntaxError::Line);
    }
    let (verb, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let rest = rest.trim_start_matches([' ', '\t']);
    match verb.to_ascii_uppercase().as_str() {
        "AUTH" => Ok(Command::Auth { argument: rest }),
        "BDAT" => chunk(rest),
        "DATA" => alone(rest, Command::Data, "DATA"),
        "EHLO" => some(rest, "EHLO hostname").map(|name| Command::Ehlo { name }),
        "ETRN" => some(rest, "ETRN domain").map(|argument| Command::Etrn { argument }),
        "EXPN" => Ok(Command::Expn),
        "HELO" => some(rest, "HELO hostname").map(|name| Command::Helo { name }),
        "HELP" => Ok(Command::Help),
        "MAIL" => {
            let text = keyword(rest, "FROM:", "MAIL FROM:<address>")?;
            let (path, parameters) = split_path(text).ok_or(SyntaxError::Sender)?;
            Ok(Command::Mail { path, parameters })
        }
        "NOOP" => Ok(Command::Noop),
        "QUIT" => Ok(Command::Quit),
        "RCPT" => {
            let text = keyword(rest, "TO:", "RCPT TO:<address>")?;
            let (path, parameters) = split_path(text).ok_or(SyntaxError::Recipient)?;
            Ok(Command::Rcpt { path, parameters })
        }
        "RSET" => alone(rest, Command::Rset, "RSET"),
        "STARTTLS" => alone(rest, Command::StartTls, "STARTTLS"),
        "VRFY" => Ok(Command::Vrfy),
        verb if is_foreign(verb) => Err(SyntaxError::Protocol),
        _ => Err(SyntaxError::Verb),
    }
}

/// A header line, `Subject: …`, or an HTTP request.
fn is_foreign(verb: &str) -> bool {
    let header = verb
        .split_once(':')
        .is_some_and(|(name, _)| !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic()));
    header || FOREIGN.contains(&verb)
}

fn alone<'a>(
    rest: &str,
    command: Command<'a>,
    usage: &'static str,
) -> Result<Command<'a>, SyntaxError> {
    if rest.is_empty() {
        Ok(command)
    } else {
        Err(SyntaxError::Argument(usage))
    }
}

fn some<'a>(rest: &'a str, usage: &'static str) -> Result<&'a str, SyntaxError> {
    if rest.is_empty() {
        Err(SyntaxError::Argument(usage))
    } else {
        Ok(rest)
    }
}

/// What follows `FROM:` or `TO:`. Many clients put a space after the colon; it does no harm.
fn keyword<'a>(rest: &'a str, key: &str, usage: &'static str) -> Result<&'a str, SyntaxError> {
    match rest.split_at_checked(key.len()) {
        Some((given, text)) if given.eq_ignore_ascii_case(key) => {
            some(text.trim_start_matches([' ', '\t']), usage)
        }
        _ => Err(SyntaxError::Argument(usage)),
    }
}

/// The path with its brackets, and the parameters after it.
fn split_path(text: &str) -> Option<(&str, &str)> {
    let (path, parameters) = text.split_at_checked(path::length(text)?)?;
    (parameters.is_empty() || parameters.starts_with([' ', '\t']))
        .then_some((path, parameters.trim_start_matches([' ', '\t'])))
}

fn chunk(rest: &str) -> Result<Command<'_>, SyntaxError> {
    let mut words = rest.split_ascii_whitespace();
    let size = words
        .next()
        .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok())
        .ok_or(SyntaxError::Chunk)?;
    let last = match words.next() {
        None => false,
        Some(word) if word.eq_ignore_ascii_case("LAST") => true,
        Some(_) => return Err(SyntaxError::Chunk),
    };
    match words.next() {
        None => Ok(Command::Bdat { size, last }),
        Some(_) => Err(SyntaxError::Chunk),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands() {
        for (line, expected) in [
            ("noop", Ok(Command::Noop)),
            ("NOOP anything at all", Ok(Command::Noop)),
            ("Data ", Ok(Command::Data)),
            ("DATA now", Err(SyntaxError::Argument("DATA"))),
            ("EHLO a.test", Ok(Command::Ehlo { name: "a.test" })),
            ("EHLO  ", Err(SyntaxError::Argument("EHLO hostname"))),
            (
                "mail from:<a@b> SIZE=1  BODY=7BIT",
                Ok(Command::Mail {
                    path: "<a@b>",
                    parameters: "SIZE=1  BODY=7BIT",
                }),
            ),
            (
                "MAIL FROM: <\"a >b\"@c>",
                Ok(Command::Mail {
                    path: "<\"a >b\"@c>",
                    parameters: "",
                }),
            ),
            ("auth", Ok(Command::Auth { argument: "" })),
            (
                "AUTH LOGIN =",
                Ok(Command::Auth {
                    argument: "LOGIN =",
                }),
            ),
            ("MAIL FROM:a@b", Err(SyntaxError::Sender)),
            ("MAIL FROM:<a@b>SIZE=1", Err(SyntaxError::Sender)),
            (
                "MAIL FROM <a@b>",
                Err(SyntaxError::Argument("MAIL FROM:<address>")),
            ),
            ("RCPT TO:bad", Err(SyntaxError::Recipient)),
            ("RCPT", Err(SyntaxError::Argument("RCPT TO:<address>"))),
            (
                "BDAT 10",
                Ok(Command::Bdat {
                    size: 10,
                    last: false,
                }),
            ),
            (
                "BDAT 0 last",
                Ok(Command::Bdat {
                    size: 0,
                    last: true,
                }),
            ),
            ("BDAT", Err(SyntaxError::Chunk)),
            ("BDAT +1", Err(SyntaxError::Chunk)),
            ("BDAT 1 FIRST", Err(SyntaxError::Chunk)),
            ("BDAT 1 LAST x", Err(SyntaxError::Chunk)),
            ("BDAT 99999999999999999999", Err(SyntaxError::Chunk)),
            ("", Err(SyntaxError::Line)),
            ("   ", Err(SyntaxError::Line)),
            ("NO\0OP", Err(SyntaxError::Line)),
            ("get / HTTP/1.1", Err(SyntaxError::Protocol)),
            ("Subject: hello", Err(SyntaxError::Protocol)),
            ("Host:a", Err(SyntaxError::Protocol)),
            ("HELLO a.test", Err(SyntaxError::Verb)),
            ("ä", Err(SyntaxError::Verb)),
        ] {
            assert_eq!(parse(line), expected, "{line}");
        }
    }
}
