//! The words behind `sendmail`, as Sendmail and Postfix read them.

use std::ffi::OsString;

use crate::proto::smtp::parameter::{Notify, Ret, is_envid, xtext};

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Mode {
    #[default]
    Deliver,
    /// What belongs to a mail system and needs nothing here: `-bi`, `-q`.
    Nothing,
    /// `-bp`.
    Queue,
    /// `-bs`.
    Smtp,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Arguments {
    pub mode: Mode,
    /// `-i`, `-oi`: a line with only a dot ends nothing.
    pub dots: bool,
    /// `-t`: the message's header says who gets it.
    pub from_header: bool,
    /// `-f`, `-r`.
    pub sender: Option<String>,
    /// `-F`.
    pub full_name: Option<String>,
    /// `-N`, `-R`, `-V`; the last in xtext (RFC 3461 section 4).
    pub notify: Option<Notify>,
    pub ret: Option<Ret>,
    pub envid: Option<String>,
    pub recipients: Vec<String>,
}

/// Letters that take a value, in the same word or the next.
const VALUED: &str = "ABCDFLNORVXfhopr";

impl Arguments {
    /// # Errors
    ///
    /// What is wrong with them.
    pub fn read(words: &[OsString]) -> Result<Self, String> {
        let mut arguments = Self::default();
        let mut words = words.iter().map(|word| word.to_string_lossy().into_owned());
        let mut plain = false;
        while let Some(word) = words.next() {
            match word.strip_prefix('-') {
                Some("-") if !plain => plain = true,
                Some(letters) if !plain && !letters.is_empty() => {
                    arguments.letters(letters, &mut words)?;
                }
                _ => arguments.recipients.extend(each(&word)),
            }
        }
        Ok(arguments)
    }

    fn letters(
        &mut self,
        letters: &str,
        words: &mut dyn Iterator<Item = String>,
    ) -> Result<(), String> {
        let mut rest = letters;
        while let Some(letter) = rest.chars().next() {
            rest = rest.get(letter.len_utf8()..).unwrap_or_default();
            match letter {
                'b' => return self.mode(rest),
                'q' => {
                    self.mode = Mode::Nothing;
                    return Ok(());
                }
                _ if VALUED.contains(letter) => {
                    let value = match rest {
                        "" => words.next(),
                        rest => Some(rest.to_owned()),
                    };
                    let value = value.ok_or_else(|| format!("-{letter} needs a value"))?;
                    return self.valued(letter, value);
                }
                'I' => self.mode = Mode::Nothing,
                'i' => self.dots = true,
                't' => self.from_header = true,
                'E' | 'G' | 'U' | 'm' | 'n' | 's' | 'v' => {}
                letter => return Err(format!("-{letter} is not known")),
            }
        }
        Ok(())
    }

    fn mode(&mut self, letter: &str) -> Result<(), String> {
        self.mode = match letter {
            "m" => Mode::Deliver,
            "p" => Mode::Queue,
            "s" => Mode::Smtp,
            "i" | "I" | "h" | "H" => Mode::Nothing,
            other => return Err(format!("-b{other} is not known")),
        };
        Ok(())
    }

    fn valued(&mut self, letter: char, value: String) -> Result<(), String> {
        match letter {
            'F' => self.full_name = Some(value),
            'f' | 'r' => self.sender = Some(value),
            'V' => {
                let envid = xtext(&value);
                if !is_envid(&envid) {
                    return Err("-V: it is too long".to_owned());
                }
                self.envid = Some(envid);
            }
            'o' if value == "i" => self.dots = true,
            'N' => {
                let words: Vec<_> = value.split(',').map(str::to_ascii_lowercase).collect();
                let known = ["never", "success", "failure", "delay"];
                if words.iter().any(|word| !known.contains(&word.as_str())) {
                    return Err(format!("-N cannot be {value:?}"));
                }
                let has = |word: &str| words.iter().any(|given| given == word);
                self.notify = Some(Notify {
                    success: has("success"),
                    failure: has("failure"),
                    delay: has("delay"),
                });
            }
            'R' => {
                self.ret = match value.to_ascii_lowercase().as_str() {
                    "full" => Some(Ret::Full),
                    "hdrs" => Some(Ret::Headers),
                    _ => return Err(format!("-R cannot be {value:?}")),
                };
            }
            // What other mail systems could be told.
            _ => {}
        }
        Ok(())
    }
}

/// A word may name several, with commas.
fn each(word: &str) -> Vec<String> {
    if word.contains('"') {
        return vec![word.to_owned()];
    }
    let parts = word
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Arguments, String> {
        let words: Vec<_> = line.split_whitespace().map(OsString::from).collect();
        Arguments::read(&words)
    }

    /// LM-5: as cron, PHP, mailx and others call it.
    #[test]
    fn as_programs_call_it() {
        let cron = read("-FCronDaemon -i -B8BITMIME -oem root").unwrap();
        assert_eq!(cron.full_name.as_deref(), Some("CronDaemon"));
        assert!(cron.dots && !cron.from_header);
        assert_eq!(cron.recipients, ["root"]);
        let php = read("-t -i -f www@home.test").unwrap();
        assert!(php.from_header && php.dots && php.recipients.is_empty());
        assert_eq!(php.sender.as_deref(), Some("www@home.test"));
        let mailx = read("-oi -om -r anna a@b.test,c@d.test e@f.test").unwrap();
        assert_eq!(mailx.recipients, ["a@b.test", "c@d.test", "e@f.test"]);
        assert_eq!((mailx.sender.as_deref(), mailx.dots), (Some("anna"), true));
        let dsn = read("-N failure,delay -R hdrs -V id -bm -ti -- -x").unwrap();
        let notify = dsn.notify.unwrap();
        assert!(notify.failure && notify.delay && !notify.success && dsn.from_header);
        assert_eq!(
            (dsn.ret, dsn.recipients),
            (Some(Ret::Headers), vec!["-x".to_owned()])
        );
        assert_eq!(
            read("-Vjob=7+1 x").unwrap().envid.as_deref(),
            Some("job+3D7+2B1")
        );
        assert!(read(&["-V", &"x".repeat(101)].concat()).is_err());
        for (line, mode) in [
            ("-bs", Mode::Smtp),
            ("-bp", Mode::Queue),
            ("-bi", Mode::Nothing),
            ("-q", Mode::Nothing),
            ("-q30m", Mode::Nothing),
            ("-bm x", Mode::Deliver),
        ] {
            assert_eq!(read(line).unwrap().mode, mode, "{line}");
        }
        for wrong in ["-Z", "-f", "-N sometimes x", "-R some x", "-bd"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
