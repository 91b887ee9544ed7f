//! What proves where mail comes from.

pub mod dkim;
