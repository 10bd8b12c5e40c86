//! VirtualServices, as far as they route requests.

use std::collections::BTreeSet;

use istio_objects::Object;

use super::part::{Part, Unforeseen};

/// Retries where nothing is said; istiod's own default.
const ISTIO_ATTEMPTS: u32 = 2;
const ISTIO_RETRY_ON: &str = "connect-failure,refused-stream,unavailable,cancelled";

/// What happens to requests for hosts.
#[derive(Debug)]
pub(crate) struct RouteTable {
    pub(crate) namespace: String,
    pub(crate) names: Vec<String>,
    pub(crate) export_to: Vec<String>,
    /// the first that matches counts
    pub(crate) routes: Vec<Route>,
}

/// A route.
#[derive(Clone, Debug, Default)]
pub(crate) struct Route {
    /// empty: every request
    pub(crate) methods: Vec<String>,
    /// `None`: the host itself, as without a VirtualService
    pub(crate) host: Option<String>,
    pub(crate) retries: Retries,
    /// whether a request, and a try, ends by itself
    pub(crate) limit: Limit,
}

/// What is tried again.
#[derive(Clone, Debug)]
pub(crate) struct Retries {
    pub(crate) attempts: u32,
    pub(crate) conditions: BTreeSet<String>,
    /// whether a retry leaves the priorities that were tried
    pub(crate) leaves: bool,
}

/// What ends a request that nobody answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) request: Option<String>,
    pub(crate) attempt: Option<String>,
}

impl Default for Retries {
    fn default() -> Self {
        Self { attempts: ISTIO_ATTEMPTS, conditions: conditions(ISTIO_RETRY_ON), leaves: false }
    }
}

impl RouteTable {
    pub(super) fn read(object: &Object) -> Result<Self, Unforeseen> {
        let spec = Part::spec(object)?;
        spec.only(&["hosts", "exportTo", "http"])?;
        Ok(Self {
            namespace: super::namespace(object),
            names: spec.member("hosts").texts()?,
            export_to: spec.member("exportTo").texts()?,
            routes: spec.member("http").elements()?.iter().map(Route::read).collect::<Result<_, _>>()?,
        })
    }
}

impl Route {
    fn read(part: &Part<'_>) -> Result<Self, Unforeseen> {
        // the last four change a request or its answer, not who serves it
        part.only(&["name", "match", "route", "retries", "timeout", "headers", "rewrite", "corsPolicy", "mirror"])?;
        let method = |part: &Part<'_>| {
            part.only(&["method"])?;
            part.member("method").only(&["exact"])?;
            let exact = part.member("method").member("exact");
            exact.required(exact.text()?).map(str::to_owned)
        };
        let destinations = part.member("route").elements()?;
        let [destination] = destinations.as_slice() else { return Err(part.member("route").refused()) };
        destination.only(&["destination", "weight", "headers"])?;
        destination.member("destination").only(&["host"])?;
        let host = destination.member("destination").member("host");
        let retries = part.member("retries");
        Ok(Self {
            methods: part.member("match").elements()?.iter().map(method).collect::<Result<_, _>>()?,
            host: Some(host.required(host.text()?)?.to_owned()),
            limit: Limit {
                request: part.member("timeout").text()?.map(str::to_owned),
                attempt: retries.member("perTryTimeout").text()?.map(str::to_owned),
            },
            retries: if retries.is_there() { Retries::read(&retries)? } else { Retries::default() },
        })
    }
}

impl Retries {
    fn read(part: &Part<'_>) -> Result<Self, Unforeseen> {
        part.only(&["attempts", "perTryTimeout", "retryOn", "retryRemoteLocalities"])?;
        Ok(Self {
            attempts: part.member("attempts").number()?.unwrap_or(ISTIO_ATTEMPTS),
            conditions: conditions(part.member("retryOn").text()?.unwrap_or(ISTIO_RETRY_ON)),
            leaves: part.member("retryRemoteLocalities").boolean()?.unwrap_or(false),
        })
    }

    pub(crate) fn repeat(&self, conditions: &[&str]) -> bool {
        conditions.iter().any(|condition| self.conditions.contains(*condition))
    }
}

fn conditions(text: &str) -> BTreeSet<String> {
    text.split(',').map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect()
}
