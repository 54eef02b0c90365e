//! One long-running process per key.

pub mod framing;
pub mod readiness;
