//! Mail leaves: what is due is sent, and what became of it is kept.

pub mod sign;
