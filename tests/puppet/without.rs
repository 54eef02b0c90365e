//! A system in which some calls fail, as they do on other file systems and kernels: a seccomp filter
//! (seccomp(2)), which what is executed afterwards inherits.

#![expect(unsafe_code, reason = "prctl(2) has no safe wrapper for filters")]

use std::io;

/// A call that fails: its number, the condition on one argument, and the error.
struct Denied {
    number: i64,
    /// Which argument, the bits that are compared, and what they must be.
    only: Option<(u32, u32, u32)>,
    errno: i32,
}

/// Makes calls fail from here on, each given as `CALL=ERRNO`.
///
/// # Errors
/// A word that is not known, and those of prctl(2).
pub fn deny(words: &str) -> io::Result<()> {
    let denied: Vec<Denied> = words.split(',').map(parse).collect::<io::Result<_>>()?;
    let mut program = Vec::new();
    for one in &denied {
        program.extend(instructions(one));
    }
    program.push(instruction(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0));
    let length = u16::try_from(program.len()).map_err(io::Error::other)?;
    let filter = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
    // SAFETY: no memory is passed.
    let done = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `filter` points to `program`, which outlives the call.
    let done =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, std::ptr::from_ref(&filter)) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn parse(word: &str) -> io::Result<Denied> {
    let unknown = || io::Error::other(format!("`{word}` is not known"));
    let (call, errno) = word.split_once('=').ok_or_else(unknown)?;
    /// FICLONE of linux/fs.h.
    const FICLONE: u32 = 0x4004_9409;
    const UNNAMED: u32 = libc::O_TMPFILE.cast_unsigned();
    // fcntl(2) with F_SETLK, F_SETLKW: 6 and 7.
    let (number, only) = match call {
        "flock" => (libc::SYS_flock, None),
        "fcntl-lock" => (libc::SYS_fcntl, Some((1, !1, 6))),
        "linkat" => (libc::SYS_linkat, None),
        "renameat2" => (libc::SYS_renameat2, None),
        "unnamed" => (libc::SYS_openat, Some((2, UNNAMED, UNNAMED))),
        "reflink" => (libc::SYS_ioctl, Some((1, u32::MAX, FICLONE))),
        "copy_file_range" => (libc::SYS_copy_file_range, None),
        "sendfile" => (libc::SYS_sendfile, None),
        "splice" => (libc::SYS_splice, None),
        "tee" => (libc::SYS_tee, None),
        "statfs" => (libc::SYS_statfs, None),
        "pwritev2" => (libc::SYS_pwritev2, None),
        "utimensat" => (libc::SYS_utimensat, None),
        "fchmod" => (libc::SYS_fchmod, None),
        _ => return Err(unknown()),
    };
    let errno = match errno {
        "EPERM" => libc::EPERM,
        "EXDEV" => libc::EXDEV,
        "EINVAL" => libc::EINVAL,
        "ENOSYS" => libc::ENOSYS,
        "ENOLCK" => libc::ENOLCK,
        "EOPNOTSUPP" => libc::EOPNOTSUPP,
        "EISDIR" => libc::EISDIR,
        _ => return Err(unknown()),
    };
    Ok(Denied { number, only, errno })
}

fn instructions(denied: &Denied) -> Vec<libc::sock_filter> {
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let is_equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let refuse = libc::SECCOMP_RET_ERRNO | denied.errno.cast_unsigned();
    let refuse = instruction(libc::BPF_RET | libc::BPF_K, refuse, 0, 0);
    let number = u32::try_from(denied.number).unwrap_or(u32::MAX);
    match denied.only {
        None => vec![instruction(load, 0, 0, 0), instruction(is_equal, number, 0, 1), refuse],
        Some((argument, bits, value)) => vec![
            instruction(load, 0, 0, 0),
            instruction(is_equal, number, 0, 4),
            // `struct seccomp_data`: arguments of 8 bytes, little end first, from offset 16.
            instruction(load, 16 + 8 * argument, 0, 0),
            instruction(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, bits, 0, 0),
            instruction(is_equal, value, 0, 1),
            refuse,
        ],
    }
}

fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter { code: u16::try_from(code).unwrap_or(0), jt, jf, k }
}
