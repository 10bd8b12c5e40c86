//! What no order of writes does better: changes in which something is refused for a moment.

use std::collections::BTreeSet;

use mesh_model::derived;
use mesh_model::names::ClusterName;
use serde_json::Value;

use crate::routes::{self, Part};
use crate::step::Move;
use crate::world::{State, label, of_kind, policy, ports, ranks, rule_of, servers, target_of, texts};

impl Move {
    /// Whether neither policy of a host or an entry suits what the other one leads to. Gateways of a network are there for every
    /// namespace of a client, so that the policy of another one may need them too.
    pub(crate) fn swaps_servers(&self, cluster: &ClusterName, object: &Value, number: &Value) -> bool {
        let is_its = |rule: &&Value| object["spec"]["network"].is_string() && label(rule) == label(object);
        let elsewhere = |state| of_kind(state, cluster, "DestinationRule").find(is_its);
        let rule = |state| rule_of(state, cluster, object).or_else(|| elsewhere(state));
        let tls = |state| rule(state).map(|rule: &Value| policy(rule, number)["tls"].clone());
        let (Some(old), Some(new)) = (tls(&self.old), tls(&self.new)) else { return false };
        let [before, after] = [&old, &new].map(|tls| texts(&tls["subjectAltNames"]));
        old["sni"] != new["sni"] || !(before.is_subset(&after) || after.is_subset(&before))
    }

    /// Whether no write of the name by which gateways know pods suits clients of before and of after, as far as an entry's gateway
    /// is concerned: other pods, while clients accept the ones or the others, or call other subsets of them; a port that goes with its
    /// last clients; gateways that leave a namespace for another one, or while other pods, a port or a subset come; gateways that come
    /// while the last clients of a subset go.
    pub(crate) fn swaps_what_serves(&self, cluster: &ClusterName, entry: &Value, number: &Value) -> bool {
        let target = target_of(entry);
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
    pub(crate) fn is_awaited(&self, cluster: &ClusterName, entry: &Value, number: &Value) -> bool {
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
    pub(crate) fn is_early(&self, cluster: &ClusterName, entry: &Value) -> bool {
        let [old, new] = [&self.old, &self.new].map(|state| rule_of(state, cluster, entry));
        let Some((old, new)) = old.zip(new).filter(|(_, new)| ranks(new).is_empty()) else { return false };
        let ways = |state: &State, rule: &Value, part: &Part| -> BTreeSet<[String; 3]> {
            let entries = of_kind(state, cluster, "WorkloadEntry").filter(|other| label(other) == label(entry));
            let of_part = entries.filter(|other| routes::is_of(other, rule, part));
            let way = |other: &Value| {
                [&other["metadata"]["name"], &other["spec"]["address"], &other["spec"]["network"]].map(Value::to_string)
            };
            of_part.map(way).collect()
        };
        let kept = |part: &Part| part.is_none() || routes::labels(old, part) == routes::labels(new, part);
        let mut parts = routes::all_parts(new).filter(kept);
        parts.any(|part| ways(&self.old, old, &part).is_disjoint(&ways(&self.new, new, &part)))
    }
}
