//! `memo completions SHELL`, and the names that only the store and the singletons know, for these to ask for.

use clap::builder::PossibleValuesParser;
use clap::{Arg, Args, Command, ValueEnum, ValueHint};
use clap_complete::Shell;

use super::quote;
use super::singleton::SUBCOMMANDS;
use super::singleton::names::Where;
use crate::action::identity::Timestamp;
use crate::error::Error;
use crate::store::Store;
use crate::store::index::{Index, Order, Row};

/// Print completions for a shell
///
/// `source <(memo completions bash)` turns them on.
#[derive(Args, Clone, Debug)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL", required_unless_present = "list")]
    pub shell: Option<Shell>,

    /// Print the names of this kind that begin with PREFIX, one a line; behind a tab what it is
    #[arg(long, value_names = ["KIND", "PREFIX"], num_args = 1..=2, hide = true)]
    pub list: Vec<String>,
}

/// Kinds of names that no shell knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Of entries.
    Keys,
    /// Of groups.
    Groups,
    /// Of singletons of this project.
    Singletons,
    /// Of singletons that are good everywhere.
    GlobalSingletons,
    /// Of both.
    AnySingletons,
}

impl Kind {
    /// Returns where the singletons are good whose names are of this kind.
    pub fn of_singletons(self) -> Option<Where> {
        match self {
            Self::Keys | Self::Groups => None,
            Self::Singletons => Some(Where::Here),
            Self::GlobalSingletons => Some(Where::Everywhere),
            Self::AnySingletons => Some(Where::Any),
        }
    }
}

/// How many keys are offered: more than anybody looks through.
const MOST: usize = 200;

/// Returns which kind of names is asked for, and their beginning; `None` where completions of a newer memo ask for more.
pub fn asked(words: &[String]) -> Option<(Kind, &str)> {
    let kind = Kind::from_str(words.first()?, false).ok()?;
    Some((kind, words.get(1).map_or("", String::as_str)))
}

/// Returns the names of a kind that begin so: one a line, behind a tab what it is.
///
/// # Errors
/// When the store cannot be read.
pub fn list(kind: Kind, prefix: &str, store: &Store, now: Timestamp) -> Result<String, Error> {
    let mut index = Index::open(store, now)?;
    Ok(match kind {
        Kind::Groups => {
            let groups = index.groups()?.into_iter().filter(|group| group.starts_with(prefix));
            // One that a shell would have to be told how to quote is not offered.
            groups.filter(|group| quote::word(group.as_bytes()) == *group).map(|group| group + "\n").collect()
        }
        Kind::Keys => {
            let rows = match prefix {
                "" => index.page(Order::NewestFirst, None, MOST)?,
                _ => index.beginning(prefix, MOST)?,
            };
            let digits = match prefix.len() {
                0..=8 => 8,
                9..=16 => 16,
                _ => usize::MAX,
            };
            let named = |row: &Row| {
                let key: String = row.outcome.to_string().chars().take(digits).collect();
                format!("{key}\t{}\n", quote::line(&row.shown))
            };
            rows.iter().map(named).collect()
        }
        Kind::Singletons | Kind::GlobalSingletons | Kind::AnySingletons => String::new(),
    })
}

