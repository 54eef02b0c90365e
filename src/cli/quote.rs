//! Words as the shell reads them, so that what is shown can be pasted, and harms no terminal.

use crate::store::outcome::Shown;

/// Returns a call as one line: `NAME=...` for its assignments, then its words.
pub fn line(shown: &Shown) -> String {
    let mut line = String::new();
    for name in &shown.assignments {
        line.push_str(name);
        line.push_str("=... ");
    }
    for (i, bytes) in shown.words.iter().enumerate() {
        if i > 0 {
            line.push(' ');
        }
        let quoted = word(bytes);
        // Bare, the shell would take it for an assignment.
        if i == 0 && quoted.contains('=') && !quoted.starts_with(['\'', '$']) {
            line.push_str(&format!("'{quoted}'"));
        } else {
            line.push_str(&quoted);
        }
    }
    line
}

/// Returns a word as the shell reads it: bare where it can be, in `'...'` where it must be, and in `$'...'`
/// when it holds bytes that are no text or that a terminal would obey instead of show.
pub fn word(bytes: &[u8]) -> String {
    let bare = |c: char| c.is_alphanumeric() || "_@%+=:,./-".contains(c);
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.is_empty() && !text.starts_with('=') && text.chars().all(bare) => text.to_owned(),
        Ok(text) if !text.chars().any(is_hidden) => format!("'{}'", text.replace('\'', r"'\''")),
        _ => escaped(bytes),
    }
}

/// Returns whether a character is not to be shown: control characters, and those that change the
/// order or the look of others (the bidirectional ones of Unicode's annex 9, joiners, tags).
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

fn escaped(bytes: &[u8]) -> String {
    let mut out = "$'".to_owned();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' => out.push_str(r"\n"),
                '\t' => out.push_str(r"\t"),
                '\'' | '\\' => out.extend(['\\', c]),
                c if is_hidden(c) => octal(&mut out, c.encode_utf8(&mut [0; 4]).as_bytes()),
                c => out.push(c),
            }
        }
        octal(&mut out, chunk.invalid());
    }
    out.push('\'');
    out
}

/// In octal, because three digits end by themselves; how many `\x` takes differs between shells.
fn octal(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        out.push_str(&format!("\\{byte:03o}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::outcome;

    #[test]
    fn words_are_quoted_only_where_they_must_be() {
        for bare in ["a", "-la", "src/x.c", "a=b", "--x=1,2", "na\u{ef}ve", "50%", "__init__.py"] {
            assert_eq!(word(bare.as_bytes()), bare);
        }
        for (text, quoted) in [
            ("", "''"),
            ("a b", "'a b'"),
            ("*.c", "'*.c'"),
            ("$HOME", "'$HOME'"),
            ("~", "'~'"),
            ("=ls", "'=ls'"),
            ("it's", r"'it'\''s'"),
            (r"a\b", r"'a\b'"),
            ("#", "'#'"),
        ] {
            assert_eq!(word(text.as_bytes()), quoted);
        }
    }

    #[test]
    fn nothing_a_terminal_obeys_is_shown_raw() {
        assert_eq!(word(b"a\x1b[2Jb"), r"$'a\033[2Jb'");
        assert_eq!(word(b"a\nb\tc"), r"$'a\nb\tc'");
        assert_eq!(word(b"it's\x07\\"), r"$'it\'s\007\\'");
        assert_eq!(word("\u{202e}\u{9b}".as_bytes()), r"$'\342\200\256\302\233'");
        assert_eq!(word(b"\xff1"), r"$'\3771'");
        assert_eq!(word("\u{fc}\r".as_bytes()), "$'\u{fc}\\015'");
    }

    #[test]
    fn what_is_quoted_is_what_the_shell_reads() {
        let words: [&[u8]; 6] = [b"a b", b"it's", b"\\", b"*", "\u{fc} $x `y`".as_bytes(), b""];
        let mut script = "printf '%s\\n'".to_owned();
        for bytes in words {
            script = format!("{script} {}", word(bytes));
        }
        let output = std::process::Command::new("/bin/sh").args(["-c", &script]).output().unwrap();
        let expected: Vec<u8> = words.iter().flat_map(|word| [word, b"\n".as_slice()].concat()).collect();
        assert_eq!(output.stdout, expected);
    }

    #[test]
    fn a_line_shows_names_of_assignments_but_no_values() {
        let mut shown = outcome(&["cc", "-DX=1", "a b.c"], 0).shown;
        shown.assignments = vec!["LANG".into(), "_TMP".into()];
        assert_eq!(line(&shown), "LANG=... _TMP=... cc -DX=1 'a b.c'");
        assert_eq!(line(&outcome(&["./a=b", "c"], 0).shown), "'./a=b' c");
    }
}
