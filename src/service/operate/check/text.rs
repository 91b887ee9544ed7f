//! DKIM and DMARC: TXT records, and how copying them goes wrong.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{Ask, Facts, Key, known};
use crate::service::operate::finding::{Finding, State};

pub(super) fn base64(octets: &[u8]) -> String {
    STANDARD.encode(octets)
}

/// As text, without what is not.
pub(super) fn texts(records: Vec<Vec<u8>>) -> Vec<String> {
    let text = |octets: Vec<u8>| String::from_utf8_lossy(&octets).into_owned();
    records.into_iter().map(text).collect()
}

/// Whether quotes were pasted into the text itself.
pub(super) fn quoted(text: &str, start: &str) -> bool {
    let bare = text.trim_start_matches(['"', '\\', ' ']);
    bare.len() < text.len() && starts(bare, start)
}

pub(super) fn starts(text: &str, start: &str) -> bool {
    let head = text.get(..start.len());
    head.is_some_and(|head| head.eq_ignore_ascii_case(start))
}

/// The value of a tag in `a=b; c=d` (RFC 6376 section 3.2), without white space.
fn tag(text: &str, name: &str) -> Option<String> {
    text.split(';').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        let value = || value.chars().filter(|c| !c.is_whitespace()).collect();
        (key.trim() == name).then(value)
    })
}

/// A record is at the name, or at the name with the domain behind it once more.
async fn doubled(ask: &dyn Ask, name: &str, domain: &str, start: &str) -> Option<String> {
    let name = format!("{name}.{domain}");
    let found = ask.txt(&name).await.ok()?;
    let texts = texts(found.records);
    texts.iter().any(|text| starts(text, start)).then_some(name)
}

pub(super) async fn dkim(ask: &dyn Ask, facts: &Facts, key: &Key) -> Finding {
    let name = format!("{}._domainkey.{}", key.selector, facts.domain);
    let what = format!("Signature key (DKIM, {}) at {name}", key.kind);
    let finding = |found: String, next: &str| {
        let breaks =
            "others cannot tell that mail from the domain is real, and may put it into spam";
        Finding::new(State::Failing, what.as_str(), found, breaks, next)
    };
    let again = format!("copy it anew: pillarbox domain dns {}", facts.domain);
    let texts = match known(&what, ask.txt(&name).await) {
        Ok(records) => texts(records),
        Err(unknown) => return *unknown,
    };
    let [text] = texts.as_slice() else {
        if texts.len() > 1 {
            let found = format!("there are {} records; one is allowed", texts.len());
            let next = format!(
                "remove all but the one that \"pillarbox domain dns {}\" shows",
                facts.domain
            );
            return finding(found, &next);
        }
        if let Some(twice) = doubled(ask, &name, &facts.domain, "v=DKIM1").await {
            let found = format!(
                "there is none, but there is one at {twice}: the domain stands there twice"
            );
            let next = format!("in the name field write only {}._domainkey", key.selector);
            return finding(found, &next);
        }
        if let Some(selector) = elsewhere(ask, facts, key).await {
            let found = format!("there is none, but the key is at {selector}: a wrong selector");
            let next = format!("rename that record to {}._domainkey", key.selector);
            return finding(found, &next);
        }
        return finding("there is none".to_owned(), &again);
    };
    if text.contains(['"', '\\']) {
        let found = "quotes or backslashes stand in the text itself".to_owned();
        let next =
            "paste the value without any quotes; if the panel wants pieces, one in each field";
        return finding(found, next);
    }
    match tag(text, "p") {
        None => finding("it holds no key (p=)".to_owned(), &again),
        Some(public) if public == key.public => Finding::ok(what, "the key is ours"),
        Some(public) if public.is_empty() => finding(
            "it says that the key is revoked (p= is empty)".to_owned(),
            &again,
        ),
        Some(public) if facts.keys.iter().any(|other| other.public == public) => {
            let found = "it holds the key of the other selector: a wrong selector".to_owned();
            finding(found, &again)
        }
        Some(public) if is_part(&public, &key.public) => {
            let found = format!(
                "a part of the key is missing: {} of {} letters are there",
                public.len(),
                key.public.len()
            );
            let next = format!(
                "panels cut at 255 letters: give it in the quoted pieces of \"pillarbox domain dns {}\"",
                facts.domain
            );
            finding(found, &next)
        }
        Some(_) => finding(
            "it holds another key, perhaps an old one".to_owned(),
            &again,
        ),
    }
}

/// Whether a key is another with something cut out.
fn is_part(part: &str, whole: &str) -> bool {
    let front = part.bytes().zip(whole.bytes()).take_while(|(a, b)| a == b);
    let front = front.count();
    let rest = part.get(front..);
    part.len() < whole.len() && rest.is_some_and(|rest| whole.ends_with(rest))
}

/// Where a key was put under a name that people often take.
async fn elsewhere(ask: &dyn Ask, facts: &Facts, key: &Key) -> Option<String> {
    let common = ["default", "dkim", "mail"].map(|selector| format!("{selector}._domainkey"));
    for front in common.into_iter().chain([key.selector.clone()]) {
        let name = format!("{front}.{}", facts.domain);
        if let Ok(found) = ask.txt(&name).await
            && texts(found.records)
                .iter()
                .any(|text| tag(text, "p").as_ref() == Some(&key.public))
        {
            return Some(name);
        }
    }
    None
}

pub(super) async fn dmarc(ask: &dyn Ask, facts: &Facts) -> Finding {
    const START: &str = "v=DMARC1";
    let domain = &facts.domain;
    let name = format!("_dmarc.{domain}");
    let what = format!("Policy for forged mail (DMARC) at {name}");
    let finding = |state: State, found: String, next: String| {
        let breaks = "big providers treat mail from the domain with suspicion";
        Finding::new(state, what.as_str(), found, breaks, next)
    };
    let texts = match known(&what, ask.txt(&name).await) {
        Ok(records) => texts(records),
        Err(unknown) => return *unknown,
    };
    let add = "set: TXT, name _dmarc, value v=DMARC1; p=none".to_owned();
    let ours: Vec<_> = texts.iter().filter(|text| starts(text, START)).collect();
    match ours.as_slice() {
        [] if texts.iter().any(|text| quoted(text, START)) => finding(
            State::Failing,
            "quotes stand in the text itself".to_owned(),
            "paste the value without quotes".to_owned(),
        ),
        [] => {
            let twice = doubled(ask, &name, domain, START).await;
            let at_top = ask.txt(domain).await.is_ok_and(|found| {
                self::texts(found.records)
                    .iter()
                    .any(|text| starts(text, START))
            });
            match twice {
                Some(twice) => finding(
                    State::Failing,
                    format!(
                        "there is none, but there is one at {twice}: the domain stands there twice"
                    ),
                    "in the name field write only _dmarc".to_owned(),
                ),
                None if at_top => finding(
                    State::Failing,
                    format!("it is at {domain} itself, where nobody looks for it"),
                    "give that record the name _dmarc".to_owned(),
                ),
                None => finding(State::Warning, "there is none".to_owned(), add),
            }
        }
        [text] => match tag(text, "p").as_deref() {
            Some(policy @ ("none" | "quarantine" | "reject")) => {
                Finding::ok(what, format!("p={policy}"))
            }
            _ => finding(
                State::Failing,
                "its policy (p=) is none of none, quarantine and reject".to_owned(),
                add,
            ),
        },
        many => finding(
            State::Failing,
            format!("there are {} records, so none counts", many.len()),
            "keep one and remove the others".to_owned(),
        ),
    }
}
