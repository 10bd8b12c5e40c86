//! Errors and warnings as the CLI reports them in its JSON output.

use std::fmt;

use serde_json::Value;

/// How bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The command failed.
    Error,
    /// The command went on.
    Warning,
}

/// One diagnostic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad.
    pub severity: Severity,
    /// The fixed sentence.
    pub summary: String,
    /// What, why, how to fix.
    pub detail: String,
    /// Resource address, where there is one.
    pub address: Option<String>,
    /// The line of configuration that it points at, where there is one.
    pub code: Option<String>,
}

impl Diagnostic {
    /// Reads the `diagnostic` member of a message.
    fn read(message: &Value) -> Option<Self> {
        let severity = match message["severity"].as_str()? {
            "error" => Severity::Error,
            "warning" => Severity::Warning,
            _ => return None,
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Some(Self {
            severity,
            summary: text(&message["summary"]).unwrap_or_default(),
            detail: text(&message["detail"]).unwrap_or_default(),
            address: text(&message["address"]),
            code: text(&message["snippet"]["code"]),
        })
    }

    /// Summary, detail, address and code in one text, for searching.
    pub fn text(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}\n{}", self.severity, self.summary, self.detail)?;
        for part in [&self.address, &self.code].into_iter().flatten() {
            write!(f, "\n  at {part}")?;
        }
        Ok(())
    }
}

/// Everything a command reported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// Collects them from the lines of `-json` output; the CLI's own remark that the provider
    /// is overridden is left out.
    pub fn read(stream: &str) -> Self {
        let all = stream
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter_map(|message| Diagnostic::read(&message["diagnostic"]))
            .filter(|one| one.summary != "Provider development overrides are in effect")
            .collect();
        Self(all)
    }

    /// The errors.
    pub fn errors(&self) -> Vec<&Diagnostic> {
        self.0.iter().filter(|one| one.severity == Severity::Error).collect()
    }

    /// The warnings.
    pub fn warnings(&self) -> Vec<&Diagnostic> {
        self.0.iter().filter(|one| one.severity == Severity::Warning).collect()
    }

    /// The one error that holds all these words.
    ///
    /// # Panics
    /// When there is none.
    pub fn error_with(&self, words: &[&str]) -> &Diagnostic {
        self.with(Severity::Error, words)
    }

    /// The one warning that holds all these words.
    ///
    /// # Panics
    /// When there is none.
    pub fn warning_with(&self, words: &[&str]) -> &Diagnostic {
        self.with(Severity::Warning, words)
    }

    fn with(&self, severity: Severity, words: &[&str]) -> &Diagnostic {
        let found = self.0.iter().find(|one| one.severity == severity && words.iter().all(|word| one.text().contains(word)));
        found.unwrap_or_else(|| panic!("no {severity:?} holds all of {words:?}; there are:\n{self}"))
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for one in &self.0 {
            writeln!(f, "{one}\n")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = r#"not json
{"type":"diagnostic","diagnostic":{"severity":"error","summary":"S","detail":"told why","address":"a.b","snippet":{"code":"x = 1"}}}
{"type":"diagnostic","diagnostic":{"severity":"warning","summary":"Provider development overrides are in effect","detail":""}}
"#;

    #[test]
    fn diagnostics_are_read_from_the_stream() {
        let found = Diagnostics::read(STREAM);
        assert_eq!(found.warnings(), Vec::<&Diagnostic>::new());
        assert_eq!(found.error_with(&["S", "why", "x = 1"]).address.as_deref(), Some("a.b"));
    }

    #[test]
    #[should_panic(expected = "no Error holds all of")]
    fn a_missing_word_is_a_failure() {
        Diagnostics::read(STREAM).error_with(&["something else"]);
    }
}
