//! Output files: kept by value, put back as they were, never over anything by a guess.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use snapbox::{assert_data_eq, str};

use crate::check::{hits, in_both_worlds, runs_once, world};
use crate::sandbox::{EARLY, LATE, Sandbox};

/// A command that counts and writes `out`.
const MAKE: &str = "memo -o out sh -c './bump; echo v1 >out'";

/// What stat(2) says of a file, but for when it was read.
fn stamp(path: &Path) -> (u64, i64, i64) {
    let metadata = fs::metadata(path).unwrap();
    (metadata.ino(), metadata.mtime(), metadata.mtime_nsec())
}

fn mode(sandbox: &Sandbox, name: &str) -> u32 {
    fs::metadata(sandbox.path(name)).unwrap().mode() & 0o7777
}

mod by_value {
    use super::*;

    #[test]
    fn what_is_done_to_an_output_never_reaches_the_store() {
        // B01, B02
        in_both_worlds(|sandbox| {
            runs_once(sandbox, MAKE);
            for hack in ["echo hacked >>out", "rm out", "echo hacked >out", "chmod 600 out; echo hacked >out"]
            {
                sandbox.ok(hack);
                hits(sandbox, MAKE);
                assert_eq!(sandbox.read("out"), "v1\n", "{hack}");
                assert_eq!(fs::metadata(sandbox.path("out")).unwrap().nlink(), 1);
            }
        });
    }

    #[test]
    fn the_output_of_the_run_itself_is_no_link_into_the_store_either() {
        let sandbox = world(EARLY);
        sandbox.ok(MAKE);
        assert_eq!(fs::metadata(sandbox.path("out")).unwrap().nlink(), 1);
        sandbox.ok("echo hacked >>out");
        hits(&sandbox, MAKE);
        assert_eq!(sandbox.read("out"), "v1\n");
    }

    #[test]
    fn what_comes_back_is_what_was_there() {
        for (name, make) in [
            ("empty", ": >out"),
            ("binary", "printf 'a\\0b\\377' >out"),
            ("large", "head -c 3000000 /dev/zero | tr '\\0' x >out; echo end >>out"),
            ("executable", "cp /bin/true out"),
        ] {
            in_both_worlds(|sandbox| {
                let line = format!("memo -o out sh -c './bump; {make}'");
                sandbox.ok(&line);
                let bytes = fs::read(sandbox.path("out")).unwrap();
                let bits = mode(sandbox, "out");
                fs::remove_file(sandbox.path("out")).unwrap();
                hits(sandbox, &line);
                assert!(fs::read(sandbox.path("out")).unwrap() == bytes, "{name}");
                assert_eq!(mode(sandbox, "out"), bits, "{name}");
            });
        }
    }

    #[test]
    fn several_come_back_together_with_what_was_printed() {
        in_both_worlds(|sandbox| {
            let line = "memo -o a -o d/b sh -c './bump out; echo e >&2; echo 1 >a; mkdir -p d; echo 2 >d/b'";
            runs_once(sandbox, line);
            sandbox.ok("rm -r a d");
            let ran = hits(sandbox, line);
            assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("out #1\n", "e\n"));
            assert_eq!((sandbox.read("a"), sandbox.read("d/b")), ("1\n".into(), "2\n".into()));
        });
    }

    #[test]
    fn a_directory_that_is_gone_is_made_again() {
        // U17
        in_both_worlds(|sandbox| {
            let line = "memo -o _site/x/i sh -c './bump; mkdir -p _site/x; echo x >_site/x/i'";
            runs_once(sandbox, line);
            sandbox.ok("rm -r _site");
            hits(sandbox, line);
            assert_eq!(sandbox.read("_site/x/i"), "x\n");
        });
    }

    #[test]
    fn a_damaged_blob_is_run_again() {
        // B02, B04
        let flip = "f=$(find $MEMO_DIR/blobs -type f); chmod u+w $f; printf X | dd of=$f conv=notrunc 2>&1";
        for damage in
            [flip, "rm -r $MEMO_DIR/blobs", "for f in $(find $MEMO_DIR/blobs -type f); do : >$f; done"]
        {
            let sandbox = world(EARLY);
            runs_once(&sandbox, MAKE);
            sandbox.ok(damage);
            sandbox.ok("rm out");
            let ran = sandbox.run(MAKE.replace("memo", "memo -v"));
            assert!(ran.missed().is_some_and(|why| why.starts_with("damaged")), "{damage}: {}", ran.stderr);
            assert_eq!((sandbox.read("out").as_str(), sandbox.runs()), ("v1\n", 2), "{damage}");
            sandbox.ok("rm out");
            hits(&sandbox, MAKE);
            assert_eq!(sandbox.read("out"), "v1\n", "{damage}");
        }
    }

    #[test]
    fn when_one_of_them_is_damaged_nothing_is_put_back() {
        let sandbox = world(EARLY);
        let line = "memo -o a -o b sh -c 'test -e ready || exit 0; echo 1 >a; echo 22 >b'";
        sandbox.ok("touch ready");
        sandbox.ok(line);
        sandbox.ok("rm a b ready; find $MEMO_DIR/blobs -type f -size 3c -delete");
        let ran = sandbox.run(line);
        assert_eq!(ran.code, 0);
        assert_eq!(sandbox.ok("ls"), "bump\n", "neither an output nor a file that was staged");
    }
}

