//! Where the file system can, an output shares its blocks with the store, in both directions.

use std::process::Command;

use crate::check::{hits, world};
use crate::sandbox::{EARLY, Sandbox};

/// A file system that can, in a file, mounted for as long as it is not dropped.
struct Mount<'a>(&'a Sandbox);

impl<'a> Mount<'a> {
    /// # Errors
    /// Why it cannot be had here.
    fn new(sandbox: &'a Sandbox) -> Result<Self, String> {
        let run = |line: &str| {
            let ran = sandbox.run(format!("PATH=$PATH:/usr/sbin:/sbin; {line}"));
            if ran.code == 0 { Ok(()) } else { Err(format!("`{line}`: {}", ran.stderr.trim())) }
        };
        // 300 MiB is the least that XFS takes.
        run("mkdir ../mount && truncate -s 320M ../image")?;
        run("mkfs.xfs -q ../image")
            .or_else(|xfs| run("mkfs.btrfs -q ../image").map_err(|btrfs| format!("{xfs}; {btrfs}")))?;
        run("mount -o loop ../image ../mount")?;
        Ok(Self(sandbox))
    }

    /// Returns how much is used, in bytes.
    fn used(&self) -> u64 {
        let text = self.0.ok("sync -f ../mount; stat -f -c '%S %b %f' ../mount");
        let numbers: Vec<u64> = text.split_whitespace().map(|number| number.parse().unwrap()).collect();
        numbers[0] * (numbers[1] - numbers[2])
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        let mount = self.0.root().join("mount");
        let _ = Command::new("umount").arg(mount).status();
    }
}

#[test]
fn blocks_are_shared_with_the_store() {
    // ccache: file_clone.
    const LARGE: u64 = 40_000_000;
    let mut sandbox = world(EARLY);
    let store = sandbox.root().join("mount/store");
    sandbox.set("MEMO_DIR", store);
    let mount = match Mount::new(&sandbox) {
        Ok(mount) => mount,
        Err(why) => {
            eprintln!("skipped: no file system with reflinks can be mounted here: {why}");
            return;
        }
    };
    sandbox.ok("mkdir ../mount/work; cp bump ../mount/work");
    let line =
        format!("cd ../mount/work; memo -o d sh -c './bump; mkdir d; head -c {LARGE} /dev/urandom >d/f'");
    let empty = mount.used();
    sandbox.ok(&line);
    let recorded = mount.used();
    assert!(recorded - empty < LARGE * 3 / 2, "kept without a copy: {}", recorded - empty);
    sandbox.ok("cd ../mount/work; mv d kept");
    hits(&sandbox, &line);
    assert!(mount.used() - recorded < LARGE / 2, "put back without a copy: {}", mount.used() - recorded);
    sandbox.ok("cd ../mount/work; cmp kept/f d/f");
    // By value all the same.
    sandbox.ok("cd ../mount/work; printf x | dd of=d/f bs=1 seek=1000 conv=notrunc status=none; rm -r kept");
    hits(&sandbox, &line.replace("memo -o d", "rm -r d; memo -o d"));
    let (large, other) = (
        sandbox.ok("cd ../mount/work; cksum <d/f"),
        sandbox.ok("cd ../mount/work; rm -r d; cksum </dev/null"),
    );
    assert_ne!(large, other);
    hits(&sandbox, &line);
    assert_eq!(sandbox.ok("cd ../mount/work; cksum <d/f"), large);
}
