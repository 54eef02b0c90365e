//! Restores: nothing of the user's is lost, nothing half done stays, and two of them never mix.

use std::fs;

use crate::check::{hits, in_both_worlds, world};
use crate::crowd::{Caller, until, until_waiting_in};
use crate::sandbox::{EARLY, Ran, Sandbox};

/// Makes a tree out of the input `f`: one file for each of its words.
const MAKE: &str = "memo -i f -o d sh -c './bump; rm -rf d; mkdir -p d; for w in $(cat f); do \
    mkdir -p d/$(dirname $w); echo $w >d/$w; done'";

/// Records the tree of one list of words and then of another, and goes back to the first.
fn switched(sandbox: &Sandbox, first: &str, second: &str) {
    sandbox.write("f", first);
    sandbox.ok(MAKE);
    sandbox.write("f", second);
    sandbox.ok(MAKE);
    assert_eq!(sandbox.runs(), 2);
    sandbox.write("f", first);
}

fn tree(sandbox: &Sandbox) -> String {
    sandbox.ok("cd d && find . | sort | tr '\\n' ' '")
}

fn verbose(sandbox: &Sandbox) -> Ran {
    sandbox.run(MAKE.replacen("memo", "memo -v", 1))
}

mod extras {
    use super::*;

    #[test]
    fn what_another_outcome_made_goes() {
        // wireit: cleans output when restoring.
        in_both_worlds(|sandbox| {
            switched(sandbox, "a b/c", "a x y/z");
            hits(sandbox, MAKE);
            assert_eq!(tree(sandbox), ". ./a ./b ./b/c ");
            sandbox.write("f", "a x y/z");
            hits(sandbox, MAKE);
            assert_eq!(tree(sandbox), ". ./a ./x ./y ./y/z ");
        });
    }

    #[test]
    fn what_anybody_else_made_stays_and_is_named() {
        in_both_worlds(|sandbox| {
            switched(sandbox, "a", "a x y/z");
            sandbox
                .ok("echo edited >d/x; echo mine >d/notes; echo mine >d/y/mine; mkdir d/e; ln -s /etc d/l");
            let ran = verbose(sandbox);
            assert!(ran.is_hit(), "{}", ran.stderr);
            assert_eq!(tree(sandbox), ". ./a ./e ./l ./notes ./x ./y ./y/mine ");
            assert_eq!(sandbox.ok("cat d/x d/notes d/y/mine"), "edited\nmine\nmine\n");
            for name in ["d/x", "d/notes", "d/y/mine", "d/e", "d/l"] {
                assert!(ran.stderr.contains(&format!("left alone: `{name}`")), "{name}: {}", ran.stderr);
            }
        });
    }

    #[test]
    fn what_the_user_put_there_before_a_run_is_not_the_runs() {
        // The run left it alone, so it was recorded as found: it comes back, but is never removed.
        in_both_worlds(|sandbox| {
            let line = "memo -i f -o d sh -c './bump; mkdir -p d; cat f >d/made'";
            sandbox.ok("mkdir d; echo mine >d/notes");
            sandbox.write("f", "1");
            sandbox.ok(line);
            sandbox.ok("mv d/notes kept");
            sandbox.write("f", "2");
            sandbox.ok(line);
            sandbox.ok("mv kept d/notes");
            hits(sandbox, line);
            assert_eq!(sandbox.read("d/notes"), "mine\n");
        });
    }

    #[test]
    fn files_and_directories_change_places() {
        in_both_worlds(|sandbox| {
            switched(sandbox, "a/b a/c x", "a x/y/z");
            hits(sandbox, MAKE);
            assert_eq!(tree(sandbox), ". ./a ./a/b ./a/c ./x ");
            sandbox.write("f", "a x/y/z");
            hits(sandbox, MAKE);
            assert_eq!(tree(sandbox), ". ./a ./x ./x/y ./x/y/z ");
        });
    }

    #[test]
    fn what_matches_a_glob_is_treated_alike() {
        in_both_worlds(|sandbox| {
            let line = "memo -i f -o 'o/*.x' sh -c './bump; mkdir -p o; rm -f o/*.x; for w in $(cat f); do echo $w \
                >o/$w.x; done'";
            sandbox.write("f", "a");
            sandbox.ok(line);
            sandbox.write("f", "b c");
            sandbox.ok(line);
            sandbox.ok("echo mine >o/mine.x; echo mine >o/b.y; echo edited >o/c.x");
            sandbox.write("f", "a");
            hits(sandbox, line);
            assert_eq!(sandbox.ok("ls o"), "a.x\nb.y\nc.x\nmine.x\n");
        });
    }
}

mod in_the_way {
    use super::*;

