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
    /// of requests: the first that matches counts
    pub(crate) routes: Vec<Route>,
    /// of connections, by port; the same
    pub(crate) streams: Vec<(Vec<u16>, Route)>,
}

/// A route.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// empty: every request
    pub(crate) methods: Vec<String>,
    /// `None`: the host itself, as without a VirtualService
    pub(crate) host: Option<String>,
    /// how they are divided: one at least has a weight
    pub(crate) targets: Vec<Target>,
    pub(crate) retries: Retries,
    /// whether a request, and a try, ends by itself
    pub(crate) limit: Limit,
}

/// A part of what a route takes.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// `None`: every endpoint of the host
    pub(crate) subset: Option<String>,
    /// among those of the route
    pub(crate) weight: u32,
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

impl Default for Route {
    /// As without a VirtualService.
    fn default() -> Self {
        let targets = vec![Target { subset: None, weight: 1 }];
        Self { methods: Vec::new(), host: None, targets, retries: Retries::default(), limit: Limit::default() }
    }
}

impl Default for Retries {
    fn default() -> Self {
        Self { attempts: ISTIO_ATTEMPTS, conditions: conditions(ISTIO_RETRY_ON), leaves: false }
    }
}

impl RouteTable {
    pub(super) fn read(object: &Object) -> Result<Self, Unforeseen> {
        let spec = Part::spec(object)?;
        spec.only(&["hosts", "exportTo", "http", "tcp", "tls"])?;
        let streams = [spec.member("tcp").elements()?, spec.member("tls").elements()?];
        Ok(Self {
            namespace: super::namespace(object),
            names: spec.member("hosts").texts()?,
            export_to: spec.member("exportTo").texts()?,
            routes: spec.member("http").elements()?.iter().map(Route::read).collect::<Result<_, _>>()?,
            streams: streams.iter().flatten().map(Route::read_stream).collect::<Result<_, _>>()?,
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
        let (host, targets) = targets(&part.member("route"))?;
        let retries = part.member("retries");
        Ok(Self {
            methods: part.member("match").elements()?.iter().map(method).collect::<Result<_, _>>()?,
            host: Some(host),
            targets,
            limit: Limit {
                request: part.member("timeout").text()?.map(str::to_owned),
                attempt: retries.member("perTryTimeout").text()?.map(str::to_owned),
            },
            retries: if retries.is_there() { Retries::read(&retries)? } else { Retries::default() },
        })
    }

    /// A route of connections, with the ports that it is for; without one, all.
    fn read_stream(part: &Part<'_>) -> Result<(Vec<u16>, Self), Unforeseen> {
        part.only(&["match", "route"])?;
        let port = |part: &Part<'_>| {
            // the names of a route of TLS are the host's own
            part.only(&["port", "sniHosts"])?;
            part.member("port").required(part.member("port").number()?)
        };
        let ports = part.member("match").elements()?.iter().map(port).collect::<Result<_, _>>()?;
        let (host, targets) = targets(&part.member("route"))?;
        Ok((ports, Self { host: Some(host), targets, ..Self::default() }))
    }
}

/// The host of a route's destinations, which is one, and the subsets of it.
fn targets(part: &Part<'_>) -> Result<(String, Vec<Target>), Unforeseen> {
    let mut targets = Vec::new();
    let mut known: Option<&str> = None;
    for destination in part.elements()? {
        destination.only(&["destination", "weight", "headers"])?;
        let (to, weight) = (destination.member("destination"), destination.member("weight"));
        to.only(&["host", "subset"])?;
        let host = to.member("host").required(to.member("host").text()?)?;
        if known.is_some_and(|known| known != host) {
            return Err(part.refused());
        }
        known = Some(host);
        let subset = to.member("subset").text()?.map(str::to_owned);
        targets.push(Target { subset, weight: weight.number()?.unwrap_or(0) });
    }
    // of a single one the weight means nothing
    if let [target] = targets.as_mut_slice() {
        target.weight = 1;
    }
    let host = known.ok_or_else(|| part.refused())?.to_owned();
    if targets.iter().all(|target| target.weight == 0) { Err(part.refused()) } else { Ok((host, targets)) }
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
