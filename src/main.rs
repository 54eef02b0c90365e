//! The executable `memo`: everything is in the library.

fn main() -> std::process::ExitCode {
    memo::run(std::env::args_os())
}
