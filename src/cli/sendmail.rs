//! Called as `sendmail`, `mailq` or `newaliases` (LM-5): what cron, PHP and others expect of a mail
//! system. A message goes to the server through its socket, and, when the server is down or does not want
//! it now, into the spool folder: what was read from standard input is not lost.

mod arguments;
mod message;
mod offline;
mod spool;
mod talk;

use std::{
    ffi::OsString,
    fs::File,
    io::{self, BufReader, Read as _, Write as _},
    os::fd::AsFd as _,
    path::Path,
    time::Duration,
};

use self::{
    arguments::{Arguments, Mode},
    message::Message,
    talk::{Failure, Talk},
};
use crate::{
    cli::{Global, Stop, Terminal, load::Found},
    config::{Config, schema},
    service::{
        names,
        spool::{Envelope, user_name},
    },
};

/// The names that the program may be called by.
const NAMES: [&str; 3] = ["sendmail", "mailq", "newaliases"];

/// Exit codes of sysexits.
const USAGE: u8 = 64;
const DATA_ERR: u8 = 65;
const NO_USER: u8 = 67;
const SOFTWARE: u8 = 70;
const IO_ERR: u8 = 74;
const TEMP_FAIL: u8 = 75;
const NO_PERM: u8 = 77;
const CONFIG: u8 = 78;

/// What the words say if the program was called by one of those names, or with it as the first word:
/// the name, and the words after it.
pub fn called(words: &[OsString]) -> Option<(&'static str, &[OsString])> {
    let known = |word: Option<&OsString>| {
        let name = Path::new(word?).file_name()?.to_str()?.to_owned();
        NAMES.into_iter().find(|known| *known == name)
    };
    let (first, rest) = words.split_first()?;
    if let Some(name) = known(Some(first)) {
        return Some((name, rest));
    }
    let (second, rest) = rest.split_first()?;
    let name = NAMES.into_iter().find(|name| second == name)?;
    Some((name, rest))
}

/// Does what the words say; returns the exit code.
pub fn run(terminal: &mut Terminal<'_>, name: &str, words: &[OsString]) -> u8 {
    let mut arguments = match Arguments::read(words) {
        Ok(arguments) => arguments,
        Err(text) => {
            terminal.complain(&format!("{name}: {text}"));
            return USAGE;
        }
    };
    match name {
        "mailq" => arguments.mode = Mode::Queue,
        "newaliases" => arguments.mode = Mode::Nothing,
        _ => {}
    }
    let global = Global {
        config: None,
        data: None,
        quiet: true,
    };
    // The server reads the file of aliases by itself, and after so long it has looked at it.
    if arguments.mode == Mode::Nothing {
        std::thread::sleep(Duration::from_millis(names::LOOK));
        return 0;
    }
    let config =
        match Found::new(terminal, &global, None).and_then(|found| found.config(Vec::new())) {
            Ok(config) => config,
            Err(stop) => {
                if let Stop::Mistakes(lines) = stop {
                    for line in lines {
                        terminal.complain(&format!("{name}: {line}"));
                    }
                }
                return CONFIG;
            }
        };
    match arguments.mode {
        Mode::Queue => {
            let listed = super::queue::mailq(terminal, &global);
            listed.unwrap_or_else(|stop| super::failed(terminal, stop))
        }
        Mode::Smtp => smtp(terminal, &config),
        Mode::Nothing => 0,
        Mode::Deliver => deliver(terminal, name, &config, &arguments),
    }
}

/// `-bs`: SMTP on standard input and output, with the server at the other end.
fn smtp(terminal: &mut Terminal<'_>, config: &Config) -> u8 {
    let Ok(socket) = talk::connect(Path::new(&config.submit())) else {
        return offline(terminal, config);
    };
    let Ok(mut ahead) = socket.try_clone() else {
        return TEMP_FAIL;
    };
    // Ends with the process: nobody waits for more to be typed once the server has closed.
    let _sending = std::thread::spawn(move || {
        let mut octets = vec![0; 16 * 1024];
        let Ok(mut typed) = input() else {
            return;
        };
        while let Ok(length @ 1..) = typed.read(&mut octets) {
            if ahead
                .write_all(octets.get(..length).unwrap_or_default())
                .is_err()
            {
                return;
            }
        }
        let _gone = ahead.shutdown(std::net::Shutdown::Write);
    });
    let mut socket = socket;
    let mut octets = vec![0; 16 * 1024];
    let mut out = io::stdout();
    while let Ok(length @ 1..) = socket.read(&mut octets) {
        let said = octets.get(..length).unwrap_or_default();
        if out.write_all(said).and_then(|()| out.flush()).is_err() {
            return IO_ERR;
        }
    }
    0
}

