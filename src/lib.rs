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
pub mod progress;
pub mod replay;
pub mod singleton;
pub mod store;
pub mod sys;
pub mod ui;

use std::ffi::OsString;

/// Does what Rust's runtime does before `main`, as far as memo needs it, and then runs `program`; returns
/// its exit code.
pub fn start(program: impl FnOnce() -> u8 + std::panic::UnwindSafe) -> i32 {
    sys::startup::prepare();
    std::panic::set_hook(Box::new(ui::internal_error));
    let code = std::panic::catch_unwind(program);
    code.unwrap_or_else(|_| error::Kind::Failed.code()).into()
}

/// Does what a command line asks for and returns the exit code; a command that died of a signal takes
/// this process with it by the same signal.
pub fn run(words: impl Iterator<Item = OsString>) -> u8 {
    match cli::main(words) {
        engine::Exit::Code(code) => code,
        engine::Exit::Signal(signal) => {
            sys::signal::die_of(signal);
            // It was one that does not end a process: what a shell would make of it.
            128_u8.wrapping_add(u8::try_from(signal).unwrap_or(0))
        }
    }
}
