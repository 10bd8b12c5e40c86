//! DestinationRules.

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
    every: PortPolicy,
    /// by port; such a port takes nothing from the policy of the host
    ports: Vec<(u16, PortPolicy)>,
}

/// The policy of one port.
#[derive(Clone, Debug, Default)]
pub(crate) struct PortPolicy {
    /// mutual TLS as it is told; without it, as istiod finds out by itself
    pub(crate) tls: Option<Tls>,
    pub(crate) locality: Locality,
    pub(crate) outlier: Option<Outlier>,
}

/// Mutual TLS with the workload's own certificate.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    pub(crate) server_name: Option<String>,
    pub(crate) identities: Vec<String>,
}

/// How endpoints get priorities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Locality {
    /// nothing is said: what the host or the mesh says holds
    #[default]
    Unset,
    /// all have the same
    Off,
    /// by distance: region, zone, subzone
    Near,
    /// by labels: the first in which an endpoint differs from the client
    Labels(Vec<String>),
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
    /// What holds for a port.
    pub(crate) fn of_port(&self, number: u16) -> &PortPolicy {
        self.ports.iter().find(|(port, _)| *port == number).map_or(&self.every, |(_, policy)| policy)
    }

    pub(super) fn read(object: &Object) -> Result<Self, Unforeseen> {
        let spec = Part::spec(object)?;
        spec.only(&["host", "exportTo", "trafficPolicy"])?;
        let host = spec.member("host");
        let name = host.required(host.text()?.filter(|name| !name.contains('*')))?.to_owned();
        let all = spec.member("trafficPolicy");
        all.only(&["tls", "connectionPool", "loadBalancer", "outlierDetection", "portLevelSettings"])?;
        let ports = all.member("portLevelSettings").elements()?;
        let of_port = |part: &Part<'_>| {
            part.only(&["port", "tls", "connectionPool", "loadBalancer", "outlierDetection"])?;
            let number = part.member("port").member("number");
            Ok((number.required(number.number()?)?, PortPolicy::read(part)?))
        };
        Ok(Self {
            namespace: super::namespace(object),
            host: name,
            export_to: spec.member("exportTo").texts()?,
            every: PortPolicy::read(&all)?,
            ports: ports.iter().map(of_port).collect::<Result<_, _>>()?,
        })
    }
}

impl PortPolicy {
    fn read(part: &Part<'_>) -> Result<Self, Unforeseen> {
        let (tls, balancer, outlier) = (part.member("tls"), part.member("loadBalancer"), part.member("outlierDetection"));
        balancer.only(&["simple", "localityLbSetting"])?;
        // each of them gives equal endpoints equal shares
        balancer.member("simple").one_of(&[("LEAST_REQUEST", ()), ("ROUND_ROBIN", ()), ("RANDOM", ())], ())?;
        Ok(Self {
            tls: if tls.is_there() { Some(Tls::read(&tls)?) } else { None },
            locality: Locality::read(&balancer.member("localityLbSetting"))?,
            outlier: if outlier.is_there() { Some(Outlier::read(&outlier)?) } else { None },
        })
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
        part.only(&["enabled", "failoverPriority"])?;
        let labels = part.member("failoverPriority");
        Ok(match part.member("enabled").boolean()? {
            Some(false) => Self::Off,
            _ if labels.is_there() => Self::Labels(labels.texts()?),
            _ => Self::Near,
        })
    }
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
