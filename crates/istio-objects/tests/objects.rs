//! Objects, from trees to the entries of `manifests` and back.

use std::collections::{BTreeMap, BTreeSet};

use istio_objects::kinds::{Conflict, DestinationRule, RankLabel, ServiceEntry, WorkloadEntry};
use istio_objects::{
    Claim, Digest, Folded, Kind, Manifest, ManifestKey, Object, ObjectKey, Sealed, Tree, fold, reserved, unfold,
};
use mesh_model::names::{ClusterName, OwnerId};
use mesh_model::{Leaf, LeafPath};
use proptest::prelude::*;

fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a valid name")
}

fn claim() -> Claim {
    name("platform/prod//gloo_virtual_destination/bookinfo/reviews")
}

fn object(object_name: &str, spec: Tree) -> Object {
    Object {
        kind: Kind::networking("ServiceEntry"),
        namespace: Some(name("bookinfo")),
        name: name(object_name),
        labels: BTreeMap::from([("tier".to_owned(), "own".to_owned())]),
        annotations: BTreeMap::new(),
        body: BTreeMap::from([("spec".to_owned(), spec)]),
    }
}

fn sealed(object: &Object) -> Sealed {
    object.seal(&claim(), &BTreeMap::new())
}

fn manifest(object: &Object) -> Manifest {
    sealed(object).manifest().expect("all of it is known").clone()
}

fn unknown(path: &str) -> Tree {
    Tree::Unknown(LeafPath(path.to_owned()))
}

#[test]
fn sealing_adds_owner_claim_and_default_labels() {
    let defaults = BTreeMap::from([
        ("team".to_owned(), "mesh".to_owned()),
        ("tier".to_owned(), "default".to_owned()),
        (reserved::OWNER_LABEL.to_owned(), "forged".to_owned()),
    ]);
    let sealed = object("reviews", Tree::map([("host", Tree::from("reviews.mesh.internal"))])).seal(&claim(), &defaults);
    let value = sealed.manifest().expect("known").value();
    let labels = &value["metadata"]["labels"];
    assert_eq!(labels["team"], "mesh");
    assert_eq!(labels["tier"], "own", "labels of the object win");
    assert_eq!(labels[reserved::OWNER_LABEL], Claim::owner_label(&claim().owner), "the owner's label cannot be set by others");
    assert_eq!(value["metadata"]["annotations"][reserved::CLAIM_ANNOTATION], claim().to_string());
    assert_eq!(value["apiVersion"], "networking.istio.io/v1");
}

