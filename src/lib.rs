//! memo
pub mod action;
pub mod sys;
