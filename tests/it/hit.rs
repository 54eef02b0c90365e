//! A repeated call is answered from the store.

use snapbox::{assert_data_eq, str};

use crate::sandbox::Sandbox;

#[test]
fn a_repeated_call_is_replayed() {
    let session = Sandbox::new().steps(&[
        "memo -v puppet bump a , eprint b",
        "memo -v puppet bump a , eprint b",
        "memo puppet bump a , eprint b",
        "memo -v puppet bump a , exit 3",
    ]);
    assert_data_eq!(
        session,
        str![[r#"
$ memo -v puppet bump a , eprint b
memo: miss: never-seen
a #1
b
$ memo -v puppet bump a , eprint b
memo: hit: recorded [TIME] ago, [TIME] saved
a #1
b
$ memo puppet bump a , eprint b
a #1
b
$ memo -v puppet bump a , exit 3
memo: miss: never-seen
a #2
memo: not recorded: exit-status: 3
[exit 3]

"#]]
    );
}
