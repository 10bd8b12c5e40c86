//! Panics in the form that cores recognise: after a line that starts with `panic: ` they
//! show everything on stderr to the user as the plugin's stack trace.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::Write as _;
use std::panic::PanicHookInfo;

/// Replaces the panic hook of the process.
pub(super) fn install() {
    std::panic::set_hook(Box::new(|panic| {
        let text = describe(panic);
        // nothing to be done when stderr is gone as well
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }));
}

fn describe(panic: &PanicHookInfo<'_>) -> String {
    let message = panic.payload_as_str().unwrap_or("a value that is no text");
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed").to_owned();
    let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let mut text = format!("panic: {message}\n\nthread '{thread}' at {place}\n");
    // captured only if RUST_BACKTRACE asks for it
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        text.push_str(&backtrace.to_string());
    }
    text
}
