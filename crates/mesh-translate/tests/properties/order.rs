//! No cut of the ordered changes is a state that loses or misroutes requests.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use istio_objects::{Change, Manifest, ObjectKey, Operation, Wave, reserved};
use mesh_model::facts::{Backend, GatewayAddress};
use mesh_model::intent::VirtualDestination;
use mesh_model::names::{ClusterName, ServiceAccount};
use mesh_model::{Leaf, derived};
use mesh_translate::{order, pauses};
use proptest::prelude::*;
use serde_json::Value;

use crate::fleet;

/// Where an object is.
type At = (ClusterName, ObjectKey);

/// What is live, by cluster and key.
type State = BTreeMap<At, Live>;

/// A live object, parsed once.
#[derive(Clone, Debug, PartialEq)]
struct Live {
    manifest: Manifest,
    value: Rc<Value>,
}

impl From<Manifest> for Live {
    fn from(manifest: Manifest) -> Self {
        Self { value: Rc::new(manifest.value()), manifest }
    }
}

/// How many cuts are tried at most to find a better order.
const TRIED: usize = 20_000;

fn state(intent: Option<&VirtualDestination>) -> State {
    let manifests = intent.map(fleet::manifests).unwrap_or_default();
    manifests
        .into_iter()
        .flat_map(|(cluster, manifests)| manifests.into_iter().map(move |m| ((cluster.clone(), m.key().clone()), Live::from(m))))
        .collect()
}

fn changes(old: &State, new: &State) -> Vec<Change> {
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

fn apply(state: &mut State, change: &Change) {
    let at = (change.cluster.clone(), change.key().clone());
    match &change.operation {
        Operation::Create(manifest) | Operation::Update { new: manifest, .. } => state.insert(at, manifest.clone().into()),
        Operation::Delete(_) => state.remove(&at),
    };
}

/// Objects of one kind in one cluster.
fn of_kind<'s>(state: &'s State, cluster: &'s ClusterName, kind: &'s str) -> impl Iterator<Item = &'s Value> + 's {
    state.iter().filter(move |((at, key), _)| at == cluster && key.kind == kind).map(|(_, live)| &*live.value)
}

fn label(object: &Value) -> &str {
    object["metadata"]["labels"][reserved::DESTINATION_LABEL].as_str().expect("every object has the destination's label")
}

/// Pods of a Service.
struct Pods {
    service: String,
    canonical_name: String,
    /// SPIFFE ids that they may have
    servers: BTreeSet<String>,
    /// labels that they have
    labels: BTreeMap<String, String>,
}

impl From<&Backend> for Pods {
    fn from(backend: &Backend) -> Self {
        let known = |leaf: &Leaf<ServiceAccount>| leaf.known().expect("every leaf is known").to_string();
        let servers = backend.service_accounts.iter().map(known);
        Self {
            service: format!("{}.{}.svc.cluster.local", backend.service, backend.namespace),
            canonical_name: backend.canonical_name.known().expect("every leaf is known").to_string(),
            servers: servers.map(|account| format!("spiffe://cluster.local/ns/{}/sa/{account}", backend.namespace)).collect(),
            labels: backend.selector.clone(),
        }
    }
}

/// The pods of a gateway, by namespace and labels.
#[derive(Debug, PartialEq)]
struct Workload {
    namespace: String,
    selector: Value,
    /// whether somebody else exposes everything there
    covered: bool,
}

/// What runs while the change is applied.
#[derive(Default)]
struct World {
    /// a cluster that the facts name has the pods that they name, not those of facts before it; a Service that the destination
    /// leaves keeps its pods
    pods: BTreeMap<ClusterName, Vec<Pods>>,
    /// by address
    gateways: BTreeMap<String, Vec<Workload>>,
}

impl World {
    fn between(old: Option<&VirtualDestination>, new: Option<&VirtualDestination>) -> Self {
        let mut world = Self::default();
        for backend in new.iter().chain(&old).flat_map(|intent| &intent.backends) {
            let pods = world.pods.entry(backend.cluster.clone()).or_default();
            let there = Pods::from(backend);
            if pods.iter().all(|pods| pods.service != there.service) {
                pods.push(there);
            }
        }
        for gateway in [old, new].into_iter().flatten().flat_map(|intent| intent.mesh.clusters.values()).flat_map(|f| &f.gateways)
        {
            let GatewayAddress::Addresses(addresses) = &gateway.address else { panic!("gateways of the fleet have addresses") };
            for address in addresses.iter().filter_map(Leaf::known) {
                world.gateways.entry(address.to_string()).or_default().push(Workload {
                    namespace: gateway.namespace.to_string(),
                    selector: serde_json::json!(gateway.selector),
                    covered: !gateway.exposed_hosts.is_empty(),
                });
            }
        }
        world
    }

