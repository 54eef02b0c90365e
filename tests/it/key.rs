//! What makes two calls the same: each row of the table in ARCHITECTURE.md.

use snapbox::{assert_data_eq, str};

use crate::check::{
    check_differ, check_differ_in, check_does_not_matter, check_matters, check_same, check_same_in, hits,
    in_both_worlds, is_not_recorded, runs_once, world,
};
use crate::sandbox::{LATE, Ran, Sandbox};

fn nothing(_: &Sandbox) {}

/// Changes a shell line would make.
fn does(line: &str) -> impl Fn(&Sandbox) {
    move |sandbox| _ = sandbox.ok(line)
}

mod words {
    use super::*;

    #[test]
    fn every_word_counts() {
        check_differ("memo ./bump a", "memo ./bump b");
        check_differ("memo ./bump", "memo ./bump a");
        check_differ("memo ./bump a b", "memo ./bump b a");
    }

    #[test]
    fn words_do_not_run_into_each_other() {
        check_differ("memo ./bump a b", "memo ./bump 'a b'");
        check_differ("memo ./bump ab c", "memo ./bump a bc");
    }

    #[test]
    fn an_empty_word_is_a_word() {
        check_differ("memo ./bump", "memo ./bump ''");
        check_differ("memo ./bump a ''", "memo ./bump '' a");
    }

    #[test]
    fn a_newline_counts() {
        check_differ("memo ./bump a", "memo ./bump $'a\n'");
        check_differ("memo ./bump $'a\nb'", "memo ./bump a b");
    }

    #[test]
    fn bytes_that_are_no_utf8_count() {
        check_differ("memo ./bump $'\\xff'", "memo ./bump $'\\xfe'");
    }

    #[test]
    fn quotes_of_the_shell_do_not_count() {
        check_same("memo ./bump a", "memo './bump' \"a\"");
    }

    #[test]
    fn a_word_with_an_underscore_in_front_counts() {
        check_differ("memo ./bump _a", "memo ./bump _b");
        check_differ("memo ./bump --_x=1", "memo ./bump --_x=2");
        check_differ("memo ./bump _V=1", "memo ./bump _V=2");
    }

    #[test]
    fn twenty_thousand_words_count() {
        check_differ("memo ./bump $(seq 20000)", "memo ./bump $(seq 19999) x");
    }

    #[test]
    fn how_the_program_is_named_counts() {
        check_differ("memo ./bump a", "memo \"$PWD/bump\" a");
    }

    #[test]
    fn run_and_two_dashes_say_nothing() {
        check_same("memo ./bump a", "memo run ./bump a");
        check_same("memo ./bump a", "memo -- ./bump a");
    }
}

mod assignments {
    use super::*;

    #[test]
    fn name_and_value_count() {
        check_differ("memo A=1 ./bump", "memo A=2 ./bump");
        check_differ("memo A=1 ./bump", "memo B=1 ./bump");
        check_differ("memo A=1 ./bump", "memo ./bump");
        check_differ("memo AB=C ./bump", "memo A=BC ./bump");
    }

    #[test]
    fn an_empty_value_differs_from_no_assignment() {
        check_differ("memo A= ./bump", "memo ./bump");
    }

    #[test]
    fn their_order_does_not_count() {
        check_same("memo A=1 B=2 ./bump", "memo B=2 A=1 ./bump");
    }

    #[test]
    fn the_last_of_a_repeated_name_counts() {
        check_same("memo A=1 A=2 ./bump", "memo A=2 ./bump");
        check_differ("memo A=1 A=2 ./bump", "memo A=2 A=1 ./bump");
        assert_eq!(Sandbox::new().ok("memo A=1 A=2 puppet env A"), "A=2\n");
    }

    #[test]
    fn two_dashes_may_stand_before_them() {
        check_same("memo A=1 ./bump", "memo -- A=1 ./bump");
    }

    #[test]
    fn behind_the_command_it_is_a_word() {
        check_differ("memo A=1 ./bump", "memo ./bump A=1");
        check_differ("memo ./bump _A=1", "memo ./bump _A=2");
    }

    #[test]
    fn it_differs_from_an_inherited_variable() {
        check_differ("F=1 memo ./bump", "memo F=1 ./bump");
    }

    #[test]
    fn it_differs_from_a_text() {
        check_differ("memo -k x=1 ./bump", "memo x=1 ./bump");
    }

    #[test]
    fn the_value_may_be_any_bytes() {
        check_differ("memo A=$'\\xff' ./bump", "memo A=$'\\xfe' ./bump");
        check_differ("memo A=$'1\n' ./bump", "memo A=1 ./bump");
        check_differ("memo A=1=2 ./bump", "memo A=1 ./bump");
    }

    #[test]
    fn path_decides_where_the_command_is_found() {
        let two = |sandbox: &Sandbox| {
            sandbox.script("p/tool", "#!/bin/sh\necho p >>$RUNS; echo p\n");
            sandbox.script("q/tool", "#!/bin/sh\necho q >>$RUNS; echo q\n");
        };
        check_differ_in(two, "memo PATH=\"$PWD/p:$PATH\" tool", "memo PATH=\"$PWD/q:$PATH\" tool");
        in_both_worlds(|sandbox| {
            two(sandbox);
            assert_eq!(runs_once(sandbox, "memo PATH=\"$PWD/q:$PATH\" tool").stdout, "q\n");
        });
    }

