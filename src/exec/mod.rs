//! Running the command: start it, pass on what it writes, keep a transcript, feed its stdin, and know
//! how it ended.
//!
//! Nothing here knows keys or the store; what was seen is handed back.

pub mod capture;
mod channel;
pub mod feed;
pub mod jobserver;
pub mod key_command;
pub mod keyboard;
pub mod launch;
pub mod passing;
pub mod person;
pub mod stdin;
pub mod transcript;
