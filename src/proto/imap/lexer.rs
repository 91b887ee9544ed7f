//! Words of a command (RFC 3501 section 9), read from octets that are whole: literals stand in the
//! text behind their `{n}` and CRLF.

use std::borrow::Cow;

/// Why a command is not carried out, told apart by what the client is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SyntaxError {
    /// An argument is missing, malformed or one too many.
    Argument,
    /// A text in a charset that is not known (`NO [BADCHARSET]`).
    Charset,
    /// The name of the command is not known.
    Command,
    /// A flag that cannot be set by clients.
    Flag,
    /// A folder name that can never be (`NO [CANNOT]`).
    FolderName,
    /// The octets end at the head of a literal.
    Incomplete,
    /// No tag: the answer goes without one.
    Tag,
    /// Nested or listed beyond any use.
    TooMuch,
    /// A special use that is not known (`NO [USEATTR]`, RFC 6154 section 3).
    UseAttribute,
}

/// A place in a command. Each method either takes what it is named after or fails.
#[derive(Clone, Debug)]
pub struct Lexer<'a> {
    rest: &'a [u8],
    /// From the last word on that was taken or wanted.
    word: &'a [u8],
    /// Names are UTF-8, never modified UTF-7 (RFC 6855 section 3).
    pub utf8: bool,
}

impl<'a> Lexer<'a> {
    /// `octets` are one command, from any place in it; the last CRLF may be there or not.
    #[must_use]
    pub fn new(octets: &'a [u8]) -> Self {
        let octets = octets.strip_suffix(b"\n").unwrap_or(octets);
        let rest = octets.strip_suffix(b"\r").unwrap_or(octets);
        Self {
            rest,
            word: rest,
            utf8: false,
        }
    }

    #[must_use]
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Nobody wants to know what is left.
    pub fn skip_rest(&mut self) {
        self.rest = &[];
    }

    /// Where the last word began, to the end: after a failure, what was not understood.
    #[must_use]
    pub fn word(&self) -> &'a [u8] {
        self.word
    }

    /// Takes `octet` if it is next.
    pub fn skip(&mut self, octet: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == octet => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    pub fn expect(&mut self, octet: u8) -> Result<(), SyntaxError> {
        self.word = self.rest;
        if self.skip(octet) {
            Ok(())
        } else {
            Err(SyntaxError::Argument)
        }
    }

    pub fn space(&mut self) -> Result<(), SyntaxError> {
        self.expect(b' ')
    }

    /// Nothing but spaces is left: some clients put one at the end.
    pub fn end(&mut self) -> Result<(), SyntaxError> {
        self.word = self.rest;
        if self.rest.iter().all(|c| *c == b' ') {
            Ok(())
        } else {
            Err(SyntaxError::Argument)
        }
    }

    /// Octets that satisfy `is`, at least one.
    pub fn run(&mut self, is: fn(u8) -> bool) -> Result<&'a [u8], SyntaxError> {
        self.word = self.rest;
        let n = self.rest.iter().take_while(|c| is(**c)).count();
        let (word, rest) = self
            .rest
            .split_at_checked(n)
            .filter(|(word, _)| !word.is_empty())
            .ok_or(SyntaxError::Argument)?;
        self.rest = rest;
        Ok(word)
    }

    /// `run` for characters that are ASCII.
    fn ascii(&mut self, is: fn(u8) -> bool) -> Result<&'a str, SyntaxError> {
        str::from_utf8(self.run(is)?).map_err(|_| SyntaxError::Argument)
    }

    /// The tag of a command: 1*<any ASTRING-CHAR except "+">.
    pub fn tag(&mut self) -> Result<&'a str, SyntaxError> {
        self.ascii(|c| is_atom(c) && c != b'+' || c == b']')
            .map_err(|_| SyntaxError::Tag)
    }

    pub fn atom(&mut self) -> Result<&'a str, SyntaxError> {
        self.ascii(is_atom)
    }

    /// A name made of letters, digits, `.` and `-`, in upper case: stops at the `[` of `BODY[`.
    pub fn keyword(&mut self) -> Result<String, SyntaxError> {
        self.ascii(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'='))
            .map(str::to_ascii_uppercase)
    }

    /// A number that fits 32 bits, as RFC 3501 has it.
    pub fn number(&mut self) -> Result<u32, SyntaxError> {
        u32::try_from(self.number64()?).map_err(|_| SyntaxError::Argument)
    }

    /// A number that fits 63 bits (RFC 9051 section 9, number64).
    pub fn number64(&mut self) -> Result<u64, SyntaxError> {
        self.ascii(|c| c.is_ascii_digit())?
            .parse()
            .ok()
            .filter(|n| i64::try_from(*n).is_ok())
            .ok_or(SyntaxError::Argument)
    }

    /// A number that is not 0.
    pub fn nz_number(&mut self) -> Result<u32, SyntaxError> {
        self.number()
            .and_then(|n| (n > 0).then_some(n).ok_or(SyntaxError::Argument))
    }

    /// An atom that may hold `]`, or a string. Octets above 127 pass: clients send raw UTF-8.
    pub fn astring(&mut self) -> Result<Cow<'a, [u8]>, SyntaxError> {
        match self.peek() {
            Some(b'"' | b'{') => self.string(),
            _ => self.run(is_astring).map(Cow::Borrowed),
        }
    }

    /// As `astring`, but `%` and `*` pass too (RFC 3501 section 9, list-mailbox).
    pub fn list_mailbox(&mut self) -> Result<Cow<'a, [u8]>, SyntaxError> {
        match self.peek() {
            Some(b'"' | b'{') => self.string(),
            _ => self
                .run(|c| is_astring(c) || matches!(c, b'%' | b'*'))
                .map(Cow::Borrowed),
        }
    }

    /// A quoted string or a literal.
    pub fn string(&mut self) -> Result<Cow<'a, [u8]>, SyntaxError> {
        let word = self.rest;
        let string = match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal().map(Cow::Borrowed),
            _ => Err(SyntaxError::Argument),
        };
        self.word = word;
        string
    }

    /// A string, or `None` for `NIL`.
    pub fn nstring(&mut self) -> Result<Option<Cow<'a, [u8]>>, SyntaxError> {
        match self.peek() {
            Some(b'"' | b'{') => self.string().map(Some),
            _ if self.atom()?.eq_ignore_ascii_case("NIL") => Ok(None),
            _ => Err(SyntaxError::Argument),
        }
    }

    /// An `astring` that is UTF-8.
    pub fn text(&mut self) -> Result<String, SyntaxError> {
        String::from_utf8(self.astring()?.into_owned()).map_err(|_| SyntaxError::Argument)
    }

    /// `(item item …)`, also empty.
    pub fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, SyntaxError>,
    ) -> Result<Vec<T>, SyntaxError> {
        self.expect(b'(')?;
        let mut items = Vec::new();
        if self.skip(b')') {
            return Ok(items);
        }
        loop {
            items.push(item(self)?);
            if self.skip(b')') {
                return Ok(items);
            }
            self.space()?;
        }
    }

    /// The head of the literal that ends the command, and nothing after it: its size.
    pub fn announced(&mut self) -> Result<u64, SyntaxError> {
        self.word = self.rest;
        let announcement = super::literal::announced(self.rest).ok_or(SyntaxError::Argument)?;
        if announcement.head == self.rest.len() {
            self.rest = &[];
            Ok(announcement.size)
        } else {
            Err(SyntaxError::Argument)
        }
    }

    fn quoted(&mut self) -> Result<Cow<'a, [u8]>, SyntaxError> {
        self.expect(b'"')?;
        let mut text = Cow::Borrowed(self.plain());
        loop {
            if self.skip(b'"') {
                return Ok(text);
            }
            self.expect(b'\\')?;
            match self.rest.split_first() {
                Some((c @ (b'"' | b'\\'), rest)) => {
                    self.rest = rest;
                    text.to_mut().push(*c);
                }
                _ => return Err(SyntaxError::Argument),
            }
            text.to_mut().extend_from_slice(self.plain());
        }
    }

    /// Octets of a quoted string up to the next special one; CR, LF and NUL are not among them.
    fn plain(&mut self) -> &'a [u8] {
        self.run(|c| !matches!(c, b'"' | b'\\' | b'\r' | b'\n' | 0))
            .unwrap_or_default()
    }

    fn literal(&mut self) -> Result<&'a [u8], SyntaxError> {
        self.expect(b'{')?;
        let size = self.number64()?;
        self.skip(b'+');
        self.expect(b'}')?;
        if self.rest.is_empty() {
            return Err(SyntaxError::Incomplete);
        }
        self.skip(b'\r');
        self.expect(b'\n')?;
        let size = usize::try_from(size).map_err(|_| SyntaxError::Argument)?;
        let (octets, rest) = self
            .rest
            .split_at_checked(size)
            .ok_or(SyntaxError::Argument)?;
        self.rest = rest;
        Ok(octets)
    }
}

