//! When a service is ready: what is typed for it, how it is sent on, and what a log has to say.
//!
//! Looking whether it is so is `probe`'s.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use regex_lite::Regex;

use crate::store::codec::{Malformed, Reader, Writer};

/// Where to connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// This machine, as 127.0.0.1 or as ::1: programs that listen at `localhost` take one of them or both.
    Both,
    /// This address.
    Ip(IpAddr),
}

/// The port of a [`Ready`] that is `$PORT`: the one that the service is given, which is known when it is started.
/// Nothing listens at port 0.
const GIVEN: u16 = 0;

/// What has to be so before a service counts as ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ready {
    /// It listens at a TCP port.
    Port {
        /// Where.
        host: Host,
        /// At which.
        port: u16,
    },
    /// It listens at a Unix socket.
    Unix(PathBuf),
    /// It answers over HTTP.
    Http {
        /// What was typed.
        url: String,
        /// Where it is to be asked.
        host: Host,
        /// At which port.
        port: u16,
        /// For what, with the query.
        path: String,
        /// With which statuses it has to answer.
        statuses: RangeInclusive<u16>,
    },
    /// It writes a line that matches this regular expression.
    Log(String),
    /// This command of the shell succeeds.
    Command(OsString),
    /// This file is there, and not older than the service.
    File(PathBuf),
    /// It says so (sd_notify(3)).
    Notify,
}

/// What a service has to answer with if nothing else is said: that it was understood, or is elsewhere.
const STATUSES: RangeInclusive<u16> = 200..=399;

/// Groups of a log that say how the service is reached.
const PUBLISHED: [&str; 2] = ["addr", "port"];
/// What else of a service has a variable, `NAME_PID` and so on, which a group of that name would have too.
const OWN: [&str; 4] = ["instance", "pid", "log", "state"];

/// Something typed that cannot be waited for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReadiness {
    /// Not of the form.
    #[error("`{0}` is no port, and no address with a port")]
    Port(String),
    /// A host that would have to be looked up.
    #[error("`{host}` is a name, and memo looks up no names but `localhost`")]
    Name {
        /// The name.
        host: String,
        /// A command that looks it up.
        command: String,
    },
    /// Not of the form.
    #[error("`{0}` is no URL that memo can ask")]
    Url(String),
    /// It would have to be encrypted.
    #[error("`{0}` needs TLS, which memo does not speak")]
    Https(String),
    /// Not of the form.
    #[error("`{0}` is no HTTP status, and no range of them")]
    Statuses(String),
    /// Not of the form.
    #[error("`{regex}` is no regular expression: {reason}")]
    Regex {
        /// What was typed.
        regex: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A group whose name means something else to those who are told of it.
    #[error("the group `{0}` cannot be published: that is what memo itself says of a singleton")]
    Group(String),
}

impl BadReadiness {
    /// Returns what would be right.
    pub fn hint(&self) -> String {
        match self {
            Self::Port(_) => "examples: 5432, 127.0.0.1:5432, [::1]:5432, '$PORT'".to_owned(),
            Self::Name { command, .. } => {
                format!("give its address, or ask by `--ready-cmd {}`", word(command))
            }
            Self::Url(_) => "examples: http://localhost:8080/health, 'http://[::1]:$PORT'".to_owned(),
            Self::Https(url) => format!("ask by `--ready-cmd {}`", word(&format!("curl -fsk {}", word(url)))),
            Self::Statuses(_) => "examples: 200-399, 204".to_owned(),
            Self::Regex { .. } => r"example: 'listening on (?<addr>\S+)'".to_owned(),
            Self::Group(name) => match PUBLISHED.iter().find(|known| name.eq_ignore_ascii_case(known)) {
                Some(known) => format!("`(?<{known}>...)` is what it is reached by"),
                None => format!("another name: `(?<its_{name}>...)`"),
            },
        }
    }
}

