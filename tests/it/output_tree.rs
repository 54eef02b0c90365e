//! Output directories and globs: everything below comes back as it was, and nothing else changes.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use crate::check::{hits, in_both_worlds, is_not_recorded, runs_once, world};
use crate::sandbox::{EARLY, LATE, Sandbox};

/// A command that counts and makes a tree of every kind of thing there is to keep.
const MAKE: &str = "memo -o build sh -c './bump; mkdir -p build/a/empty build/b; echo 1 >build/a/one; \
    echo 2 >build/b/two; chmod 755 build/b/two; : >build/nothing; ln -sf a/one build/link; \
    ln -sf /nowhere/at/all build/dangling; ln -sf ../../outside build/out; ln -sfn a build/to-directory; \
    chmod 750 build/b'";

/// What everything below a directory is: kinds, modes, link texts, contents.
const LIST: &str = "find build | sort | xargs stat -c '%n %f %s' | sed 's/ \\(41..\\) .*/ \\1/'; \
    find build -type l | sort | xargs readlink; find build -type f | sort | xargs cat";

fn mode(sandbox: &Sandbox, name: &str) -> u32 {
    fs::symlink_metadata(sandbox.path(name)).unwrap().mode() & 0o7777
}

mod comes_back {
    use super::*;

    #[test]
    fn whole_with_links_modes_and_empty_directories() {
        // turbo: cache optimized, pathological symlinks, nested symlink; wireit: empty directory, symlinks not
        // followed; ccache fileclone.
        in_both_worlds(|sandbox| {
            let ran = sandbox.run(MAKE);
            assert_eq!(ran.code, 0, "{}", ran.stderr);
            let before = sandbox.ok(LIST);
            sandbox.ok("rm -r build");
            hits(sandbox, MAKE);
            assert_eq!(sandbox.ok(LIST), before);
            hits(sandbox, MAKE);
            assert_eq!(sandbox.ok(LIST), before, "put back where it is");
            assert_eq!(sandbox.ok("ls -A"), "build\nbump\n");
            assert_eq!(fs::metadata(sandbox.path("build/a/one")).unwrap().nlink(), 1);
        });
    }

    #[test]
    fn after_any_part_of_it_was_damaged() {
        in_both_worlds(|sandbox| {
            sandbox.ok(MAKE);
            let before = sandbox.ok(LIST);
            for hack in [
                "rm build/a/one",
                "echo hacked >build/a/one",
                "rm -r build/a",
                "rmdir build/a/empty",
                "rm build/link",
                "ln -sfn elsewhere build/link",
                "rm build/link; echo file >build/link",
                "rm build/b/two; ln -s ../a/one build/b/two",
                "chmod 644 build/b/two; chmod 700 build/b",
                "rm build/nothing build/dangling; echo x >>build/b/two",
            ] {
                sandbox.ok(hack);
                hits(sandbox, MAKE);
                assert_eq!(sandbox.ok(LIST), before, "{hack}");
                assert_eq!(sandbox.ok("ls -A"), "build\nbump\n", "{hack}");
            }
        });
    }

    #[test]
    fn its_modes_follow_the_callers_mask() {
        let sandbox = world(EARLY);
        let line = "memo -o d sh -c './bump; mkdir d; echo 1 >d/f; echo 2 >d/x; chmod +x d/x; echo 3 >d/p; \
            chmod 600 d/p'";
        sandbox.ok(&format!("umask 022; {line}"));
        sandbox.ok("rm -r d");
        hits(&sandbox, &format!("umask 027; {line}"));
        let modes = ["d", "d/f", "d/x", "d/p"].map(|name| mode(&sandbox, name));
        assert_eq!(modes, [0o750, 0o640, 0o750, 0o600]);
    }

    #[test]
    fn a_directory_that_nobody_may_write_to() {
        let sandbox = world(EARLY);
        let line = "memo -o d sh -c './bump; mkdir -p d/e; echo 1 >d/e/f; chmod 555 d/e d'";
        sandbox.run_unprivileged(line);
        sandbox.run_unprivileged("chmod -R u+w d; rm -r d");
        sandbox.run_unprivileged(line);
        assert_eq!(sandbox.runs(), 1);
        assert_eq!((mode(&sandbox, "d"), mode(&sandbox, "d/e")), (0o555, 0o555));
        assert_eq!(sandbox.read("d/e/f"), "1\n");
    }

