//! What is generated from the command line's definition and committed: the man pages and the completions.
//!
//! `MEMO_BLESS=1 cargo test generated` writes them anew.

use std::fs;
use std::path::Path;

use clap::{Arg, Command};
use clap_complete::Shell;
use clap_mangen::Man;
use memo::cli::{completions, tree};

/// Returns memo(1): prose by hand, `@VERSION@` and `@OPTIONS@` filled in.
fn manual() -> String {
    let mut tree = tree();
    tree.build();
    let mut options = section(&tree, &[]);
    // `memo run` is what the page is about; `memo singleton` has one of its own.
    let elsewhere = ["run", "singleton"];
    for subcommand in tree.get_subcommands().filter(|one| !elsewhere.contains(&one.get_name())) {
        // What `memo why` takes as a run does stands there.
        let run: Vec<String> = match subcommand.get_name() {
            "why" => ids(&tree),
            _ => Vec::new(),
        };
        options.push_str(&of_subcommand("MEMO", subcommand, &run));
    }
    filled("man/memo.1.in", &options)
}

/// Returns memo-singleton(1), in the same way.
fn manual_of_singleton() -> String {
    let mut tree = tree();
    tree.build();
    let singleton = tree.find_subcommand("singleton").unwrap();
    let mut options = section(singleton, &[]);
    for subcommand in singleton.get_subcommands() {
        options.push_str(&of_subcommand("MEMO SINGLETON", subcommand, &said(singleton, subcommand)));
    }
    filled("man/memo-singleton.1.in", &options)
}

/// Returns what a subcommand takes that means the same as it does for the command above it.
fn said(above: &Command, subcommand: &Command) -> Vec<String> {
    let help = |command: &Command, id: &str| {
        let found = command.get_arguments().find(|argument| argument.get_id() == id);
        found.and_then(|argument| argument.get_help().map(ToString::to_string))
    };
    let same = ids(above).into_iter().filter(|id| help(above, id) == help(subcommand, id));
    // Names and commands are the synopsis's business.
    same.chain(subcommand.get_positionals().map(|argument| argument.get_id().to_string())).collect()
}

fn ids(command: &Command) -> Vec<String> {
    command.get_arguments().map(|argument| argument.get_id().to_string()).collect()
}

/// Returns the section of a subcommand, without the options that were `said`.
fn of_subcommand(above: &str, subcommand: &Command, said: &[String]) -> String {
    let about = subcommand.get_long_about().or(subcommand.get_about()).unwrap().to_string();
    let title = format!(".SH {above} {}\n", subcommand.get_name().to_uppercase());
    title + &text(&about) + &section(subcommand, said)
}

/// Returns a page with its version and its options filled in.
fn filled(name: &str, options: &str) -> String {
    let prose = fs::read_to_string(at(name)).unwrap();
    // Stands at the head of the page.
    let options = options.replace(".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n", "");
    prose.replace("@VERSION@", env!("CARGO_PKG_VERSION")).replace("@OPTIONS@\n", &options)
}

/// Returns the options of one command, but for those that all have and those that were said before.
fn section(command: &Command, said: &[String]) -> String {
    let mut out = Vec::new();
    let name = command.get_name();
    let is_own = |argument: &Arg| {
        let id = argument.get_id().as_str();
        // The words of the command are the synopsis's business.
        let is_command = ["memo", "singleton"].contains(&name) && argument.is_positional();
        !(is_command || said.iter().any(|said| said == id))
    };
    let of_all = |argument: &Arg| ["help", "version"].contains(&argument.get_id().as_str());
    if !command.get_arguments().any(|argument| !of_all(argument) && is_own(argument)) {
        return String::new();
    }
    // Hidden and not left out: others may name them as what they do not go with.
    let all = command.get_arguments().filter(|argument| !of_all(argument)).map(|argument| {
        let hidden = !is_own(argument);
        argument.clone().hide(hidden)
    });
    let shown = Command::new("memo").disable_help_flag(true).disable_version_flag(true).args(all);
    Man::new(shown).render_options_section(&mut out).unwrap();
    let mut out = String::from_utf8(out).unwrap();
    let headings = ["OPTIONS", "KEY", "KEEP", "REUSE", "TALK"];
    let of_singleton = ["DEPENDS ON", "READY", "CALLS", "LIFE", "CHANGE"];
    for heading in headings.into_iter().chain(of_singleton) {
        let name = format!("{}{}", &heading[..1], heading[1..].to_lowercase());
        let heading = if heading.contains(' ') { format!("\"{heading}\"") } else { heading.to_owned() };
        out = out.replace(&format!(".SH {heading}\n"), &format!(".SS {name}\n"));
    }
    out
}

/// Returns paragraphs as roff.
fn text(paragraphs: &str) -> String {
    let mut out = String::new();
    for paragraph in paragraphs.split("\n\n") {
        let escaped = paragraph.replace('\\', "\\e").replace('-', "\\-");
        out.push_str(&format!(".PP\n{}\n", escaped.trim_end_matches('.').to_owned() + "."));
    }
    out
}

fn completion(shell: Shell) -> String {
    String::from_utf8(completions::generate(shell)).unwrap()
}

fn at(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Compares a committed file with what it should be, or writes it.
#[track_caller]
fn check(name: &str, text: &str) {
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the test")]
    let bless = std::env::var_os("MEMO_BLESS").is_some();
    if bless {
        fs::create_dir_all(at(name).parent().unwrap()).unwrap();
        fs::write(at(name), text).unwrap();
    }
    let committed = fs::read_to_string(at(name)).unwrap_or_default();
    assert!(committed == text, "`{name}` is out of date: `MEMO_BLESS=1 cargo test generated`");
}

#[test]
fn the_man_pages_are_up_to_date() {
    check("man/memo.1", &manual());
    check("man/memo-singleton.1", &manual_of_singleton());
}

#[test]
fn completions_are_up_to_date() {
    check("completions/memo.bash", &completion(Shell::Bash));
    check("completions/_memo", &completion(Shell::Zsh));
    check("completions/memo.fish", &completion(Shell::Fish));
}

#[test]
fn completions_send_what_follows_to_the_command() {
    for (shell, registered) in [
        (Shell::Bash, "complete -F _memo_or_command -o bashdefault -o default memo\n"),
        (Shell::Zsh, "\ncompdef _memo_or_command memo\n"),
        (Shell::Fish, "-a '(__fish_memo_command_line)'\n"),
    ] {
        let text = completion(shell);
        assert!(text.contains(registered), "{shell}");
        for other in
            ["complete -F _memo -o", "    compdef _memo memo\n", "@VALUED@", "@OWN@", "@SUBCOMMANDS@"]
        {
            assert!(!text.contains(other), "{shell}: {other}");
        }
    }
}
