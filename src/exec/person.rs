//! Whether a command talked with the person at the terminal: then its result depends on what was typed,
//! and it is not recorded.

use std::fs::File;

use crate::sys::descriptor::standard;
use crate::sys::terminal;

/// What a program writes to enter the alternate screen (xterm's ctlseqs: DECSET 47, 1047, 1049).
const ALTERNATE_SCREEN: [&[u8]; 3] = [b"\x1b[?1049h", b"\x1b[?1047h", b"\x1b[?47h"];

/// Returns whether these bytes change to the alternate screen: an editor, a pager.
pub fn takes_the_screen(bytes: &[u8]) -> bool {
    let enters = |sequence: &&[u8]| bytes.windows(sequence.len()).any(|window| window == *sequence);
    bytes.contains(&0x1b) && ALTERNATE_SCREEN.iter().any(enters)
}

/// Watches the terminal that is stdin.
#[derive(Debug)]
pub struct Person {
    /// A second open of the terminal: SIGIO comes as long as it lives.
    _watch: Option<File>,
    typed_before: u64,
    cooked_before: bool,
    line_came: bool,
    interactive: bool,
}

impl Person {
    /// Begins to watch.
    pub fn watch() -> Self {
        let stdin = standard(0);
        Self {
            _watch: terminal::watch_input(stdin).ok(),
            typed_before: terminal::typed(stdin),
            cooked_before: terminal::is_cooked(stdin),
            line_came: false,
            interactive: false,
        }
    }

    /// Notes that input arrived.
    pub fn input_came(&mut self) {
        self.line_came = true;
        self.look_at_mode();
    }

    /// Notes what the command wrote.
    pub fn output_came(&mut self, bytes: &[u8]) {
        self.interactive |= takes_the_screen(bytes);
        self.look_at_mode();
    }

    /// Returns whether the command talks with a person, as far as that can be seen while it runs.
    pub fn is_there(&self) -> bool {
        self.interactive || self.line_came
    }

    /// Keys are read one by one, or not shown: a password, an editor.
    fn look_at_mode(&mut self) {
        if self.cooked_before && !terminal::is_cooked(standard(0)) {
            self.interactive = true;
        }
    }

    /// Returns whether the command took what was typed, or set the terminal up to.
    pub fn was_asked(mut self) -> bool {
        self.look_at_mode();
        let typed = terminal::typed(standard(0));
        self.interactive || typed < self.typed_before || self.line_came && typed == self.typed_before
    }
}
