//! What is live while changes are applied, and whether calls arrive.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use istio_objects::{Change, Manifest, ObjectKey, Operation, reserved};
use mesh_model::Leaf;
use mesh_model::derived::{self, NETWORK_GATEWAY};
use mesh_model::facts::{Backend, ClusterFacts, GatewayAddress};
use mesh_model::intent::{Subset, VirtualDestination};
use mesh_model::names::{ClusterName, ServiceAccount, SubsetName};
use serde_json::Value;

use crate::fleet;
use crate::routes::{self, Part};

/// Where an object is.
pub(crate) type At = (ClusterName, ObjectKey);

/// What is live, by cluster and key.
pub(crate) type State = BTreeMap<At, Live>;

/// A live object, parsed once.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Live {
    pub(crate) manifest: Manifest,
    pub(crate) value: Rc<Value>,
}

impl From<Manifest> for Live {
    fn from(manifest: Manifest) -> Self {
        Self { value: Rc::new(manifest.value()), manifest }
    }
}

/// The port of every gateway.
const GATEWAY_PORT: u64 = 15443;

/// How many cuts are tried at most to find a better order.
pub(crate) const TRIED: usize = 20_000;

pub(crate) fn state(intent: Option<&VirtualDestination>) -> State {
    live(intent.map(fleet::manifests).unwrap_or_default())
}

pub(crate) fn live(manifests: BTreeMap<ClusterName, Vec<Manifest>>) -> State {
    manifests
        .into_iter()
        .flat_map(|(cluster, manifests)| manifests.into_iter().map(move |m| ((cluster.clone(), m.key().clone()), Live::from(m))))
        .collect()
}

pub(crate) fn changes(old: &State, new: &State) -> Vec<Change> {
    let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    keys.into_iter()
        .filter_map(|at| {
            let operation = match (old.get(at), new.get(at)) {
                (None, Some(new)) => Operation::Create(new.manifest.clone()),
                (Some(old), Some(new)) if old != new => {
                    Operation::Update { old: old.manifest.clone(), new: new.manifest.clone() }
                }
                (Some(_), None) => Operation::Delete(at.1.clone()),
                _ => return None,
            };
            Some(Change { cluster: at.0.clone(), operation })
        })
        .collect()
}

pub(crate) fn apply(state: &mut State, change: &Change) {
    let at = (change.cluster.clone(), change.key().clone());
    match &change.operation {
        Operation::Create(manifest) | Operation::Update { new: manifest, .. } => state.insert(at, manifest.clone().into()),
        Operation::Delete(_) => state.remove(&at),
    };
}

/// Objects of one kind in one cluster.
pub(crate) fn of_kind<'s>(state: &'s State, cluster: &'s ClusterName, kind: &'s str) -> impl Iterator<Item = &'s Value> + 's {
    state.iter().filter(move |((at, key), _)| at == cluster && key.kind == kind).map(|(_, live)| &*live.value)
}

pub(crate) fn label(object: &Value) -> &str {
    object["metadata"]["labels"][reserved::DESTINATION_LABEL].as_str().expect("every object has the destination's label")
}

/// Pods of a Service.
pub(crate) struct Pods {
    pub(crate) service: String,
    pub(crate) canonical_name: String,
    /// SPIFFE ids that they may have
    pub(crate) servers: BTreeSet<String>,
    /// labels that they have, which their Service selects
    pub(crate) labels: BTreeMap<String, String>,
    /// labels that some of them have besides, by which subsets know them
    pub(crate) versions: Vec<BTreeMap<String, String>>,
}

impl Pods {
    /// Pods behind a backend of a destination.
    fn of(backend: &Backend, subsets: &BTreeMap<SubsetName, Subset>) -> Self {
        let has = |(name, subset): (&SubsetName, &Subset)| backend.has_subset(name).then(|| subset.labels.clone());
        let known = |leaf: &Leaf<ServiceAccount>| leaf.known().expect("every leaf is known").to_string();
        let servers = backend.service_accounts.iter().map(known);
        Self {
            service: format!("{}.{}.svc.cluster.local", backend.service, backend.namespace),
            canonical_name: backend.canonical_name.known().expect("every leaf is known").to_string(),
            servers: servers.map(|account| format!("spiffe://cluster.local/ns/{}/sa/{account}", backend.namespace)).collect(),
            labels: backend.selector.clone(),
            versions: subsets.iter().filter_map(has).collect(),
        }
    }

    /// Whether a selector takes them.
    fn is_selected(&self, selector: &Value) -> bool {
        let has = |(key, value): (&String, &Value)| match key.as_str() {
            reserved::CANONICAL_NAME_LABEL => *value == self.canonical_name,
            key => self.labels.get(key).is_some_and(|label| value == label),
        };
        selector.as_object().expect("hosts select").iter().all(has)
    }

