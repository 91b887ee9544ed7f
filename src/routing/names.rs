//! A file of aliases for names of this machine, as `/etc/aliases` is one (LM-2): `name: target, target`,
//! with comments, quotes and lines that go on. Programs, files and `:include:` are never targets (LM-4).

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
};

use crate::{
    mail::{address::Address, domain::Domain},
    routing::alias::{self, AliasProblem},
};

/// Names in a file, targets of one, and mistakes that are told.
const NAMES_MAX: usize = 10_000;
const TARGETS_MAX: usize = 1000;
const MISTAKES_MAX: usize = 50;

/// What a file says. Names are in lower case, targets as they are written.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Names(BTreeMap<String, Vec<String>>);

/// A line that does not count, or one target of it. Lines count from 1.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mistake {
    pub line: usize,
    pub text: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.text)
    }
}

impl Names {
    /// Reads a file. What is wrong in it is passed over and told; the rest counts.
    #[must_use]
    pub fn parse(text: &str) -> (Self, Vec<Mistake>) {
        let (mut names, mut mistakes) = (Self::default(), Vec::new());
        for (line, text) in whole_lines(text) {
            let mut say = |text: String| {
                if mistakes.len() < MISTAKES_MAX {
                    mistakes.push(Mistake { line, text });
                }
            };
            let words = split(&text, ':', true);
            let [name, targets] = words.as_slice() else {
                say("this is no `name: target`".to_owned());
                continue;
            };
            let name = unquoted(name).to_lowercase();
            if name.is_empty() || name.contains(char::is_whitespace) {
                say("this is no `name: target`".to_owned());
                continue;
            }
            let mut found = Vec::new();
            for target in split(targets, ',', false) {
                match checked(&unquoted(&target)) {
                    Ok(None) => {}
                    Ok(Some(target)) => found.push(target),
                    Err(problem) => say(problem.to_string()),
                }
            }
            let full = found.len() > TARGETS_MAX || names.0.len() >= NAMES_MAX;
            match names.0.entry(name) {
                _ if full => say("this is too much".to_owned()),
                Entry::Occupied(there) => {
                    let name = there.key();
                    say(format!("{name} is there already: the first one counts"));
                }
                Entry::Vacant(free) if !found.is_empty() => {
                    free.insert(found);
                }
                Entry::Vacant(_) => {}
            }
        }
        (names, mistakes)
    }

    /// The targets of a name in a local domain, each a whole address.
    #[must_use]
    pub fn targets(&self, name: &str, domain: &Domain) -> Option<Vec<String>> {
        let targets = self.0.get(name)?.iter();
        let whole = |target: &String| match Address::parse(target) {
            Some(address) => address.to_string(),
            None => Address::new(target.clone(), domain.clone())
                .map_or_else(|| target.clone(), |address| address.to_string()),
        };
        Some(targets.map(whole).collect())
    }
}

/// Lines without comments, those that begin with white space behind the one before, each with its number.
fn whole_lines(text: &str) -> Vec<(usize, String)> {
    let mut whole: Vec<(usize, String)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let begins = !line.starts_with([' ', '\t']);
        let line = uncommented(line);
        if line.trim().is_empty() {
            continue;
        }
        match whole.last_mut() {
            Some((_, last)) if !begins => {
                last.push(' ');
                last.push_str(line.trim());
            }
            _ => whole.push((number, line.trim().to_owned())),
        }
    }
    whole
}

/// Without what follows a `#` outside quotes.
fn uncommented(line: &str) -> &str {
    let mut quoted = false;
    for (at, c) in line.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '#' if !quoted => return line.get(..at).unwrap_or(line),
            _ => {}
        }
    }
    line
}

/// Cut at a sign outside quotes: at the first one, or at all.
fn split(text: &str, sign: char, once: bool) -> Vec<String> {
    let (mut parts, mut part, mut quoted) = (Vec::new(), String::new(), false);
    for c in text.chars() {
        if c == '"' {
            quoted = !quoted;
        }
        if c == sign && !quoted && (parts.is_empty() || !once) {
            parts.push(std::mem::take(&mut part));
        } else {
            part.push(c);
        }
    }
    parts.push(part);
    parts
}

/// Without quotes around the whole, and without the `\` of an address that is not to be looked up.
fn unquoted(text: &str) -> String {
    let text = text.trim();
    let inner = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let text = inner.unwrap_or(text);
    text.strip_prefix('\\').unwrap_or(text).to_owned()
}

/// A target that may be one; `None` for an empty one.
fn checked(target: &str) -> Result<Option<String>, AliasProblem> {
    if target.is_empty() {
        return Ok(None);
    }
    match alias::parse_target(target) {
        Ok(_) => Ok(Some(target.to_owned())),
        Err(AliasProblem::NoDomain { .. }) if !target.contains(char::is_whitespace) => {
            Ok(Some(target.to_owned()))
        }
        Err(problem) => Err(problem),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> (Vec<(String, Vec<String>)>, Vec<String>) {
        let (names, mistakes) = Names::parse(text);
        let mistakes = mistakes.iter().map(ToString::to_string);
        (names.0.into_iter().collect(), mistakes.collect())
    }

    /// LM-2, LM-4.
    #[test]
    fn lm_2_a_file_as_debian_writes_it() {
        let (names, mistakes) = read(
            "# See man 5 aliases for format\n\
             mailer-daemon: postmaster\n\
             Postmaster:    root # the boss\n\
             \n\
             root: anna,\n\
             \t\"ben\", \\carl@away.test\n\
             \"odd:name\": anna\n\
             decode: |/usr/bin/uudecode\n\
             backup: \"|tar -x\", /var/mail/backup, :include:/etc/list, dora\n\
             nonsense\n\
             root: eve\n\
             a b: c\n\
             empty:\n",
        );
        let want = [
            ("backup", &["dora"][..]),
            ("mailer-daemon", &["postmaster"]),
            ("odd:name", &["anna"]),
            ("postmaster", &["root"]),
            ("root", &["anna", "ben", "carl@away.test"]),
        ];
        let want: Vec<_> = want
            .iter()
            .map(|(name, targets)| {
                let targets = targets.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
                ((*name).to_owned(), targets)
            })
            .collect();
        assert_eq!(names, want);
        for (line, part) in [
            (8, "never given to a program"),
            (9, "never given to a program"),
            (9, "never written to a file"),
            (9, ":include: is not supported"),
            (10, "no `name: target`"),
            (11, "there already"),
            (12, "no `name: target`"),
        ] {
            let told =
                |text: &&String| text.starts_with(&format!("line {line}: ")) && text.contains(part);
            assert!(
                mistakes.iter().find(told).is_some(),
                "{line} {part}: {mistakes:?}"
            );
        }
        assert_eq!(mistakes.len(), 7, "{mistakes:?}");
    }

    #[test]
    fn targets_are_whole_addresses() {
        let (names, _) = Names::parse("root: anna, b@away.test");
        let domain = Domain::parse("localhost").unwrap();
        assert_eq!(
            names.targets("root", &domain),
            Some(vec!["anna@localhost".to_owned(), "b@away.test".to_owned()])
        );
        assert_eq!(names.targets("toor", &domain), None);
    }

    proptest! {
        #[test]
        fn anything_can_be_read(text in "[a:,\"|#\\\\ \t\n@.]{0,80}") {
            let (names, _) = Names::parse(&text);
            for targets in names.0.values() {
                prop_assert!(targets.iter().all(|t| !t.starts_with(['|', '/', ':'])));
            }
        }
    }
}
