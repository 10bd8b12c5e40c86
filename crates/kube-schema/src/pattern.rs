//! Regular expressions of RE2, as the engine that is used here reads them.
//!
//! Both forbid what takes more than linear time and differ in details: classes such as `\d` are of ASCII in RE2, and it knows
//! no nested classes, so `[`, `&&` and `~~` in a class are characters. A pattern that would mean something else is refused.

use regex::{Regex, RegexBuilder};

/// Bytes that a compiled pattern may take.
const MAX_COMPILED: usize = 4 << 20;

/// A pattern that finds a match anywhere in a text.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    /// as it is written
    pub(crate) text: String,
    pub(crate) regex: Regex,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// When it is none, or is not understood here; the text says why.
    pub(crate) fn compile(text: &str) -> Result<Self, String> {
        let regex = RegexBuilder::new(&translate(text)?).size_limit(MAX_COMPILED).build();
        let regex = regex.map_err(|_| format!("the pattern {text:?} is not understood"))?;
        Ok(Self { text: text.to_owned(), regex })
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

fn translate(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len() + 16);
    let mut chars = text.chars().peekable();
    // whether a class is open, and whether its first member is still to come
    let (mut in_class, mut is_first) = (false, false);
    while let Some(c) = chars.next() {
        let was_first = std::mem::replace(&mut is_first, false);
        match c {
            '\\' => {
                let Some(escaped) = chars.next() else { return Err(format!("the pattern {text:?} ends with a backslash")) };
                out.push_str(&escape(escaped, in_class).ok_or_else(|| format!("`\\{escaped}` in the pattern {text:?}"))?);
            }
            '[' if !in_class => {
                (in_class, is_first) = (true, true);
                out.push('[');
                if chars.peek() == Some(&'^') {
                    out.push('^');
                    chars.next();
                }
            }
            '[' if chars.peek() == Some(&':') => out.push('['),
            '[' => out.push_str("\\["),
            // the first member may be a bracket
            ']' if in_class && was_first => out.push_str("\\]"),
            ']' if in_class => {
                // the end of `[:alpha:]` is not that of the class
                in_class = out.ends_with(':') && is_named_open(&out);
                out.push(']');
            }
            '&' | '~' if in_class => out.extend(['\\', c]),
            // two of them are an operator here
            '-' if in_class && was_first => out.push_str("\\-"),
            '-' if in_class && chars.peek() == Some(&'-') => {
                chars.next();
                out.push_str("-\\-");
            }
            c => out.push(c),
        }
    }
    Ok(out)
}

/// Whether the last bracket opened a class by name: `[[:alpha:`.
fn is_named_open(out: &str) -> bool {
    out.rfind("[:").is_some_and(|open| out.len() > open + 2 && !out[open + 2..].contains(['[', ']']))
}

/// What follows a backslash, with the backslash.
fn escape(c: char, in_class: bool) -> Option<String> {
    let named = |inside: &str| if in_class { inside.to_owned() } else { format!("[{inside}]") };
    Some(match c {
        'd' => named("0-9"),
        's' => named("\\t\\n\\x0C\\r "),
        'w' => named("0-9A-Za-z_"),
        'D' if !in_class => "[^0-9]".to_owned(),
        'S' if !in_class => "[^\\t\\n\\x0C\\r ]".to_owned(),
        'W' if !in_class => "[^0-9A-Za-z_]".to_owned(),
        'b' if !in_class => "(?-u:\\b)".to_owned(),
        'a' | 'f' | 't' | 'n' | 'r' | 'v' | 'x' | 'p' | 'P' => format!("\\{c}"),
        'A' | 'z' if !in_class => format!("\\{c}"),
        // a word boundary here
        '<' | '>' => c.to_string(),
        c if c.is_ascii_punctuation() => format!("\\{c}"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_in_re2() {
        let cases = [
            (r"^\d+$", "12", true),
            (r"^\d+$", "\u{664}", false),
            (r"^\w+$", "é", false),
            (r"^[[]$", "[", true),
            (r"^[]a]+$", "]a", true),
            (r"^[a&&b]+$", "&ab", true),
            (r"^[[:alpha:]_]+$", "ab_", true),
            (r"^[[:alpha:]_]+$", "a1", false),
            (r"^[+--]+$", "+,-", true),
            (r"^[--/]+$", "-./", true),
            (r"^\/x$", "/x", true),
            (r"^(?i)abc$", "ABC", true),
            (r"^a.c$", "a\nc", false),
            (r"^a$", "a\n", false),
            (r"^[A-Za-z0-9!#$%&'*+\-.^_\x60|~]+$", "a`~-|&", true),
            (r"b|a", "xay", true),
        ];
        for (pattern, text, matches) in cases {
            assert_eq!(Pattern::compile(pattern).expect("a pattern").matches(text), matches, "{pattern} {text:?}");
        }
        for pattern in ["(", "a\\", r"\Q.\E", r"(?=a)", "[z-a]", "a{1,2000}{1,2000}"] {
            assert!(Pattern::compile(pattern).is_err(), "{pattern}");
        }
    }
}
