//! What the folders must never hold, whenever a run is cut off.

use std::collections::{BTreeMap, BTreeSet};

use istio_objects::reserved::{DESTINATION_LABEL as DESTINATION, RANK_PREFIX as RANK};
use serde_json::Value as Json;

/// Objects by cluster and path.
pub(crate) type Objects = BTreeMap<(String, String), Json>;

fn of_kind<'a>(objects: &'a Objects, cluster: &'a str, kind: &'a str) -> impl Iterator<Item = &'a Json> + 'a {
    objects.iter().filter(move |((at, _), object)| at == cluster && object["kind"] == kind).map(|(_, object)| object)
}

/// Which cluster an address of the tests' gateways belongs to.
fn owner_of(address: &Json) -> &'static str {
    match address.as_str().unwrap() {
        "203.0.113.10" | "203.0.113.11" => "east",
        "203.0.113.20" | "203.0.113.21" => "west",
        "203.0.113.30" => "north",
        other => panic!("nobody has the address {other}"),
    }
}

/// Everything that is wrong in `now`, a cut between `old` and `new`.
pub(crate) fn forbidden(old: &Objects, new: &Objects, now: &Objects) -> BTreeSet<String> {
    let mut wrong = BTreeSet::new();
    let clusters: BTreeSet<&str> =
        [old, new, now].into_iter().flat_map(|o| o.keys().map(|(cluster, _)| cluster.as_str())).collect();
    for cluster in clusters {
        for entry in of_kind(now, cluster, "WorkloadEntry") {
            let name = &entry["metadata"]["name"];
            let rule = of_kind(now, cluster, "DestinationRule").find(|rule| {
                rule["metadata"]["labels"][DESTINATION] == entry["metadata"]["labels"][DESTINATION]
                    && rule["metadata"]["namespace"] == entry["metadata"]["namespace"]
            });
            let Some(rule) = rule else {
                wrong.insert(format!("{cluster}: entry {name} without a DestinationRule"));
                continue;
            };
            let ranks = rule["spec"]["trafficPolicy"]["loadBalancer"]["localityLbSetting"]["failoverPriority"].to_string();
            let labels = entry["spec"]["labels"].as_object().unwrap();
            let rank =
                labels.keys().find(|key| key.starts_with(RANK)).unwrap_or_else(|| panic!("entry {name} has no rank: {labels:?}"));
            if !ranks.contains(&format!("{rank:?}")) {
                wrong.insert(format!("{cluster}: entry {name} has {rank}, its rule lists {ranks}"));
            }
            let target = owner_of(&entry["spec"]["address"]);
            if of_kind(now, target, "Gateway").next().is_none() {
                wrong.insert(format!("{cluster}: entry {name} leads to {target}, which exposes nothing"));
            }
        }
        let hosts = |objects: &Objects| -> BTreeSet<String> {
            let entries = of_kind(objects, cluster, "ServiceEntry");
            entries.flat_map(|entry| entry["spec"]["hosts"].as_array().unwrap().iter().map(ToString::to_string)).collect()
        };
        let (before, after, there) = (hosts(old), hosts(new), hosts(now));
        wrong.extend(
            before
                .intersection(&after)
                .filter(|host| !there.contains(*host))
                .map(|host| format!("{cluster}: {host} is gone in between")),
        );
        for early in there.difference(&before) {
            let belongs = |object: &Json| {
                object["kind"] != "Gateway" && object["metadata"]["annotations"].to_string().contains("virtual_destination")
            };
            let missing = new.iter().find(|(at, object)| at.0 == cluster && belongs(object) && !now.contains_key(*at));
            wrong.extend(missing.map(|(at, _)| format!("{cluster}: {early} is there before {}", at.1)));
        }
    }
    wrong
}
