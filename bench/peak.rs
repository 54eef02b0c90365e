//! `peak FILE COMMAND [ARG]...` runs a command and writes to FILE how much memory, in KiB, the largest
//! process below it had at its peak. The command's own children count, so it is an upper bound.

/// `RUSAGE_CHILDREN` of sys/resource.h.
const CHILDREN: i32 = -1;
/// Where `ru_maxrss` stands in `struct rusage`: after two `struct timeval` of two words each.
const MAXIMUM: usize = 4;

unsafe extern "C" {
    fn getrusage(who: i32, usage: *mut [i64; 18]) -> i32;
}

fn main() -> std::process::ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [file, program, rest @ ..] = words.as_slice() else { panic!("usage: peak FILE COMMAND [ARG]...") };
    let status = std::process::Command::new(program).args(rest).status().expect("the command can be run");
    let mut usage = [0; 18];
    // SAFETY: `usage` has the size of `struct rusage` on 64-bit Linux, 144 bytes.
    let result = unsafe { getrusage(CHILDREN, &raw mut usage) };
    assert_eq!(result, 0, "getrusage failed");
    std::fs::write(file, format!("{}\n", usage[MAXIMUM])).expect("the file can be written");
    if status.success() { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE }
}
