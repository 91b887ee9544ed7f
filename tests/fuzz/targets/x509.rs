//! A certificate in DER: what it says about itself.

use pillarbox::net::x509::About;

pub const WORDS: &[&str] = &[
    "\0",
    "0",
    "\u{1}",
    "\u{2}",
    "\u{7f}",
    "\u{6}\u{3}U\u{1d}\u{11}",
    "\u{6}\u{3}U\u{4}\u{3}",
    "\u{4}",
    "\u{c}",
    "\u{1e}",
    "\u{17}\r261121000000Z",
    "\u{18}\u{f}20501121000000Z",
    "99991231235959Z",
    "*.",
    "..",
    "/",
    "a.test",
];

pub fn run(data: &[u8]) {
    let Some(about) = About::read(data) else {
        return;
    };
    for name in &about.names {
        // A file is called by it, and a client finds it.
        assert!((1..=253).contains(&name.len()), "{name:?}");
        assert!(!name.starts_with('.') && !name.contains(".."), "{name:?}");
        let allowed = |c: u8| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*');
        assert!(name.bytes().all(allowed), "{name:?}");
        assert!(!name.get(1..).unwrap_or_default().contains('*'), "{name:?}");
    }
    for text in [&about.subject, &about.issuer] {
        assert!(!text.chars().any(char::is_control), "{text:?}");
        assert!(text.chars().count() <= 200);
    }
    let _ = (about.from.rfc3339(), about.until.rfc3339());
}
