//! Subsets: a call goes to one by its weight, and is served as if there were no other.

use std::collections::BTreeSet;

use mesh_foresight::{Cause, Fault, Forecast, NoRoute, Share, State, Tries, World};
use mesh_model::intent::VirtualDestination;
use mesh_model::names::{ClusterName, SubsetName};
use mesh_translate::translate;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::ranks::{alive, foresee, order, request, without};
use crate::rig::{HOST, Rig, SERVICE, cluster, entry, percents};
use crate::{fleet, named};

/// v1 gets so many percent and v2 the rest. West has pods of v1 alone, and every gateway passes both.
fn divided(percent: u32) -> Rig {
    let mut rig = Rig::new();
    let subset = |name: &str| json!({ "name": name, "labels": { "version": name } });
    let named = |name: &str| {
        let mut subset = subset(name);
        subset["trafficPolicy"] = json!({ "tls": {
            "mode": "ISTIO_MUTUAL",
            "sni": format!("outbound_.9080_.{name}_.{SERVICE}"),
            "subjectAltNames": ["spiffe://cluster.local/ns/bookinfo/sa/bookinfo-reviews"],
        } });
        subset
    };
    rig = rig.with("east", "DestinationRule", &json!({ "spec": { "subsets": [named("v1"), named("v2")] } }));
    let target = |name: &str, weight| json!({ "destination": { "host": HOST, "subset": name }, "weight": weight });
    let parts = json!([target("v1", percent), target("v2", 100 - percent)]);
    let objects = rig.objects.get_mut(&cluster("east")).unwrap();
    objects
        .iter_mut()
        .filter(|object| object["kind"] == "VirtualService")
        .for_each(|it| it["spec"]["http"][0]["route"] = parts.clone());
    objects.retain(|object| object["kind"] != "WorkloadEntry");
    let version = |mut entry: Value, name: &str| {
        entry["spec"]["labels"]["version"] = json!(name);
        entry["metadata"]["name"] = json!(format!("{}-{name}", entry["metadata"]["name"].as_str().unwrap()));
        entry
    };
    let entries = [("west", 2, 1, "v1"), ("north", 3, 2, "v1"), ("north", 3, 2, "v2")];
    rig.add("east", entries.map(|(name, number, rank, subset)| version(entry(name, number, rank), subset)));
    let rule = json!({
        "kind": "DestinationRule",
        "metadata": { "name": "serving", "namespace": "bookinfo" },
        "spec": { "host": SERVICE, "exportTo": ["istio-system"], "subsets": [subset("v1"), subset("v2")] },
    });
    for name in ["west", "north"] {
        rig.add(name, [rule.clone()]);
    }
    let west = rig.backends.iter_mut().find(|backend| backend.cluster == cluster("west")).unwrap();
    west.subsets = Some(BTreeSet::from(["v1".parse().unwrap()]));
    rig
}

fn of(shares: &[(&str, u128)]) -> Vec<(String, u128)> {
    shares.iter().map(|(name, share)| ((*name).to_owned(), *share)).collect()
}

#[test]
fn each_subset_fails_over_by_itself() {
    let rig = divided(90);
    let well = rig.get(&World::default());
    assert_eq!(percents(&well), of(&[("east", 100)]));
    let dead = rig.get(&World::default().without_service(&cluster("east"), Fault::Application));
    assert_eq!(percents(&dead), of(&[("north", 10), ("west", 90)]));
    assert_eq!((&dead.first, &dead.lasting), (&Tries::Repeated, &Tries::Clean));
    let both = World::default().without_service(&cluster("east"), Fault::Application).without_cluster(&cluster("west"));
    assert_eq!(percents(&rig.get(&both)), of(&[("north", 100)]));
    let all = both.without_cluster(&cluster("north"));
    let nobody = rig.get(&all);
    assert!(nobody.shares.is_empty() && nobody.ways.iter().all(|way| matches!(way.state, State::Ejected(..))), "{nobody:?}");
}

