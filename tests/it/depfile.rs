//! `--depfile`: what a compiler says it read becomes part of what its result depends on.

use snapbox::{assert_data_eq, str};

use crate::check::{hits, is_not_recorded, runs_once, world};
use crate::sandbox::{LATE, Sandbox};

/// A compiler: its output is the source and all that the source says it includes, one file a line.
const COMPILER: &str = r#"#!/bin/sh
echo . >>"$RUNS"
cat "$1" $(cat "$1") >"$2" || exit 1
echo "$2: $1" $(cat "$1") >"$3"
"#;

/// A world in which `cc` compiles `a.c`, which includes `a.h`.
fn project(now: &str) -> Sandbox {
    let sandbox = world(now);
    sandbox.script("cc", COMPILER);
    sandbox.write("a.c", "a.h\n");
    sandbox.write("a.h", "one\n");
    sandbox.write("b.h", "two\n");
    sandbox
}

const CC: &str = "memo -v --depfile a.d -o a.o ./cc a.c a.o a.d";

/// A command that writes the depfile `d` with this text, by printf.
fn writes(text: &str) -> String {
    format!("memo -v --depfile d sh -c './bump; printf \"{text}\" >d'")
}

mod what_it_names {
    use super::*;

    #[test]
    fn counts_by_content() {
        // D02
        let sandbox = project(LATE);
        runs_once(&sandbox, CC);
        sandbox.write("a.h", "one\n");
        hits(&sandbox, CC);
        sandbox.write("b.h", "three\n");
        hits(&sandbox, CC);
        sandbox.write("a.h", "changed\n");
        let ran = sandbox.run(CC);
        assert_eq!(ran.missed(), Some("input-changed: `a.h`"));
        assert_eq!(sandbox.read("a.o"), "a.h\nchanged\n");
        sandbox.ok("rm a.h");
        assert_eq!(sandbox.run(CC).missed(), Some("input-gone: `a.h`"));
        sandbox.write("a.h", "one\n");
        hits(&sandbox, CC);
        assert_eq!(sandbox.read("a.o"), "a.h\none\n");
    }

    #[test]
    fn belongs_to_the_outcome() {
        // One key, and each outcome has headers of its own.
        let sandbox = project(LATE);
        runs_once(&sandbox, CC);
        sandbox.write("a.c", "b.h\n");
        runs_once(&sandbox, CC);
        assert_eq!(sandbox.manifests(), 1);
        sandbox.write("a.h", "changed\n");
        hits(&sandbox, CC);
        assert_eq!(sandbox.read("a.o"), "b.h\ntwo\n");
        assert_eq!(sandbox.read("a.d"), "a.o: a.c b.h\n");
        sandbox.write("a.c", "a.h\n");
        runs_once(&sandbox, CC);
        sandbox.write("a.h", "one\n");
        hits(&sandbox, CC);
        assert_eq!(sandbox.read("a.d"), "a.o: a.c a.h\n");
        sandbox.write("b.h", "changed\n");
        hits(&sandbox, CC);
        sandbox.write("a.c", "b.h\n");
        runs_once(&sandbox, CC);
    }

    #[test]
    fn may_be_left_out_by_its_name() {
        let sandbox = project(LATE);
        let line = CC.replace("-o", "-i _version=a.h -o");
        runs_once(&sandbox, &line);
        sandbox.write("a.h", "changed\n");
        hits(&sandbox, &line);
    }

    #[test]
    fn counts_without_words_too() {
        let sandbox = project(LATE);
        let line = CC.replace("-o", "--no-auto -o");
        runs_once(&sandbox, &line);
        sandbox.write("a.c", "b.h\n");
        runs_once(&sandbox, &line);
        sandbox.write("b.h", "changed\n");
        runs_once(&sandbox, &line);
    }

    #[test]
    fn may_be_reached_by_a_link_and_be_anywhere() {
        let sandbox = project(LATE);
        sandbox.write("../elsewhere/x.h", "x\n");
        sandbox.ok("ln -s ../elsewhere/x.h l.h; echo l.h ../elsewhere/x.h /dev/null >a.c");
        runs_once(&sandbox, CC);
        sandbox.write("../elsewhere/x.h", "changed\n");
        runs_once(&sandbox, CC);
        sandbox.write("other.h", "changed\n");
        sandbox.ok("ln -sf other.h l.h");
        hits(&sandbox, CC);
        sandbox.write("other.h", "other\n");
        runs_once(&sandbox, CC);
    }

