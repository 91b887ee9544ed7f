//! Patterns of LIST and LSUB: `*` stands for anything, `%` for anything but a separator (RFC 3501
//! section 6.3.8). INBOX matches in any case.

use super::folder_name::{NAME_MAX, SEPARATOR};

/// Places of a pattern that are kept in one word.
const WORD: usize = 64;

/// A pattern, ready to be compared with names. It is at all places at once that it can be at: a name
/// takes as long as its octets and the pattern's, however they are made.
#[derive(Debug)]
pub struct Pattern {
    /// Where each octet stands, by octet.
    octets: Vec<(u8, Places)>,
    /// Where wildcards stand, and those of them that pass a separator.
    wild: Places,
    stars: Places,
    /// Places before the end; `None` if no name is that long.
    length: Option<usize>,
}

/// Places in a pattern, a bit each.
#[derive(Clone, Debug)]
struct Places(Vec<u64>);

impl Places {
    fn none(length: usize) -> Self {
        Self(vec![0; length / WORD + 1])
    }

    fn set(&mut self, place: usize) {
        if let Some(word) = self.0.get_mut(place / WORD) {
            *word |= 1 << (place % WORD);
        }
    }

    fn has(&self, place: usize) -> bool {
        let word = self.0.get(place / WORD).copied().unwrap_or_default();
        word >> (place % WORD) & 1 == 1
    }
}

impl Pattern {
    /// The pattern behind its reference.
    #[must_use]
    pub fn new(reference: &str, pattern: &str) -> Self {
        let mut tokens: Vec<u8> = Vec::new();
        let mut plain: usize = 0;
        for octet in reference.bytes().chain(pattern.bytes()) {
            match (tokens.last_mut(), octet) {
                // Wildcards in a row are one.
                (Some(b'*'), b'*' | b'%') => continue,
                (Some(last @ b'%'), b'*' | b'%') => {
                    *last = if octet == b'*' { b'*' } else { *last };
                    continue;
                }
                (_, b'*' | b'%') => {}
                _ => plain = plain.saturating_add(1),
            }
            if plain > NAME_MAX {
                return Self::of(b"", None);
            }
            tokens.push(octet);
        }
        Self::of(&tokens, Some(tokens.len()))
    }

    fn of(tokens: &[u8], length: Option<usize>) -> Self {
        let none = Places::none(tokens.len());
        let mut pattern = Self {
            octets: Vec::new(),
            wild: none.clone(),
            stars: none.clone(),
            length,
        };
        for (place, token) in tokens.iter().enumerate() {
            match token {
                b'*' => {
                    pattern.wild.set(place);
                    pattern.stars.set(place);
                }
                b'%' => pattern.wild.set(place),
                octet => {
                    let at = pattern.find(*octet).unwrap_or_else(|at| {
                        pattern.octets.insert(at, (*octet, none.clone()));
                        at
                    });
                    if let Some((_, places)) = pattern.octets.get_mut(at) {
                        places.set(place);
                    }
                }
            }
        }
        pattern
    }

    /// Where an octet's places are, or would be.
    fn find(&self, octet: u8) -> Result<usize, usize> {
        self.octets.binary_search_by_key(&octet, |places| places.0)
    }

    fn places(&self, octet: u8) -> Option<&Places> {
        let at = self.find(octet).ok()?;
        self.octets.get(at).map(|(_, places)| places)
    }

