//! The parts of a call's key as people and programs read them: names, and what may be shown of values.

use std::fmt::Write;

use super::json::Object;
use super::quote;
use crate::action::part::{Part, PartKind};

/// Returns the value of a part as far as it may be shown, and its seal in brackets: all of it if `whole`, else its
/// beginning.
pub fn said(part: &Part, whole: bool) -> String {
    let mut said = String::new();
    match (part.kind, part.shown.is_empty()) {
        (_, true) => {}
        (PartKind::Streams, _) if part.name.is_empty() => {
            said.push_str(if part.shown == b"one" {
                "stdout and stderr in one"
            } else {
                "stdout and stderr apart"
            });
        }
        // What it begins with tells processes apart, as it does digests.
        (PartKind::Singleton, _) if !whole => {
            let digits = String::from_utf8_lossy(&part.shown[..part.shown.len().min(8)]);
            said.push_str(&digits.replace(quote::is_hidden, "?"));
        }
        (PartKind::Directory | PartKind::Program, _) => said.push_str(&quote::word(&part.shown)),
        _ => said.push_str(&String::from_utf8_lossy(&part.shown).replace(quote::is_hidden, "?")),
    }
    if let Some(seal) = &part.seal {
        let space = if said.is_empty() { "" } else { " " };
        let seal = if whole { seal.to_string() } else { seal.short() };
        let _ = write!(said, "{space}[{seal}]");
    }
    said
}

/// Returns an object of JSON: `kind` (the name of the reason when it differs), `name`, `value` as far as it may be
/// shown, the whole seal as `digest`, and whether it is in the key.
pub fn object(part: &Part) -> Object {
    let some = |bytes: &[u8]| (!bytes.is_empty()).then(|| bytes.to_vec());
    let seal = part.seal.map(|seal| seal.to_string().into_bytes());
    Object::new()
        .text("kind", part.kind.name())
        .bytes("name", some(&part.name).as_deref())
        .bytes("value", some(&part.shown).as_deref())
        .bytes("digest", seal.as_deref())
        .truth("hashed", !part.is_ignored())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_shown_by_its_first_digits() {
        let shown = b"1a2b3c4d000000000000000000000001".to_vec();
        let part = Part { kind: PartKind::Singleton, name: b"m".to_vec(), shown, seal: None };
        assert_eq!(said(&part, false), "1a2b3c4d");
        assert_eq!(said(&part, true), "1a2b3c4d000000000000000000000001");
        let text = object(&part).line();
        assert!(text.contains(r#""kind":"singleton","name":"m","value":"1a2b3c4d000000000000000000000001""#));
        // What a damaged file says.
        assert_eq!(said(&Part { shown: b"1a".to_vec(), ..part }, false), "1a");
    }
}