    /// Whether there are some of a subset; of none: any.
    fn has(&self, labels: &BTreeMap<String, String>) -> bool {
        labels.is_empty() || self.versions.iter().any(|version| labels.iter().all(|(key, value)| version.get(key) == Some(value)))
    }
}

/// The pods of a gateway, by namespace and labels.
#[derive(Debug, PartialEq)]
pub(crate) struct Workload {
    pub(crate) namespace: String,
    pub(crate) selector: Value,
    /// whether somebody else exposes everything there
    pub(crate) covered: bool,
}

/// What runs while the change is applied.
#[derive(Default)]
pub(crate) struct World {
    /// a cluster that the facts name has the pods that they name, not those of facts before it; a Service that the destination
    /// leaves keeps its pods
    pub(crate) pods: BTreeMap<ClusterName, Vec<Pods>>,
    /// by address, or hostname
    pub(crate) gateways: BTreeMap<String, Vec<Workload>>,
    /// where facts say that pods are: one of these is right
    pub(crate) regions: BTreeMap<ClusterName, BTreeSet<String>>,
}

impl World {
    pub(crate) fn of<'a>(
        backends: impl IntoIterator<Item = (&'a Backend, &'a BTreeMap<SubsetName, Subset>)>,
        clusters: impl IntoIterator<Item = (&'a ClusterName, &'a ClusterFacts)>,
    ) -> Self {
        let mut world = Self::default();
        for (backend, subsets) in backends {
            let pods = world.pods.entry(backend.cluster.clone()).or_default();
            let there = Pods::of(backend, subsets);
            match pods.iter_mut().find(|pods| pods.service == there.service) {
                // those of one version do not go because others come, nor a label because none asks for it
                Some(pods) => {
                    pods.versions.extend(there.versions);
                    pods.labels.extend(there.labels);
                }
                None => pods.push(there),
            }
        }
        for (cluster, facts) in clusters {
            let region = facts.region.iter().filter_map(Leaf::known).map(ToString::to_string);
            world.regions.entry(cluster.clone()).or_default().extend(region);
            world.place(facts);
        }
        world
    }

    fn place(&mut self, facts: &ClusterFacts) {
        for gateway in &facts.gateways {
            let addresses: Vec<String> = match &gateway.address {
                GatewayAddress::Addresses(addresses) => {
                    addresses.iter().filter_map(Leaf::known).map(ToString::to_string).collect()
                }
                GatewayAddress::Hostname(hostname) => hostname.known().map(ToString::to_string).into_iter().collect(),
            };
            for address in addresses {
                self.gateways.entry(address).or_default().push(Workload {
                    namespace: gateway.namespace.to_string(),
                    selector: serde_json::json!(gateway.selector),
                    covered: !gateway.exposed_hosts.is_empty(),
                });
            }
        }
    }

    /// Whether the gateway behind an address of a cluster passes calls of a host on, which it knows: a Service it does by itself.
    fn exposes(&self, now: &State, target: &ClusterName, address: &str, service: &str, part: &Part) -> bool {
        let ours = |workload: &Workload| {
            of_kind(now, target, "Gateway").any(|gateway| {
                gateway["metadata"]["namespace"] == workload.namespace
                    && gateway["spec"]["selector"] == workload.selector
                    && gateway["spec"]["servers"][0]["hosts"][0] == service
            })
        };
        let is_seen = |object: Option<&Value>, workload: &Workload| {
            object.is_some_and(|object| texts(&object["spec"]["exportTo"]).contains(workload.namespace.as_str()))
        };
        let knows = |name: &str, workload: &Workload| {
            let rule = serving_rule(now, target, service);
            is_seen(rule, workload) && rule.is_some_and(|rule| routes::subset(rule, name).is_some())
        };
        let sees = |workload: &Workload| {
            (!derived::is_serving_host(service) || is_seen(serving_host(now, target, service), workload))
                && part.as_deref().is_none_or(|name| knows(name, workload))
        };
        let covers = |workload: &Workload| workload.covered && service.ends_with(".local");
        self.gateways[address].iter().any(|workload| sees(workload) && (covers(workload) || ours(workload)))
    }

    /// Whether the policy accepts whatever answers for its Service in a cluster, or has a canonical name there.
    pub(crate) fn accepts(&self, policy: &Value, cluster: &ClusterName, is_meant: impl Fn(&Pods) -> bool) -> bool {
        let listed = texts(&policy["tls"]["subjectAltNames"]);
        let mut meant = self.pods.get(cluster).into_iter().flatten().filter(|pods| is_meant(pods)).peekable();
        meant.peek().is_some() && meant.all(|pods| pods.servers.iter().all(|server| listed.contains(server.as_str())))
    }

    /// The subsets of pods of a cluster that a selector takes.
    pub(crate) fn versions(&self, cluster: &ClusterName, selector: &Value) -> BTreeSet<&BTreeMap<String, String>> {
        let pods = self.pods.get(cluster).into_iter().flatten();
        pods.filter(|pods| pods.is_selected(selector)).flat_map(|pods| &pods.versions).collect()
    }

    /// Whether a port of a host is served, wherever its calls go.
    pub(crate) fn serves(&self, now: &State, at: &At, number: &Value) -> bool {
        let Some(host) = now.get(at).map(|live| &live.value) else { return false };
        routes::parts(now, &at.0, host).iter().all(|part| self.serves_part(now, at, number, part))
    }

    /// Whether a part is served there: by pods of its cluster, or by an entry whose gateway passes the call to servers that
    /// the policy accepts.
    fn serves_part(&self, now: &State, at: &At, number: &Value, part: &Part) -> bool {
        let Some(host) = now.get(at).map(|live| &live.value) else { return false };
        let Some(rule) = rule_of(now, &at.0, host) else { return false };
        let Some(labels) = routes::labels(rule, part) else { return false };
        let policy = routes::policy(rule, part, number);
        let Some(port) = ports(host).iter().find(|port| port["number"] == *number) else { return false };
        let selector = &host["spec"]["workloadSelector"]["labels"];
        let by_pods =
            self.has_share(policy, &at.0) && self.accepts(policy, &at.0, |pods| pods.is_selected(selector) && pods.has(&labels));
        by_pods
            || of_kind(now, &at.0, "WorkloadEntry").any(|entry| {
                let is_selected = entry["metadata"]["namespace"] == host["metadata"]["namespace"]
                    && selector
                        .as_object()
                        .expect("hosts select")
                        .iter()
                        .all(|(key, value)| entry["spec"]["labels"].get(key) == Some(value));
                let reached = entry["spec"]["ports"].get(port["name"].as_str().expect("ports have names"));
                // that of a network is the gateway's
                let is_reached = entry["spec"]["address"].is_null() || reached.unwrap_or(&port["targetPort"]) == GATEWAY_PORT;
                let is_its = is_selected && carries(policy, entry) && routes::is_of(entry, rule, part);
                is_its && is_reached && self.leads(now, &at.0, policy, number, entry)
            })
    }

    /// Whether a policy leaves requests to pods of its cluster.
    fn has_share(&self, policy: &Value, cluster: &ClusterName) -> bool {
        let regions = self.regions.get(cluster).into_iter().flatten();
        gives(policy, "") || regions.map(String::as_str).any(|region| gives(policy, region))
    }

    /// Whether calls of a port to an entry of a client end at servers that the policy accepts, whichever way they take.
    pub(crate) fn leads(&self, now: &State, client: &ClusterName, policy: &Value, number: &Value, entry: &Value) -> bool {
        let Some((service, part)) = service_of(policy, number) else { return false };
        let target = target_of(entry);
        let is_meant = |pods: &Pods| match serving_host(now, &target, service) {
            Some(host) => {
                pods.is_selected(&host["spec"]["workloadSelector"]["labels"])
                    && ports(host).iter().any(|port| port["number"] == *number)
                    && match serving_rule(now, &target, service) {
                        Some(rule) => routes::labels(rule, &part).is_some_and(|labels| pods.has(&labels)),
                        None => part.is_none(),
                    }
            }
            None => pods.service == service,
        };
        let ways = ways(now, client, entry);
        !ways.is_empty()
            && ways.iter().all(|address| self.exposes(now, &target, address, service, &part))
            && self.accepts(policy, &target, is_meant)
    }
}

