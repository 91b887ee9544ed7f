//! Services: the only place where protocol, judgement and state meet.

pub mod imap;
pub mod lookup;
pub mod mx;
pub mod notify;
