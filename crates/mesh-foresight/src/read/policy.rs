//! DestinationRules.

use std::collections::{BTreeMap, BTreeSet};

use istio_objects::Object;

use super::part::{Part, Unforeseen};

/// What an absent `outlierDetection` member means in Envoy.
const ENVOY_CONSECUTIVE_5XX: u32 = 5;
/// What an absent `maxEjectionPercent` means in Envoy.
const ENVOY_MAX_EJECTION: u8 = 10;

/// How clients connect to a host and choose among its endpoints.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) namespace: String,
    pub(crate) host: String,
    pub(crate) export_to: Vec<String>,
    every: Traffic,
    pub(crate) subsets: Vec<Subset>,
}

/// Some of a host's endpoints.
#[derive(Debug)]
pub(crate) struct Subset {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    policy: Traffic,
}

/// A traffic policy.
#[derive(Debug)]
struct Traffic {
    every: PortPolicy,
    /// by port; such a port takes nothing from what is said of every port
    ports: Vec<(u16, PortPolicy)>,
}

/// The policy of one port.
#[derive(Clone, Debug, Default)]
pub(crate) struct PortPolicy {
    /// mutual TLS as it is told; without it, as istiod finds out by itself
    pub(crate) tls: Option<Tls>,
    /// how endpoints are chosen, if it is told
    pub(crate) balancer: Option<Balancer>,
    pub(crate) outlier: Option<Outlier>,
}

/// How endpoints are chosen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Balancer {
    pub(crate) locality: Locality,
    /// at random, whatever their weights
    pub(crate) ignores_weights: bool,
}

/// Mutual TLS with the workload's own certificate.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    pub(crate) server_name: Option<String>,
    pub(crate) identities: Vec<String>,
}

/// How localities are preferred.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Locality {
    /// nothing is said: what the host or the mesh says holds
    #[default]
    Unset,
    /// none is
    Off,
    /// they get priorities
    Failover(Failover),
    /// they get shares, and those that no rule names get none
    Distribute(Vec<Distribution>),
}

/// How endpoints get priorities; without anything, by distance: region, zone, subzone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Failover {
    /// by labels: the first in which an endpoint differs from the client
    pub(crate) labels: Vec<String>,
    /// for clients of a region, the one that comes next
    pub(crate) regions: Vec<(String, String)>,
}

/// Shares of localities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Distribution {
    /// region of the clients; `None`: any
    pub(crate) from: Option<String>,
    /// regions, `None` for any, and their weights
    pub(crate) to: Vec<(Option<String>, u32)>,
}

/// When an endpoint is taken out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outlier {
    /// failures to connect are counted apart from answers
    pub(crate) is_split: bool,
    /// answers of 5xx in a row; 0: never
    pub(crate) server_errors: u32,
    /// answers of 502 to 504 in a row; 0: never
    pub(crate) gateway_errors: u32,
    /// of all endpoints of the host, at most
    pub(crate) max_percent: u8,
}

impl Policy {
    /// What holds for a port of the host, or of a subset: there what the subset says, and else what the host does.
    pub(crate) fn of_port(&self, number: u16, subset: Option<&str>) -> PortPolicy {
        let all = self.every.of_port(number);
        match subset.and_then(|name| self.subset(name)) {
            Some(subset) => subset.policy.of_port(number).clone().over(all.clone()),
            None => all.clone(),
        }
    }

    pub(crate) fn subset(&self, name: &str) -> Option<&Subset> {
        self.subsets.iter().find(|subset| subset.name == name)
    }

    pub(super) fn read(object: &Object) -> Result<Self, Unforeseen> {
        let spec = Part::spec(object)?;
        spec.only(&["host", "exportTo", "subsets", "trafficPolicy"])?;
        let host = spec.member("host");
        let name = host.required(host.text()?.filter(|name| !name.contains('*')))?.to_owned();
        Ok(Self {
            namespace: super::namespace(object),
            host: name,
            export_to: spec.member("exportTo").texts()?,
            every: Traffic::read(&spec.member("trafficPolicy"))?,
            subsets: spec.member("subsets").elements()?.iter().map(Subset::read).collect::<Result<_, _>>()?,
        })
    }
}

impl Subset {
    fn read(part: &Part<'_>) -> Result<Self, Unforeseen> {
        part.only(&["name", "labels", "trafficPolicy"])?;
        let name = part.member("name");
        Ok(Self {
            name: name.required(name.text()?)?.to_owned(),
            labels: part.member("labels").labels()?,
            policy: Traffic::read(&part.member("trafficPolicy"))?,
        })
    }
}

impl Traffic {
    fn of_port(&self, number: u16) -> &PortPolicy {
        self.ports.iter().find(|(port, _)| *port == number).map_or(&self.every, |(_, policy)| policy)
    }

    fn read(part: &Part<'_>) -> Result<Self, Unforeseen> {
        part.only(&["tls", "connectionPool", "loadBalancer", "outlierDetection", "portLevelSettings"])?;
        let of_port = |part: &Part<'_>| {
            part.only(&["port", "tls", "connectionPool", "loadBalancer", "outlierDetection"])?;
            let number = part.member("port").member("number");
            Ok((number.required(number.number()?)?, PortPolicy::read(part)?))
        };
        let ports = part.member("portLevelSettings").elements()?.iter().map(of_port).collect::<Result<_, Unforeseen>>()?;
        Ok(Self { every: PortPolicy::read(part)?, ports })
    }
}