/// The cluster at the end of an entry.
pub(crate) fn target_of(entry: &Value) -> ClusterName {
    let spec = &entry["spec"];
    match (spec["address"].as_str(), spec["network"].as_str()) {
        (Some(address), None) => fleet::owner_of(address),
        (None, Some(network)) => fleet::owner_of_network(network),
        _ => panic!("entries have an address or a network"),
    }
}

/// Where an entry of a client leads: to its address, or to all gateways of its network that stand there for its destination. Those
/// of other destinations count for istiod too: they are the same as long as no gateway moves.
fn ways<'s>(now: &'s State, client: &'s ClusterName, entry: &'s Value) -> Vec<&'s str> {
    if let Some(address) = entry["spec"]["address"].as_str() {
        return vec![address];
    }
    let is_its = |gateway: &&Value| gateway["metadata"]["labels"]["topology.istio.io/network"] == entry["spec"]["network"];
    let gateways = of_kind(now, client, NETWORK_GATEWAY).filter(|gateway| label(gateway) == label(entry)).filter(is_its);
    let gateways = gateways.filter(|gateway| gateway["spec"]["listeners"][0]["port"] == GATEWAY_PORT);
    let addresses = gateways.flat_map(|gateway| gateway["spec"]["addresses"].as_array().expect("gateways have addresses"));
    addresses.map(|address| address["value"].as_str().expect("an address or a hostname")).collect()
}

