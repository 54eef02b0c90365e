//! `memo config`: what is configured, and where each value comes from.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::json::Object;
use super::{print, quote};
use crate::config::origin::Origin;
use crate::config::rule::{Rule, Written};
use crate::config::setting::Setting;
use crate::config::{Config, Warning};
use crate::error::{Error, Kind};
use crate::ui::Ui;

/// Print what is configured, and where each value comes from
///
/// In the form of a configuration file. Exits with 2 when a file or a variable has a fault, which a run
/// only warns of.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigArgs {
    /// Print the value of this key alone; of a list, one a line
    #[arg(value_name = "KEY", value_hint = ValueHint::Other)]
    pub key: Option<String>,

    /// One JSON object for each key, and for each rule
    #[arg(long)]
    pub json: bool,

    /// Print where your own file is, whether it is there or not
    #[arg(long, conflicts_with_all = ["key", "json"])]
    pub path: bool,
}

/// Prints the configuration. `user_file` is where the user's own is. Returns the exit code.
///
/// # Errors
/// For an unknown KEY, and when stdout fails.
pub fn config(
    args: &ConfigArgs,
    config: &Config,
    warnings: &[Warning],
    user_file: Option<PathBuf>,
    ui: &Ui,
) -> Result<u8, Error> {
    if args.path {
        let path = user_file.ok_or_else(|| {
            Error::new(Kind::Nothing, "neither XDG_CONFIG_HOME nor HOME says where your file is")
        })?;
        return print::print(&format!("{}\n", path.display())).map(|()| 0);
    }
    let mut settings = config.settings();
    if let Some(key) = &args.key {
        settings.retain(|setting| setting.key == *key);
        if settings.is_empty() {
            return Err(unknown(key));
        }
    }
    let rules = if args.key.is_some() { &[][..] } else { &config.rules };
    let text: String = match (args.json, &args.key) {
        (true, _) => settings.iter().map(object).chain(rules.iter().map(rule_object)).collect(),
        (false, Some(_)) => settings.iter().map(|setting| plain(&setting.value)).collect(),
        (false, None) => file(config, &settings),
    };
    print::print(&text)?;
    let nowhere = config.store.as_ref().err().map(|why| Warning { message: why.clone(), hint: None });
    let faults: Vec<_> = warnings.iter().chain(&nowhere).collect();
    for warning in &faults {
        let error = Error::new(Kind::Usage, &warning.message);
        ui.error(&match &warning.hint {
            Some(hint) => error.hint(hint),
            None => error,
        });
    }
    Ok(if faults.is_empty() { 0 } else { Kind::Usage.code() })
}

fn unknown(key: &str) -> Error {
    let error = Error::new(Kind::Usage, format_args!("unknown key `{}`", quote::word(key.as_bytes())));
    match Config::nearest_key(key) {
        Some(near) => error.hint(format_args!("did you mean `{near}`?")),
        None => error.hint(format_args!("keys are: {}", Config::keys().collect::<Vec<_>>().join(", "))),
    }
}

/// Returns all as a file that says the same, with the origins as comments.
fn file(config: &Config, settings: &[Setting]) -> String {
    let mut text = String::new();
    if let Some(project) = &config.project {
        text += &format!("# project: {}\n", shown(project.as_os_str()));
    }
    for Setting { key, value, origins } in settings {
        match value {
            Written::List(elements) if !elements.is_empty() => {
                text += &format!("{key} = [\n");
                for (element, origin) in elements.iter().zip(origins) {
                    text += &format!("    {},  {}\n", toml(element), comment(origin));
                }
                text += "]\n";
            }
            value => {
                let origin = origins.first().unwrap_or(&Origin::BuiltIn);
                text += &format!("{key} = {}  {}\n", toml(value), comment(origin));
            }
        }
    }
    for rule in &config.rules {
        let fault = if rule.faulty { ", which has a fault: what it is for is not recorded" } else { "" };
        text += &format!("\n[[rule]]  {}{fault}\n", comment(&rule.origin));
        for (key, value) in &rule.written {
            text += &format!("{} = {}\n", key.name(), toml(value));
        }
    }
    text
}

