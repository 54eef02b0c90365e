//! What a call is: its key, and what it depends on.
//!
//! An [`Action`](key::Action) is what can be known without looking at content; its digest is the
//! ActionKey. What is known by content is an [`Observation`](observation::Observation). This table says
//! which is which; `key` and `observation` build it.
//!
//! | part | where | switched off by |
//! |---|---|---|
//! | command words | ActionKey | |
//! | leading assignments | ActionKey | `_NAME=` |
//! | working directory | ActionKey | `--no-cwd` |
//! | `-i`, `-o`, `--depfile`, `--no-auto` as typed | ActionKey | `-i _NAME=` |
//! | chosen environment variables | ActionKey | `_NAME`, `!GLOB` |
//! | `-k`, `--key-cmd` | ActionKey | `_NAME=` |
//! | instances of the singletons of `--dep-singleton` | ActionKey | |
//! | stdin | ActionKey | `-n` |
//! | one open file for stdout and stderr | ActionKey | |
//! | the program's path | ActionKey | `--no-exe` |
//! | the program's and its interpreter's content | observation | `--no-exe` |
//! | declared inputs | observation | `-i _NAME=` |
//! | what the depfile names | observation | `-i _NAME=` |
//! | files and directories named by words | observation | `--no-auto` |
//!
//! `part` says the same once more, part by part, for whoever asks why a call missed.
//!
//! Nothing here knows the store.

pub mod canon;
pub mod depfile;
pub mod digest;
pub mod environment;
pub mod identity;
pub mod input;
pub mod instance;
pub mod key;
pub mod known;
pub mod late_input;
pub mod listing;
pub mod name;
pub mod observation;
pub mod onlooker;
pub mod output;
pub mod part;
pub mod program;
pub mod reason;
pub mod scene;
pub mod search;
pub mod survey;
pub mod tree;
pub mod words;
