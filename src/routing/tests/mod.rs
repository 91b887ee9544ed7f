//! Routing against directories made of plain text.

mod aliases;
mod random;
mod rows;
mod table;
mod transports;
mod walks;
