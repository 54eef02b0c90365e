//! The plan of a restore: what is there is compared with what was recorded, and new content is staged.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use super::extras::Search;
use super::ground::{At, Ground, Ways, physical};
use super::staging::{New, Source, Unstaged};
use super::swap::{Staged, Step};
use super::{Place, Refused, mode, parent};
use crate::action::digest::Digest;
use crate::action::identity::{FileKind, Identity};
use crate::action::onlooker::Telling;
use crate::action::output::{Cover, Declared};
use crate::fault;
use crate::store::outcome::{Content, Output, OutputKind};
use crate::store::restores::Held;
use crate::sys::file::is_absent;

/// Stages outputs.
///
/// # Errors
/// [`Refused`]; what was staged so far is removed again.
pub fn stage(outputs: &[Output], place: Place<'_>) -> Result<Staged, Refused> {
    let recorded: HashMap<&Path, &Output> =
        outputs.iter().map(|output| (output.path.as_path(), output)).collect();
    let named = Named::of(place);
    let roots: Vec<Root<'_>> =
        outputs.iter().map(|output| root(output, place, &named)).collect::<Result<_, _>>()?;
    let mut plan = Plan::new(place, hold(&roots, place)?);
    for (output, root) in outputs.iter().zip(roots) {
        let at = plan.find(root)?;
        plan.targets.push((output, at));
    }
    // A glob of which nothing was recorded may match something now.
    for declared in place.declared.iter().filter(|declared| declared.glob.is_some()) {
        plan.find(Root::Match(declared, Path::new("")))?;
    }
    plan.extras(&recorded)?;
    for (output, at) in std::mem::take(&mut plan.targets) {
        plan.output(output, at)?;
    }
    Ok(plan.finish())
}

/// What an output lies below.
#[derive(Clone, Copy)]
enum Root<'a> {
    /// A declared path itself, or one that a word names; no directory.
    File(&'a Path),
    /// A declared directory, and the way from there.
    Tree(&'a Declared, &'a Path),
    /// A declared glob, and the way from its directory.
    Match(&'a Declared, &'a Path),
}

/// The paths this call names itself; there may be many, and many outputs.
struct Named<'a> {
    declared: HashMap<&'a Path, &'a Declared>,
    words: HashSet<&'a Path>,
}

impl<'a> Named<'a> {
    fn of(place: Place<'a>) -> Self {
        Self {
            declared: place.declared.iter().map(|declared| (declared.place.as_path(), declared)).collect(),
            words: place.words.iter().map(PathBuf::as_path).collect(),
        }
    }
}

fn root<'a>(output: &'a Output, place: Place<'a>, named: &Named<'a>) -> Result<Root<'a>, Refused> {
    let path = output.path.as_path();
    let itself = named.declared.get(path).and_then(|declared| Some((*declared, declared.cover(path)?)));
    match itself.or_else(|| place.declared.cover(path)) {
        Some((declared, Cover::Itself)) if output.content == Content::Directory => {
            Ok(Root::Tree(declared, Path::new("")))
        }
        Some((_, Cover::Itself)) => Ok(Root::File(path)),
        Some((declared, Cover::Below(below))) => Ok(Root::Tree(declared, below)),
        Some((declared, Cover::Match(below))) => Ok(Root::Match(declared, below)),
        // Paths are equal component by component, but what is written is the text.
        None if named.words.get(path).is_some_and(|word| word.as_os_str() == path.as_os_str()) => {
            Ok(Root::File(path))
        }
        None => Err(Refused::Undeclared(output.path.clone())),
    }
}

