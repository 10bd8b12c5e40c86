//! The facts of a cluster.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use mesh_model::Code;
use mesh_model::facts::ClusterFacts;
use mesh_model::names::{ClusterName, NetworkName, OwnerId, Revision, TrustDomain};
use serde_json::Value;

use crate::Discovered;
use crate::gateways::gateways;
use crate::inventory::{Inventory, Kind};
use crate::istio::{ControlPlane, NETWORK, control_plane, tags};
use crate::nodes;
use crate::read;
use crate::verdict::{Verdicts, facts_by_hand, kubectl_get};
use crate::workload::{Member, Role, members};

/// What was found out about a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterFound {
    /// what arguments may depend on
    pub facts: ClusterFacts,
    /// trust domains besides its own whose workloads its servers accept
    pub accepted_trust_domains: BTreeSet<TrustDomain>,
    /// what changes by itself
    pub observed: ClusterObserved,
}

/// What changes without anybody's intent: for findings and outputs, never for arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterObserved {
    /// Istio's release as its image says it: `1.28.1-distroless`
    pub istio_release: String,
    /// namespace of the control plane
    pub istio_namespace: String,
    /// revision tags and what they stand for
    pub revision_tags: BTreeMap<String, String>,
    /// how many nodes are in each `region/zone`
    pub localities: BTreeMap<String, usize>,
    /// other owners whose claims were seen in the cluster
    pub other_owners: BTreeSet<String>,
}

/// The facts that the objects of a cluster show.
///
/// - Control plane: istiod (a container `discovery` of an image `pilot`, or labelled as istiod), else the ConfigMaps
///   `istio` and `istio-<revision>`, else the injection webhooks, else the proxies in pods. Of several revisions the one that
///   is asked for by `revision` (or a tag of it), else that of tag `default`, else `default`, else the only one. Unless it is
///   asked for, a finding says in which facts others differ.
/// - Release: tag of istiod's image, else its version labels, else the oldest of the proxies. Only the minor is a fact; unless
///   one is asked for, the oldest of all control planes, because each of them reads every object.
/// - Trust domain, root namespace, DNS capture: the mesh configuration (and the shared one that istiod names) with Istio's
///   defaults; without one, the environment of the proxies.
/// - Network: label `topology.istio.io/network` of the control plane's namespace, else of gateways' Services or pods.
/// - Region: label of the nodes, where all labelled ones agree.
/// - Cluster domain: istiod's `--domain`, else the one that proxies were given, else `cluster.local`.
/// - Gateways: [`crate::gateways`].
#[must_use]
pub fn cluster_facts(
    objects: &[impl Borrow<Value>],
    cluster: &ClusterName,
    owner: Option<&OwnerId>,
    revision: Option<&Revision>,
) -> Discovered<ClusterFound> {
    let inventory = Inventory::new(objects, owner);
    let mut verdicts = Verdicts::new(cluster);
    check_inventory(&inventory, &mut verdicts);
    let members = members(&inventory, None);
    let value = control_plane(&inventory, &members, revision, &mut verdicts)
        .and_then(|istio| found(&inventory, &members, &istio, &mut verdicts));
    let value = if verdicts.has_error() { None } else { value };
    Discovered { value, findings: verdicts.into_findings() }
}

