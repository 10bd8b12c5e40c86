//! A change of a destination, and what is wrong in the states between.

use std::collections::{BTreeMap, BTreeSet};

use istio_objects::{Change, ObjectKey, Operation, reserved};
use mesh_model::derived::{self, NETWORK_GATEWAY};
use mesh_model::intent::{ManagedMesh, VirtualDestination};
use mesh_model::names::ClusterName;
use mesh_translate::translate_mesh;
use serde_json::Value;

use crate::routes::Part;
use crate::world::{
    At, Live, State, TRIED, World, apply, carries, changes, first_region, hosts, is_host, label, live, of_kind, policy, ports,
    ranks, rule_of, service_of, state,
};
use crate::{fleet, routes};

/// What is live before a change and after it, and what runs meanwhile.
pub(crate) struct Move {
    pub(crate) old: State,
    pub(crate) new: State,
    pub(crate) world: World,
}

impl Move {
    pub(crate) fn between(old: Option<&VirtualDestination>, new: Option<&VirtualDestination>) -> Self {
        let intents = [new, old].into_iter().flatten();
        let backends = intents.flat_map(|intent| intent.backends.iter().map(move |backend| (backend, &intent.subsets)));
        let clusters = [old, new].into_iter().flatten().flat_map(|intent| &intent.mesh.clusters);
        Self { old: state(old), new: state(new), world: World::of(backends, clusters) }
    }

    /// A change of a mesh, as one of each of its exports.
    pub(crate) fn of_exports(old: &ManagedMesh, new: &ManagedMesh) -> Vec<Self> {
        let [before, after] = [old, new].map(|mesh| live(fleet::manifests_of(&translate_mesh(mesh))));
        let of = |state: &State, hostname: &str| -> State {
            let own = state.iter().filter(|(_, live)| label(&live.value) == hostname);
            own.map(|(at, live)| (at.clone(), live.clone())).collect()
        };
        let exports = || [new, old].into_iter().flat_map(|mesh| mesh.federation.iter().flat_map(|all| &all.exports));
        let hostnames: BTreeSet<&str> = exports().map(|export| export.hostname.as_str()).collect();
        let of_export = |hostname: &str| {
            let backends = exports().filter(|export| export.hostname.as_str() == hostname);
            let none = BTreeMap::new();
            let backends = backends.map(|export| (&export.backend, &none)).collect::<Vec<_>>();
            let clusters = [old, new].into_iter().flat_map(|mesh| &mesh.mesh.clusters);
            Self { old: of(&before, hostname), new: of(&after, hostname), world: World::of(backends, clusters) }
        };
        hostnames.into_iter().map(of_export).collect()
    }

