//! Directories at random: routing always ends, nobody is reached twice, and what goes anywhere may.

use std::collections::{BTreeSet, HashSet};

use proptest::prelude::*;

use super::rows::{Rows, options, path, routed};
use crate::{
    mail::address::Address,
    routing::{
        Class, Destination, Forward, Refusal, Rights, Step, alias, check_aliases, class::class,
        keys::Keys, route,
    },
};

const DOMAINS: [&str; 6] = [
    "a.test",
    "b.test",
    "c.test",
    "d.test",
    "away.test",
    "localhost",
];
/// Plain ones first.
const LOCALS: [&str; 9] = [
    "u",
    "v",
    "w",
    "u+t",
    "v+t",
    "postmaster",
    "x%y",
    "u+x!y",
    "a@b",
];
const PLAIN: usize = 6;
const CLASSES: [&str; 5] = ["mailbox", "mailbox", "alias", "relay", "local"];
const TRANSPORTS: [&str; 7] = [
    ":",
    "smtp:[192.0.2.1]",
    "discard:",
    "error:5.1.2 no",
    "error:4.1.2 later",
    "relay:smart",
    "relay:lost",
];

fn address() -> impl Strategy<Value = String> {
    address_of(LOCALS.len())
}

/// With one of the first local parts.
fn address_of(locals: usize) -> impl Strategy<Value = String> {
    let parts = (
        prop::sample::select(&LOCALS[..locals]),
        prop::sample::select(&DOMAINS[..]),
    );
    parts.prop_map(|(local, domain)| match local {
        "a@b" => format!("\"{local}\"@{domain}"),
        _ => format!("{local}@{domain}"),
    })
}

fn key(address: &str) -> String {
    Address::parse(address).unwrap().key()
}

/// Rows as lines: some are switched off.
fn lines() -> impl Strategy<Value = Vec<(bool, String)>> {
    let domain = || prop::sample::select(&DOMAINS[..]);
    let source = prop_oneof![
        3 => address().prop_map(|text| key(&text)),
        1 => domain().prop_map(|name| format!("@{name}")),
    ];
    let target = prop_oneof![
        4 => address(),
        1 => domain().prop_map(|name| format!("@{name}")),
    ];
    let alias = (source, prop::collection::vec(target, 1..4))
        .prop_map(|(source, targets)| format!("alias {source} -> {}", targets.join(", ")));
    let class = prop::sample::select(&CLASSES[..]);
    let domains = (domain(), class, prop::bool::weighted(0.3)).prop_map(|(name, class, listed)| {
        let listed = if listed && class == "relay" {
            " listed"
        } else {
            ""
        };
        format!("domain {name} {class}{listed}")
    });
    let pattern = prop_oneof![
        address().prop_map(|text| key(&text)),
        domain().prop_map(str::to_owned),
        Just(".test".to_owned()),
        Just("*".to_owned()),
    ];
    let transport = (pattern, prop::sample::select(&TRANSPORTS[..]))
        .prop_map(|(pattern, target)| format!("transport {pattern} -> {target}"));
    let row = prop_oneof![
        4 => alias,
        4 => domains,
        4 => (address(), 1..5_u32).prop_map(|(text, user)| format!("mailbox {} {user}", key(&text))),
        1 => address().prop_map(|text| format!("recipient {}", key(&text))),
        1 => transport,
        1 => Just("route smart".to_owned()),
        1 => Just("default smart".to_owned()),
        1 => Just("postmaster 1".to_owned()),
    ];
    prop::collection::vec((prop::bool::weighted(0.15), row), 0..30)
}

fn rows(lines: &[(bool, String)]) -> Rows {
    let text: Vec<_> = lines
        .iter()
        .map(|(off, line)| format!("{}{line}", if *off { "off " } else { "" }))
        .collect();
    // `away.test` is never ours.
    let text: Vec<_> = text
        .into_iter()
        .filter(|line| !line.starts_with("domain away.test"))
        .collect();
    Rows::new(&text.join("\n"))
}