    #[test]
    fn behind_a_link_of_the_users() {
        // The declared place may be a link to where there is room.
        in_both_worlds(|sandbox| {
            let line = "memo -o build sh -c './bump; mkdir -p build/x; echo 1 >build/x/f'";
            sandbox.ok("mkdir ../scratch; ln -s ../scratch build");
            runs_once(sandbox, line);
            sandbox.ok("rm -r ../scratch/x");
            hits(sandbox, line);
            assert_eq!(
                sandbox.ok("cat ../scratch/x/f; readlink build; ls -A ../scratch"),
                "1\n../scratch\nx\n"
            );
        });
    }

    #[test]
    fn a_link_that_the_run_made_is_the_output_itself() {
        in_both_worlds(|sandbox| {
            let line = "memo -o current sh -c './bump; mkdir -p v1; ln -sfn v1 current'";
            runs_once(sandbox, line);
            sandbox.ok("rm current");
            hits(sandbox, line);
            assert_eq!(sandbox.ok("readlink current"), "v1\n");
            sandbox.ok("ln -sfn v0 current");
            hits(sandbox, line);
            assert_eq!(sandbox.ok("readlink current"), "v1\n");
        });
    }

    #[test]
    fn names_of_any_bytes_and_files_of_the_same_content() {
        // turbo: duplicate restores; moon: multiple files sharing the same blob; mise: Case.txt and case.txt.
        in_both_worlds(|sandbox| {
            let line = "memo -o d sh -c './bump; mkdir -p d; for n in \"a b\" \"$(printf \"\\377\\n\")x\" Case case \
                -- .hidden \"*\"; do echo same >\"d/$n\"; done'";
            runs_once(sandbox, line);
            let before = sandbox.ok("find d | sort | od -c");
            sandbox.ok("rm -r d");
            hits(sandbox, line);
            assert_eq!(sandbox.ok("find d | sort | od -c"), before);
        });
    }

    #[test]
    fn many_files_with_few_descriptors() {
        let sandbox = world(EARLY);
        let line = "memo -o d sh -c './bump; mkdir d; seq 300 | while read n; do echo $n >d/$n; done'";
        sandbox.ok(line);
        sandbox.ok("rm -r d");
        hits(&sandbox, &format!("ulimit -n 100; {line}"));
        assert_eq!(sandbox.ok("ls d | wc -l; cat d/300"), "300\n300\n");
        sandbox.ok("for f in d/*; do echo x >$f; done");
        hits(&sandbox, &format!("ulimit -n 100; {line}"));
        assert_eq!(sandbox.ok("cat d/300; ls -A"), "300\nbump\nd\n");
    }

    #[test]
    fn below_two_declarations_that_overlap() {
        for declared in ["-o b -o b/s", "-o b/s -o b", "-o b -o 'b/s/*'", "-o 'b/**' -o 'b/s/*'"] {
            let sandbox = world(LATE);
            let line = format!(
                "memo -i in {declared} sh -c './bump; i=$(cat in); rm -rf b; mkdir -p b/s; echo $i >b/s/$i; \
                    echo $i >b/g$i'"
            );
            for which in [1, 2] {
                sandbox.ok(&format!("echo {which} >in; {line}"));
            }
            for which in [1, 2] {
                sandbox.ok(&format!("echo {which} >in"));
                hits(&sandbox, &line);
                let found = sandbox.ok("find b -type f | sort");
                assert_eq!(found, format!("b/g{which}\nb/s/{which}\n"), "{declared}");
            }
        }
    }

    #[test]
    fn many_declared_files_with_few_descriptors() {
        let sandbox = world(LATE);
        let declared: String = (0..300).map(|n| format!(" -o f{n}")).collect();
        let line = format!(
            "ulimit -n 64; memo{declared} sh -c './bump; for n in $(seq 0 299); do echo $n >f$n; done'"
        );
        runs_once(&sandbox, &line);
        sandbox.ok("rm f*");
        hits(&sandbox, &line);
        assert_eq!(sandbox.ok("cat f* | sort -n | md5sum"), sandbox.ok("seq 0 299 | md5sum"));
    }

    #[test]
    fn what_globs_select() {
        in_both_worlds(|sandbox| {
            let line = "memo -o 'out/**/*.html' -o '*.txt' sh -c './bump; mkdir -p out/a/b; echo 1 >out/i.html; \
                echo 2 >out/a/b/j.html; echo 3 >out/a/k.css; echo 4 >t.txt; echo 5 >out/.h.html'";
            runs_once(sandbox, line);
            sandbox.ok("rm -r out t.txt");
            hits(sandbox, line);
            assert_eq!(
                sandbox.ok("find out t.txt | sort; cat out/a/b/j.html out/.h.html t.txt"),
                "out\nout/.h.html\nout/a\nout/a/b\nout/a/b/j.html\nout/i.html\nt.txt\n2\n5\n4\n"
            );
        });
    }

