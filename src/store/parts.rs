//! The parts of a call as an outcome keeps them: encoded, because a hit carries them along and never looks.

use super::codec::{Malformed, Reader, Writer};
use crate::action::part::{Part, PartKind, Seal};

/// Returns the bytes of parts.
pub fn encode(parts: &[Part]) -> Vec<u8> {
    let mut w = Writer::default();
    w.number(parts.len() as u64);
    for part in parts {
        w.byte(part.kind as u8).bytes(&part.name).bytes(&part.shown);
        match &part.seal {
            None => w.byte(0),
            Some(seal) => w.byte(1).raw(seal.as_bytes()),
        };
    }
    w.into_bytes()
}

/// Reads parts. None at all are what an outcome has of which nothing is known.
///
/// # Errors
/// [`Malformed`] when the bytes are not those of some.
pub fn decode(bytes: &[u8]) -> Result<Vec<Part>, Malformed> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let mut r = Reader::new(bytes);
    let parts = r.list(|r| {
        Ok(Part {
            kind: PartKind::from_number(r.byte()?).ok_or(Malformed)?,
            name: r.bytes()?.to_vec(),
            shown: r.bytes()?.to_vec(),
            seal: match r.byte()? {
                0 => None,
                1 => Some(Seal::from_bytes(r.raw(Seal::LENGTH)?.try_into().map_err(|_| Malformed)?)),
                _ => return Err(Malformed),
            },
        })
    })?;
    r.end()?;
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Vec<Part> {
        let seal = Seal::from_bytes([9; Seal::LENGTH]);
        vec![
            Part { kind: PartKind::Words, name: Vec::new(), shown: Vec::new(), seal: Some(seal) },
            Part { kind: PartKind::Directory, name: b"PWD".to_vec(), shown: b"/\xff".to_vec(), seal: None },
        ]
    }

    #[test]
    fn parts_are_read_back() {
        assert_eq!(decode(&encode(&some())), Ok(some()));
        assert_eq!(decode(&encode(&[])), Ok(Vec::new()));
        assert_eq!(decode(b""), Ok(Vec::new()));
    }

    #[test]
    fn no_cut_or_changed_byte_makes_it_panic() {
        let bytes = encode(&some());
        for i in 0..bytes.len() {
            assert_eq!(decode(&bytes[..i]).is_ok(), i == 0, "{i}");
            let mut changed = bytes.clone();
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                changed[i] = value;
                let _ = decode(&changed);
            }
        }
    }
}