#[test]
fn canonical_json_is_sorted_and_dense() {
    let one = object("reviews", Tree::map([("b", Tree::from(1)), ("a", Tree::list([Tree::from(true), Tree::Null]))]));
    let json = manifest(&one).json().to_owned();
    assert!(json.contains(r#""spec":{"a":[true,null],"b":1}"#), "{json}");
    assert!(json.starts_with(r#"{"apiVersion":"#), "{json}");
}

#[test]
fn numbers_keep_their_digits() {
    let digits = "123456789012345678901234567890.5";
    let one = object("reviews", Tree::map([("n", Tree::Number(digits.to_owned()))]));
    let sealed = manifest(&one);
    assert!(sealed.json().contains(digits));
    assert_eq!(Manifest::from_stored(sealed.key().clone(), sealed.json()), Ok(sealed));
}

#[test]
fn stored_entries_are_checked() {
    let one = manifest(&object("reviews", Tree::map([("host", Tree::from("a"))])));
    assert!(
        Manifest::from_stored(name("ServiceEntry/bookinfo/other"), one.json())
            .is_err_and(|error| error.contains("is the object"))
    );
    assert!(Manifest::from_stored(one.key().clone(), "{}").is_err_and(|error| error.contains("no Kubernetes object")));
    assert!(Manifest::from_stored(one.key().clone(), "{").is_err());
    let spaced = one.json().replace(':', ": ");
    assert_eq!(Manifest::from_stored(one.key().clone(), &spaced).map(|m| m.json().len()), Ok(one.json().len()));
}

#[test]
fn keys_are_read_back() {
    for text in ["ServiceEntry/bookinfo/reviews", "Gateway.gateway.networking.k8s.io/istio-system/west", "Namespace/-/bookinfo"] {
        assert_eq!(text.parse::<ObjectKey>().map(|key| key.to_string()), Ok(text.to_owned()));
        for scope in ["*", "east"] {
            let text = format!("{scope}/{text}");
            assert_eq!(text.parse::<ManifestKey>().map(|key| key.to_string()), Ok(text));
        }
    }
    for text in
        ["", "ServiceEntry/bookinfo", "serviceEntry/bookinfo/a", "ServiceEntry//a", "ServiceEntry/b/a/c", "Service Entry/b/a"]
    {
        assert!(text.parse::<ObjectKey>().is_err(), "{text}");
    }
    for text in ["ServiceEntry/bookinfo/a", "East/ServiceEntry/bookinfo/a", "/ServiceEntry/bookinfo/a"] {
        assert!(text.parse::<ManifestKey>().is_err(), "{text}");
    }
}

#[test]
fn kinds_have_names_in_keys() {
    let key_name = |version, kind| Kind::parse(version, kind).map(|kind| kind.key_name());
    assert_eq!(key_name("networking.istio.io/v1", "Gateway").as_deref(), Some("Gateway"));
    assert_eq!(key_name("networking.istio.io/v1beta1", "Gateway").as_deref(), Some("Gateway"));
    assert_eq!(key_name("gateway.networking.k8s.io/v1", "Gateway").as_deref(), Some("Gateway.gateway.networking.k8s.io"));
    assert_eq!(key_name("v1", "ConfigMap").as_deref(), Some("ConfigMap"));
    assert_eq!(key_name("apps/v1", "Deployment").as_deref(), Some("Deployment.apps"));
    assert_eq!(key_name("a/b/c", "Gateway"), None);
    assert_eq!(key_name("v1", ""), None);
    // key names are parts of paths
    for (version, kind) in
        [("v1", "../Gateway"), ("v1", "Gatewaÿ"), ("v1", "Gate way"), ("a/../v1", "Gateway"), ("a b/v1", "Gateway")]
    {
        assert_eq!(key_name(version, kind), None, "{version} {kind}");
    }
}

#[test]
fn owner_labels_are_label_values_and_differ() {
    let owners = ["a", "platform/prod", "platform.prod", "platform-prod", &"x".repeat(100), &format!("{}y", "x".repeat(99))];
    let labels: BTreeSet<String> = owners.iter().map(|owner| Claim::owner_label(&name::<OwnerId>(owner))).collect();
    assert_eq!(labels.len(), owners.len());
    for label in labels {
        assert!(label.len() <= 63, "{label}");
        assert!(label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{label}");
        assert!(label.starts_with(|c: char| c.is_ascii_alphanumeric()) && !label.ends_with('-'), "{label}");
    }
}

#[test]
fn an_unknown_member_of_a_fold_hides_the_fold() {
    let clusters = |first: Tree, second: Tree| {
        BTreeMap::from([
            (name::<ClusterName>("east"), vec![sealed(&object("a", first)), sealed(&object("b", Tree::from("b")))]),
            (name::<ClusterName>("west"), vec![sealed(&object("a", second)), sealed(&object("b", Tree::from("b")))]),
        ])
    };
    // the same leaf: the same value, whatever it is
    let Folded::Entries(same) = fold(&clusters(unknown("x"), unknown("x"))) else { panic!("the keys are known") };
    assert_eq!(
        same.iter().map(|(key, json)| (key.to_string(), json.is_some())).collect::<Vec<_>>(),
        [("*/ServiceEntry/bookinfo/a".to_owned(), false), ("*/ServiceEntry/bookinfo/b".to_owned(), true)]
    );
    // two leaves, or a leaf and a value, may turn out equal
    assert_eq!(fold(&clusters(unknown("x"), unknown("y"))), Folded::Unknown(LeafPath("x".to_owned())));
    assert_eq!(fold(&clusters(Tree::from("v"), unknown("y"))), Folded::Unknown(LeafPath("y".to_owned())));
}

/// What is known to differ needs no unknown leaf to stay apart.
#[test]
fn objects_that_differ_anyway_do_not_hide_the_fold() {
    let spec = |port, leaf| Tree::map([("port", Tree::from(port)), ("account", leaf)]);
    let fleet = |specs: [Tree; 3]| -> BTreeMap<ClusterName, Vec<Sealed>> {
        ["east", "eu", "west"].into_iter().map(name).zip(specs.map(|spec| vec![sealed(&object("a", spec))])).collect()
    };
    let keys = |specs| match fold(&fleet(specs)) {
        Folded::Entries(entries) => entries.len(),
        Folded::Unknown(_) => 0,
    };
    let known = |account| Tree::from(account);
    assert_eq!(keys([spec(1, unknown("x")), spec(2, unknown("x")), spec(1, unknown("x"))]), 3);
    assert_eq!(keys([spec(1, known("a")), spec(1, unknown("x")), spec(1, known("b"))]), 3);
    assert_eq!(keys([spec(1, known("a")), spec(1, unknown("x")), spec(1, known("a"))]), 0);
}

#[test]
fn an_object_of_one_cluster_never_folds() {
    let one = BTreeMap::from([(name::<ClusterName>("east"), vec![sealed(&object("a", unknown("x")))])]);
    let Folded::Entries(entries) = fold(&one) else { panic!("the keys are known") };
    assert_eq!(entries.keys().map(ToString::to_string).collect::<Vec<_>>(), ["east/ServiceEntry/bookinfo/a"]);
    // nor does what one of the clusters lacks
    let two = BTreeMap::from([(name::<ClusterName>("east"), vec![sealed(&object("a", unknown("x")))]), (name("west"), vec![])]);
    let Folded::Entries(entries) = fold(&two) else { panic!("the keys are known") };
    assert_eq!(entries.keys().map(ToString::to_string).collect::<Vec<_>>(), ["east/ServiceEntry/bookinfo/a"]);
}

#[test]
fn unfolding_refuses_strangers() {
    let entry = |key: &str| BTreeMap::from([(key.to_owned(), manifest(&object("a", Tree::from(1))).json().to_owned())]);
    let clusters = BTreeSet::from([name::<ClusterName>("east")]);
    assert!(unfold(&entry("west/ServiceEntry/bookinfo/a"), &clusters).is_err_and(|error| error.contains("cluster west")));
    assert!(unfold(&entry("nonsense"), &clusters).is_err());
}

#[test]
fn two_slices_of_one_field_conflict() {
    let slice = || DestinationRule { host: Some(name("reviews.mesh.internal")), ..DestinationRule::default() };
    assert_eq!(slice().merge(slice()), Err(Conflict { kind: "DestinationRule", field: "spec.host" }));
    let other = DestinationRule { export_to: Some(vec![Leaf::Known("*".to_owned())]), ..DestinationRule::default() };
    assert_eq!(slice().merge(other).map(|rule| rule.given()), Ok(vec!["spec.host", "spec.exportTo"]));
}

#[test]
fn an_unknown_rank_hides_the_labels_of_an_entry() {
    let entry = |rank| WorkloadEntry {
        canonical_name: Some(Leaf::Known(name("reviews"))),
        destination: Some("reviews.mesh.internal".to_owned()),
        rank: Some(RankLabel(rank)),
        weight: Some(1),
        ..WorkloadEntry::default()
    };
    let spec = |rank| entry(rank).object(name("bookinfo"), name("vd"), BTreeMap::new()).body["spec"].clone();
    let known = spec(Leaf::Known(3)).to_json().expect("known");
    assert_eq!(known["labels"]["gloo-terraform-rank/3"], "y");
    assert_eq!(known["labels"][reserved::DESTINATION_LABEL], "reviews.mesh.internal");
    let Tree::Map(members) = spec(Leaf::Unknown(LeafPath("region".to_owned()))) else { panic!("a spec is a map") };
    assert_eq!(members["labels"], unknown("region"));
    assert_eq!(members["weight"], Tree::from(1));
}

#[test]
fn annotations_of_a_kind_are_the_objects() {
    let entry = ServiceEntry { traffic_distribution: Some("PreferClose".to_owned()), ..ServiceEntry::default() };
    let object = entry.object(name("bookinfo"), name("vd"), BTreeMap::new());
    assert_eq!(object.annotations["networking.istio.io/traffic-distribution"], "PreferClose");
    assert!(object.body.is_empty());
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::Bool),
        any::<i64>().prop_map(Tree::from),
        "[ -~äß\u{0}-\u{1f}\"\\\\]{0,8}".prop_map(Tree::String),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Tree::List),
            prop::collection::btree_map("[a-z./]{1,6}", inner, 0..4).prop_map(Tree::Map),
        ]
    })
}

