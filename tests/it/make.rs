//! Under make, ninja, xargs and parallel: after a hit nothing is built twice, and nothing that should be built
//! is skipped.

use crate::sandbox::{LATE, Sandbox};

/// A compiler that counts.
const CC: &str = "#!/bin/sh\necho . >>\"$RUNS\"\nexec cc \"$@\"\n";

const MAKEFILE: &str = "\
MEMO = memo -v
OBJECTS = main.o a.o b.o c.o d.o
prog: $(OBJECTS)
	$(MEMO) -o $@ ./cc $(OBJECTS) -o $@
%.o: %.c Makefile
	$(MEMO) --depfile $*.d -i Makefile -o $@ ./cc -MMD -MP -MF $*.d -c $< -o $@
made.h: made.txt
	$(MEMO) -i made.txt -o $@ sh -c 'echo . >>$$RUNS; sed s/^/int\\ /\\;s/$$/\\;/ made.txt >made.h'
d.o: made.h
clean:
	rm -f prog made.h *.o *.d
-include $(wildcard *.d)
";

const NINJA: &str = "\
rule cc
  command = memo -v --depfile $out.d -o $out ./cc -MMD -MF $out.d -c $in -o $out
  depfile = $out.d
  deps = gcc
rule link
  command = memo -v -o $out ./cc $in -o $out
rule made
  command = memo -v -i made.txt -o $out sh -c 'echo . >>$$RUNS; sed s/^/int\\ /\\;s/$$/\\;/ made.txt >made.h'
  restat = 1
build made.h: made made.txt
build main.o: cc main.c
build a.o: cc a.c
build b.o: cc b.c
build c.o: cc c.c
build d.o: cc d.c | made.h
build prog: link main.o a.o b.o c.o d.o
default prog
";

/// How `made.h` is made of `made.txt`.
const MADE: &str = "sed 's/^/int /;s/$/;/' made.txt >made.h";

/// Six compilations of five files, three headers and one that is made; the program prints what it was made of.
fn project() -> Sandbox {
    let sandbox = Sandbox::at(LATE);
    sandbox.script("cc", CC);
    sandbox.write("Makefile", MAKEFILE);
    sandbox.write("build.ninja", NINJA);
    sandbox.write("all.h", "int a(void), b(void), c(void), d(void);\n#define ALL 1\n");
    sandbox.write("ab.h", "#define AB 2\n");
    sandbox.write("c.h", "#define C 3\n");
    sandbox.write("made.txt", "made = 4\n");
    sandbox.write("main.c", "#include \"all.h\"\n#include <stdio.h>\nint main(void) { printf(\"%d %d %d %d %d\\n\", ALL, a(), b(), c(), d()); }\n");
    for (name, header, value) in
        [("a", "ab", "AB"), ("b", "ab", "AB + 10"), ("c", "c", "C"), ("d", "made", "made")]
    {
        let text =
            format!("#include \"{header}.h\"\n#include \"all.h\"\nint {name}(void) {{ return {value}; }}\n");
        sandbox.write(format!("{name}.c"), text);
    }
    sandbox
}

fn has(sandbox: &Sandbox, program: &str) -> bool {
    let found = sandbox.run(format!("command -v {program}")).code == 0;
    if !found {
        eprintln!("skipped: no {program} here");
    }
    found
}

/// A build tool: how it builds, cleans up, and says whether there is anything to do.
struct Tool {
    build: &'static str,
    clean: &'static str,
    /// Succeeds when nothing is to be done.
    is_done: &'static str,
}

const MAKE: Tool = Tool { build: "make -j2", clean: "make clean", is_done: "make -q" };
const NINJA_TOOL: Tool =
    Tool { build: "ninja -j2", clean: "ninja -t clean", is_done: "ninja -n -v | grep -q 'no work to do'" };

impl Tool {
    /// After a change the build runs so many commands really, comes to its end with that, and the program is
    /// what a build from nothing without memo makes.
    #[track_caller]
    fn check(&self, sandbox: &Sandbox, change: &str, runs: usize) {
        // What is written from now on is newer for make than what was.
        sandbox.next_tick();
        sandbox.ok(change);
        let before = sandbox.runs();
        sandbox.next_tick();
        let built = sandbox.ok(&format!("{} 2>&1", self.build));
        assert_eq!(sandbox.runs() - before, runs, "`{change}`:\n{built}");
        let done = sandbox.run(self.is_done);
        assert_eq!(done.code, 0, "`{change}`: there is more to do\n{built}{}", done.stdout);
        let sources = "rm -rf ../fresh; mkdir ../fresh; cp *.c *.h made.txt ../fresh; cd ../fresh";
        let fresh = sandbox.ok(&format!("{sources}; {MADE}; cc *.c -o prog; ./prog"));
        assert_eq!(sandbox.ok("./prog"), fresh, "`{change}`");
    }