    #[test]
    fn a_glob_may_match_nothing() {
        in_both_worlds(|sandbox| {
            runs_once(sandbox, "memo -o 'none/*.o' ./bump");
        });
    }

    #[test]
    fn nothing_below_a_git_is_selected_by_a_glob() {
        let sandbox = world(EARLY);
        let line =
            "memo -o '**/config' sh -c './bump; mkdir -p .git d; echo 1 >.git/config; echo 2 >d/config'";
        sandbox.ok(line);
        sandbox.ok("rm -r .git d");
        hits(&sandbox, line);
        assert_eq!(sandbox.ok("ls -A; cat d/config"), "bump\nd\n2\n");
    }
}

mod times {
    use super::*;

    #[test]
    fn what_is_right_is_left_alone_and_brought_up_for_make() {
        in_both_worlds(|sandbox| {
            let line = "memo -i f -o d sh -c './bump; mkdir -p d/e; cat f >d/e/x; ln -sf e/x d/l'";
            sandbox.write("f", "1\n");
            runs_once(sandbox, line);
            sandbox.modified_at("f", 1_500_000_500);
            let touch = |when: u64| {
                sandbox.ok(&format!("touch -h -d @{when} d/e/x d/l; touch -d @{when} d/e d"));
            };
            let times = || {
                ["d", "d/e", "d/e/x", "d/l"].map(|name| {
                    let metadata = fs::symlink_metadata(sandbox.path(name)).unwrap();
                    (metadata.ino(), metadata.mtime())
                })
            };
            touch(1_500_000_501);
            let before = times();
            hits(sandbox, line);
            assert_eq!(times(), before, "newer: left alone");
            touch(1_500_000_400);
            let before = times();
            hits(sandbox, line);
            for (old, new) in before.iter().zip(times()) {
                assert_eq!(old.0, new.0, "touched, not made anew");
                assert!(new.1 > 1_500_000_500, "brought up");
            }
        });
    }

    #[test]
    fn make_is_content_with_a_tree() {
        in_both_worlds(|sandbox| {
            sandbox.write(
                "Makefile",
                "all: out/a out/b\nout/a out/b &: f\n\tmemo -i f -o out sh -c './bump; mkdir -p out; cat f >out/a; \
                 echo b >out/b'\n",
            );
            sandbox.write("f", "1\n");
            sandbox.ok("make");
            for hack in ["touch f", "rm -r out", "rm out/b", "touch f; rm out/a", "echo x >out/a; touch f"] {
                sandbox.ok(hack);
                sandbox.ok("make");
                assert_eq!(sandbox.ok("make -q && echo up to date"), "up to date\n", "{hack}");
            }
            assert_eq!(sandbox.runs(), 1);
        });
    }
}

mod not_recorded {
    use super::*;

    #[test]
    fn what_memo_cannot_give_back() {
        // turbo: fifo unsupported.
        for (make, why) in [
            ("mkfifo d/p", "output-special: `d/p` is a fifo"),
            (
                "python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind(\\\"d/s\\\")\"",
                "output-special: `d/s` is a socket",
            ),
            ("echo x >d/f; chmod 4755 d/f", "output-special: `d/f` is a file with a set-id bit"),
        ] {
            let sandbox = world(EARLY);
            let line = format!("memo -v -o d sh -c './bump; rm -rf d; mkdir d; {make}'");
            is_not_recorded(&sandbox, &line, why);
        }
        let sandbox = world(EARLY);
        is_not_recorded(
            &sandbox,
            "memo -v -o p sh -c './bump; rm -f p; mkfifo p'",
            "output-special: `p` is a fifo",
        );
        sandbox.ok("echo x >target; ln -s target l");
        is_not_recorded(
            &sandbox,
            "memo -v -o l sh -c './bump; echo y >l'",
            "output-special: `l` is a link that the run did not make",
        );
        is_not_recorded(&sandbox, "memo -v -o gone sh -c ./bump", "output-missing: `gone`");
    }

    #[test]
    fn an_output_that_is_an_input() {
        let sandbox = world(LATE);
        sandbox.ok("mkdir -p src build; echo 1 >src/a.c; echo 2 >build/x");
        for (options, both) in [
            ("-i src -o src", "src"),
            ("-i build/x -o build", "build/x"),
            ("-i 'build/*.h' -o build", "build/*.h"),
            ("-i src/a.c -o 'src/*'", "src/a.c"),
            ("-i src -o 'src/**'", "src/a.c"),
            ("-i 'src/*.c' -o '**/a.*'", "src/a.c"),
        ] {
            let why = format!("output-is-input: `{both}`");
            is_not_recorded(&sandbox, &format!("memo -v {options} sh -c ./bump"), &why);
        }
        // Outputs by path below an input directory are not among its inputs.
        runs_once(&sandbox, "memo -i src -o src/gen sh -c './bump; mkdir -p src/gen; echo 1 >src/gen/x'");
    }

