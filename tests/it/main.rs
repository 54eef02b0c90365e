//! The executable, driven from outside: what only it can show.

mod check;
mod doctor;
mod gc;
mod hit;
mod input;
mod key;
mod sandbox;
mod words;
