//! What proves where mail comes from.
