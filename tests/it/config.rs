//! What is configured: files, projects, rules, build drivers, and what `memo config` says of it.

use snapbox::{assert_data_eq, str};

use crate::check::{hits, is_not_recorded, runs_once, world};
use crate::sandbox::{EARLY, LATE, Sandbox};

/// Writes the user's own file.
fn user(sandbox: &Sandbox, text: &str) {
    sandbox.write("../home/.config/memo/config.toml", text);
}

/// Only root can give files away.
fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("skipped: only root can give files away");
    }
    root
}

mod project {
    use super::*;

    #[test]
    fn the_nearest_file_upwards_counts() {
        let sandbox = Sandbox::new();
        sandbox.write("p/memo.toml", "ttl = '1h'\n");
        sandbox.write("p/q/memo.toml", "mode = 'refresh'\n");
        sandbox.ok("mkdir -p p/a/b p/q/r");
        let ttl = |directory: &str| sandbox.ok(&format!("cd {directory}; memo config ttl"));
        assert_eq!(ttl("p"), "1h\n");
        assert_eq!(ttl("p/a/b"), "1h\n");
        assert_eq!(ttl("p/q/r"), "none\n");
        assert_eq!(ttl("."), "none\n");
        assert_eq!(sandbox.ok("cd p/q/r; memo config mode"), "refresh\n");
    }

    #[test]
    fn the_search_ends_at_the_home_directory_and_at_the_store() {
        let mut sandbox = Sandbox::new();
        sandbox.write("memo.toml", "ttl = '1h'\n");
        sandbox.write("home/memo.toml", "ttl = '2h'\n");
        sandbox.ok("mkdir -p home/a other/a store/a");
        assert_eq!(sandbox.ok("cd home/a; HOME=$PWD/.. memo config ttl"), "2h\n", "the last one looked at");
        sandbox.set("HOME", sandbox.path("other"));
        assert_eq!(sandbox.ok("cd other/a; memo config ttl"), "none\n");
        assert_eq!(sandbox.ok("cd store/a; memo config ttl"), "1h\n");
        assert_eq!(sandbox.ok("cd store/a; MEMO_DIR=../../other memo config ttl"), "1h\n");
        assert_eq!(sandbox.ok("cd store/a; MEMO_DIR=.. memo config ttl"), "none\n");
    }

    #[test]
    fn the_search_ends_at_a_mount_point() {
        let sandbox = Sandbox::new();
        sandbox.write("memo.toml", "ttl = '1h'\n");
        sandbox.ok("mkdir -p m/a b; touch b/x");
        // In a mount namespace of its own, so that nothing is left.
        let ran = sandbox.run(
            "unshare -m sh -c 'mount -t tmpfs none m && mkdir m/a && cd m/a && memo config ttl && \
             echo \"ttl = 90\" >../memo.toml && memo config ttl && cd ../.. && mount --bind b b && cd b && memo config ttl'",
        );
        if ran.code != 0 && ran.stdout.is_empty() {
            eprintln!("skipped: mounting is impossible here: {}", ran.stderr);
            return;
        }
        assert_eq!(ran.stdout, "none\n90s\nnone\n", "{}", ran.stderr);
    }

    #[test]
    fn a_file_that_is_a_link_to_another_mount_counts() {
        let sandbox = Sandbox::new();
        let elsewhere = std::path::Path::new("/dev/shm").join(sandbox.root().file_name().unwrap());
        if std::fs::write(&elsewhere, "ttl = '1h'\n").is_err() {
            eprintln!("skipped: nothing can be written to /dev/shm");
            return;
        }
        sandbox.ok(&format!("mkdir a; ln -s {} memo.toml", elsewhere.display()));
        let told = sandbox.run("cd a; memo config ttl");
        std::fs::remove_file(elsewhere).unwrap();
        assert_eq!(told.stdout, "1h\n", "{}", told.stderr);
    }

