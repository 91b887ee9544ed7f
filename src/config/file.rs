//! The file: TOML, flattened to names with dots. What one mistake hides, the others do not.

use std::{collections::BTreeMap, ops::Range};

use toml::de::{DeTable, DeValue};

use crate::config::{
    Mistake, Place,
    schema::{self, Key},
    value::{Kind, Value},
};

type Values = BTreeMap<&'static str, (Value, Place)>;

/// Reads all keys of the file; every mistake is told.
pub fn read(text: &str, values: &mut Values, mistakes: &mut Vec<Mistake>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        mistakes.push(Mistake {
            place: place(text, at),
            text: error.message().to_owned(),
        });
    }
    let mut reading = Reading {
        text,
        values,
        mistakes,
    };
    reading.table("", table.get_ref());
}

struct Reading<'a> {
    text: &'a str,
    values: &'a mut Values,
    mistakes: &'a mut Vec<Mistake>,
}

impl Reading<'_> {
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let full = format!("{prefix}{}", name.get_ref());
            match (schema::find(&full), value.get_ref()) {
                (Some(key), inner) => self.key(key, inner, value.span()),
                (None, DeValue::Table(inner)) => self.table(&format!("{full}."), inner),
                (None, _) => self.mistake(name.span(), schema::unknown(&full)),
            }
        }
    }

    fn key(&mut self, key: &Key, value: &DeValue<'_>, span: Range<usize>) {
        let text = match value {
            DeValue::Array(items) if key.kind.is_list() => {
                let mut texts = Vec::new();
                for item in items {
                    let Some(text) = scalar(item.get_ref(), key) else {
                        let text = format!("{}: a list holds texts only", key.name);
                        return self.mistake(item.span(), text);
                    };
                    if items.len() > 1 && Some(text.trim()) == key.kind.alone() {
                        let text = format!("{}: {} stands alone", key.name, text.trim());
                        return self.mistake(item.span(), text);
                    }
                    if let Err(wrong) = key.kind.parse(&text) {
                        return self.mistake(item.span(), format!("{}: {wrong}", key.name));
                    }
                    texts.push(text);
                }
                Some(texts.join(","))
            }
            _ => scalar(value, key),
        };
        match text.map(|text| key.parse(&text)) {
            Some(Ok(value)) => {
                let place = place(self.text, span.start);
                self.values.insert(key.name, (value, place));
            }
            Some(Err(wrong)) => self.mistake(span, wrong),
            None => {
                let text = format!("{}: {} does not fit here", key.name, article(value));
                self.mistake(span, text);
            }
        }
    }

    fn mistake(&mut self, span: Range<usize>, text: String) {
        self.mistakes.push(Mistake {
            place: place(self.text, span.start),
            text,
        });
    }
}

/// Numbers and truth may stand without quotes: `tls.min = 1.2`, `web.remote = true`.
fn scalar(value: &DeValue<'_>, key: &Key) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(integer) => u64::from_str_radix(integer.as_str(), integer.radix())
            .map(|number| number.to_string())
            .or_else(|_| Ok::<_, ()>(integer.as_str().to_owned()))
            .ok(),
        DeValue::Float(float) => Some(float.as_str().to_owned()),
        DeValue::Boolean(yes) if matches!(key.kind, Kind::YesNo) => Some(yes.to_string()),
        DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

fn article(value: &DeValue<'_>) -> String {
    match value {
        DeValue::Array(_) => "a list".to_owned(),
        other => format!("a {}", other.type_str()),
    }
}

/// Line and column of an octet's place, both from 1, columns in characters.
fn place(text: &str, at: usize) -> Place {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at = at.saturating_sub(1);
    }
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count().saturating_add(1);
    let column = before
        .rsplit('\n')
        .next()
        .map_or(0, |last| last.chars().count())
        .saturating_add(1);
    Place::File { line, column }
}
