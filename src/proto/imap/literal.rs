//! The heads of literals: `{310}`, and `{310+}` that waits for nobody (RFC 7888).

/// What the end of a line announces.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Announcement {
    /// Octets that follow; numbers beyond 64 bits become the largest.
    pub size: u64,
    /// The client waits for a continuation before it sends them.
    pub waits: bool,
    /// Octets of the head itself, from `{` to `}`.
    pub head: usize,
}

/// The literal that a line announces at its end; the line is with or without CRLF.
#[must_use]
pub fn announced(line: &[u8]) -> Option<Announcement> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let inner = line.strip_suffix(b"}")?;
    let (inner, waits) = match inner.strip_suffix(b"+") {
        Some(inner) => (inner, false),
        None => (inner, true),
    };
    let open = inner.iter().rposition(|c| !c.is_ascii_digit())?;
    let digits = inner.get(open + 1..).filter(|digits| !digits.is_empty())?;
    if inner.get(open) != Some(&b'{') {
        return None;
    }
    let size = digits.iter().fold(0u64, |size, c| {
        size.saturating_mul(10)
            .saturating_add(u64::from(c.wrapping_sub(b'0')))
    });
    Some(Announcement {
        size,
        waits,
        head: line.len() - open,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        for (line, want) in [
            ("a LOGIN {5}\r\n", Some((5, true))),
            ("a LOGIN {5+}\n", Some((5, false))),
            ("{0}", Some((0, true))),
            ("{18446744073709551616+}\r\n", Some((u64::MAX, false))),
            ("{-1}\r\n", None),
            ("{}\r\n", None),
            ("{+}\r\n", None),
            ("5}\r\n", None),
            ("}\r\n", None),
            ("{5} \r\n", None),
            ("", None),
        ] {
            let got = announced(line.as_bytes()).map(|a| (a.size, a.waits));
            assert_eq!(got, want, "{line:?}");
        }
        assert_eq!(announced(b"a {12+}\r\n").map(|a| a.head), Some(5));
    }
}