impl Ready {
    /// Reads `PORT` or `HOST:PORT`, where PORT may be `$PORT`.
    ///
    /// # Errors
    /// [`BadReadiness`] for any other text, and for a host that is a name.
    pub fn port(text: &str) -> Result<Self, BadReadiness> {
        let bad = || BadReadiness::Port(text.to_owned());
        if let Some(port) = port_of(text) {
            return Ok(Self::Port { host: Host::Both, port });
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(bad)?;
        let typed = port;
        let port = port_of(typed).ok_or_else(bad)?;
        let host = parse_host(host).map_err(|no_host| match no_host {
            NoHost::Name => name(host, format!("nc -z {} {typed}", word(host))),
            NoHost::Neither => bad(),
        })?;
        Ok(Self::Port { host, port })
    }

    /// Reads a URL, whose port may be `$PORT`, and the statuses it has to be answered with: `204` or `200-299`, by default `200-399`.
    ///
    /// # Errors
    /// [`BadReadiness`] for any other text, for https, and for a host that is a name.
    pub fn http(url: &str, statuses: Option<&str>) -> Result<Self, BadReadiness> {
        const SCHEME: &str = "http://";
        let bad = || BadReadiness::Url(url.to_owned());
        let statuses = statuses.map_or(Ok(STATUSES), parse_statuses)?;
        if starts_with(url, "https://") {
            return Err(BadReadiness::Https(url.to_owned()));
        }
        // What else is in a URL would have to be escaped.
        if !starts_with(url, SCHEME) || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(bad());
        }
        let without_fragment = url.split('#').next().unwrap_or_default();
        let rest = &without_fragment[SCHEME.len()..];
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (host, port) = match authority.rsplit_once(':').filter(|_| !authority.ends_with(']')) {
            Some((host, port)) => (host, port_of(port).ok_or_else(bad)?),
            None => (authority, 80),
        };
        let host = parse_host(host).map_err(|no_host| match no_host {
            NoHost::Name => name(host, format!("curl -fs {}", word(url))),
            NoHost::Neither => bad(),
        })?;
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Self::Http { url: url.to_owned(), host, port, path: format!("{slash}{path}"), statuses })
    }

    /// Reads a regular expression that a line of the log has to match.
    ///
    /// # Errors
    /// [`BadReadiness::Regex`] when it is none, [`BadReadiness::Group`] when a group has a name of memo's own.
    pub fn log(regex: &str) -> Result<Self, BadReadiness> {
        let is_taken = |name: &&str| {
            let known = |known: &&str| name.eq_ignore_ascii_case(known);
            OWN.iter().any(known) || PUBLISHED.iter().any(known) && !PUBLISHED.contains(name)
        };
        match compile(regex)?.capture_names().flatten().find(is_taken) {
            Some(name) => Err(BadReadiness::Group(name.to_owned())),
            None => Ok(Self::Log(regex.to_owned())),
        }
    }

    /// Returns whether it is about the port that the service is given.
    pub fn wants_port(&self) -> bool {
        matches!(self, Self::Port { port: GIVEN, .. } | Self::Http { port: GIVEN, .. })
    }

    /// Returns it for a service that is given this port.
    #[must_use]
    pub fn with_port(&self, given: u16) -> Self {
        match self.clone() {
            Self::Port { host, port: GIVEN } => Self::Port { host, port: given },
            Self::Http { url, host, port: GIVEN, path, statuses } => {
                let put = |text: &str| {
                    VARIABLE.iter().fold(text.to_owned(), |text, name| text.replace(name, &given.to_string()))
                };
                Self::Http { url: put(&url), host, port: given, path: put(&path), statuses }
            }
            other => other,
        }
    }

    /// Returns what a user is to be told so that the service is found; `None` where this says nothing of it.
    pub fn address(&self) -> Option<String> {
        match self {
            Self::Port { host: Host::Both, port } => Some(format!("127.0.0.1:{}", shown_port(*port))),
            Self::Port { host: Host::Ip(IpAddr::V4(ip)), port } => {
                Some(format!("{ip}:{}", shown_port(*port)))
            }
            Self::Port { host: Host::Ip(IpAddr::V6(ip)), port } => {
                Some(format!("[{ip}]:{}", shown_port(*port)))
            }
            Self::Unix(path) => Some(path.display().to_string()),
            Self::Http { url, .. } => Some(url.clone()),
            Self::Log(_) | Self::Command(_) | Self::File(_) | Self::Notify => None,
        }
    }

    /// Writes it.
    pub fn encode(&self, w: &mut Writer) {
        match self {
            Self::Port { host, port } => {
                encode_host(w.byte(1), *host);
                w.number((*port).into());
            }
            Self::Unix(path) => _ = w.byte(2).path(path),
            Self::Http { url, host, port, path, statuses } => {
                encode_host(w.byte(3).bytes(url.as_bytes()), *host);
                w.number((*port).into()).bytes(path.as_bytes());
                w.number((*statuses.start()).into()).number((*statuses.end()).into());
            }
            Self::Log(regex) => _ = w.byte(4).bytes(regex.as_bytes()),
            Self::Command(command) => _ = w.byte(5).bytes(command.as_bytes()),
            Self::File(path) => _ = w.byte(6).path(path),
            Self::Notify => _ = w.byte(7),
        }
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// [`Malformed`] for anything else.
    pub fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let small = |r: &mut Reader<'_>| u16::try_from(r.number()?).map_err(|_| Malformed);
        Ok(match r.byte()? {
            1 => Self::Port { host: decode_host(r)?, port: small(r)? },
            2 => Self::Unix(r.path()?),
            3 => Self::Http {
                url: r.text()?,
                host: decode_host(r)?,
                port: small(r)?,
                path: r.text()?,
                statuses: small(r)?..=small(r)?,
            },
            4 => Self::Log(r.text()?),
            5 => Self::Command(OsString::from_vec(r.bytes()?.to_vec())),
            6 => Self::File(r.path()?),
            7 => Self::Notify,
            _ => return Err(Malformed),
        })
    }
}

