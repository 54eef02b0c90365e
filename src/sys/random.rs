//! Random bytes.

use std::io;

/// Fills a buffer with bytes that nobody can foretell.
///
/// # Errors
/// Those of getrandom(2).
pub fn fill(buffer: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < buffer.len() {
        filled += rustix::rand::getrandom(&mut buffer[filled..], rustix::rand::GetRandomFlags::empty())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_a_buffer_is_filled_and_never_twice_alike() {
        let (mut a, mut b) = ([0; 64], [0; 64]);
        fill(&mut a).unwrap();
        fill(&mut b).unwrap();
        assert_ne!(a, b);
        assert_ne!(a[48..], [0; 16]);
    }
}
