//! Pure crates: their result depends on their arguments alone.
//!
//! Table `pure` of ARCHITECTURE.md lists them. This rule looks for the doors to the outside in
//! their sources (tests excepted: `#[cfg(test)]` ends the part that is read).

use std::path::Path;

use super::{Clone, Complaints, quoted};
use crate::Result;

/// What a pure crate does not mention, and why.
const DOORS: [(&str, &str); 16] = [
    ("std::fs", "files"),
    ("std::env", "the environment"),
    ("TcpStream", "the network"),
    ("TcpListener", "the network"),
    ("UdpSocket", "the network"),
    ("ToSocketAddrs", "the network"),
    ("std::process", "other processes"),
    ("std::thread", "threads"),
    ("SystemTime", "the clock"),
    ("Instant", "the clock"),
    ("HashMap", "its order differs between runs: use BTreeMap"),
    ("HashSet", "its order differs between runs: use BTreeSet"),
    ("RandomState", "randomness"),
    ("async fn", "it needs an executor"),
    ("thread_local!", "state between calls"),
    ("static mut", "state between calls"),
];

/// No door to the outside in a pure crate.
///
/// # Errors
/// When the table or a file cannot be read.
pub fn pure_crates(clone: &Clone) -> Result<Complaints> {
    let mut complaints = Complaints::new();
    let rows = clone.table("pure")?;
    for name in rows.iter().filter_map(|row| row.first()).flat_map(|cell| quoted(cell)) {
        let folder = Path::new("crates").join(name).join("src");
        let sources = clone.with_extension("rs").filter(|file| file.starts_with(&folder) && !is_test(file));
        let before = complaints.len();
        let mut read = 0;
        for file in sources {
            let text = clone.text(file)?;
            let told =
                doors(&text).map(|(line, door, why)| format!("{}:{line}: `{door}` in a pure crate: {why}", file.display()));
            complaints.extend(told);
            read += 1;
        }
        if read == 0 && before == complaints.len() {
            complaints.push(format!("ARCHITECTURE.md calls `{name}` pure, but it has no sources"));
        }
    }
    Ok(complaints)
}

fn is_test(file: &Path) -> bool {
    file.iter().any(|part| part == "tests" || part == "tests.rs" || part == "testing" || part == "testing.rs")
}

fn doors(text: &str) -> impl Iterator<Item = (usize, &'static str, &'static str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .flat_map(|(index, line)| {
            DOORS.into_iter().filter(|(door, _)| mentions(line, door)).map(move |(door, why)| (index + 1, door, why))
        })
}

/// Whether `line` holds `door` as whole words.
fn mentions(line: &str, door: &str) -> bool {
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    line.match_indices(door)
        .any(|(at, _)| !is_word(line[..at].chars().next_back()) && !is_word(line[at + door.len()..].chars().next()))
}

#[cfg(test)]
mod tests {
    use super::doors;

    #[test]
    fn doors_are_found_outside_tests_and_comments() {
        let text = "// std::fs is not used\nuse std::fs;\nlet instantly = 1;\n#[cfg(test)]\nmod tests { use std::env; }\n";
        let found: Vec<_> = doors(text).map(|(line, door, _)| (line, door)).collect();
        assert_eq!(found, [(2, "std::fs")]);
    }
}
