//! Fault points: named places at which a test can stop the process or make a step fail.
//!
//! Without the feature `fault` they are nothing at all.

/// Does what `MEMO_FAULT` asks for at this place: `NAME=kill` dies of SIGKILL there, `NAME=panic`
/// panics, `NAME=stop:FIFO` opens FIFO for writing, so that the test knows, and waits until it can be read from again.
#[cfg(feature = "fault")]
pub fn point(name: &str) {
    #[expect(
        clippy::disallowed_methods,
        reason = "test hooks come from the environment of the process under test"
    )]
    let Ok(asked) = std::env::var("MEMO_FAULT") else { return };
    for one in asked.split(',') {
        match one.split_once('=') {
            Some((point, "kill")) if point == name => {
                crate::sys::signal::send(crate::sys::process::id(), crate::sys::signal::KILL);
            }
            Some((point, "panic")) if point == name => panic!("fault point {name}"),
            Some((point, action)) if point == name => {
                if let Some(fifo) = action.strip_prefix("stop:") {
                    let _ = std::fs::write(fifo, name);
                    let _ = std::fs::read(fifo);
                }
            }
            _ => {}
        }
    }
}

/// Does nothing.
#[cfg(not(feature = "fault"))]
#[inline(always)]
pub fn point(_name: &str) {}

/// Returns how long something may take: so long, or while a test stops the process at points, an hour, so
/// that it gets there on any machine.
#[cfg(feature = "fault")]
pub fn time(real: std::time::Duration) -> std::time::Duration {
    #[expect(
        clippy::disallowed_methods,
        reason = "test hooks come from the environment of the process under test"
    )]
    let tested = std::env::var_os("MEMO_FAULT").is_some();
    if tested { std::time::Duration::from_secs(3600) } else { real }
}

/// Returns how long something may take.
#[cfg(not(feature = "fault"))]
#[inline(always)]
pub fn time(real: std::time::Duration) -> std::time::Duration {
    real
}