    /// Whether the gateway behind an address passes calls of a host on, which it knows: a Service it does by itself.
    fn exposes(&self, now: &State, address: &str, service: &str) -> bool {
        let target = fleet::owner_of(address);
        let ours = |workload: &Workload| {
            of_kind(now, &target, "Gateway").any(|gateway| {
                gateway["metadata"]["namespace"] == workload.namespace
                    && gateway["spec"]["selector"] == workload.selector
                    && gateway["spec"]["servers"][0]["hosts"][0] == service
            })
        };
        let sees = |workload: &Workload| {
            !derived::is_serving_host(service)
                || serving_host(now, &target, service)
                    .is_some_and(|host| texts(&host["spec"]["exportTo"]).contains(workload.namespace.as_str()))
        };
        let covers = |workload: &Workload| workload.covered && service.ends_with(".local");
        self.gateways[address].iter().any(|workload| sees(workload) && (covers(workload) || ours(workload)))
    }

    /// Whether the policy accepts whatever answers for its Service in a cluster, or has a canonical name there.
    fn accepts(&self, policy: &Value, cluster: &ClusterName, is_meant: impl Fn(&Pods) -> bool) -> bool {
        let listed = texts(&policy["tls"]["subjectAltNames"]);
        let mut meant = self.pods.get(cluster).into_iter().flatten().filter(|pods| is_meant(pods)).peekable();
        meant.peek().is_some() && meant.all(|pods| pods.servers.iter().all(|server| listed.contains(server.as_str())))
    }

    /// Whether a port of a host is served: by pods of its cluster, or by an entry whose gateway passes the call to servers that
    /// the policy accepts.
    fn serves(&self, now: &State, at: &At, number: &Value) -> bool {
        let Some(host) = now.get(at).map(|live| &live.value) else { return false };
        let Some(policy) = rule_of(now, &at.0, host).map(|rule| policy(rule, number)) else { return false };
        let Some(port) = ports(host).iter().find(|port| port["number"] == *number) else { return false };
        let selector = host["spec"]["workloadSelector"]["labels"].as_object().expect("hosts select");
        let by_pods = selector.len() == 1
            && selector
                .get(reserved::CANONICAL_NAME_LABEL)
                .is_some_and(|name| self.accepts(policy, &at.0, |pods| name == &pods.canonical_name));
        by_pods
            || of_kind(now, &at.0, "WorkloadEntry").any(|entry| {
                let is_selected = entry["metadata"]["namespace"] == host["metadata"]["namespace"]
                    && selector.iter().all(|(key, value)| entry["spec"]["labels"].get(key) == Some(value));
                let reached = entry["spec"]["ports"].get(port["name"].as_str().expect("ports have names"));
                is_selected && reached.unwrap_or(&port["targetPort"]) == 15443 && self.leads(now, policy, number, entry)
            })
    }

    /// Whether calls of a port to an entry end at servers that the policy accepts.
    fn leads(&self, now: &State, policy: &Value, number: &Value, entry: &Value) -> bool {
        let address = entry["spec"]["address"].as_str().expect("entries have an address");
        let Some(service) = service_of(policy, number) else { return false };
        let target = fleet::owner_of(address);
        let is_meant = |pods: &Pods| match serving_host(now, &target, service) {
            Some(host) => {
                let labels = host["spec"]["workloadSelector"]["labels"].as_object().expect("hosts select");
                labels.iter().all(|(key, value)| pods.labels.get(key).is_some_and(|label| value == label))
                    && ports(host).iter().any(|port| port["number"] == *number)
            }
            None => pods.service == service,
        };
        self.exposes(now, address, service) && self.accepts(policy, &target, is_meant)
    }
}