/// What clusters hold, some of it the same everywhere.
fn fleet() -> impl Strategy<Value = BTreeMap<ClusterName, Vec<Sealed>>> {
    let objects = prop::collection::btree_map(prop::sample::select(&["a", "b", "c"][..]), prop::bool::ANY, 0..3);
    let clusters = prop::collection::btree_map(prop::sample::select(&["east", "west", "eu"][..]), objects, 1..4);
    (clusters, tree(), tree()).prop_map(|(clusters, one, two)| {
        clusters
            .into_iter()
            .map(|(cluster, objects)| {
                let seal =
                    |(object_name, first): (&str, bool)| sealed(&object(object_name, if first { &one } else { &two }.clone()));
                (name(cluster), objects.into_iter().map(seal).collect())
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn trees_are_json(tree in tree()) {
        let json = tree.to_json().expect("known");
        prop_assert_eq!(&Tree::from_json(&json), &tree);
        let sealed = manifest(&object("a", tree));
        prop_assert_eq!(Manifest::from_stored(sealed.key().clone(), sealed.json()), Ok(sealed));
    }

    #[test]
    fn unfolding_undoes_folding(fleet in fleet()) {
        let Folded::Entries(entries) = fold(&fleet) else { panic!("everything is known") };
        let entries: BTreeMap<String, String> = entries.into_iter().map(|(key, json)| (key.to_string(), json.expect("known"))).collect();
        let unfolded = unfold(&entries, &fleet.keys().cloned().collect()).expect("what was folded unfolds");
        for (cluster, objects) in &fleet {
            let by_key = |manifests: Vec<Manifest>| manifests.into_iter().map(|m| (m.key().clone(), m)).collect::<BTreeMap<_, _>>();
            let before = by_key(objects.iter().map(|object| object.manifest().expect("known").clone()).collect());
            let after = by_key(unfolded[cluster].clone());
            prop_assert_eq!(Digest::of(before.values()), Digest::of(after.values()));
            prop_assert_eq!(before, after);
        }
    }

    #[test]
    fn digests_see_everything_but_order(one in tree(), two in tree()) {
        let [a, b, c] = [manifest(&object("a", one.clone())), manifest(&object("b", two.clone())), manifest(&object("b", one.clone()))];
        prop_assert_eq!(Digest::of([&a, &b]), Digest::of([&b, &a]));
        prop_assert_ne!(Digest::of([&a]), Digest::of([&a, &b]));
        prop_assert_eq!(one == two, Digest::of([&a, &b]) == Digest::of([&a, &c]));
    }

    #[test]
    fn claims_are_read_back(owner in "[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?(/[a-z0-9]{1,9})?", resource in "[a-z_]{1,20}", namespace in prop::option::of("[a-z]{1,9}"), intent in "[a-z0-9]{1,20}") {
        let claim = Claim { owner: name(&owner), resource_type: resource, namespace: namespace.as_deref().map(name), name: intent };
        prop_assert_eq!(claim.to_string().parse::<Claim>(), Ok(claim));
    }

    #[test]
    fn hostile_texts_are_no_claims_or_keys(text in "\\PC{0,40}") {
        if let Ok(claim) = text.parse::<Claim>() {
            prop_assert_eq!(claim.to_string(), text.clone());
        }
        if let Ok(key) = text.parse::<ManifestKey>() {
            prop_assert_eq!(key.to_string(), text);
        }
    }
}
