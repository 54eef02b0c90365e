//! How a request to a service ends, and its reply.
//!
//! A reply is taken apart as it arrives: no byte is looked at twice, so that a long one in small pieces costs no
//! more than in one.

use std::fmt;

use serde::de::IgnoredAny;

/// How messages on a service's stdin and stdout are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Each is a line.
    Line,
    /// Each is a JSON value on a line of its own.
    Json,
    /// Each has a header with its length, as in the Language Server Protocol.
    Lsp,
}

/// A request that cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// It has a line end in it.
    #[error("a request is one line, and this one has {0}")]
    Lines(usize),
    /// It is not one JSON value.
    #[error("a request is one JSON value, and this is none: {0}")]
    NotJson(String),
}

/// A reply that makes no sense: nobody knows where the next one begins.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReply {
    /// It is too long.
    #[error("the reply has more than {limit} bytes")]
    TooLong {
        /// What it may have, in bytes.
        limit: u64,
    },
    /// It is not one JSON value.
    #[error("the reply is no JSON value: {0}")]
    NotJson(String),
    /// A line of its header is none.
    #[error("the reply has no header: `{0}`")]
    NoHeader(String),
    /// The header does not say how long it is.
    #[error("the header of the reply has no `Content-Length`")]
    NoLength,
    /// What the header says is no length.
    #[error("the reply has the length `{0}`")]
    BadLength(String),
    /// The header has no end.
    #[error("the header of the reply has more than {HEADER} bytes")]
    LongHeader,
}

/// Up to this length in bytes a header is looked at; real ones have 20 to 100.
const HEADER: usize = 8 << 10;

impl Framing {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Line, Self::Json, Self::Lsp];

    /// Returns the framing with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|framing| framing.name() == name)
    }

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Json => "json",
            Self::Lsp => "lsp",
        }
    }

    /// Returns its number, by which messages of memo's own name it.
    pub fn number(self) -> u8 {
        match self {
            Self::Line => 1,
            Self::Json => 2,
            Self::Lsp => 3,
        }
    }

    /// Returns the framing with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|framing| framing.number() == number)
    }

    /// Returns the bytes that a service is to be given for a request.
    ///
    /// # Errors
    /// [`BadRequest`] when the service would take it for something else.
    pub fn request(self, body: &[u8]) -> Result<Vec<u8>, BadRequest> {
        match self {
            Self::Line => {
                let line = body.strip_suffix(b"\n").unwrap_or(body);
                let ends = line.iter().filter(|byte| **byte == b'\n').count();
                if ends > 0 { Err(BadRequest::Lines(ends + 1)) } else { Ok([line, b"\n"].concat()) }
            }
            Self::Json => {
                check_json(body).map_err(BadRequest::NotJson)?;
                // In a string a line end is written `\n`: the raw ones stand between tokens, and mean nothing.
                let mut line: Vec<u8> = body.iter().copied().filter(|byte| !b"\r\n".contains(byte)).collect();
                line.push(b'\n');
                Ok(line)
            }
            Self::Lsp => Ok([format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()),
        }
    }
}

impl fmt::Display for Framing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Makes sure that bytes are one JSON value, of any depth, with or without white space around it.
fn check_json(bytes: &[u8]) -> Result<(), String> {
    // What is only passed over serde_json does not look at so closely.
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    serde_json::from_str(text).map(|IgnoredAny| ()).map_err(|error| error.to_string())
}

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What was answered, without what frames it.
    pub body: Vec<u8>,
    /// What came behind it, which nobody asked for.
    pub rest: Vec<u8>,
}

/// Takes replies from the bytes of a service's stdout.
#[derive(Debug)]
pub struct Replies {
    framing: Framing,
    limit: u64,
    /// What came of the reply so far.
    got: Vec<u8>,
    /// How much of it was looked at; within a header, where its current line begins.
    looked: usize,
    /// What the header says.
    length: Option<usize>,
    /// Whether all of the header was looked at.
    in_body: bool,
}

impl Replies {
    /// Takes replies whose bodies have up to `limit` bytes.
    pub fn new(framing: Framing, limit: u64) -> Self {
        Self { framing, limit, got: Vec::new(), looked: 0, length: None, in_body: false }
    }

    /// Returns whether nothing of a reply has come yet.
    pub fn is_empty(&self) -> bool {
        self.got.is_empty()
    }

