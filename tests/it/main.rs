//! The executable, driven from outside: what only it can show.

mod check;
mod hit;
mod key;
mod sandbox;
