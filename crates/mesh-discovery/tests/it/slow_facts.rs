//! Facts are slow: neither the order of the inventory nor the life of pods and nodes changes one.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::cases::Case;

/// The objects of an inventory, one by one.
fn flat(objects: &[Value]) -> Vec<Value> {
    objects
        .iter()
        .flat_map(|object| match object.get("items").and_then(Value::as_array) {
            Some(items) => items.clone(),
            None => vec![object.clone()],
        })
        .collect()
}

/// Shuffles every list of an object whose order carries no meaning; arguments of containers have one.
fn shuffle_lists(value: &mut Value, seed: &mut u64) {
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(|item| shuffle_lists(item, seed));
            for upper in (1..items.len()).rev() {
                *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let lower = usize::try_from(*seed >> 33).unwrap() % (upper + 1);
                items.swap(upper, lower);
            }
        }
        Value::Object(members) => {
            let is_free = |name: &str| !matches!(name, "args" | "ipFamilies");
            members.iter_mut().filter(|(name, _)| is_free(name)).for_each(|(_, member)| shuffle_lists(member, seed));
        }
        _ => {}
    }
}

/// What may happen to a pod by itself.
#[derive(Clone, Copy, Debug)]
enum Churn {
    Kept,
    Gone,
    Doubled,
    Replaced,
    Moved,
    NotReady,
    Patched,
    Terminating,
    Finished,
}

fn churn() -> impl Strategy<Value = Churn> {
    use Churn::{Doubled, Finished, Gone, Kept, Moved, NotReady, Patched, Replaced, Terminating};
    prop::sample::select(vec![Kept, Gone, Doubled, Replaced, Moved, NotReady, Patched, Terminating, Finished])
}

fn renamed(pod: &Value, number: usize) -> Value {
    let mut pod = pod.clone();
    pod["metadata"]["name"] = format!("{}-{number}", pod["metadata"]["name"].as_str().unwrap()).into();
    pod["metadata"]["uid"] = format!("uid-{number}").into();
    pod["status"]["podIP"] = format!("10.9.8.{}", number % 250 + 1).into();
    pod["status"]["containerStatuses"] = json!([{ "restartCount": number }]);
    pod
}

fn after(pod: &Value, number: usize, churn: Churn) -> Vec<Value> {
    let mut pod = pod.clone();
    match churn {
        Churn::Kept => {}
        Churn::Gone => return vec![],
        Churn::Doubled => return vec![renamed(&pod, number), pod],
        Churn::Replaced => {
            // a rollout: another ReplicaSet, hence another hash
            let hash = pod["metadata"]["labels"]["pod-template-hash"].as_str().unwrap().to_owned();
            let text = pod.to_string().replace(&hash, &format!("f{number:x}"));
            return vec![renamed(&serde_json::from_str(&text).unwrap(), number)];
        }
        Churn::Moved => pod["spec"]["nodeName"] = ["east-node-1", "east-node-2", "gone-node"][number % 3].into(),
        Churn::NotReady => pod["status"]["conditions"] = json!([{ "type": "Ready", "status": "False" }]),
        Churn::Patched => pod = serde_json::from_str(&pod.to_string().replace(":1.28.1", ":1.28.7")).unwrap(),
        Churn::Terminating => pod["metadata"]["deletionTimestamp"] = "2026-03-03T00:00:00Z".into(),
        Churn::Finished => pod["status"]["phase"] = "Failed".into(),
    }
    vec![pod]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_never_matters(seed in any::<u64>()) {
        let mut seed = seed;
        for case in Case::all() {
            let mut objects = Value::Array(case.objects.clone());
            shuffle_lists(&mut objects, &mut seed);
            let Value::Array(objects) = objects else { unreachable!() };
            prop_assert_eq!(case.judge(&objects), case.judge(&case.objects), "{}", case.folder.display());
            prop_assert_eq!(case.lists(&objects), case.lists(&case.objects), "{}", case.folder.display());
        }
    }

    #[test]
    fn the_life_of_pods_changes_no_fact(churns in prop::collection::vec(churn(), 16), seed in 0_usize..1000) {
        for name in ["quickstart-east", "node-port", "named-target-ports"] {
            let case = Case::named(name);
            let mut pods = 0;
            let objects: Vec<Value> = flat(&case.objects)
                .iter()
                .flat_map(|object| {
                    if object["kind"] != "Pod" {
                        return vec![object.clone()];
                    }
                    pods += 1;
                    after(object, pods + seed, churns[pods % churns.len()])
                })
                .collect();
            prop_assert!(pods > 0);
            // the kind stays known, as it is in an inventory that is written anew
            let mut objects = objects;
            let metadata = json!({ "name": "other", "namespace": "other" });
            objects.push(json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": { "phase": "Succeeded" } }));
            prop_assert_eq!(case.facts(&objects), case.facts(&case.objects), "{}", name);
            prop_assert_eq!(case.listed_facts(&objects), case.listed_facts(&case.objects), "{}", name);
        }
    }

    #[test]
    fn new_nodes_and_other_nodes_change_no_fact(added in 0_usize..20, removed in any::<bool>()) {
        let case = Case::named("node-port");
        let mut objects = flat(&case.objects);
        if removed {
            objects.retain(|object| object["metadata"]["name"] != "east-node-4");
        }
        let node = objects.iter().find(|object| object["metadata"]["name"] == "east-node-1").unwrap().clone();
        for number in 0..added {
            let mut node = node.clone();
            node["metadata"]["name"] = format!("a-new-{number}").into();
            node["metadata"]["creationTimestamp"] = "2026-05-01T00:00:00Z".into();
            node["status"]["addresses"] = json!([{ "type": "ExternalIP", "address": format!("192.0.2.{}", number + 100) }]);
            objects.push(node);
        }
        prop_assert_eq!(case.facts(&objects), case.facts(&case.objects));
    }
}
