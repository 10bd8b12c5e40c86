//! Printing for people: a few styles, switched off where nobody looks at colours.
//!
//! Colour is used when the stream is a terminal and `NO_COLOR` is unset or empty.

use std::io::{IsTerminal, Write as _};
use std::time::Duration;

use anstyle::{AnsiColor, Style};

/// Styles for one stream; all of them plain when colour is off.
#[derive(Debug, Clone, Copy)]
pub struct Ink {
    on: bool,
}

impl Ink {
    /// For standard output as it is now.
    pub fn stdout() -> Self {
        Self { on: wants_colour(std::io::stdout().is_terminal()) }
    }

    /// For standard error as it is now.
    pub fn stderr() -> Self {
        Self { on: wants_colour(std::io::stderr().is_terminal()) }
    }

    /// No colour at all.
    pub const fn plain() -> Self {
        Self { on: false }
    }

    /// Whether escape codes are written.
    pub const fn is_on(self) -> bool {
        self.on
    }

    /// Headings.
    pub fn bold(self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    /// Side remarks.
    pub fn dim(self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    /// Success.
    pub fn good(self, text: &str) -> String {
        self.paint(AnsiColor::Green.on_default().bold(), text)
    }

    /// Failure.
    pub fn bad(self, text: &str) -> String {
        self.paint(AnsiColor::Red.on_default().bold(), text)
    }

    /// Something a person should not overlook.
    pub fn loud(self, text: &str) -> String {
        self.paint(AnsiColor::Yellow.on_default().bold(), text)
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.on { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

fn wants_colour(is_terminal: bool) -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    is_terminal && !refused
}

/// A duration as people say it: `0.4 s`, `12.3 s`, `3 min 05 s`.
pub fn spoken(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 100 { format!("{:.1} s", time.as_secs_f64()) } else { format!("{} min {:02} s", seconds / 60, seconds % 60) }
}

/// Prints one line to standard output; a closed pipe is no reason to panic.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints text without a line break and shows it at once.
pub fn say_part(text: &str) {
    let mut out = std::io::stdout();
    let _ = write!(out, "{text}");
    let _ = out.flush();
}

/// Prints one line to standard error (progress of tools whose output is a value).
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_like_speech() {
        assert_eq!(spoken(Duration::from_millis(420)), "0.4 s");
        assert_eq!(spoken(Duration::from_secs(185)), "3 min 05 s");
    }

    #[test]
    fn plain_ink_leaves_text_alone() {
        assert_eq!(Ink::plain().bad("x"), "x");
        assert_ne!(Ink { on: true }.bad("x"), "x");
    }
}