/// Returns the completions for a shell.
///
/// clap's own know nothing of a command that another one is given: behind `memo git` they offer files, or
/// memo's options. A few lines for the shells that can do better send such words to the command's own.
pub fn generate(shell: Shell) -> Vec<u8> {
    let tree = super::tree();
    // Without the words of the command, which would count as the first word behind a subcommand.
    let mut tree = Command::new("memo")
        .args(tree.get_arguments().filter(|argument| !argument.is_positional()))
        .subcommands(tree.get_subcommands().map(|subcommand| match subcommand.get_name() {
            "singleton" => singleton(subcommand),
            _ => subcommand.clone(),
        }))
        .disable_help_subcommand(true)
        .version(env!("CARGO_PKG_VERSION"));
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut tree, "memo", &mut text);
    let wrapper = match shell {
        Shell::Bash => include_str!("wrapper.bash"),
        Shell::Fish => include_str!("wrapper.fish"),
        Shell::Zsh => include_str!("wrapper.zsh"),
        _ => return text,
    };
    // What registers clap's function alone goes.
    let registers: &[u8] = match shell {
        Shell::Bash => b"\nif [[ \"${BASH_VERSINFO[0]}\" -eq 4 &&",
        Shell::Zsh => b"if [ \"$funcstack[1]\" = \"_memo\" ]",
        _ => b"",
    };
    if let Some(end) = find(&text, registers) {
        text.truncate(end);
    }
    if shell == Shell::Fish {
        // clap's condition holds behind a name and in the midst of a command too.
        let always = format!(
            "\"__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from {}\" -a",
            SUBCOMMANDS.join(" ")
        );
        let told = String::from_utf8_lossy(&text);
        text = told.replace(&always, "\"__fish_memo_at_of_singleton first\" -f -a").into_bytes();
    }
    let subcommands: Vec<&str> = tree.get_subcommands().map(Command::get_name).collect();
    let own: Vec<&str> = subcommands.iter().copied().filter(|name| !["run", "why"].contains(name)).collect();
    let wrapper = wrapper
        .replace("@VALUED@", &valued(&tree).join(" "))
        .replace("@TAKING@", &taking(&tree).join(" "))
        .replace("@SUBCOMMANDS@", &subcommands.join(" "))
        .replace("@OWN@", &own.join(" "))
        .replace("@VALUED_OF_SINGLETON@", &valued_of_singleton(&tree).join(" "))
        .replace("@OF_SINGLETON@", &SUBCOMMANDS.join(" "));
    text.extend_from_slice(wrapper.as_bytes());
    text
}

/// Returns the options that take the next word.
fn valued(command: &Command) -> Vec<String> {
    let mut names = Vec::new();
    for option in command.get_opts() {
        names.extend(option.get_short().map(|short| format!("-{short}")));
        names.extend(option.get_long().map(|long| format!("--{long}")));
    }
    names
}

/// Returns `memo singleton` without its name and the words of its command, as above.
fn singleton(command: &Command) -> Command {
    let about = command.get_about().cloned().unwrap_or_default();
    Command::new("singleton")
        .about(about)
        .args(command.get_arguments().filter(|argument| !argument.is_positional()).map(with_values))
        .subcommands(
            command
                .get_subcommands()
                .map(|subcommand| subcommand.clone().mut_args(|argument| with_values(&argument))),
        )
        .disable_help_subcommand(true)
}

/// Returns an option with the words that it takes; what is wrong with others is not the parser's to say.
fn with_values(argument: &Arg) -> Arg {
    let values: &[&'static str] = match argument.get_id().as_str() {
        "framing" => &["line", "json", "lsp"],
        "port" => &["auto"],
        _ => return argument.clone(),
    };
    argument.clone().value_parser(PossibleValuesParser::new(values)).value_hint(ValueHint::Unknown)
}

/// Returns the options that take the next word, of `memo singleton` and its subcommands.
fn valued_of_singleton(tree: &Command) -> Vec<String> {
    let Some(singleton) = tree.find_subcommand("singleton") else { return Vec::new() };
    let all = std::iter::once(singleton).chain(singleton.get_subcommands());
    let mut names: Vec<String> = all.flat_map(valued).filter(|name| name != "--exec").collect();
    names.sort();
    names.dedup();
    names
}

/// Returns the options that take the next word, of the subcommands that take a key.
fn taking(command: &Command) -> Vec<String> {
    let named =
        command.get_subcommands().filter(|subcommand| ["show", "clear"].contains(&subcommand.get_name()));
    let options = named.flat_map(Command::get_opts).filter(|option| option.get_action().takes_values());
    let mut names: Vec<String> =
        options.filter_map(|option| Some(format!("--{}", option.get_long()?))).collect();
    names.dedup();
    names
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    if part.is_empty() { None } else { text.windows(part.len()).position(|window| window == part) }
}