    /// Takes what was read; returns the reply that is complete with it.
    ///
    /// # Errors
    /// [`BadReply`], after which nothing that comes can be understood any more.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Option<Reply>, BadReply> {
        self.got.extend_from_slice(bytes);
        match self.framing {
            Framing::Line | Framing::Json => self.line(),
            Framing::Lsp => self.with_length(),
        }
    }

    fn line(&mut self) -> Result<Option<Reply>, BadReply> {
        let end = self.got[self.looked..].iter().position(|byte| *byte == b'\n');
        let end = end.map(|end| self.looked + end);
        self.looked = self.got.len();
        self.allow(end.unwrap_or(self.got.len()))?;
        let Some(end) = end else { return Ok(None) };
        if self.framing == Framing::Json {
            check_json(&self.got[..end]).map_err(BadReply::NotJson)?;
        }
        let rest = self.got.split_off(end + 1);
        self.got.pop();
        Ok(Some(self.finish(rest)))
    }

    fn with_length(&mut self) -> Result<Option<Reply>, BadReply> {
        while !self.in_body {
            let end = self.got[self.looked..].iter().position(|byte| *byte == b'\n');
            if self.looked + end.unwrap_or(self.got.len() - self.looked) > HEADER {
                return Err(BadReply::LongHeader);
            }
            let Some(end) = end else { return Ok(None) };
            let line = &self.got[self.looked..self.looked + end];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                self.in_body = true;
            } else if let Some(length) = length(line)? {
                self.length = Some(length);
            }
            self.looked += end + 1;
        }
        let length = self.length.ok_or(BadReply::NoLength)?;
        self.allow(length)?;
        let Some(end) = self.looked.checked_add(length).filter(|end| *end <= self.got.len()) else {
            return Ok(None);
        };
        let rest = self.got.split_off(end);
        self.got.drain(..self.looked);
        Ok(Some(self.finish(rest)))
    }

    fn allow(&self, length: usize) -> Result<(), BadReply> {
        let limit = self.limit;
        if length as u64 > limit { Err(BadReply::TooLong { limit }) } else { Ok(()) }
    }

    /// Gives what was got, and begins anew.
    fn finish(&mut self, rest: Vec<u8>) -> Reply {
        let fresh = Self::new(self.framing, self.limit);
        Reply { body: std::mem::replace(self, fresh).got, rest }
    }
}

