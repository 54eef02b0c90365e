//! Words of the command that name files: inputs, outputs or neither, by what the run did to them.

use std::os::unix::fs::PermissionsExt;

use snapbox::{assert_data_eq, str};

use crate::check::{
    check_does_not_matter, check_matters, hits, in_both_worlds, is_not_recorded, runs_once, world,
};
use crate::sandbox::{EARLY, LATE, Sandbox};

fn does(line: &str) -> impl Fn(&Sandbox) {
    move |sandbox| _ = sandbox.ok(line)
}

fn files(sandbox: &Sandbox) {
    sandbox.write("f", "1\n");
    sandbox.write("g", "1\n");
    sandbox.write("d/f", "1\n");
    sandbox.write("d/deep/h", "1\n");
}

/// A run that counts, then does something; `f` is one of its words.
fn doing(what: &str, word: &str) -> String {
    format!("memo -v sh -c 'echo . >>$RUNS; {what}' sh {word}")
}

mod untouched {
    use super::*;

    #[test]
    fn its_content_counts() {
        check_matters(files, "memo ./bump f", |s| s.write("f", "2\n"));
        check_matters(files, "memo ./bump f", does("chmod 600 f"));
        check_matters(files, "memo ./bump f", does("rm f"));
        check_matters(files, "memo ./bump f", does("rm f; mkdir f"));
        check_matters(files, "memo ./bump f", does("mv f e; ln -s e f"));
    }

    #[test]
    fn its_time_and_inode_do_not_count() {
        check_does_not_matter(files, "memo ./bump f", does("touch f"));
        check_does_not_matter(files, "memo ./bump f", does("cp -p f e; mv e f"));
        check_does_not_matter(files, "memo ./bump f", |s| s.write("g", "2\n"));
    }

    #[test]
    fn it_may_be_named_anywhere_in_the_words() {
        check_matters(files, "memo ./bump a f b", |s| s.write("f", "2\n"));
        check_matters(files, "memo ./bump -c ./f", |s| s.write("f", "2\n"));
        check_matters(files, "memo ./bump \"$PWD/d/../f\"", |s| s.write("f", "2\n"));
        check_matters(files, "cd d; memo ../bump ../f", |s| s.write("f", "2\n"));
        check_matters(files, "memo ./bump $'\\xff'", does("echo x >$'\\xff'"));
    }

    #[test]
    fn it_may_be_named_behind_an_equals_sign() {
        check_matters(files, "memo ./bump if=f", |s| s.write("f", "2\n"));
        check_matters(files, "memo ./bump --config=f", |s| s.write("f", "2\n"));
        check_matters(files, "memo ./bump --config=d", does("touch d/f"));
        check_matters(files, "memo ./bump --config=new", does("echo x >new"));
        check_matters(|s| s.write("a=b", "1"), "memo ./bump a=b", |s| s.write("a=b", "2"));
        check_matters(|s| s.write("a=b", "1"), "memo ./bump --x=a=b", |s| s.write("a=b", "2"));
    }

    #[test]
    fn it_can_be_left_out_of_the_question() {
        check_does_not_matter(files, "memo --no-auto ./bump f", |s| s.write("f", "2\n"));
        check_does_not_matter(files, "memo --no-auto ./bump d", does("touch d/x"));
        check_does_not_matter(files, "memo --no-auto ./bump p", does("mkfifo p"));
    }

    #[test]
    fn a_value_of_an_assignment_is_no_word() {
        check_does_not_matter(files, "memo A=f ./bump", |s| s.write("f", "2\n"));
    }

    #[test]
    fn what_is_too_long_for_a_name_is_no_name() {
        let sandbox = world(EARLY);
        runs_once(&sandbox, "memo ./bump $(printf 'x%.0s' $(seq 256))");
        runs_once(&sandbox, "memo ./bump $(printf 'x/%.0s' $(seq 2100))");
        runs_once(&sandbox, "memo ./bump bump/below");
    }

    #[test]
    fn rewritten_with_the_same_bytes_it_is_still_an_input() {
        for again in ["echo 1 >f", "cp f e; cat e >f", "cp f e; mv e f", "touch f"] {
            in_both_worlds(|sandbox| {
                files(sandbox);
                let line = doing(again, "f");
                runs_once(sandbox, &line);
                sandbox.write("f", "2\n");
                // Now it is changed by the run, unless that only copies it.
                sandbox.run(&line);
            });
            check_does_not_matter(files, &doing(again, "f"), |_| {});
        }
        check_matters(files, &doing("touch f", "f"), |s| s.write("f", "2\n"));
    }
}

