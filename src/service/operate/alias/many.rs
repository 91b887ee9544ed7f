//! `alias add -`: many at once, all or nothing; the first bad line is named.

use std::collections::BTreeMap;

use crate::{
    routing::{
        AliasProblem, Options,
        alias::{Source, Target},
        check_aliases,
    },
    service::{
        lookup,
        operate::{
            Context, Kind, Problem, Reply,
            alias::{OUTSIDE, forgotten, joined, parse, problem},
            count, edit, name, some,
        },
    },
    store::{
        Store,
        directory::{Alias, Edit, Swap},
    },
};

/// A line that says something: its number, source and targets.
type Line = (usize, Source, Vec<Target>);

/// What a text comes to.
struct Plan {
    edits: Vec<Edit>,
    lines: usize,
    outside: Vec<String>,
}

/// A row as it was and as it will be.
struct Pending {
    source: Source,
    was: Option<Alias>,
    now: Alias,
}

pub(super) async fn add(
    context: &Context<'_>,
    text: String,
    srs: Option<bool>,
    dry_run: bool,
) -> Result<Reply, Problem> {
    let (store, options) = (context.store.clone(), name::options(context.config));
    // Ten thousand rows take a while: off the executor.
    let plan = blocking::unblock(move || plan(&store, &options, &text, srs)).await?;
    let aliases = plan.edits.len();
    let lines = count(plan.lines, "line", "lines");
    let what = format!("{} from {lines}", count(aliases, "alias", "aliases"));
    let mut done = match (aliases, dry_run) {
        (0, _) => format!("{lines}: all of it is there already"),
        (_, true) => format!("would add or change {what}"),
        (_, false) => format!("added or changed {what}"),
    };
    if !plan.outside.is_empty() {
        done = format!("{done}\nnote: outside: {}; {OUTSIDE}", some(&plan.outside));
    }
    if !dry_run && aliases > 0 {
        edit(context, plan.edits, "aliases").await?;
    }
    Ok(Reply::Done(done))
}

fn plan(store: &Store, options: &Options, text: &str, srs: Option<bool>) -> Result<Plan, Problem> {
    let lines = lines(store, options, text)?;
    let pending = store.read(|reader| {
        // By source; the order is that of the lines.
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        let mut pending: Vec<Pending> = Vec::new();
        let mut fresh = Vec::new();
        for (_, source, targets) in &lines {
            let key = source.key();
            let place = if let Some(place) = places.get(&key) {
                *place
            } else {
                let was = reader.alias(&key)?;
                let (now, _) = joined(was.as_ref(), &[], srs);
                places.insert(key, pending.len());
                let source = source.clone();
                pending.push(Pending { source, was, now });
                pending.len().saturating_sub(1)
            };
            if let Some(row) = pending.get_mut(place) {
                let (now, new) = joined(Some(&row.now), targets, srs);
                row.now = now;
                fresh.extend(new);
            }
        }
        Ok((pending, fresh))
    });
    let (pending, fresh) = pending?;
    let outside = check(store, options, &lines, &pending, &fresh)?;
    let changed = pending
        .into_iter()
        .filter(|row| row.was.as_ref() != Some(&row.now));
    let edits = changed.map(|row| {
        Edit::Alias(Swap {
            name: row.source.key(),
            was: row.was,
            now: Some(row.now),
        })
    });
    Ok(Plan {
        edits: edits.collect(),
        lines: lines.len(),
        outside,
    })
}

/// Whether all of it can stand together (FW-8, FW-9); what of it is outside.
fn check(
    store: &Store,
    options: &Options,
    lines: &[Line],
    pending: &[Pending],
    fresh: &[Target],
) -> Result<Vec<String>, Problem> {
    let rows: Vec<_> = pending
        .iter()
        .map(|row| (row.source.clone(), parse::stored(&row.now.targets)))
        .collect();
    let checked = lookup::look(store, |directory| {
        let wrong = check_aliases(directory, options, &rows);
        wrong.map(|()| parse::outside(directory, options, fresh))
    });
    let checked = checked.map_err(|_| problem(&AliasProblem::LookupFailed))?;
    match checked {
        Ok(outside) => {
            let mut outside = outside.map_err(|wrong| problem(&wrong))?;
            outside.sort();
            outside.dedup();
            Ok(outside)
        }
        Err((at, wrong)) => {
            let source = pending.get(at).map(|row| row.source.key());
            let line = blamed(lines, &source.unwrap_or_default(), &wrong);
            Err(on_line(line, &problem(&wrong)))
        }
    }
}

/// The line that brought a source into trouble: the one with the target that does not work, else the
/// first.
fn blamed(lines: &[Line], source: &str, wrong: &AliasProblem) -> usize {
    let chain = match wrong {
        AliasProblem::Loop { chain } | AliasProblem::Unknown { chain } => chain.as_slice(),
        _ => &[],
    };
    let chain: Vec<_> = chain.iter().map(|text| parse::key_of(text)).collect();
    let mut of_source = lines
        .iter()
        .filter(|line| line.1.key() == source)
        .peekable();
    let first = of_source.peek().map_or(0, |line| line.0);
    of_source
        .find(|line| {
            let mut targets = line.2.iter().map(parse::key);
            targets.any(|target| target != source && chain.contains(&target))
        })
        .map_or(first, |line| line.0)
}

fn lines(store: &Store, options: &Options, text: &str) -> Result<Vec<Line>, Problem> {
    let mut out = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let parsed = one(store, options, line).map_err(|wrong| on_line(number, &wrong))?;
        out.push((number, parsed.0, parsed.1));
    }
    if out.is_empty() {
        let text = "there is no line with an alias; write SOURCE TARGET[,TARGET...] on each";
        return Err(Problem::new(Kind::BadData, text));
    }
    Ok(out)
}

fn one(store: &Store, options: &Options, line: &str) -> Result<(Source, Vec<Target>), Problem> {
    let words = parse::words(line);
    let (first, rest) = words.split_first().unwrap_or((&line, &[]));
    forgotten(store, first)?;
    let source = parse::source(options, first).map_err(|wrong| problem(&wrong))?;
    let targets = parse::targets(options, rest).map_err(|wrong| problem(&wrong))?;
    parse::fits(&source, &targets)?;
    Ok((source, targets))
}

fn on_line(number: usize, problem: &Problem) -> Problem {
    let text = format!("line {number}: {}; nothing was added", problem.text);
    Problem::new(problem.kind, text)
}
