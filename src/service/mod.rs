//! Where protocol, judgement and state meet.

pub mod login;
pub mod operate;
pub mod password;