    /// The call must not be answered, and what is in the way must be there before the command runs.
    #[track_caller]
    fn check_in_the_way(prepare: &str, what: &str) {
        let sandbox = world(EARLY);
        let line =
            "memo -v -o d sh -c './bump; test -e stop && exit 9; mkdir -p d/e; echo 1 >d/f; echo 2 >d/e/g'";
        sandbox.ok(line);
        sandbox.ok(&format!("touch stop; {prepare}"));
        let before = sandbox.ok("find . -printf '%p %y %i %s %T@\\n' | sort");
        let ran = sandbox.run(line);
        assert_eq!(ran.missed(), Some(format!("output-in-the-way: `{what}`").as_str()), "{}", ran.stderr);
        assert_eq!((ran.code, sandbox.runs()), (9, 2), "{prepare}");
        assert_eq!(sandbox.ok("find . -printf '%p %y %i %s %T@\\n' | sort"), before, "{prepare}");
    }

    #[test]
    fn what_is_the_users_is_not_overwritten() {
        // turbo: place file at dir location, symlink clobber, symlink traversal, double indirection.
        check_in_the_way("rm d/f; mkdir d/f; touch d/f/mine", "d/f");
        check_in_the_way("rm d/f; mkdir d/f", "d/f");
        check_in_the_way("rm -r d/e; echo mine >d/e", "d/e");
        check_in_the_way("rm -r d; echo mine >d", "d");
        check_in_the_way("mkdir other; echo mine >other/g; rm -r d/e; ln -s ../other d/e", "d/e");
        check_in_the_way("mkdir other; rm -r d/e; ln -s $PWD/other d/e", "d/e");
        check_in_the_way("rm -r d/e; ln -s e d/e", "d/e");
        check_in_the_way("rm d/f; mkfifo d/f", "d/f");
        check_in_the_way("rm -r d; ln -s nowhere d", "d");
    }

    #[test]
    fn what_a_run_left_alone_is_not_overwritten_when_it_was_edited() {
        in_both_worlds(|sandbox| {
            let line = "memo -v -o d sh -c './bump; mkdir -p d; echo made >d/made'";
            sandbox.ok("mkdir d; echo mine >d/notes");
            sandbox.ok(line);
            hits(sandbox, line);
            sandbox.ok("echo edited >d/notes");
            let ran = sandbox.run(line);
            assert_eq!(ran.missed(), Some("output-in-the-way: `d/notes`"), "{}", ran.stderr);
            assert_eq!((sandbox.read("d/notes").as_str(), sandbox.runs()), ("edited\n", 2));
            hits(sandbox, line);
            assert_eq!(sandbox.read("d/notes"), "edited\n");
        });
    }

    #[test]
    fn a_directory_that_may_not_be_written_to() {
        let sandbox = world(EARLY);
        let line = "memo -o d sh -c './bump; mkdir -p d/e; echo 1 >d/e/f 2>/dev/null || exit 9'";
        sandbox.run_unprivileged(line);
        sandbox.run_unprivileged("echo mine >d/e/f; chmod 444 d/e/f; chmod 555 d/e");
        let ran = sandbox.run_unprivileged(line);
        assert_eq!((ran.code, sandbox.runs()), (9, 2), "{}", ran.stderr);
        assert_eq!(sandbox.read("d/e/f"), "mine\n");
        assert_eq!(sandbox.ok("ls -A; ls -A d"), "bump\nd\ne\n");
    }
}

mod together {
    use super::*;

    #[test]
    fn two_restores_of_one_place_do_not_mix() {
        let sandbox = world(EARLY);
        switched(&sandbox, "a b c", "a/a x/y");
        let tell = sandbox.fifo("../fifo");
        let fault = format!("export MEMO_FAULT=replay.begun=stop:{}; {MAKE}", tell.display());
        let first = Caller::start(&mut sandbox.shell(fault));
        assert_eq!(fs::read_to_string(&tell).unwrap(), "replay.begun");
        sandbox.write("f", "a/a x/y");
        let second = Caller::start(&mut sandbox.shell(MAKE));
        until_waiting_in(&sandbox, "restores", 1);
        fs::write(&tell, "").unwrap();
        assert_eq!((first.end().status, second.end().status), (0, 0));
        assert_eq!(tree(&sandbox), ". ./a ./a/a ./x ./x/y ");
        assert_eq!(sandbox.runs(), 2);
    }

    #[test]
    fn many_readers_restore_one_place() {
        // mise: readers restore the same directory clean.
        let sandbox = world(EARLY);
        let (one, other) = ("a b/c d/e/f", "a/a x/y b");
        switched(&sandbox, one, other);
        for (words, expected) in [
            (one, ". ./a ./b ./b/c ./d ./d/e ./d/e/f "),
            (other, ". ./a ./a/a ./b ./x ./x/y "),
            (one, ". ./a ./b ./b/c ./d ./d/e ./d/e/f "),
        ] {
            sandbox.write("f", words);
            for caller in (0..8).map(|_| Caller::start(&mut sandbox.shell(MAKE))).collect::<Vec<_>>() {
                let end = caller.end();
                assert_eq!((end.status, end.stderr.as_str()), (0, ""));
            }
            assert_eq!(tree(&sandbox), expected);
            assert_eq!(sandbox.ok("ls -A"), "bump\nd\nf\n");
        }
        assert_eq!(sandbox.runs(), 2);
    }

