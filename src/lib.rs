//! Pillarbox: a single-tenant mail appliance for small hardware, in one process and one data folder.
//!
//! Rooms lie on floors; `use crate::…` points down only (`tests/rooms.rs` holds the table).
//!
//! | floor | rooms | what |
//! |---|---|---|
//! | 0 | [`base`], [`mail`], [`config`] | values: no IO, no log, no clock |
//! | 1 | [`proto`] | protocols as machines without IO |
//! | 2a | [`mailauth`], [`policy`], [`routing`], [`schedule`] | judgement: pure, looks things up through traits of its own |
//! | 2b | [`store`] | state: a log that is the truth, an index that is read |
//! | 3 | [`net`] | the outside world |
//! | 4 | [`service`] | where protocol, judgement and state meet |
//! | 5 | [`appliance`], [`cli`] | start, stop, control; arguments in, text out |

pub mod appliance;
pub mod base;
pub mod cli;
pub mod config;
pub mod mail;
pub mod mailauth;
pub mod net;
pub mod policy;
pub mod proto;
pub mod routing;
pub mod schedule;
pub mod service;
pub mod store;
