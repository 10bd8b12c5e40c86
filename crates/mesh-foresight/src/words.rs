//! Verdicts in words.

use std::fmt;

use crate::envoy::Tries;
use crate::forecast::{Forecast, State};
use crate::reach::Cause;
use crate::scenario::Situation;

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pods => f.write_str("its pods fail"),
            Self::Port(port) => write!(f, "its pods do not listen on {port}"),
            Self::Cluster => f.write_str("the cluster is down"),
            Self::Gateway => f.write_str("its gateway is down"),
            Self::NoGateway => f.write_str("no gateway is there"),
            Self::ServerName(name) => write!(f, "its gateway does not pass {name}"),
            Self::NoService(service) => write!(f, "it has no {service}"),
            Self::NoPods => f.write_str("it has no pods"),
            Self::Identity(ids) => {
                write!(
                    f,
                    "its pods may be {}, whom the client does not accept",
                    ids.iter().cloned().collect::<Vec<_>>().join(", ")
                )
            }
            Self::TrustDomain(domain) => write!(f, "its pods do not accept clients of trust domain {domain}"),
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serves(share) => write!(f, "serves {share}"),
            Self::Waits => f.write_str("waits"),
            Self::Denies(share) => write!(f, "denies {share}"),
            Self::Ejected(_, cause) | Self::Broken(_, cause) => write!(f, "out: {cause}"),
            Self::Fails(share, _, cause) => write!(f, "fails {share}, which cannot be ejected: {cause}"),
        }
    }
}

impl fmt::Display for Tries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clean => f.write_str("answered"),
            Self::Repeated => f.write_str("answered by a retry"),
            Self::Lost(loss) => write!(f, "some lost: {loss}"),
        }
    }
}

impl fmt::Display for Situation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllWell => f.write_str("all well"),
            Self::PodsDead { dead, all } => write!(f, "{dead} of {all} own pods dead"),
            Self::ApplicationDead => f.write_str("own application dead"),
            Self::ClusterDown(cluster) => write!(f, "cluster {cluster} down"),
            Self::GatewayDown(cluster) => write!(f, "gateway of {cluster} down"),
            Self::RegionDown(region) => write!(f, "region {region} down"),
            Self::InTurn { own, clusters } => {
                let own = own.then(|| "own application dead".to_owned());
                let clusters = clusters.iter().map(|cluster| format!("{cluster} down"));
                f.write_str(&own.into_iter().chain(clusters).collect::<Vec<_>>().join(", "))
            }
            Self::Given(given) => f.write_str(&printable(&given.name)),
        }
    }
}

impl Forecast {
    /// Who serves, in a line: `east 70%, west 30%`; or why nobody does.
    #[must_use]
    pub fn summary(&self) -> String {
        let routed = match self {
            Self::NoClient => return "no client: its cluster is down".to_owned(),
            Self::NoRoute(reason) => return format!("nobody: {reason}"),
            Self::Routed(routed) => routed,
        };
        let mut parts: Vec<String> = routed.shares.iter().map(|(cluster, share)| format!("{cluster} {share}")).collect();
        if !routed.denied.is_none() {
            parts.push(format!("403 {}", routed.denied));
        }
        if !routed.failing.is_none() {
            parts.push(format!("failing {}", routed.failing));
        }
        if parts.is_empty() { "nobody".to_owned() } else { parts.join(", ") }
    }

    /// Of every way that serves nobody: whose it is, and why.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let Self::Routed(routed) = self else { return Vec::new() };
        let mut reasons: Vec<String> = Vec::new();
        for way in routed.ways.iter().filter(|way| !matches!(way.state, State::Serves(_))) {
            let whose = way.cluster.as_ref().map_or("nobody's address".to_owned(), ToString::to_string);
            let whose = way.subset.as_ref().map_or(whose.clone(), |subset| format!("{whose} ({})", printable(subset)));
            let reason = format!("{whose} {}", way.state);
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        reasons
    }
}

/// A text of a user, on one line: nothing in it moves a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.escape_debug().len() == 1 || c == '"' || c == '\'' || c == '\\' { c } else { '\u{fffd}' }).collect()
}
