//! No cut of the ordered changes is a state that loses or misroutes requests.

use std::collections::{BTreeMap, BTreeSet};

use istio_objects::{Change, Manifest, ObjectKey, Operation, Wave, reserved};
use mesh_model::derived;
use mesh_model::intent::{Failover, ManagedMesh, Shares, VirtualDestination};
use mesh_model::names::ClusterName;
use mesh_translate::{check_subsets, order, pauses, translate, translate_mesh};
use proptest::prelude::*;
use serde_json::Value;

use crate::routes::Part;
use crate::world::{
    At, Live, State, TRIED, World, apply, carries, changes, hosts, is_host, label, live, of_kind, policy, ports, ranks, rule_of,
    servers, service_of, state, texts,
};
use crate::{fleet, routes};

struct Move {
    old: State,
    new: State,
    world: World,
}

impl Move {
    fn between(old: Option<&VirtualDestination>, new: Option<&VirtualDestination>) -> Self {
        let intents = [new, old].into_iter().flatten();
        let backends = intents.flat_map(|intent| intent.backends.iter().map(move |backend| (backend, &intent.subsets)));
        let clusters = [old, new].into_iter().flatten().flat_map(|intent| &intent.mesh.clusters);
        Self { old: state(old), new: state(new), world: World::of(backends, clusters) }
    }

