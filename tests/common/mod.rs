//! What the tests share: a world whose clock a script moves, a disk in memory, a house with a real
//! store and real services, and a pump for their sessions.

pub mod disk;
pub mod dns;
pub mod house;
pub mod journal;
pub mod pump;
pub mod requests;
pub mod rows;
pub mod scram;
pub mod script;
pub mod text;
pub mod world;