/// Who is reached, found in another way: all that is reachable, without an order and without a path.
fn reachable(rows: &Rows, first: &Address, rights: Rights) -> BTreeSet<String> {
    let (mut found, mut seen, mut todo) = (BTreeSet::new(), HashSet::new(), vec![]);
    todo.push((first.clone(), 0, true));
    while let Some((address, skip, is_first)) = todo.pop() {
        let keys = Keys::of(&options(), &address);
        if !seen.insert((keys.full.clone(), skip)) {
            continue;
        }
        let Some(class) = class(rows, &options(), &address.domain).unwrap() else {
            if !is_first || rights == Rights::User {
                found.insert(keys.full);
            }
            continue;
        };
        let boxed = keys.exact().find_map(|key| rows.mailboxes.get(key));
        let boxed = boxed.filter(|_| class.has_mailboxes());
        let listed = rows.listed.contains(keys.domain());
        let known = keys.exact().any(|key| rows.recipients.contains(key));
        // Aliases in their order, each with what stands behind it.
        let exact = keys.exact().map(|key| (key, 1));
        let wide = [(keys.wide(), 2)];
        let hit = exact
            .filter(|_| skip < 1)
            .find_map(|(source, past)| expand(rows, &keys, &address, source).map(|to| (to, past)));
        let hit = match hit {
            Some(hit) => Some(hit),
            None if boxed.is_some() => {
                found.insert(format!("#{}", boxed.unwrap().0));
                continue;
            }
            None if class.is_hosted() && keys.user() == "postmaster" => {
                let heir = format!("root{}", keys.wide());
                assert!(!rows.aliases.contains_key(&heir));
                if let Some(user) = rows.postmaster {
                    found.insert(format!("#{}", user.0));
                    continue;
                }
                wide.into_iter()
                    .filter(|_| skip < 2)
                    .find_map(|(source, past)| {
                        expand(rows, &keys, &address, source).map(|to| (to, past))
                    })
            }
            None if !class.is_hosted() && listed && known => None,
            None => wide
                .into_iter()
                .filter(|_| skip < 2)
                .find_map(|(source, past)| {
                    expand(rows, &keys, &address, source).map(|to| (to, past))
                }),
        };
        match hit {
            Some((targets, past)) => {
                for target in targets {
                    let own = target.key() == keys.full
                        || keys.untagged.as_ref() == Some(&target.key()) && past == 1;
                    todo.push((target, if own { past } else { 0 }, false));
                }
            }
            None if !class.is_hosted() && (!listed || known) => {
                found.insert(keys.full);
            }
            None => {}
        }
    }
    found
}

fn expand(rows: &Rows, keys: &Keys, address: &Address, source: &str) -> Option<Vec<Address>> {
    let Forward { targets, .. } = rows.aliases.get(source)?;
    let targets: Vec<_> = targets
        .iter()
        .map(|text| match alias::parse_target(text).unwrap() {
            alias::Target::Address(target) => target,
            alias::Target::Domain(domain) => address.at(&domain).unwrap(),
        })
        .collect();
    let own = |target: &Address| target.key() == keys.full || target.key() == source;
    (!targets.iter().all(own)).then_some(targets)
}

