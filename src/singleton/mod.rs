//! One long-running process per key.

pub mod framing;
pub mod listeners;
pub mod log;
pub mod notify;
pub mod probe;
pub mod readiness;
pub mod tree;