    /// What is wrong in a state between old and new.
    pub(crate) fn forbidden(&self, now: &State) -> Option<String> {
        let clusters: BTreeSet<&ClusterName> = now.keys().chain(self.old.keys()).chain(self.new.keys()).map(|(c, _)| c).collect();
        for cluster in clusters {
            let host = |state: &State| hosts(state, cluster).next().is_some();
            if host(&self.old) && host(&self.new) && !host(now) {
                return Some(format!("{cluster}: the host is gone in between"));
            }
            let wrong = routes::lost(now, cluster)
                .or_else(|| self.misled(now, cluster))
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
    pub(crate) fn forbidden_while_some_lag(&self, now: &State) -> Option<String> {
        let clusters: BTreeSet<&ClusterName> = self.old.keys().map(|(cluster, _)| cluster).collect();
        let is_lasting = |state: &State, cluster| {
            let place = |state| hosts(state, cluster).next().map(|host: &Value| host["metadata"].clone());
            let same = |one: &Value, other: &Value| one["name"] == other["name"] && one["namespace"] == other["namespace"];
            place(&self.old).zip(place(state)).is_some_and(|(old, other)| same(&old, &other))
        };
        let mut lasting = clusters.into_iter().filter(|cluster| is_lasting(&self.new, cluster));
        lasting.find_map(|cluster| self.led_nowhere(now, cluster).or_else(|| self.deserted_host(now, cluster)))
    }

    /// An entry without its policy, or with a rank that it does not list, or that comes before its rank.
    fn misled(&self, now: &State, cluster: &ClusterName) -> Option<String> {
        for entry in of_kind(now, cluster, "WorkloadEntry") {
            let name = entry["metadata"]["name"].to_string();
            let Some(rule) = rule_of(now, cluster, entry) else {
                return Some(format!("{cluster}: entry {name} without a DestinationRule"));
            };
            let ranks = ranks(rule);
            let labels = entry["spec"]["labels"].as_object().expect("entries have labels");
            let rank = labels.keys().find(|key| key.starts_with(reserved::RANK_PREFIX));
            let region = entry["spec"]["locality"].as_str().unwrap_or_default();
            let is_listed = match rank {
                // a rule that lists none gives shares by region, or ranks: that of its clients comes first
                Some(_) if ranks.is_empty() => first_region(rule) != Some(region),
                Some(rank) => ranks.contains(rank.as_str()),
                // where ranks count its region comes after that of the client's own pods
                None => derived::is_share_region(region) || region.starts_with("gloo-rank-"),
            };
            if !is_listed {
                return Some(format!("{cluster}: entry {name} has {rank:?}, its rule lists {ranks:?}"));
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
                    || !carries(policy(rule, &number), entry)
                    || self.is_early(cluster, entry)
                    || self.is_awaited(cluster, entry, &number)
                    || self.swaps_what_serves(cluster, entry, &number);
                // of an entry that is there before and after, both must hold
                let leads = |state: &State, part: &Part| {
                    let same = of_kind(state, cluster, "WorkloadEntry").find(|other| other["metadata"] == entry["metadata"]);
                    same.is_none_or(|same| {
                        let rule = rule_of(state, cluster, same);
                        rule.is_some_and(|rule| self.leads(state, cluster, rule, part, &number, same))
                    })
                };
                let is_led = |part: &Part| {
                    !leads(&self.old, part) || !leads(&self.new, part) || self.leads(now, cluster, rule, part, &number, entry)
                };
                if !is_swapped && !routes::parts(now, cluster, entry).iter().all(is_led) {
                    return Some(format!("{cluster}: entry {name} leads to a gateway which exposes nothing"));
                }
            }
        }
        None
    }

    /// Whether calls of a part end at servers that the policy accepts, if an entry belongs to it.
    fn leads(&self, state: &State, cluster: &ClusterName, rule: &Value, part: &Part, number: &Value, entry: &Value) -> bool {
        !routes::is_of(entry, rule, part) || self.world.leads(state, cluster, routes::policy(rule, part, number), number, entry)
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
                let lacks = |part: &Part| service_of(routes::policy(rule, part, number), number).is_none();
                if routes::all_parts(rule).any(|part| lacks(&part)) {
                    return Some(format!("{cluster}: port {number} is there without a policy"));
                }
            }
        }
        None
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
            differs("/loadBalancer/localityLbSetting"),
            Self::names(&self.old, at) != Self::names(&self.new, at),
        ];
        if changed.into_iter().filter(|changed| *changed).count() > 1 {
            return false;
        }
        let mut now = self.old.clone();
        let is_exposure =
            |key: &ObjectKey| key.kind == "Gateway" || key.kind == NETWORK_GATEWAY || derived::is_serving_name(&key.name);
        // subsets that go do so last
        let drops_subset = |at: &At, live: &Live| {
            let old = self.old.get(at).filter(|_| at.1.kind == "DestinationRule");
            old.is_some_and(|old| {
                !routes::all_parts(&old.value).all(|part| routes::all_parts(&live.value).any(|other| other == part))
            })
        };
        let gateways = self.new.iter().filter(|(at, live)| is_exposure(&at.1) && !drops_subset(at, live));
        now.extend(gateways.map(|(at, live)| (at.clone(), live.clone())));
        let host = &self.old[at].value;
        let is_turned = routes::weights(&self.old, &at.0, host).keys().ne(routes::weights(&self.new, &at.0, host).keys());
        let around = changes(&self.old, &self.new).into_iter().filter(|change| {
            change.cluster == at.0
                && change.key().namespace == at.1.namespace
                && (is_turned || change.key().kind != "VirtualService")
        });
        let around: Vec<Change> = around.filter(|change| !is_exposure(change.key())).collect();
        let is_policy = |change: &Change| change.key().kind == "DestinationRule";
        let drops_rank = around.iter().any(|change| match &change.operation {
            Operation::Update { old, new } if is_policy(change) => {
                let [old, new] = [old.value(), new.value()];
                !ranks(&new).is_empty() && ranks(&old).len() > ranks(&new).len()
            }
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
                let is_right = routes::lost(&next, &at.0).is_none() && self.misled(&next, &at.0).is_none();
                if is_right && self.world.serves(&next, at, number) {
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
