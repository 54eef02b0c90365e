//! The subcommands: what each is asked, and what it prints.

pub mod clear;
pub mod json;
pub mod ls;
pub mod mistaken;
pub mod pattern;
pub mod print;
pub mod quote;
pub mod table;
pub mod when;