    #[test]
    fn may_be_another_file_than_its_text_says() {
        let sandbox = project(LATE);
        sandbox.write("../elsewhere/a.h", "other\n");
        sandbox.ok("mkdir ../elsewhere/d; ln -s ../elsewhere/d d; echo a.h d/../a.h >a.c");
        runs_once(&sandbox, CC);
        sandbox.write("../elsewhere/a.h", "changed\n");
        let ran = runs_once(&sandbox, CC);
        assert_eq!(ran.missed(), Some("input-changed: `d/../a.h`"));
    }

    #[test]
    fn moves_with_the_root() {
        let sandbox = project(LATE);
        sandbox.write("there/x.h", "x\n");
        let cc = "memo -v --root $PWD --depfile a.d -o a.o sh -c 'echo . >>$RUNS; cat $PWD/there/x.h a.h >a.o; echo a.o: $PWD/there/x.h a.h >a.d'";
        runs_once(&sandbox, cc);
        sandbox.ok("mkdir ../other; cp -r a.c a.h cc there ../other");
        let other = format!("cd ../other; {cc}");
        hits(&sandbox, &other);
        assert_eq!(sandbox.ok("cat ../other/a.o"), "x\none\n");
        sandbox.write("../other/there/x.h", "changed\n");
        runs_once(&sandbox, &other);
        hits(&sandbox, cc);
        assert_eq!(sandbox.read("a.o"), "x\none\n");
    }
}

mod the_file {
    use super::*;

    #[test]
    fn comes_back() {
        let sandbox = project(LATE);
        runs_once(&sandbox, CC);
        for change in ["rm a.d", "echo x >a.d", "rm a.o a.d"] {
            sandbox.ok(change);
            hits(&sandbox, CC);
            assert_eq!(sandbox.read("a.d"), "a.o: a.c a.h\n", "{change}");
            assert_eq!(sandbox.read("a.o"), "a.h\none\n", "{change}");
        }
    }

    #[test]
    fn is_one_with_the_output_for_all_who_ask_at_once() {
        // The pair comes from one run, whoever of eight made it and however many put it back at once.
        let sandbox = project(LATE);
        sandbox.script("cc", &format!("{COMPILER}echo \"# $$\" | tee -a $2 >>$3\n"));
        let at_once = format!("for i in 1 2 3 4 5 6 7 8; do {CC} 2>>said & done; wait");
        let mut made = None;
        for remove in ["true", "rm a.o a.d", "rm a.o", "echo x >a.d", "true"] {
            sandbox.ok(&format!("{remove}; {at_once}"));
            assert_eq!(sandbox.runs(), 1, "{remove}: {}", sandbox.read("said"));
            let last = |name: &str| sandbox.read(name).lines().last().map(str::to_owned);
            assert_eq!(last("a.o"), last("a.d"), "{remove}");
            assert_eq!(*made.get_or_insert_with(|| last("a.o")), last("a.o"), "{remove}");
        }
        assert_eq!(sandbox.ok("ls -A"), "a.c\na.d\na.h\na.o\nb.h\nbump\ncc\nsaid\n");
    }

    #[test]
    fn is_in_the_key_by_its_name() {
        let sandbox = project(LATE);
        runs_once(&sandbox, CC);
        runs_once(&sandbox, &CC.replace("a.d", "b.d"));
        runs_once(&sandbox, &CC.replace("--depfile a.d", "-o a.d"));
        hits(&sandbox, &CC.replace("--depfile a.d", "--depfile ./a.d"));
        hits(&sandbox, &CC.replace("--depfile a.d", "--depfile a.d -o ./a.d"));
    }