mod absent {
    use super::*;

    #[test]
    fn that_it_is_absent_counts() {
        for appears in ["echo x >new", "mkdir new", "ln -s f new", "ln -s nowhere new", ">new"] {
            check_matters(files, "memo ./bump new", does(appears));
        }
        check_matters(files, "memo ./bump new/er", does("mkdir new; >new/er"));
        check_does_not_matter(files, "memo ./bump new", does(">newer"));
        check_does_not_matter(files, "memo ./bump new/er", does("mkdir new"));
    }

    #[test]
    fn gone_again_the_first_answer_counts() {
        in_both_worlds(|sandbox| {
            let first = runs_once(sandbox, "memo ./bump new");
            sandbox.write("new", "x");
            let second = runs_once(sandbox, "memo ./bump new");
            sandbox.ok("rm new");
            assert_eq!(hits(sandbox, "memo ./bump new").stdout, first.stdout);
            sandbox.write("new", "x");
            assert_eq!(hits(sandbox, "memo ./bump new").stdout, second.stdout);
        });
    }

    #[test]
    fn a_fifo_that_appears_is_not_recorded() {
        in_both_worlds(|sandbox| {
            runs_once(sandbox, "memo -v ./bump new");
            sandbox.fifo("new");
            is_not_recorded(sandbox, "memo -v ./bump new", "special-word: `new`");
        });
    }
}

mod changed_by_the_run {
    use super::*;

    #[test]
    fn what_fits_no_row_is_not_recorded() {
        for what in [
            "echo 2 >f",
            "echo 2 >>f",
            "echo 2 >e; mv e f",
            "chmod 600 f; chmod 640 f",
            "cp f e; rm f",
            "rm f; ln -s g f",
            "rm f; mkdir f",
            "rm f; mkfifo f",
        ] {
            for now in [EARLY, LATE] {
                let sandbox = world(now);
                files(&sandbox);
                let ran = sandbox.run(doing(what, "f"));
                assert_eq!(ran.code, 0, "{what}: {}", ran.stderr);
                assert_eq!(ran.unrecorded(), Some("word-file-rewritten: `f`"), "{what}: {}", ran.stderr);
            }
        }
        for what in ["mkdir new", "ln -s f new", "ln -s nowhere new", "mkfifo new"] {
            for now in [EARLY, LATE] {
                let sandbox = world(now);
                files(&sandbox);
                let ran = sandbox.run(doing(what, "new"));
                assert_eq!(ran.unrecorded(), Some("word-file-rewritten: `new`"), "{what}: {}", ran.stderr);
            }
        }
    }

    #[test]
    fn a_move_is_not_recorded() {
        for now in [EARLY, LATE] {
            let sandbox = world(now);
            files(&sandbox);
            let ran = sandbox.run("memo -v mv f new");
            assert_eq!(ran.unrecorded(), Some("word-file-rewritten: `f`"));
            sandbox.write("f", "2\n");
            assert_eq!(sandbox.ok("memo mv f new; cat new"), "2\n");
        }
    }

    #[test]
    fn what_happens_in_a_directory_is_not_recorded() {
        for what in ["touch d/new", "rm d/f", "touch d/f", "echo 2 >d/deep/h"] {
            for now in [EARLY, LATE] {
                let sandbox = world(now);
                files(&sandbox);
                let ran = sandbox.run(doing(what, "d"));
                assert_eq!(ran.unrecorded(), Some("word-file-rewritten: `d`"), "{what}: {}", ran.stderr);
            }
        }
    }

    #[test]
    fn what_a_link_leads_to_may_not_change_either() {
        for what in ["echo 2 >>f", "ln -sfn g to"] {
            for now in [EARLY, LATE] {
                let sandbox = world(now);
                files(&sandbox);
                sandbox.ok("ln -s f to");
                let ran = sandbox.run(doing(what, "to"));
                assert_eq!(ran.unrecorded(), Some("word-file-rewritten: `to`"), "{what}: {}", ran.stderr);
            }
        }
    }