    #[test]
    fn a_word_that_is_no_name_is_the_command() {
        let session = Sandbox::new().steps(&["memo 1A=2 puppet", "memo A-B=2 puppet", "memo =2 puppet"]);
        assert_data_eq!(
            session,
            str![[r#"
$ memo 1A=2 puppet
memo: error: cannot run `1A=2`: no such command
memo:   hint: `1A` is not a variable name; `env '1A=2' COMMAND` sets it all the same
[exit 127]
$ memo A-B=2 puppet
memo: error: cannot run `A-B=2`: no such command
memo:   hint: `A-B` is not a variable name; `env 'A-B=2' COMMAND` sets it all the same
[exit 127]
$ memo =2 puppet
memo: error: cannot run `=2`: no such command
memo:   hint: is it a shell builtin or a function? try `memo sh -c '...'`
[exit 127]

"#]]
        );
    }

    #[test]
    fn a_command_may_have_an_equals_sign_in_its_name() {
        let sandbox = Sandbox::new();
        sandbox.script("A=1", "#!/bin/sh\necho \"called $*\"\n");
        assert_eq!(sandbox.ok("memo ./A=1 b"), "called b\n");
    }

    #[test]
    fn without_a_command_it_is_an_error() {
        let session = Sandbox::new().steps(&["memo A=1", "memo"]);
        assert_data_eq!(
            session,
            str![[r#"
$ memo A=1
memo: error: no command after `A=1`
memo:   hint: `memo A=1 COMMAND`; `memo env A=1` prints the environment
[exit 125]
$ memo
memo: error: no command to run
memo:   hint: `memo COMMAND [ARG]...`; see `memo --help`
[exit 125]

"#]]
        );
    }
}

mod underscore {
    use super::*;

    #[test]
    fn an_assignment_is_passed_on_and_not_hashed() {
        // B07, U01: two runs, three answers; the third has other words.
        let sandbox = Sandbox::new();
        let q = |dsn, page| {
            format!(
                "memo _DSN={dsn} size=50 page={page} sh -c \
                 'echo . >>$RUNS; echo \"rows $((size*page)) via $_DSN\"'"
            )
        };
        assert_eq!(sandbox.ok(&q("A", 3)), "rows 150 via A\n");
        assert_eq!(sandbox.ok(&q("B", 3)), "rows 150 via A\n");
        assert_eq!(sandbox.ok(&q("A", 4)), "rows 200 via A\n");
        assert_eq!(sandbox.runs(), 2);
    }

    #[test]
    fn present_absent_and_changed_are_one_key() {
        // U02, U03, I15, I16
        check_same("memo _A=1 B=1 ./bump", "memo _A=2 B=1 ./bump");
        check_same("memo _A=1 B=1 ./bump", "memo B=1 ./bump");
        check_same("memo B=1 ./bump", "memo _A=1 B=1 ./bump");
        check_same("memo _A=1 ./bump", "memo __A=2 _=3 ./bump");
        check_differ("memo _A=1 B=1 ./bump", "memo _A=1 B=2 ./bump");
    }

    #[test]
    fn it_is_passed_on_as_it_is() {
        // U04; rule 8: no name is stripped.
        let sandbox = Sandbox::new();
        assert_eq!(sandbox.ok("memo _A=hello puppet env _A env A"), "_A=hello\nA=[unset]\n");
    }

    #[test]
    fn an_inherited_one_is_like_an_assigned_one() {
        check_same("_T=x memo ./bump", "memo _T=y ./bump");
    }

    #[test]
    fn a_selected_variable_is_not_hashed() {
        // U05, U06
        check_same("_X=1 memo -e '*' ./bump", "_X=2 memo -e '*' ./bump");
        check_differ("X=1 memo -e '*' ./bump", "X=2 memo -e '*' ./bump");
        check_same("_X=1 memo -e _X ./bump", "_X=2 memo -e _X ./bump");
        check_same("_X=1 memo -e _X ./bump", "memo ./bump");
        check_same("memo -e _ ./bump", "memo ./bump");
    }

    #[test]
    fn file_names_are_no_names() {
        // U08, U09, U10
        let site = |sandbox: &Sandbox| {
            sandbox.write("__init__.py", "1");
            sandbox.write("site/_index.md", "1");
            sandbox.write("site/_p/_x.scss", "1");
        };
        check_matters(site, "memo -i __init__.py ./bump", |s| s.write("__init__.py", "2"));
        check_matters(site, "memo -i site/ ./bump", |s| s.write("site/_index.md", "2"));
        check_matters(site, "memo -i site/ ./bump", |s| s.write("site/_new.md", "2"));
        check_matters(site, "memo -i site/ ./bump", |s| s.write("site/_p/_x.scss", "2"));
        check_matters(site, "memo -i 'site/*.md' ./bump", |s| s.write("site/_index.md", "2"));
        check_matters(site, "memo -i 'site/**' ./bump", |s| s.write("site/_p/_x.scss", "2"));
    }

    #[test]
    fn a_word_that_names_a_file_counts_whatever_its_name() {
        check_matters(|s| s.write("_index.md", "1"), "memo ./bump _index.md", |s| s.write("_index.md", "2"));
    }

    #[test]
    fn an_input_that_is_ignored_by_name_is_not_opened() {
        // U11
        let big = |sandbox: &Sandbox| sandbox.write("big.bin", "1");
        let line = "memo -i _db=big.bin ./bump";
        check_does_not_matter(big, line, |s| s.write("big.bin", "22"));
        check_does_not_matter(big, line, does("chmod 000 big.bin"));
        check_does_not_matter(big, line, does("rm big.bin; mkfifo big.bin"));
        check_same_in(big, line, "memo ./bump");
    }

    #[test]
    fn an_input_that_is_ignored_by_name_must_be_there() {
        // U12
        let session = Sandbox::new().steps(&["memo -i _db=missing puppet print a"]);
        assert_data_eq!(
            session,
            str![[r#"
$ memo -i _db=missing puppet print a
memo: error: cannot hash input `_db` (missing): No such file or directory; the command was not run
memo:   hint: fix the path; a glob, `-i 'DIR/*'`, may match nothing
[exit 125]

"#]]
        );
    }

    #[test]
    fn a_text_is_a_label() {
        // U14
        check_same("memo -k _note=a ./bump", "memo -k _note=b ./bump");
        check_same("memo -k _note=a ./bump", "memo ./bump");
    }

    #[test]
    fn a_key_command_is_not_even_run() {
        check_same("memo --key-cmd _note=false ./bump", "memo ./bump");
    }

    #[test]
    fn a_named_text_hashes_what_a_variable_holds() {
        // U19, U25
        check_differ("V=1; memo -k posix2=\"$V\" ./bump", "V=2; memo -k posix2=\"$V\" ./bump");
        check_differ("V=_a=1; memo -k v=\"$V\" ./bump", "V=_a=2; memo -k v=\"$V\" ./bump");
        check_differ("V=_a=1; memo -k =\"$V\" ./bump", "V=_a=2; memo -k =\"$V\" ./bump");
        check_same("V=_a=1; memo -k \"$V\" ./bump", "V=_a=2; memo -k \"$V\" ./bump");
    }

    #[test]
    fn values_are_not_in_the_store() {
        // U22: not of what is ignored, and not of what is hashed either.
        let sandbox = Sandbox::new();
        sandbox.ok("SECRET=alpha7 memo -e SECRET _TOKEN=beta7 OPEN=gamma7 puppet print a");
        assert!(sandbox.manifests() > 0);
        assert_eq!(sandbox.run("grep -rlE 'alpha7|beta7|gamma7' $MEMO_DIR").stdout, "");
    }
}

mod directory {
    use super::*;

    fn two(sandbox: &Sandbox) {
        sandbox.ok("mkdir a b; ln -s a link");
    }

    #[test]
    fn it_counts() {
        check_differ_in(two, "cd a; memo ../bump", "cd b; memo ../bump");
        let sandbox = Sandbox::new();
        assert_eq!(sandbox.shown(&sandbox.ok("mkdir a; cd a; memo puppet cwd")), "$T/work/a\n");
        assert_eq!(sandbox.shown(&sandbox.ok("mkdir b; cd b; memo puppet cwd")), "$T/work/b\n");
    }

    #[test]
    fn it_can_be_left_out() {
        check_same_in(two, "cd a; memo --no-cwd ../bump", "cd b; memo --no-cwd ../bump");
        check_differ_in(two, "cd a; memo --no-cwd ../bump", "cd a; memo ../bump");
    }

    #[test]
    fn the_way_the_shell_came_counts() {
        // A program may print $PWD.
        check_differ_in(two, "cd a; memo ../bump", "cd link; memo ../bump");
        let sandbox = Sandbox::new();
        two(&sandbox);
        let print = "cd {}; memo sh -c 'echo $PWD'";
        assert_eq!(sandbox.shown(&sandbox.ok(&print.replace("{}", "a"))), "$T/work/a\n");
        assert_eq!(sandbox.shown(&sandbox.ok(&print.replace("{}", "link"))), "$T/work/link\n");
    }

    #[test]
    fn a_pwd_that_is_elsewhere_says_nothing() {
        check_same("memo ./bump", "PWD=/ memo ./bump");
        check_same("memo ./bump", "PWD=work memo ./bump");
        check_same("memo ./bump", "unset PWD; memo ./bump");
    }

    #[test]
    fn one_that_is_gone_is_not_recorded() {
        let sandbox = Sandbox::new();
        sandbox.ok("mkdir a");
        let ran = sandbox.run("cd a; rmdir ../a; memo -v puppet print a");
        assert_eq!((ran.code, ran.stdout.as_str()), (0, "a\n"), "{}", ran.stderr);
        assert!(ran.unrecorded().is_some_and(|why| why.starts_with("unkeyed")), "{}", ran.stderr);
    }

    fn checkouts(sandbox: &Sandbox) {
        for name in ["one", "two"] {
            sandbox.script(format!("{name}/tool"), "#!/bin/sh\necho . >>$RUNS; cat src/a || cat a\n");
            sandbox.write(format!("{name}/src/a"), "same\n");
        }
    }

    #[test]
    fn checkouts_share_below_a_root() {
        for line in [
            "memo --root . -i src ./tool",
            "memo --root . -i src/a ./tool",
            "memo --root \"$PWD\" -i src ./tool",
            "memo --root . ./tool src/a",
            "PATH=\"$PWD:$PATH\" memo --root . -i src tool",
        ] {
            check_same_in(checkouts, &format!("cd one; {line}"), &format!("cd two; {line}"));
        }
        check_same_in(
            checkouts,
            "cd one/src; memo --root .. ../tool a",
            "cd two/src; memo --root .. ../tool a",
        );
    }

    #[test]
    fn checkouts_share_only_what_is_the_same() {
        let other = |sandbox: &Sandbox| {
            checkouts(sandbox);
            sandbox.write("two/src/a", "else\n");
        };
        for line in
            ["memo --root . -i src ./tool", "memo --root . -i src/a ./tool", "memo --root . ./tool src/a"]
        {
            check_differ_in(other, &format!("cd one; {line}"), &format!("cd two; {line}"));
        }
    }

    #[test]
    fn the_place_below_the_root_counts() {
        let places = |sandbox: &Sandbox| _ = sandbox.ok("mkdir -p r/a r/b");
        check_differ_in(places, "cd r/a; memo --root .. ../../bump", "cd r/b; memo --root .. ../../bump");
        check_differ_in(places, "cd r/a; memo --root . ../../bump", "cd r/a; memo --root .. ../../bump");
    }

    #[test]
    fn a_root_that_does_not_hold_the_directory_is_an_error() {
        let session = Sandbox::new()
            .steps(&["mkdir a; memo --root a puppet print a", "memo --root missing puppet print a"]);
        assert_data_eq!(
            session,
            str![[r#"
$ mkdir a; memo --root a puppet print a
memo: error: root `$T/work/a` does not hold the working directory; the command was not run
memo:   hint: name a directory above this one: `--root .`
[exit 125]
$ memo --root missing puppet print a
memo: error: cannot use root `missing`: No such file or directory; the command was not run
[exit 125]

"#]]
        );
    }
}

mod program {
    use super::*;

    #[test]
    fn its_content_counts_and_its_time_does_not() {
        // B17
        check_matters(nothing, "memo ./bump", does("echo '# c' >>bump"));
        check_does_not_matter(nothing, "memo ./bump", does("touch bump"));
        check_does_not_matter(nothing, "memo ./bump", does("cp bump b; rm bump; mv b bump"));
        check_does_not_matter(nothing, "memo ./bump", does("chmod 700 bump"));
    }

    #[test]
    fn a_script_named_by_a_word_counts() {
        check_matters(nothing, "memo sh ./bump", does("echo '# c' >>bump"));
        check_does_not_matter(nothing, "memo sh ./bump", does("touch bump"));
    }

    #[test]
    fn it_can_be_left_out() {
        // I03, I29
        check_does_not_matter(nothing, "memo --no-exe ./bump", does("echo '# c' >>bump"));
        check_differ("memo --no-exe ./bump", "memo ./bump");
        check_differ("memo --no-exe -k code=3 ./bump", "memo --no-exe -k code=4 ./bump");
    }

    #[test]
    fn another_one_found_first_counts() {
        let path = |sandbox: &Sandbox| {
            sandbox.ok("mkdir p q; cp bump q/tool");
        };
        check_matters(path, "PATH=\"$PWD/p:$PWD/q:$PATH\" memo tool", does("cp bump p/tool"));
    }

    #[test]
    fn a_link_that_leads_elsewhere_counts() {
        let link = |sandbox: &Sandbox| {
            sandbox.ok("cp bump v1; cp bump v2; echo '# 2' >>v2; ln -s v1 tool");
        };
        check_matters(link, "memo ./tool", does("ln -sfn v2 tool"));
        check_does_not_matter(link, "memo ./tool", does("cp v1 v3; ln -sfn v3 tool"));
    }

    fn interpreted(sandbox: &Sandbox) {
        let root = sandbox.path("interpreter").display().to_string();
        sandbox.script("interpreter", "#!/bin/sh\nexec /bin/sh \"$@\"\n");
        // An interpreter that is itself a script is run by the kernel since 2.6.28.
        sandbox.script("tool", &format!("#!{root}\necho . >>$RUNS; echo out\n"));
    }

    #[test]
    fn its_interpreter_counts() {
        check_matters(interpreted, "memo ./tool", does("echo '# c' >>interpreter"));
        check_does_not_matter(interpreted, "memo ./tool", does("touch interpreter"));
        check_does_not_matter(interpreted, "memo --no-exe ./tool", does("echo '# c' >>interpreter"));
    }

    #[test]
    fn what_env_looks_up_counts() {
        let looked_up = |sandbox: &Sandbox| {
            sandbox.script("q/shy", "#!/bin/sh\nexec /bin/sh \"$@\"\n");
            sandbox.script("tool", "#!/usr/bin/env shy\necho . >>$RUNS; echo out\n");
            sandbox.ok("mkdir p");
        };
        let line = "PATH=\"$PWD/p:$PWD/q:$PATH\" memo ./tool";
        check_matters(looked_up, line, does("echo '# c' >>q/shy"));
        check_matters(looked_up, line, does("cp q/shy p/shy"));
        check_does_not_matter(looked_up, line, does("touch q/shy"));
    }

    #[test]
    fn one_that_is_swapped_for_a_shell_script_without_a_first_line_still_runs() {
        let sandbox = Sandbox::new();
        sandbox.script("tool", "echo \"plain $1\"\n");
        for _ in 0..2 {
            assert_eq!(sandbox.ok("memo ./tool a"), "plain a\n");
        }
    }

    #[test]
    fn what_cannot_be_run_is_said() {
        let sandbox = Sandbox::new();
        sandbox.write("plain", "x");
        sandbox.script("lost", "#!/no/such/interpreter\n");
        let session = sandbox.steps(&[
            "memo nosuch a",
            "memo ./nosuch a",
            "memo ./plain a",
            "memo / a",
            "memo ./lost",
            "memo ''",
            "memo --no-such-option puppet",
            "memo --tll 3 puppet",
        ]);
        assert_data_eq!(
            session,
            str![[r#"
$ memo nosuch a
memo: error: cannot run `nosuch`: no such command
memo:   hint: is it a shell builtin or a function? try `memo sh -c '...'`
[exit 127]
$ memo ./nosuch a
memo: error: cannot run `./nosuch`: no such command
[exit 127]
$ memo ./plain a
memo: error: cannot run `./plain`: Permission denied
memo:   hint: `chmod +x ./plain`, or run it by its interpreter: `memo sh ./plain`
[exit 126]
$ memo / a
memo: error: cannot run `/`: Is a directory
[exit 126]
$ memo ./lost
memo: error: cannot run `./lost`: its interpreter does not exist
[exit 127]
$ memo ''
memo: error: cannot run ``: no such command
memo:   hint: is it a shell builtin or a function? try `memo sh -c '...'`
[exit 127]
$ memo --no-such-option puppet
memo: error: memo has no option `--no-such-option`; the command was not run
memo:   hint: did you mean `--no-auto`?
[exit 125]
$ memo --tll 3 puppet
memo: error: memo has no option `--tll`; the command was not run
memo:   hint: did you mean `--ttl`?
[exit 125]

"#]]
        );
    }
}

mod environment {
    use super::*;

    #[test]
    fn a_chosen_variable_counts() {
        check_differ("A=1 memo -e A ./bump", "A=2 memo -e A ./bump");
        check_differ("A= memo -e A ./bump", "memo -e A ./bump");
        check_differ("A= memo -e A ./bump", "A=1 memo -e A ./bump");
    }

    #[test]
    fn any_other_does_not() {
        check_same("A=1 memo ./bump", "A=2 memo ./bump");
        check_same("A=1 memo -e B ./bump", "A=2 memo -e B ./bump");
    }

    #[test]
    fn the_locale_and_the_time_zone_always_count() {
        for name in ["LANG", "LC_ALL", "LC_TIME", "TZ"] {
            check_differ(&format!("{name}=C memo ./bump"), &format!("{name}=POSIX memo ./bump"));
            check_differ(&format!("{name}= memo ./bump"), "memo ./bump");
        }
    }

    #[test]
    fn a_glob_chooses_many_and_an_exclusion_wins() {
        // U21
        check_differ("AWS_R=1 memo -e 'AWS_*' ./bump", "AWS_R=2 memo -e 'AWS_*' ./bump");
        check_same(
            "AWS_T=1 memo -e 'AWS_*' -e '!AWS_T' ./bump",
            "AWS_T=2 memo -e 'AWS_*' -e '!AWS_T' ./bump",
        );
        check_same(
            "AWS_T=1 memo -e '!AWS_T' -e 'AWS_*' ./bump",
            "AWS_T=2 memo -e '!AWS_T' -e 'AWS_*' ./bump",
        );
        check_same("LC_ALL=C memo -e '!LC_*' ./bump", "memo -e '!LC_*' ./bump");
    }

    #[test]
    fn order_and_repetition_say_nothing() {
        check_same("A=1 B=2 memo -e A -e B ./bump", "A=1 B=2 memo -e B -e A -e B ./bump");
    }

    #[test]
    fn an_assignment_takes_the_place_of_what_is_inherited() {
        check_same("LANG=C memo LANG=x ./bump", "LANG=POSIX memo LANG=x ./bump");
        check_same("A=1 memo -e A A=x ./bump", "A=2 memo -e A A=x ./bump");
    }

    #[test]
    fn everything_is_the_same_whoever_calls() {
        // I34, U18
        let make = |sandbox: &Sandbox| sandbox.write("Makefile", "all:\n\t@memo -e '*' ./bump\n");
        let direct = "memo -e '*' ./bump";
        check_same_in(make, direct, "dash -c \"memo -e '*' ./bump\"");
        check_same_in(make, direct, "SHLVL=7 OLDPWD=/ _=x COLUMNS=99 memo -e '*' ./bump");
        check_same_in(make, direct, "SSH_TTY=/dev/pts/1 CMD_DURATION=3 WINDOWID=2 memo -e '*' ./bump");
        check_same_in(make, direct, "make -s");
        check_same_in(make, direct, "make -s -j2");
        check_same_in(make, direct, "MEMO_TTL=3d memo -e '*' ./bump");
    }

    #[test]
    fn a_literal_name_is_obeyed_where_a_glob_leaves_it_out() {
        check_differ("MAKEFLAGS=a memo -e MAKEFLAGS ./bump", "MAKEFLAGS=b memo -e MAKEFLAGS ./bump");
    }

    #[test]
    fn the_configuration_may_choose() {
        // U24
        let file = |sandbox: &Sandbox| {
            sandbox.ok(
                "mkdir -p ~/.config/memo; echo 'env = [\"CITY\", \"_CI_TOKEN\"]' >~/.config/memo/config.toml",
            );
        };
        check_differ_in(file, "CITY=a memo ./bump", "CITY=b memo ./bump");
        check_same_in(file, "_CI_TOKEN=a memo ./bump", "_CI_TOKEN=b memo ./bump");
        check_differ("CITY=a MEMO_ENV=CITY memo ./bump", "CITY=b MEMO_ENV=CITY memo ./bump");
    }

    #[test]
    fn an_assignment_is_no_selector() {
        let session = Sandbox::new().steps(&["memo -e A=1 puppet print a"]);
        assert_data_eq!(
            session,
            str![[r#"
$ memo -e A=1 puppet print a
memo: error: `-e A=1` names no variable; the command was not run
memo:   hint: to set one for the command: `memo A=1 COMMAND`
[exit 125]

"#]]
        );
    }
}

mod texts {
    use super::*;

    #[test]
    fn a_text_counts() {
        check_differ("memo -k a ./bump", "memo -k b ./bump");
        check_differ("memo -k a ./bump", "memo ./bump");
        check_differ("memo -k '' ./bump", "memo ./bump");
        check_differ("memo -k $'a\n' ./bump", "memo -k a ./bump");
    }

    #[test]
    fn name_and_text_do_not_run_into_each_other() {
        // B05
        check_differ("memo -k a=bc ./bump", "memo -k ab=c ./bump");
        check_differ("memo -k a -k b ./bump", "memo -k ab ./bump");
        check_differ("memo -k a=b ./bump", "memo -k =a=b ./bump");
    }

    #[test]
    fn a_leading_equals_sign_says_that_there_is_no_name() {
        check_same("memo -k a ./bump", "memo -k =a ./bump");
        check_differ("memo -k =_a=1 ./bump", "memo -k =_a=2 ./bump");
    }

    #[test]
    fn order_does_not_count() {
        check_same("memo -k a -k b=c ./bump", "memo -k b=c -k a ./bump");
    }

    #[test]
    fn what_a_key_command_prints_counts() {
        // A09
        let notebook = |sandbox: &Sandbox| sandbox.write("nb", "cell 1\nmeta 1\n");
        let line = "memo --key-cmd nb='grep cell nb' ./bump";
        check_does_not_matter(notebook, line, does("echo 'meta 2' >>nb"));
        check_matters(notebook, line, does("echo 'cell 2' >>nb"));
        check_differ("memo --key-cmd a='echo x' ./bump", "memo --key-cmd b='echo x' ./bump");
        check_differ("memo --key-cmd a='echo x' ./bump", "memo -k a=x ./bump");
        check_same("memo --key-cmd a='echo x' ./bump", "memo --key-cmd a='echo warned >&2; echo x' ./bump");
    }

    #[test]
    fn a_key_command_that_fails_is_an_error() {
        // I27
        let sandbox = Sandbox::new();
        let session = sandbox.steps(&[
            "memo --key-cmd x=false puppet bump a",
            "memo --key-cmd x='echo why >&2; echo more >&2; exit 3' puppet bump a",
            "memo --key-cmd x='kill -9 $$' puppet bump a",
            "memo --key-cmd false puppet bump a",
        ]);
        assert_eq!(sandbox.runs(), 0);
        assert_data_eq!(
            session,
            str![[r#"
$ memo --key-cmd x=false puppet bump a
memo: error: key command for `x` failed (exit 1); the command was not run
[exit 125]
$ memo --key-cmd x='echo why >&2; echo more >&2; exit 3' puppet bump a
memo: error: key command for `x` failed (exit 3): why; the command was not run
[exit 125]
$ memo --key-cmd x='kill -9 $$' puppet bump a
memo: error: key command for `x` failed (signal 9); the command was not run
[exit 125]
$ memo --key-cmd false puppet bump a
memo: error: `--key-cmd false` has no name; the command was not run
memo:   hint: `--key-cmd version='false'`
[exit 125]

"#]]
        );
    }
}

mod singletons {
    use super::*;

    #[test]
    fn one_that_is_not_running_is_an_error() {
        let sandbox = Sandbox::new();
        // Without what a rule gives it is no more there than with it.
        sandbox.write("../home/.config/memo/config.toml", "[[rule]]\nmatch = 'puppet exit'\nkey = 'x'\n");
        let session = sandbox.steps(&[
            "memo --dep-singleton m puppet bump a",
            "memo --dep-singleton m --key-cmd x='echo ran >~/ran' puppet bump a; ls ~",
            "memo --dep-singleton m puppet exit 0",
            "memo why --dep-singleton m puppet bump a",
            "MEMO_MODE=off memo --dep-singleton m puppet bump a",
        ]);
        assert_eq!(sandbox.runs(), 1);
        assert_data_eq!(
            session,
            str![[r#"
$ memo --dep-singleton m puppet bump a
memo: error: singleton `m` is not running; the command was not run
memo:   hint: `memo singleton m -- COMMAND` starts it
[exit 125]
$ memo --dep-singleton m --key-cmd x='echo ran >~/ran' puppet bump a; ls ~
memo: error: singleton `m` is not running; the command was not run
memo:   hint: `memo singleton m -- COMMAND` starts it
$ memo --dep-singleton m puppet exit 0
memo: error: singleton `m` is not running; the command was not run
memo:   hint: `memo singleton m -- COMMAND` starts it
[exit 125]
$ memo why --dep-singleton m puppet bump a
memo: error: singleton `m` is not running; the command was not run
memo:   hint: `memo singleton m -- COMMAND` starts it
[exit 2]
$ MEMO_MODE=off memo --dep-singleton m puppet bump a
a #1

"#]]
        );
    }
}

mod inputs {
    use super::*;

    fn tree(sandbox: &Sandbox) {
        sandbox.write("f", "1");
        sandbox.write("g", "1");
        sandbox.write("d/f", "1");
        sandbox.write("d/deep/er/h.c", "1");
        sandbox.ok("mkdir d/empty; ln -s f d/link; ln -s nowhere d/dangling; ln -s deep d/linked");
    }

    #[test]
    fn a_file_counts_by_content() {
        check_matters(tree, "memo -i f ./bump", |s| s.write("f", "2"));
        check_matters(tree, "memo -i f ./bump", does("chmod +x f"));
        check_does_not_matter(tree, "memo -i f ./bump", does("touch f"));
        check_does_not_matter(tree, "memo -i f ./bump", does("cp f x; mv x f"));
        check_does_not_matter(tree, "memo -i f ./bump", does("chmod 600 f"));
        check_does_not_matter(tree, "memo -i f ./bump", |s| s.write("g", "2"));
    }

    #[test]
    fn that_it_is_declared_counts() {
        check_differ_in(tree, "memo -i f ./bump", "memo ./bump");
        check_differ_in(tree, "memo -i f ./bump", "memo -i g ./bump");
        check_differ_in(tree, "memo -i f ./bump", "memo -i f -i g ./bump");
        check_differ_in(tree, "memo -i f ./bump", "memo -i n=f ./bump");
    }

    #[test]
    fn order_repetition_and_dot_slash_say_nothing() {
        check_same_in(tree, "memo -i f -i g ./bump", "memo -i g -i f -i g ./bump");
        check_same_in(tree, "memo -i f -i d ./bump", "memo -i ./f -i d/ ./bump");
    }

    #[test]
    fn a_directory_counts_with_all_below_it() {
        // H20
        let line = "memo -i d ./bump";
        check_matters(tree, line, |s| s.write("d/f", "2"));
        check_matters(tree, line, |s| s.write("d/deep/er/h.c", "2"));
        check_matters(tree, line, |s| s.write("d/deep/new", ""));
        check_matters(tree, line, does("rm d/deep/er/h.c"));
        check_matters(tree, line, does("chmod +x d/f"));
        check_matters(tree, line, does("mv d/f d/g"));
        check_matters(tree, line, does("mkdir d/e"));
        check_matters(tree, line, does("rmdir d/empty"));
        check_matters(tree, line, does("ln -sfn elsewhere d/dangling"));
        check_matters(tree, line, does("ln -sfn empty d/linked"));
        check_matters(tree, line, does("rm d/link; cp d/f d/link"));
        check_matters(tree, line, does("rmdir d/empty; touch d/empty"));
        check_matters(tree, line, does("echo hidden >d/.hidden"));
    }

    #[test]
    fn what_a_link_in_a_directory_leads_to_counts() {
        let outside = |sandbox: &Sandbox| {
            tree(sandbox);
            sandbox.ok("ln -s ../g d/out");
        };
        check_matters(outside, "memo -i d ./bump", |s| s.write("g", "2"));
        check_matters(tree, "memo -i d ./bump", |s| s.write("d/nowhere", "there now"));
    }

    #[test]
    fn times_in_a_directory_do_not_count() {
        let line = "memo -i d ./bump";
        check_does_not_matter(tree, line, does("find d -exec touch -h {} +"));
        check_does_not_matter(tree, line, does("cp -r d e; rm -r d; mv e d"));
        check_does_not_matter(tree, line, does("touch d/x; rm d/x"));
    }

    #[test]
    fn a_glob_counts_with_what_it_matches() {
        let line = "memo -i 'd/*.c' -i 'd/**/*.c' ./bump";
        check_matters(tree, line, |s| s.write("d/deep/er/h.c", "2"));
        check_matters(tree, line, |s| s.write("d/new.c", "2"));
        check_matters(tree, line, |s| s.write("d/deep/.hidden.c", "2"));
        check_matters(tree, line, does("mv d/deep/er/h.c d/deep/er/i.c"));
        check_does_not_matter(tree, line, |s| s.write("d/f", "2"));
        check_does_not_matter(tree, line, |s| s.write("d/new.h", "2"));
        check_does_not_matter(tree, "memo -i 'd/*' ./bump", |s| s.write("d/deep/er/h.c", "2"));
    }

    #[test]
    fn a_glob_may_match_nothing() {
        check_matters(tree, "memo -i '*.toml' ./bump", |s| s.write("a.toml", ""));
        check_matters(tree, "memo -i 'missing/*.toml' ./bump", |s| s.write("missing/a.toml", ""));
        check_does_not_matter(tree, "memo -i '*.toml' ./bump", |s| s.write("a.tom", ""));
    }

    #[test]
    fn a_file_whose_name_looks_like_a_glob_is_a_file() {
        check_matters(|s| s.write("a[1].c", "1"), "memo -i 'a[1].c' ./bump", |s| s.write("a[1].c", "2"));
    }

    #[test]
    fn exclusions_leave_out_what_they_match() {
        check_does_not_matter(tree, "memo -i d -i '!*.c' ./bump", |s| s.write("d/deep/er/h.c", "2"));
        check_does_not_matter(tree, "memo -i '!d/deep' -i d ./bump", |s| s.write("d/deep/er/h.c", "2"));
        check_does_not_matter(tree, "memo -i d -i '!d/deep/**' ./bump", |s| s.write("d/deep/er/h.c", "2"));
        check_does_not_matter(tree, "memo -i 'd/**' -i '!*.o' ./bump", |s| s.write("d/a.o", "2"));
        check_matters(tree, "memo -i d -i '!*.c' ./bump", |s| s.write("d/f", "2"));
        check_differ_in(tree, "memo -i d -i '!*.c' ./bump", "memo -i d ./bump");
    }

    #[test]
    fn a_name_says_what_is_meant() {
        check_matters(tree, "memo -i source=f ./bump", |s| s.write("f", "2"));
        check_matters(tree, "memo -i source=d ./bump", |s| s.write("d/f", "2"));
        check_does_not_matter(tree, "memo -i _source=d ./bump", |s| s.write("d/f", "2"));
        check_matters(|s| s.write("a=b", "1"), "memo -i ./a=b ./bump", |s| s.write("a=b", "2"));
    }

    #[test]
    fn it_may_lie_anywhere() {
        let outside = |sandbox: &Sandbox| _ = sandbox.ok("echo 1 >$HOME/far; mkdir -p x/y");
        check_matters(outside, "memo -i $HOME/far ./bump", does("echo 22 >$HOME/far"));
        check_matters(outside, "cd x/y; memo -i ../../../home/far ../../bump", does("echo 22 >$HOME/far"));
    }

    #[test]
    fn through_a_link_the_content_counts() {
        let linked = |sandbox: &Sandbox| {
            tree(sandbox);
            sandbox.ok("ln -s f to; ln -s d dir");
        };
        check_matters(linked, "memo -i to ./bump", |s| s.write("f", "2"));
        check_matters(linked, "memo -i dir ./bump", |s| s.write("d/f", "2"));
        check_does_not_matter(linked, "memo -i to ./bump", does("ln -sfn g to"));
    }
}

mod options {
    use super::*;

    #[test]
    fn outputs_count_as_typed() {
        check_differ("memo -o x sh -c './bump >x'", "memo sh -c './bump >x'");
        check_same("memo -o x -o y sh -c './bump >x; >y'", "memo -o y -o x -o y sh -c './bump >x; >y'");
    }

    #[test]
    fn what_is_not_looked_at_counts() {
        check_differ("memo --no-auto ./bump", "memo ./bump");
        check_differ("memo --no-exe ./bump", "memo ./bump");
    }

    #[test]
    fn what_only_says_how_to_go_about_it_does_not_count() {
        for other in [
            "memo -v ./bump",
            "memo -q ./bump",
            "memo -g other ./bump",
            "memo --ttl 1d ./bump",
            "memo --cache-exit 0-3 ./bump",
            "memo --only-cached ./bump",
            "MEMO_MODE=read-only memo ./bump",
            "MEMO_TTL=1d memo ./bump",
            "memo -n ./bump",
            "memo --stdin none ./bump",
            "memo ./bump 3</dev/null",
        ] {
            check_same("memo ./bump", other);
        }
    }
}

mod streams {
    use super::*;

    #[test]
    fn stdin_counts_by_content() {
        let file = |sandbox: &Sandbox| {
            sandbox.write("a", "1\n2\n");
            sandbox.write("b", "1\n3\n");
            sandbox.write("c", "1\n2\n");
            sandbox.script("bump", "#!/bin/sh\necho . >>$RUNS; cat\n");
        };
        check_differ_in(file, "memo ./bump <a", "memo ./bump <b");
        check_same_in(file, "memo ./bump <a", "memo ./bump <c");
        check_differ_in(file, "memo ./bump <a", "memo ./bump");
        check_differ_in(file, "memo ./bump <a", "{ read x; memo ./bump; } <a");
        check_same_in(file, "memo ./bump </dev/null", "memo -n ./bump <a");
        check_differ_in(file, "cat a | memo ./bump", "cat b | memo ./bump");
        check_same_in(file, "cat a | memo ./bump", "cat c | memo ./bump");
    }

    #[test]
    fn a_closed_stdin_differs_from_an_empty_one() {
        check_differ("memo ./bump <&-", "memo ./bump </dev/null");
        in_both_worlds(|sandbox| {
            runs_once(sandbox, "memo ./bump </dev/null");
            // A pipe that is at its end for sure; of `true |` it is not known when.
            let (ended, _) = std::io::pipe().unwrap();
            Ran::of(sandbox.shell("memo ./bump").stdin(ended));
            assert_eq!(sandbox.runs(), 1);
        });
    }

    #[test]
    fn one_pipe_for_both_differs_from_two() {
        check_differ("memo ./bump 2>&1 | cat", "memo ./bump 2>/dev/null | cat");
        check_same("memo ./bump 2>&1 | cat", "memo ./bump 2>&1 | cat; true");
        check_same("memo ./bump", "memo ./bump 2>$HOME/e");
    }

    #[test]
    fn what_went_to_one_stream_alone_answers_one_pipe_for_both() {
        let answers = |first: &str, second: &str| {
            in_both_worlds(|sandbox| {
                sandbox.write("f", "1\n");
                runs_once(sandbox, first);
                hits(sandbox, second);
            });
        };
        for call in ["./bump", "sh -c './bump >&2'", "sh -c './bump >/dev/null'"] {
            answers(&format!("memo {call}"), &format!("memo {call} 2>&1 | cat"));
            answers(&format!("memo {call} <f"), &format!("memo {call} <f 2>&1 | cat"));
            answers(&format!("cat f | memo {call}"), &format!("cat f | memo {call} 2>&1 | cat"));
        }
        let through = "sh -c 'cat; ./bump'";
        answers(&format!("cat f | memo {through}"), &format!("cat f | memo {through} 2>&1 | cat"));
        let sandbox = world(LATE);
        runs_once(&sandbox, "memo sh -c './bump >&2'");
        assert_eq!(hits(&sandbox, "memo sh -c './bump >&2' 2>&1 | cat").stdout, " #1\n");
        // Which of the two wrote is not known where they were one, and not their order where they were two.
        check_differ("memo ./bump 2>&1 | cat", "memo ./bump");
        check_differ("memo sh -c './bump; echo e >&2'", "memo sh -c './bump; echo e >&2' 2>&1 | cat");
        let silent = "sh -c './bump >/dev/null'";
        check_same(&format!("memo {silent} 2>&1 | cat"), &format!("memo {silent}"));
    }

    #[test]
    fn what_went_to_one_of_two_streams_comes_from_the_newest_run_of_its_own_kind() {
        let sandbox = world(LATE);
        runs_once(&sandbox, "memo ./bump");
        assert_eq!(hits(&sandbox, "memo ./bump 2>&1 | cat").stdout, " #1\n");
        assert_eq!(sandbox.ok("memo --refresh ./bump 2>&1 | cat"), " #2\n");
        assert_eq!(hits(&sandbox, "memo ./bump 2>&1 | cat").stdout, " #2\n");
        assert_eq!(hits(&sandbox, "memo ./bump").stdout, " #1\n");
    }

    #[test]
    fn nothing_to_write_to_is_answered_by_either() {
        check_same("memo ./bump >/dev/null 2>&1", "memo ./bump >/dev/null 2>&1");
        in_both_worlds(|sandbox| {
            runs_once(sandbox, "memo ./bump 2>&1 | cat");
            hits(sandbox, "memo ./bump >/dev/null 2>&1");
        });
        in_both_worlds(|sandbox| {
            runs_once(sandbox, "memo ./bump");
            hits(sandbox, "memo ./bump >/dev/null 2>&1");
        });
    }

    #[test]
    fn a_closed_stdout_differs_from_an_open_one() {
        let silent = "memo sh -c 'echo . >>$RUNS'";
        check_differ(&format!("{silent} >&-"), silent);
        check_differ(&format!("{silent} 2>&-"), silent);
        check_differ(&format!("{silent} 2>&-"), &format!("{silent} >&-"));
    }
}

#[test]
fn each_kind_of_input_counts_on_its_own() {
    // A11: whatever was there before is still answered after each change.
    let sandbox = world(LATE);
    sandbox.write("f", "1");
    sandbox.write("d/f", "1");
    let calls = [
        "memo ./bump a",
        "memo ./bump b",
        "memo -i f ./bump a",
        "memo -i d ./bump a",
        "memo V=1 ./bump a",
        "V=1 memo -e V ./bump a",
        "memo -k t ./bump a",
        "memo --key-cmd c='echo x' ./bump a",
        "cd d; memo ../bump a",
        "echo x | memo ./bump a",
    ];
    for call in calls {
        runs_once(&sandbox, call);
    }
    for call in calls {
        hits(&sandbox, call);
    }
}

#[test]
fn a_hit_says_nothing_of_what_is_not_declared() {
    // Promise 1 ends where nothing was declared: a helper that the script calls (I04).
    check_does_not_matter(
        |s| s.script("helper", "#!/bin/sh\necho 1\n"),
        "memo sh -c './bump; ./helper'",
        |s| s.script("helper", "#!/bin/sh\necho 2\n"),
    );
    check_matters(
        |s| s.script("helper", "#!/bin/sh\necho 1\n"),
        "memo -i helper sh -c './bump; ./helper'",
        |s| s.script("helper", "#!/bin/sh\necho 2\n"),
    );
}

#[test]
fn a_command_that_names_itself_as_its_own_input_is_recorded_once() {
    in_both_worlds(|sandbox| {
        runs_once(sandbox, "memo ./bump ./bump");
        is_not_recorded(sandbox, "memo -v sh -c './bump; exit 1'", "exit-status: 1");
    });
}
