//! The appliance: what has to be in order before the first session, and around all of them.

mod certificates;
pub mod control;
pub mod executor;
pub mod hall;
pub mod lock;
pub mod log;
pub mod memory;
pub mod privilege;
pub mod reception;
pub mod settings;
pub mod shutdown;
pub mod start;
mod submit;
