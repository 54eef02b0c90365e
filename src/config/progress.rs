//! Whether memo shows how far it is, and whether a command gets a terminal of its own.

use super::nearest::nearest;

/// Whether progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Progress {
    /// To somebody who waits at a terminal.
    #[default]
    Auto,
    /// Wherever stderr goes.
    Always,
    /// Not at all.
    Never,
}

/// Whether a command gets a pseudo-terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pty {
    /// No: what it writes goes into pipes.
    #[default]
    Never,
    /// Yes.
    Always,
}

/// Returns the choice of this name, or what is wrong with it and what was meant.
pub(super) fn choice<T: Copy>(text: &str, known: &[(&'static str, T)]) -> Result<T, (String, String)> {
    if let Some((_, choice)) = known.iter().find(|(name, _)| *name == text) {
        return Ok(*choice);
    }
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    let hint = match nearest(text, names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("one of: {}", names.join(", ")),
    };
    Err((format!("unknown choice `{text}`"), hint))
}

impl Progress {
    /// All there are, by name.
    pub const ALL: [(&str, Self); 3] =
        [("auto", Self::Auto), ("always", Self::Always), ("never", Self::Never)];

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}

impl Pty {
    /// All there are, by name.
    pub const ALL: [(&str, Self); 2] = [("never", Self::Never), ("always", Self::Always)];

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Always => "always",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for (name, progress) in Progress::ALL {
            assert_eq!((progress.name(), choice(name, &Progress::ALL)), (name, Ok(progress)));
        }
        for (name, pty) in Pty::ALL {
            assert_eq!((pty.name(), choice(name, &Pty::ALL)), (name, Ok(pty)));
        }
    }

    #[test]
    fn other_names_are_refused() {
        let bad = |text| choice(text, &Progress::ALL).unwrap_err();
        assert_eq!(bad("alway"), ("unknown choice `alway`".to_owned(), "did you mean `always`?".to_owned()));
        assert_eq!(bad("1").1, "one of: auto, always, never");
    }
}