/// What a rule says of a port.
fn policy<'v>(rule: &'v Value, number: &Value) -> &'v Value {
    let all = &rule["spec"]["trafficPolicy"];
    let Some(each) = all["portLevelSettings"].as_array() else { return all };
    each.iter().find(|policy| policy["port"]["number"] == *number).unwrap_or(&Value::Null)
}

/// The host to which a policy leads calls of a port; none where it leads to another port of it.
fn service_of<'v>(policy: &'v Value, number: &Value) -> Option<&'v str> {
    let (port, host) = policy["tls"]["sni"].as_str()?.strip_prefix("outbound_.")?.split_once("_._.")?;
    let own = number.to_string();
    let meant = if derived::is_serving_host(host) { &[own.as_str()] } else { fleet::service_ports(number) };
    meant.contains(&port).then_some(host)
}

/// The host of this name by which gateways of a cluster know its pods.
fn serving_host<'s>(now: &'s State, cluster: &'s ClusterName, name: &str) -> Option<&'s Value> {
    of_kind(now, cluster, "ServiceEntry").find(|host| host["spec"]["hosts"][0] == name && derived::is_serving_host(name))
}

/// Hosts that clients call.
fn hosts<'s>(state: &'s State, cluster: &'s ClusterName) -> impl Iterator<Item = &'s Value> + 's {
    of_kind(state, cluster, "ServiceEntry")
        .filter(|host| !host["spec"]["hosts"][0].as_str().is_some_and(derived::is_serving_host))
}

/// Whether something is where a host that clients call is.
fn is_host(at: &At) -> bool {
    at.1.kind == "ServiceEntry" && !derived::is_serving_name(&at.1.name)
}

fn ports(host: &Value) -> &[Value] {
    host["spec"]["ports"].as_array().map_or(&[], Vec::as_slice)
}

/// Ranks that a rule lists, the same for all ports.
fn ranks(rule: &Value) -> BTreeSet<&str> {
    let all = &rule["spec"]["trafficPolicy"];
    let first = all["portLevelSettings"].get(0).unwrap_or(all);
    texts(&first["loadBalancer"]["localityLbSetting"]["failoverPriority"])
}

fn texts(list: &Value) -> BTreeSet<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Servers that any client accepts at its first port.
fn servers(state: &State) -> BTreeSet<&str> {
    let rules = state.iter().filter(|((_, key), _)| key.kind == "DestinationRule").map(|(_, live)| &live.value["spec"]);
    let policies = rules.map(|spec| {
        let all = &spec["trafficPolicy"];
        all["portLevelSettings"].get(0).unwrap_or(all)
    });
    policies.flat_map(|policy| texts(&policy["tls"]["subjectAltNames"])).collect()
}

/// The policy of a host or an entry.
fn rule_of<'s>(now: &'s State, cluster: &'s ClusterName, object: &Value) -> Option<&'s Value> {
    of_kind(now, cluster, "DestinationRule")
        .find(|rule| label(rule) == label(object) && rule["metadata"]["namespace"] == object["metadata"]["namespace"])
}

struct Move {
    old: State,
    new: State,
    world: World,
}

impl Move {
    fn between(old: Option<&VirtualDestination>, new: Option<&VirtualDestination>) -> Self {
        Self { old: state(old), new: state(new), world: World::between(old, new) }
    }

    fn waves(&self) -> Vec<Wave> {
        let mut goal: BTreeMap<ClusterName, Vec<Manifest>> = BTreeMap::new();
        for ((cluster, _), live) in &self.new {
            goal.entry(cluster.clone()).or_default().push(live.manifest.clone());
        }
        order(changes(&self.old, &self.new), &goal)
    }

    /// What is wrong in a state between old and new.
    fn forbidden(&self, now: &State) -> Option<String> {
        let clusters: BTreeSet<&ClusterName> = now.keys().chain(self.old.keys()).chain(self.new.keys()).map(|(c, _)| c).collect();
        for cluster in clusters {
            let host = |state: &State| hosts(state, cluster).next().is_some();
            if host(&self.old) && host(&self.new) && !host(now) {
                return Some(format!("{cluster}: the host is gone in between"));
            }
            let wrong = self
                .misled(now, cluster)
                .or_else(|| self.led_nowhere(now, cluster))
                .or_else(|| self.stray_port(now, cluster))
                .or_else(|| self.lost_host(now, cluster))
                .or_else(|| self.deserted_host(now, cluster))
                .or_else(|| self.early_host(now, cluster));
            if wrong.is_some() {
                return wrong;
            }
        }
        None
    }

