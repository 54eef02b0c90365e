//! What a service says of itself through NOTIFY_SOCKET (sd_notify(3)).

use std::time::Duration;

/// One thing it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// It can be used (`READY=1`).
    Ready,
    /// What it does now, in its own words (`STATUS=`).
    Status(String),
    /// It needs so much longer, from now on (`EXTEND_TIMEOUT_USEC=`).
    ExtendTimeout(Duration),
    /// Where it can be reached (`X_ADDR=`, memo's own: sd_notify(3) leaves `X_` to everybody).
    Address(String),
    /// It begins to end (`STOPPING=1`).
    Stopping,
    /// It reads its configuration again (`RELOADING=1`).
    Reloading,
}

/// Reads a datagram: lines of `NAME=VALUE`. What is not known here is passed over.
pub fn parse(datagram: &[u8]) -> Vec<Notice> {
    datagram.split(|byte| *byte == b'\n').filter_map(notice).collect()
}

fn notice(line: &[u8]) -> Option<Notice> {
    let equals = line.iter().position(|byte| *byte == b'=')?;
    let text = || String::from_utf8_lossy(&line[equals + 1..]).trim().to_owned();
    match (&line[..equals], &line[equals + 1..]) {
        (b"READY", b"1") => Some(Notice::Ready),
        (b"STOPPING", b"1") => Some(Notice::Stopping),
        (b"RELOADING", b"1") => Some(Notice::Reloading),
        (b"STATUS", _) => Some(Notice::Status(text())),
        (b"X_ADDR", _) => Some(text()).filter(|address| !address.is_empty()).map(Notice::Address),
        (b"EXTEND_TIMEOUT_USEC", _) => {
            text().parse().ok().map(|micros| Notice::ExtendTimeout(Duration::from_micros(micros)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_read_in_its_order() {
        let datagram = b"STATUS=warming up: 3/4\nREADY=1\nX_ADDR=/run/x y.sock\nMAINPID=7\n\
            EXTEND_TIMEOUT_USEC=1500000\nSTOPPING=1\nRELOADING=1\n";
        let expected = [
            Notice::Status("warming up: 3/4".into()),
            Notice::Ready,
            Notice::Address("/run/x y.sock".into()),
            Notice::ExtendTimeout(Duration::from_millis(1500)),
            Notice::Stopping,
            Notice::Reloading,
        ];
        assert_eq!(parse(datagram), expected);
    }

    #[test]
    fn anything_else_is_passed_over() {
        for datagram in [
            &b""[..],
            b"\n\n",
            b"READY",
            b"READY=0",
            b"READY=11",
            b"ready=1",
            b"X_ADDR=",
            b"EXTEND_TIMEOUT_USEC=-1",
            b"EXTEND_TIMEOUT_USEC=x",
            b"BARRIER=1",
            b"=1",
            b"\xff\xfe",
        ] {
            assert_eq!(parse(datagram), [], "{datagram:?}");
        }
        assert_eq!(parse(b"STATUS=\xff"), [Notice::Status("\u{fffd}".into())]);
        assert_eq!(parse(b"STATUS="), [Notice::Status(String::new())]);
    }
}
