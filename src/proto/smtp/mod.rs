//! SMTP as a machine: RFC 5321 and the extensions that [`server`] announces.

pub mod client;
pub mod command;
pub mod content;
pub mod parameter;
pub mod path;
pub mod reply;
pub mod server;
