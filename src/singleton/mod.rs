//! One long-running process per key, handed to everybody who asks.
//!
//! ```text
//! caller --connects, or starts--> guardian --> supervisor --> the process, in a session of its own --> ...
//! ```
//!
//! There is no central daemon: each key has a supervisor of its own, which ends with its process. `ask` is the caller's
//! side, `supervisor` the other one; between them is the socket of a `slot`, over which they exchange `message`s.
//!
//! # What is true
//! That there is an instance says the lock of its slot and the socket that listens there, and never the number of a
//! process: those are used again. While the lock is held by nobody, no process of an instance is left.

pub mod ask;
pub mod client;
pub mod dependencies;
pub mod framing;
pub mod guardian;
pub mod inside;
pub mod listeners;
pub mod log;
pub mod machine;
pub mod message;
pub mod notify;
pub mod probe;
pub mod readiness;
pub mod release;
pub mod report;
pub mod scope;
pub mod service;
pub mod slot;
pub mod start;
mod supervisor;
pub mod tree;
pub mod verdict;
