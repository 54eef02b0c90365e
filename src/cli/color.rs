//! Colours: whether there are any, and what is meant by them.

use clap::ValueEnum;

use crate::config::Environment;

/// `--color`: when a list is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal, as NO_COLOR, CLICOLOR_FORCE, CLICOLOR and TERM have it
    #[default]
    Auto,
    /// Also into a file or pipe
    Always,
    /// Not even on a terminal
    Never,
}

/// What a piece of text is, which decides how it looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Look {
    /// Ordinary text.
    #[default]
    Plain,
    /// The title of a column or a part.
    Title,
    /// A name that can be given back to memo.
    Key,
    /// What is there and matters little.
    Faint,
    /// What is not as one would wish.
    Odd,
}

/// Whether to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paint(bool);

impl Paint {
    /// Text as it is.
    pub const NONE: Self = Self(false);
    /// Text with colours.
    pub const ALL: Self = Self(true);

    /// Decides it for an output that is a terminal or is not. An option comes before all variables; of these
    /// NO_COLOR (no-color.org) comes first, then CLICOLOR_FORCE, then CLICOLOR (bixense.com/clicolors).
    pub fn decide(when: When, environment: &Environment, terminal: bool) -> Self {
        let set = |name| environment.get(name).filter(|value| !value.is_empty());
        Self(match when {
            When::Always => true,
            When::Never => false,
            When::Auto if set("NO_COLOR").is_some() => false,
            When::Auto if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
            When::Auto => {
                terminal
                    && set("CLICOLOR").is_none_or(|value| value != "0")
                    && set("TERM").is_some_and(|value| value != "dumb")
            }
        })
    }

    /// Returns a text as it looks (ECMA-48, SGR); the terminal's own sixteen colours, which fit its background.
    pub fn text(self, look: Look, text: &str) -> String {
        let code = match look {
            Look::Title => "1",
            Look::Key => "33",
            Look::Faint => "2",
            Look::Odd => "31",
            Look::Plain => return text.to_owned(),
        };
        if self.0 && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn painted(when: When, variables: &[(&str, &str)], terminal: bool) -> bool {
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Paint::decide(when, &Environment::new(variables), terminal).0
    }

    #[test]
    fn variables_decide_in_their_order_and_the_option_before_them() {
        let xterm = ("TERM", "xterm");
        assert!(painted(When::Auto, &[xterm], true));
        assert!(!painted(When::Auto, &[xterm], false));
        for off in [("TERM", "dumb"), ("TERM", ""), ("CLICOLOR", "0"), ("NO_COLOR", "1")] {
            let mut variables = vec![off];
            if off.0 != "TERM" {
                variables.push(xterm);
            }
            assert!(!painted(When::Auto, &variables, true), "{off:?}");
            assert!(painted(When::Always, &variables, false), "{off:?}");
        }
        assert!(!painted(When::Auto, &[], true), "a terminal that is not named");
        assert!(painted(When::Auto, &[xterm, ("NO_COLOR", ""), ("CLICOLOR", "1")], true));
        assert!(painted(When::Auto, &[("CLICOLOR_FORCE", "1"), ("TERM", "dumb")], false));
        assert!(!painted(When::Auto, &[("CLICOLOR_FORCE", "0"), xterm], false));
        assert!(!painted(When::Auto, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1"), xterm], true));
        assert!(!painted(When::Never, &[("CLICOLOR_FORCE", "1"), xterm], true));
    }

    #[test]
    fn what_is_plain_or_empty_has_no_codes() {
        assert_eq!(Paint::ALL.text(Look::Key, "5b92"), "\x1b[33m5b92\x1b[0m");
        assert_eq!(Paint::ALL.text(Look::Plain, "x") + &Paint::ALL.text(Look::Odd, ""), "x");
        assert_eq!(Paint::NONE.text(Look::Title, "KEY"), "KEY");
    }
}
