//! Who may send what to whom: pure judgement over facts that the service has looked up. A refusal
//! says what is wrong; `service::reply` words it.

pub mod access;
pub mod connection;
pub mod limits;
pub mod quota;
pub mod rate;
pub mod recipient;
pub mod sender;
