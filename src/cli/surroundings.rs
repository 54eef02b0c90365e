//! The process around a call, as every subcommand is given it.

use crate::config::{Clock, Environment, Place};
use crate::sys::startup::Inherited;

/// The process around the call.
#[derive(Debug)]
pub struct Surroundings {
    /// memo's environment.
    pub environment: Environment,
    /// Where it was called.
    pub place: Place,
    /// The clock.
    pub clock: Clock,
    /// What it was started with.
    pub inherited: Inherited,
}
