//! Who asks from inside: a process of the instance that it asks for, or one that holds it while it runs. They are given
//! it at once, for to wait for it would be to wait for themselves.
//!
//! The variable [`STACK`] names the instances that a process is inside of, the outermost first. One whose instance has
//! gone says nothing any more.

use std::ffi::{OsStr, OsString};

use super::slot::Slot;
use crate::action::instance::InstanceId;

/// The variable: `SLOT.INSTANCE`, separated by colons.
pub const STACK: &str = "MEMO_SINGLETON_STACK";

/// Returns the instance of a slot that a process with this stack is inside of.
pub fn instance_of(slot: &Slot, stack: Option<&OsStr>) -> Option<InstanceId> {
    let id = slot.id();
    let entries = stack?.to_str()?.rsplit(':');
    let named = entries.filter_map(|entry| entry.split_once('.'));
    { named }.find(|(slot, _)| *slot == id).and_then(|(_, instance)| InstanceId::from_hex(instance))
}

/// Returns the stack of a process inside an instance.
pub fn stack(slot: &Slot, instance: InstanceId, outer: Option<&OsStr>) -> OsString {
    let mut stack = outer.unwrap_or_default().to_owned();
    if !stack.is_empty() {
        stack.push(":");
    }
    stack.push(format!("{}.{instance}", slot.id()));
    stack
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_instance_of_a_slot_counts() {
        let [a, b] = ["/r/s/a", "/r/s/b"].map(|path| Slot::at(path.into()));
        let [one, other] = [1, 2].map(|byte| InstanceId::from_bytes([byte; 16]));
        let outer = stack(&a, one, None);
        let both = stack(&b, other, Some(&outer));
        let again = stack(&a, other, Some(&both));
        assert_eq!(instance_of(&a, Some(&outer)), Some(one));
        assert_eq!(instance_of(&b, Some(&outer)), None);
        assert_eq!((instance_of(&a, Some(&both)), instance_of(&b, Some(&both))), (Some(one), Some(other)));
        assert_eq!(instance_of(&a, Some(&again)), Some(other));
        assert_eq!(instance_of(&a, None), None);
        assert_eq!(instance_of(&a, Some(OsStr::new("x:y.z:"))), None);
    }
}