    #[test]
    fn a_file_of_another_user_or_one_open_to_all_is_not_read() {
        let sandbox = Sandbox::new();
        sandbox.write("memo.toml", "ttl = '1h'\n");
        sandbox.ok("chmod 666 memo.toml");
        if is_root() {
            sandbox.write("other/memo.toml", "ttl = '1h'\n");
            sandbox.ok("chown 65534 other/memo.toml");
            let ran = sandbox.run("cd other; memo puppet print a");
            assert_eq!((ran.code, ran.stdout.as_str()), (0, "a\n"));
            assert!(ran.stderr.starts_with("memo: warning: did not read `"), "{}", ran.stderr);
            assert!(ran.stderr.contains("it belongs to user 65534"), "{}", ran.stderr);
        }
        assert_data_eq!(
            sandbox.steps(&[
                "memo puppet print a",
                "memo config ttl",
                "chmod 664 memo.toml; memo config ttl"
            ]),
            str![[r#"
$ memo puppet print a
memo: warning: did not read `$T/work/memo.toml`: others may write to it (mode 666)
memo:   hint: `chmod o-w $T/work/memo.toml` closes it
a
$ memo config ttl
none
memo: error: did not read `$T/work/memo.toml`: others may write to it (mode 666)
memo:   hint: `chmod o-w $T/work/memo.toml` closes it
[exit 2]
$ chmod 664 memo.toml; memo config ttl
1h

"#]]
        );
    }

    #[test]
    fn it_neither_moves_the_store_nor_makes_memo_run_anything() {
        let sandbox = Sandbox::new();
        sandbox.write(
            "memo.toml",
            "dir = 'mine'\nmax-size = '1K'\n[[rule]]\nmatch = 'puppet'\nkey-cmd = 'x=touch ran'\n",
        );
        let session = sandbox.steps(&[
            "memo -v puppet print a",
            "memo config dir",
            "memo config max-size 2>/dev/null",
            "ls",
        ]);
        assert_data_eq!(
            session,
            str![[r#"
$ memo -v puppet print a
memo: warning: $T/work/memo.toml:1: `dir`: not obeyed in a project: a project does not say where the store is
memo:   hint: set it in your own file, or by MEMO_DIR
memo: rule: $T/work/memo.toml:3
memo: not recorded: unkeyed: the rule at $T/work/memo.toml:3: it has a fault
a
$ memo config dir
$T/store
memo: error: $T/work/memo.toml:1: `dir`: not obeyed in a project: a project does not say where the store is
memo:   hint: set it in your own file, or by MEMO_DIR
memo: error: $T/work/memo.toml:2: `max-size`: not obeyed in a project: the store is shared with other projects, whose entries would have to go
memo:   hint: set it in your own file, or by MEMO_MAX_SIZE
memo: error: $T/work/memo.toml:5: `key-cmd`: not obeyed in a project: a project does not make memo run anything
memo:   hint: a rule in your own file may
[exit 2]
$ memo config max-size 2>/dev/null
5GiB
[exit 2]
$ ls
memo.toml

"#]]
        );
    }

    #[test]
    fn without_a_working_directory_there_is_no_project() {
        let sandbox = Sandbox::new();
        sandbox.write("memo.toml", "ttl = '1h'\n");
        assert_eq!(sandbox.ok("mkdir a; cd a; rmdir ../a; memo config ttl"), "none\n");
    }
}

mod rules {
    use super::*;

    /// A call to which a rule gives something is the call to which it was typed.
    #[track_caller]
    fn check_as_if_typed(typed: &str, rule: &str, call: &str) {
        for now in [EARLY, LATE] {
            let sandbox = world(now);
            sandbox.write("x", "x\n");
            sandbox.write("d/y.h", "y\n");
            sandbox.ok("mkdir -p s; ln bump s/bump");
            runs_once(&sandbox, typed);
            let rule = format!("[[rule]]\nmatch = '*'\n{rule}\n");
            sandbox.write("memo.toml", rule.as_str());
            hits(&sandbox, call);
            sandbox.ok("rm memo.toml");
            user(&sandbox, &rule);
            hits(&sandbox, call);
        }
    }

    #[test]
    fn a_rule_gives_a_depfile_and_strictness() {
        let sandbox = world(LATE);
        sandbox.write("h", "1\n");
        let project = "[[rule]]\nmatch = 'sh -c'\ndepfile = 'sub/d'\n";
        sandbox.write("memo.toml", project);
        sandbox.ok("mkdir sub other");
        let call = "cd sub && memo sh -c '../bump; cat ../h; echo x: ../h >d'";
        runs_once(&sandbox, call);
        sandbox.ok("rm sub/d");
        hits(&sandbox, call);
        assert_eq!(sandbox.ok("cat sub/d"), "x: ../h\n");
        sandbox.write("h", "2\n");
        runs_once(&sandbox, call);
        hits(&sandbox, "cd sub && memo --depfile d sh -c '../bump; cat ../h; echo x: ../h >d'");
        // What is typed counts, as of all values.
        runs_once(&sandbox, "cd sub && memo --depfile e sh -c '../bump; echo x: ../h >e'");

        let lax = "cd other && rm -f a b && memo -v -o a sh -c '../bump; touch a b'";
        sandbox.write("memo.toml", "[[rule]]\nmatch = 'sh -c'\nstrict = true\n");
        is_not_recorded(&sandbox, lax, "undeclared-output: `b`");
    }

    #[test]
    fn what_a_rule_gives_is_in_the_key_as_if_typed() {
        for (typed, rule) in [
            ("-i x", "input = ['x']"),
            ("-i d", "input = ['./d/']"),
            ("-i 'd/*.h' -i x -i '!*.c'", "input = ['!*.c', 'd/*.h', 'x']"),
            ("-i n=x", "input = 'n=x'"),
            ("-e A -e 'B*'", "env = ['B*', 'A']"),
            ("-k t -k n=u", "key = ['n=u', 't']"),
            ("-n", "stdin = 'none'"),
            ("--no-cwd", "no-cwd = true"),
            ("--no-auto", "no-auto = true"),
            ("--no-exe", "no-exe = true"),
        ] {
            check_as_if_typed(&format!("memo {typed} ./bump a"), rule, "memo ./bump a");
        }
        check_as_if_typed("memo -i x -k a ./bump a", "input = 'x'", "memo -k a ./bump a");
        let key_cmd = "key-cmd = 'v=cat x'";
        let sandbox = world(EARLY);
        sandbox.write("x", "1\n");
        runs_once(&sandbox, "memo --key-cmd 'v=cat x' ./bump");
        user(&sandbox, &format!("[[rule]]\nmatch = './bump'\n{key_cmd}\n"));
        hits(&sandbox, "memo ./bump");
        sandbox.write("x", "2\n");
        runs_once(&sandbox, "memo ./bump");
    }

    #[test]
    fn a_rule_of_a_project_is_typed_from_where_the_call_is() {
        let sandbox = world(EARLY);
        sandbox.write("include/a.h", "1\n");
        sandbox.ok("mkdir -p sub/deep");
        sandbox.write("memo.toml", "[[rule]]\nmatch = './bump'\ninput = ['include/*.h']\n");
        let line = "cd sub/deep; memo ../../bump";
        runs_once(&sandbox, line);
        hits(&sandbox, "cd sub/deep; mv ../../memo.toml ../../m; memo -i '../../include/*.h' ../../bump");
        sandbox.ok("mv m memo.toml");
        sandbox.write("include/a.h", "2\n");
        runs_once(&sandbox, line);
        sandbox.write("include/b.h", "new\n");
        runs_once(&sandbox, line);
    }

    #[test]
    fn an_output_of_a_rule_comes_back() {
        let sandbox = world(EARLY);
        sandbox.ok("mkdir s");
        sandbox.write("memo.toml", "[[rule]]\nmatch = 'sh -c'\noutput = 'out'\n");
        let line = "cd s; memo sh -c 'echo made; date +%N >../out'";
        sandbox.ok(line);
        let made = sandbox.read("out");
        sandbox.ok("rm out");
        assert_eq!(sandbox.ok(line), "made\n");
        assert_eq!(sandbox.read("out"), made);
    }

    #[test]
    fn only_what_it_matches_is_given_something() {
        let sandbox = world(EARLY);
        sandbox.write("x", "1\n");
        sandbox.write("memo.toml", "[[rule]]\nmatch = ['./bump a', '*.sh']\ninput = 'x'\n");
        runs_once(&sandbox, "memo ./bump a");
        runs_once(&sandbox, "memo ./bump b");
        sandbox.write("x", "2\n");
        runs_once(&sandbox, "memo ./bump a");
        hits(&sandbox, "memo ./bump b");
    }

    #[test]
    fn values_of_the_call_and_of_variables_win() {
        let sandbox = world("100");
        user(&sandbox, "ttl = '20s'\n[[rule]]\nmatch = './bump'\nttl = '10s'\n");
        let at = |now: &str, line: &str| {
            sandbox.ok(&format!("export MEMO_TEST_NOW={now}; {line}")).split('#').nth(1).unwrap().to_owned()
        };
        assert_eq!(at("100", "memo --ttl none ./bump"), "1\n");
        assert_eq!(at("115", "memo --ttl 1h ./bump"), "1\n", "the call");
        assert_eq!(at("115", "MEMO_TTL=1h memo ./bump"), "1\n", "the variable");
        assert_eq!(at("115", "memo ./bump"), "2\n", "the rule, before the key");
        sandbox.write("memo.toml", "[[rule]]\nmatch = './bump'\nttl = 'none'\n");
        assert_eq!(at("124", "memo ./bump"), "2\n");
        assert_eq!(at("125", "memo ./bump"), "3\n", "recorded with 10 s");
        assert_eq!(at("999", "memo ./bump"), "3\n", "a later rule");
        user(&sandbox, "[[rule]]\nmatch = './bump'\nmode = 'off'\ngroup = 'g'\ncache-exit = 7\n");
        assert_eq!(at("999", "memo ./bump"), "4\n", "off");
        assert_eq!(at("999", "MEMO_MODE=on memo ./bump"), "5\n", "0 is not kept");
        assert_eq!(at("999", "MEMO_MODE=on memo --cache-exit 0 ./bump"), "3\n");
    }

    #[test]
    fn a_group_is_given_and_told() {
        let sandbox = world(EARLY);
        sandbox.write("memo.toml", "[[rule]]\nmatch = './bump'\ngroup = 'mine'\n");
        sandbox.ok("memo ./bump a; memo -g own ./bump b");
        assert!(sandbox.ok("memo ls -g mine").ends_with("./bump a\n"));
        assert!(sandbox.ok("memo ls -g own").ends_with("./bump b\n"));
    }

    #[test]
    fn what_a_rule_declares_in_vain_never_stops_a_command() {
        let sandbox = world(EARLY);
        sandbox.write(
            "memo.toml",
            "[[rule]]\nmatch = './bump a'\ninput = 'missing'\n\n[[rule]]\nmatch = './bump b'\nenv = ['A=1']\n\n\
             [[rule]]\nmatch = './bump c'\noutput = '.'\n\n[[rule]]\nmatch = './bump d'\ninput = 'dead'\n",
        );
        user(&sandbox, "[[rule]]\nmatch = './bump e'\nkey-cmd = 'v=echo no >&2; false'\n");
        sandbox.fifo("dead");
        let session = sandbox.steps(&[
            "memo ./bump a",
            "memo -i missing ./bump a",
            "memo ./bump b",
            "memo ./bump c",
            "memo -v ./bump d",
            "memo ./bump e",
            "memo --ttl soon ./bump e",
        ]);
        assert_eq!((sandbox.runs(), sandbox.manifests()), (5, 0));
        assert_data_eq!(
            session,
            str![[r#"
$ memo ./bump a
memo: warning: not recorded: cannot hash input `missing`, which a rule declares: No such file or directory
memo:   hint: `memo config` shows the rules
a #1
$ memo -i missing ./bump a
memo: error: cannot hash input `missing`: No such file or directory; the command was not run
memo:   hint: fix the path; a glob, `-i 'DIR/*'`, may match nothing
[exit 125]
$ memo ./bump b
memo: warning: not recorded: the rule at $T/work/memo.toml:5: `-e A=1` names no variable
b #2
$ memo ./bump c
memo: warning: not recorded: the rule at $T/work/memo.toml:9: output `.` cannot be kept: it holds the working directory
c #3
$ memo -v ./bump d
memo: rule: $T/work/memo.toml:13
memo: warning: not recorded: cannot hash input `dead`, which a rule declares: a fifo has no content that could be keyed
memo:   hint: `memo config` shows the rules
memo: not recorded: unkeyed: input `dead`: a fifo has no content that could be keyed
d #4
$ memo ./bump e
memo: warning: not recorded: the rule at $T/home/.config/memo/config.toml:1: key command for `v` failed (exit 1): no
e #5
$ memo --ttl soon ./bump e
memo: error: `--ttl soon`: invalid duration `soon`; the command was not run
memo:   hint: examples: 90, 90s, 15m, 1d12h
[exit 125]

"#]]
        );
    }

    #[test]
    fn what_a_faulty_rule_matches_is_not_recorded() {
        let sandbox = world(EARLY);
        sandbox.write("x", "1\n");
        sandbox.write("memo.toml", "[[rule]]\nmatch = './bump a'\ninptu = 'x'\n");
        let session = sandbox.steps(&["memo ./bump a", "memo -v ./bump a", "memo -q ./bump b"]);
        assert_eq!((sandbox.runs(), sandbox.manifests()), (3, 1));
        assert_data_eq!(
            session,
            str![[r#"
$ memo ./bump a
memo: warning: $T/work/memo.toml:3: unknown key `inptu` of a rule
memo:   hint: did you mean `input`?
a #1
$ memo -v ./bump a
memo: warning: $T/work/memo.toml:3: unknown key `inptu` of a rule
memo:   hint: did you mean `input`?
memo: rule: $T/work/memo.toml:1
memo: not recorded: unkeyed: the rule at $T/work/memo.toml:1: it has a fault
a #2
$ memo -q ./bump b
b #3

"#]]
        );
    }

    #[test]
    fn a_later_rule_of_the_same_file_goes_before_an_earlier_one() {
        let sandbox = world(EARLY);
        sandbox.write("x", "1\n");
        sandbox.write("y", "1\n");
        sandbox.write(
            "memo.toml",
            "[[rule]]\nmatch = '*'\ngroup = 'one'\ninput = 'x'\n[[rule]]\nmatch = './bump'\ngroup = 'two'\ninput = 'y'\n",
        );
        runs_once(&sandbox, "memo ./bump a");
        for file in ["x", "y"] {
            sandbox.write(file, "2\n");
            runs_once(&sandbox, "memo ./bump a");
        }
        assert!(sandbox.ok("memo ls -g two").ends_with("./bump a\n"));
    }
}

mod drivers {
    use super::*;

    /// Returns a world with a `make` that counts.
    fn made() -> Sandbox {
        let sandbox = world(EARLY);
        sandbox.ok("ln bump make; ln bump cargo");
        sandbox
    }

    #[test]
    fn a_build_driver_that_does_not_say_what_it_depends_on_is_not_recorded() {
        let sandbox = made();
        sandbox.write("src", "1\n");
        is_not_recorded(&sandbox, "memo -v ./make all", "build-driver: `make`");
        is_not_recorded(
            &sandbox,
            "memo -v -i _src=src -k _note=x -i '!*.o' ./make all",
            "build-driver: `make`",
        );
        assert_eq!(sandbox.manifests(), 0);
        for options in ["-i src", "-k 1", "--key-cmd v=true"] {
            runs_once(&sandbox, &format!("memo {options} ./make all"));
        }
        sandbox.write("memo.toml", "[[rule]]\nmatch = 'make'\ninput = 'src'\n");
        hits(&sandbox, "memo ./make all");
        runs_once(&sandbox, "memo ./bump make");
    }

    #[test]
    fn what_is_said_of_it() {
        let sandbox = made();
        assert_data_eq!(
            sandbox.steps(&["memo ./make", "memo -v ./make a", "memo --only-cached ./make"]),
            str![[r#"
$ memo ./make
 #1
$ memo -v ./make a
memo: note: not recorded: build-driver: `make`
memo:   hint: its sources would not be seen; say what it depends on: `-i src`, or `-k rev="$(git rev-parse HEAD)"`
a #2
$ memo --only-cached ./make
memo: error: not recorded yet (never-seen); the command was not run
memo:   hint: without `--only-cached` it is run
[exit 75]

"#]]
        );
    }

    #[test]
    fn the_list_can_be_changed() {
        let sandbox = made();
        user(&sandbox, "build-drivers = ['bump *.mk', '!cargo metadata']\n");
        is_not_recorded(&sandbox, "memo -v ./bump a/b.mk", "build-driver: `bump`");
        is_not_recorded(&sandbox, "memo -v ./cargo build", "build-driver: `cargo`");
        runs_once(&sandbox, "memo ./cargo metadata");
        sandbox.write("memo.toml", "build-drivers = ['!*', 'cargo']\n");
        runs_once(&sandbox, "memo ./bump b.mk");
        runs_once(&sandbox, "memo ./make");
        is_not_recorded(&sandbox, "memo -v ./cargo metadata", "build-driver: `cargo`");
        hits(&sandbox, "MEMO_BUILD_DRIVERS='!cargo, !x' memo ./make");
        runs_once(&sandbox, "MEMO_BUILD_DRIVERS='!cargo, !x' memo ./cargo build");
    }

    #[test]
    fn real_make_is_one() {
        let sandbox = Sandbox::new();
        sandbox.write("Makefile", "a: b\n\tcp b a\n");
        sandbox.write("b", "1\n");
        assert_eq!(sandbox.run("memo -v make -s && cat a").stdout, "1\n");
        sandbox.write("b", "2\n");
        sandbox.ok("rm a");
        assert_eq!(sandbox.run("memo -v make -s && cat a").stdout, "2\n");
    }
}

mod relocatable {
    use super::*;

    fn project(sandbox: &Sandbox, name: &str) {
        sandbox.write(format!("{name}/memo.toml"), include_str!("../../config/examples/c-project.toml"));
        sandbox.write(format!("{name}/include/a.h"), "#define A 7\n");
        sandbox.write(format!("{name}/src/a.c"), "#include \"a.h\"\nint a(void) { return A; }\n");
        sandbox.write(
            format!("{name}/src/main.c"),
            "#include \"a.h\"\nint a(void);\nint main(void) { return a() - A; }\n",
        );
        sandbox.write(
            format!("{name}/Makefile"),
            "prog: a.o main.o\n\tmemo -v cc a.o main.o -o prog\n%.o: src/%.c\n\tmemo -v cc -Iinclude -c $< -o $@\n",
        );
    }

    fn build(sandbox: &Sandbox, name: &str, shell: &str) -> (usize, usize) {
        let ran = sandbox.run(format!("{shell} cd {name} && make -s && ./prog"));
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let count = |what| ran.stderr.lines().filter(|line| line.starts_with(what)).count();
        (count("memo: miss"), count("memo: hit"))
    }

    #[test]
    fn two_checkouts_of_a_c_project_share_results() {
        for now in [EARLY, LATE] {
            let sandbox = Sandbox::at(now);
            project(&sandbox, "one");
            project(&sandbox, "elsewhere/two");
            assert_eq!(build(&sandbox, "one", ""), (3, 0));
            assert_eq!(build(&sandbox, "elsewhere/two", ""), (0, 3));
            sandbox.write("elsewhere/two/include/a.h", "#define A 8\n");
            sandbox.ok("cd elsewhere/two && rm *.o prog");
            assert_eq!(build(&sandbox, "elsewhere/two", ""), (3, 0));
            sandbox.ok("cd one && rm *.o prog");
            assert_eq!(build(&sandbox, "one", ""), (0, 3));
        }
    }

    #[test]
    fn the_store_travels_by_tar() {
        let sandbox = Sandbox::new();
        project(&sandbox, "one");
        project(&sandbox, "two");
        assert_eq!(build(&sandbox, "one", ""), (3, 0));
        sandbox.ok("tar -C $MEMO_DIR -cf store.tar . && mkdir -m 700 ../moved && tar -C ../moved -xf store.tar && rm -r $MEMO_DIR");
        assert_eq!(build(&sandbox, "two", "export MEMO_DIR=$PWD/../moved;"), (0, 3));
    }

    #[test]
    fn without_it_each_checkout_has_its_own() {
        let sandbox = Sandbox::new();
        project(&sandbox, "one");
        project(&sandbox, "two");
        let off = "export MEMO_RELOCATABLE=false;";
        assert_eq!(build(&sandbox, "one", off), (3, 0));
        assert_eq!(build(&sandbox, "two", off), (3, 0));
    }

    #[test]
    fn a_call_in_a_directory_below_is_another() {
        let sandbox = world(EARLY);
        sandbox.write("memo.toml", "relocatable = true\n");
        sandbox.ok("mkdir a b");
        runs_once(&sandbox, "cd a; memo ../bump");
        runs_once(&sandbox, "cd b; memo ../bump");
        hits(&sandbox, "cd a; memo --root .. ../bump");
    }

    #[test]
    fn clear_finds_what_was_recorded_below_a_root() {
        let sandbox = world(EARLY);
        sandbox.ok("mkdir a");
        let session = sandbox.steps(&[
            "cd a; memo --root .. ../bump x",
            "cd a; memo clear --yes -- ../bump x",
            "cd a; memo clear --yes --root .. -- ../bump y",
            "cd a; memo clear --dry-run --root .. -- ../bump x | cut -d'(' -f1",
            "cd a; memo --root .. --no-cwd ../bump x",
            "echo 'relocatable = true' >memo.toml; cd a; memo clear --yes -- ../bump x | cut -d'(' -f1",
            "memo clear --yes --root nosuch -- ./bump x",
            "memo clear --root .",
        ]);
        assert_data_eq!(
            session,
            str![[r#"
$ cd a; memo --root .. ../bump x
x #1
$ cd a; memo clear --yes -- ../bump x
nothing to remove
$ cd a; memo clear --yes --root .. -- ../bump y
nothing to remove
$ cd a; memo clear --dry-run --root .. -- ../bump x | cut -d'(' -f1
would remove 1 entry 
$ cd a; memo --root .. --no-cwd ../bump x
x #2
$ echo 'relocatable = true' >memo.toml; cd a; memo clear --yes -- ../bump x | cut -d'(' -f1
removed 2 entries 
$ memo clear --yes --root nosuch -- ./bump x
memo: error: cannot use root `nosuch`: No such file or directory; nothing was removed
[exit 2]
$ memo clear --root .
memo: error: `--root` says where a command ran, and there is no command
memo:   hint: `memo clear --root DIR -- COMMAND [ARG]...`
[exit 2]

"#]]
        );
    }
}

mod told {
    use super::*;

    #[test]
    fn every_value_and_where_it_comes_from() {
        let sandbox = Sandbox::new();
        user(
            &sandbox,
            "max-size = '1G'\nenv = ['A']\nbuild-drivers = ['!*', 'make']\n\n[[rule]]\nmatch = 'a \"b\"'\nttl = 5\n",
        );
        sandbox.write("p/memo.toml", "relocatable = true\nenv = ['B', 'A']\n[[rule]]\nmatch = ['cc -c']\ninput = ['*.h']\nno-cwd = false\ncache-exit = [0, 1]\n");
        let session = sandbox.steps(&[
            "cd p; MEMO_TTL=1d12h MEMO_ENV=C,B memo config | sed '/built-in/d'",
            "cd p; MEMO_TTL=90 memo config --json | sed '/built-in/d'",
            "cd p; memo config env; memo config ttl; memo config relocatable; memo config --json ttl",
            "memo config --path",
            "memo config tll",
            "memo config x",
            "memo config ls",
            "memo config --pth",
            "memo config -- ttl",
        ]);
        assert_data_eq!(
            session,
            str![[r#"
$ cd p; MEMO_TTL=1d12h MEMO_ENV=C,B memo config | sed '/built-in/d'
# project: $T/work/p
dir = "$T/store"  # MEMO_DIR
ttl = "36h"  # MEMO_TTL
env = [
    "A",  # $T/home/.config/memo/config.toml:2
    "B",  # $T/work/p/memo.toml:2
    "C",  # MEMO_ENV
]
max-size = "1GiB"  # $T/home/.config/memo/config.toml:1
relocatable = true  # $T/work/p/memo.toml:1
build-drivers = [
    "!*",  # $T/home/.config/memo/config.toml:3
    "make",  # $T/home/.config/memo/config.toml:3
]

[[rule]]  # $T/home/.config/memo/config.toml:5
match = "a /"b/""
ttl = 5

[[rule]]  # $T/work/p/memo.toml:3
match = ["cc -c"]
input = ["*.h"]
no-cwd = false
cache-exit = [0, 1]
$ cd p; MEMO_TTL=90 memo config --json | sed '/built-in/d'
{"key":"dir","value":"$T/store","source":"variable","variable":"MEMO_DIR"}
{"key":"ttl","value":"90s","source":"variable","variable":"MEMO_TTL"}
{"key":"env","value":["A","B"],"origins":["$T/home/.config/memo/config.toml:2","$T/work/p/memo.toml:2"]}
{"key":"max-size","value":"1GiB","source":"file","file":"$T/home/.config/memo/config.toml","line":1}
{"key":"relocatable","value":true,"source":"file","file":"$T/work/p/memo.toml","line":1}
{"key":"rule","source":"file","file":"$T/home/.config/memo/config.toml","line":5,"faulty":false,"match":"a /"b/"","ttl":5}
{"key":"rule","source":"file","file":"$T/work/p/memo.toml","line":3,"faulty":false,"match":["cc -c"],"input":["*.h"],"no-cwd":false,"cache-exit":["0","1"]}
$ cd p; memo config env; memo config ttl; memo config relocatable; memo config --json ttl
A
B
none
true
{"key":"ttl","value":"none","source":"built-in"}
$ memo config --path
$T/home/.config/memo/config.toml
$ memo config tll
memo: error: unknown key `tll`
memo:   hint: did you mean `ttl`?
[exit 2]
$ memo config x
memo: error: unknown key `x`
memo:   hint: keys are: mode, dir, ttl, env, cache-exit, stdin-max, max-size, max-entry, max-entries, refresh-jobs, relocatable, progress, pty, build-drivers
[exit 2]
$ memo config ls
memo: error: unknown key `ls`
memo:   hint: keys are: mode, dir, ttl, env, cache-exit, stdin-max, max-size, max-entry, max-entries, refresh-jobs, relocatable, progress, pty, build-drivers
[exit 2]
$ memo config --pth
memo: error: `memo config` prints what is configured; it takes no `--pth`
memo:   hint: to memoize config itself: `memo -- config --pth`
memo:   hint: there is `--path`
[exit 2]
$ memo config -- ttl
none

"#]]
        );
    }

    #[test]
    fn what_is_told_is_a_file_that_says_the_same() {
        let sandbox = Sandbox::new();
        sandbox.write("memo.toml", "ttl = '90s'\nenv = ['A', '!B*']\nbuild-drivers = ['!*', 'x y']\nmax-entry = 1000\ncache-exit = '1-3'\n[[rule]]\nmatch = 'a \"b\"'\nttl = 5\ninput = ['x', '!y']\nno-exe = true\n");
        let without_comments = "sed 's/ *# .*//' | grep -v '^$'";
        let told = sandbox.ok(&format!("memo config | {without_comments}"));
        sandbox
            .ok("mkdir -p ../home/.config/memo; memo config >../home/.config/memo/config.toml; rm memo.toml");
        assert_eq!(sandbox.ok(&format!("env -u MEMO_DIR memo config | {without_comments}")), told);
    }

    #[test]
    fn a_fault_in_a_file_is_a_warning_for_a_run_and_an_error_here() {
        let sandbox = Sandbox::new();
        user(&sandbox, "tll = '1h'\nmode = 1\n");
        sandbox.write("memo.toml", "[[rule]]\nmatch = 'puppet'\ntll = 1\n\n[[rule]]\nttl = 1\n");
        let session = sandbox.steps(&[
            "memo puppet print a",
            "memo config ttl",
            "MEMO_TTL=soon MEMO_MODE=of memo config ttl",
            "rm memo.toml $HOME/.config/memo/config.toml; memo config ttl",
        ]);
        assert_data_eq!(
            session,
            str![[r#"
$ memo puppet print a
memo: warning: $T/home/.config/memo/config.toml:1: unknown key `tll`
memo:   hint: did you mean `ttl`?
a
$ memo config ttl
none
memo: error: $T/home/.config/memo/config.toml:1: unknown key `tll`
memo:   hint: did you mean `ttl`?
memo: error: $T/home/.config/memo/config.toml:2: `mode`: unknown mode `1`
memo:   hint: one of: on, off, read-only, refresh
memo: error: $T/work/memo.toml:3: unknown key `tll` of a rule
memo:   hint: did you mean `ttl`?
memo: error: $T/work/memo.toml:5: the rule does not say which commands it is for
memo:   hint: for example: `match = "cc -c"`
[exit 2]
$ MEMO_TTL=soon MEMO_MODE=of memo config ttl
none
memo: error: $T/home/.config/memo/config.toml:1: unknown key `tll`
memo:   hint: did you mean `ttl`?
memo: error: $T/home/.config/memo/config.toml:2: `mode`: unknown mode `1`
memo:   hint: one of: on, off, read-only, refresh
memo: error: $T/work/memo.toml:3: unknown key `tll` of a rule
memo:   hint: did you mean `ttl`?
memo: error: $T/work/memo.toml:5: the rule does not say which commands it is for
memo:   hint: for example: `match = "cc -c"`
memo: error: MEMO_MODE: unknown mode `of`
memo:   hint: did you mean `off`?
memo: error: MEMO_TTL: invalid duration `soon`
memo:   hint: examples: 90, 90s, 15m, 1d12h
[exit 2]
$ rm memo.toml $HOME/.config/memo/config.toml; memo config ttl
none

"#]]
        );
    }
}

/// The files under `config/examples/` are meant to be copied: each is read without a warning.
#[test]
fn the_examples_have_no_fault() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/config/examples");
    let mut seen = 0;
    for file in std::fs::read_dir(directory).unwrap() {
        let sandbox = Sandbox::new();
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        sandbox.write("memo.toml", &text);
        let told = sandbox.run("memo config");
        assert_eq!((told.code, told.stderr.as_str()), (0, ""), "{text}");
        assert_eq!(told.stdout.matches("[[rule]]").count(), text.matches("\n[[rule]]").count());
        seen += 1;
    }
    assert!(seen >= 3);
}