    /// Whether `name` is one that the pattern asks for.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let Some(length) = self.length else {
            return false;
        };
        let mut at = Places::none(length);
        at.set(0);
        self.pass(&mut at);
        let any_case = any_case(name);
        for (number, octet) in name.bytes().enumerate() {
            let separator = char::from(octet) == SEPARATOR;
            let stay = if separator { &self.stars } else { &self.wild };
            let same = self.places(octet);
            let small = octet.to_ascii_lowercase();
            let small = (number < any_case).then(|| self.places(small)).flatten();
            let mut carry = 0;
            for (word, places) in at.0.iter_mut().enumerate() {
                let of = |set: &Places| set.0.get(word).copied().unwrap_or_default();
                let step = *places & (same.map_or(0, of) | small.map_or(0, of));
                *places = *places & of(stay) | step << 1 | carry;
                carry = step >> (WORD - 1);
            }
            self.pass(&mut at);
        }
        at.has(length)
    }

    /// A wildcard may stand for nothing. No two of them are in a row.
    fn pass(&self, at: &mut Places) {
        let mut carry = 0;
        for (places, wild) in at.0.iter_mut().zip(&self.wild.0) {
            let step = *places & *wild;
            *places |= step << 1 | carry;
            carry = step >> (WORD - 1);
        }
    }
}

/// Octets at the beginning of a name whose case does not matter: `INBOX`, alone or with something
/// below it. So `inbox*` asks for it, too.
fn any_case(name: &str) -> usize {
    match name.strip_prefix("INBOX") {
        Some(rest) if rest.is_empty() || rest.starts_with(SEPARATOR) => "INBOX".len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, want) in [
            ("*", "a/b", true),
            ("%", "a", true),
            ("%", "a/b", false),
            ("a/%", "a/b", true),
            ("a/%", "a/b/c", false),
            ("%/%", "a/b", true),
            ("a*", "a/b", true),
            ("*b", "a/b", true),
            ("*%b", "a/c/b", true),
            ("%*", "a/c/b", true),
            ("inbox", "INBOX", true),
            ("Inbox/%", "INBOX/x", true),
            ("inbox*", "INBOX", true),
            ("inbox%", "INBOX", true),
            ("iNb*/x", "INBOX/x", true),
            ("%oX", "INBOX", true),
            ("*/inbox", "a/INBOX", false),
            ("inbox*", "INBOXES", false),
            ("Inbox", "Inbox", true),
            ("a", "A", false),
            ("", "", true),
            ("", "a", false),
            ("%b%", "abc", true),
            ("*ü%", "Entwürfe", true),
        ] {
            assert_eq!(
                Pattern::new("", pattern).matches(name),
                want,
                "{pattern} {name}"
            );
        }
    }

    /// What the two wildcards mean, in as few words as possible.
    fn plainly(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', p)), n) => {
                plainly(p, name) || n.is_some_and(|(_, rest)| plainly(pattern, rest))
            }
            (Some((b'%', p)), n) => {
                plainly(p, name) || n.is_some_and(|(c, rest)| *c != b'/' && plainly(pattern, rest))
            }
            (Some((a, p)), Some((b, n))) => a == b && plainly(p, n),
            _ => false,
        }
    }

    #[test]
    fn long_ones() {
        let name = "a".repeat(NAME_MAX);
        let many = |part: &str, n: usize| part.repeat(n);
        for (pattern, want) in [
            (many("%a", NAME_MAX), true),
            (many("*a", NAME_MAX), true),
            (many("*%a", NAME_MAX), true),
            (many("%a", NAME_MAX) + "b", false),
            (many("a", NAME_MAX), true),
            (many("a", NAME_MAX + 1), false),
            (many("*%", 30_000), true),
            (many("*a%", NAME_MAX - 1) + "b*", false),
        ] {
            let pattern = Pattern::new("", &pattern);
            for _ in 0..50 {
                assert_eq!(pattern.matches(&name), want);
            }
        }
        assert!(!Pattern::new(&many("a", 60_000), "*").matches(&name));
    }

    proptest! {
        #[test]
        fn patterns_match_as_they_say(pattern in "[ab/%*]{0,8}", name in "[ab/]{0,8}", at: usize) {
            let at = at % (pattern.len() + 1);
            prop_assert_eq!(
                Pattern::new(&pattern[..at], &pattern[at..]).matches(&name),
                plainly(pattern.as_bytes(), name.as_bytes())
            );
        }
    }
}