    #[test]
    fn a_run_does_not_record_what_a_restore_put_there() {
        let sandbox = world(EARLY);
        let slow = "memo -v -o d sh -c './bump; mkdir -p d; echo slow >d/x; cat fifo'";
        let quick = "memo -o d sh -c './bump; mkdir -p d; echo quick >d/x'";
        sandbox.ok(quick);
        let fifo = sandbox.fifo("fifo");
        let caller = Caller::start(&mut sandbox.shell(slow));
        until("it has written", || {
            fs::read_to_string(sandbox.path("d/x")).is_ok_and(|text| text == "slow\n")
        });
        hits(&sandbox, quick);
        assert_eq!(sandbox.read("d/x"), "quick\n");
        fs::write(&fifo, "").unwrap();
        let end = caller.end();
        assert!(end.stderr.contains("not recorded: input-changed-meanwhile"), "{}", end.stderr);
    }
}

mod fails_in_the_middle {
    use super::*;

    /// Makes a restore fail after some steps, and returns how it is then. What is in the way came after
    /// all was looked at.
    fn interrupted(sandbox: &Sandbox, line: &str, point: &str, meanwhile: &str) -> Ran {
        let tell = sandbox.fifo("../fifo");
        let fault = format!("export MEMO_FAULT={point}=stop:{}; {line}", tell.display());
        let caller = Caller::start(&mut sandbox.shell(fault));
        assert_eq!(fs::read_to_string(&tell).unwrap(), point);
        sandbox.ok(meanwhile);
        // Later stops at that point end at once: the fifo is gone.
        let mut writer = fs::File::options().write(true).open(&tell).unwrap();
        fs::remove_file(&tell).unwrap();
        std::io::Write::write_all(&mut writer, b"on").unwrap();
        drop(writer);
        let end = caller.end();
        let _ = fs::remove_file(&tell);
        Ran { code: end.status, stdout: String::from_utf8_lossy(&end.stdout).into(), stderr: end.stderr }
    }

    const TREE: &str = "find d -printf '%p %y %m %i\n' | sort; find d -type f | sort | xargs cat";
    const LINE: &str = "memo -v -i f -o d sh -c './bump; test -e stop && exit 9; rm -rf d; mkdir -p d; \
        for w in $(cat f); do mkdir -p d/$(dirname $w); echo $w >d/$w; done'";

    #[test]
    fn everything_is_as_it_was() {
        for meanwhile in ["echo mine >d/z", "rm d/b; mkdir d/b"] {
            let sandbox = world(EARLY);
            sandbox.write("f", "a b n/e/w z");
            sandbox.ok(LINE);
            sandbox.write("f", "a b old/e");
            sandbox.ok(LINE);
            sandbox.ok("echo edited >d/a; echo edited >d/b; chmod 640 d/a; touch stop");
            sandbox.write("f", "a b n/e/w z");
            let before = sandbox.ok(TREE);
            let ran = interrupted(&sandbox, LINE, "replay.begun", meanwhile);
            assert_eq!(ran.code, 9, "the command runs: {}", ran.stderr);
            assert!(ran.missed().is_some_and(|why| why.starts_with("damaged")), "{}", ran.stderr);
            match meanwhile {
                "echo mine >d/z" => {
                    assert_eq!(sandbox.ok("cat d/z; rm d/z"), "mine\n");
                }
                _ => sandbox.ok("rmdir d/b; echo edited >d/b").clear(),
            }
            let lines = |text: &str| {
                text.lines().filter(|line| !line.contains("d/b")).map(str::to_owned).collect::<Vec<_>>()
            };
            assert_eq!(lines(&sandbox.ok(TREE)), lines(&before), "{meanwhile}");
            assert_eq!(sandbox.ok("ls -A; ls -A d"), "bump\nd\nf\nstop\na\nb\nold\n");
        }
    }

    #[test]
    fn what_was_changed_after_it_was_looked_at_is_not_lost() {
        let sandbox = world(EARLY);
        sandbox.write("f", "a b");
        sandbox.ok(LINE);
        sandbox.ok("echo other >d/a; touch stop");
        let ran = interrupted(&sandbox, LINE, "replay.begun", "echo mine >d/new; mv d/new d/a");
        assert_eq!((ran.code, sandbox.read("d/a").as_str()), (9, "mine\n"), "{}", ran.stderr);
    }
}
