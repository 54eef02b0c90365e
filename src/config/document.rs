//! What the lines of a configuration file say, also where some of them are faulty.
//!
//! Everything counts that has no fault; a key on the lines of a syntax error is left out, for what the
//! parser made of it is a guess. A fault within a `[[rule]]` concerns all of it.

use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::given::Given;

/// What a file says, to whoever looks at its parts in the order of the lines.
pub(super) trait Reader {
    /// A key with its value; `rule` is the line of the `[[rule]]` it stands in.
    fn entry(&mut self, entry: &Entry<'_>);
    /// A `[[rule]]` begins on a line; it is faulty when any of its lines is.
    fn rule(&mut self, line: usize, faulty: bool);
    /// The parser stumbled, over the value of a key if that is known.
    fn fault(&mut self, line: usize, key: Option<&str>, message: &str);
}

/// A key with its value, and the lines they are on.
pub(super) struct Entry<'a> {
    pub(super) name: &'a str,
    pub(super) value: Given<'a>,
    pub(super) lines: RangeInclusive<usize>,
    /// The line of the `[[rule]]` it stands in.
    pub(super) rule: Option<usize>,
}

/// Reads a text.
pub(super) fn read(text: &str, reader: &mut dyn Reader) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut faults = faults_of(text, &errors);
    let mut content = Content::of(text, table.get_ref());
    let without = without_stray_lines(text, &content.entries, &faults);
    let again = without.as_deref().map(DeTable::parse_recoverable);
    if let Some((table, errors)) = &again {
        faults.extend(faults_of(text, errors));
        content = Content::of(text, table.get_ref());
    }
    // All stable: of several faults on a line the parser's first one is told.
    faults.sort_by_key(|fault| fault.line);
    let Content { mut entries, mut rules, tables } = content;
    entries.sort_by_key(|entry| *entry.lines.start());
    rules.sort_unstable();

    // The last line whose fault has been told: one slip can make the parser stumble many times.
    let mut told = 0;
    for fault in &faults {
        if fault.line > told {
            let within = entries.iter().find(|entry| entry.lines.contains(&fault.line));
            reader.fault(fault.line, within.map(|entry| entry.name), fault.message);
            told = within.map_or(fault.line, |entry| *entry.lines.end());
        }
    }
    let is_faulty = |lines: RangeInclusive<usize>| faults.iter().any(|fault| lines.contains(&fault.line));
    let mut rules = rules.into_iter().peekable();
    for entry in &entries {
        while let Some(line) = rules.next_if(|line| line <= entry.lines.start()) {
            let next = tables.iter().filter(|other| **other > line).min();
            reader.rule(line, is_faulty(line..=next.map_or(usize::MAX, |next| next - 1)));
        }
        if !is_faulty(entry.lines.clone()) {
            reader.entry(entry);
        }
    }
    for line in rules {
        reader.rule(line, is_faulty(line..=usize::MAX));
    }
}

/// What the parser found.
#[derive(Default)]
struct Content<'a> {
    entries: Vec<Entry<'a>>,
    /// Lines on which a rule begins.
    rules: Vec<usize>,
    /// Lines on which any table begins.
    tables: Vec<usize>,
}

impl<'a> Content<'a> {
    fn of(text: &str, table: &'a DeTable<'_>) -> Self {
        let mut content = Self::default();
        for (name, value) in table {
            match value.get_ref() {
                DeValue::Array(elements) if *name.get_ref() == "rule" && is_tables(elements) => {
                    for element in elements {
                        let DeValue::Table(table) = element.get_ref() else { continue };
                        let at = line(text, element.span().start);
                        content.rules.push(at);
                        content.tables.push(at);
                        content.entries.extend(table.iter().map(|pair| entry(text, pair, Some(at))));
                    }
                }
                other => {
                    let entry = entry(text, (name, value), None);
                    if matches!(other, DeValue::Table(_)) {
                        content.tables.push(*entry.lines.start());
                    }
                    content.entries.push(entry);
                }
            }
        }
        content
    }
}

fn is_tables(elements: &[Spanned<DeValue<'_>>]) -> bool {
    elements.iter().all(|element| matches!(element.get_ref(), DeValue::Table(_)))
}

fn entry<'a>(
    text: &str,
    (key, value): (&'a Spanned<DeString<'_>>, &'a Spanned<DeValue<'_>>),
    rule: Option<usize>,
) -> Entry<'a> {
    // The span of a table is that of its header, and the key lies within.
    let (name, content) = (key.span(), value.span());
    let lines = line(text, name.start.min(content.start))..=line(text, name.end.max(content.end));
    Entry { name: key.get_ref(), value: value.get_ref().into(), lines, rule }
}

/// What the parser stumbled over.
struct Fault<'a> {
    line: usize,
    message: &'a str,
}

fn faults_of<'a>(text: &str, errors: &'a [toml::de::Error]) -> Vec<Fault<'a>> {
    let fault = |error: &'a toml::de::Error| {
        let start = error.span().map_or(text.len(), |span| span.start);
        Fault { line: line(text, start), message: error.message() }
    };
    errors.iter().map(fault).collect()
}

/// Returns the text with spaces for the faulty lines that belong to no key; `None` when it has none.
///
/// At a key without `=` the parser (toml 1.2) tells the faults of the other lines too, but gives no key
/// that stands behind it. Headers stay: without one, the keys of its table would be ours.
fn without_stray_lines(text: &str, entries: &[Entry<'_>], faults: &[Fault<'_>]) -> Option<String> {
    let is_stray = |number: usize, line: &str| {
        faults.iter().any(|fault| fault.line == number)
            && !entries.iter().any(|entry| entry.lines.contains(&number))
            && !line.trim_start().starts_with('[')
    };
    let mut found = false;
    let mut out = String::with_capacity(text.len());
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        if is_stray(number, line) {
            found = true;
            out.extend(line.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
        } else {
            out.push_str(line);
        }
    }
    found.then_some(out)
}

/// Returns the line, from 1, of a place in a text.
fn line(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}
