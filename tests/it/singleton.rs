//! Asking for a singleton.

use crate::living::Singletons;

#[test]
fn whoever_asks_again_gets_the_same_process() {
    let all = Singletons::new();
    let id = all.id("db -- puppet serve db");
    assert_eq!(all.id("db -- puppet serve db"), id);
    assert_eq!(all.id("db"), id);
    assert_eq!(all.starts().len(), 1);
    let process = all.service("db");
    assert_eq!(all.starts(), [process.pid]);
    assert!(!process.has_ended());
    all.line("stop db -q");
    process.gone();
    all.none_left();
    all.is_free("db");
    all.never_twice();
}