mod in_place {
    use super::*;

    #[test]
    fn an_open_file_keeps_what_it_had() {
        // Put in place by rename: nobody sees half of it.
        in_both_worlds(|sandbox| {
            runs_once(sandbox, MAKE);
            sandbox.write("out", "old\n");
            let mut old = fs::File::open(sandbox.path("out")).unwrap();
            hits(sandbox, MAKE);
            let mut text = String::new();
            old.read_to_string(&mut text).unwrap();
            assert_eq!((text.as_str(), sandbox.read("out").as_str()), ("old\n", "v1\n"));
        });
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        in_both_worlds(|sandbox| {
            runs_once(sandbox, MAKE);
            sandbox.write("victim", "mine\n");
            sandbox.ok("ln -sf victim out");
            hits(sandbox, MAKE);
            assert_eq!((sandbox.read("victim"), sandbox.read("out")), ("mine\n".into(), "v1\n".into()));
            assert!(fs::symlink_metadata(sandbox.path("out")).unwrap().is_file());
            sandbox.ok("ln -f victim out");
            hits(sandbox, MAKE);
            assert_eq!((sandbox.read("victim"), sandbox.read("out")), ("mine\n".into(), "v1\n".into()));
        });
    }

    #[test]
    fn a_link_to_the_right_bytes_becomes_a_file_too() {
        in_both_worlds(|sandbox| {
            runs_once(sandbox, MAKE);
            sandbox.ok("mv out same; ln -s same out");
            hits(sandbox, MAKE);
            assert!(fs::symlink_metadata(sandbox.path("out")).unwrap().is_file());
        });
    }

    #[test]
    fn bytes_that_are_there_are_left_alone() {
        in_both_worlds(|sandbox| {
            runs_once(sandbox, MAKE);
            sandbox.modified_at("out", 1_500_000_000);
            let before = stamp(&sandbox.path("out"));
            hits(sandbox, MAKE);
            assert_eq!(stamp(&sandbox.path("out")), before);
        });
    }

    #[test]
    fn what_is_put_back_is_new() {
        in_both_worlds(|sandbox| {
            runs_once(sandbox, MAKE);
            sandbox.write("out", "old\n");
            sandbox.write("clock", "");
            sandbox.ok("touch clock");
            hits(sandbox, MAKE);
            let (_, clock, clock_ns) = stamp(&sandbox.path("clock"));
            let (_, out, out_ns) = stamp(&sandbox.path("out"));
            assert!((out, out_ns) >= (clock, clock_ns));
        });
    }

    #[test]
    fn it_is_made_as_new_as_the_newest_input() {
        for line in [
            "memo -i f -i g -o out sh -c './bump; cat f >out'",
            "memo -o out sh -c './bump; cat f >out' sh f g",
        ] {
            in_both_worlds(|sandbox| {
                sandbox.write("f", "1\n");
                sandbox.write("g", "1\n");
                runs_once(sandbox, line);
                sandbox.modified_at("f", 1_500_000_000);
                sandbox.modified_at("g", 1_500_000_500);
                sandbox.modified_at("out", 1_500_000_501);
                let inode = stamp(&sandbox.path("out")).0;
                hits(sandbox, line);
                assert_eq!(stamp(&sandbox.path("out")), (inode, 1_500_000_501, 0), "newer: left alone");
                sandbox.modified_at("out", 1_500_000_400);
                hits(sandbox, line);
                let (same, seconds, _) = stamp(&sandbox.path("out"));
                assert_eq!(same, inode, "touched, not written");
                assert!(seconds >= 1_500_000_500, "older than `g`: brought up");
            });
        }
    }

