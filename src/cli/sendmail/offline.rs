//! `sendmail -bs` while the server is down: the few commands of SMTP that a program needs to leave a
//! message. Who may send to whom is judged when the server takes it in.

use std::io::{self, BufRead, Read as _};

use super::{IO_ERR, TEMP_FAIL};
use crate::{
    mail::path::{parse_forward, parse_reverse},
    service::spool::Envelope,
};

/// Longest command in octets.
const LINE_MAX: u64 = 64 * 1024;
/// As many as a file of the spool may name.
const RECIPIENTS_MAX: usize = 1000;

/// Until QUIT or the end of input; returns the exit code.
pub(super) fn talk(
    input: &mut dyn BufRead,
    hostname: &str,
    limit: u64,
    leave: &dyn Fn(&Envelope, &[u8]) -> bool,
    say: &mut dyn FnMut(&str),
) -> u8 {
    say(&format!("220 {hostname} ESMTP, the server is down"));
    let (mut envelope, mut exit) = (None::<Envelope>, 0);
    loop {
        let Ok(line) = line(input, LINE_MAX) else {
            return IO_ERR;
        };
        let Some(line) = line else {
            return exit;
        };
        let text = String::from_utf8_lossy(&line);
        let (verb, rest) = text.split_once(' ').unwrap_or((&text, ""));
        let reply = match verb.to_ascii_uppercase().as_str() {
            "HELO" => format!("250 {hostname}"),
            "EHLO" => format!("250-{hostname}\r\n250 8BITMIME"),
            "MAIL" => match path(rest, "FROM:").filter(|path| parse_reverse(path).is_ok()) {
                Some(sender) => {
                    envelope = Some(Envelope {
                        sender: sender.to_owned(),
                        ..Envelope::default()
                    });
                    "250 2.1.0 Ok".to_owned()
                }
                None => "501 5.1.7 Bad sender address syntax".to_owned(),
            },
            "RCPT" => {
                let to = path(rest, "TO:").filter(|path| parse_forward(path).is_ok());
                match (&mut envelope, to) {
                    (None, _) => "503 5.5.1 Error: need MAIL command".to_owned(),
                    (_, None) => "501 5.1.3 Bad recipient address syntax".to_owned(),
                    (Some(envelope), Some(to)) if envelope.recipients.len() < RECIPIENTS_MAX => {
                        envelope.recipients.push(to.to_owned());
                        "250 2.1.5 Ok".to_owned()
                    }
                    _ => "452 4.5.3 Error: too many recipients".to_owned(),
                }
            }
            "DATA" => match envelope.take().filter(|told| !told.recipients.is_empty()) {
                None => "503 5.5.1 Error: need RCPT command".to_owned(),
                Some(envelope) => {
                    say("354 End data with <CR><LF>.<CR><LF>");
                    match content(input, limit) {
                        Err(_) => return IO_ERR,
                        Ok(None) => "552 5.3.4 Error: message file too big".to_owned(),
                        Ok(Some(octets)) if leave(&envelope, &octets) => {
                            "250 2.0.0 Ok: spooled".to_owned()
                        }
                        Ok(Some(_)) => {
                            exit = TEMP_FAIL;
                            "451 4.3.0 Error: the message cannot be spooled".to_owned()
                        }
                    }
                }
            },
            "RSET" => {
                envelope = None;
                "250 2.0.0 Ok".to_owned()
            }
            "NOOP" => "250 2.0.0 Ok".to_owned(),
            "QUIT" => {
                say("221 2.0.0 Bye");
                return exit;
            }
            _ => "502 5.5.2 Error: command not recognized".to_owned(),
        };
        say(&reply);
    }
}

/// One line without its end; `None`: there is none. A longer one comes in pieces.
fn line(input: &mut dyn BufRead, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if (&mut *input).take(most).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    while let [text @ .., b'\n' | b'\r'] = line.as_slice() {
        line.truncate(text.len());
    }
    Ok(Some(line))
}

/// `FROM:<path> …`: the path.
fn path<'a>(text: &'a str, keyword: &str) -> Option<&'a str> {
    let (key, rest) = text.split_at_checked(keyword.len())?;
    let rest = rest.trim_start();
    let end = rest.rfind('>')?.saturating_add(1);
    key.eq_ignore_ascii_case(keyword).then(|| rest.get(..end))?
}

/// To the line with only a dot; `None`: it is longer than `limit` octets, and was read all the same.
///
/// # Errors
///
/// The input fails, or ends before the message does: nothing of it counts.
fn content(input: &mut dyn BufRead, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let (mut octets, mut fits) = (Vec::new(), true);
    loop {
        let line = line(input, limit.saturating_add(3))?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let text = match line.as_slice() {
            b"." => return Ok(fits.then_some(octets)),
            [b'.', rest @ ..] => rest,
            whole => whole,
        };
        fits &= (octets.len() as u64).saturating_add(text.len() as u64) <= limit;
        if fits {
            // A CR alone is no line end anywhere else.
            octets.extend(text.iter().map(|o| if *o == b'\r' { b' ' } else { *o }));
            octets.extend_from_slice(b"\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// LM-5.
    #[test]
    fn a_message_waits_for_the_server() {
        let typed = b"EHLO x\r\nRCPT TO:<a@b>\r\nMAIL FROM:<root> BODY=8BITMIME\r\nRCPT TO:<a@home.test>\r\n\
            rcpt to: <carl>\r\nDATA\r\nSubject: x\r\n\r\n..\r\ny\r\n.\r\nDATA\r\nQUIT\r\n";
        let left = std::cell::RefCell::new(Vec::new());
        let leave = |envelope: &Envelope, octets: &[u8]| {
            left.borrow_mut().push((envelope.clone(), octets.to_vec()));
            true
        };
        let mut said = Vec::new();
        let mut say = |reply: &str| said.push(reply.get(..3).unwrap().to_owned());
        let exit = talk(&mut &typed[..], "mx.home.test", 1000, &leave, &mut say);
        assert_eq!(exit, 0);
        let codes = said.join(" ");
        assert_eq!(codes, "220 250 503 250 250 250 354 250 503 221");
        let left = left.borrow();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].0.sender, "<root>");
        assert_eq!(left[0].0.recipients, ["<a@home.test>", "<carl>"]);
        assert_eq!(left[0].1, b"Subject: x\r\n\r\n.\r\ny\r\n");
    }

    #[test]
    fn what_is_not_whole_or_too_long_is_not_left() {
        let leave = |_: &Envelope, _: &[u8]| panic!("left");
        let start = "MAIL FROM:<>\nRCPT TO:<a>\nDATA\n";
        let mut codes = String::new();
        let mut say = |reply: &str| codes.push_str(reply.get(..4).unwrap());
        let cut = format!("{start}x\n");
        let exit = talk(&mut cut.as_bytes(), "x", 1000, &leave, &mut say);
        assert_eq!(exit, IO_ERR);
        let long = format!("{start}{}\n.\n", "x".repeat(1001));
        let exit = talk(&mut long.as_bytes(), "x", 1000, &leave, &mut say);
        assert_eq!(exit, 0);
        assert!(codes.ends_with("354 552 "), "{codes}");
    }
}
