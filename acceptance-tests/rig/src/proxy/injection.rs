//! What to break, for which requests, and which of them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

/// A request as the proxy sees it, before anything is done with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// HTTP method.
    pub method: String,
    /// Path without query.
    pub path: String,
    /// The query, without its question mark; empty when there is none.
    pub query: String,
    /// Who says that they ask.
    pub user_agent: String,
}

impl Seen {
    /// The query with another limit of the pages of a list; `None`: it is no list in pages.
    pub(crate) fn with_limit(&self, limit: usize) -> Option<String> {
        let mut parts: Vec<&str> = self.query.split('&').collect();
        let place = parts.iter().position(|part| part.starts_with("limit="))?;
        let limit = format!("limit={limit}");
        parts[place] = &limit;
        Some(parts.join("&"))
    }

    /// Whether the request changes something and is no dry run.
    pub fn is_write(&self) -> bool {
        !["GET", "HEAD"].contains(&self.method.as_str()) && !self.query.contains("dryRun=")
    }
}

/// What happens instead of the usual.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The usual, later.
    Delay(Duration),
    /// No answer, ever; the server never hears of the request. On heal the connection is reset.
    Hang,
    /// The server does what is asked, its answer is withheld. On heal the connection is reset.
    HangAfter,
    /// The connection is reset; the server never hears of the request.
    Reset,
    /// The server does what is asked, then the connection is reset.
    ResetAfter,
    /// An answer of the proxy's own; the server never hears of the request.
    Answer {
        /// HTTP status.
        status: u16,
        /// Seconds.
        retry_after: Option<u32>,
        /// The message in the body, a Kubernetes `Status`.
        message: String,
    },
    /// The server does what is asked; its answer is replaced by this status, with the words an API server has for it.
    AnswerAfter(u16),
    /// Lists come in pages of so many, with the server's own continuations.
    Pages(usize),
    /// The server's answer, and after so many bytes of its body the connection ends.
    Truncate(usize),
    /// The server's answer with a body of so many bytes, complete as far as HTTP can tell.
    Garble(usize),
}

impl Effect {
    /// An answer with this status and the words an API server has for it.
    pub fn answer(status: u16) -> Self {
        Self::Answer { status, retry_after: None, message: words(status).1.to_owned() }
    }

    /// The same with a `Retry-After` of so many seconds; only for [`Effect::Answer`].
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        if let Self::Answer { retry_after, .. } = &mut self {
            *retry_after = Some(seconds);
        }
        self
    }

    /// The same with other words; only for [`Effect::Answer`].
    #[must_use]
    pub fn with_message(mut self, text: &str) -> Self {
        if let Self::Answer { message, .. } = &mut self {
            text.clone_into(message);
        }
        self
    }
}

/// The body of an answer, as an API server would write it.
pub(crate) fn status_body(status: u16, message: &str) -> String {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": words(status).0, "code": status,
    })
    .to_string()
}

/// Reason and message of an API server.
pub(crate) fn words(status: u16) -> (&'static str, &'static str) {
    match status {
        401 => ("Unauthorized", "Unauthorized"),
        403 => ("Forbidden", "forbidden: User \"rig\" cannot do this"),
        404 => ("NotFound", "the server could not find the requested resource"),
        409 => ("Conflict", "the object has been modified; please apply your changes to the latest version and try again"),
        410 => ("Expired", "The provided continue parameter is too old"),
        429 => ("TooManyRequests", "Too many requests, please try again later."),
        500 => ("InternalError", "Internal error occurred"),
        503 => ("ServiceUnavailable", "the server is currently unable to handle the request"),
        504 => ("Timeout", "the server was unable to return a response in the time allotted"),
        _ => ("Unknown", "broken by a test"),
    }
}

type Predicate = Arc<dyn Fn(&Seen) -> bool + Send + Sync>;

/// An effect and the requests that it is for.
#[derive(Clone)]
pub struct Injection {
    pub(crate) effect: Effect,
    predicate: Predicate,
    first: usize,
    last: usize,
    /// Requests so far that the predicate took.
    matched: usize,
}

impl std::fmt::Debug for Injection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Injection").field("effect", &self.effect).finish_non_exhaustive()
    }
}

impl Injection {
    /// For every request.
    pub fn new(effect: Effect) -> Self {
        Self { effect, predicate: Arc::new(|_| true), first: 1, last: usize::MAX, matched: 0 }
    }

    /// Only for requests that this says yes to.
    #[must_use]
    pub fn on(self, predicate: impl Fn(&Seen) -> bool + Send + Sync + 'static) -> Self {
        Self { predicate: Arc::new(predicate), ..self }
    }

    /// Of those, from the `first` to the `last`, counted from 1.
    #[must_use]
    pub fn nth(self, first: usize, last: usize) -> Self {
        Self { first, last, ..self }
    }

    /// Counts the request, and tells the effect if it is for it.
    pub(crate) fn take(&mut self, seen: &Seen) -> Option<Effect> {
        if !(self.predicate)(seen) {
            return None;
        }
        self.matched += 1;
        (self.first..=self.last).contains(&self.matched).then(|| self.effect.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(method: &str, query: &str) -> Seen {
        Seen { method: method.into(), path: "/x".into(), query: query.into(), user_agent: String::new() }
    }

    #[test]
    fn only_the_requests_of_the_predicate_are_counted() {
        let mut injection = Injection::new(Effect::Reset).on(Seen::is_write).nth(2, 2);
        let told: Vec<bool> =
            ["PATCH", "GET", "DELETE", "PATCH"].map(|method| injection.take(&seen(method, "")).is_some()).into();
        assert_eq!(told, [false, false, true, false]);
    }

    #[test]
    fn a_dry_run_writes_nothing() {
        assert!(seen("PATCH", "force=true").is_write());
        assert!(!seen("PATCH", "dryRun=All").is_write());
    }

    #[test]
    fn only_pages_get_another_limit() {
        assert_eq!(seen("GET", "limit=500&continue=x").with_limit(2).as_deref(), Some("limit=2&continue=x"));
        assert_eq!(seen("GET", "").with_limit(2), None);
    }

    #[test]
    fn an_answer_reads_like_the_servers() {
        let body: serde_json::Value = serde_json::from_str(&status_body(410, "m")).expect("JSON");
        assert_eq!((body["reason"].as_str(), body["code"].as_u64()), (Some("Expired"), Some(410)));
    }
}
