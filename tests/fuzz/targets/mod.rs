//! What is fuzzed: each target takes any octets and panics where something is wrong with us.
//! `tests/replay.rs` calls them with the corpus and with octets near it, `cargo fuzz` with what it
//! thinks up.

pub mod address;
pub mod config;
pub mod control;
pub mod dns;
pub mod dsn;
pub mod header;
pub mod imap;
pub mod imap_command;
pub mod index_rows;
pub mod log_records;
pub mod memory;
pub mod mime;
pub mod pop3;
pub mod sasl;
pub mod smtp;
pub mod smtp_content;
pub mod smtp_replies;
pub mod source;
pub mod x509;

/// A target and the words that its input is made of.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Of the folder in `corpus/` too.
    pub name: &'static str,
    pub run: fn(&[u8]),
    pub words: &'static [&'static str],
}

macro_rules! targets {
    ($($name:ident),*) => {
        pub const TARGETS: &[Target] = &[$(Target {
            name: stringify!($name),
            run: $name::run,
            words: $name::WORDS,
        }),*];
    };
}

targets!(
    address,
    config,
    control,
    dns,
    dsn,
    header,
    imap,
    imap_command,
    index_rows,
    log_records,
    mime,
    pop3,
    sasl,
    smtp,
    smtp_content,
    smtp_replies,
    x509
);
