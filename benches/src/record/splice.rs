//! Puts tables between the markers of a Markdown page: `<!-- bench:NAME -->` and `<!-- /bench -->`.

const END: &str = "<!-- /bench -->";

/// The page with the block `name` replaced; `None` if it has no such markers.
pub(crate) fn splice(page: &str, name: &str, block: &str) -> Option<String> {
    let start = format!("<!-- bench:{name} -->");
    let from = page.find(&start)? + start.len();
    let to = from + page.get(from..)?.find(END)?;
    let (before, after) = (page.get(..from)?, page.get(to..)?);
    Some(format!("{before}\n{}\n{after}", block.trim_end()))
}

/// An empty block to splice into.
pub(crate) fn markers(name: &str) -> String {
    format!("<!-- bench:{name} -->\n{END}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_block_is_replaced() {
        let page = format!("a\n{}b\n{}c\n", markers("one"), markers("two"));
        let page = splice(&page, "two", "| x |\n").expect("it is there");
        let page = splice(&page, "two", "| y |\n").expect("it is still there");
        let block = "<!-- bench:two -->\n| y |\n<!-- /bench -->\n";
        assert_eq!(page, format!("a\n{}b\n{block}c\n", markers("one")));
        assert_eq!(splice(&page, "three", ""), None);
    }
}