    /// What is wrong while some proxies have not followed yet: hosts that are there before and after have lost the way.
    fn forbidden_while_some_lag(&self, now: &State) -> Option<String> {
        let clusters: BTreeSet<&ClusterName> = self.old.keys().map(|(cluster, _)| cluster).collect();
        let is_lasting = |state: &State, cluster| {
            let place = |state| hosts(state, cluster).next().map(|host: &Value| host["metadata"].clone());
            let same = |one: &Value, other: &Value| one["name"] == other["name"] && one["namespace"] == other["namespace"];
            place(&self.old).zip(place(state)).is_some_and(|(old, other)| same(&old, &other))
        };
        let mut lasting = clusters.into_iter().filter(|cluster| is_lasting(&self.new, cluster));
        lasting.find_map(|cluster| self.led_nowhere(now, cluster).or_else(|| self.deserted_host(now, cluster)))
    }

    /// An entry without its policy, or with a rank that it does not list.
    fn misled(&self, now: &State, cluster: &ClusterName) -> Option<String> {
        for entry in of_kind(now, cluster, "WorkloadEntry") {
            let name = entry["metadata"]["name"].to_string();
            let Some(rule) = rule_of(now, cluster, entry) else {
                return Some(format!("{cluster}: entry {name} without a DestinationRule"));
            };
            let ranks = ranks(rule);
            let labels = entry["spec"]["labels"].as_object().expect("entries have labels");
            let rank = labels.keys().find(|key| key.starts_with(reserved::RANK_PREFIX)).expect("entries have a rank");
            if !ranks.contains(rank.as_str()) {
                return Some(format!("{cluster}: entry {name} has {rank}, its rule lists {ranks:?}"));
            }
        }
        None
    }

    /// An entry to a gateway that passes nothing. Where the policy changes so that no endpoint suits both, or what comes has to
    /// wait for it, some are refused while both are there.
    fn led_nowhere(&self, now: &State, cluster: &ClusterName) -> Option<String> {
        for entry in of_kind(now, cluster, "WorkloadEntry") {
            let name = entry["metadata"]["name"].to_string();
            let Some(rule) = rule_of(now, cluster, entry) else { continue };
            for number in self.lasting_ports(cluster, entry) {
                let is_swapped = self.swaps_servers(cluster, entry, &number)
                    || self.is_awaited(cluster, entry, &number)
                    || self.swaps_what_serves(cluster, entry, &number);
                // of an entry that is there before and after, both must hold
                let leads = |state: &State| {
                    let same = of_kind(state, cluster, "WorkloadEntry").find(|other| other["metadata"] == entry["metadata"]);
                    same.is_none_or(|same| {
                        let rule = rule_of(state, cluster, same);
                        rule.is_some_and(|rule| self.world.leads(state, policy(rule, &number), &number, same))
                    })
                };
                let is_led = self.world.leads(now, policy(rule, &number), &number, entry);
                if !is_swapped && leads(&self.old) && leads(&self.new) && !is_led {
                    return Some(format!("{cluster}: entry {name} leads to a gateway which exposes nothing"));
                }
            }
        }
        None
    }

    /// Ports that the host of an entry or a host has, before and after where it is there.
    fn lasting_ports(&self, cluster: &ClusterName, object: &Value) -> Vec<Value> {
        let hosts = [&self.old, &self.new].map(|state| {
            hosts(state, cluster)
                .find(|host| label(host) == label(object) && host["metadata"]["namespace"] == object["metadata"]["namespace"])
        });
        let there: Vec<&Value> = hosts.into_iter().flatten().collect();
        let is_lasting =
            |port: &&Value| there.iter().all(|host| ports(host).iter().any(|other| other["number"] == port["number"]));
        there.first().into_iter().flat_map(|host| ports(host)).filter(is_lasting).map(|port| port["number"].clone()).collect()
    }

