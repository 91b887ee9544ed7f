//! Protocols as machines without IO.