/// Whether a policy leaves requests to endpoints of a region: one that gives shares does so only where it gives one.
fn gives(policy: &Value, region: &str) -> bool {
    let to = &policy["loadBalancer"]["localityLbSetting"]["distribute"][0]["to"];
    to.is_null() || to.get(region).is_some()
}

/// Whether a policy leaves requests to an entry.
pub(crate) fn carries(policy: &Value, entry: &Value) -> bool {
    gives(policy, entry["spec"]["locality"].as_str().unwrap_or_default())
}

/// What a rule says of a port of the whole host.
pub(crate) fn policy<'v>(rule: &'v Value, number: &Value) -> &'v Value {
    routes::policy(rule, &None, number)
}

/// The host, and the part of it, to which a policy leads calls of a port; none where it leads to another port of it.
pub(crate) fn service_of<'v>(policy: &'v Value, number: &Value) -> Option<(&'v str, Part)> {
    let (port, rest) = policy["tls"]["sni"].as_str()?.strip_prefix("outbound_.")?.split_once("_.")?;
    let (subset, host) = rest.split_once("_.")?;
    let own = number.to_string();
    let meant = if derived::is_serving_host(host) { &[own.as_str()] } else { fleet::service_ports(number) };
    meant.contains(&port).then(|| (host, (!subset.is_empty()).then(|| subset.to_owned())))
}

/// What gateways of a cluster know as subsets of a host.
pub(crate) fn serving_rule<'s>(now: &'s State, cluster: &'s ClusterName, name: &str) -> Option<&'s Value> {
    of_kind(now, cluster, "DestinationRule").find(|rule| rule["spec"]["host"] == name && derived::is_serving_host(name))
}

/// The host of this name by which gateways of a cluster know its pods.
pub(crate) fn serving_host<'s>(now: &'s State, cluster: &'s ClusterName, name: &str) -> Option<&'s Value> {
    of_kind(now, cluster, "ServiceEntry").find(|host| host["spec"]["hosts"][0] == name && derived::is_serving_host(name))
}

/// Hosts that clients call.
pub(crate) fn hosts<'s>(state: &'s State, cluster: &'s ClusterName) -> impl Iterator<Item = &'s Value> + 's {
    of_kind(state, cluster, "ServiceEntry")
        .filter(|host| !host["spec"]["hosts"][0].as_str().is_some_and(derived::is_serving_host))
}

/// Whether something is where a host that clients call is.
pub(crate) fn is_host(at: &At) -> bool {
    at.1.kind == "ServiceEntry" && !derived::is_serving_name(&at.1.name)
}

pub(crate) fn ports(host: &Value) -> &[Value] {
    host["spec"]["ports"].as_array().map_or(&[], Vec::as_slice)
}

/// Ranks that a rule lists, the same for all ports.
pub(crate) fn ranks(rule: &Value) -> BTreeSet<&str> {
    let all = &rule["spec"]["trafficPolicy"];
    let first = all["portLevelSettings"].get(0).unwrap_or(all);
    texts(&first["loadBalancer"]["localityLbSetting"]["failoverPriority"])
}

/// The region that comes first, where a rule ranks by regions: that of its clients.
pub(crate) fn first_region(rule: &Value) -> Option<&str> {
    let all = &rule["spec"]["trafficPolicy"];
    let first = all["portLevelSettings"].get(0).unwrap_or(all);
    first["loadBalancer"]["localityLbSetting"]["failover"][0]["from"].as_str()
}

pub(crate) fn texts(list: &Value) -> BTreeSet<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Servers that any client accepts at its first port.
pub(crate) fn servers(state: &State) -> BTreeSet<&str> {
    let rules = state.iter().filter(|((_, key), _)| key.kind == "DestinationRule").map(|(_, live)| &live.value["spec"]);
    let policies = rules.map(|spec| {
        let all = &spec["trafficPolicy"];
        all["portLevelSettings"].get(0).unwrap_or(all)
    });
    policies.flat_map(|policy| texts(&policy["tls"]["subjectAltNames"])).collect()
}

/// The policy of a host or an entry.
pub(crate) fn rule_of<'s>(now: &'s State, cluster: &'s ClusterName, object: &Value) -> Option<&'s Value> {
    of_kind(now, cluster, "DestinationRule")
        .filter(|rule| !rule["spec"]["host"].as_str().is_some_and(derived::is_serving_host))
        .find(|rule| label(rule) == label(object) && rule["metadata"]["namespace"] == object["metadata"]["namespace"])
}
