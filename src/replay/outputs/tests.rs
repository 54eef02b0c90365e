use std::ffi::OsStr;

use super::*;
use crate::action::digest::Digest;
use crate::store::outcome::OutputKind;

/// A directory with a store of one blob and somewhere that nothing is to be written to; it goes when it is
/// dropped.
struct World {
    root: PathBuf,
    blobs: Blobs,
    restores: Restores,
}

impl World {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("memo-outputs-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        for directory in ["tmp", "work", "elsewhere"] {
            std::fs::create_dir_all(root.join(directory)).unwrap();
        }
        std::fs::write(root.join("elsewhere/precious"), "mine").unwrap();
        let (blobs, restores) = (Blobs::new(&root), Restores::new(&root));
        blobs.put_bytes(b"stored").unwrap();
        Self { root, blobs, restores }
    }

    fn work(&self, name: &str) -> PathBuf {
        self.root.join("work").join(name)
    }

    fn restore(&self, declared: &[PathBuf], outputs: &[Output]) -> Result<(), Refused> {
        self.stage(declared, outputs, |staged| staged.swap())
    }

    fn stage(
        &self,
        declared: &[PathBuf],
        outputs: &[Output],
        then: impl FnOnce(Staged) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        let place = Place {
            declared: &Outputs::parse(declared.iter().map(|path| path.as_os_str())),
            words: &[],
            blobs: &self.blobs,
            restores: &self.restores,
            known: &Known::new,
            newest_input: None,
            mask: 0o022,
            store: None,
            onlooker: None,
        };
        then(super::stage(outputs, place)?)
    }

    /// Everything but the store, with link texts and contents.
    fn shown(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let below = ["work", "elsewhere"].map(|name| self.root.join(name));
        let entries = below.iter().flat_map(|directory| walkdir::WalkDir::new(directory).sort_by_file_name());
        let shown = entries.map(|entry| {
            let path = entry.unwrap().into_path();
            let link = std::fs::read_link(&path).map(|text| text.into_os_string().into_encoded_bytes());
            let content = link.or_else(|_| std::fs::read(&path)).unwrap_or_default();
            (path, content)
        });
        shown.collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

fn output(path: impl Into<PathBuf>, kind: OutputKind, content: Content) -> Output {
    Output { path: path.into(), kind, content, mode: 0o644, follows_mask: true }
}

fn file(path: impl Into<PathBuf>) -> Output {
    output(path, OutputKind::Made, Content::File { digest: Digest::of(b"stored"), length: 6 })
}

fn link(path: impl Into<PathBuf>, text: &str) -> Output {
    output(path, OutputKind::Made, Content::Link(text.as_bytes().to_vec()))
}

fn directory(path: impl Into<PathBuf>) -> Output {
    output(path, OutputKind::Made, Content::Directory)
}

#[test]
fn a_mode_that_anything_new_gets_follows_the_mask() {
    assert!(follows_mask(0o644, 0o022));
    assert!(follows_mask(0o755, 0o022));
    assert!(!follows_mask(0o600, 0o022));
    let with = |output: Output, bits, follows| Output { mode: bits, follows_mask: follows, ..output };
    assert_eq!(mode(&with(file("x"), 0o644, true), 0o077), 0o600);
    assert_eq!(mode(&with(file("x"), 0o755, true), 0o077), 0o700);
    assert_eq!(mode(&with(directory("x"), 0o755, true), 0o077), 0o700);
    assert_eq!(mode(&with(file("x"), 0o640, false), 0o022), 0o640);
    assert_eq!(mode(&with(file("x"), 0o4755, false), 0o022), 0o755, "set-id bits are never put back");
}

/// A store with checksums that are right and hostile paths must not write anywhere it was not told to.
#[track_caller]
fn check_refused(declared: &[&str], hostile: impl Fn(&World) -> Vec<Output>) {
    let world = World::new("hostile");
    let declared: Vec<PathBuf> = declared.iter().map(|name| world.work(name)).collect();
    std::os::unix::fs::symlink(world.root.join("elsewhere"), world.work("users-link")).unwrap();
    let before = world.shown();
    let outputs = hostile(&world);
    let refused = world.restore(&declared, &outputs);
    assert!(refused.is_err(), "{outputs:?}");
    assert_eq!(world.shown(), before, "{outputs:?}: {refused:?}");
}

#[test]
fn a_hostile_store_cannot_write_where_the_call_did_not_declare() {
    // turbo: name traversal, symlink traversal, double indirection; moon: untrusted manifest paths.
    check_refused(&["out"], |world| vec![file(world.work("out")), file(world.root.join("elsewhere/evil"))]);
    for evil in
        ["../elsewhere/evil", "out/../../elsewhere/evil", "out/../else", "else", "outer", "out/./x", "out//x"]
    {
        check_refused(&["out"], |world| vec![file(format!("{}/{evil}", world.root.join("work").display()))]);
    }
    for evil in ["../elsewhere/evil", "/etc/evil", "evil", ""] {
        check_refused(&["out", "out/*", "**"], |_| vec![file(evil)]);
    }
    // Through a link that the outcome itself brings.
    check_refused(&["d"], |world| {
        vec![link(world.work("d/l"), "../../elsewhere"), file(world.work("d/l/evil"))]
    });
    check_refused(&["d"], |world| {
        vec![file(world.work("d/l/evil")), link(world.work("d/l"), "../../elsewhere")]
    });
    check_refused(&["d"], |world| {
        let here = link(world.work("d/m"), "l");
        vec![link(world.work("d/l"), "../../elsewhere"), here, file(world.work("d/m/evil"))]
    });
    check_refused(&["d"], |world| vec![link(world.work("d"), "../elsewhere"), file(world.work("d/evil"))]);
    // Through one that is there, below what is declared.
    check_refused(&["*/x", "**/evil"], |world| vec![file(world.work("users-link/evil"))]);
    // The same name twice.
    check_refused(&["d"], |world| vec![file(world.work("d/x")), file(world.work("d/x"))]);
    check_refused(&["d"], |world| vec![file(world.work("d/x")), file(world.work("d/x/y"))]);
    check_refused(&["**"], |world| vec![file(world.work(".git/hooks/pre-commit"))]);
}

#[test]
fn a_link_in_a_declared_tree_is_not_written_through() {
    let world = World::new("through");
    std::fs::create_dir(world.work("d")).unwrap();
    std::os::unix::fs::symlink("../../elsewhere", world.work("d/l")).unwrap();
    let before = world.shown();
    let refused =
        world.restore(&[world.work("d")], &[directory(world.work("d")), file(world.work("d/l/precious"))]);
    assert!(matches!(refused, Err(Refused::InTheWay(path)) if path == world.work("d/l/precious")));
    assert_eq!(world.shown(), before);
}

#[test]
fn the_text_of_a_link_is_only_text() {
    // turbo: pathological symlinks, symlink cycle.
    let world = World::new("text");
    let texts = ["/etc/passwd", "../../../..", "self", "nowhere", "a\nb"];
    let links: Vec<Output> = texts
        .iter()
        .enumerate()
        .map(|(number, text)| link(world.work(&format!("d/{number}")), text))
        .chain([link(world.work("d/self"), "self")])
        .collect();
    world.restore(&[world.work("d")], &links).unwrap();
    world.restore(&[world.work("d")], &links).unwrap();
    for (number, text) in texts.iter().enumerate() {
        let path = world.work(&format!("d/{number}"));
        assert_eq!(std::fs::read_link(path).unwrap().as_os_str(), OsStr::new(text));
    }
}

#[test]
fn an_automatic_output_replaces_nothing_that_came_meanwhile() {
    let world = World::new("meanwhile");
    let out = world.work("out");
    let outputs = [Output { kind: OutputKind::Automatic, ..file(&out) }];
    let refused = world.stage(std::slice::from_ref(&out), &outputs, |staged| {
        std::fs::write(&out, "mine").unwrap();
        staged.swap()
    });
    assert!(matches!(refused, Err(Refused::Io { .. })));
    assert_eq!(std::fs::read(&out).unwrap(), b"mine");
    assert_eq!(std::fs::read_dir(world.root.join("work")).unwrap().count(), 1);
}

#[test]
fn nothing_is_in_place_before_all_is_staged() {
    let world = World::new("staged");
    let bad = Content::File { digest: Digest::of(b"other"), length: 6 };
    let outputs = [file(world.work("d/a")), output(world.work("d/b"), OutputKind::Made, bad)];
    assert!(matches!(world.restore(&[world.work("d")], &outputs), Err(Refused::Blob(_))));
    assert_eq!(std::fs::read_dir(world.root.join("work")).unwrap().count(), 0);
    world.restore(&[world.work("d")], &outputs[..1]).unwrap();
    assert_eq!(std::fs::read(world.work("d/a")).unwrap(), b"stored");
}

#[test]
fn what_fails_last_is_taken_back_to_the_first() {
    let world = World::new("back");
    std::fs::create_dir(world.work("d")).unwrap();
    std::fs::write(world.work("d/a"), "mine").unwrap();
    std::os::unix::fs::symlink("mine", world.work("d/b")).unwrap();
    let before = world.shown();
    let outputs = [
        file(world.work("d/a")),
        file(world.work("d/b")),
        link(world.work("d/c"), "c"),
        directory(world.work("d/e")),
        file(world.work("d/e/f")),
        file(world.work("d/z")),
    ];
    let refused = world.stage(&[world.work("d")], &outputs, |staged| {
        std::fs::write(world.work("d/z"), "mine").unwrap();
        staged.swap()
    });
    assert!(matches!(refused, Err(Refused::Io { path, .. }) if path == world.work("d/z")));
    std::fs::remove_file(world.work("d/z")).unwrap();
    assert_eq!(world.shown(), before);
}