    /// A change of a mesh, as one of each of its exports.
    fn of_exports(old: &ManagedMesh, new: &ManagedMesh) -> Vec<Self> {
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

    fn waves(&self) -> Vec<Wave> {
        waves(std::slice::from_ref(self))
    }

    /// What is wrong in a state between old and new.
    fn forbidden(&self, now: &State) -> Option<String> {
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
            let rank = labels.keys().find(|key| key.starts_with(reserved::RANK_PREFIX));
            let region = entry["spec"]["locality"].as_str().unwrap_or_default();
            let is_listed = match rank {
                // a rule that lists none gives shares, by region
                Some(rank) => ranks.is_empty() || ranks.contains(rank.as_str()),
                // where ranks count its region comes after that of the client's own pods
                None => derived::is_share_region(region),
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
                        rule.is_some_and(|rule| self.leads(state, rule, part, &number, same))
                    })
                };
                let is_led = |part: &Part| {
                    !leads(&self.old, part) || !leads(&self.new, part) || self.leads(now, rule, part, &number, entry)
                };
                if !is_swapped && !routes::parts(now, cluster, entry).iter().all(is_led) {
                    return Some(format!("{cluster}: entry {name} leads to a gateway which exposes nothing"));
                }
            }
        }
        None
    }

    /// Whether calls of a part end at servers that the policy accepts, if an entry belongs to it.
    fn leads(&self, state: &State, rule: &Value, part: &Part, number: &Value, entry: &Value) -> bool {
        !routes::is_of(entry, rule, part) || self.world.leads(state, routes::policy(rule, part, number), number, entry)
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

    /// Whether neither policy of a host or an entry suits what the other one leads to.
    fn swaps_servers(&self, cluster: &ClusterName, object: &Value, number: &Value) -> bool {
        let tls = |state: &State| rule_of(state, cluster, object).map(|rule| policy(rule, number)["tls"].clone());
        let (Some(old), Some(new)) = (tls(&self.old), tls(&self.new)) else { return false };
        let [before, after] = [&old, &new].map(|tls| texts(&tls["subjectAltNames"]));
        old["sni"] != new["sni"] || !(before.is_subset(&after) || after.is_subset(&before))
    }

    /// Whether no write of the name by which gateways know pods suits clients of before and of after, as far as an entry's gateway
    /// is concerned: other pods, while clients accept the ones or the others, or call other subsets of them; a port that goes with its
    /// last clients; gateways that leave a namespace for another one, or while other pods, a port or a subset come; gateways that come
    /// while the last clients of a subset go.
    fn swaps_what_serves(&self, cluster: &ClusterName, entry: &Value, number: &Value) -> bool {
        let target = fleet::owner_of(entry["spec"]["address"].as_str().expect("entries have an address"));
        let [before, after] = [&self.old, &self.new].map(|state| {
            let is_serving = |host: &&Value| host["spec"]["hosts"][0].as_str().is_some_and(derived::is_serving_host);
            of_kind(state, &target, "ServiceEntry").find(is_serving)
        });
        let Some((before, after)) = before.zip(after) else { return false };
        let served_by = before["spec"]["hosts"][0].as_str();
        let has_other_pods = before["spec"]["workloadSelector"] != after["spec"]["workloadSelector"];
        let [old, new] = [before, after].map(|host| texts(&host["spec"]["exportTo"]));
        let loses_gateways = !old.is_subset(&new);
        let leaves = rule_of(&self.new, cluster, entry).is_none();
        // of another subset, whose pods those that come may lack
        let parts = !routes::is_whole(entry);
        let goes = parts && of_kind(&self.new, cluster, "WorkloadEntry").all(|other| other["metadata"] != entry["metadata"]);
        let [old_servers, new_servers] = [&self.old, &self.new].map(servers);
        let swaps_servers = !(old_servers.is_subset(&new_servers) || new_servers.is_subset(&old_servers));
        let lacks_port = |host: &Value| ports(host).iter().all(|port| port["number"] != *number);
        let (gains_port, loses_port) = (lacks_port(before), lacks_port(after));
        let gains_gateways = !new.is_subset(&old);
        let [old_parts, new_parts] = [&self.old, &self.new].map(|state| {
            let rule = served_by.and_then(|name| crate::world::serving_rule(state, &target, name));
            rule.map(|rule| rule["spec"]["subsets"].as_array().cloned().unwrap_or_default()).unwrap_or_default()
        });
        let loses_subset = old_parts.iter().any(|part| !new_parts.contains(part));
        let gains_subset = new_parts.iter().any(|part| !old_parts.contains(part));
        let versions = |host: &Value| self.world.versions(&target, &host["spec"]["workloadSelector"]["labels"]);
        let has_other_subsets = old_parts != new_parts || versions(before) != versions(after);
        (loses_gateways && (has_other_pods || gains_port || gains_gateways || gains_subset))
            || (has_other_pods && gains_gateways)
            || (has_other_pods && (leaves || swaps_servers || has_other_subsets || goes))
            || (loses_subset && gains_gateways && leaves)
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

    /// Whether an entry may come before the policy that gives it a share: where of some part no other one stays, which would serve
    /// until then.
    fn is_early(&self, cluster: &ClusterName, entry: &Value) -> bool {
        let [old, new] = [&self.old, &self.new].map(|state| rule_of(state, cluster, entry));
        let Some((old, new)) = old.zip(new).filter(|(_, new)| ranks(new).is_empty()) else { return false };
        let ways = |state: &State, rule: &Value, part: &Part| -> BTreeSet<[String; 2]> {
            let entries = of_kind(state, cluster, "WorkloadEntry").filter(|other| label(other) == label(entry));
            let of_part = entries.filter(|other| routes::is_of(other, rule, part));
            of_part.map(|other| [&other["metadata"]["name"], &other["spec"]["address"]].map(Value::to_string)).collect()
        };
        let kept = |part: &Part| part.is_none() || routes::labels(old, part) == routes::labels(new, part);
        let mut parts = routes::all_parts(new).filter(kept);
        parts.any(|part| ways(&self.old, old, &part).is_disjoint(&ways(&self.new, new, &part)))
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
        let is_exposure = |key: &ObjectKey| key.kind == "Gateway" || derived::is_serving_name(&key.name);
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

/// Whether the plan refuses a change: one that no order of writes carries.
fn is_refused(old: &VirtualDestination, new: &VirtualDestination) -> bool {
    !check_subsets(&fleet::manifests(old), &translate(new).objects).is_empty()
}

fn check(old: Option<&VirtualDestination>, new: Option<&VirtualDestination>, shuffle: &[usize]) -> Result<(), TestCaseError> {
    prop_assume!(!old.zip(new).is_some_and(|(old, new)| is_refused(old, new)));
    check_together(&[Move::between(old, new)], shuffle)
}

/// Judges each destination by itself, whatever else changes at once. No two have an object in common.
fn check_together(moves: &[Move], shuffle: &[usize]) -> Result<(), TestCaseError> {
    let mut now: Vec<State> = moves.iter().map(|step| step.old.clone()).collect();
    for (step, now) in moves.iter().zip(&now) {
        prop_assert_eq!(step.forbidden(now), None, "the old state");
    }
    for (number, mut wave) in waves(moves).into_iter().enumerate() {
        prop_assert!(!wave.is_empty());
        // any permutation of a wave passes through any subset of it
        let mut position = 0;
        while !wave.is_empty() {
            let pick = shuffle[(number * 31 + position) % shuffle.len()] % wave.len();
            let change = wave.swap_remove(pick);
            position += 1;
            let at = (change.cluster.clone(), change.key().clone());
            let is_its = |step: &Move| step.old.contains_key(&at) || step.new.contains_key(&at);
            let its = moves.iter().position(is_its).expect("every change is a destination's");
            apply(&mut now[its], &change);
            prop_assert_eq!(
                moves[its].forbidden(&now[its]),
                None,
                "wave {}, after {}: {}",
                number,
                &change.cluster,
                change.key()
            );
        }
    }
    for (step, now) in moves.iter().zip(now) {
        prop_assert_eq!(&now, &step.new);
    }
    Ok(())
}

/// All that changes, in order.
fn waves(moves: &[Move]) -> Vec<Wave> {
    let mut goal: BTreeMap<ClusterName, Vec<Manifest>> = BTreeMap::new();
    for ((cluster, _), live) in moves.iter().flat_map(|step| &step.new) {
        goal.entry(cluster.clone()).or_default().push(live.manifest.clone());
    }
    order(moves.iter().flat_map(|step| changes(&step.old, &step.new)).collect(), &goal)
}

/// Who is told last.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Late {
    Gateways,
    Clients,
}

/// The same with proxies that follow a write only when the apply waits for them.
fn check_late(old: &VirtualDestination, new: &VirtualDestination, late: Late) -> Result<(), TestCaseError> {
    prop_assume!(!is_refused(old, new));
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

/// What a proxy is told between two pauses may reach it at once, policies before routes or routes before policies.
fn check_at_once(old: &VirtualDestination, new: &VirtualDestination, policies_first: bool) -> Result<(), TestCaseError> {
    prop_assume!(!is_refused(old, new));
    let step = Move::between(Some(old), Some(new));
    let waves = step.waves();
    let pauses = pauses(&waves);
    let (mut now, mut behind) = (step.old.clone(), Vec::new());
    for (number, wave) in waves.iter().enumerate() {
        if pauses.contains(&number) {
            behind.drain(..).for_each(|change| apply(&mut now, change));
        }
        for change in wave {
            // where a host comes or goes nobody calls it yet, or any more
            let is_its =
                |(at, _): &(&At, &Live)| at.0 == change.cluster && at.1.namespace == change.key().namespace && is_host(at);
            let is_lasting = step.old.iter().find(is_its).is_some_and(|(at, _)| step.new.contains_key(at));
            let is_policy = change.key().kind == "DestinationRule";
            if is_lasting && routes::is_told_at_once(change) && is_policy != policies_first {
                behind.push(change);
            } else {
                apply(&mut now, change);
            }
            let lost = routes::lost(&now, &change.cluster);
            prop_assert_eq!(lost.filter(|_| is_lasting), None, "wave {}, after {}: {}", number, &change.cluster, change.key());
        }
    }
    Ok(())
}

/// The same destination under a hostname of its own.
fn renamed(mut intent: VirtualDestination, number: usize) -> VirtualDestination {
    intent.hostname = fleet::name(&format!("number-{number}.{}", intent.hostname));
    intent
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
        fleet::fit(&mut new);
        new.clients = other.clients;
        new.client_namespace.clear();
        prop_assume!(!mesh_translate::translate(&new).objects.is_empty());
        check(Some(&old), Some(&new), &shuffle)?;
    }

    /// A share moves from one cluster that has a subset to another, while nothing else of that subset serves, and other subsets stay.
    #[test]
    fn no_cut_is_forbidden_when_the_share_of_a_subset_moves(intent in fleet::destination(), shuffle in permutation()) {
        let client = intent.clients.first().expect("there are clients");
        let serving: BTreeSet<&ClusterName> = intent.backends.iter().map(|backend| &backend.cluster).filter(|one| *one != client).collect();
        let serving: Vec<&ClusterName> = serving.into_iter().collect();
        prop_assume!(serving.len() > 2);
        let of = |moving: &ClusterName| {
            let shares = Shares::new(BTreeMap::from([(serving[0].clone(), 50), (moving.clone(), 50)])).expect("they make 100");
            let mut one = VirtualDestination { clients: BTreeSet::from([client.clone()]), ..fleet::whole(intent.clone()) };
            one.failover = Failover { spread: BTreeMap::from([(client.clone(), shares)]), ..Failover::default() };
            one.subsets = fleet::two_subsets();
            let without_second = one.backends.iter_mut().filter(|backend| backend.cluster == *serving[0]);
            without_second.for_each(|backend| backend.subsets = Some(BTreeSet::from([fleet::name("v1")])));
            one
        };
        let [old, new] = [of(serving[1]), of(serving[2])];
        prop_assert!(![&old, &new].iter().any(|one| translate(one).objects.is_empty()));
        check(Some(&old), Some(&new), &shuffle)?;
    }

    #[test]
    fn no_cut_is_forbidden_while_proxies_lag(old in fleet::destination(), new in fleet::destination()) {
        check_late(&old, &new, Late::Gateways)?;
        check_late(&old, &new, Late::Clients)?;
    }

    #[test]
    fn no_route_is_lost_when_a_proxy_is_told_much_at_once(old in fleet::destination(), new in fleet::destination(), policies_first in any::<bool>()) {
        check_at_once(&old, &new, policies_first)?;
    }

    #[test]
    fn no_cut_is_forbidden_when_only_subsets_change(old in fleet::destination(), other in fleet::destination(), shuffle in permutation()) {
        let mut new = old.clone();
        new.subsets = other.subsets;
        for backend in &mut new.backends {
            let same = other.backends.iter().find(|same| same.cluster == backend.cluster);
            backend.subsets = same.and_then(|same| same.subsets.clone());
        }
        prop_assume!(!translate(&new).objects.is_empty());
        check(Some(&old), Some(&new), &shuffle)?;
        check_late(&old, &new, Late::Gateways)?;
        check_late(&old, &new, Late::Clients)?;
    }

    /// What is refused is carried by two steps: the subsets of both, those that come without weight.
    #[test]
    fn what_is_refused_goes_in_two_steps(old in fleet::with_subsets(), subsets in fleet::some_subsets()) {
        let mut new = old.clone();
        new.subsets = subsets;
        for (name, subset) in &mut new.subsets {
            // one with other labels gets another name
            if let Some(same) = old.subsets.get(name) {
                subset.labels.clone_from(&same.labels);
            }
        }
        new.backends.iter_mut().for_each(|backend| backend.subsets = None);
        let mut between = new.clone();
        between.subsets.values_mut().for_each(|subset| subset.weight = 0);
        between.subsets.extend(old.subsets.clone());
        for (from, to) in [(&old, &between), (&between, &new)] {
            prop_assume!(!translate(to).objects.is_empty());
            prop_assert!(!is_refused(from, to));
        }
    }

    #[test]
    fn no_cut_is_forbidden_when_several_destinations_of_a_namespace_change(
        intents in prop::collection::vec((prop::option::weighted(0.8, fleet::destination()), prop::option::weighted(0.8, fleet::destination())), 2..=3),
        shuffle in permutation(),
    ) {
        let intents = intents.into_iter().enumerate();
        let moves = intents.map(|(number, (old, new))| {
            let [old, new] = [old, new].map(|intent| intent.map(|intent| renamed(intent, number)));
            // one that is refused is no change
            let new = if old.as_ref().zip(new.as_ref()).is_some_and(|(old, new)| is_refused(old, new)) { old.clone() } else { new };
            Move::between(old.as_ref(), new.as_ref())
        });
        check_together(&moves.collect::<Vec<_>>(), &shuffle)?;
    }

    #[test]
    fn no_cut_is_forbidden_when_exports_change(old in fleet::exporting_mesh(), new in fleet::exporting_mesh(), shuffle in permutation()) {
        check_together(&Move::of_exports(&old, &new), &shuffle)?;
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
