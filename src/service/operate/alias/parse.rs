//! Sources and targets as an admin writes them: as routing reads them, and names alone get the origin.

use crate::{
    mail::address::Address,
    routing::{
        AliasProblem, Directory, Options,
        alias::{Source, Target, parse_source, parse_target},
        class::class,
    },
    service::operate::{Kind, Problem, name::shown},
};

/// Splits at commas and white space, but not inside quotes.
pub(super) fn words(text: &str) -> Vec<&str> {
    let (mut words, mut from, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices().chain([(text.len(), ',')]) {
        let ends = at == text.len() || (!quoted && (c == ',' || c.is_whitespace()));
        match c {
            _ if ends => {
                let word = text.get(from..at).unwrap_or_default();
                from = at.saturating_add(c.len_utf8());
                if !word.is_empty() {
                    words.push(word);
                }
            }
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
    }
    words
}

pub(super) fn source(options: &Options, text: &str) -> Result<Source, AliasProblem> {
    match parse_source(text) {
        Err(AliasProblem::NoDomain { text }) => parse_source(&whole(options, text)?),
        parsed => parsed,
    }
    .map_err(harmless)
}

pub(super) fn target(options: &Options, text: &str) -> Result<Target, AliasProblem> {
    match parse_target(text) {
        Err(AliasProblem::NoDomain { text }) => parse_target(&whole(options, text)?),
        parsed => parsed,
    }
    .map_err(harmless)
}

pub(super) fn targets(options: &Options, words: &[&str]) -> Result<Vec<Target>, AliasProblem> {
    let targets = words.iter().map(|word| target(options, word));
    let targets: Vec<_> = targets.collect::<Result<_, _>>()?;
    if targets.is_empty() {
        return Err(AliasProblem::NoTargets);
    }
    Ok(targets)
}

/// A name alone with the origin behind it (AC-8).
fn whole(options: &Options, text: String) -> Result<String, AliasProblem> {
    match &options.origin {
        Some(origin) => Ok(format!("{text}@{origin}")),
        None => Err(AliasProblem::NoDomain { text }),
    }
}

/// What is shown of a text that was not understood harms no terminal.
fn harmless(problem: AliasProblem) -> AliasProblem {
    let bare = |text: String| shown(&text).trim_matches('"').to_owned();
    match problem {
        AliasProblem::Command { target } => AliasProblem::Command {
            target: bare(target),
        },
        AliasProblem::File { target } => AliasProblem::File {
            target: bare(target),
        },
        AliasProblem::Include { target } => AliasProblem::Include {
            target: bare(target),
        },
        AliasProblem::NoAddress { text } => AliasProblem::NoAddress { text: bare(text) },
        AliasProblem::NoDomain { text } => AliasProblem::NoDomain { text: bare(text) },
        other => other,
    }
}

/// Only a whole domain can lead to a whole domain (FW-6).
pub(super) fn fits(source: &Source, targets: &[Target]) -> Result<(), Problem> {
    let domain = targets
        .iter()
        .find(|target| matches!(target, Target::Domain(_)));
    match (source, domain) {
        (Source::Address(_), Some(domain)) => {
            let text = format!(
                "{domain}: one address cannot lead to a whole domain; write name{domain}, or \
                 @{} as the source",
                source.domain()
            );
            Err(Problem::new(Kind::BadData, text))
        }
        _ => Ok(()),
    }
}

/// What targets are compared by.
pub(super) fn key(target: &Target) -> String {
    match target {
        Target::Address(address) => address.key(),
        Target::Domain(domain) => format!("@{domain}"),
    }
}

/// The same of a stored text.
pub(super) fn key_of(text: &str) -> String {
    Address::parse(text).map_or_else(|| text.to_owned(), |address| address.key())
}

/// Stored texts as targets.
pub(super) fn stored(texts: &[String]) -> Vec<Target> {
    texts.iter().flat_map(|text| parse_target(text)).collect()
}

/// Those that are not in a domain of ours.
pub(super) fn outside(
    rows: &dyn Directory,
    options: &Options,
    targets: &[Target],
) -> Result<Vec<String>, AliasProblem> {
    let mut out = Vec::new();
    for target in targets {
        let domain = match target {
            Target::Address(address) => &address.domain,
            Target::Domain(domain) => domain,
        };
        match class(rows, options, domain) {
            Ok(None) => out.push(target.to_string()),
            Ok(Some(_)) => {}
            Err(_) => return Err(AliasProblem::LookupFailed),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_quotes() {
        for (text, want) in [
            ("a@b.test,c@d.test", &["a@b.test", "c@d.test"][..]),
            (" a@b.test , c@d.test\t,, ", &["a@b.test", "c@d.test"]),
            ("a@b.test c@d.test", &["a@b.test", "c@d.test"]),
            (r#""a, b"@d.test,x"#, &[r#""a, b"@d.test"#, "x"]),
            (r#""a\", b"@d.test x"#, &[r#""a\", b"@d.test"#, "x"]),
            (r#""a, b"#, &[r#""a, b"#]),
            (", ,", &[]),
            ("", &[]),
        ] {
            assert_eq!(words(text), want, "{text}");
        }
    }
}