    #[test]
    fn must_be_written_by_this_run_and_say_something_true() {
        let sandbox = Sandbox::at(LATE);
        sandbox.write("d", "out: h\n");
        sandbox.ok("mkdir dir; mkfifo fifo");
        let written = |text: &str| {
            format!("rm -f d; memo -v --depfile d sh -c \"echo ran; printf '{text}' >d\" 2>&1 | tail -1")
        };
        let session = sandbox.steps(&[
            "memo -v --depfile d puppet print ran",
            "rm d; memo -v --depfile d puppet print ran",
            "memo -v --depfile d puppet mkdir d",
            "rmdir d; memo -v --depfile d puppet link h d",
            &written("out: nowhere"),
            &written("out: dir"),
            &written("out: fifo"),
            &written("out: /proc/self/stat"),
            &written("out: d"),
            &written("out"),
            &written(""),
            "rm -f d; memo -v -o h --depfile d puppet write h x , write d 'h: h'",
            "rm -f d; memo -v --depfile d puppet write d 'h: h' , exit 1",
        ]);
        assert_data_eq!(
            session,
            str![[r#"
$ memo -v --depfile d puppet print ran
memo: miss: never-seen
ran
memo: note: not recorded: depfile: `d`: the run did not write it
memo:   hint: let the command write it: `-MMD -MF d` with gcc and clang
$ rm d; memo -v --depfile d puppet print ran
memo: miss: never-seen
ran
memo: note: not recorded: depfile: `d`: the run did not write it
memo:   hint: let the command write it: `-MMD -MF d` with gcc and clang
$ memo -v --depfile d puppet mkdir d
memo: miss: never-seen
memo: note: not recorded: depfile: `d`: the run did not write it
memo:   hint: let the command write it: `-MMD -MF d` with gcc and clang
$ rmdir d; memo -v --depfile d puppet link h d
memo: miss: never-seen
memo: note: not recorded: depfile: `d`: the run did not write it
memo:   hint: let the command write it: `-MMD -MF d` with gcc and clang
$ rm -f d; memo -v --depfile d sh -c "echo ran; printf 'out: nowhere' >d" 2>&1 | tail -1
memo: not recorded: depfile: `d`: it names `nowhere`, which does not exist
$ rm -f d; memo -v --depfile d sh -c "echo ran; printf 'out: dir' >d" 2>&1 | tail -1
memo: not recorded: depfile: `d`: cannot hash `dir`: a directory
$ rm -f d; memo -v --depfile d sh -c "echo ran; printf 'out: fifo' >d" 2>&1 | tail -1
memo: not recorded: depfile: `d`: cannot hash `fifo`: a fifo
$ rm -f d; memo -v --depfile d sh -c "echo ran; printf 'out: /proc/self/stat' >d" 2>&1 | tail -1
memo: not recorded: depfile: `d`: cannot hash `/proc/self/stat`: a file of the kernel
$ rm -f d; memo -v --depfile d sh -c "echo ran; printf 'out: d' >d" 2>&1 | tail -1
memo: not recorded: output-is-input: `d`
$ rm -f d; memo -v --depfile d sh -c "echo ran; printf 'out' >d" 2>&1 | tail -1
memo: not recorded: depfile: `d`: its line 1 is no rule
$ rm -f d; memo -v --depfile d sh -c "echo ran; printf '' >d" 2>&1 | tail -1
memo: not recorded: depfile: `d`: it holds no rule
$ rm -f d; memo -v -o h --depfile d puppet write h x , write d 'h: h'
memo: miss: never-seen
memo: not recorded: output-is-input: `h`
$ rm -f d; memo -v --depfile d puppet write d 'h: h' , exit 1
memo: miss: never-seen
memo: not recorded: exit-status: 1
[exit 1]

"#]]
        );
    }

    #[test]
    fn of_an_earlier_run_says_nothing_of_this_one() {
        let sandbox = project(LATE);
        runs_once(&sandbox, CC);
        sandbox.write("cc", COMPILER.replace("echo \"$2", "exit; echo \"$2"));
        is_not_recorded(&sandbox, CC, "depfile: `a.d`: the run did not write it");
    }

    #[test]
    fn must_be_no_directory() {
        let sandbox = Sandbox::new();
        sandbox.ok("mkdir d");
        let session = sandbox.steps(&[
            "memo --depfile d puppet bump a",
            "memo --depfile . puppet bump a",
            "memo --depfile '' puppet bump a",
            "memo --depfile d -i d puppet bump a",
        ]);
        assert_eq!(sandbox.runs(), 0);
        assert_data_eq!(
            session,
            str![[r#"
$ memo --depfile d puppet bump a
memo: error: depfile `d` is a directory; the command was not run
memo:   hint: name the file that the command writes: `--depfile FILE`
[exit 125]
$ memo --depfile . puppet bump a
memo: error: depfile `.` is a directory; the command was not run
memo:   hint: name the file that the command writes: `--depfile FILE`
[exit 125]
$ memo --depfile '' puppet bump a
memo: error: `--depfile` needs a value; the command was not run
[exit 125]
$ memo --depfile d -i d puppet bump a
memo: error: depfile `d` is a directory; the command was not run
memo:   hint: name the file that the command writes: `--depfile FILE`
[exit 125]

"#]]
        );
    }
}

mod while_it_runs {
    use super::*;

    fn running() -> Sandbox {
        let sandbox = world(LATE).with_running_clock();
        sandbox.write("h", "one\n");
        sandbox.write("old", "two\n");
        sandbox.ok("ln -s h l");
        sandbox.next_tick();
        sandbox
    }

    #[test]
    fn a_header_that_was_saved_a_moment_ago_counts() {
        let sandbox = running();
        runs_once(&sandbox, &writes("out: h l"));
        sandbox.write("h", "two\n");
        sandbox.next_tick();
        runs_once(&sandbox, &writes("out: h l"));
    }

    #[test]
    fn a_header_that_changed_does_not() {
        for (change, changed) in [
            ("echo changed >h", "h"),
            ("echo one >h", "h"),
            ("cp -p old new; mv new h", "h"),
            ("mv old h", "h"),
            ("ln -f old h", "h"),
            ("ln -sfn old l", "l"),
            ("touch -d @1000000000 h", "h"),
            ("rm h; echo one >h; touch -d @1000000000 h", "h"),
        ] {
            let sandbox = running();
            let line = format!("memo -v --depfile d sh -c '{change}; echo out: {changed} >d'");
            let ran = sandbox.run(&line);
            let why = format!("input-changed-meanwhile: `{changed}`");
            assert_eq!(ran.unrecorded(), Some(why.as_str()), "{change}: {}", ran.stderr);
            assert_eq!(sandbox.manifests(), 0, "{change}");
        }
    }

    #[test]
    fn a_header_that_the_run_made_is_not_an_input() {
        let sandbox = running();
        let ran = sandbox.run("memo -v --depfile d sh -c 'echo x >made.h; echo out: made.h >d'");
        assert_eq!(ran.unrecorded(), Some("input-changed-meanwhile: `made.h`"));
    }
}

mod compilers {
    use super::*;

    fn has(sandbox: &Sandbox, program: &str) -> bool {
        let found = sandbox.run(format!("command -v {program}")).code == 0;
        if !found {
            eprintln!("skipped: no {program} here");
        }
        found
    }

    #[test]
    fn of_c() {
        for compiler in ["gcc", "clang"] {
            let sandbox = project(LATE);
            if !has(&sandbox, compiler) {
                continue;
            }
            sandbox.script("cc", &format!("#!/bin/sh\necho . >>\"$RUNS\"\nexec {compiler} \"$@\"\n"));
            let odd = "in c/a b#c$d.h";
            sandbox.write(
                "main.c",
                format!("#include <stddef.h>\n#include \"{odd}\"\nint main(void) {{ return CODE; }}\n"),
            );
            sandbox.write(odd, "#include \"nested.h\"\n");
            sandbox.write("in c/nested.h", "#define CODE 3\n");
            for options in ["-MMD", "-MD", "-MMD -MP"] {
                let line = format!("memo -v --depfile m.d -o m ./cc {options} -MF m.d main.c -o m");
                // What another action made is not known as an output of this one.
                sandbox.ok("rm -f m");
                sandbox.write("in c/nested.h", "#define CODE 3\n");
                runs_once(&sandbox, &line);
                assert_eq!(sandbox.run("./m").code, 3);
                sandbox.write("in c/nested.h", "#define CODE 4\n");
                runs_once(&sandbox, &line);
                assert_eq!(sandbox.run("./m").code, 4);
                sandbox.write(odd, "#define CODE 5\n");
                runs_once(&sandbox, &line);
                sandbox.write(odd, "#include \"nested.h\"\n");
                sandbox.write("in c/nested.h", "#define CODE 3\n");
                hits(&sandbox, &line);
                assert_eq!(sandbox.run("./m").code, 3);
            }
        }
    }

    #[test]
    fn of_rust() {
        let mut sandbox = project(LATE);
        let Some(rustc) = rustc(&sandbox) else {
            eprintln!("skipped: no rustc here");
            return;
        };
        sandbox.set("RUSTC", rustc);
        sandbox.write("m.rs", "#[path = \"q r#s.rs\"] pub mod q; mod dir;");
        sandbox.write("q r#s.rs", "pub const X: u32 = 1;");
        sandbox.write("dir/mod.rs", "pub const TEXT: &str = include_str!(\"text\");");
        sandbox.write("dir/text", "one");
        let line = "memo -v --depfile m.d -o libm.rmeta sh -c 'echo . >>$RUNS; \"$0\" --crate-type lib --emit=dep-info,metadata m.rs' \"$RUSTC\"";
        runs_once(&sandbox, line);
        for name in ["q r#s.rs", "dir/mod.rs", "dir/text"] {
            let before = sandbox.read(name);
            sandbox.write(name, format!("{before} "));
            runs_once(&sandbox, line);
            sandbox.write(name, before);
            hits(&sandbox, line);
        }
    }

    /// Returns the rustc that built this test, if it runs here without rustup's places.
    fn rustc(sandbox: &Sandbox) -> Option<std::ffi::OsString> {
        #[expect(clippy::disallowed_methods, reason = "where the toolchain is, is not the sandbox's")]
        let cargo = std::env::var_os("CARGO")?;
        let rustc = std::path::Path::new(&cargo).with_file_name("rustc");
        sandbox.command(&rustc).arg("--version").output().ok().filter(|output| output.status.success())?;
        Some(rustc.into_os_string())
    }
}
