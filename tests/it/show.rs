//! `memo show`: what real entries come to, and the bytes they hold.

use std::fs;

use snapbox::{assert_data_eq, str};

use crate::check::world;
use crate::sandbox::{EARLY, Ran, Sandbox};

/// Returns the whole key of the newest entry.
fn newest(sandbox: &Sandbox) -> String {
    field(&sandbox.ok("memo ls --json -n 1"), "key")
}

/// Returns a text field of an object of JSON.
#[track_caller]
fn field(json: &str, name: &str) -> String {
    let behind = json.split_once(&format!("\"{name}\":\"")).unwrap_or_else(|| panic!("{name}: {json}")).1;
    behind.split_once('"').unwrap().0.to_owned()
}

/// Returns what is shown without what differs from run to run: digests, and how long a run took.
fn lasting(sandbox: &Sandbox, text: &str) -> String {
    let mut out = String::new();
    for line in sandbox.shown(text).lines() {
        match line.split_whitespace().next() {
            Some("key" | "action" | "ran" | "stored") => {
                out.push_str(&format!("{} [..]", line.split_whitespace().next().unwrap()));
            }
            Some("used") if line.contains(" saved") => {
                let (before, behind) = line.split_once(" saved").unwrap();
                out.push_str(&format!("{}, [..] saved{behind}", before.split_once(',').unwrap().0));
            }
            _ => {
                // In their column, so that it stays as wide.
                let is_digest = |word: &&str| word.len() == 8 && word.bytes().all(|b| b.is_ascii_hexdigit());
                let mut line = line.to_owned();
                for word in line.clone().split_whitespace().filter(is_digest) {
                    line = line.replacen(word, "[DIGEST]", 1);
                }
                out.push_str(&line);
            }
        }
        out.push('\n');
    }
    out
}

