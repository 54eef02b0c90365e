//! The executable, driven from outside: what only it can show.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod chaos;
mod check;
mod crash;
mod crowd;
mod damage;
mod doctor;
mod foreign;
mod gc;
mod generated;
mod hit;
mod input;
mod key;
mod lacking;
mod output;
mod outside;
mod peers;
mod race;
mod readme;
mod renew;
mod replay;
mod reuse;
mod sandbox;
mod signals;
mod stdin;
mod takeover;
mod tidy;
mod trouble;
mod words;