    #[test]
    fn a_tree_that_is_too_large_before_it_is_copied() {
        let mut sandbox = world(EARLY);
        sandbox.set("MEMO_MAX_ENTRY", "100K");
        let line = "memo -v -o d sh -c './bump; mkdir -p d; head -c 60000 /dev/zero >d/a; cp d/a d/b'";
        is_not_recorded(&sandbox, line, "too-large");
        assert_eq!(sandbox.ok("find $MEMO_DIR/blobs -type f"), "");
    }
}

mod strict {
    use super::*;

    const LINE: &str = "-o out/a sh -c './bump; mkdir -p out; echo 1 >out/a; echo 2 >out/b'";

    #[test]
    fn what_nobody_declared_is_named_and_not_kept() {
        let sandbox = world(EARLY);
        let ran = sandbox.run(format!("memo -v {LINE}"));
        assert!(ran.stderr.contains("not restored on a hit: `out/b`"), "{}", ran.stderr);
        let ran = sandbox.run(format!("memo {LINE}"));
        assert_eq!((ran.stderr.as_str(), sandbox.runs()), ("", 1));
        // It would not have kept that one.
        sandbox.ok("rm -r out");
        let ran = sandbox.run(format!("memo -v --strict {LINE}"));
        assert_eq!(ran.missed(), Some("other-options"), "{}", ran.stderr);
        assert_eq!(ran.unrecorded(), Some("undeclared-output: `out/b`"), "{}", ran.stderr);
        // What a strict run kept answers everybody.
        for line in ["--strict -o 'out/*' -o out/a", "--strict -o out"] {
            let line = format!("memo {line} sh -c './bump; mkdir -p out; echo 1 >out/a; echo 2 >out/b'");
            runs_once(&sandbox, &line);
            hits(&sandbox, &line.replace("--strict ", ""));
        }
    }

    #[test]
    fn what_was_there_before_is_nothing_new() {
        let sandbox = world(EARLY);
        sandbox.ok("mkdir out; echo 0 >out/b");
        runs_once(&sandbox, &format!("memo --strict {LINE}"));
        let ran = sandbox.run("memo -v --strict -o x sh -c './bump; echo 1 >x; echo 1 >$1' sh word");
        assert_eq!(ran.unrecorded(), None, "a word declares its own: {}", ran.stderr);
    }
}

#[test]
fn a_declared_file_that_the_run_left_alone_is_the_users() {
    in_both_worlds(|sandbox| {
        let line = "memo -v -i in -o conf sh -c './bump; [ \"$(cat in)\" = keep ] || cat in >conf'";
        sandbox.write("in", "keep\n");
        sandbox.write("conf", "mine\n");
        sandbox.ok("chmod 644 conf");
        runs_once(sandbox, line);
        sandbox.ok("chmod 600 conf");
        hits(sandbox, line);
        assert_eq!(mode(sandbox, "conf"), 0o600);
        sandbox.write("conf", "edited\n");
        runs_once(sandbox, line);
        assert_eq!(sandbox.ok("cat conf"), "edited\n");
        // What an outcome made is not.
        sandbox.ok(&format!("echo other >in; {line}; echo keep >in"));
        hits(sandbox, line);
        assert_eq!(sandbox.ok("cat conf"), "edited\n");
    });
}

#[test]
fn a_file_that_the_run_left_alone_comes_back_too() {
    // What an earlier run of an incremental builder made is needed, though this run did not touch it.
    in_both_worlds(|sandbox| {
        sandbox.write("f", "1\n");
        let line =
            "memo -i f -o d sh -c './bump; mkdir -p d; test -e d/base || echo base >d/base; cat f >d/x'";
        sandbox.ok(line);
        sandbox.write("f", "2\n");
        runs_once(sandbox, line);
        sandbox.ok("rm -r d");
        hits(sandbox, line);
        assert_eq!(sandbox.ok("cat d/base d/x"), "base\n2\n");
    });
}

#[test]
fn a_reader_keeps_what_it_opened() {
    let sandbox = world(EARLY);
    sandbox.ok(MAKE);
    sandbox.ok("chmod 644 build/a/one; echo mine >build/a/one; ln build/a/one other");
    fs::set_permissions(sandbox.path("other"), PermissionsExt::from_mode(0o600)).unwrap();
    hits(&sandbox, MAKE);
    assert_eq!((sandbox.read("other"), sandbox.read("build/a/one")), ("mine\n".into(), "1\n".into()));
}