#[test]
fn everything_known_of_an_entry_is_shown() {
    let sandbox = Sandbox::new();
    sandbox.write("in", "input\n");
    sandbox.ok("memo --ttl 1h -g build -i in -o out _T=1 sh -c 'cat in >out; echo done; echo oh >&2'");
    sandbox.ok("memo --ttl 1h -g build -i in -o out _T=2 sh -c 'cat in >out; echo done; echo oh >&2'");
    let shown = sandbox.ok(&format!("memo show {}", &newest(&sandbox)[..4]));
    let program = sandbox.ok("readlink -f $(command -v sh)");
    assert_data_eq!(
        lasting(&sandbox, &shown.replace(program.trim_end(), "SH").replace("/usr/bin/sh", "SH"))
            .replace("/bin/sh", "SH"),
        str![[r#"
key [..]
command     sh -c 'cat in >out; echo done; echo oh >&2'
directory   $T/work
group       build
not in key  _T
exit        0
ran [..]
recorded    0s ago, 1970-01-01T12:00:00Z
ttl         1 h, 1 h left
used        1 hit, [..] saved; last 0s ago, 1970-01-01T12:00:00Z
stdout      5 B
stderr      3 B
stored [..]

DEPENDS ON  MODE  CONTENT        PATH
program     x     [DIGEST]       SH
input       -     [DIGEST]       in
absent      -     nothing there  -c
absent      -     nothing there  'cat in >out; echo done; echo oh >&2'

LEFT      MODE  SIZE  CONTENT   PATH
declared  0644  6 B   [DIGEST]  out

"#]]
    );
    let long = sandbox.shown(&sandbox.ok(&format!("memo show -l {}", newest(&sandbox))));
    let key = newest(&sandbox);
    assert!(long.contains(&format!("key         {key}\n")), "{long}");
    let action = field(&sandbox.ok("memo ls --json"), "action");
    let manifest = format!("manifest  $T/store/manifests/{}/{action}\n", &action[..2]);
    assert!(long.contains(&manifest) && long.contains("output    $T/store/blobs/"), "{long}");
}

#[test]
fn stored_bytes_are_printed_exactly() {
    // Small ones stand in the outcome, large ones in a blob.
    for size in [0, 10, 300_000] {
        let sandbox = world(EARLY);
        let line = format!(
            "sh -c 'printf \"\\000\\377a\"; puppet fill {size}; echo between >&2; printf \"no newline\"; echo e >&2'"
        );
        sandbox.ok(&format!("memo {line} >out 2>err"));
        let key = newest(&sandbox);
        sandbox.ok(&format!("memo show {key} --stdout | cmp - out; memo show --stderr {key} | cmp - err"));
        sandbox.ok(&format!("memo show {key} --stdout >again; cmp again out"));
        let json = sandbox.ok(&format!("memo show {key} --json"));
        let lengths = ["out", "err"].map(|name| fs::metadata(sandbox.path(name)).unwrap().len());
        let expected = format!("\"stdout_bytes\":{},\"stderr_bytes\":{},", lengths[0], lengths[1]);
        assert!(json.contains(&expected), "{expected}: {json}");
        // Whoever has seen enough is no error.
        assert_eq!(
            sandbox.ok(&format!("memo show {key} --stdout | head -c 1 | wc -c; exit ${{PIPESTATUS[0]}}")),
            "1\n"
        );
        let full = sandbox.run(format!("memo show {key} --stdout >/dev/full"));
        assert_eq!(full.code, 125);
        assert!(full.stderr.starts_with("memo: error: cannot write to stdout: "), "{}", full.stderr);
    }
}

#[test]
fn outputs_are_printed_by_any_of_their_names() {
    let sandbox = world(EARLY);
    sandbox.ok("memo -o d -o a.o sh -c 'mkdir -p d/e; echo x >d/e/x; ln -s e/x d/l; printf object >a.o'");
    let key = newest(&sandbox);
    sandbox.ok("rm -r d a.o; mkdir elsewhere");
    let content = |path: &str| sandbox.ok(&format!("cd elsewhere; memo show {key} --output {path}"));
    assert_eq!(content("a.o"), "object");
    for name in ["d/e/x", "./d//e/x", "d/../d/e/x", &format!("{}", sandbox.path("d/e/x").display())] {
        assert_eq!(content(name), "x\n", "{name}");
    }
    assert_eq!(content("d/l"), "e/x");
    // Nothing is put in place for it.
    assert_eq!(sandbox.ok("ls -A . elsewhere"), ".:\nbump\nelsewhere\n\nelsewhere:\n");
    let directory = sandbox.run(format!("memo show {key} --output d/e"));
    assert_eq!((directory.code, directory.stdout.as_str()), (1, ""));
    assert_eq!(
        directory.stderr,
        "memo: error: output `d/e` is a directory\nmemo:   hint: there is `--output d/e/x`\n"
    );
}

#[test]
fn several_outcomes_of_one_action_are_shown_and_are_too_many_to_print() {
    let sandbox = Sandbox::new();
    for text in ["1", "2"] {
        sandbox.write("in", text);
        sandbox.ok("memo cat in");
    }
    let list = sandbox.ok("memo ls --json");
    let action = field(&list, "action");
    let shown = sandbox.ok(&format!("memo show {action}"));
    assert_eq!(shown.matches("\n\nkey ").count(), 1, "{shown}");
    assert_eq!(shown.matches("1 more outcome under the same action\n").count(), 2, "{shown}");
    assert_eq!(sandbox.ok(&format!("memo show --json {action}")).lines().count(), 2);
    let ran = sandbox.run(format!("memo show --stdout {action}"));
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    assert!(ran.stderr.contains("is the beginning of 2 keys\n"), "{}", ran.stderr);
    for key in list.lines().map(|line| field(line, "key")) {
        assert!(ran.stderr.contains(&format!("hint: `{}` is `cat in`\n", &key[..16])), "{}", ran.stderr);
    }
}

#[test]
fn nothing_damaged_is_printed() {
    let sandbox = world(EARLY);
    sandbox.ok("memo -o out sh -c 'puppet fill 300000; puppet fill 50000 >out'");
    let key = newest(&sandbox);
    let json = sandbox.ok(&format!("memo show --json {key}"));
    let mut blobs = Vec::new();
    for (holds, _) in [("transcript", 0), ("output", 1)] {
        let behind = json.split_once(&format!("\"holds\":\"{holds}\",\"path\":\"")).unwrap().1;
        blobs.push(behind.split_once('"').unwrap().0.to_owned());
    }
    for (blob, option) in blobs.iter().zip(["--stdout", "--output out"]) {
        // Of the same length: only its content tells.
        sandbox.ok(&format!("chmod u+w {blob}; printf X | dd of={blob} bs=1 seek=40000 conv=notrunc 2>&1"));
        let ran = sandbox.run(format!("memo show {key} {option}"));
        assert_eq!((ran.code, ran.stdout.as_str()), (125, ""));
        assert!(ran.stderr.contains("does not have the content its name says\n"), "{}", ran.stderr);
        assert!(ran.stderr.contains("hint: `memo doctor --fix`"), "{}", ran.stderr);
    }
    // What is only gone is not listed any more either.
    fs::remove_file(&blobs[0]).unwrap();
    assert_eq!(sandbox.run(format!("memo show {key} --stdout")).code, 1);
}

#[test]
fn what_is_wrong_is_said() {
    let sandbox = world(EARLY);
    sandbox.ok("memo ./bump a");
    let key = newest(&sandbox);
    let check = |words: &str, code: i32, said: &str| {
        let Ran { code: found, stdout, stderr } = sandbox.run(format!("memo show {words}"));
        assert_eq!((found, stdout.as_str()), (code, ""), "{words}: {stderr}");
        assert!(stderr.contains(said), "{words}: {stderr}");
    };
    check("", 2, "memo: error: KEY is missing\n");
    check("0000", 1, "nothing recorded is named `0000`\nmemo:   hint: `memo ls` lists");
    check(&key[..3], 1, "a KEY is four or more hexadecimal digits");
    check("'no such'", 1, "to find it: `memo ls 'no such'`");
    check(&format!("{key} --output x"), 1, "has no output `x`");
    check(&format!("{key} --stdout --stderr"), 2, "`--stdout` does not go with `--stderr`");
    check(&format!("{key} --stdout --json"), 2, "does not go with");
    check(&format!("{key} {key}"), 2, "`memo show` shows one entry; it takes no");
    check(&format!("{key} --color sometimes"), 2, "it takes `auto`, `always`, `never`");
    let empty = Sandbox::new();
    assert_eq!(empty.run("memo show 0000").code, 1);
    assert!(!empty.store().exists());
}

#[test]
fn showing_changes_nothing() {
    let sandbox = world(EARLY);
    sandbox.ok("memo ./bump a");
    let key = newest(&sandbox);
    let before = sandbox.ok("memo ls --json; memo stats --json");
    sandbox.ok(&format!("memo show {key}; memo show {key} --stdout; memo show {key} --json"));
    assert_eq!(sandbox.ok("memo ls --json; memo stats --json"), before);
    assert_eq!(sandbox.runs(), 1);
}
