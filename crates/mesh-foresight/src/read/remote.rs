//! WorkloadEntries, and the Gateways to which they lead.

use std::collections::BTreeMap;
use std::net::IpAddr;

use istio_objects::Object;

use super::part::{Part, Unforeseen};

/// An endpoint that is no pod.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// `None`: a hostname, which a ServiceEntry with addresses passes over without a word
    pub(crate) address: Option<IpAddr>,
    /// by name of the host's port
    pub(crate) ports: BTreeMap<String, u16>,
    /// region, zone, subzone
    pub(crate) locality: Vec<String>,
    pub(crate) weight: u32,
    /// of its own and of its metadata: Istio takes both for those of the workload
    pub(crate) labels: BTreeMap<String, String>,
}

impl Entry {
    pub(super) fn read(object: &Object) -> Result<Self, Unforeseen> {
        let spec = Part::spec(object)?;
        spec.only(&["address", "ports", "locality", "weight", "serviceAccount", "labels"])?;
        let address = spec.member("address");
        let port = |(name, part): (&str, Part<'_>)| Ok((name.to_owned(), part.required(part.number()?)?));
        let locality = spec.member("locality").text()?.unwrap_or_default();
        let mut labels = object.labels.clone();
        labels.extend(spec.member("labels").labels()?);
        Ok(Self {
            namespace: super::namespace(object),
            name: object.name.to_string(),
            address: address.required(address.text()?)?.parse().ok(),
            ports: spec.member("ports").entries()?.into_iter().map(port).collect::<Result<_, _>>()?,
            locality: locality.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect(),
            // istiod takes 0 for 1
            weight: spec.member("weight").number()?.unwrap_or(1).max(1),
            labels,
        })
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