/// Takes the locks of all places outputs go to.
fn hold(roots: &[Root<'_>], place: Place<'_>) -> Result<Held, Refused> {
    let mut places: Vec<&Path> = Vec::new();
    for root in roots {
        let path = match root {
            Root::File(path) => path,
            Root::Tree(declared, _) | Root::Match(declared, _) => declared.place.as_path(),
        };
        if places.last() != Some(&path) {
            places.push(path);
        }
    }
    places.sort_unstable();
    places.dedup();
    let Some(first) = places.first().copied() else { return Ok(Held::default()) };
    let io = |source| Refused::Io { path: first.to_owned(), source };
    let places: Vec<PathBuf> = places.into_iter().map(physical).collect::<Result<_, _>>().map_err(io)?;
    place.restores.hold(&places).map_err(io)
}

struct Plan<'a> {
    place: Place<'a>,
    grounds: Vec<Ground>,
    numbers: HashMap<(PathBuf, bool), usize>,
    trees: Vec<(usize, Declared)>,
    /// The places of these; there may be many.
    seen: HashSet<PathBuf>,
    ways: Ways,
    held: Held,
    targets: Vec<(&'a Output, At)>,
    search: Option<Search<'a>>,
    removes: Vec<Step>,
    directories: Vec<Step>,
    files: Vec<Step>,
    /// Modes and times of directories: last, the innermost first.
    last: Vec<Step>,
    /// Directories that the plan makes.
    made: HashSet<At>,
    unnamed: usize,
}

impl<'a> Plan<'a> {
    fn new(place: Place<'a>, held: Held) -> Self {
        Self {
            place,
            grounds: Vec::new(),
            numbers: HashMap::new(),
            trees: Vec::new(),
            seen: HashSet::new(),
            ways: Ways::default(),
            held,
            targets: Vec::new(),
            search: None,
            removes: Vec::new(),
            directories: Vec::new(),
            files: Vec::new(),
            last: Vec::new(),
            made: HashSet::new(),
            unnamed: 0,
        }
    }

    /// Returns where an output is, and opens its ground when it is the first there.
    fn find(&mut self, root: Root<'_>) -> Result<At, Refused> {
        let (path, below, tree) = match root {
            Root::File(path) => (parent(path), Path::new(path.file_name().unwrap_or_default()), None),
            Root::Tree(declared, below) => (declared.place.as_path(), below, Some(declared)),
            Root::Match(declared, below) => {
                let root = declared.glob.as_ref().map_or(Path::new(""), |(root, _)| root.as_path());
                (root, below, Some(declared))
            }
        };
        let is_tree = matches!(root, Root::Tree(..));
        let number = match self.numbers.get(&(path.to_owned(), is_tree)) {
            Some(number) => *number,
            None => {
                self.grounds.push(Ground::open(path, is_tree)?);
                let number = self.grounds.len() - 1;
                self.numbers.insert((path.to_owned(), is_tree), number);
                number
            }
        };
        if let Some(declared) = tree
            && self.seen.insert(declared.place.clone())
        {
            self.trees.push((number, declared.clone()));
        }
        Ok(At { ground: number, path: self.grounds[number].way(below) })
    }

    fn extras(&mut self, recorded: &'a HashMap<&'a Path, &'a Output>) -> Result<(), Refused> {
        let once = (self.trees.len() > 1).then(HashSet::new);
        let mut search = Search { place: self.place, recorded, known: None, found: Default::default(), once };
        for (number, declared) in &self.trees {
            search.through(*number, &self.grounds[*number], declared)?;
        }
        for (at, was) in std::mem::take(&mut search.found.gone) {
            let kept = self.kept_name(at.ground)?;
            self.removes.push(Step::Remove { at, was, kept });
        }
        self.search = Some(search);
        Ok(())
    }

    /// Returns a name under which something is kept until all is done.
    fn kept_name(&mut self, ground: usize) -> Result<std::ffi::OsString, Refused> {
        let Ground { directory, staging, prefix, .. } = &mut self.grounds[ground];
        staging
            .directory(directory, &mut self.held)
            .map_err(|source| Refused::Io { path: prefix.clone(), source })?;
        Ok(staging.fresh())
    }

    fn output(&mut self, output: &Output, at: At) -> Result<(), Refused> {
        let io = |source| Refused::Io { path: output.path.clone(), source };
        let cleared = self.search.as_ref().is_some_and(|search| search.found.cleared.contains(&at));
        let current = if cleared || self.is_below_made(&at) { None } else { self.look(output, &at)? };
        let mode = mode(output, self.place.mask);
        let Some(current) = current else {
            if output.kind == OutputKind::Rewritten {
                // It was observed with this very content a moment ago.
                return Err(io(io::ErrorKind::NotFound.into()));
            }
            if output.kind == OutputKind::Automatic && !self.has_directory(&at)? {
                return Err(Refused::NoDirectory(parent(&output.path).to_owned()));
            }
            self.make_way(&at);
            if output.content == Content::Directory {
                self.make(at, mode);
                return Ok(());
            }
            let new = self.new_content(output, &at, mode)?;
            self.files.push(Step::Put { at, new, over: None });
            return Ok(());
        };
        if self.holds(output, &at, &current) {
            return self.keep(output, at, &current, mode);
        }
        let in_the_way = || Refused::InTheWay(output.path.clone());
        if matches!(current.kind(), FileKind::Directory | FileKind::Special) {
            return Err(in_the_way());
        }
        match output.kind {
            OutputKind::Rewritten => return Err(io(io::ErrorKind::NotFound.into())),
            OutputKind::Automatic => return Err(in_the_way()),
            OutputKind::Found if !self.is_made_by_us(&output.path, &at, &current)? => {
                return Err(in_the_way());
            }
            _ if output.content == Content::Directory => return Err(in_the_way()),
            _ => {}
        }
        let new = self.new_content(output, &at, mode)?;
        let kept = self.kept_name(at.ground)?;
        self.files.push(Step::Put { at, new, over: Some((current, kept)) });
        Ok(())
    }

    /// Returns whether a directory on the way to a name is one that the plan makes.
    fn is_below_made(&self, at: &At) -> bool {
        !self.made.is_empty() && self.made.contains(&at.parent())
    }

    /// Looks at what is there.
    fn look(&mut self, output: &Output, at: &At) -> Result<Option<Identity>, Refused> {
        let in_the_way = |_| Refused::InTheWay(output.path.clone());
        let Some(directory) = self.ways.directory(&self.grounds, at).map_err(in_the_way)? else {
            return Ok(None);
        };
        match directory.look(at.name()) {
            Ok(looked) => Ok(Some(looked.into())),
            Err(error) if is_absent(&error) => Ok(None),
            Err(source) => Err(Refused::Io { path: output.path.clone(), source }),
        }
    }

    /// Returns whether the directory of a name is there, or will be.
    fn has_directory(&mut self, at: &At) -> Result<bool, Refused> {
        let in_the_way = |_| Refused::InTheWay(at.path.clone());
        Ok(self.is_below_made(at) || self.ways.directory(&self.grounds, at).map_err(in_the_way)?.is_some())
    }

    /// Plans the directories on the way to a name that are not there.
    fn make_way(&mut self, at: &At) {
        let parent = at.parent();
        if parent.path.as_os_str().is_empty() || self.made.contains(&parent) {
            return;
        }
        if self.grounds[at.ground].directory.below(&parent.path).is_err() {
            self.make_way(&parent);
            self.make(parent, 0o777 & !self.place.mask);
        }
    }

    fn make(&mut self, at: At, mode: u32) {
        if self.made.insert(at.clone()) {
            self.directories.push(Step::Make(at.clone()));
            self.last.push(Step::SetMode { at, mode, was: None });
        }
    }

    fn new_content(&mut self, output: &Output, at: &At, mode: u32) -> Result<New, Refused> {
        let new = match &output.content {
            Content::Link(text) => New::Link(text.clone()),
            Content::Directory => return Err(Refused::InTheWay(output.path.clone())),
            Content::File { digest, length } => {
                let source = Source {
                    blobs: self.place.blobs,
                    digest: *digest,
                    length: *length,
                    mode,
                    name: &output.path,
                    onlooker: self.place.onlooker,
                };
                let Ground { directory, staging, .. } = &mut self.grounds[at.ground];
                staging.file(directory, &mut self.held, source, &mut self.unnamed).map_err(|error| {
                    match error {
                        Unstaged::Blob(bad) => Refused::Blob(bad),
                        Unstaged::Io(source) => Refused::Io { path: output.path.clone(), source },
                    }
                })?
            }
        };
        fault::point("replay.staged");
        Ok(new)
    }

    /// Returns whether what was recorded is there already.
    fn holds(&mut self, output: &Output, at: &At, current: &Identity) -> bool {
        let Ok(directory) = self.ways.at(&self.grounds, at) else { return false };
        match &output.content {
            Content::Directory => current.kind() == FileKind::Directory,
            Content::Link(text) => {
                current.kind() == FileKind::Link && directory.read_link(at.name()).is_ok_and(|is| is == *text)
            }
            Content::File { digest, length } => {
                let hash = |file| {
                    let telling = Telling::of(self.place.onlooker, "checking", &output.path, *length);
                    Digest::of_file_telling(&file, *length, telling)
                };
                current.kind() == FileKind::File
                    && current.size == *length
                    && directory.open_file(at.name()).and_then(hash).is_ok_and(|found| found == *digest)
            }
        }
    }

    /// Plans what is to be done about something that is right: its mode, and its time where make would look.
    fn keep(&mut self, output: &Output, at: At, current: &Identity, mode: u32) -> Result<(), Refused> {
        let is_directory = output.content == Content::Directory;
        let is_old = self.place.newest_input.is_some_and(|newest| current.mtime < newest);
        let has_mode = !matches!(output.content, Content::Link(_)) && output.kind != OutputKind::Rewritten;
        // Set-id and sticky bits of a directory are whoever set them's.
        let bits = if is_directory { current.permissions() & 0o777 } else { current.permissions() };
        // What the run left alone is the user's to give a mode, unless an outcome made it.
        let sets_mode = has_mode
            && bits != mode
            && (output.kind != OutputKind::Found || self.is_made_by_us(&output.path, &at, current)?);
        let steps = if is_directory { &mut self.last } else { &mut self.files };
        if sets_mode {
            steps.push(Step::SetMode { at: at.clone(), mode, was: Some(current.permissions()) });
        }
        if is_old {
            steps.push(Step::Touch(at));
        }
        Ok(())
    }

    fn is_made_by_us(&mut self, path: &Path, at: &At, current: &Identity) -> Result<bool, Refused> {
        let io = |source| Refused::Io { path: path.to_owned(), source };
        let directory = self.ways.at(&self.grounds, at).map_err(io)?;
        Ok(self.search.as_mut().is_some_and(|search| search.is_made_by_us(directory, at, path, current)))
    }

    fn finish(mut self) -> Staged {
        // What is made last lies innermost.
        self.last.reverse();
        let mut steps = self.removes;
        steps.append(&mut self.directories);
        steps.append(&mut self.files);
        steps.append(&mut self.last);
        let stays = self.search.map_or(Vec::new(), |search| search.found.stays);
        Staged { steps, grounds: self.grounds, held: self.held, stays }
    }
}
