//! Routing against directories made of plain text.
