//! The executable, driven from outside: what only it can show.

mod hit;
mod sandbox;
