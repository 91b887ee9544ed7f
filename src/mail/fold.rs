//! Text as searches compare it: without regard to case, in any script.

use crate::mail::header::{decode_words, unfold};

/// Appends `text` folded, character by character: a text folds the same whole or in pieces.
///
/// That is Unicode's full case folding (`ß` is `ss`, every sigma one), but both Turkish i without
/// regard to their dots are `i`: whoever has no such keyboard finds them too.
pub fn fold(text: &str, out: &mut String) {
    let mut rest = text;
    while !rest.is_empty() {
        let ascii = rest.bytes().position(|octet| !octet.is_ascii());
        let (plain, after) = rest.split_at(ascii.unwrap_or(rest.len()));
        let from = out.len();
        out.push_str(plain);
        if let Some(new) = out.get_mut(from..) {
            new.make_ascii_lowercase();
        }
        let mut chars = after.chars();
        if let Some(c) = chars.next() {
            fold_char(c, out);
        }
        rest = chars.as_str();
    }
}

fn fold_char(c: char, out: &mut String) {
    if c == 'İ' {
        return out.push('i');
    }
    // By way of capitals: what is one letter there is one here.
    for c in c.to_lowercase().flat_map(char::to_uppercase) {
        out.extend(c.to_lowercase());
    }
}

/// `text` folded.
#[must_use]
pub fn folded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    fold(text, &mut out);
    out
}

/// Appends a header field's value as it is compared: unfolded, encoded words decoded, in one case.
pub fn fold_value(value: &[u8], out: &mut String) {
    let value = unfold(value);
    match str::from_utf8(&value) {
        Ok(text) if memchr::memmem::find(&value, b"=?").is_none() => fold(text, out),
        _ => fold(&decode_words(&value), out),
    }
}

/// Makes folded text into a key that sorts as i;unicode-casemap wants it (RFC 5051, which RFC 5256
/// section 2 names): octets in capitals.
#[must_use]
pub fn capitals(folded: &str) -> String {
    let mut out = String::with_capacity(folded.len());
    for c in folded.chars() {
        if c.is_ascii() {
            out.push(c.to_ascii_uppercase());
        } else {
            out.extend(c.to_uppercase());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_case() {
        for (text, want) in [
            ("Hello, WORLD", "hello, world"),
            ("Größe GRÖSSE GRÖẞE", "grösse grösse grösse"),
            ("ΟΔΟΣ οδος οδοσ", "οδοσ οδοσ οδοσ"),
            ("İstanbul ISTANBUL ıstanbul", "istanbul istanbul istanbul"),
            ("ﬁle ſame \u{212a}elvin", "file same kelvin"),
            ("ПРИВЕТ 你好 ÅÅ", "привет 你好 åå"),
            ("", ""),
        ] {
            assert_eq!(folded(text), want);
        }
    }

    #[test]
    fn values() {
        let value = |octets: &[u8]| {
            let mut out = String::new();
            fold_value(octets, &mut out);
            out
        };
        assert_eq!(value(b" One\r\n Two "), "one two");
        assert_eq!(value(b"=?utf-8?q?Gr=C3=B6=C3=9Fe?= X"), "grösse x");
        assert_eq!(value(b"\xd6l"), "öl");
        assert_eq!(capitals("a_é"), "A_É");
    }

    proptest! {
        #[test]
        fn in_pieces_as_whole(text: String, at: prop::sample::Index) {
            let cuts: Vec<usize> = (0..=text.len()).filter(|&at| text.is_char_boundary(at)).collect();
            let (one, two) = text.split_at(*at.get(&cuts));
            let mut pieces = folded(one);
            fold(two, &mut pieces);
            prop_assert_eq!(&pieces, &folded(&text));
            prop_assert_eq!(folded(&pieces), pieces);
        }

        #[test]
        fn any_case_is_one(text: String) {
            let one = folded(&text);
            for other in text.chars() {
                let upper: String = other.to_uppercase().collect();
                prop_assert_eq!(folded(&upper), folded(&other.to_string()));
            }
            prop_assert_eq!(one.is_ascii() , folded(&one).is_ascii());
        }
    }
}