/// `-bs` while the server is down: what comes waits in the spool folder.
fn offline(terminal: &mut Terminal<'_>, config: &Config) -> u8 {
    let (hostname, limit) = (config.text(&schema::HOSTNAME), limit(config));
    let folder = config.spool();
    let leave = |envelope: &Envelope, octets: &[u8]| {
        spool::leave(Path::new(&folder), envelope, octets).is_ok()
    };
    let Ok(typed) = input() else {
        return IO_ERR;
    };
    let mut typed = BufReader::new(typed);
    offline::talk(&mut typed, hostname, limit, &leave, &mut |reply| {
        terminal.line(&format!("{reply}\r"));
    })
}

/// In octets.
fn limit(config: &Config) -> u64 {
    match config.number(&schema::LIMIT_MESSAGE_SIZE) {
        0 => u64::MAX,
        octets => octets,
    }
}

fn deliver(terminal: &mut Terminal<'_>, name: &str, config: &Config, arguments: &Arguments) -> u8 {
    let mut complain = |exit: u8, text: &str| {
        terminal.complain(&format!("{name}: {text}"));
        exit
    };
    let limit = limit(config);
    let read =
        input().and_then(|input| Message::read(&mut BufReader::new(input), arguments, limit));
    let message = match read {
        Ok(Some(message)) => message,
        Ok(None) => return complain(DATA_ERR, "the message is larger than limit.message_size"),
        Err(error) => return complain(IO_ERR, &error.to_string()),
    };
    let mut recipients = arguments.recipients.clone();
    recipients.extend(message.recipients.iter().cloned());
    recipients.dedup();
    if recipients.is_empty() {
        return complain(USAGE, "nobody is named who should get it");
    }
    let uid = rustix::process::getuid().as_raw();
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let own = user_name(&passwd, uid).unwrap_or_else(|| format!("uid-{uid}"));
    let sender = arguments.sender.as_deref().unwrap_or(&own);
    let envelope = Envelope {
        sender: in_brackets(sender),
        recipients: recipients.iter().map(|to| in_brackets(to)).collect(),
        notify: arguments.notify,
        ret: arguments.ret,
        envid: arguments.envid.clone(),
    };
    let sent = Talk::open(Path::new(&config.submit()))
        .and_then(|mut talk| talk.send(&envelope, &message.octets));
    let failure = match sent {
        Ok(refused) if refused.is_empty() => return 0,
        // The others have it: another code would have programs send it again. The server tells the
        // writer, from the folder.
        Ok(refused) => {
            let (recipients, replies): (Vec<_>, Vec<_>) = refused.into_iter().unzip();
            let envelope = Envelope {
                recipients,
                ..envelope
            };
            if spool::leave(Path::new(&config.spool()), &envelope, &message.octets).is_err() {
                for reply in replies {
                    complain(0, &reply);
                }
            }
            return 0;
        }
        Err(Failure::Refused(reply)) => return complain(exit_of(&reply), &reply),
        Err(failure @ (Failure::Later(_) | Failure::Lost(_))) => failure,
    };
    // Not now: it waits in the folder. Where the answer to a whole message was lost it may come twice,
    // which is better than not at all.
    match spool::leave(Path::new(&config.spool()), &envelope, &message.octets) {
        Ok(()) => 0,
        Err(error) => {
            let text = format!("{failure}; {}: {error}", config.spool());
            complain(TEMP_FAIL, &text)
        }
    }
}

/// Standard input, past the lock that the terminal holds on it.
fn input() -> io::Result<File> {
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
}

/// `-f '<>'` and `-f ''` are the null sender.
fn in_brackets(address: &str) -> String {
    if address.starts_with('<') {
        address.to_owned()
    } else {
        format!("<{address}>")
    }
}

/// From a reply to sysexits.
fn exit_of(reply: &str) -> u8 {
    let status = reply.split(' ').nth(1).unwrap_or_default();
    match status.split('.').nth(1) {
        _ if reply.starts_with('4') => TEMP_FAIL,
        Some("1") => NO_USER,
        Some("7") => NO_PERM,
        Some("5") => SOFTWARE,
        _ => DATA_ERR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// LM-5.
    #[test]
    fn names_that_it_is_called_by() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        for (line, want) in [
            ("/usr/sbin/sendmail -t", Some(("sendmail", 1))),
            ("mailq", Some(("mailq", 0))),
            ("/usr/bin/pillarbox newaliases", Some(("newaliases", 0))),
            ("pillarbox sendmail -i root", Some(("sendmail", 2))),
            ("pillarbox queue list", None),
            ("pillarbox", None),
        ] {
            let words = words(line);
            let got = called(&words).map(|(name, rest)| (name, rest.len()));
            assert_eq!(got, want, "{line}");
        }
    }

    #[test]
    fn exit_codes() {
        for (reply, exit) in [
            ("550 5.1.1 <x>: no", NO_USER),
            ("554 5.7.1 <x>: no", NO_PERM),
            ("501 5.5.4 no", SOFTWARE),
            ("552 5.3.4 no", DATA_ERR),
            ("451 4.7.1 later", TEMP_FAIL),
        ] {
            assert_eq!(exit_of(reply), exit, "{reply}");
        }
    }
}