impl PortPolicy {
    fn read(part: &Part<'_>) -> Result<Self, Unforeseen> {
        let (tls, balancer, outlier) = (part.member("tls"), part.member("loadBalancer"), part.member("outlierDetection"));
        balancer.only(&["simple", "localityLbSetting"])?;
        // each of them gives equal endpoints equal shares
        let simple = &[("LEAST_REQUEST", false), ("ROUND_ROBIN", false), ("RANDOM", true)];
        let chosen = Balancer {
            locality: Locality::read(&balancer.member("localityLbSetting"))?,
            ignores_weights: balancer.member("simple").one_of(simple, false)?,
        };
        Ok(Self {
            tls: if tls.is_there() { Some(Tls::read(&tls)?) } else { None },
            balancer: balancer.is_there().then_some(chosen),
            outlier: if outlier.is_there() { Some(Outlier::read(&outlier)?) } else { None },
        })
    }

    /// This, and what another one says besides.
    fn over(self, other: Self) -> Self {
        Self { tls: self.tls.or(other.tls), balancer: self.balancer.or(other.balancer), outlier: self.outlier.or(other.outlier) }
    }
}

impl Tls {
    fn read(part: &Part<'_>) -> Result<Self, Unforeseen> {
        part.only(&["mode", "sni", "subjectAltNames"])?;
        let mode = part.member("mode");
        mode.one_of(&[("ISTIO_MUTUAL", Some(()))], None)?.ok_or_else(|| mode.refused())?;
        Ok(Self {
            server_name: part.member("sni").text()?.map(str::to_owned),
            identities: part.member("subjectAltNames").texts()?,
        })
    }
}

impl Locality {
    fn read(part: &Part<'_>) -> Result<Self, Unforeseen> {
        if !part.is_there() {
            return Ok(Self::Unset);
        }
        part.only(&["enabled", "failoverPriority", "failover", "distribute"])?;
        let rule = |part: &Part<'_>| {
            part.only(&["from", "to"])?;
            let text = |name: &str| part.member(name).required(part.member(name).text()?).map(str::to_owned);
            Ok((text("from")?, text("to")?))
        };
        let regions = part.member("failover").elements()?.iter().map(rule).collect::<Result<_, Unforeseen>>()?;
        let failover = Failover { labels: part.member("failoverPriority").texts()?, regions };
        let rules: Vec<Distribution> =
            part.member("distribute").elements()?.iter().map(Distribution::read).collect::<Result<_, _>>()?;
        Ok(match part.member("enabled").boolean()? {
            Some(false) => Self::Off,
            _ if !rules.is_empty() => Self::Distribute(rules),
            _ => Self::Failover(failover),
        })
    }
}

impl Distribution {
    fn read(part: &Part<'_>) -> Result<Self, Unforeseen> {
        part.only(&["from", "to"])?;
        let (from, to) = (part.member("from"), part.member("to"));
        let share = |(place, weight): (&str, Part<'_>)| {
            let region = region(place).ok_or_else(|| weight.refused())?;
            Ok((region, weight.required(weight.number()?)?))
        };
        let shares: Vec<(Option<String>, u32)> = to.entries()?.into_iter().map(share).collect::<Result<_, Unforeseen>>()?;
        let regions: BTreeSet<&Option<String>> = shares.iter().map(|(region, _)| region).collect();
        // of shares that meet istiod takes now one first and now another
        if regions.len() < shares.len() || (regions.len() > 1 && regions.contains(&None)) {
            return Err(to.refused());
        }
        Ok(Self { from: from.required(from.text()?.and_then(region))?, to: shares })
    }
}

/// The region of a locality, itself `None` for any. No single zone is understood: where pods are is no fact.
fn region(place: &str) -> Option<Option<String>> {
    let mut parts = place.split('/');
    let region = parts.next().filter(|region| !region.is_empty())?;
    parts.all(|part| part == "*").then(|| (region != "*").then(|| region.to_owned()))
}

impl Outlier {
    fn read(part: &Part<'_>) -> Result<Self, Unforeseen> {
        part.only(&[
            "splitExternalLocalOriginErrors",
            "consecutiveLocalOriginFailures",
            "consecutiveGatewayErrors",
            "consecutive5xxErrors",
            "interval",
            "baseEjectionTime",
            "maxEjectionPercent",
        ])?;
        Ok(Self {
            is_split: part.member("splitExternalLocalOriginErrors").boolean()?.unwrap_or(false),
            server_errors: part.member("consecutive5xxErrors").number()?.unwrap_or(ENVOY_CONSECUTIVE_5XX),
            gateway_errors: part.member("consecutiveGatewayErrors").number()?.unwrap_or(0),
            max_percent: part.member("maxEjectionPercent").number()?.unwrap_or(ENVOY_MAX_EJECTION),
        })
    }
}
