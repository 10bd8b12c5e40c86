//! The name by which gateways of serving clusters find what serves: one server name must fit everywhere.

use std::collections::BTreeSet;

use mesh_model::derived;
use mesh_model::intent::Port;
use mesh_model::names::{ClusterDomain, Hostname, Namespace, PortNumber, ServiceName, SubsetName};

use super::Scope;

/// The name by which gateways find what serves, and its ports.
pub(crate) enum Served<'a> {
    /// the Service's own: it is the same in every serving cluster
    Service(Service<'a>),
    /// one of the destination's, under which every serving cluster knows its own pods, because the Services differ, or because they
    /// have subsets: those of a Service's own name would be seen by whoever calls the Service
    Own(Hostname),
}

/// A Service as it is called inside its cluster.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Service<'a> {
    pub(crate) namespace: &'a Namespace,
    pub(crate) name: &'a ServiceName,
    domain: &'a ClusterDomain,
    /// for each port of the destination
    ports: Vec<PortNumber>,
}

impl<'a> Served<'a> {
    pub(super) fn of(scope: &Scope<'a>, ports: &[&Port]) -> Self {
        let services: BTreeSet<Service<'a>> = scope
            .serving
            .iter()
            .flat_map(|(cluster, serving)| {
                // where a Service lacks the port nothing is made of it
                let ports = ports.iter().zip(&serving.service_ports).map(|(port, found)| found.unwrap_or(port.number));
                let ports: Vec<PortNumber> = ports.collect();
                let domain = &scope.facts(cluster).cluster_domain;
                serving.backends.iter().map(move |(_, backend)| Service {
                    namespace: &backend.namespace,
                    name: &backend.service,
                    domain,
                    ports: ports.clone(),
                })
            })
            .collect();
        let mut services = services.into_iter();
        match (services.next(), services.next()) {
            (Some(only), None) if scope.intent.subsets.is_empty() => Self::Service(only),
            _ => Self::Own(derived::serving_host(&scope.intent.hostname)),
        }
    }

    /// The host that gateways pass through.
    pub(crate) fn host(&self) -> String {
        match self {
            Self::Service(Service { namespace, name, domain, .. }) => format!("{name}.{namespace}.svc.{domain}"),
            Self::Own(host) => host.to_string(),
        }
    }

    /// The server name for a port of the destination, by which an `AUTO_PASSTHROUGH` gateway finds what serves: the Service's
    /// own port, not the destination's.
    pub(crate) fn sni(&self, index: usize, port: &Port, subset: Option<&SubsetName>) -> String {
        let number = match self {
            Self::Service(service) => service.ports[index],
            Self::Own(_) => port.number,
        };
        derived::server_name(number, subset, &self.host())
    }
}