    /// The life of a project.
    fn build(&self) {
        let sandbox = project();
        self.check(&sandbox, "true", 7);
        assert_eq!(sandbox.ok("./prog"), "1 2 12 3 4\n");
        self.check(&sandbox, "true", 0);
        self.check(&sandbox, self.clean, 0);
        self.check(&sandbox, "touch *", 0);
        self.check(&sandbox, "touch *.c", 0);
        self.check(&sandbox, "touch ab.h", 0);
        self.check(&sandbox, "rm a.o", 0);
        self.check(&sandbox, "rm prog", 0);
        self.check(&sandbox, "echo '#define AB 5' >ab.h", 3);
        assert_eq!(sandbox.ok("./prog"), "1 5 15 3 4\n");
        self.check(&sandbox, "echo '#define AB 2' >ab.h", 0);
        assert_eq!(sandbox.ok("./prog"), "1 2 12 3 4\n");
        self.check(&sandbox, "echo 'made = 6' >made.txt", 3);
        assert_eq!(sandbox.ok("./prog"), "1 2 12 3 6\n");
        // The same object as before: nothing to link.
        self.check(&sandbox, "echo '/* a remark */' >>c.c", 1);
        self.check(&sandbox, "echo '#define C 7' >new.h; echo '#include \"new.h\"' >c.h", 2);
        self.check(&sandbox, "echo '#define C 8' >new.h", 2);
        self.check(&sandbox, "echo '#define C 3' >c.h; rm new.h", 0);
        assert_eq!(sandbox.ok("./prog"), "1 2 12 3 6\n");
        self.check(&sandbox, self.clean, 0);
        self.check(&sandbox, "echo >>all.h", 5);
    }
}

#[test]
fn with_make_nothing_is_built_twice_or_skipped() {
    MAKE.build();
}

#[test]
fn with_ninja_nothing_is_built_twice_or_skipped() {
    if has(&Sandbox::new(), "ninja") {
        NINJA_TOOL.build();
    }
}

#[test]
fn one_make_after_another_builds_nothing_that_is_there() {
    // Two checkouts share what is in the store, and each learns of its own headers.
    let sandbox = project();
    let build = "make -s MEMO='memo --root .' 2>&1";
    sandbox.ok(&format!("mkdir ../other; cp -p * ../other; {build}"));
    assert_eq!(sandbox.runs(), 7);
    sandbox.ok(&format!("cd ../other; {build}; make -q"));
    assert_eq!(sandbox.runs(), 7);
    sandbox.next_tick();
    sandbox.ok(&format!("cd ../other; echo '#define AB 5' >ab.h; {build}; make -q"));
    assert_eq!(sandbox.runs(), 10);
    assert_eq!(sandbox.ok("cd ../other; ./prog; cd ../work; make -q && ./prog"), "1 5 15 3 4\n1 2 12 3 4\n");
}

mod jobserver {
    use super::*;

    #[test]
    fn reaches_the_command_and_is_not_in_the_key() {
        let sandbox = Sandbox::at(LATE);
        sandbox.write(
            "Makefile",
            "all: x y\nx:\n\t+@memo puppet bump $@ , fds , env MAKEFLAGS\ny:\n\t@memo puppet bump $@ , fds\n",
        );
        // Descriptors as in GNU make up to 4.3, which numbers them in MAKEFLAGS; from 4.4 on a fifo if it can.
        let style =
            if sandbox.run("make --version").stdout.contains("4.3") { "" } else { "--jobserver-style=pipe" };
        let plain = sandbox.ok(&format!("sed s/memo// Makefile | make -f - -j2 {style} x"));
        let auth = plain.split("--jobserver-auth=").nth(1).unwrap_or_else(|| panic!("{plain}"));
        let (reads, writes) = auth.trim().split_once(',').unwrap();
        // Those this test was started with come behind.
        assert!(plain.contains(&format!("fds: {reads} {writes}")), "{plain}");
        let cold = sandbox.ok(&format!("make -j2 {style} x"));
        assert_eq!(cold, plain.replace("x #1", "x #2"));
        for line in ["make -j3", "make", "make -j2 -k"] {
            assert_eq!(sandbox.ok(&format!("{line} x")), cold, "{line}");
        }
        let without = sandbox.ok(&format!("make -j2 {style} y"));
        let outside = sandbox.ok("puppet fds");
        assert_eq!(without, format!("y #3\n{outside}"), "only what make itself hands on");
        assert_eq!(sandbox.runs(), 3);
    }

