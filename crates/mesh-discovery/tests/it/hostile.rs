//! No inventory makes discovery panic, and whatever it cannot use it says.

use std::collections::BTreeSet;

use mesh_discovery::{Asked, cluster_facts, service};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::cases::Case;

/// A value that stands where another was expected.
fn odd() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        "\\PC{0,80}".prop_map(Value::from),
        prop::sample::select(
            ["", "-", "::", "*", "List", "Pod", "\u{0}", "99999999999999999999", "ü".repeat(64).as_str()]
                .iter()
                .map(|text| Value::from(*text))
                .collect::<Vec<_>>()
        ),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z.]{0,8}", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

/// Puts `odd` at the place that `steps` lead to, or removes what is there.
fn mutate(value: &mut Value, steps: &[usize], odd: Option<&Value>) {
    let size = match &*value {
        Value::Array(items) => items.len(),
        Value::Object(members) => members.len(),
        _ => 0,
    };
    let (Some((step, rest)), true) = (steps.split_first(), size > 0) else {
        *value = odd.cloned().unwrap_or(Value::Null);
        return;
    };
    let position = step % size;
    match value {
        Value::Array(items) if rest.is_empty() && odd.is_none() => {
            items.remove(position);
        }
        Value::Array(items) => mutate(&mut items[position], rest, odd),
        Value::Object(members) => {
            let key = members.keys().nth(position).unwrap().clone();
            if rest.is_empty() && odd.is_none() {
                members.remove(&key);
            } else {
                mutate(&mut members[&key], rest, odd);
            }
        }
        _ => unreachable!("a leaf has no size"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    /// `judge` also checks that a value is missing exactly after an error.
    #[test]
    fn damaged_inventories_never_panic(
        damages in prop::collection::vec((prop::collection::vec(0_usize..64, 1..12), prop::option::of(odd())), 1..24),
    ) {
        for case in Case::all() {
            let mut objects = Value::Array(case.objects.clone());
            for (steps, odd) in &damages {
                mutate(&mut objects, steps, odd.as_ref());
            }
            let objects = match objects {
                Value::Array(objects) => objects,
                other => vec![other],
            };
            case.judge(&objects);
            case.lists(&objects);
        }
    }

    #[test]
    fn arbitrary_values_never_panic(objects in prop::collection::vec(odd(), 0..8)) {
        let cluster = "east".parse().unwrap();
        prop_assert!(cluster_facts(&objects, &cluster, None, None).value.is_none());
        let (namespace, name) = ("bookinfo".parse().unwrap(), "reviews".parse().unwrap());
        let asked = Asked { namespace: &namespace, name: &name, together_with: &BTreeSet::new() };
        let found = service(&objects, &cluster, asked, None);
        prop_assert!(found.value.is_none(), "absent is unknown, never none");
    }
}

#[test]
fn deep_and_large_inventories_are_read() {
    let case = Case::named("quickstart-east");
    let mut objects = case.objects.clone();
    let mut deep = json!({ "apiVersion": "v1", "kind": "List", "items": case.objects });
    for _ in 0..100 {
        deep = json!({ "apiVersion": "v1", "kind": "List", "items": [deep] });
    }
    assert_eq!(case.judge(&[deep]), case.judge(&objects));
    for number in 0..20_000 {
        objects.push(json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": format!("p{number}"), "namespace": "load", "labels": { "app": "load" } } }));
    }
    assert_eq!(case.facts(&objects), case.facts(&case.objects));
}