/// As one would type it.
impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = |path: &OsStr| word(&path.to_string_lossy());
        match self {
            Self::Port { host, port } => {
                let at = if *host == Host::Both { Some(shown_port(*port)) } else { self.address() };
                let quote = if *port == GIVEN { "'" } else { "" };
                write!(f, "--ready-port {quote}{}{quote}", at.unwrap_or_default())
            }
            Self::Unix(at) => write!(f, "--ready-unix {}", path(at.as_os_str())),
            Self::Http { url, statuses, .. } => {
                write!(f, "--ready-http {}", word(url))?;
                if *statuses == STATUSES {
                    return Ok(());
                }
                write!(f, " --ready-status {}", shown(statuses))
            }
            Self::Log(regex) => write!(f, "--ready-log {}", word(regex)),
            Self::Command(command) => write!(f, "--ready-cmd {}", path(command)),
            Self::File(at) => write!(f, "--ready-file {}", path(at.as_os_str())),
            Self::Notify => f.write_str("--ready-notify"),
        }
    }
}

/// Returns a range of statuses as one would type it.
pub(super) fn shown(statuses: &RangeInclusive<u16>) -> String {
    match (statuses.start(), statuses.end()) {
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}-{last}"),
    }
}

fn shown_port(port: u16) -> String {
    if port == GIVEN { "$PORT".to_owned() } else { port.to_string() }
}

/// Returns a word as the shell reads it.
fn word(text: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !text.is_empty() && text.chars().all(bare) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

fn name(host: &str, command: String) -> BadReadiness {
    BadReadiness::Name { host: host.to_owned(), command }
}

/// Why a text is no host.
enum NoHost {
    /// It is a name.
    Name,
    /// It is nothing.
    Neither,
}

/// Reads a host. A static binary has no resolver that knows what the rest of the system knows.
fn parse_host(text: &str) -> Result<Host, NoHost> {
    if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse().map(|ip| Host::Ip(IpAddr::V6(ip))).map_err(|_| NoHost::Neither);
    }
    if text.eq_ignore_ascii_case("localhost") {
        return Ok(Host::Both);
    }
    if let Ok(ip) = text.parse() {
        return Ok(Host::Ip(IpAddr::V4(ip)));
    }
    let of_a_name = |c: char| c.is_alphanumeric() || "-._".contains(c);
    let is_name = text.chars().all(of_a_name) && text.chars().any(char::is_alphabetic);
    Err(if is_name { NoHost::Name } else { NoHost::Neither })
}

/// Ways to write the variable, in which no shell has put what it stands for.
const VARIABLE: [&str; 2] = ["${PORT}", "$PORT"];

/// Reads a port.
fn port_of(text: &str) -> Option<u16> {
    if VARIABLE.contains(&text) { Some(GIVEN) } else { number(text) }
}

/// Reads a number that is never 0.
fn number(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|port| *port > 0)
}

fn parse_statuses(text: &str) -> Result<RangeInclusive<u16>, BadReadiness> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let status = |text| number(text).filter(|status| (100..=999).contains(status));
    let range = status(first).zip(status(last)).filter(|(first, last)| first <= last);
    let (first, last) = range.ok_or_else(|| BadReadiness::Statuses(text.to_owned()))?;
    Ok(first..=last)
}

