//! Rust text as tokens: as much as finding paths needs.

pub fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Names, `::`, braces and single signs, each with its line; comments, strings and characters gone.
pub fn tokens(text: &str) -> Vec<(usize, String)> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let length = skip(rest);
        if length > 0 {
            line += rest[..length].matches('\n').count();
            rest = &rest[length..];
            continue;
        }
        let length = if first.is_alphanumeric() || first == '_' {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        tokens.push((line, rest[..length].to_owned()));
        rest = &rest[length..];
    }
    tokens
}

/// How many octets at the start of `rest` are no code: space, a comment, a string, a character.
fn skip(rest: &str) -> usize {
    let space = rest.len() - rest.trim_start().len();
    if space > 0 {
        return space;
    }
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    for prefix in ["", "b", "c", "r", "br", "cr"] {
        let Some(string) = rest.strip_prefix(prefix) else {
            continue;
        };
        let hashes = string.len() - string.trim_start_matches('#').len();
        let raw = prefix.ends_with('r');
        if string[hashes..].starts_with('"') && (raw || hashes == 0) {
            return prefix.len() + quoted(string, hashes, raw);
        }
    }
    let character = rest.strip_prefix('b').unwrap_or(rest);
    if let Some(inside) = character.strip_prefix('\'') {
        let body = if inside.starts_with('\\') {
            inside[2..].find('\'').map(|end| end + 2)
        } else {
            let length = inside.chars().next().map_or(0, char::len_utf8);
            inside[length..].starts_with('\'').then_some(length)
        };
        // Without an end it is a lifetime, and `'` is a sign of its own.
        return body.map_or(0, |body| rest.len() - character.len() + body + 2);
    }
    0
}

fn block_comment(rest: &str) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            (at, depth) = (at + 2, depth + 1);
        } else if rest[at..].starts_with("*/") {
            (at, depth) = (at + 2, depth - 1);
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn quoted(string: &str, hashes: usize, raw: bool) -> usize {
    let body = &string[hashes + 1..];
    if raw {
        let end = format!("\"{}", "#".repeat(hashes));
        return body
            .find(&end)
            .map_or(string.len(), |at| hashes + 1 + at + end.len());
    }
    let mut escaped = false;
    for (at, c) in body.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 2,
            _ => {}
        }
    }
    string.len()
}