    /// A port that stays or comes, without a policy of its own. Where the host begins to select something else in the same change,
    /// which may have to come before the policy, a port that comes waits for it.
    fn stray_port(&self, now: &State, cluster: &ClusterName) -> Option<String> {
        for host in hosts(now, cluster) {
            let Some(rule) = rule_of(now, cluster, host) else { continue };
            let [before, after] = [&self.old, &self.new].map(|state| {
                hosts(state, cluster).find(|other| {
                    let [this, other] = [host, *other].map(|host| &host["metadata"]);
                    this["name"] == other["name"] && this["namespace"] == other["namespace"]
                })
            });
            let selects = |host: &Value| host["spec"]["workloadSelector"].clone();
            let is_moved = before.zip(after).is_some_and(|(before, after)| selects(before) != selects(after));
            let has = |host: Option<&Value>, number: &Value| {
                host.is_none_or(|host| ports(host).iter().any(|port| port["number"] == *number))
            };
            let stays = |number: &Value| has(after, number) && (!is_moved || has(before, number));
            for number in ports(host).iter().map(|port| &port["number"]).filter(|number| stays(number)) {
                if service_of(policy(rule, number), number).is_none() {
                    return Some(format!("{cluster}: port {number} is there without a policy"));
                }
            }
        }
        None
    }

    /// Whether neither policy of a host or an entry suits what the other one leads to.
    fn swaps_servers(&self, cluster: &ClusterName, object: &Value, number: &Value) -> bool {
        let tls = |state: &State| rule_of(state, cluster, object).map(|rule| policy(rule, number)["tls"].clone());
        let (Some(old), Some(new)) = (tls(&self.old), tls(&self.new)) else { return false };
        let [before, after] = [&old, &new].map(|tls| texts(&tls["subjectAltNames"]));
        old["sni"] != new["sni"] || !(before.is_subset(&after) || after.is_subset(&before))
    }

    /// Whether no write of the name by which gateways know pods suits clients of before and of after, as far as an entry's gateway
    /// is concerned: other pods, while clients accept the ones or the others; a port that goes with its last clients; gateways that
    /// leave a namespace for another one, or while other pods come.
    fn swaps_what_serves(&self, cluster: &ClusterName, entry: &Value, number: &Value) -> bool {
        let target = fleet::owner_of(entry["spec"]["address"].as_str().expect("entries have an address"));
        let [before, after] = [&self.old, &self.new].map(|state| {
            let is_serving = |host: &&Value| host["spec"]["hosts"][0].as_str().is_some_and(derived::is_serving_host);
            of_kind(state, &target, "ServiceEntry").find(is_serving)
        });
        let Some((before, after)) = before.zip(after) else { return false };
        let has_other_pods = before["spec"]["workloadSelector"] != after["spec"]["workloadSelector"];
        let [old, new] = [before, after].map(|host| texts(&host["spec"]["exportTo"]));
        let loses_gateways = !old.is_subset(&new);
        let leaves = rule_of(&self.new, cluster, entry).is_none();
        let [old_servers, new_servers] = [&self.old, &self.new].map(servers);
        let swaps_servers = !(old_servers.is_subset(&new_servers) || new_servers.is_subset(&old_servers));
        let loses_port = ports(after).iter().all(|port| port["number"] != *number);
        (loses_gateways && (has_other_pods || !new.is_subset(&old)))
            || (has_other_pods && (leaves || swaps_servers))
            || (loses_port && leaves)
    }

    /// Whether an entry that goes may outlive a policy which accepts fewer servers and lists more ranks.
    fn is_awaited(&self, cluster: &ClusterName, entry: &Value, number: &Value) -> bool {
        let (Some(old), Some(new)) = (rule_of(&self.old, cluster, entry), rule_of(&self.new, cluster, entry)) else {
            return false;
        };
        let stays =
            of_kind(&self.new, cluster, "WorkloadEntry").any(|other| other["metadata"]["name"] == entry["metadata"]["name"]);
        let [before, after] = [old, new].map(|rule| texts(&policy(rule, number)["tls"]["subjectAltNames"]));
        !stays && after.is_subset(&before) && ranks(new).len() > ranks(old).len()
    }