    #[test]
    fn that_is_a_fifo_is_left_alone() {
        // GNU make from 4.4 on.
        let mut sandbox = Sandbox::at(LATE);
        let fifo = sandbox.fifo("jobs");
        let line = "memo -v puppet bump a , env MAKEFLAGS";
        sandbox.set("MAKEFLAGS", format!(" -j2 --jobserver-auth=fifo:{}", fifo.display()));
        let cold = sandbox.ok(line);
        assert_eq!(cold, format!("a #1\nMAKEFLAGS= -j2 --jobserver-auth=fifo:{}\n", fifo.display()));
        sandbox.set("MAKEFLAGS", " -j3 --jobserver-auth=fifo:/elsewhere");
        assert_eq!(sandbox.ok(line), cold);
    }

    /// Two jobs of a make below memo that must run at the same time, or none comes to its end.
    const BELOW: &str =
        "all: one two\none:\n\t@puppet bump $@ , waitfifo f\ntwo:\n\t@puppet bump $@ , tellfifo f\n";

    #[test]
    fn gives_its_jobs_to_a_make_below_memo() {
        let sandbox = Sandbox::at(LATE);
        sandbox.write("Makefile", "all:\n\t+@memo -v -i sub/Makefile $(MAKE) --no-print-directory -C sub\n");
        sandbox.write("sub/Makefile", BELOW);
        sandbox.fifo("sub/f");
        let cold = sandbox.run("timeout 100 make -j2");
        assert_eq!((cold.code, sandbox.runs()), (0, 2), "{}", cold.stderr);
        assert_eq!(cold.stderr, "memo: miss: never-seen\n", "no word of a jobserver that is not there");
        let warm = sandbox.run("timeout 100 make -j2");
        assert!(warm.is_hit(), "{}", warm.stderr);
        assert_eq!((warm.stdout, sandbox.runs()), (cold.stdout, 2));
    }

    #[test]
    fn gets_its_jobs_back() {
        // With two jobs and three such makes in a row: a job that was lost would stop the last.
        let sandbox = Sandbox::at(LATE);
        sandbox.write("Makefile", "all: 1 2 3\n.NOTPARALLEL:\n1 2 3:\n\t+@memo -k $@ -i sub/Makefile $(MAKE) --no-print-directory -C sub\n");
        sandbox.write("sub/Makefile", BELOW);
        sandbox.fifo("sub/f");
        for _ in 0..2 {
            let ran = sandbox.run("timeout 100 make -j2");
            assert_eq!((ran.code, ran.stderr.as_str(), sandbox.runs()), (0, "", 6));
        }
    }
}

#[test]
fn output_is_kept_together() {
    let sandbox = Sandbox::at(LATE);
    let recipe = "\t@memo puppet print $@-1 , eprint $@-2 , print $@-3 , bump $@\n";
    sandbox.write("Makefile", format!("all: a b c\na b c:\n{recipe}"));
    for mode in ["target", "line", "recurse"] {
        let ran = sandbox.ok(&format!("make -j3 --output-sync={mode} 2>&1"));
        assert_eq!(sandbox.runs(), 3, "{mode}");
        for name in ["a", "b", "c"] {
            assert!(ran.contains(&format!("{name}-1\n{name}-2\n{name}-3\n{name} #")), "{mode}: {ran}");
        }
    }
}

#[test]
fn under_xargs_and_parallel_the_same_runs_once() {
    for (tool, line) in [
        ("xargs", "printf '%s\\n' 1 2 3 1 2 3 1 2 3 | xargs -P 6 -n 1 memo puppet bump"),
        // Its jobs get a pipe that ends when it comes to it: a silent one and one at its end are two keys.
        ("parallel", "parallel --will-cite -j 6 memo -n puppet bump ::: 1 2 3 1 2 3 1 2 3"),
    ] {
        let sandbox = Sandbox::at(LATE);
        if !has(&sandbox, tool) {
            continue;
        }
        let mut seen = Vec::new();
        for _ in 0..2 {
            let shown = sandbox.ok(line);
            let mut lines: Vec<String> = shown.lines().map(str::to_owned).collect();
            lines.sort();
            assert_eq!(sandbox.runs(), 3, "{tool}");
            assert_eq!(lines.len(), 9, "{tool}: {shown}");
            lines.dedup();
            assert_eq!(lines.len(), 3, "{tool}: {shown}");
            assert!(seen.is_empty() || seen == lines, "{tool}");
            seen = lines;
        }
    }
}
