//! Singletons and random kills.