    /// Names by which a host and its entries find each other.
    fn names(state: &State, at: &At) -> BTreeSet<String> {
        let around = state.iter().filter(|((cluster, key), _)| *cluster == at.0 && key.namespace == at.1.namespace);
        let names = around.flat_map(|(_, live)| {
            let spec = &live.value["spec"];
            let labels = [&spec["workloadSelector"]["labels"], &spec["labels"]];
            let names = labels.map(|labels| &labels[reserved::CANONICAL_NAME_LABEL]);
            names.into_iter().chain(ports(&live.value).iter().map(|port| &port["name"]))
        });
        names.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    fn lost_host(&self, now: &State, cluster: &ClusterName) -> Option<String> {
        let lost =
            self.old.keys().find(|at| at.0 == *cluster && is_host(at) && self.new.contains_key(at) && !now.contains_key(at));
        lost.map(|at| format!("{cluster}: {} is gone in between", at.1))
    }

    /// A host that is served before and after is served in between, wherever there is an order of writes that does it.
    fn deserted_host(&self, now: &State, cluster: &ClusterName) -> Option<String> {
        for (at, host) in self.old.iter().filter(|(at, _)| at.0 == *cluster && is_host(at)) {
            for number in self.lasting_ports(cluster, &host.value) {
                let is_served = [&self.old, &self.new].iter().all(|state| self.world.serves(state, at, &number));
                if is_served && !self.world.serves(now, at, &number) && self.is_avoidable(at, &number) {
                    return Some(format!("{cluster}: nobody serves port {number} of {} in between", at.1));
                }
            }
        }
        None
    }

    /// Whether some order of the changes around a host keeps it served, all Gateways being there. A deletion names its object
    /// only: where the policy drops a rank, any entry that goes may have it, and goes before. No claim is made where more
    /// than one of servers, ranks and names changes: manifests do not tell which entry has which server.
    fn is_avoidable(&self, at: &At, number: &Value) -> bool {
        let of_policy = |state: &State, member: &str| {
            rule_of(state, &at.0, &self.old[at].value).and_then(|rule| policy(rule, number).pointer(member).cloned())
        };
        let differs = |member: &str| of_policy(&self.old, member) != of_policy(&self.new, member);
        let changed = [
            differs("/tls"),
            differs("/loadBalancer/localityLbSetting/failoverPriority"),
            Self::names(&self.old, at) != Self::names(&self.new, at),
        ];
        if changed.into_iter().filter(|changed| *changed).count() > 1 {
            return false;
        }
        let mut now = self.old.clone();
        let is_exposure =
            |key: &ObjectKey| key.kind == "Gateway" || (key.kind == "ServiceEntry" && derived::is_serving_name(&key.name));
        let gateways = self.new.iter().filter(|((_, key), _)| is_exposure(key));
        now.extend(gateways.map(|(at, live)| (at.clone(), live.clone())));
        let around = changes(&self.old, &self.new).into_iter().filter(|change| {
            change.cluster == at.0 && change.key().namespace == at.1.namespace && change.key().kind != "VirtualService"
        });
        let around: Vec<Change> = around.filter(|change| !is_exposure(change.key())).collect();
        let is_policy = |change: &Change| change.key().kind == "DestinationRule";
        let drops_rank = around.iter().any(|change| match &change.operation {
            Operation::Update { old, new } if is_policy(change) => ranks(&old.value()).len() > ranks(&new.value()).len(),
            _ => false,
        });
        let deletions = (0..around.len()).filter(|position| matches!(around[*position].operation, Operation::Delete(_)));
        let deletions: u64 = deletions.map(|position| 1 << position).sum();
        let (mut seen, mut open) = (BTreeSet::new(), vec![(0_u64, now)]);
        while let Some((done, now)) = open.pop() {
            if done.count_ones() as usize == around.len() {
                return true;
            }
            for (position, change) in around.iter().enumerate().filter(|(position, _)| done & (1 << position) == 0) {
                if drops_rank && is_policy(change) && done & deletions != deletions {
                    continue;
                }
                let done = done | (1 << position);
                if seen.len() == TRIED || !seen.insert(done) {
                    continue;
                }
                let mut next = now.clone();
                apply(&mut next, change);
                if self.misled(&next, &at.0).is_none() && self.world.serves(&next, at, number) {
                    open.push((done, next));
                }
            }
        }
        false
    }

    /// A new host appears with everything that belongs to it.
    fn early_host(&self, now: &State, cluster: &ClusterName) -> Option<String> {
        let new_host = now.keys().find(|at| at.0 == *cluster && is_host(at) && !self.old.contains_key(at))?;
        let missing = self.new.keys().find(|at| {
            at.0 == *cluster && at.1.kind != "Gateway" && at.1.namespace == new_host.1.namespace && !now.contains_key(at)
        });
        missing.map(|at| format!("{cluster}: {} is there before {}", new_host.1, at.1))
    }
}

fn check(old: Option<&VirtualDestination>, new: Option<&VirtualDestination>, shuffle: &[usize]) -> Result<(), TestCaseError> {
    let step = Move::between(old, new);
    let mut now = step.old.clone();
    prop_assert_eq!(step.forbidden(&now), None, "the old state");
    for (number, mut wave) in step.waves().into_iter().enumerate() {
        prop_assert!(!wave.is_empty());
        // any permutation of a wave passes through any subset of it
        let mut position = 0;
        while !wave.is_empty() {
            let pick = shuffle[(number * 31 + position) % shuffle.len()] % wave.len();
            let change = wave.swap_remove(pick);
            position += 1;
            apply(&mut now, &change);
            prop_assert_eq!(step.forbidden(&now), None, "wave {}, after {}: {}", number, &change.cluster, change.key());
        }
    }
    prop_assert_eq!(now, step.new);
    Ok(())
}

/// Who is told last.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Late {
    Gateways,
    Clients,
}