    #[test]
    fn make_is_content() {
        in_both_worlds(|sandbox| {
            sandbox.write("Makefile", "out: f\n\tmemo -i f -o out sh -c './bump; cat f >out'\n");
            sandbox.write("f", "1\n");
            sandbox.ok("make");
            sandbox.ok("touch f; make");
            assert_eq!(sandbox.runs(), 1);
            assert_eq!(sandbox.ok("make -q && echo up to date"), "up to date\n");
        });
    }

    #[test]
    fn a_directory_in_the_way_is_not_removed() {
        let sandbox = world(EARLY);
        sandbox.ok(MAKE);
        sandbox.ok("rm out; mkdir out; touch out/mine");
        let ran = sandbox.run(MAKE);
        assert_eq!((ran.code, sandbox.runs()), (2, 2), "the command runs, and fails: {}", ran.stderr);
        assert!(sandbox.path("out/mine").exists());
    }

    #[test]
    fn nothing_staged_is_left_behind() {
        let sandbox = world(EARLY);
        sandbox.ok(MAKE);
        sandbox.ok("echo hacked >out");
        hits(&sandbox, MAKE);
        assert_eq!(sandbox.ok("ls -A"), "bump\nout\n");
    }

    #[test]
    fn where_it_cannot_be_put_back_the_command_runs() {
        let sandbox = world(EARLY);
        sandbox.ok("mkdir d; >d/out; chmod 666 d/out; chmod 555 d");
        let line = "memo -o d/out sh -c './bump; echo v1 >d/out'";
        for hack in ["true", "echo hacked >d/out"] {
            sandbox.run_unprivileged(hack);
            assert_eq!(sandbox.run_unprivileged(line).code, 0);
            assert_eq!(sandbox.read("d/out"), "v1\n");
        }
        assert_eq!(sandbox.runs(), 2);
    }
}

mod modes {
    use super::*;

    #[test]
    fn permission_bits_come_back() {
        for bits in ["755", "600", "640", "444", "711"] {
            in_both_worlds(|sandbox| {
                let line = format!("memo -o out sh -c './bump; echo v1 >out; chmod {bits} out'");
                runs_once(sandbox, &line);
                let expected = u32::from_str_radix(bits, 8).unwrap();
                sandbox.ok("rm -f out");
                hits(sandbox, &line);
                assert_eq!(mode(sandbox, "out"), expected, "put back");
                fs::set_permissions(sandbox.path("out"), PermissionsExt::from_mode(0o606)).unwrap();
                hits(sandbox, &line);
                assert_eq!(mode(sandbox, "out"), expected, "left alone but for its bits");
            });
        }
    }

    #[test]
    fn what_any_new_file_gets_follows_the_callers_mask() {
        in_both_worlds(|sandbox| {
            runs_once(sandbox, &format!("umask 022; {MAKE}"));
            assert_eq!(mode(sandbox, "out"), 0o644);
            sandbox.ok("rm out");
            hits(sandbox, &format!("umask 077; {MAKE}"));
            assert_eq!(mode(sandbox, "out"), 0o600);
            sandbox.ok("rm out");
            hits(sandbox, &format!("umask 002; {MAKE}"));
            assert_eq!(mode(sandbox, "out"), 0o664);
        });
    }

    #[test]
    fn set_id_bits_are_not_recorded() {
        let sandbox = world(EARLY);
        let ran = sandbox.run("memo -v -o out sh -c './bump; echo v1 >out; chmod 4755 out'");
        assert_eq!(ran.unrecorded(), Some("output-special: `out` is a file with a set-id bit"));
    }
}

mod declared {
    use super::*;

