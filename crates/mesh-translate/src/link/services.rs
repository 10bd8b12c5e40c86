//! Services: what serves in each cluster.

use std::collections::{BTreeMap, BTreeSet};

use istio_objects::reserved;
use mesh_model::facts::{Backend, BackendPort};
use mesh_model::intent::Port;
use mesh_model::names::{CanonicalName, ClusterName, Namespace, PortNumber, ServiceAccount, SubsetName};
use mesh_model::{AttributePath, Code, Finding, Findings, Leaf};

use super::{Scope, ports};

/// What serves in a cluster: a Service, or several whose pods serve as one.
pub(crate) struct Serving<'a> {
    /// the Services by namespace and name, at least one, each with its place in the list of backends
    pub(crate) backends: Vec<(usize, &'a Backend)>,
    /// for each port of the destination: that of the first Service; `None` where it lacks it
    pub(crate) service_ports: Vec<Option<PortNumber>>,
    /// for each port of the destination: that of the pods
    pub(crate) target_ports: Vec<Option<PortNumber>>,
}

impl<'a> Serving<'a> {
    /// Several are put in an order of their own, whatever that of the list.
    pub(super) fn of(mut backends: Vec<(usize, &'a Backend)>, ports: &[&Port], findings: &mut Findings) -> Self {
        backends.sort_by_key(|(index, backend)| (&backend.namespace, &backend.service, *index));
        let found: Vec<Vec<Option<&BackendPort>>> = backends
            .iter()
            .map(|(index, backend)| ports.iter().map(|port| ports::of_service(*index, backend, port, findings)).collect())
            .collect();
        let first = |number: fn(&BackendPort) -> PortNumber| found[0].iter().map(|port| port.map(number)).collect();
        let serving = Self { service_ports: first(|port| port.number), target_ports: first(|port| port.target_port), backends };
        if serving.backends.len() > 1 {
            let agree = found.iter().all(|ports| {
                ports.iter().zip(&serving.target_ports).all(|(port, first)| port.map(|port| port.target_port) == *first)
            });
            serving.check_several(agree, findings);
        }
        serving
    }

    fn first(&self) -> &'a Backend {
        self.backends[0].1
    }

    /// Namespace of the pods.
    pub(crate) fn namespace(&self) -> &'a Namespace {
        &self.first().namespace
    }

    /// Canonical name of the pods. Where one is known it stands for the unknown ones too: if they turn out to differ, the
    /// destination is refused.
    pub(crate) fn canonical_name(&self) -> &'a Leaf<CanonicalName> {
        let mut names = self.backends.iter().map(|(_, backend)| &backend.canonical_name);
        names.clone().find(|name| name.known().is_some()).or_else(|| names.next()).expect("there is a backend")
    }

    /// Service accounts of the pods, each once.
    pub(crate) fn accounts(&self) -> BTreeSet<&'a Leaf<ServiceAccount>> {
        self.backends.iter().flat_map(|(_, backend)| &backend.service_accounts).collect()
    }

    /// Whether some of the pods may be of a subset.
    pub(crate) fn has_subset(&self, name: &SubsetName) -> bool {
        self.backends.iter().any(|(_, backend)| backend.has_subset(name))
    }

    /// Labels that all pods have.
    pub(crate) fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.first().selector.clone();
        labels.retain(|key, value| self.backends.iter().all(|(_, backend)| backend.selector.get(key) == Some(value)));
        labels
    }

    fn check_several(&self, ports_agree: bool, findings: &mut Findings) {
        let names: Vec<String> =
            self.backends.iter().map(|(_, backend)| format!("{}/{}", backend.namespace, backend.service)).collect();
        let (cluster, names) = (&self.first().cluster, names.join(", "));
        let path = AttributePath::of("backends").index(self.backends[1].0);
        let known: BTreeSet<&CanonicalName> =
            self.backends.iter().filter_map(|(_, backend)| backend.canonical_name.known()).collect();
        if known.len() > 1 {
            let known: Vec<&str> = known.into_iter().map(CanonicalName::as_str).collect();
            findings.push(
                Finding::new(
                    Code::CanonicalNamesDiffer,
                    path.clone().attribute("canonical_name"),
                    format!(
                        "The pods of {names} in cluster {cluster} have {} canonical names: {}.",
                        known.len(),
                        known.join(", ")
                    ),
                    "The hostname selects the pods of a cluster that serve it by one canonical name.",
                    "Give the pods one name with the label `service.istio.io/canonical-name` in their template.".to_owned(),
                )
                .in_cluster(cluster),
            );
        }
        let of_entries = [reserved::CANONICAL_NAME_LABEL, reserved::TLS_MODE_LABEL, reserved::DESTINATION_LABEL];
        let has_common_label = self.labels().keys().any(|label| !of_entries.contains(&label.as_str()));
        let why = if self.backends.iter().any(|(_, backend)| backend.namespace != *self.namespace()) {
            "A ServiceEntry selects pods of one namespace, its own."
        } else if !ports_agree {
            "Gateways and clients reach a port of the destination at one port of the pods, which these Services do not share."
        } else if !has_common_label {
            "Gateways know the pods by labels that all of them have; the selectors of these Services have none in common."
        } else {
            return;
        };
        findings.push(
            Finding::new(
                Code::SeveralServices,
                path,
                format!("Cluster {cluster} serves with {} Services that cannot serve as one: {names}.", self.backends.len()),
                why,
                format!(
                    "Keep one of them: backends = [for b in data.gloo_service.reviews.backends : b if b.cluster != \"{cluster}\" || b.service == {:?}]",
                    self.first().service.as_str()
                ),
            )
            .in_cluster(cluster),
        );
    }
}

