//! What is generated from the command line's definition and committed: the man page and the completions.
//!
//! `MEMO_BLESS=1 cargo test generated` writes them anew.

use std::fs;
use std::path::Path;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use memo::cli::{completions, tree};

/// Returns the man page: prose by hand, `@VERSION@` and `@OPTIONS@` filled in.
fn manual() -> String {
    let prose = fs::read_to_string(at("man/memo.1.in")).unwrap();
    let mut tree = tree();
    tree.build();
    let mut options = section(&tree, &[]);
    for subcommand in tree.get_subcommands().filter(|subcommand| subcommand.get_name() != "run") {
        let about = subcommand.get_long_about().or(subcommand.get_about()).unwrap().to_string();
        options.push_str(&format!(".SH MEMO {}\n", subcommand.get_name().to_uppercase()));
        options.push_str(&text(&about));
        // What `memo why` takes as a run does stands there.
        let run: Vec<String> = match subcommand.get_name() {
            "why" => tree.get_arguments().map(|argument| argument.get_id().to_string()).collect(),
            _ => Vec::new(),
        };
        options.push_str(&section(subcommand, &run));
    }
    // Stands at the head of the page.
    let options = options.replace(".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n", "");
    prose.replace("@VERSION@", env!("CARGO_PKG_VERSION")).replace("@OPTIONS@\n", &options)
}

/// Returns the options of one command, but for those that all have and those that were said before.
fn section(command: &Command, said: &[String]) -> String {
    let mut out = Vec::new();
    let name = command.get_name();
    let own = command.get_arguments().filter(|argument| {
        // The words of the command are the synopsis's business.
        let id = argument.get_id().as_str();
        !said.iter().any(|said| said == id)
            && !["help", "version"].contains(&id)
            && (name, id) != ("memo", "command")
    });
    let own = Command::new("memo").disable_help_flag(true).disable_version_flag(true).args(own);
    Man::new(own).render_options_section(&mut out).unwrap();
    let mut out = String::from_utf8(out).unwrap();
    for heading in ["OPTIONS", "KEY", "KEEP", "REUSE", "TALK"] {
        let name = format!("{}{}", &heading[..1], heading[1..].to_lowercase());
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
fn the_man_page_is_up_to_date() {
    check("man/memo.1", &manual());
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
