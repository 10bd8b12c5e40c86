//! `ServiceEntry` of `networking.istio.io`.

use std::collections::BTreeMap;

use mesh_model::Leaf;
use mesh_model::names::{CanonicalName, Hostname, PortName, PortNumber};

use super::macros::kind;
use super::value::ToTree;
use crate::{Tree, reserved};

kind! {
    /// A host and the workloads behind it.
    ServiceEntry {
        /// which endpoints are near, where no DestinationRule says it
        traffic_distribution: String => "metadata.annotations[networking.istio.io/traffic-distribution]",
        /// warnings that the user overruled
        ignored_findings: String => "metadata.annotations[gloo-terraform/ignored-findings]",
        /// hosts
        hosts: Vec<Hostname> => "spec.hosts",
        /// inside or outside the mesh
        location: Location => "spec.location",
        /// where addresses come from
        resolution: Resolution => "spec.resolution",
        /// ports of the hosts
        ports: Vec<ServicePort> => "spec.ports",
        /// pods and WorkloadEntries of its namespace that serve it
        workload_selector: WorkloadSelector => "spec.workloadSelector",
        /// SPIFFE ids of servers
        subject_alt_names: Vec<Leaf<String>> => "spec.subjectAltNames",
        /// namespaces that see it
        export_to: Vec<Leaf<String>> => "spec.exportTo",
    }
}

/// Inside or outside the mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// `MESH_INTERNAL`: mutual TLS
    MeshInternal,
}

impl ToTree for Location {
    fn to_tree(&self) -> Tree {
        match self {
            Self::MeshInternal => Tree::from("MESH_INTERNAL"),
        }
    }
}

/// Where addresses come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// `STATIC`: endpoints have IP addresses
    Static,
}

impl ToTree for Resolution {
    fn to_tree(&self) -> Tree {
        match self {
            Self::Static => Tree::from("STATIC"),
        }
    }
}

/// A port of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// what clients call
    pub number: PortNumber,
    /// its name, to which WorkloadEntries refer
    pub name: PortName,
    /// `HTTP`
    pub protocol: String,
    /// port of the selected workloads that do not name one for this port
    pub target_port: PortNumber,
}

impl ToTree for ServicePort {
    fn to_tree(&self) -> Tree {
        let Self { number, name, protocol, target_port } = self;
        Tree::map([
            ("number", number.to_tree()),
            ("name", name.to_tree()),
            ("protocol", protocol.to_tree()),
            ("targetPort", target_port.to_tree()),
        ])
    }
}

/// Which workloads serve a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkloadSelector {
    /// pods and entries of this canonical name, which the injector puts on every pod and Services normally do not select
    CanonicalName(Leaf<CanonicalName>),
    /// entries of this destination, by the value of [`reserved::DESTINATION_LABEL`], which no pod has
    Destination(String),
    /// pods by labels of their own, and by their canonical name where these may meet others
    Pods(BTreeMap<String, String>, Option<Leaf<CanonicalName>>),
}

impl ToTree for WorkloadSelector {
    fn to_tree(&self) -> Tree {
        let one = |label: &str, value| BTreeMap::from([(label.to_owned(), value)]);
        let labels = match self {
            Self::CanonicalName(name) => one(reserved::CANONICAL_NAME_LABEL, name.to_tree()),
            Self::Destination(destination) => one(reserved::DESTINATION_LABEL, destination.to_tree()),
            Self::Pods(labels, name) => {
                let labels = labels.iter().map(|(label, value)| (label.clone(), value.to_tree()));
                labels.chain(name.iter().map(|name| (reserved::CANONICAL_NAME_LABEL.to_owned(), name.to_tree()))).collect()
            }
        };
        Tree::map([("labels", Tree::Map(labels))])
    }
}