/// Reads a line of a header; gives the length, if it is about that.
fn length(line: &[u8]) -> Result<Option<usize>, BadReply> {
    const SHOWN: usize = 80;
    let shown = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]).into_owned();
    let colon = line.iter().position(|byte| *byte == b':').ok_or_else(|| BadReply::NoHeader(shown(line)))?;
    if !line[..colon].trim_ascii().eq_ignore_ascii_case(b"content-length") {
        return Ok(None);
    }
    let value = line[colon + 1..].trim_ascii();
    let digits =
        std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let length = digits.and_then(|text| text.parse().ok());
    length.map(Some).ok_or_else(|| BadReply::BadLength(shown(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn reply(body: &[u8], rest: &[u8]) -> Result<Option<Reply>, BadReply> {
        Ok(Some(Reply { body: body.to_vec(), rest: rest.to_vec() }))
    }

    #[track_caller]
    fn check(framing: Framing, bytes: &[u8], expected: Result<Option<Reply>, BadReply>) {
        assert_eq!(Replies::new(framing, MIB).push(bytes), expected, "at once");
        // Byte by byte there is no rest.
        let expected = expected.map(|reply| reply.map(|reply| Reply { rest: Vec::new(), ..reply }));
        let mut replies = Replies::new(framing, MIB);
        let mut last = Ok(None);
        for byte in bytes {
            last = replies.push(&[*byte]);
            if last != Ok(None) {
                break;
            }
        }
        assert_eq!(last, expected, "byte by byte");
    }

    #[test]
    fn names_and_numbers_are_read_back() {
        for framing in Framing::ALL {
            assert_eq!(Framing::parse(framing.name()), Some(framing));
            assert_eq!(Framing::from_number(framing.number()), Some(framing));
        }
        assert_eq!((Framing::parse("Line"), Framing::from_number(0)), (None, None));
    }

    #[test]
    fn a_line_has_one_end() {
        for body in [&b"a\0b\r"[..], b"a\0b\r\n"] {
            assert_eq!(Framing::Line.request(body), Ok(b"a\0b\r\n".to_vec()));
        }
        assert_eq!(Framing::Line.request(b""), Ok(b"\n".to_vec()));
        assert_eq!(Framing::Line.request(b"a\nb\n"), Err(BadRequest::Lines(2)));
        assert_eq!(Framing::Line.request(b"a\n\n"), Err(BadRequest::Lines(2)));
    }

    #[test]
    fn json_is_sent_as_it_is_but_on_one_line() {
        let pretty = b"{\n  \"a\": [1.0e5,\r\n 12345678901234567890123],\n \"b\": \"\\n \\u00e9\"\n}\n";
        let line = b"{  \"a\": [1.0e5, 12345678901234567890123], \"b\": \"\\n \\u00e9\"}\n";
        assert_eq!(Framing::Json.request(pretty), Ok(line.to_vec()));
        assert!(Framing::Json.request("[".repeat(1000).as_bytes()).is_err());
        let deep = "[".repeat(1000) + &"]".repeat(1000);
        assert_eq!(Framing::Json.request(deep.as_bytes()), Ok(format!("{deep}\n").into_bytes()));
        for bad in [&b""[..], b"{} {}", b"{a: 1}", b"\"a\nb\"", b"\"\xff\"", b"nul", b"1,"] {
            assert!(matches!(Framing::Json.request(bad), Err(BadRequest::NotJson(_))), "{bad:?}");
        }
    }

    #[test]
    fn a_length_goes_before_what_it_counts() {
        assert_eq!(Framing::Lsp.request(b"{\n}"), Ok(b"Content-Length: 3\r\n\r\n{\n}".to_vec()));
        assert_eq!(Framing::Lsp.request(b""), Ok(b"Content-Length: 0\r\n\r\n".to_vec()));
    }

    #[test]
    fn a_reply_is_a_line() {
        check(Framing::Line, b"a\0b\r\n", reply(b"a\0b\r", b""));
        check(Framing::Line, b"\n", reply(b"", b""));
        check(Framing::Line, b"a\nmore\n", reply(b"a", b"more\n"));
        check(Framing::Line, b"a", Ok(None));
        check(Framing::Json, b" {\"a\": 1}\nx", reply(b" {\"a\": 1}", b"x"));
    }

    #[test]
    fn a_line_that_is_no_json_is_an_error() {
        for bytes in [&b"Listening...\n"[..], b"\n", b"{\n}\n", b"1 2\n"] {
            let got = Replies::new(Framing::Json, MIB).push(bytes);
            assert!(matches!(got, Err(BadReply::NotJson(_))), "{got:?}");
        }
    }

    #[test]
    fn a_header_is_read_as_servers_write_it() {
        check(Framing::Lsp, b"Content-Length: 2\r\n\r\n{}", reply(b"{}", b""));
        check(Framing::Lsp, b"X-Y: z\r\ncontent-LENGTH:2\r\n\r\n{}rest", reply(b"{}", b"rest"));
        check(
            Framing::Lsp,
            b"Content-Length: 3\nContent-Type: x; charset=utf-8\n\n\n\n\n",
            reply(b"\n\n\n", b""),
        );
        check(Framing::Lsp, b"Content-Length: 0\r\n\r\n", reply(b"", b""));
        check(Framing::Lsp, b"Content-Length: 3\r\n\r\n{}", Ok(None));
    }

    #[test]
    fn a_header_without_a_length_is_an_error() {
        check(Framing::Lsp, b"\r\n", Err(BadReply::NoLength));
        check(Framing::Lsp, b"A: b\r\n\r\n{}", Err(BadReply::NoLength));
        check(Framing::Lsp, b"Starting up\n", Err(BadReply::NoHeader("Starting up".into())));
        for bad in ["-1", "+1", "", "x", "99999999999999999999"] {
            let line = format!("Content-Length: {bad}\r\n");
            check(Framing::Lsp, line.as_bytes(), Err(BadReply::BadLength(bad.into())));
        }
        check(Framing::Lsp, &vec![b'x'; HEADER + 1], Err(BadReply::LongHeader));
        check(Framing::Lsp, "A: b\r\n".repeat(HEADER / 6 + 1).as_bytes(), Err(BadReply::LongHeader));
    }

    #[test]
    fn a_reply_is_bounded() {
        for framing in [Framing::Line, Framing::Json] {
            let mut replies = Replies::new(framing, 4);
            assert_eq!(replies.push(b"1234"), Ok(None));
            assert_eq!(replies.push(b"\n"), reply(b"1234", b""));
            assert!(replies.is_empty());
            assert_eq!(replies.push(b"12345"), Err(BadReply::TooLong { limit: 4 }));
        }
        let mut replies = Replies::new(Framing::Lsp, 4);
        assert_eq!(replies.push(b"Content-Length: 4\r\n\r\n1234"), reply(b"1234", b""));
        assert_eq!(replies.push(b"Content-Length: 5\r\n\r\n"), Err(BadReply::TooLong { limit: 4 }));
        let huge = format!("Content-Length: {}\r\n\r\n", usize::MAX);
        assert_eq!(Replies::new(Framing::Lsp, u64::MAX).push(huge.as_bytes()), Ok(None));
    }

    #[test]
    fn a_long_reply_in_pieces_is_put_together_and_the_next_one_follows() {
        let long = format!("\"{}\"", "x".repeat(20 << 20));
        for framing in Framing::ALL {
            let mut replies = Replies::new(framing, 64 * MIB);
            for body in [long.as_bytes(), b"1"] {
                let bytes = framing.request(body).unwrap();
                let mut got = None;
                for piece in bytes.chunks(64 << 10) {
                    assert_eq!(got, None);
                    got = replies.push(piece).unwrap();
                }
                assert!(got.is_some_and(|reply| reply.body == body && reply.rest.is_empty()));
            }
        }
    }
}
