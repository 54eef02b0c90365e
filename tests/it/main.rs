//! The executable, driven from outside: what only it can show.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod ageing;
mod ccache;
mod chaos;
mod check;
mod compared;
mod completion;
mod config;
mod crash;
mod crowd;
mod damage;
mod depfile;
mod doctor;
mod foreign;
mod gc;
mod generated;
mod hit;
mod input;
mod just;
mod key;
mod lacking;
mod ls;
mod make;
mod output;
mod output_tree;
mod outside;
mod peers;
mod race;
mod readme;
mod recipes;
mod reflink;
mod renew;
mod replay;
mod resilience;
mod restore;
mod reuse;
mod sandbox;
mod show;
mod signals;
mod stats;
mod stdin;
mod takeover;
mod tidy;
mod trouble;
mod words;
