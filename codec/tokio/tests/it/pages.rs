//! The echo server that leads three pages is one, and compiled on this crate's.

/// Returns the lines of a page from the loop that accepts to its end.
fn echo_server(page: &str) -> &str {
    let begin = page.find("while let Ok((stream, _)) = listener").unwrap();
    let end = page[begin..].find("\n}\n").unwrap();
    &page[begin..begin + end]
}

#[test]
fn the_pages_begin_with_the_same_echo_server() {
    let own = echo_server(include_str!("../../README.md"));
    assert_eq!(echo_server(include_str!("../../../README.md")), own);
    assert_eq!(echo_server(include_str!("../../../../README.md")), own);
    assert!(own.lines().count() <= 12);
}
