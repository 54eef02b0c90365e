//! memo: a memoizing wrapper for shell commands.
//!
//! The library is what the executable is made of; its modules depend on each other downwards only.
//! ARCHITECTURE.md has the map.

pub mod action;
pub mod cli;
pub mod config;
pub mod engine;
pub mod error;
pub mod exec;
pub mod fault;
pub mod replay;
pub mod store;
pub mod sys;
pub mod ui;

use std::ffi::OsString;
use std::process::ExitCode;

/// Does what a command line asks for and returns the exit code; a command that died of a signal takes
/// this process with it by the same signal.
pub fn run(words: impl Iterator<Item = OsString>) -> ExitCode {
    std::panic::set_hook(Box::new(ui::internal_error));
    match cli::main(words) {
        engine::Exit::Code(code) => ExitCode::from(code),
        engine::Exit::Signal(signal) => {
            sys::signal::die_of(signal);
            // It was one that does not end a process: what a shell would make of it.
            ExitCode::from(128_u8.wrapping_add(u8::try_from(signal).unwrap_or(0)))
        }
    }
}
