//! The words of the line: what is going on, for how long, and how far it is.

use std::time::Duration;

use indicatif::BinaryBytes;

use super::Doing;

/// Of a long command so much is shown, in characters: the line says how long, not what in full.
const MOST_OF_A_COMMAND: usize = 60;

/// What stands before the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Something that turns.
    Spinner,
    /// A bar.
    Bar {
        /// How much is done.
        position: u64,
        /// Of how much.
        length: u64,
    },
}

/// Returns what to show after `elapsed` and `moved` bytes.
pub(super) fn of(doing: &Doing, elapsed: Duration, moved: u64) -> (Shape, String) {
    let so_far = shown(elapsed);
    match doing {
        Doing::Running { command, expected: None } => {
            (Shape::Spinner, format!("{so_far}  {}", short(command)))
        }
        Doing::Running { command, expected: Some(expected) } => {
            let (shape, before) = if elapsed < *expected {
                let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
                let bar = Shape::Bar { position: millis(elapsed), length: millis(*expected) };
                (bar, format!("{so_far} of about {}", shown(*expected)))
            } else {
                (Shape::Spinner, format!("{so_far}, last time {}", shown(*expected)))
            };
            (shape, format!("{before}  {}", short(command)))
        }
        Doing::Waiting { pid } => {
            let pid = pid.map_or(String::new(), |pid| format!(", pid {pid}"));
            (Shape::Spinner, format!("waiting for the same command{pid}, {so_far}"))
        }
        Doing::Moving { verb, name, total } => {
            let bar = Shape::Bar { position: moved.min(*total), length: *total };
            (bar, format!("{} of {}, {verb} {}", BinaryBytes(moved), BinaryBytes(*total), short(name)))
        }
    }
}

/// Returns a time in whole seconds, minutes or hours.
fn shown(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds:02} s"),
        (hours, minutes, _) => format!("{hours} h {minutes:02} min"),
    }
}

/// Returns a text as one short line that a terminal takes for nothing else.
fn short(text: &str) -> String {
    let mut out: String =
        text.chars().map(|c| if c.is_control() { '?' } else { c }).take(MOST_OF_A_COMMAND).collect();
    if text.chars().nth(MOST_OF_A_COMMAND).is_some() {
        out.push_str("...");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        let of = |seconds| shown(Duration::from_secs(seconds));
        assert_eq!([of(0), of(59), of(60), of(125)], ["0 s", "59 s", "1 min 00 s", "2 min 05 s"]);
        assert_eq!([of(3600), of(86_400)], ["1 h 00 min", "24 h 00 min"]);
    }

    #[test]
    fn a_command_cannot_steer_the_terminal() {
        let doing = Doing::Running { command: "printf \x1b[2J\r\nx".to_owned(), expected: None };
        assert_eq!(of(&doing, Duration::ZERO, 0).1, "0 s  printf ?[2J??x");
    }

    #[test]
    fn a_waiter_says_for_whom() {
        let words = |pid| of(&Doing::Waiting { pid }, Duration::from_secs(12), 0).1;
        assert_eq!(words(Some(7)), "waiting for the same command, pid 7, 12 s");
        assert_eq!(words(None), "waiting for the same command, 12 s");
    }
}