fn name(destination: &Destination) -> String {
    match destination {
        Destination::Mailbox { user, .. } => format!("#{}", user.0),
        Destination::Discard { address } | Destination::Queue { address, .. } => key(address),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// It ends (a test that hangs fails), nobody is reached twice, and all that is found may be.
    #[test]
    fn ends_once_and_lawfully(lines in lines(), recipient in address(), user: bool) {
        let rows = rows(&lines);
        let rights = if user { Rights::User } else { Rights::Stranger };
        let routed = routed(&rows, rights, &recipient);
        prop_assert!(rows.asked.get() < 5000);
        let first = Address::parse(&recipient).unwrap();
        let Ok(found) = &routed.outcome else { return Ok(()) };
        prop_assert!(!found.is_empty());
        let once: HashSet<_> = found.iter().map(name).collect();
        prop_assert_eq!(once.len(), found.len());
        let ours = class(&rows, &options(), &first.domain).unwrap();
        // A stranger's foreign address never yields anything (SR-10).
        prop_assert!(user || ours.is_some());
        let replaced = routed.steps.iter().any(|step| matches!(step, Step::Alias { .. } | Step::Standard { .. }));
        for destination in found {
            match destination {
                Destination::Mailbox { user, address } => {
                    let keys = Keys::of(&options(), &Address::parse(address).unwrap());
                    let live = keys.exact().any(|key| rows.mailboxes.get(key) == Some(user));
                    prop_assert!(live || rows.postmaster == Some(*user));
                    let class = class(&rows, &options(), &Address::parse(address).unwrap().domain).unwrap();
                    prop_assert!(class.is_some_and(Class::is_hosted));
                }
                Destination::Discard { address } | Destination::Queue { address, .. } => {
                    let address = Address::parse(address).unwrap();
                    let class = class(&rows, &options(), &address.domain).unwrap();
                    // It leaves by right of the user, of a row that forwards, or of a domain that
                    // is passed on or has a transport.
                    prop_assert!(user || replaced || class.is_some());
                    let odd = address.local.contains(['%', '!', '@']);
                    let written = rows.mailboxes.contains_key(&address.key());
                    let dropped = matches!(destination, Destination::Discard { .. });
                    if odd && !user && !written && !replaced && !dropped {
                        prop_assert!(false, "{} leaves", address);
                    }
                }
            }
        }
    }

    /// Nobody is missed: what is found is all that can be reached.
    #[test]
    fn nobody_is_missed(lines in lines(), recipient in address_of(PLAIN), user: bool) {
        // Odd local parts may have to stay: that is another test.
        let plain = |(_, line): &(bool, String)| !line.contains(['%', '!']) && !line.contains("a@b");
        let lines: Vec<_> = lines.into_iter().filter(plain).collect();
        let mut rows = rows(&lines);
        rows.transports.clear();
        rows.routes.insert("smart".to_owned());
        let rights = if user { Rights::User } else { Rights::Stranger };
        let first = Address::parse(&recipient).unwrap();
        let routed = routed(&rows, rights, &recipient);
        let want = reachable(&rows, &first, rights);
        let last_resort = Keys::of(&options(), &first).user() == "postmaster";
        match &routed.outcome {
            Ok(_) if last_resort => {}
            Ok(found) => {
                let found: BTreeSet<_> = found.iter().map(name).collect();
                prop_assert_eq!(found, want);
            }
            // A circle, or nobody to read it yet: the whole waits.
            Err(Refusal::AliasLoop | Refusal::Nobody) => {}
            Err(refusal) => prop_assert!(want.is_empty(), "{:?}, but {:?}", refusal, want),
        }
    }

    /// SR-10: what only a row for all local parts takes out of here has a plain local part.
    #[test]
    fn odd_local_parts_never_leave(
        domain in prop::sample::select(&DOMAINS[..4]),
        class in prop::sample::select(&CLASSES[..]),
        to in prop::sample::select(&["@away.test", "all@away.test", "@b.test", "v@b.test"][..]),
        local in "[a-z%!@+]{1,8}",
        transport: bool,
    ) {
        prop_assume!(local.contains(['%', '!', '@']));
        let mut rows = Rows::new("domain b.test relay\nmailbox v@c.test 1");
        rows.add(&format!("domain {domain} {class}"));
        rows.add(&format!("alias @{domain} -> {to}"));
        if transport {
            rows.add("transport * -> smtp:[192.0.2.1]");
        }
        for rights in [Rights::Stranger, Rights::User] {
            let routed = routed(&rows, rights, &format!("\"{local}\"@{domain}"));
            // `v+%@c.test` ends in the mailbox of `v@c.test`.
            let mut ends = routed.outcome.iter().flatten();
            let stays = ends.all(|end| matches!(end, Destination::Mailbox { .. }));
            prop_assert!(stays && (domain == "c.test" || routed.outcome.is_err()), "{:?}", routed.outcome);
        }
    }

    /// AC-7: a row that is switched off is as one that was never written.
    #[test]
    fn rows_that_are_off_are_absent(lines in lines(), recipient in address()) {
        let without: Vec<_> = lines.iter().filter(|(off, _)| !off).cloned().collect();
        let path = path(&recipient);
        let one = route(&rows(&lines), &options(), Rights::Stranger, &path);
        let other = route(&rows(&without), &options(), Rights::Stranger, &path);
        prop_assert_eq!(one, other);
    }

    /// FW-8: what the check lets pass makes no circle for its own source.
    #[test]
    fn what_is_saved_makes_no_circle(lines in lines()) {
        let mut rows = rows(&lines);
        rows.transports.clear();
        let mut aliases = Vec::new();
        for (source, forward) in std::mem::take(&mut rows.aliases) {
            let source = if source.starts_with('@') {
                source
            } else {
                let (local, domain) = source.rsplit_once('@').unwrap();
                format!("\"{local}\"@{domain}")
            };
            let source = alias::parse_source(&source).unwrap();
            let targets = alias::parse_targets(&forward.targets.join(",")).unwrap();
            aliases.push((source, targets));
        }
        while let Err((at, _)) = check_aliases(&rows, &options(), &aliases) {
            aliases.remove(at);
        }
        for (source, targets) in &aliases {
            let targets = targets.iter().map(ToString::to_string).collect();
            rows.aliases.insert(source.key(), Forward { targets, srs: None });
        }
        for (source, _) in &aliases {
            if let alias::Source::Address(address) = source {
                let outcome = routed(&rows, Rights::Stranger, &address.to_string()).outcome;
                prop_assert_ne!(outcome, Err(Refusal::AliasLoop));
            }
        }
    }

    /// Texts of any kind are parsed or refused, and shown as what is parsed again.
    #[test]
    fn any_text_is_taken_or_refused(text in "\\PC{0,40}|(smtp|lmtp|error|relay)?:?\\[?[a-z0-9.:]{0,20}\\]?(:[0-9]{0,5})?") {
        use crate::routing::transport::{parse_pattern, parse_target};
        if let Ok(target) = parse_target(&text) {
            prop_assert_eq!(parse_target(&target.to_string()), Ok(target));
        }
        if let Ok(pattern) = parse_pattern(&text)
            && !text.contains('@')
        {
            prop_assert_eq!(parse_pattern(&pattern.to_string()), Ok(pattern));
        }
        if let Ok(target) = alias::parse_target(&text) {
            prop_assert_eq!(alias::parse_target(&target.to_string()), Ok(target));
        }
    }
}
