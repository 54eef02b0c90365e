//! The executable `memo`: everything is in the library.
//!
//! It does without the start of Rust's runtime, which reads `/proc/self/maps` and sets up a stack for
//! signals: that took a tenth of a hit. What memo needs of it, `sys::startup` does.
#![no_main]
#![expect(unsafe_code, reason = "the name by which libc calls a program cannot be given safely")]

/// Called by libc (ISO C, 5.1.2.2.1); its arguments are read through `std::env`.
#[unsafe(no_mangle)]
pub extern "C" fn main() -> i32 {
    memo::start(|| memo::run(std::env::args_os()))
}