fn comment(origin: &Origin) -> String {
    format!("# {}", shown(OsStr::new(&origin.to_string())))
}

/// Returns a path as the shell reads it, on one line whatever is in it.
fn shown(text: &OsStr) -> String {
    quote::word(text.as_bytes())
}

/// Returns a value as TOML has it (<https://toml.io/en/v1.0.0#string>).
fn toml(value: &Written) -> String {
    match value {
        Written::Number(number) => number.to_string(),
        Written::Truth(truth) => truth.to_string(),
        Written::List(list) => format!("[{}]", list.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Written::Text(text) => {
            let mut out = String::from("\"");
            for c in text.to_string_lossy().chars() {
                match c {
                    '"' | '\\' => out.extend(['\\', c]),
                    c if quote::is_hidden(c) => out.push_str(&format!("\\U{:08x}", u32::from(c))),
                    c => out.push(c),
                }
            }
            out + "\""
        }
    }
}

/// Returns a value for scripts: bare, of a list one element a line.
fn plain(value: &Written) -> String {
    match value {
        Written::List(list) => list.iter().map(plain).collect(),
        Written::Number(number) => format!("{number}\n"),
        Written::Truth(truth) => format!("{truth}\n"),
        Written::Text(text) => format!("{}\n", text.display()),
    }
}

fn object(setting: &Setting) -> String {
    let object = value(Object::new().text("key", setting.key), "value", &setting.value);
    if !matches!(setting.value, Written::List(_)) {
        return origin(object, setting.origins.first().unwrap_or(&Origin::BuiltIn)).line();
    }
    let origins: Vec<_> = setting.origins.iter().map(|origin| OsString::from(origin.to_string())).collect();
    object.list("origins", origins.iter().map(|origin| origin.as_bytes())).line()
}

fn rule_object(rule: &Rule) -> String {
    let object = origin(Object::new().text("key", "rule"), &rule.origin).truth("faulty", rule.faulty);
    rule.written.iter().fold(object, |object, (key, written)| value(object, key.name(), written)).line()
}

fn value(object: Object, name: &str, value: &Written) -> Object {
    match value {
        Written::Text(text) => object.bytes(name, Some(text.as_bytes())),
        Written::Number(number) => object.number(name, *number),
        Written::Truth(truth) => object.truth(name, *truth),
        Written::List(list) => {
            // Numbers stand in lists of exit codes alone, where their text means the same.
            let texts: Vec<OsString> = list.iter().map(|one| OsString::from(plain(one).trim_end())).collect();
            object.list(name, texts.iter().map(|text| text.as_bytes()))
        }
    }
}

fn origin(object: Object, origin: &Origin) -> Object {
    match origin {
        Origin::BuiltIn => object.text("source", "built-in"),
        Origin::Variable(name) => object.text("source", "variable").text("variable", name),
        Origin::File { path, line } => object
            .text("source", "file")
            .bytes("file", Some(path.as_os_str().as_bytes()))
            .number("line", *line as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_back_by_a_parser_of_toml() {
        for text in ["", "a b", "q\"u\\o", "a\nb\u{7f}\u{1b}[1m", "\u{fc}\u{e0001}", "# no comment"] {
            let line = format!("a = {}\n", toml(&Written::Text(text.into())));
            let table = toml::de::DeTable::parse(&line).unwrap();
            let (_, value) = table.get_ref().iter().next().unwrap();
            assert_eq!(value.get_ref().as_str(), Some(text), "{line}");
        }
    }

    #[test]
    fn values_are_bare_for_scripts() {
        let list = Written::List(vec![Written::Text("a b".into()), Written::Number(2)]);
        assert_eq!(plain(&list), "a b\n2\n");
        assert_eq!(plain(&Written::Truth(false)), "false\n");
    }
}
