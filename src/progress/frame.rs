//! One frame of the line: indicatif draws it into memory.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use super::Doing;
use super::text::{self, Shape};

/// Below this width a bar would leave no room for words.
const ROOM_FOR_A_BAR: usize = 60;

/// What indicatif takes for a terminal: a line in memory.
#[derive(Clone, Debug, Default)]
struct Canvas(Arc<Mutex<(usize, String)>>);

impl Canvas {
    fn with<T>(&self, act: impl FnOnce(&mut (usize, String)) -> T) -> T {
        // Nothing that is done with it can leave it half done.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl TermLike for Canvas {
    fn width(&self) -> u16 {
        self.with(|(width, _)| u16::try_from(*width).unwrap_or(u16::MAX))
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.with(|(_, line)| line.push_str(text));
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.with(|(_, line)| line.clear());
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes frames.
#[derive(Debug)]
pub(super) struct Frame {
    canvas: Canvas,
    bar: ProgressBar,
    /// Whether the frame before had a bar.
    has_bar: Option<bool>,
}

impl Frame {
    pub(super) fn new() -> Self {
        let canvas = Canvas::default();
        let target = ProgressDrawTarget::term_like(Box::new(canvas.clone()));
        Self { canvas, bar: ProgressBar::with_draw_target(None, target), has_bar: None }
    }

    /// Returns the next frame: one line of at most `width` - 1 columns, without colours.
    pub(super) fn draw(&mut self, doing: &Doing, elapsed: Duration, moved: u64, width: usize) -> String {
        // Not to the last column: there a terminal of one column less would begin a new line.
        self.canvas.with(|(known, _)| *known = width.saturating_sub(1).max(1));
        let (shape, words) = text::of(doing, elapsed, moved);
        let has_bar = matches!(shape, Shape::Bar { .. }) && width >= ROOM_FOR_A_BAR;
        if self.has_bar.replace(has_bar) != Some(has_bar) {
            let template = if has_bar { "memo: [{bar:20}] {wide_msg}" } else { "memo: {spinner} {wide_msg}" };
            if let Ok(style) = ProgressStyle::with_template(template) {
                self.bar.set_style(style.progress_chars("=> ").tick_chars("|/-\\ "));
            }
        }
        if let Shape::Bar { position, length } = shape {
            self.bar.set_length(length.max(1));
            self.bar.set_position(position);
        }
        self.bar.set_message(words);
        self.bar.tick();
        self.canvas.with(|(_, line)| line.trim_end().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(command: &str, expected: Option<u64>) -> Doing {
        Doing::Running { command: command.to_owned(), expected: expected.map(Duration::from_secs) }
    }

    fn drawn(doing: &Doing, elapsed: u64, moved: u64, width: usize) -> String {
        Frame::new().draw(doing, Duration::from_secs(elapsed), moved, width)
    }

    #[test]
    fn an_unknown_duration_is_a_spinner_that_turns() {
        let mut frame = Frame::new();
        let doing = running("make test", None);
        let turns = ["/", "-", "\\", "|", "/"];
        let shown: Vec<String> =
            (0..5).map(|second| frame.draw(&doing, Duration::from_secs(second), 0, 80)).collect();
        let spinners: Vec<&str> = shown.iter().map(|line| &line[6..7]).collect();
        assert!(turns.iter().all(|turn| spinners.contains(turn)), "{spinners:?}");
        assert!(shown[4].ends_with(" 4 s  make test"), "{}", shown[4]);
    }

    #[test]
    fn a_known_duration_is_a_bar() {
        let line = drawn(&running("make test", Some(40)), 10, 0, 80);
        assert_eq!(line, "memo: [=====>              ] 10 s of about 40 s  make test");
    }

    #[test]
    fn beyond_what_it_took_last_time_there_is_no_bar() {
        let line = drawn(&running("make test", Some(40)), 90, 0, 80);
        assert!(line.ends_with(" 1 min 30 s, last time 40 s  make test"), "{line}");
    }

    #[test]
    fn bytes_are_counted() {
        let doing = Doing::Moving { verb: "hashing", name: "disk.img".to_owned(), total: 4 << 30 };
        assert_eq!(
            drawn(&doing, 3, 1 << 30, 80),
            "memo: [=====>              ] 1.00 GiB of 4.00 GiB, hashing disk.img"
        );
    }

    #[test]
    fn no_frame_is_as_wide_as_the_terminal() {
        let long = "x".repeat(300);
        let wide = "\u{65e5}\u{672c}".repeat(100);
        for width in [20, 59, 60, 80, 140] {
            for (command, expected) in [(&long, None), (&long, Some(9)), (&wide, None), (&wide, Some(9))] {
                let line = drawn(&running(command, expected), 1, 0, width);
                let columns: usize = line.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum();
                assert!(columns < width.max(2), "{width}: {columns}: {line}");
            }
        }
    }
}