    #[test]
    fn the_note_names_the_option() {
        let sandbox = Sandbox::new();
        sandbox.write("f", "1\n");
        let session = sandbox.steps(&["memo puppet append f 2", "memo -v puppet append f 2", "cat f"]);
        assert_data_eq!(
            session,
            str![[r#"
$ memo puppet append f 2
$ memo -v puppet append f 2
memo: miss: never-seen
memo: note: not recorded: word-file-rewritten: `f`
memo:   hint: if it is an output, say so: `-o f`
$ cat f
1
2
2

"#]]
        );
    }
}

mod directories {
    use super::*;

    #[test]
    fn any_change_below_counts() {
        for change in [
            ">d/new",
            ">d/deep/new",
            ">d/.hidden",
            "rm d/f",
            "mv d/f d/g",
            "mkdir d/e",
            "touch d/f",
            "touch d",
            "chmod 600 d/f",
            "chmod 700 d/deep",
            "echo 2 >>d/deep/h",
            "cp -p d/f e; mv e d/f",
            "ln -s f d/link",
        ] {
            check_matters(files, "memo ./bump d", does(change));
        }
        check_does_not_matter(files, "memo ./bump d", does("touch f; echo 2 >g"));
        check_does_not_matter(files, "memo ./bump d", does("cat d/f; ls d"));
    }

    #[test]
    fn the_working_directory_is_one_too() {
        check_matters(files, "memo ./bump .", does(">new"));
        check_matters(files, "memo ./bump .", does("touch d/deep/h"));
        check_matters(files, "cd d; memo ../bump ..", does("touch f"));
    }

    #[test]
    fn links_in_it_count_by_text_and_by_what_they_lead_to() {
        let linked = |sandbox: &Sandbox| {
            files(sandbox);
            sandbox.ok("ln -s ../f d/out; ln -s nowhere d/dangling; ln -s ../g d/other; mkdir far; ln -s ../far d/far");
        };
        check_matters(linked, "memo ./bump d", does("ln -sfn ../g d/out"));
        check_matters(linked, "memo ./bump d", |s| s.write("f", "22\n"));
        check_matters(linked, "memo ./bump d", does(">d/nowhere"));
        check_matters(linked, "memo ./bump d", does(">far/new"));
    }

    #[test]
    fn a_link_to_one_is_followed() {
        let linked = |sandbox: &Sandbox| {
            files(sandbox);
            sandbox.ok("ln -s d to; cp -r d e");
        };
        check_matters(linked, "memo ./bump to", does("touch d/f"));
        check_matters(linked, "memo ./bump to", does("ln -sfn e to"));
        check_matters(linked, "memo ./bump to/", does("touch d/f"));
    }

    #[test]
    fn a_store_in_it_does_not_count() {
        for place in ["$PWD/.memo", "$PWD/d/.memo"] {
            for words in ["./bump .", "./bump d", "./bump . d"] {
                in_both_worlds(|sandbox| {
                    files(sandbox);
                    // The first call makes the store, which is news in the directory.
                    let line = format!("MEMO_DIR={place} memo {words}");
                    sandbox.ok(&line);
                    sandbox.ok(&line);
                    hits(sandbox, &line);
                    sandbox.ok("touch d/f");
                    sandbox.ok(&line);
                    hits(sandbox, &line);
                });
            }
        }
    }

    #[test]
    fn the_file_that_is_stdout_counts_by_name_alone() {
        in_both_worlds(|sandbox| {
            files(sandbox);
            sandbox.ok(">out; >err");
            runs_once(sandbox, "memo ./bump . >out 2>err");
            hits(sandbox, "memo ./bump . >>out 2>>err");
        });
    }

    #[test]
    fn outputs_in_it_do_not_count() {
        let line = "memo -o d/made sh -c 'echo . >>$RUNS; ls d/deep; echo made >d/made' sh d";
        in_both_worlds(|sandbox| {
            files(sandbox);
            runs_once(sandbox, line);
            sandbox.ok("rm d/made");
            hits(sandbox, line);
            assert_eq!(sandbox.read("d/made"), "made\n");
            sandbox.ok("touch d/deep/h");
            runs_once(sandbox, line);
        });
    }

    #[test]
    fn a_word_below_another_counts_by_itself() {
        let line = "memo sh -c 'echo . >>$RUNS; ls d/deep; echo made >d/made' sh d d/made";
        in_both_worlds(|sandbox| {
            files(sandbox);
            sandbox.ok(line);
            sandbox.ok("rm d/made");
            hits(sandbox, line);
            assert_eq!(sandbox.read("d/made"), "made\n");
            sandbox.ok(line);
            hits(sandbox, line);
        });
    }

    #[test]
    fn one_that_is_too_large_is_not_recorded() {
        let sandbox = world(LATE);
        sandbox.ok("mkdir d; cd d; seq 10001 | xargs touch");
        let ran = sandbox.run("memo -v ./bump d");
        assert_eq!(ran.unrecorded(), Some("tree-too-large: `d`"));
        assert!(ran.stderr.contains("`-i 'd/*.c'`") && ran.stderr.contains("`--no-auto`"), "{}", ran.stderr);
        sandbox.ok("rm d/1 d/2");
        runs_once(&sandbox, "memo -v ./bump d");
        sandbox.ok("touch d/5000");
        runs_once(&sandbox, "memo -v ./bump d");
    }
}

mod links {
    use super::*;

    fn linked(sandbox: &Sandbox) {
        files(sandbox);
        sandbox.ok("ln -s f to; ln -s to chain; ln -s nowhere dangling");
    }

    #[test]
    fn text_and_content_count() {
        check_matters(linked, "memo ./bump to", |s| s.write("f", "2\n"));
        check_matters(linked, "memo ./bump to", does("ln -sfn g to"));
        check_matters(linked, "memo ./bump to", does("rm to; cp f to"));
        check_matters(linked, "memo ./bump to", does("rm f"));
        check_matters(linked, "memo ./bump to", does("rm to; ln f to"));
        check_matters(linked, "memo ./bump chain", |s| s.write("f", "2\n"));
        check_matters(linked, "memo ./bump chain", does("ln -sfn g to"));
        check_does_not_matter(linked, "memo ./bump to", does("touch f; ln -sfn f to"));
    }

    #[test]
    fn a_dangling_one_counts_by_what_is_not_there() {
        check_matters(linked, "memo ./bump dangling", does(">nowhere"));
        check_matters(linked, "memo ./bump dangling", does("ln -sfn elsewhere dangling"));
        check_does_not_matter(linked, "memo ./bump dangling", |_| {});
    }

    #[test]
    fn a_dangling_one_in_the_middle_of_a_chain_counts() {
        let chain = |sandbox: &Sandbox| _ = sandbox.ok("mkdir d; ln -s d/b a; ln -s c d/b");
        check_matters(chain, "memo ./bump a", does(">d/c"));
        check_matters(chain, "memo ./bump a", does("ln -sfn ../bump d/b"));
    }

    #[test]
    fn a_loop_is_not_recorded() {
        let sandbox = world(EARLY);
        sandbox.ok("ln -s b a; ln -s a b");
        is_not_recorded(&sandbox, "memo -v ./bump a", "special-word: `a`");
    }

    #[test]
    fn one_to_a_device_counts_as_the_device() {
        let sandbox = world(EARLY);
        sandbox.ok("ln -s /dev/null null; ln -s /proc/version version");
        runs_once(&sandbox, "memo ./bump null");
        is_not_recorded(&sandbox, "memo -v ./bump version", "special-word: `version`");
    }
}

mod special {
    use super::*;

    #[test]
    fn a_fifo_is_never_opened() {
        let sandbox = world(EARLY);
        sandbox.fifo("p");
        is_not_recorded(&sandbox, "memo -v ./bump p", "special-word: `p`");
        is_not_recorded(&sandbox, "memo -v ./bump --from=p", "special-word: `p`");
    }

    #[test]
    fn a_process_substitution_is_passed_on() {
        // A08
        let sandbox = Sandbox::new();
        for text in ["hi", "ho"] {
            let ran = sandbox.run(format!("memo -v cat <(echo {text})"));
            assert_eq!(ran.stdout, format!("{text}\n"));
            let why = ran.unrecorded().unwrap_or_default();
            assert!(why.starts_with("special-word: `/dev/fd/"), "{}", ran.stderr);
        }
        let quiet = sandbox.run("memo cat <(echo hi)");
        assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("hi\n", ""));
    }

    #[test]
    fn a_socket_is_not_recorded() {
        let sandbox = world(EARLY);
        let _listener = std::os::unix::net::UnixListener::bind(sandbox.path("s")).unwrap();
        is_not_recorded(&sandbox, "memo -v ./bump s", "special-word: `s`");
    }

    #[test]
    fn files_of_the_kernel_are_not_recorded() {
        let sandbox = world(EARLY);
        for path in
            ["/proc/version", "/proc", "/sys/kernel", "/proc/self/fd/0", "/dev/fd/0", "/dev/../dev/fd/0"]
        {
            is_not_recorded(&sandbox, &format!("memo -v ./bump {path}"), &format!("special-word: `{path}`"));
        }
    }

    #[test]
    fn a_link_on_proc_does_not_make_the_rest_of_it_ordinary() {
        let sandbox = world(EARLY);
        is_not_recorded(
            &sandbox,
            "memo -v ./bump /proc/self/cwd /proc/uptime",
            "special-word: `/proc/self/cwd`",
        );
        sandbox.ok("mkdir d; ln -s /proc/self/mounts d/mtab");
        is_not_recorded(&sandbox, "memo -v ./bump d", "special-word: `d/mtab`");
    }

    #[test]
    fn a_device_with_content_is_not_recorded() {
        let sandbox = world(EARLY);
        is_not_recorded(&sandbox, "memo -v ./bump /dev/tty", "special-word: `/dev/tty`");
    }

    #[test]
    fn a_device_without_content_is_nothing_special() {
        let sandbox = world(EARLY);
        for path in ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"] {
            runs_once(&sandbox, &format!("memo ./bump {path}"));
        }
    }