/// The same with proxies that follow a write only when the apply waits for them.
fn check_late(old: &VirtualDestination, new: &VirtualDestination, late: Late) -> Result<(), TestCaseError> {
    let step = Move::between(Some(old), Some(new));
    let waves = step.waves();
    let pauses = pauses(&waves);
    let (mut now, mut behind) = (step.old.clone(), Vec::new());
    for (number, wave) in waves.iter().enumerate() {
        if pauses.contains(&number) {
            behind.drain(..).for_each(|change| apply(&mut now, change));
        }
        for change in wave {
            let is_way = change.key().kind == "Gateway" || derived::is_serving_name(&change.key().name);
            if is_way == (late == Late::Gateways) {
                behind.push(change);
            } else {
                apply(&mut now, change);
            }
            prop_assert_eq!(
                step.forbidden_while_some_lag(&now),
                None,
                "wave {}, after {}: {}",
                number,
                &change.cluster,
                change.key()
            );
        }
    }
    Ok(())
}

fn permutation() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..1000_usize, 40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_cut_is_forbidden(old in prop::option::weighted(0.8, fleet::destination()), new in prop::option::weighted(0.8, fleet::destination()), shuffle in permutation()) {
        check(old.as_ref(), new.as_ref(), &shuffle)?;
    }

    #[test]
    fn no_cut_is_forbidden_when_only_ranks_and_roles_change(old in fleet::destination(), other in fleet::destination(), shuffle in permutation()) {
        let mut new = old.clone();
        new.failover = other.failover;
        new.clients = other.clients;
        new.client_namespace.clear();
        prop_assume!(!mesh_translate::translate(&new).objects.is_empty());
        check(Some(&old), Some(&new), &shuffle)?;
    }

    #[test]
    fn no_cut_is_forbidden_while_proxies_lag(old in fleet::destination(), new in fleet::destination()) {
        check_late(&old, &new, Late::Gateways)?;
        check_late(&old, &new, Late::Clients)?;
    }

    #[test]
    fn nothing_to_do_is_no_wave(intent in fleet::destination()) {
        let step = Move::between(Some(&intent), Some(&intent));
        prop_assert!(step.waves().is_empty());
    }
}

/// The checks above can fail: the reverse order is full of forbidden cuts.
#[test]
fn the_reverse_order_is_forbidden() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut found = BTreeSet::new();
    for _ in 0..50 {
        let [old, new] = [0; 2].map(|_| fleet::destination().new_tree(&mut runner).expect("there are destinations").current());
        let step = Move::between(Some(&old), Some(&new));
        let mut now = step.old.clone();
        for change in step.waves().into_iter().rev().flatten() {
            apply(&mut now, &change);
            if let Some(wrong) = step.forbidden(&now) {
                let words: Vec<&str> = wrong.split_whitespace().collect();
                found.insert(words[words.len() - 2..].join(" "));
            }
        }
    }
    assert!(found.contains("a DestinationRule"), "{found:?}");
    assert!(found.contains("exposes nothing"), "{found:?}");
    assert!(found.contains("in between"), "{found:?}");
    assert!(found.contains("a policy"), "{found:?}");
}
