//! `docs/compared.md` holds what `bench/compare.sh` prints, and the README what `docs/compared.md` holds.

const SCRIPT: &str = include_str!("../../bench/compare.sh");
const DOCUMENT: &str = include_str!("../../docs/compared.md");
const README: &str = include_str!("../../README.md");

/// Returns the rows of the first table behind a heading, cell by cell.
fn rows(text: &str, heading: &str) -> Vec<Vec<String>> {
    let (_, behind) = text.split_once(heading).unwrap();
    let rows = behind.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let cells = |line: &str| {
        let line = line.replace("\\|", "\u{0}");
        line.split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect::<Vec<_>>()
    };
    rows.take_while(|line| line.starts_with('|')).map(cells).collect()
}

/// Returns the names of the script's cases, in order.
fn cases() -> Vec<String> {
    let named = SCRIPT.lines().filter_map(|line| line.strip_prefix("row '"));
    named.map(|line| line.split_once("' ").unwrap().0.replace("\\|", "|")).collect()
}

#[test]
fn the_document_has_every_case_of_the_script() {
    let told: Vec<_> = rows(DOCUMENT, "# memo compared").into_iter().map(|row| row[1].clone()).collect();
    assert!(told.len() > 30, "{told:?}");
    assert_eq!(told, cases());
}

#[test]
fn the_readme_says_what_the_document_says() {
    let document = rows(DOCUMENT, "# memo compared");
    let told = rows(README, "\n## How it compares\n");
    assert!(told.len() > 10, "{told:?}");
    for row in told {
        assert!(document.contains(&row), "{row:?} is not in docs/compared.md");
    }
}
