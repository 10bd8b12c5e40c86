//! How many requests an API server got, by its own count.

use std::collections::BTreeMap;
use std::fmt;

use rig::Cluster;
use xtask::{Problem, Result};

/// Requests by what they do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Requests(BTreeMap<String, u64>);

impl Requests {
    /// All that the server got from others than itself since it began.
    ///
    /// # Errors
    /// When it does not tell.
    pub(crate) fn of(cluster: &Cluster) -> Result<Self> {
        let answer = cluster.api().get("/metrics")?;
        if !answer.is_success() {
            return Err(Problem::new(format!("{} does not tell its metrics: {}", cluster.name(), answer.message())));
        }
        Ok(Self::parse(&answer.text))
    }

    fn parse(metrics: &str) -> Self {
        let mut requests = Self::default();
        for line in metrics.lines() {
            let Some((labels, count)) = line.strip_prefix("apiserver_request_total{").and_then(|rest| rest.split_once("} "))
            else {
                continue;
            };
            let label = |name: &str| {
                let (_, rest) = labels.split_once(&format!("{name}=\""))?;
                rest.split('"').next()
            };
            let verb = label("verb").unwrap_or_default();
            // what the server does for itself, and the question for these figures
            let is_own = verb == "WATCH" || label("resource") == Some("leases") || label("subresource") == Some("/metrics");
            let Some(count) = count.trim().parse::<f64>().ok().filter(|_| !is_own) else { continue };
            let name = match (verb, label("dry_run").unwrap_or_default(), label("resource").unwrap_or_default()) {
                ("GET", _, "") => "discovery".to_owned(),
                (verb, "", _) => verb.to_ascii_lowercase(),
                (verb, ..) => format!("{} (dry run)", verb.to_ascii_lowercase()),
            };
            *requests.0.entry(name).or_default() += count as u64;
        }
        requests
    }

    /// What came since then.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let now = self.0.iter().map(|(name, count)| (name.clone(), count - before.0.get(name).unwrap_or(&0)));
        Self(now.filter(|(_, count)| *count > 0).collect())
    }

    /// The sum of two.
    pub(crate) fn and(mut self, other: &Self) -> Self {
        for (name, count) in &other.0 {
            *self.0.entry(name.clone()).or_default() += count;
        }
        self
    }

    /// All of them.
    pub(crate) fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

impl fmt::Display for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(|(name, count)| format!("{count} {name}")).collect();
        f.write_str(&if parts.is_empty() { "none".to_owned() } else { parts.join(", ") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_what_they_do() {
        let before = r#"apiserver_request_total{code="200",dry_run="",group="g",resource="virtualservices",subresource="",verb="LIST"} 2
"#;
        let after = r#"# HELP apiserver_request_total x
apiserver_request_total{code="200",dry_run="",group="g",resource="virtualservices",subresource="",verb="LIST"} 5
apiserver_request_total{code="200",dry_run="All",group="g",resource="virtualservices",subresource="",verb="APPLY"} 1
apiserver_request_total{code="200",dry_run="",group="",resource="",subresource="/apis",verb="GET"} 1
apiserver_request_total{code="200",dry_run="",group="",resource="",subresource="/metrics",verb="GET"} 9
apiserver_request_total{code="200",dry_run="",group="g",resource="leases",subresource="",verb="PUT"} 9
apiserver_request_total{code="0",dry_run="",group="g",resource="virtualservices",subresource="",verb="WATCH"} 9
"#;
        let seen = Requests::parse(after).since(&Requests::parse(before));
        assert_eq!((seen.to_string().as_str(), seen.total()), ("1 apply (dry run), 1 discovery, 3 list", 5));
    }
}
