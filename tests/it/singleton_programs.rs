//! Programs that people keep running, each with the readiness it has. One that is not here is said, and passed over.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use snapbox::{assert_data_eq, str};

use crate::living::Singletons;
use crate::sandbox::Sandbox;

/// Returns a sandbox that finds what Debian has for administrators, and PostgreSQL's programs; `None` where one of
/// these is missing.
fn with(programs: &[&str]) -> Option<Singletons> {
    let mut sandbox = Sandbox::new().with_running_clock();
    let path = sandbox.ok("echo $PATH:/usr/sbin$(printf ':%s' /usr/lib/postgresql/*/bin)");
    sandbox.set("PATH", path.trim_end());
    let missing = |program: &&&str| sandbox.run(format!("command -v {program}")).code != 0;
    if let Some(program) = programs.iter().find(missing) {
        eprintln!("skipped: no {program} here");
        return None;
    }
    Some(Singletons::of(sandbox))
}

/// Asks over HTTP; returns the status line and what comes at last.
fn get(at: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(at).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

/// It is stopped, and nothing of it is left.
#[track_caller]
fn stops(singletons: &Singletons, name: &str) {
    let process = singletons.service(name);
    singletons.line(&format!("stop {name}"));
    process.gone();
    assert_eq!(singletons.processes(), []);
}

#[test]
fn an_http_server_of_python() {
    let Some(singletons) = with(&["python3"]) else { return };
    singletons.write("served/x", "content\n");
    // By the port it is given, by its answer there, and by what it writes.
    let at = singletons.ok(
        "memo singleton web --port auto -- sh -c 'exec python3 -m http.server $PORT --bind 127.0.0.1 -d served'",
    );
    assert_eq!(get(at.trim_end(), "/x").1, "content\n");
    stops(&singletons, "web");
    let line = "web --ready-http 'http://localhost:$PORT/x' --ready-status 200 --port auto -- \
                sh -c 'exec python3 -m http.server $PORT --bind 127.0.0.1 -d served'";
    let asked = || singletons.ok(&format!("memo singleton {line}")).trim_end().to_owned();
    let (url, id) = (asked(), singletons.line("id web"));
    let at = url.strip_prefix("http://").unwrap().strip_suffix("/x").unwrap();
    assert_eq!(at, format!("localhost:{}", singletons.line("web --print port")));
    assert_eq!(get(at, "/x").1, "content\n");
    assert_eq!((asked(), singletons.line("id web")), (url, id));
    stops(&singletons, "web");
    let at = singletons
        .ok("memo singleton web --ready-log 'Serving HTTP on (?<host>\\S+) port (?<port>\\d+)' --print env \
         -- python3 -u -m http.server 0 --bind 127.0.0.1 -d served >env; . ./env; echo $WEB_HOST:$WEB_PORT");
    let (status, body) = get(at.trim_end(), "/x");
    assert!(status.ends_with("200 OK"), "{status}");
    assert_eq!(body, "content\n");
    let port = at.trim_end().rsplit(':').next().unwrap();
    // Another one cannot have the same port.
    let session = singletons.steps(&[&format!(
        "memo singleton other --ready-http http://127.0.0.1:{port}/ -- python3 -m http.server {port} --bind 127.0.0.1"
    )]);
    let process = singletons.service("web").pid.to_string();
    let session = session.replace(port, "[PORT]").replace(&process, "[PID]");
    assert_data_eq!(
        session,
        str![[r#"
$ memo singleton other --ready-http http://127.0.0.1:[PORT]/ -- python3 -m http.server [PORT] --bind 127.0.0.1
memo: error: singleton `other` was not started: port [PORT] is taken by process [PID]
[exit 125]

"#]]
    );
    stops(&singletons, "web");
    let line = format!(
        "web --ready-http http://127.0.0.1:{port}/x --ready-status 200 -- python3 -m http.server {port} --bind 127.0.0.1 -d served"
    );
    assert_eq!(singletons.line(&line), format!("http://127.0.0.1:{port}/x"));
    stops(&singletons, "web");
}

#[test]
fn a_line_server_of_python() {
    let Some(singletons) = with(&["python3"]) else { return };
    singletons.write(
        "model.py",
        "import sys\nopen('loaded', 'a').write('.')\nfor line in sys.stdin:\n    print(line.strip()[::-1], flush=True)\n",
    );
    let call = |text: &str| {
        singletons.ok(&format!("memo singleton call m '{text}' -i model.py -- python3 model.py"))
    };
    assert_eq!([call("abc"), call("a b")], ["cba\n", "b a\n"]);
    assert_eq!(singletons.read("loaded"), ".");
    singletons.ok("sed -i 's/::-1/:/' model.py");
    let ran = singletons.run("memo singleton call m abc -i model.py -- python3 model.py");
    assert_eq!(ran.stdout, "abc\n");
    assert_data_eq!(
        ran.stderr,
        str![[r#"
memo: singleton `m` is replaced: input-changed: `model.py`

"#]]
    );
    stops(&singletons, "m");
}

#[test]
fn an_agent_of_ssh() {
    let Some(singletons) = with(&["ssh-agent", "ssh-add", "ssh-keygen"]) else { return };
    // One for the user, wherever they are.
    let start = "export SSH_AUTH_SOCK=$(memo singleton agent --global --ready-unix ~/agent -- ssh-agent -D -a ~/agent)";
    singletons.ok("ssh-keygen -q -t ed25519 -N '' -C key -f key");
    singletons.ok(&format!("{start}; ssh-add -q key"));
    let listed = singletons.ok(&format!("mkdir d; cd d; cd ..; {start}; ssh-add -l"));
    assert!(listed.contains(" key (ED25519)"), "{listed}");
    singletons.line("stop agent --global");
    assert_eq!(singletons.processes(), []);
    // One that was asked not to stay in the foreground is told to.
    let session = singletons
        .steps(&["memo singleton agent --ready-file up -- ssh-agent -a agent 2>&1 | grep -v '^memo:   |'"]);
    assert_data_eq!(
        session,
        str![[r#"
$ memo singleton agent --ready-file up -- ssh-agent -a agent 2>&1 | grep -v '^memo:   |'
memo: error: singleton `agent` ended before it was ready: exit 0: it put itself into the background and left its processes behind
memo:   hint: let it stay in the foreground: `nginx -g 'daemon off;'`, `redis-server --daemonize no`

"#]]
    );
}

mod redis {
    use super::*;

    #[test]
    fn by_its_socket_its_port_its_answer_and_its_notice() {
        let Some(singletons) = with(&["redis-server", "redis-cli"]) else { return };
        let options = "--daemonize no --save '' --unixsocket $PWD/s";
        for (ready, port) in [
            ("--ready-unix s", "0"),
            ("--ready-cmd 'redis-cli -s s ping | grep -q PONG'", "0"),
            ("--ready-log '[Rr]eady to accept connections'", "0"),
            ("--port auto", "$PORT --bind 127.0.0.1"),
        ] {
            singletons.ok(&format!(
                "memo singleton r {ready} -- sh -c \"exec redis-server --port {} {options}\"",
                port.replace('$', "\\$")
            ));
            assert_eq!(singletons.ok("redis-cli -s s incr n"), "1\n", "{ready}");
            stops(&singletons, "r");
        }
    }

    #[test]
    fn by_what_it_tells_systemd() {
        let Some(singletons) = with(&["redis-server", "redis-cli"]) else { return };
        if singletons.run("ldd $(command -v redis-server) | grep -q libsystemd").code != 0 {
            eprintln!("skipped: this redis-server knows nothing of systemd");
            return;
        }
        singletons.ok("memo singleton r --ready-notify -- redis-server --port 0 --unixsocket $PWD/s --supervised systemd");
        assert_eq!(singletons.ok("redis-cli -s s ping"), "PONG\n");
        assert!(singletons.status("r").text("status").contains("Ready to accept connections"));
        stops(&singletons, "r");
    }

    #[test]
    fn what_it_keeps_outlives_it() {
        let Some(singletons) = with(&["redis-server", "redis-cli"]) else { return };
        let start = "memo singleton r -i redis.conf --ready-unix s -- sh -c 'exec redis-server redis.conf --dir \"$MEMO_STATE\" --unixsocket \"$PWD/s\"'";
        singletons.write("redis.conf", "port 0\nsave 3600 1\n");
        singletons.ok(start);
        singletons.ok("redis-cli -s s set key value");
        singletons.ok("memo singleton restart r");
        assert_eq!(singletons.ok("redis-cli -s s get key"), "value\n");
        singletons.write("redis.conf", "port 0\nsave 3600 1\ndatabases 3\n");
        let ran = singletons.run(start);
        assert_data_eq!(
            ran.stderr,
            str![[r#"
memo: singleton `r` is replaced: input-changed: `redis.conf`

"#]]
        );
        assert_eq!(
            singletons.ok("redis-cli -s s get key; redis-cli -s s config get databases"),
            "value\ndatabases\n3\n"
        );
        stops(&singletons, "r");
    }

    #[test]
    fn in_the_background_it_is_told_not_to() {
        let Some(singletons) = with(&["redis-server"]) else { return };
        let session = singletons.steps(&[
            "memo singleton r --ready-unix s -- redis-server --port 0 --unixsocket $PWD/s --daemonize yes 2>&1 | grep -v '^memo:   |'",
        ]);
        assert_data_eq!(
            session,
            str![[r#"
$ memo singleton r --ready-unix s -- redis-server --port 0 --unixsocket $PWD/s --daemonize yes 2>&1 | grep -v '^memo:   |'
memo: error: singleton `r` ended before it was ready: exit 0: it put itself into the background and left its processes behind
memo:   hint: let it stay in the foreground: `nginx -g 'daemon off;'`, `redis-server --daemonize no`

"#]]
        );
        crate::crowd::until("nothing is left", || singletons.processes().is_empty());
    }
}

#[test]
fn nginx() {
    let Some(singletons) = with(&["nginx"]) else { return };
    let at = format!("127.{}.77.1:8080", 128 + std::process::id() % 100);
    singletons.write("site/x", "content\n");
    let conf = |more: &str| {
        format!(
            "pid nginx.pid; error_log stderr; {} worker_processes 2; events {{}}\n\
             http {{ access_log off; client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3;\n\
             uwsgi_temp_path t4; scgi_temp_path t5; server {{ listen {at}; root site; {more} }} }}\n",
            if rustix::process::geteuid().is_root() { "user root;" } else { "" }
        )
    };
    singletons.write("nginx.conf", conf(""));
    let start = format!(
        "memo singleton n -i nginx.conf --stop-signal QUIT --ready-http http://{at}/x -- \
         nginx -p $PWD -e stderr -c nginx.conf -g 'daemon off;'"
    );
    assert_eq!(singletons.ok(&start).trim_end(), format!("http://{at}/x"));
    assert_eq!(get(&at, "/x").1, "content\n");
    assert!(get(&at, "/y").0.contains("404"));
    let id = singletons.id("n");
    assert_eq!(singletons.ok(&start.replace("singleton n", "singleton n --print id")).trim_end(), id);
    singletons.write("nginx.conf", conf("location /y { return 204; }"));
    let ran = singletons.run(&start);
    assert_data_eq!(
        ran.stderr,
        str![[r#"
memo: singleton `n` is replaced: input-changed: `nginx.conf`

"#]]
    );
    assert!(get(&at, "/y").0.contains("204"));
    stops(&singletons, "n");
    let session = singletons
        .steps(&[&(start.replace(" -g 'daemon off;'", "") + " 2>&1 | grep -v '^memo:   |'")])
        .replace(&at, "[AT]");
    assert_data_eq!(
        session,
        str![[r#"
$ memo singleton n -i nginx.conf --stop-signal QUIT --ready-http http://[AT]/x -- nginx -p $PWD -e stderr -c nginx.conf 2>&1 | grep -v '^memo:   |'
memo: error: singleton `n` ended before it was ready: exit 0: it put itself into the background and left its processes behind
memo:   hint: let it stay in the foreground: `nginx -g 'daemon off;'`, `redis-server --daemonize no`

"#]]
    );
    crate::crowd::until("nothing is left", || singletons.processes().is_empty());
}

#[test]
fn postgresql() {
    let Some(singletons) = with(&["postgres", "initdb", "pg_isready", "psql"]) else { return };
    // It refuses to run as root.
    let _own = Owned(singletons.root());
    let ok = |line: &str| {
        let ran = singletons.run_unprivileged(line);
        assert_eq!(ran.code, 0, "`{line}`: {}{}", ran.stdout, ran.stderr);
        ran.stdout
    };
    let start = "memo singleton db --stop-signal INT --ready-unix .s.PGSQL.5432 --ready-cmd 'pg_isready -q -h $PWD' \
                 -- sh -c 'test -e \"$MEMO_STATE/db\" || initdb -D \"$MEMO_STATE/db\" -U me -A trust -N >&2; \
                 exec postgres -D \"$MEMO_STATE/db\" -k \"$PWD\" -h \"\" -c fsync=off'";
    let query = |text: &str| ok(&format!("psql -h $PWD -U me -d postgres -qAtc '{text}'"));
    let socket = ok(start);
    assert_eq!(socket.trim_end(), singletons.path(".s.PGSQL.5432").to_str().unwrap());
    query("create table t as select 42 as n");
    assert_eq!(ok(start), socket);
    assert_eq!(query("select n from t"), "42\n");
    // A client that holds it, with the socket it is told of.
    let held = ok(
        "memo singleton run db --exec sh -c 'psql -h \"${DB_ADDR%/*}\" -U me -d postgres -qAtc \"select n from t\"'",
    );
    assert_eq!(held, "42\n");
    ok("memo singleton restart db");
    assert_eq!(query("select n from t"), "42\n");
    ok("memo singleton stop db");
    assert_eq!(singletons.processes(), []);
}

/// Gives what somebody else was made to own back to root, who else would not trust it.
struct Owned<'a>(&'a Path);

impl Drop for Owned<'_> {
    fn drop(&mut self) {
        if rustix::process::geteuid().is_root() {
            let _ = std::process::Command::new("chown").args(["-hR", "0:0"]).arg(self.0).status();
        }
    }
}
