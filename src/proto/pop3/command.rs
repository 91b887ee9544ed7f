//! Command lines (RFC 1939, RFC 2449, RFC 2595, RFC 5034, RFC 6856). Octets in, value out.

/// A line of a client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Command<'a> {
    /// The rest of the line: a mechanism and perhaps an initial response; empty asks for a list.
    Auth(&'a [u8]),
    Capa,
    /// What is about the maildrop, for which somebody has to be logged in.
    Maildrop(Maildrop),
    /// The password, spaces and all (RFC 1939 section 7).
    Pass(&'a [u8]),
    Quit,
    Stls,
    User(&'a [u8]),
    Utf8,
}

/// A command of the TRANSACTION state. Messages are counted from 1; a number too large to be one is
/// `u32::MAX`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Maildrop {
    Dele(u32),
    /// One message, or all.
    List(Option<u32>),
    Noop,
    Retr(u32),
    Rset,
    Stat,
    /// The header and so many lines of the body.
    Top(u32, u32),
    /// One message, or all.
    Uidl(Option<u32>),
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SyntaxError {
    Argument,
    Verb,
}

/// Parses one line without its line end. Verbs ignore case (RFC 1939 section 3).
///
/// # Errors
///
/// See [`SyntaxError`].
pub fn parse(line: &[u8]) -> Result<Command<'_>, SyntaxError> {
    let at = memchr::memchr(b' ', line).unwrap_or(line.len());
    let (verb, rest) = line.split_at_checked(at).unwrap_or((line, &[]));
    let rest = rest.get(1..).unwrap_or_default();
    // Others than passwords have no spaces at their ends.
    let text = rest.trim_ascii();
    let mut upper = [0; 4];
    let Some(known) = upper.get_mut(..verb.len()) else {
        return Err(SyntaxError::Verb);
    };
    known.copy_from_slice(verb);
    upper.make_ascii_uppercase();
    let maildrop = match &upper {
        b"AUTH" => return Ok(Command::Auth(text)),
        b"PASS" => return Ok(Command::Pass(rest)),
        b"USER" if text.is_empty() => return Err(SyntaxError::Argument),
        b"USER" => return Ok(Command::User(text)),
        b"CAPA" => return alone(text, Command::Capa),
        b"QUIT" => return alone(text, Command::Quit),
        b"STLS" => return alone(text, Command::Stls),
        b"UTF8" => return alone(text, Command::Utf8),
        b"DELE" => Maildrop::Dele(number(text)?),
        b"LIST" => Maildrop::List(optional(text)?),
        b"NOOP" => return alone(text, Command::Maildrop(Maildrop::Noop)),
        b"RETR" => Maildrop::Retr(number(text)?),
        b"RSET" => return alone(text, Command::Maildrop(Maildrop::Rset)),
        b"STAT" => return alone(text, Command::Maildrop(Maildrop::Stat)),
        b"TOP\0" => {
            let at = memchr::memchr(b' ', text).ok_or(SyntaxError::Argument)?;
            let (message, lines) = text.split_at_checked(at).ok_or(SyntaxError::Argument)?;
            Maildrop::Top(number(message)?, number(lines.trim_ascii())?)
        }
        b"UIDL" => Maildrop::Uidl(optional(text)?),
        _ => return Err(SyntaxError::Verb),
    };
    Ok(Command::Maildrop(maildrop))
}

fn alone<'a>(text: &[u8], command: Command<'a>) -> Result<Command<'a>, SyntaxError> {
    if text.is_empty() {
        Ok(command)
    } else {
        Err(SyntaxError::Argument)
    }
}

fn optional(text: &[u8]) -> Result<Option<u32>, SyntaxError> {
    match text {
        [] => Ok(None),
        text => number(text).map(Some),
    }
}

fn number(text: &[u8]) -> Result<u32, SyntaxError> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let text = str::from_utf8(text).ok().filter(|_| digits);
    let text = text.ok_or(SyntaxError::Argument)?;
    Ok(text.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lines_say() {
        use Command::{Auth, Capa, Pass, Quit, Stls, User, Utf8};
        use Maildrop::{Dele, List, Noop, Retr, Rset, Stat, Top, Uidl};
        use SyntaxError::{Argument, Verb};
        let maildrop = |maildrop| Ok(Command::Maildrop(maildrop));
        for (line, want) in [
            (&b"STAT"[..], maildrop(Stat)),
            (b"stat ", maildrop(Stat)),
            (b"STAT 1", Err(Argument)),
            (b"LIST", maildrop(List(None))),
            (b"list 7", maildrop(List(Some(7)))),
            (b"LIST -1", Err(Argument)),
            (b"LIST +1", Err(Argument)),
            (b"RETR 007", maildrop(Retr(7))),
            (b"RETR 99999999999999999999", maildrop(Retr(u32::MAX))),
            (b"RETR", Err(Argument)),
            (b"DELE 0", maildrop(Dele(0))),
            (b"DELE 1 2", Err(Argument)),
            (b"NOOP", maildrop(Noop)),
            (b"RSET", maildrop(Rset)),
            (b"TOP 1 10", maildrop(Top(1, 10))),
            (b"top 1  0 ", maildrop(Top(1, 0))),
            (b"TOP 1", Err(Argument)),
            (b"TOP", Err(Argument)),
            (b"UIDL 2", maildrop(Uidl(Some(2)))),
            (b"UIDL", maildrop(Uidl(None))),
            (b"USER anna@home.test", Ok(User(b"anna@home.test"))),
            (b"USER ", Err(Argument)),
            (b"PASS  two words ", Ok(Pass(b" two words "))),
            (b"PASS", Ok(Pass(b""))),
            (b"AUTH", Ok(Auth(b""))),
            (b"auth PLAIN AGE=", Ok(Auth(b"PLAIN AGE="))),
            (b"CAPA", Ok(Capa)),
            (b"QUIT", Ok(Quit)),
            (b"STLS", Ok(Stls)),
            (b"STLS now", Err(Argument)),
            (b"UTF8", Ok(Utf8)),
            (b"APOP anna c4c9334bac560ecc979e58001b3e22fb", Err(Verb)),
            (b"LAST", Err(Verb)),
            (b"TOPS 1 2", Err(Verb)),
            (b"STATUS", Err(Verb)),
            (b"", Err(Verb)),
            (b"\xff\xff", Err(Verb)),
        ] {
            assert_eq!(parse(line), want, "{}", line.escape_ascii());
        }
    }
}