fn starts_with(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn encode_host(w: &mut Writer, host: Host) {
    match host {
        Host::Both => w.byte(0),
        Host::Ip(IpAddr::V4(ip)) => w.byte(4).raw(&ip.octets()),
        Host::Ip(IpAddr::V6(ip)) => w.byte(6).raw(&ip.octets()),
    };
}

fn decode_host(r: &mut Reader<'_>) -> Result<Host, Malformed> {
    match r.byte()? {
        0 => Ok(Host::Both),
        4 => <[u8; 4]>::try_from(r.raw(4)?).map(|octets| Host::Ip(octets.into())).map_err(|_| Malformed),
        6 => <[u8; 16]>::try_from(r.raw(16)?).map(|octets| Host::Ip(octets.into())).map_err(|_| Malformed),
        _ => Err(Malformed),
    }
}

fn compile(regex: &str) -> Result<Regex, BadReadiness> {
    Regex::new(regex)
        .map_err(|error| BadReadiness::Regex { regex: regex.to_owned(), reason: error.to_string() })
}

/// Looks in what a service writes for lines that match regular expressions.
#[derive(Debug)]
pub struct LogMatcher {
    /// Those that no line has matched yet.
    wanted: Vec<Regex>,
    captured: Vec<(String, String)>,
    /// The beginning of the current line.
    line: Vec<u8>,
}

impl LogMatcher {
    /// Up to this length in bytes a line is looked at.
    const LINE: usize = 64 << 10;

    /// Looks for all of these, in any order and on any lines.
    ///
    /// # Errors
    /// [`BadReadiness::Regex`] when one is none.
    pub fn new<'a>(regexes: impl IntoIterator<Item = &'a str>) -> Result<Self, BadReadiness> {
        let wanted = regexes.into_iter().map(compile).collect::<Result<_, _>>()?;
        Ok(Self { wanted, captured: Vec::new(), line: Vec::new() })
    }

    /// Looks at what was written next; returns whether all have matched. A line that has no end yet is not looked
    /// at: of an address at its end one would get a part.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.wanted.is_empty() {
                break;
            }
            let text = piece.strip_suffix(b"\n").unwrap_or(piece);
            let room = Self::LINE.saturating_sub(self.line.len());
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if text.len() < piece.len() {
                self.look();
                self.line.clear();
            }
        }
        self.wanted.is_empty()
    }

    /// Looks at the line that has no end yet, once it is known that nothing follows for now, or ever; returns
    /// whether all have matched.
    pub fn settle(&mut self) -> bool {
        self.look();
        self.wanted.is_empty()
    }

    /// Returns what groups with names have captured: the first of each name.
    pub fn captured(&self) -> &[(String, String)] {
        &self.captured
    }

    fn look(&mut self) {
        if self.line.is_empty() {
            return;
        }
        let line = without_escapes(&self.line);
        let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line));
        let captured = &mut self.captured;
        self.wanted.retain(|regex| {
            let Some(captures) = regex.captures(&line) else { return true };
            for name in regex.capture_names().flatten() {
                if let Some(group) = captures.name(name)
                    && captured.iter().all(|(known, _)| known != name)
                {
                    captured.push((name.to_owned(), group.as_str().to_owned()));
                }
            }
            false
        });
    }
}

/// Returns a text without what a terminal obeys instead of shows (ECMA-48): colours, titles, links.
fn without_escapes(text: &[u8]) -> Vec<u8> {
    const ESC: u8 = 0x1b;
    let mut kept = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != ESC {
            kept.push(*first);
            continue;
        }
        rest = match after.split_first() {
            // Parameters and intermediates, then one final byte.
            Some((b'[', sequence)) => past(sequence, |byte| (0x20..0x40).contains(&byte)),
            // Up to a bell, or the string terminator, ESC `\`.
            Some((b']' | b'P' | b'X' | b'^' | b'_', string)) => {
                let end = string.iter().position(|byte| matches!(*byte, ESC | 0x07)).unwrap_or(string.len());
                let string = &string[end..];
                string.strip_prefix(b"\x07").or(string.strip_prefix(b"\x1b\\")).unwrap_or(string)
            }
            _ => past(after, |byte| (0x20..0x30).contains(&byte)),
        };
    }
    kept
}

