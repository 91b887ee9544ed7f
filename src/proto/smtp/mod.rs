//! SMTP as a machine: RFC 5321.

pub mod command;
pub mod content;
pub mod parameter;
pub mod path;
pub mod reply;