    #[test]
    fn one_that_is_not_made_is_not_recorded() {
        // I33
        let sandbox = Sandbox::new();
        sandbox.write("victim", "mine\n");
        let session = sandbox.steps(&[
            "memo -v -o out puppet bump a",
            "memo -v -o out puppet bump a , mkdir out",
            "rmdir out; memo -v -o out puppet bump a , link victim out",
            "rm out; memo -v -o out puppet bump a , write out x , exit 3",
            "memo -v -o out -i ./out puppet bump a",
        ]);
        assert_data_eq!(
            session,
            str![[r#"
$ memo -v -o out puppet bump a
memo: miss: never-seen
a #1
memo: not recorded: output-missing: `out`
$ memo -v -o out puppet bump a , mkdir out
memo: miss: never-seen
a #2
$ rmdir out; memo -v -o out puppet bump a , link victim out
memo: miss: words: `link victim`, was `mkdir`
a #3
$ rm out; memo -v -o out puppet bump a , write out x , exit 3
memo: miss: never-seen
a #4
memo: not recorded: exit-status: 3
[exit 3]
$ memo -v -o out -i ./out puppet bump a
memo: not recorded: output-is-input: `out`
a #5

"#]]
        );
    }

    #[test]
    fn the_working_directory_is_none() {
        let sandbox = Sandbox::new();
        sandbox.ok("mkdir -p d project/.git; ln -s . here; ln -s project link");
        let session = sandbox.steps(&[
            "memo -o . puppet bump a",
            "memo -o '' puppet bump a",
            "memo -o / puppet bump a",
            "memo -o .. puppet bump a",
            "memo -o $PWD/ puppet bump a",
            "memo -o here puppet bump a",
            "memo -o d/.. puppet bump a",
            "memo -o project puppet bump a",
            "memo -o link puppet bump a",
            "memo -o project/.git puppet bump a",
        ]);
        assert_eq!(sandbox.runs(), 0);
        assert_data_eq!(
            session,
            str![[r#"
$ memo -o . puppet bump a
memo: error: output `.` cannot be kept: it holds the working directory; the command was not run
memo:   hint: name what the command makes: `-o FILE`, `-o build`, `-o 'out/*.html'`
[exit 125]
$ memo -o '' puppet bump a
memo: error: output `.` cannot be kept: it holds the working directory; the command was not run
memo:   hint: name what the command makes: `-o FILE`, `-o build`, `-o 'out/*.html'`
[exit 125]
$ memo -o / puppet bump a
memo: error: output `/` cannot be kept: it holds the working directory; the command was not run
memo:   hint: name what the command makes: `-o FILE`, `-o build`, `-o 'out/*.html'`
[exit 125]
$ memo -o .. puppet bump a
memo: error: output `..` cannot be kept: it holds the working directory; the command was not run
memo:   hint: name what the command makes: `-o FILE`, `-o build`, `-o 'out/*.html'`
[exit 125]
$ memo -o $PWD/ puppet bump a
memo: error: output `$T/work` cannot be kept: it holds the working directory; the command was not run
memo:   hint: name what the command makes: `-o FILE`, `-o build`, `-o 'out/*.html'`
[exit 125]
$ memo -o here puppet bump a
memo: error: output `here` cannot be kept: it holds the working directory; the command was not run
memo:   hint: name what the command makes: `-o FILE`, `-o build`, `-o 'out/*.html'`
[exit 125]
$ memo -o d/.. puppet bump a
memo: error: output `d/..` cannot be kept: it holds the working directory; the command was not run
memo:   hint: name what the command makes: `-o FILE`, `-o build`, `-o 'out/*.html'`
[exit 125]
$ memo -o project puppet bump a
memo: error: output `project` cannot be kept: it holds a `.git`; the command was not run
memo:   hint: name what the command makes: `-o FILE`, `-o build`, `-o 'out/*.html'`
[exit 125]
$ memo -o link puppet bump a
memo: error: output `link` cannot be kept: it holds a `.git`; the command was not run
memo:   hint: name what the command makes: `-o FILE`, `-o build`, `-o 'out/*.html'`
[exit 125]
$ memo -o project/.git puppet bump a
memo: error: output `project/.git` cannot be kept: it holds a `.git`; the command was not run
memo:   hint: name what the command makes: `-o FILE`, `-o build`, `-o 'out/*.html'`
[exit 125]

"#]]
        );
    }

    #[test]
    fn an_outcome_of_another_call_does_not_write_here() {
        // The key names each output: a call that declares fewer is another call.
        let sandbox = world(EARLY);
        sandbox.ok("memo -o a -o b sh -c './bump; echo 1 >a; echo 2 >b'");
        sandbox.ok("rm a b");
        sandbox.ok("memo -o a sh -c './bump; echo 1 >a; echo 2 >b'");
        assert_eq!(sandbox.runs(), 2);
    }

    #[test]
    fn it_may_lie_anywhere() {
        in_both_worlds(|sandbox| {
            let line = "memo -o $HOME/far -o ../near sh -c './bump; echo 1 >$HOME/far; echo 2 >../near'";
            runs_once(sandbox, line);
            sandbox.ok("rm ~/far ../near");
            hits(sandbox, line);
            assert_eq!(sandbox.ok("cat ~/far ../near"), "1\n2\n");
        });
    }

    #[test]
    fn checkouts_get_theirs() {
        in_both_worlds(|sandbox| {
            let line = "memo --root . -i f -o out sh -c 'echo . >>$RUNS; cat f >out'";
            for name in ["one", "two"] {
                sandbox.write(format!("{name}/f"), "same\n");
            }
            sandbox.ok(&format!("cd one; {line}"));
            hits(sandbox, &format!("cd two; {line}"));
            assert_eq!(sandbox.read("two/out"), "same\n");
        });
    }
}

mod automatic {
    use super::*;

    const CC: &str = "memo -v sh -c 'echo . >>$RUNS; cat f >o' sh f o";

    #[test]
    fn a_file_made_where_none_was_is_an_output() {
        for now in [EARLY, LATE] {
            let sandbox = world(now);
            sandbox.write("f", "1\n");
            sandbox.ok(CC);
            sandbox.ok("rm o");
            hits(&sandbox, CC);
            assert_eq!(sandbox.read("o"), "1\n");
        }
    }

    #[test]
    fn one_more_run_settles_it_where_it_is_there() {
        in_both_worlds(|sandbox| {
            sandbox.write("f", "1\n");
            let ran = sandbox.run(CC);
            assert_eq!((ran.missed(), ran.unrecorded()), (Some("never-seen"), None));
            let ran = sandbox.run(CC);
            assert_eq!((ran.missed(), ran.unrecorded()), (Some("input-appeared: `o`"), None));
            hits(sandbox, CC);
            // Another input: what is there is known as the output of an earlier run.
            sandbox.write("f", "22\n");
            let ran = sandbox.run(CC);
            assert_eq!((ran.missed(), ran.unrecorded()), (Some("input-changed: `f`"), None));
            assert_eq!(sandbox.runs(), 3);
            // Where nothing is, and where an earlier output is, each is known with each input by now.
            sandbox.run(CC);
            hits(sandbox, CC);
            assert_eq!(sandbox.read("o"), "22\n");
            sandbox.write("f", "1\n");
            let ran = sandbox.run(CC);
            assert_eq!(ran.unrecorded(), None, "{}", ran.stderr);
            assert_eq!(sandbox.read("o"), "1\n");
            hits(sandbox, CC);
            sandbox.write("f", "22\n");
            sandbox.ok("printf '1\\n' >o");
            hits(sandbox, CC);
            assert_eq!(sandbox.read("o"), "22\n");
        });
    }

    #[test]
    fn what_somebody_else_wrote_there_is_not_replaced_by_a_guess() {
        in_both_worlds(|sandbox| {
            sandbox.write("f", "1\n");
            sandbox.ok(CC);
            sandbox.write("o", "mine\n");
            let ran = sandbox.run(CC);
            assert_eq!(ran.missed(), Some("input-appeared: `o`"));
            assert_eq!(ran.unrecorded(), Some("word-file-rewritten: `o`"));
            assert!(ran.stderr.contains("`-o o`"), "{}", ran.stderr);
        });
    }

    #[test]
    fn its_mode_comes_back() {
        in_both_worlds(|sandbox| {
            let line = "memo sh -c 'echo . >>$RUNS; echo x >o; chmod 751 o' sh o";
            sandbox.ok(line);
            sandbox.ok("rm o");
            hits(sandbox, line);
            assert_eq!(mode(sandbox, "o"), 0o751);
        });
    }

    #[test]
    fn one_behind_an_equals_sign_comes_back_too() {
        in_both_worlds(|sandbox| {
            sandbox.write("in.img", "bytes");
            let line = "memo dd if=in.img of=out.img status=none";
            sandbox.ok(line);
            sandbox.ok("rm out.img");
            assert!(sandbox.run(line.replace("memo", "memo -v")).is_hit());
            assert_eq!(sandbox.read("out.img"), "bytes");
        });
    }

    #[test]
    fn one_written_again_with_the_same_bytes_is_brought_up_for_make() {
        in_both_worlds(|sandbox| {
            sandbox.write("f", "1\n");
            sandbox.ok(CC);
            sandbox.ok(CC);
            hits(sandbox, CC);
            sandbox.modified_at("f", 1_500_000_500);
            sandbox.modified_at("o", 1_500_000_400);
            let inode = stamp(&sandbox.path("o")).0;
            hits(sandbox, CC);
            let (same, seconds, _) = stamp(&sandbox.path("o"));
            assert_eq!(same, inode);
            assert!(seconds >= 1_500_000_500, "{seconds}");
        });
    }

    #[test]
    fn without_looking_at_words_it_is_none() {
        let sandbox = world(EARLY);
        let line = "memo --no-auto sh -c 'echo . >>$RUNS; echo x >o' sh o";
        sandbox.ok(line);
        sandbox.ok("rm o");
        hits(&sandbox, line);
        assert!(!sandbox.path("o").exists());
    }
}

#[test]
fn a_file_that_a_word_named_does_not_bring_its_directory_back() {
    let sandbox = Sandbox::new();
    sandbox.ok("mkdir out; memo -- puppet write out/x 1; rm -r out");
    let without = sandbox.run("puppet write out/x 1");
    assert_ne!(without.code, 0);
    let ran = sandbox.run("memo -v -- puppet write out/x 1");
    assert_eq!(ran.code, without.code, "the command runs, and fails as it does without memo");
    assert!(ran.stderr.contains("input-gone: `out`"), "{}", ran.stderr);
    sandbox.ok("memo -o new/x -- sh -c 'mkdir -p new; echo a > new/x'; rm -r new");
    sandbox.ok("memo --only-cached -o new/x -- sh -c 'mkdir -p new; echo a > new/x'; test -s new/x");
}

mod a_word_that_is_declared {
    use super::*;

    #[test]
    fn is_not_replaced_when_the_command_edits_in_place() {
        // What `sed -i`, `sort -o f f` and formatters do.
        in_both_worlds(|sandbox| {
            let line = "memo -o ./f sh -c './bump; sed -i s/a/aa/ \"$1\"' sh f";
            for (text, expected) in [("a", "aa"), ("aa", "aaa"), ("ab", "aab"), ("b", "b")] {
                sandbox.ok(&format!("echo {text} >f; {line}"));
                assert_eq!(sandbox.ok("cat f"), format!("{expected}\n"));
            }
            for (text, expected) in [("a", "aa"), ("aa", "aaa"), ("ab", "aab"), ("b", "b")] {
                sandbox.write("f", format!("{text}\n"));
                hits(sandbox, line);
                assert_eq!(sandbox.ok("cat f"), format!("{expected}\n"));
            }
            sandbox.write("f", "mine\n");
            sandbox.ok(line);
            assert_eq!(sandbox.ok("cat f"), "mine\n");
        });
    }

    #[test]
    fn is_an_output_alone_once_it_was_made_from_nothing() {
        in_both_worlds(|sandbox| {
            sandbox.write("in", "1\n");
            let line = "memo -o o sh -c './bump; cat in >\"$1\"' sh ./o in";
            runs_once(sandbox, line);
            for hack in ["echo other >o", "rm o", "touch o"] {
                sandbox.ok(hack);
                hits(sandbox, line);
                assert_eq!(sandbox.ok("cat o"), "1\n", "{hack}");
            }
            sandbox.ok("echo 2 >in");
            runs_once(sandbox, line);
            sandbox.ok("rm o");
            hits(sandbox, line);
        });
    }

    #[test]
    fn that_lay_there_before_settles_with_one_more_run() {
        in_both_worlds(|sandbox| {
            sandbox.write("o", "old\n");
            let line = "memo -o o sh -c './bump; echo new >\"$1\"' sh o";
            sandbox.ok(line);
            runs_once(sandbox, line);
            sandbox.ok("rm o");
            runs_once(sandbox, line);
            sandbox.ok("echo other >o");
            hits(sandbox, line);
        });
    }
}