#[test]
fn a_part_that_nobody_serves_is_lost_and_no_other() {
    // only pods of the client's own cluster are of v2
    let mut rig = divided(75);
    rig.objects.get_mut(&cluster("east")).unwrap().retain(|object| object["metadata"]["name"] != "vd-reviews-north-v2");
    assert_eq!(percents(&rig.get(&World::default())), of(&[("east", 100)]));
    let east = rig.backends.iter_mut().find(|backend| backend.cluster == cluster("east")).unwrap();
    east.subsets = Some(BTreeSet::from(["v1".parse().unwrap()]));
    let part = rig.get(&World::default());
    assert_eq!((percents(&part), part.failing), (of(&[("east", 75)]), Share::of(1, 4)));
    assert!(matches!(part.lasting, Tries::Lost(_)));
}

#[test]
fn a_gateway_passes_the_subsets_that_it_is_told_of() {
    let dead = World::default().without_service(&cluster("east"), Fault::Application);
    let untold = divided(50).without("north", "DestinationRule").get(&dead);
    let refused = untold.ways.iter().find(|way| way.subset.as_deref() == Some("v2") && way.cluster == Some(cluster("north")));
    assert!(
        matches!(&refused.unwrap().state, State::Ejected(_, Cause::ServerName(name)) if name.contains("_.v2_.")),
        "{untold:?}"
    );
    // entries of a subset without pods lead nowhere
    let mut rig = divided(50);
    let north = rig.backends.iter_mut().find(|backend| backend.cluster == cluster("north")).unwrap();
    north.subsets = Some(BTreeSet::from(["v1".parse().unwrap()]));
    let none = rig.get(&dead);
    assert!(none.ways.iter().any(|way| matches!(way.state, State::Ejected(_, Cause::NoPods))), "{none:?}");
}

#[test]
fn a_subset_that_the_policy_lacks_has_no_route() {
    let rig = divided(100).with("east", "DestinationRule", &json!({ "spec": { "subsets": [] } }));
    assert_eq!(rig.ask(&World::default(), |_| {}), Forecast::NoRoute(NoRoute::SubsetUnknown));
}

fn destinations() -> impl Strategy<Value = VirtualDestination> {
    // hostnames share ranks
    let is_judged = |intent: &VirtualDestination| named::of(intent).is_empty() && !translate(intent).objects.is_empty();
    fleet::with_subsets().prop_filter("what is refused has no objects", is_judged)
}

fn has(intent: &VirtualDestination, cluster: &ClusterName, subset: &SubsetName) -> bool {
    intent.backends.iter().any(|backend| backend.cluster == *cluster && backend.has_subset(subset))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Whichever clusters are dead: calls of each subset are served by those of its own clusters that are next.
    #[test]
    fn each_subset_is_served_by_the_best_of_its_own(
        intent in destinations(),
        dead in prop::sample::subsequence((0..5).collect::<Vec<usize>>(), 0..=5),
    ) {
        let foresight = foresee(&intent);
        let names: Vec<&ClusterName> = intent.mesh.clusters.keys().collect();
        let dead: BTreeSet<&ClusterName> = dead.into_iter().map(|index| names[index % names.len()]).collect();
        for client in &intent.clients {
            let mut expected: BTreeSet<&ClusterName> = BTreeSet::new();
            for (name, _) in intent.subsets.iter().filter(|(_, subset)| subset.weight > 0) {
                let mut order = order(&intent, client);
                order.iter_mut().for_each(|group| group.retain(|cluster| has(&intent, cluster, name)));
                expected.extend(alive(&intent, client, &order, &dead));
            }
            let forecast = foresight.forecast(&without(client, dead.iter().copied()), &request(&intent, client));
            prop_assert_eq!(forecast.servers(), expected, "{} without {:?}", client, dead);
            let Forecast::Routed(routed) = forecast else { continue };
            let all = routed.shares.values().copied().sum::<Share>() + routed.failing;
            prop_assert!(!dead.is_empty() || all == Share::ALL, "{:?}", all);
        }
    }
}
