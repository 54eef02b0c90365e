//! What singletons have on disk, what is said over their sockets, and what their processes write: the files of a slot,
//! requests and replies, the framings of calls, notices, and lines that a log is searched for.

#![no_main]

use libfuzzer_sys::fuzz_target;
use memo::singleton::dependencies::Kept;
use memo::singleton::framing::{Framing, Replies};
use memo::singleton::message::{self, Reply, Request};
use memo::singleton::notify;
use memo::singleton::readiness::{LogMatcher, Ready};
use memo::singleton::release::Release;
use memo::singleton::service::Service;
use memo::singleton::slot::Record;
use memo::singleton::verdict::Last;

#[path = "../../tests/readers/allocated.rs"]
mod allocated;

/// What a byte may become in memory.
const DENSE: usize = 400;
/// How long a reply may be, in bytes.
const LONGEST: u64 = 1 << 16;

fuzz_target!(|data: &[u8]| {
    let Some((what, bytes)) = data.split_first() else { return };
    let ((), peak) = allocated::at_most(|| match what % 8 {
        0 => _ = Kept::decode(bytes),
        1 => _ = (Record::decode(bytes), Release::decode(bytes)),
        2 => _ = Last::decode(bytes),
        3 => {
            if let Ok(service) = Service::decode(bytes) {
                assert_eq!(Service::decode(&service.encode()), Ok(service));
            }
        }
        4 => {
            let mut arrived = bytes.to_vec();
            while let Ok(Some(frame)) = message::take(&mut arrived) {
                let _ = (Request::decode(&frame), Reply::decode(&frame));
            }
        }
        5 => {
            // In two parts it is what it is in one.
            let Some((at, bytes)) = bytes.split_first() else { return };
            let (first, second) = bytes.split_at(usize::from(*at).min(bytes.len()));
            for framing in [Framing::Line, Framing::Json, Framing::Lsp] {
                let whole = Replies::new(framing, LONGEST).push(bytes);
                let mut replies = Replies::new(framing, LONGEST);
                if let Ok(None) = replies.push(first) {
                    assert_eq!(replies.push(second), whole, "{framing:?}");
                }
                let _ = framing.request(bytes);
            }
        }
        6 => _ = notify::parse(bytes),
        _ => {
            let text = String::from_utf8_lossy(bytes);
            let _ = (Ready::port(&text), Ready::http(&text, None), Ready::http("http://[::1]", Some(&text)));
            let (regex, log) = text.split_once('\0').unwrap_or((&text, "up\n"));
            if regex.len() < 100
                && let Ok(mut matcher) = LogMatcher::new([regex])
            {
                matcher.push(log.as_bytes());
                matcher.settle();
            }
        }
    });
    assert!(*what % 8 == 7 || peak <= DENSE * bytes.len() + (128 << 10), "{peak} bytes for {}", bytes.len());
});