/// ATOM-CHAR.
#[must_use]
pub fn is_atom(c: u8) -> bool {
    c.is_ascii_graphic() && !matches!(c, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

fn is_astring(c: u8) -> bool {
    is_atom(c) || c == b']' || !c.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings() {
        for (text, want) in [
            ("abc", "abc"),
            ("a]b rest", "a]b"),
            ("\"\"", ""),
            ("\"a b\"", "a b"),
            (r#""a\"b\\c""#, r#"a"b\c"#),
            ("{3}\r\na\r\n rest", "a\r\n"),
            ("{3+}\r\nabc", "abc"),
            ("{0}\r\n)", ""),
        ] {
            let got = Lexer::new(text.as_bytes()).astring();
            assert_eq!(got.as_deref(), Ok(want.as_bytes()), "{text}");
        }
        for text in [
            "",
            "(",
            "%",
            "\"a",
            r#""a\b""#,
            "\"a\rb\"",
            "{3}abc",
            "{4}\r\nabc",
            "{}\r\n",
            "{99999999999999999999}\r\nx",
        ] {
            let got = Lexer::new(text.as_bytes()).astring();
            assert_eq!(got, Err(SyntaxError::Argument), "{text}");
        }
        assert_eq!(
            Lexer::new(b"{3}\r\n").astring(),
            Err(SyntaxError::Incomplete)
        );
    }

    #[test]
    fn numbers() {
        assert_eq!(Lexer::new(b"4294967295 ").number(), Ok(u32::MAX));
        assert_eq!(
            Lexer::new(b"4294967296").number(),
            Err(SyntaxError::Argument)
        );
        assert_eq!(Lexer::new(b"0").nz_number(), Err(SyntaxError::Argument));
        assert_eq!(Lexer::new(b"-1").number(), Err(SyntaxError::Argument));
    }

    #[test]
    fn lists() {
        let list = |text: &'static str| Lexer::new(text.as_bytes()).list(Lexer::number);
        assert_eq!(list("()"), Ok(vec![]));
        assert_eq!(list("(1 2 3)"), Ok(vec![1, 2, 3]));
        for text in ["(", "(1", "(1 )", "( 1)", "(1  2)", "1"] {
            assert_eq!(list(text), Err(SyntaxError::Argument), "{text}");
        }
    }
}