pub(super) fn none(scope: &Scope<'_>) -> Finding {
    let members: Vec<&str> = scope.intent.mesh.clusters.keys().map(ClusterName::as_str).collect();
    Finding::new(
        Code::EmptyCollection,
        AttributePath::of("backends"),
        format!("No cluster of mesh {} serves {}; its members: {}.", scope.intent.mesh.name, scope.intent.hostname, members.join(", ")),
        "A hostname without a backend answers 503 to every request.",
        "Deploy the Service in one of these clusters, or correct the namespace and name: backends = data.gloo_service.reviews.backends."
            .to_owned(),
    )
}

/// Judges what serves, cluster by cluster.
pub(super) fn check(scope: &Scope<'_>, findings: &mut Findings) {
    check_namespaces(scope, findings);
    check_accounts(scope, findings);
}

/// A ServiceEntry selects pods of its own namespace only.
fn check_namespaces(scope: &Scope<'_>, findings: &mut Findings) {
    let intent = scope.intent;
    for (cluster, namespace) in intent.client_namespace.iter().filter(|(cluster, _)| scope.clients.contains_key(*cluster)) {
        let Some(serving) = scope.serving.get(cluster).filter(|serving| serving.namespace() != namespace) else { continue };
        findings.push(
            Finding::new(
                Code::NamespaceNotOfService,
                AttributePath::of("client_namespace").key(cluster.as_str()),
                format!(
                    "Cluster {cluster} serves {} itself, with pods in namespace {}, so its objects cannot be in namespace {namespace}.",
                    intent.hostname,
                    serving.namespace()
                ),
                "A ServiceEntry selects pods of its own namespace only.",
                format!("Remove {cluster} from `client_namespace`; it is for clusters that only call."),
            )
            .in_cluster(cluster),
        );
    }
}

fn check_accounts(scope: &Scope<'_>, findings: &mut Findings) {
    let backends = scope.serving.values().flat_map(|serving| &serving.backends);
    for (index, backend) in backends.filter(|(_, backend)| backend.service_accounts.is_empty()) {
        let Backend { cluster, namespace, service, .. } = backend;
        findings.push(
            Finding::new(
                Code::EmptyCollection,
                AttributePath::of("backends").index(*index).attribute("service_accounts"),
                format!("No service account of {namespace}/{service} in cluster {cluster} is known."),
                "Clients accept a server by its account: without one, every call to it ends with a TLS error.",
                format!(
                    "Write it: backends = [for b in data.gloo_service.{service}.backends : b.cluster != {:?} ? b : merge(b, {{ service_accounts = [\"{service}\"] }})]",
                    cluster.as_str()
                ),
            )
            .in_cluster(cluster),
        );
    }
}
