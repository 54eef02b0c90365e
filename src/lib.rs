//! memo
pub mod action;
pub mod cli;
pub mod error;
pub mod fault;
pub mod store;
pub mod sys;
pub mod ui;
