//! ServiceEntries.

use std::collections::BTreeMap;

use istio_objects::Object;

use super::part::{Part, Unforeseen};

/// A host and the workloads behind it.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) namespace: String,
    pub(crate) names: Vec<String>,
    pub(crate) ports: Vec<HostPort>,
    /// labels of pods and entries that serve it; without one nobody does
    pub(crate) selector: Option<BTreeMap<String, String>>,
    /// SPIFFE ids of servers, for clients whose policy lists none
    pub(crate) identities: Vec<String>,
    pub(crate) export_to: Vec<String>,
    /// `PreferClose`: priorities by locality where no policy gives any
    pub(crate) prefers_close: bool,
}

/// A port of a host.
#[derive(Clone, Debug)]
pub(crate) struct HostPort {
    pub(crate) number: u16,
    pub(crate) name: String,
    /// port of the workloads that name none for this one
    pub(crate) target: u16,
    pub(crate) protocol: Protocol,
}

/// What a proxy sees of the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// requests
    Http,
    /// requests whose failure a proxy reports as a status that says whether they have run
    Grpc,
    /// connections only
    Bytes,
}

impl Host {
    pub(super) fn read(object: &Object) -> Result<Self, Unforeseen> {
        let spec = Part::spec(object)?;
        // addresses are how the name is found, not who serves it
        let known = ["hosts", "addresses", "location", "resolution", "ports", "workloadSelector", "subjectAltNames", "exportTo"];
        spec.only(&known)?;
        spec.member("location").one_of(&[("MESH_INTERNAL", ())], ())?;
        spec.member("resolution").one_of(&[("STATIC", ())], ())?;
        let selector = spec.member("workloadSelector");
        selector.only(&["labels"])?;
        let ports = spec.member("ports").elements()?;
        let closeness = object.annotations.get("networking.istio.io/traffic-distribution");
        if let Some(other) = closeness.filter(|text| *text != "PreferClose") {
            let member = format!("metadata.annotations[networking.istio.io/traffic-distribution] ({other})");
            return Err(Unforeseen::NotModelled { object: object.key(), member });
        }
        Ok(Self {
            namespace: super::namespace(object),
            names: spec.member("hosts").texts()?,
            ports: ports.iter().map(HostPort::read).collect::<Result<_, _>>()?,
            selector: if selector.is_there() { Some(selector.member("labels").labels()?) } else { None },
            identities: spec.member("subjectAltNames").texts()?,
            export_to: spec.member("exportTo").texts()?,
            prefers_close: closeness.is_some(),
        })
    }
}

impl HostPort {
    fn read(part: &Part<'_>) -> Result<Self, Unforeseen> {
        part.only(&["number", "name", "protocol", "targetPort"])?;
        let number = part.member("number");
        let number = number.required(number.number()?)?;
        let name = part.member("name");
        Ok(Self {
            number,
            name: name.required(name.text()?)?.to_owned(),
            target: part.member("targetPort").number()?.unwrap_or(number),
            protocol: part.member("protocol").one_of(
                &[
                    ("HTTP", Protocol::Http),
                    ("HTTP2", Protocol::Http),
                    ("GRPC", Protocol::Grpc),
                    ("TLS", Protocol::Bytes),
                    ("TCP", Protocol::Bytes),
                ],
                Protocol::Http,
            )?,
        })
    }
}
