//! WorkloadEntries, and the Gateways to which they lead.

use std::collections::BTreeMap;
use std::net::IpAddr;

use istio_objects::Object;

use crate::address::Address;

use super::part::{Part, Unforeseen};

/// The label of the workload that says how it is called.
const TLS_MODE: &str = "security.istio.io/tlsMode";
/// The label that says which network a gateway leads to.
const NETWORK: &str = "topology.istio.io/network";

/// An endpoint that is no pod.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) address: EntryAddress,
    /// which it says that it is in
    pub(crate) network: Option<String>,
    /// by name of the host's port
    pub(crate) ports: BTreeMap<String, u16>,
    /// region, zone, subzone
    pub(crate) locality: Vec<String>,
    pub(crate) weight: u32,
    /// whether it speaks mutual TLS, as far as istiod knows
    pub(crate) is_mutual: bool,
    /// of its own and of its metadata: Istio takes both for those of the workload
    pub(crate) labels: BTreeMap<String, String>,
}

/// Where an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryAddress {
    /// there
    Ip(IpAddr),
    /// at a name
    Hostname,
    /// somewhere in its network
    None,
}

impl Entry {
    pub(super) fn read(object: &Object) -> Result<Self, Unforeseen> {
        let spec = Part::spec(object)?;
        spec.only(&["address", "network", "ports", "locality", "weight", "serviceAccount", "labels"])?;
        let (address, network) = (spec.member("address"), spec.member("network").text()?.map(str::to_owned));
        let address = match (address.text()?, &network) {
            (Some(text), _) => text.parse().map_or(EntryAddress::Hostname, EntryAddress::Ip),
            (None, Some(_)) => EntryAddress::None,
            (None, None) => return Err(address.refused()),
        };
        let port = |(name, part): (&str, Part<'_>)| Ok((name.to_owned(), part.required(part.number()?)?));
        let locality = spec.member("locality").text()?.unwrap_or_default();
        let mut labels = object.labels.clone();
        labels.extend(spec.member("labels").labels()?);
        let is_mutual = match labels.get(TLS_MODE) {
            Some(mode) => mode == "istio",
            None => spec.member("serviceAccount").text()?.is_some(),
        };
        Ok(Self {
            namespace: super::namespace(object),
            name: object.name.to_string(),
            address,
            network,
            ports: spec.member("ports").entries()?.into_iter().map(port).collect::<Result<_, _>>()?,
            locality: locality.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect(),
            // istiod takes 0 for 1
            weight: spec.member("weight").number()?.unwrap_or(1).max(1),
            is_mutual,
            labels,
        })
    }
}

/// A place where another network is reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RemoteGateway {
    pub(crate) network: String,
    pub(crate) address: Address,
    pub(crate) port: u16,
}

impl RemoteGateway {
    pub(super) fn read(object: &Object) -> Result<Vec<Self>, Unforeseen> {
        let spec = Part::spec(object)?;
        spec.only(&["gatewayClassName", "addresses", "listeners"])?;
        let class = spec.member("gatewayClassName");
        class.one_of(&[("istio-remote", Some(()))], None)?.ok_or_else(|| class.refused())?;
        // without a network it stands for nothing
        let Some(network) = object.labels.get(NETWORK) else { return Ok(Vec::new()) };
        let listener = |part: &Part<'_>| {
            part.only(&["name", "port", "protocol", "tls"])?;
            part.member("protocol").one_of(&[("TLS", ())], ())?;
            let tls = part.member("tls");
            tls.only(&["mode", "options"])?;
            tls.member("mode").one_of(&[("Passthrough", ())], ())?;
            let options = tls.member("options");
            options.only(&["gateway.istio.io/listener-protocol"])?;
            let protocol = options.member("gateway.istio.io/listener-protocol");
            protocol.one_of(&[("auto-passthrough", Some(()))], None)?.ok_or_else(|| protocol.refused())?;
            part.member("port").required(part.member("port").number()?)
        };
        let ports: Vec<u16> = spec.member("listeners").elements()?.iter().map(listener).collect::<Result<_, Unforeseen>>()?;
        let address = |part: &Part<'_>| {
            part.only(&["type", "value"])?;
            let value = part.member("value");
            let text = value.required(value.text()?)?;
            Ok(match part.member("type").one_of(&[("IPAddress", true), ("Hostname", false)], true)? {
                true => Address::Ip(text.parse().map_err(|_| value.refused())?),
                false => Address::Hostname(text.to_owned()),
            })
        };
        let addresses: Vec<Address> =
            spec.member("addresses").elements()?.iter().map(address).collect::<Result<_, Unforeseen>>()?;
        let places = addresses.iter().flat_map(|address| ports.iter().map(move |port| (address, *port)));
        Ok(places.map(|(address, port)| Self { network: network.clone(), address: address.clone(), port }).collect())
    }
}

/// Server names that a gateway passes through.
#[derive(Debug)]
pub(crate) struct Passthrough {
    pub(crate) namespace: String,
    /// labels of the gateway's pods
    pub(crate) selector: BTreeMap<String, String>,
    /// ports and hosts
    pub(crate) servers: Vec<(u16, Vec<String>)>,
}

impl Passthrough {
    pub(super) fn read(object: &Object) -> Result<Self, Unforeseen> {
        let spec = Part::spec(object)?;
        spec.only(&["selector", "servers"])?;
        let server = |part: &Part<'_>| {
            part.only(&["port", "tls", "hosts"])?;
            part.member("port").member("protocol").one_of(&[("TLS", ())], ())?;
            part.member("tls").only(&["mode"])?;
            let mode = part.member("tls").member("mode");
            mode.one_of(&[("AUTO_PASSTHROUGH", Some(()))], None)?.ok_or_else(|| mode.refused())?;
            let number = part.member("port").member("number");
            Ok((number.required(number.number()?)?, part.member("hosts").texts()?))
        };
        Ok(Self {
            namespace: super::namespace(object),
            selector: spec.member("selector").labels()?,
            servers: spec.member("servers").elements()?.iter().map(server).collect::<Result<_, _>>()?,
        })
    }
}
