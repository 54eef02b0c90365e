//! `memo completions SHELL`.

use clap::{Args, Command};
use clap_complete::Shell;

/// Print completions for a shell
///
/// `source <(memo completions bash)` turns them on.
#[derive(Args, Clone, Debug)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
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
        .subcommands(tree.get_subcommands())
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
    let subcommands: Vec<&str> = tree.get_subcommands().map(Command::get_name).collect();
    let own: Vec<&str> = subcommands.iter().copied().filter(|name| !["run", "why"].contains(name)).collect();
    let wrapper = wrapper
        .replace("@VALUED@", &valued(&tree).join(" "))
        .replace("@SUBCOMMANDS@", &subcommands.join(" "))
        .replace("@OWN@", &own.join(" "));
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

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    if part.is_empty() { None } else { text.windows(part.len()).position(|window| window == part) }
}
