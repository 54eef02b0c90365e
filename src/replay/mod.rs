//! Replaying an outcome: its output files into place, its transcript to the descriptors.

pub mod outputs;
pub mod streams;
