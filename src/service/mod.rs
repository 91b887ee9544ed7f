//! Services: the only place where protocol, judgement and state meet.

pub mod dkim;
pub mod imap;
pub mod inbound;
pub mod login;
pub mod lookup;
pub mod names;
pub mod notify;
pub mod operate;
pub mod outbound;
pub mod password;
pub mod pop3;
pub mod reply;
pub mod smtp;
pub mod spool;
pub mod warning;
