//! AuthorizationPolicies, as far as they judge who calls.

use std::collections::BTreeMap;

use istio_objects::Object;

use super::part::{Part, Unforeseen};

/// Who may call some pods.
#[derive(Debug)]
pub(crate) struct Access {
    pub(crate) namespace: String,
    /// labels of the pods; empty: every pod of the namespace
    pub(crate) selector: BTreeMap<String, String>,
    pub(crate) action: Action,
    /// any of these
    rules: Vec<Vec<Source>>,
}

/// What happens to whom a rule matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Allow,
    Deny,
}

#[derive(Debug, Default)]
struct Source {
    /// without `spiffe://`
    principals: Vec<String>,
    namespaces: Vec<String>,
}

impl Access {
    pub(super) fn read(object: &Object) -> Result<Self, Unforeseen> {
        let spec = Part::spec(object)?;
        spec.only(&["selector", "action", "rules"])?;
        spec.member("selector").only(&["matchLabels"])?;
        let source = |part: &Part<'_>| {
            part.only(&["source"])?;
            let source = part.member("source");
            source.only(&["principals", "namespaces"])?;
            Ok(Source { principals: source.member("principals").texts()?, namespaces: source.member("namespaces").texts()? })
        };
        let rule = |part: &Part<'_>| {
            part.only(&["from"])?;
            part.member("from").elements()?.iter().map(source).collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            namespace: super::namespace(object),
            selector: spec.member("selector").member("matchLabels").labels()?,
            action: spec.member("action").one_of(&[("ALLOW", Action::Allow), ("DENY", Action::Deny)], Action::Allow)?,
            rules: spec.member("rules").elements()?.iter().map(rule).collect::<Result<_, _>>()?,
        })
    }

    /// Whether a rule matches a caller. One whose account is not known is any of its namespace.
    pub(crate) fn matches(&self, trust_domain: &str, namespace: &str, account: Option<&str>) -> bool {
        let beginning = format!("{trust_domain}/ns/{namespace}/sa/");
        let is_principal = |pattern: &String| match account {
            Some(account) => matches(pattern, &format!("{beginning}{account}")),
            None => pattern.starts_with(&beginning) || matches(pattern, &beginning),
        };
        let is_source = |source: &Source| {
            let by_principal = source.principals.is_empty() || source.principals.iter().any(is_principal);
            by_principal && (source.namespaces.is_empty() || source.namespaces.iter().any(|pattern| matches(pattern, namespace)))
        };
        self.rules.iter().any(|from| from.is_empty() || from.iter().any(is_source))
    }
}

/// A pattern with `*` at one of its ends, or alone.
fn matches(pattern: &str, text: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), _) => text.ends_with(end),
        (None, Some(beginning)) => text.starts_with(beginning),
        (None, None) => pattern == text,
    }
}
