//! Services: the only place where protocol, judgement and state meet.

pub mod inbound;
pub mod lookup;
pub mod mx;
pub mod reply;
