//! Routing against directories made of plain text.

mod aliases;
mod nexthop;
mod random;
mod rows;
mod table;
mod transports;
mod walks;