    #[test]
    fn the_names_of_the_standard_streams_are_nothing_special() {
        let sandbox = world(EARLY);
        for path in ["/dev/stdin", "/dev/stdout", "/dev/stderr"] {
            runs_once(&sandbox, &format!("memo ./bump {path}"));
        }
        sandbox.write("a", "1\n");
        sandbox.write("b", "2\n");
        for _ in 0..2 {
            assert_eq!(sandbox.ok("memo cat /dev/stdin <a"), "1\n");
            assert_eq!(sandbox.ok("memo cat /dev/stdin <b"), "2\n");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_not_recorded() {
        let sandbox = world(EARLY);
        files(&sandbox);
        std::fs::set_permissions(sandbox.path("f"), PermissionsExt::from_mode(0o000)).unwrap();
        std::fs::set_permissions(sandbox.path("d/deep"), PermissionsExt::from_mode(0o000)).unwrap();
        for _ in 0..2 {
            let ran = sandbox.run_unprivileged("memo -v ./bump f");
            assert_eq!(ran.unrecorded(), Some("special-word: `f`"), "{}", ran.stderr);
            let ran = sandbox.run_unprivileged("memo -v ./bump d");
            assert_eq!(ran.unrecorded(), Some("special-word: `d/deep`"), "{}", ran.stderr);
            let ran = sandbox.run_unprivileged("memo -v ./bump d/deep/h");
            assert_eq!(ran.unrecorded(), Some("special-word: `d/deep/h`"), "{}", ran.stderr);
        }
        assert_eq!(sandbox.runs(), 6);
    }
}

mod declared {
    use super::*;

    #[test]
    fn an_input_that_is_declared_counts_as_declared() {
        // By content, where the word alone would count by stat identity.
        check_does_not_matter(files, "memo -i d ./bump d", does("touch d/f; chmod 600 d/f"));
        check_does_not_matter(files, "memo -i ./d/ ./bump d", does("touch d/f"));
        check_does_not_matter(files, "memo -i f ./bump f", does("chmod 600 f"));
        check_matters(files, "memo -i d ./bump d", |s| s.write("d/f", "2\n"));
        check_matters(files, "memo -i f ./bump f g", |s| s.write("g", "2\n"));
    }

    #[test]
    fn a_name_with_an_underscore_hides_a_word() {
        check_does_not_matter(files, "memo -i _db=f ./bump f", |s| s.write("f", "2\n"));
        check_does_not_matter(files, "memo -i _db=d ./bump d", does("touch d/new"));
        check_does_not_matter(files, "memo -i _db=f ./bump --db=f", |s| s.write("f", "2\n"));
        check_does_not_matter(files, &doing("echo 2 >>f", "f").replace("-v", "-i _db=f"), |_| {});
        check_matters(files, "memo -i _db=f ./bump f g", |s| s.write("g", "2\n"));
    }

    #[test]
    fn an_output_that_is_declared_is_not_observed() {
        let made = |sandbox: &Sandbox| _ = sandbox.ok("rm -f f");
        for option in ["-o f", "-o ./f"] {
            let line = doing("echo 2 >f", "f").replace("-v", option);
            check_does_not_matter(made, &line, |s| s.write("f", "3\n"));
        }
    }
}
