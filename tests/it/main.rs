//! The executable, driven from outside: what only it can show.

mod check;
mod generated;
mod hit;
mod input;
mod key;
mod readme;
mod sandbox;
mod tidy;
mod words;
