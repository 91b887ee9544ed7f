//! Plays a transcript. Its words:
//!
//! | word | what |
//! |---|---|
//! | `#` | a comment |
//! | `mailbox a@d` | there is this mailbox, and its domain is hosted here |
//! | `option KEY VALUE` | a listener's limit or wait |
//! | `starttls`, `starttls required` | STARTTLS is offered |
//! | `auth`, `auth in_clear required old_outlook` | AUTH is offered, with some of these; the one account there is is `user`, `pencil` (RFC 7677 section 3), and `later` cannot be told |
//! | `auth anybody` | AUTH is offered, and any answer is right |
//! | `bare lf` | a bare LF in a text is taken for CRLF |
//! | `tls`, `tls unbound` | a handshake, with a channel binding of 32 times 7 or without; before all else: implicit TLS |
//! | `C: text` | the client sends this line, cut into pieces |
//! | `together` … `end` | the `C:` and `raw` lines between leave as one piece, whatever the cut |
//! | `raw text` | octets without a line end; `\r \n \t \0 \\ \xNN` stand for octets |
//! | `fill N text` | the text N times over, then CRLF |
//! | `S: start` | the next reply begins so |
//! | `whole a|b` | that reply is this, lines cut by `|` |
//! | `with text`, `without text` | a line of that reply begins so, or none does |
//! | `authenticated MECHANISM NAME` | the session told its service so |
//! | `kept text` | the last MAIL or RCPT had these parameters, as `{:?}` shows them in part |
//! | `content text` | the next message that was settled is this, with `raw`'s escapes |
//! | `messages N` | so many messages were settled and not yet looked at |
//! | `wait N` | seconds pass |
//! | `half-close` | the client has no more to say |
//! | `closed` | the session has ended the connection |

use super::super::{Auth, AuthOptions, Options, Tls};
use super::service::Driver;
use crate::base::machine::Secured;

/// Plays one script. `cut` is the size of the pieces in which the session gets its input.
pub fn play(name: &str, script: &str, cut: usize) {
    let mut player = Player {
        cut,
        options: Options::new("mx.home.test"),
        mailboxes: vec![],
        implicit: None,
        driver: None,
        together: None,
        reply: String::new(),
    };
    for (number, line) in (1..).zip(script.lines()) {
        let context = format!("{name}:{number}, cut {cut}: {line}");
        player.line(line, &context);
    }
    let driver = player.driver();
    assert!(driver.replies.is_empty(), "{name}: {:?}", driver.replies);
}

struct Player<'a> {
    cut: usize,
    options: Options,
    mailboxes: Vec<&'a str>,
    /// The handshake before the greeting.
    implicit: Option<Secured>,
    driver: Option<Driver>,
    together: Option<Vec<u8>>,
    reply: String,
}

impl<'a> Player<'a> {
    fn line(&mut self, line: &'a str, context: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "#" | "" => {}
            "auth" if rest == "anybody" => self.options.auth = Auth::Anybody,
            "bare" => self.options.bare_lf = true,
            "auth" => {
                let on = |word| rest.split(' ').any(|given| given == word);
                self.options.auth = Auth::Offered(AuthOptions {
                    in_clear: on("in_clear"),
                    old_outlook: on("old_outlook"),
                    required: on("required"),
                });
            }
            "authenticated" => {
                assert_eq!(
                    self.driver().authenticated.as_deref(),
                    Some(rest),
                    "{context}"
                );
            }
            "C:" => self.send(format!("{rest}\r\n").as_bytes()),
            "S:" => {
                self.reply = self.driver().replies.pop_front().unwrap_or_default();
                assert!(
                    self.reply.starts_with(rest),
                    "{context}\ngot {}",
                    self.reply
                );
            }
            "closed" => assert!(self.driver().closed, "{context}"),
            "content" => {
                let message = self.driver().settled.pop_front();
                assert_eq!(message, Some(octets(rest)), "{context}");
            }
            "end" => {
                let text = self.together.take().expect(context);
                self.driver().feed(&text);
            }
            "fill" => {
                let (times, text) = rest.split_once(' ').expect(context);
                let text = octets(text).repeat(times.parse().expect(context));
                self.send(&[&text[..], b"\r\n"].concat());
            }
            "half-close" => self.driver().half_close(),
            "kept" => {
                let kept = self.driver().parameters.clone();
                assert!(kept.contains(rest), "{context}\ngot {kept}");
            }
            "mailbox" => self.mailboxes.push(rest),
            "messages" => {
                assert_eq!(
                    self.driver().settled.len().to_string(),
                    rest,
                    "messages: {context}"
                );
            }
            "option" => self.option(rest, context),
            "raw" => self.send(&octets(rest)),
            "starttls" if rest == "required" => self.options.tls = Tls::Required,
            "starttls" => self.options.tls = Tls::Offered,
            "tls" => {
                let secured = Secured {
                    exporter: (rest != "unbound").then_some([7; 32]),
                    ..Secured::default()
                };
                match &mut self.driver {
                    Some(driver) => driver.secure(secured),
                    None => self.implicit = Some(secured),
                }
            }
            "together" => self.together = Some(vec![]),
            "wait" => self.driver().wait(rest.parse().expect(context)),
            "whole" => assert_eq!(self.reply, rest.replace('|', "\n"), "{context}"),
            "with" => assert!(self.has(rest), "{context}\ngot {}", self.reply),
            "without" => assert!(!self.has(rest), "{context}\ngot {}", self.reply),
            _ => panic!("no such word: {context}"),
        }
    }

    fn has(&self, start: &str) -> bool {
        self.reply.lines().any(|line| line.starts_with(start))
    }

    fn send(&mut self, text: &[u8]) {
        if let Some(together) = &mut self.together {
            together.extend(text);
            return;
        }
        let cut = self.cut;
        for piece in text.chunks(cut) {
            self.driver().feed(piece);
        }
    }

    fn option(&mut self, rest: &str, context: &str) {
        assert!(self.driver.is_none(), "too late: {context}");
        let (key, value) = rest.split_once(' ').expect(context);
        let number: u64 = value.parse().expect(context);
        let options = &mut self.options;
        match key {
            "command_wait_s" => options.command_wait_s = number,
            "data_wait_s" => options.data_wait_s = number,
            "mails_max" => options.mails_max = u32::try_from(number).expect(context),
            "recipients_max" => options.recipients_max = u32::try_from(number).expect(context),
            "size_limit" => options.size_limit = number,
            _ => panic!("no such option: {context}"),
        }
    }

    fn driver(&mut self) -> &mut Driver {
        self.driver.get_or_insert_with(|| {
            let (options, secured) = (self.options.clone(), self.implicit.take());
            Driver::secured(options, &self.mailboxes, secured)
        })
    }
}

pub(in crate::proto::smtp) fn octets(text: &str) -> Vec<u8> {
    let mut out = vec![];
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        out.push(match (octet, octet == b'\\') {
            (octet, false) => octet,
            _ => match rest.next().expect("an escape") {
                b'r' => b'\r',
                b'n' => b'\n',
                b't' => b'\t',
                b'0' => 0,
                b'x' => {
                    let hex: String = rest.by_ref().take(2).map(char::from).collect();
                    u8::from_str_radix(&hex, 16).expect("two hex digits")
                }
                other => other,
            },
        });
    }
    out
}
