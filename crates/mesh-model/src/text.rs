//! User text inside messages: escaped as in HCL, never longer than a message bears.

/// How many characters of a user's text a message shows.
const SHOWN: usize = 80;

/// The text as an HCL string literal, shortened where it is long: control and formatting characters (bidirectional ones too)
/// never reach a terminal.
pub(crate) fn quoted(text: &str) -> String {
    if text.chars().nth(SHOWN).is_none() {
        return literal(text);
    }
    let start: String = text.chars().take(SHOWN).collect();
    format!("{}… ({} bytes)", literal(&start), text.len())
}

/// The text as an HCL string literal.
pub(crate) fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '$' | '%' if rest.peek() == Some(&'{') => {
                out.push(c);
                out.push(c);
            }
            '\'' => out.push(c),
            // what `escape_debug` leaves alone is printable
            c if c.escape_debug().len() == 1 => out.push(c),
            c if u32::from(c) <= 0xffff => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

/// `a, b, c`; where there are many, the first ten and how many more.
pub(crate) fn listed<T: std::fmt::Display>(items: impl ExactSizeIterator<Item = T>) -> String {
    let more = items.len().saturating_sub(10);
    let shown: Vec<String> = items.take(10).map(|item| item.to_string()).collect();
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::{listed, literal, quoted};

    #[test]
    fn hostile_text_is_escaped_and_shortened() {
        assert_eq!(literal("a\"b\\c\n\u{1b}[0m\u{202e}\u{e0001}"), r#""a\"b\\c\n\u001b[0m\u202e\U000e0001""#);
        assert_eq!(literal("${x} %{y} $5 it's é"), r#""$${x} %%{y} $5 it's é""#);
        assert_eq!(quoted(&"x".repeat(80)), format!("\"{}\"", "x".repeat(80)));
        assert_eq!(quoted(&"x".repeat(81)), format!("\"{}\"… (81 bytes)", "x".repeat(80)));
    }

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(listed(["a", "b"].iter()), "a, b");
        assert_eq!(listed(0..13), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 3 more");
    }
}
