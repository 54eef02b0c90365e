//! The system below memo: every `unsafe` block and every raw constant of the kernel's interface.
//!
//! Safe functions with plain types and no policy. A function here that would need an `if` about
//! memo belongs somewhere else.
#![expect(unsafe_code, reason = "the only module that may talk to the kernel without a safe wrapper")]

pub mod descriptor;
pub mod detach;
pub mod directory;
mod disposition;
pub mod end;
pub mod erase;
pub mod file;
pub mod lock;
pub mod memory;
pub mod pidfd;
pub mod pipe;
pub mod poll;
pub mod proc;
pub mod process;
pub mod random;
mod session;
pub mod signal;
pub mod socket;
pub mod startup;
pub mod terminal;
pub mod watch;
