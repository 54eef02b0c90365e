//! The executable, driven from outside: what only it can show.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod ccache;
mod chaos;
mod check;
mod config;
mod crash;
mod crowd;
mod damage;
mod doctor;
mod foreign;
mod gc;
mod generated;
mod hit;
mod input;
mod just;
mod key;
mod output;
mod outside;
mod peers;
mod progress;
mod pty;
mod race;
mod readme;
mod recipes;
mod renew;
mod replay;
mod resilience;
mod reuse;
mod sandbox;
mod signals;
mod stats;
mod stdin;
mod takeover;
mod tidy;
mod trouble;
mod words;