fn found<'a>(
    inventory: &Inventory<'a>,
    members: &[Member<'a>],
    istio: &ControlPlane<'a>,
    verdicts: &mut Verdicts<'_>,
) -> Option<ClusterFound> {
    let revision: Revision = setting("revision", &istio.revision, verdicts)?;
    let trust_domain: TrustDomain = setting("trust domain", &istio.trust_domain, verdicts)?;
    let cluster_domain = setting("cluster domain", istio.cluster_domain.as_deref().unwrap_or("cluster.local"), verdicts)?;
    let accepted: Option<BTreeSet<TrustDomain>> =
        istio.accepted_trust_domains.iter().map(|text| setting("accepted trust domain", text, verdicts)).collect();
    let accepted_trust_domains = accepted?.into_iter().filter(|domain| *domain != trust_domain).collect();
    let root_namespace = setting("root namespace", &istio.root_namespace, verdicts)?;
    let network = match network(inventory, members, istio) {
        Some(network) => Some(setting::<NetworkName>("network", network, verdicts)?),
        None if inventory.has(Kind::Namespace) => None,
        None => {
            let cluster = verdicts.cluster;
            verdicts.cluster(
                Code::NotChecked,
                format!("The inventory of cluster {cluster} has no Namespace, so its network is not known."),
                "Istio reads the network from a label of the control plane's namespace.",
                kubectl_get(cluster, "namespaces"),
            );
            None
        }
    };
    let facts = ClusterFacts {
        istio_version: istio.minor,
        revision,
        trust_domain,
        cluster_domain,
        root_namespace,
        network: network.map(Into::into),
        region: nodes::cluster_region(inventory, verdicts).map(Into::into),
        dns_capture: istio.dns_capture.map(Into::into),
        gateways: gateways(inventory, members, verdicts),
    };
    let tags = tags(inventory).into_iter().map(|(tag, revision)| (tag.to_owned(), revision.to_owned())).collect();
    let observed = ClusterObserved {
        istio_release: istio.release.clone(),
        istio_namespace: istio.namespace.to_owned(),
        revision_tags: tags,
        localities: nodes::localities(inventory),
        other_owners: inventory.other_owners.iter().map(|owner| (*owner).to_owned()).collect(),
    };
    Some(ClusterFound { facts, accepted_trust_domains, observed })
}

/// Parses a setting, or says which one breaks the rule of its type.
fn setting<T: FromStr<Err: fmt::Display>>(what: &str, text: &str, verdicts: &mut Verdicts<'_>) -> Option<T> {
    text.parse()
        .map_err(|error| {
            verdicts.cluster(
                Code::UnreadableSetting,
                format!("Istio's {what} in cluster {}: {error}.", verdicts.cluster),
                "It becomes part of objects in every cluster of the mesh.",
                format!("Write the facts by hand:\n\n{}", facts_by_hand(verdicts.cluster, &[])),
            );
        })
        .ok()
}

fn network<'a>(inventory: &Inventory<'a>, members: &[Member<'a>], istio: &ControlPlane<'a>) -> Option<&'a str> {
    let gateways = || members.iter().filter(|member| member.has_proxy(Role::Gateway));
    let services = || {
        let labelled = inventory.all(Kind::Service).filter_map(|service| Some((service, service.label(NETWORK)?)));
        labelled
            .filter(|(service, _)| {
                let selector = read::map(service.value, &["spec", "selector"]);
                gateways().any(|pod| pod.namespace == service.namespace && read::selects(&selector, &pod.labels))
            })
            .map(|(_, network)| network)
            .min()
    };
    istio.network.or_else(services).or_else(|| gateways().filter_map(|pod| pod.labels.get(NETWORK).copied()).min())
}

/// What is wrong with an inventory as such.
pub(crate) fn check_inventory(inventory: &Inventory<'_>, verdicts: &mut Verdicts<'_>) {
    const WHY: &str = "What cannot be read is taken as unknown.";
    if inventory.unreadable > 0 {
        let (count, cluster) = (inventory.unreadable, verdicts.cluster);
        verdicts.cluster(
            Code::DamagedInventory,
            format!("{count} entries in the inventory of cluster {cluster} are no Kubernetes objects: kind or metadata.name is missing."),
            WHY,
            "Write the inventory anew with `kubectl get … -o yaml`.",
        );
    }
    for object in &inventory.conflicting {
        verdicts.object(
            Code::DamagedInventory,
            object,
            format!(
                "{object} occurs twice in the inventory of cluster {} and differs; the version written last counts.",
                verdicts.cluster
            ),
            WHY,
            "Remove the older file.",
        );
    }
}
