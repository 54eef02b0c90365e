//! JSON, as far as memo writes it: one object a line.
//!
//! By hand, because it is a page, and the one serializer there is would have to be told about bytes that are
//! no text anyway: those become `{"hex": "..."}` in place of a string, so that nothing is lost and nothing is
//! taken for what it is not. Characters that a terminal would obey are escaped too.

use std::fmt::Write;

use super::quote::is_hidden;

/// A line under construction.
#[derive(Debug)]
pub struct Object(String);

impl Object {
    /// Begins an object.
    pub fn new() -> Self {
        Self("{".to_owned())
    }

    /// Adds a field with a text.
    pub fn text(self, name: &str, text: &str) -> Self {
        self.raw(name, &string(text))
    }

    /// Adds a field with bytes that are mostly text; `null` for none.
    pub fn bytes(self, name: &str, bytes: Option<&[u8]>) -> Self {
        self.raw(name, &bytes.map_or("null".to_owned(), word))
    }

    /// Adds a field with a list of bytes that are mostly text.
    pub fn list<'a>(self, name: &str, items: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let items: Vec<_> = items.into_iter().map(word).collect();
        self.raw(name, &format!("[{}]", items.join(",")))
    }

    /// Adds a field with a whole number.
    pub fn number(self, name: &str, number: u64) -> Self {
        self.raw(name, &number.to_string())
    }

    /// Adds a field with a number of ns, in s; `null` for none.
    pub fn seconds(self, name: &str, ns: Option<i128>) -> Self {
        let Some(ns) = ns else { return self.raw(name, "null") };
        let ms = ns / 1_000_000;
        let sign = if ms < 0 { "-" } else { "" };
        let ms = ms.unsigned_abs();
        self.raw(name, &format!("{sign}{}.{:03}", ms / 1000, ms % 1000))
    }

    /// Adds a field with a whole number; `null` for none.
    pub fn optional_number(self, name: &str, number: Option<u64>) -> Self {
        self.raw(name, &number.map_or("null".to_owned(), |number| number.to_string()))
    }

    /// Adds a field with a truth value.
    pub fn truth(self, name: &str, truth: bool) -> Self {
        self.raw(name, if truth { "true" } else { "false" })
    }

    /// Adds a field with an object.
    pub fn object(self, name: &str, object: Self) -> Self {
        self.raw(name, &(object.0 + "}"))
    }

    /// Adds a field with a list of objects.
    pub fn objects(self, name: &str, objects: impl IntoIterator<Item = Self>) -> Self {
        let objects: Vec<_> = objects.into_iter().map(|object| object.0 + "}").collect();
        self.raw(name, &format!("[{}]", objects.join(",")))
    }

    /// Ends the object and its line.
    pub fn line(mut self) -> String {
        self.0.push_str("}\n");
        self.0
    }

    fn raw(mut self, name: &str, value: &str) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&string(name));
        self.0.push(':');
        self.0.push_str(value);
        self
    }
}

impl Default for Object {
    fn default() -> Self {
        Self::new()
    }
}

fn word(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => string(text),
        Err(_) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{{\"hex\":\"{hex}\"}}")
        }
    }
}

fn string(text: &str) -> String {
    let mut out = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if is_hidden(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_one_line() {
        let line = Object::new()
            .text("a", "x\"\\\n\u{1b}\u{fc}\u{e0001}")
            .list("b", [b"text".as_slice(), b"\xff\x00"])
            .bytes("c", None)
            .number("d", 7)
            .seconds("e", Some(-1_234_567_890))
            .seconds("f", None)
            .truth("g", true)
            .object("h", Object::new().number("i", 1))
            .objects("j", [Object::new(), Object::new().truth("k", false)])
            .line();
        let expected = concat!(
            r#"{"a":"x\"\\\u000a\u001b"#,
            "\u{fc}",
            r#"\udb40\udc01","b":["text",{"hex":"ff00"}],"c":null,"d":7,"e":-1.234,"f":null,"g":true,"h":{"i":1},"j":[{},{"k":false}]}"#,
            "\n"
        );
        assert_eq!(line, expected);
        assert_eq!(Object::new().line(), "{}\n");
    }
}