/// Returns what follows a sequence: bytes that go on, and the one that ends it, if that is one that can.
fn past(sequence: &[u8], goes_on: impl Fn(u8) -> bool) -> &[u8] {
    let end = sequence.iter().position(|byte| !goes_on(*byte)).unwrap_or(sequence.len());
    match sequence[end..].split_first() {
        Some((last, rest)) if (0x30..0x7f).contains(last) => rest,
        _ => &sequence[end..],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Host {
        Host::Ip(text.parse().unwrap())
    }

    #[test]
    fn a_port_is_read_with_and_without_a_host() {
        for (text, host, port, address, typed) in [
            ("5432", Host::Both, 5432, "127.0.0.1:5432", "5432"),
            ("localhost:1", Host::Both, 1, "127.0.0.1:1", "1"),
            ("10.0.0.2:80", ip("10.0.0.2"), 80, "10.0.0.2:80", "10.0.0.2:80"),
            ("[::1]:65535", ip("::1"), 65535, "[::1]:65535", "[::1]:65535"),
        ] {
            let ready = Ready::port(text).unwrap();
            assert_eq!(ready, Ready::Port { host, port });
            assert_eq!(ready.address().as_deref(), Some(address));
            assert_eq!(ready.to_string(), format!("--ready-port {typed}"));
        }
        for bad in
            ["", "0", "65536", "+1", "a", ":1", "::1:80", "[::1]", "127.0.0.1", "[1.2.3.4]:1", "1.2.3:4"]
        {
            assert_eq!(Ready::port(bad), Err(BadReadiness::Port(bad.into())), "{bad}");
        }
        let named = Ready::port("db.internal:5432").unwrap_err();
        assert_eq!(named.to_string(), "`db.internal` is a name, and memo looks up no names but `localhost`");
        assert_eq!(named.hint(), "give its address, or ask by `--ready-cmd 'nc -z db.internal 5432'`");
    }

    #[test]
    fn a_url_is_taken_apart() {
        for (url, host, port, path) in [
            ("http://localhost", Host::Both, 80, "/"),
            ("HTTP://LocalHost:8080/a?b=c#d", Host::Both, 8080, "/a?b=c"),
            ("http://[::1]:3000?x", ip("::1"), 3000, "/?x"),
            ("http://[::1]", ip("::1"), 80, "/"),
            ("http://127.0.0.1/", ip("127.0.0.1"), 80, "/"),
        ] {
            let ready = Ready::http(url, None).unwrap();
            let (url, path) = (url.to_owned(), path.to_owned());
            assert_eq!(ready.address(), Some(url.clone()));
            assert_eq!(ready, Ready::Http { url, host, port, path, statuses: 200..=399 });
        }
        for bad in [
            "",
            "localhost",
            "ftp://localhost",
            "http://",
            "http://localhost:0",
            "http://localhost:$port",
            "http://localhost:${PORT",
            "http://a@127.0.0.1/",
            "http://localhost/a b",
            "http://localhost/\r\nX: y",
        ] {
            assert_eq!(Ready::http(bad, None), Err(BadReadiness::Url(bad.into())), "{bad}");
        }
        let tls = Ready::http("https://localhost/?a&b", None).unwrap_err();
        assert_eq!(tls.hint(), r"ask by `--ready-cmd 'curl -fsk '\''https://localhost/?a&b'\'''`");
        let plain = Ready::http("https://localhost/", None).unwrap_err();
        assert_eq!(plain.hint(), "ask by `--ready-cmd 'curl -fsk https://localhost/'`");
        let named = Ready::http("http://example.org/", None).unwrap_err();
        assert!(matches!(named, BadReadiness::Name { .. }));
    }

    #[test]
    fn statuses_are_one_or_a_range() {
        let statuses = |text| match Ready::http("http://localhost", Some(text)) {
            Ok(Ready::Http { statuses, .. }) => Some(statuses),
            _ => None,
        };
        assert_eq!(statuses("204"), Some(204..=204));
        assert_eq!(statuses("200-299"), Some(200..=299));
        for bad in ["", "-", "99", "1000", "200-", "300-200", "2xx", "200-299-"] {
            assert_eq!(statuses(bad), None, "{bad}");
        }
    }

    #[test]
    fn all_are_read_back_and_shown_as_typed() {
        for (ready, typed) in [
            (Ready::port("[fe80::1]:7").unwrap(), "--ready-port [fe80::1]:7"),
            (Ready::port("9").unwrap(), "--ready-port 9"),
            (Ready::port("${PORT}").unwrap(), "--ready-port '$PORT'"),
            (Ready::port("[::1]:$PORT").unwrap(), "--ready-port '[::1]:$PORT'"),
            (Ready::http("http://[::1]:$PORT/x", None).unwrap(), "--ready-http 'http://[::1]:$PORT/x'"),
            (Ready::Unix("/run/x y".into()), "--ready-unix '/run/x y'"),
            (Ready::http("http://localhost/x", None).unwrap(), "--ready-http http://localhost/x"),
            (
                Ready::http("http://127.0.0.1/?x", Some("204")).unwrap(),
                "--ready-http 'http://127.0.0.1/?x' --ready-status 204",
            ),
            (Ready::log(r"up at (?<addr>\S+)").unwrap(), r"--ready-log 'up at (?<addr>\S+)'"),
            (Ready::Command("pg_isready -q".into()), "--ready-cmd 'pg_isready -q'"),
            (Ready::File("/tmp/up".into()), "--ready-file /tmp/up"),
            (Ready::Notify, "--ready-notify"),
        ] {
            let mut w = Writer::default();
            ready.encode(&mut w);
            let bytes = w.into_bytes();
            let mut r = Reader::new(&bytes);
            assert_eq!(Ready::decode(&mut r), Ok(ready.clone()));
            assert_eq!(r.end(), Ok(()));
            assert_eq!(ready.to_string(), typed);
            for end in 0..bytes.len() {
                assert_eq!(Ready::decode(&mut Reader::new(&bytes[..end])), Err(Malformed));
            }
        }
        assert_eq!(Ready::decode(&mut Reader::new(&[8])), Err(Malformed));
    }

    #[test]
    fn a_regex_is_compiled_when_it_is_typed() {
        let error = Ready::log("a(b").unwrap_err();
        assert!(error.to_string().starts_with("`a(b` is no regular expression: "), "{error}");
        for name in ["pid", "PID", "instance", "log", "state", "Port", "ADDR"] {
            let regex = format!("(?<x>a)(?<{name}>b)");
            assert_eq!(Ready::log(&regex), Err(BadReadiness::Group(name.to_owned())));
        }
        for name in ["addr", "port", "pids", "user_name"] {
            assert!(Ready::log(&format!("(?<{name}>b)")).is_ok(), "{name}");
        }
    }

    #[test]
    fn lines_match_in_any_pieces_and_names_are_captured() {
        let text =
            b"starting\r\n\x1b[32mINFO\x1b[0m listening on \x1b[1mhttp://127.0.0.1:80\x1b[0m\r\nworkers: 4\n";
        for size in [1, 7, text.len()] {
            let mut log =
                LogMatcher::new([r"^workers: (?<n>\d+)$", r"^INFO listening on (?<addr>\S+)$"]).unwrap();
            let all: Vec<bool> = text.chunks(size).map(|piece| log.push(piece)).collect();
            assert_eq!(all.iter().position(|ready| *ready), Some(all.len() - 1));
            let named = [("addr", "http://127.0.0.1:80"), ("n", "4")];
            assert_eq!(log.captured(), named.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
    }

    #[test]
    fn a_line_without_an_end_counts_once_it_is_looked_at() {
        let mut log = LogMatcher::new([r"at (?<addr>\S+)"]).unwrap();
        assert!(!log.push(b"at 127.0."));
        assert!(!log.push(b"0.1"));
        assert!(log.settle());
        assert_eq!(log.captured(), [("addr".to_owned(), "127.0.0.1".to_owned())]);
        assert!(log.push(b"anything"));
    }

    #[test]
    fn a_match_is_within_one_line() {
        let mut log = LogMatcher::new(["a.*b"]).unwrap();
        assert!(!log.push(b"a\nb\n"));
        assert!(log.push(b"b a b\n"));
        assert!(LogMatcher::new([]).unwrap().push(b""), "nothing is wanted");
    }

    #[test]
    fn a_long_line_is_cut_and_the_next_one_is_whole() {
        let mut log = LogMatcher::new(["end$"]).unwrap();
        assert!(!log.push(&[vec![b'x'; 200 << 10], b"end\n".to_vec()].concat()));
        assert!(log.push(b"end\n"));
    }

    #[test]
    fn what_terminals_obey_is_taken_out() {
        for (text, kept) in [
            ("a\x1b[1;31mb\x1b[mc", "abc"),
            ("\x1b[?25l\x1b[2Kx", "x"),
            ("\x1b]0;title\x07x", "x"),
            ("\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\", "link"),
            ("\x1b(Bx\x1b7", "x"),
            ("x\x1b", "x"),
            ("x\x1b[", "x"),
            ("x\x1b[1", "x"),
            ("x\x1b]y", "x"),
            ("\x1b\x1b[1mx", "x"),
        ] {
            assert_eq!(without_escapes(text.as_bytes()), kept.as_bytes(), "{text:?}");
        }
    }
}
