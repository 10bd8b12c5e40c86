//! `gloo_virtual_destination` through its life.

use std::fs;

use serde_json::{Value as Json, json};
use tf_server::testing::{Action, unknown};
use tf_value::Severity;

use crate::support::{DESTINATION, World, backend, destination, keys, set};

const SERVICE_ENTRY: &str = "bookinfo/ServiceEntry-vd-reviews.mesh.internal";
const DESTINATION_RULE: &str = "bookinfo/DestinationRule-vd-reviews.mesh.internal";

fn drift(state: &Json) -> Vec<String> {
    let objects = state["drift"].as_object().unwrap();
    objects
        .iter()
        .flat_map(|(object, lines)| {
            lines.as_array().unwrap().iter().map(move |line| format!("{object}: {}", line.as_str().unwrap()))
        })
        .collect()
}

#[tokio::test]
async fn what_is_planned_is_what_is_written() {
    let world = World::new().await;
    let plan = world.core.plan(DESTINATION, None, destination()).await.unwrap();
    assert_eq!(plan.action, Action::Create);
    assert!(plan.diagnostics.is_empty(), "{:?}", plan.diagnostics);
    let instance = world.core.apply(&plan).await.success().unwrap().unwrap();
    assert_eq!(
        world.files(),
        [
            "east/manifests/bookinfo/DestinationRule-vd-reviews.mesh.internal.yaml",
            "east/manifests/bookinfo/ServiceEntry-vd-reviews.mesh.internal.yaml",
            "east/manifests/bookinfo/VirtualService-vd-reviews.mesh.internal.yaml",
            "east/manifests/bookinfo/WorkloadEntry-vd-reviews.mesh.internal.west.yaml",
            "east/manifests/istio-system/Gateway-vd-reviews-mesh-internal-reviews-bookinfo-8c40136719e30fdd.yaml",
            "north/manifests/bookinfo/DestinationRule-vd-reviews.mesh.internal.yaml",
            "north/manifests/bookinfo/ServiceEntry-vd-reviews.mesh.internal.yaml",
            "north/manifests/bookinfo/VirtualService-vd-reviews.mesh.internal.yaml",
            "north/manifests/bookinfo/WorkloadEntry-vd-reviews.mesh.internal.east.yaml",
            "north/manifests/bookinfo/WorkloadEntry-vd-reviews.mesh.internal.west.yaml",
            "west/manifests/bookinfo/DestinationRule-vd-reviews.mesh.internal.yaml",
            "west/manifests/bookinfo/ServiceEntry-vd-reviews.mesh.internal.yaml",
            "west/manifests/bookinfo/VirtualService-vd-reviews.mesh.internal.yaml",
            "west/manifests/bookinfo/WorkloadEntry-vd-reviews.mesh.internal.east.yaml",
            "west/manifests/istio-system/Gateway-vd-reviews-mesh-internal-reviews-bookinfo-8c40136719e30fdd.yaml",
        ]
    );
    for (key, planned) in instance.state["manifests"].as_object().unwrap() {
        let mut parts = key.split('/');
        let (scope, kind, namespace, name) = (parts.next(), parts.next(), parts.next(), parts.next());
        let clusters = match scope.unwrap() {
            "*" => vec!["east", "west", "north"],
            one => vec![one],
        };
        for cluster in clusters {
            let path = world.file(cluster, &format!("{}/{}-{}", namespace.unwrap(), kind.unwrap(), name.unwrap()));
            let written = kube_apply::yaml::load(&fs::read_to_string(&path).unwrap()).unwrap();
            let mut written = written.into_iter().next().unwrap();
            if let Some(annotations) = written["metadata"]["annotations"].as_object_mut() {
                annotations.retain(|name, _| !name.starts_with("state.gloo-terraform/"));
            }
            assert_eq!(written.to_string(), planned.as_str().unwrap(), "{path:?}");
        }
    }
}

#[tokio::test]
async fn drift_of_every_kind_is_named_and_repaired() {
    type Disturb = fn(&World);
    let cases: &[(&str, Disturb, &str)] = &[
        (
            "field changed",
            |world| world.edit("east", DESTINATION_RULE, "maxEjectionPercent: 100", "maxEjectionPercent: 10"),
            "east/DestinationRule/bookinfo/vd-reviews.mesh.internal: spec.trafficPolicy.outlierDetection.maxEjectionPercent: live 10, intent 100",
        ),
        (
            "object deleted",
            |world| fs::remove_file(world.file("west", SERVICE_ENTRY)).unwrap(),
            "west/ServiceEntry/bookinfo/vd-reviews.mesh.internal: missing",
        ),
        (
            "list item added",
            |world| {
                world.edit(
                    "east",
                    SERVICE_ENTRY,
                    "  - reviews.mesh.internal\n",
                    "  - reviews.mesh.internal\n  - other.internal\n",
                )
            },
            "spec.hosts",
        ),
        (
            "list reordered",
            |world| {
                world.edit(
                    "east",
                    DESTINATION_RULE,
                    "topology.kubernetes.io/region\n        - topology.kubernetes.io/zone",
                    "topology.kubernetes.io/zone\n        - topology.kubernetes.io/region",
                );
            },
            "failoverPriority",
        ),
        (
            "foreign field added",
            |world| world.edit("east", DESTINATION_RULE, "spec:\n", "spec:\n  workloadSelector: {matchLabels: {app: x}}\n"),
            "spec.workloadSelector",
        ),
        (
            "label stripped",
            |world| {
                world.edit("north", SERVICE_ENTRY, "    gloo-terraform/owner: test-it-", "    elsewhere/owner: test-it-");
            },
            "gloo-terraform/owner",
        ),
    ];
    for (name, disturb, line) in cases {
        let world = World::new().await;
        let instance = world.create(DESTINATION, destination()).await;
        disturb(&world);
        let core = world.beside(|_| {}).await;
        let seen = core.refresh(&instance).await.unwrap().unwrap();
        let lines = drift(&seen.state);
        assert!(lines.iter().any(|found| found.contains(line)), "{name}: {lines:?}");
        assert_eq!(lines.len(), 1, "{name}: {lines:?}");
        let repaired = core.converge(DESTINATION, Some(&instance), destination()).await.unwrap_or_else(|f| panic!("{name}: {f}"));
        assert_eq!(repaired.state, instance.state, "{name}");
    }
}

#[tokio::test]
async fn foreign_labels_are_no_drift_and_stay() {
    let world = World::new().await;
    let instance = world.create(DESTINATION, destination()).await;
    world.edit("east", SERVICE_ENTRY, "  labels:\n", "  labels:\n    team: \"blue\"\n");
    let core = world.beside(|_| {}).await;
    let seen = core.refresh(&instance).await.unwrap().unwrap();
    assert_eq!(drift(&seen.state), Vec::<String>::new());
    let changed = set(destination(), "/export_to", json!(["bookinfo"]));
    core.converge(DESTINATION, Some(&instance), changed).await.unwrap();
    assert!(fs::read_to_string(world.file("east", SERVICE_ENTRY)).unwrap().contains("team: blue"));
}

#[tokio::test]
async fn one_unknown_leaf_hides_its_own_objects_alone() {
    let world = World::new().await;
    let known = world.core.plan(DESTINATION, None, destination()).await.unwrap();
    let config = set(destination(), "/virtual_mesh/clusters/west/gateways/0/addresses/0", unknown());
    let plan = world.core.plan(DESTINATION, None, config).await.unwrap();
    assert_eq!(keys(&plan), keys(&known), "the keys do not depend on the address");
    let hidden: Vec<&str> =
        plan.planned.get("manifests").as_map().unwrap().iter().filter(|(_, v)| v.is_unknown()).map(|(k, _)| k.as_str()).collect();
    assert_eq!(
        hidden,
        [
            "east/WorkloadEntry/bookinfo/vd-reviews.mesh.internal.west",
            "north/WorkloadEntry/bookinfo/vd-reviews.mesh.internal.west",
        ]
    );
    let applied = world.core.apply_with(&plan, destination()).await.success().unwrap().unwrap();
    let again = world.core.plan(DESTINATION, Some(&applied), destination()).await.unwrap();
    assert_eq!(again.action, Action::NoOp);
}

#[tokio::test]
async fn an_unknown_that_decides_the_objects_hides_all_with_one_warning() {
    for pointer in ["/hostname", "/backends", "/virtual_mesh", "/virtual_mesh/clusters", "/clients", "/ports/0/number"] {
        let world = World::new().await;
        let plan = world
            .core
            .plan(DESTINATION, None, set(destination(), pointer, unknown()))
            .await
            .unwrap_or_else(|f| panic!("{pointer}: {f}"));
        assert!(plan.planned.get("manifests").is_unknown(), "{pointer}");
        let warnings: Vec<_> =
            plan.diagnostics.iter().filter(|d| d.severity == Severity::Warning).map(|d| d.summary.as_str()).collect();
        assert_eq!(warnings, ["Objects known after apply (GM1007)"], "{pointer}");
        let known = if pointer == "/clients" { set(destination(), pointer, json!(["east"])) } else { destination() };
        world.core.apply_with(&plan, known).await.success().unwrap_or_else(|f| panic!("{pointer}: {f}"));
    }
}

#[tokio::test]
async fn members_backends_and_ranks_change_in_place() {
    let world = World::new().await;
    let first = world.create(DESTINATION, destination()).await;
    let steps = [
        set(destination(), "/backends", json!([backend("east"), backend("west"), backend("north")])),
        set(destination(), "/failover", json!({ "order": ["north", "west", "east"] })),
        set(destination(), "/backends", json!([backend("west")])),
        set(destination(), "/clients", json!(["east"])),
        set(destination(), "/client_namespace", json!({ "north": "edge" })),
        destination(),
    ];
    let mut instance = first.clone();
    for step in steps {
        instance = world.core.converge(DESTINATION, Some(&instance), step).await.unwrap_or_else(|failure| panic!("{failure}"));
    }
    assert_eq!(instance.state, first.state, "the way back leaves nothing behind");
}

#[tokio::test]
async fn a_new_hostname_moves_the_destination() {
    let world = World::new().await;
    let instance = world.create(DESTINATION, destination()).await;
    let moved = world
        .core
        .converge(DESTINATION, Some(&instance), set(destination(), "/hostname", json!("r.example.internal")))
        .await
        .unwrap();
    assert_eq!(moved.state["hostname"], "r.example.internal");
    assert!(world.files().iter().all(|file| !file.contains("reviews.mesh.internal")), "{:?}", world.files());
    let default = world.core.converge(DESTINATION, Some(&moved), set(destination(), "/hostname", Json::Null)).await.unwrap();
    assert_eq!(default.state["hostname"], "reviews.bookinfo.mesh.internal");
}

#[tokio::test]
async fn destroy_removes_every_file() {
    let world = World::new().await;
    let instance = world.create(DESTINATION, destination()).await;
    let outcome = world.core.destroy(&instance).await;
    assert_eq!(outcome.success().unwrap(), None);
    assert_eq!(world.files(), Vec::<String>::new());
}

#[tokio::test]
async fn import_restores_the_configuration_from_the_clusters() {
    let world = World::new().await;
    let instance = world.create(DESTINATION, set(destination(), "/timeout", json!("7s"))).await;
    let core = world.beside(|_| {}).await;
    for id in ["bookinfo/reviews", "test/it//bookinfo/reviews"] {
        let imported = core.import(DESTINATION, id).await.unwrap();
        assert_eq!(imported.len(), 1);
        assert_eq!(imported[0].state, instance.state, "{id}");
        let plan = core.plan(DESTINATION, Some(&imported[0]), set(destination(), "/timeout", json!("7s"))).await.unwrap();
        assert_eq!(plan.action, Action::NoOp);
    }
    for (id, summary) in [
        ("reviews", "Invalid import id"),
        ("bookinfo/ratings", "Nothing to import"),
        ("somebody//bookinfo/reviews", "Import of another owner's resource"),
    ] {
        assert!(core.import(DESTINATION, id).await.unwrap_err().says(summary), "{id}");
    }
}

#[tokio::test]
async fn a_second_owner_of_a_host_is_refused_and_told_whose_it_is() {
    let world = World::new().await;
    world.create(DESTINATION, destination()).await;
    let before = world.files();
    let other = world.beside(|block| block["owner"] = json!("team-b/prod")).await;
    let failure = other.plan(DESTINATION, None, destination()).await.unwrap_err();
    assert!(failure.violations.is_empty(), "{failure}");
    assert!(failure.to_string().contains("test/it"), "the owner is named: {failure}");
    assert_eq!(world.files(), before);
}

#[tokio::test]
async fn a_failed_create_leaves_nothing_and_the_next_one_succeeds() {
    let world = World::new().await;
    // a file where west's folder should be: west cannot be written, east can
    fs::write(world.path("west/manifests"), "in the way").unwrap();
    let before = world.files();
    let outcome = match world.core.plan(DESTINATION, None, destination()).await {
        Ok(plan) => {
            let outcome = world.core.apply(&plan).await;
            assert_eq!(outcome.instance, None, "nothing is recorded, nothing tainted");
            outcome.success().unwrap_err()
        }
        Err(failure) => failure,
    };
    assert!(outcome.violations.is_empty() && outcome.to_string().contains("west"), "{outcome}");
    assert_eq!(world.files(), before);
    fs::remove_file(world.path("west/manifests")).unwrap();
    world.create(DESTINATION, destination()).await;
}

#[tokio::test]
async fn a_cluster_that_the_provider_lacks_is_refused() {
    let world = World::with(|block| {
        block["clusters"].as_object_mut().unwrap().remove("north");
    })
    .await;
    let failure = world.core.plan(DESTINATION, None, destination()).await.unwrap_err();
    assert!(failure.to_string().contains("north"), "{failure}");
    let clients = set(destination(), "/clients", json!(["east", "west"]));
    world.create(DESTINATION, clients).await;
}

#[tokio::test]
async fn unknown_clusters_are_planned_unseen() {
    let world = World::with(|block| block["clusters"]["west"]["directory"] = unknown()).await;
    let plan = world.core.plan(DESTINATION, None, destination()).await.unwrap();
    assert!(plan.planned.get("manifests").is_wholly_known());
    assert_eq!(plan.diagnostics.iter().count(), 1, "{:?}", plan.diagnostics);
    let world = World::with(|block| block["clusters"] = unknown()).await;
    let plan = world.core.plan(DESTINATION, None, destination()).await.unwrap();
    assert!(plan.planned.get("manifests").is_wholly_known());
    assert_eq!(plan.diagnostics.iter().count(), 1, "{:?}", plan.diagnostics);
}

#[tokio::test]
async fn bad_configurations_are_refused_at_their_attribute() {
    let world = World::new().await;
    for (pointer, value, path) in [
        ("/namespace", json!("Book Info"), "namespace"),
        ("/hostname", json!("reviews"), "hostname"),
        ("/hostname", json!("reviews.bookinfo.svc.cluster.local"), "hostname"),
        ("/ports", json!([]), "ports"),
        ("/ports/0/number", json!(70000), "ports[0].number"),
        ("/ports/0/protocol", json!("sctp"), "ports[0].protocol"),
        ("/backends/0/cluster", json!("mars"), "backends[0].cluster"),
        ("/failover", json!({ "order": ["mars"] }), "failover.order[0]"),
        ("/failover", json!({}), "failover"),
        ("/timeout", json!("soon"), "timeout"),
        ("/timeouts", json!({ "create": "soon" }), "timeouts.create"),
        ("/outlier_detection", json!({ "max_ejection_percent": 101 }), "outlier_detection.max_ejection_percent"),
    ] {
        let failure = world.core.plan(DESTINATION, None, set(destination(), pointer, value.clone())).await.unwrap_err();
        assert!(failure.violations.is_empty(), "{pointer}: {failure}");
        let paths: Vec<String> = failure.diagnostics.iter().filter_map(|d| d.path.as_ref().map(ToString::to_string)).collect();
        assert!(paths.iter().any(|found| found == path), "{pointer} = {value}: {paths:?}\n{failure}");
    }
    assert_eq!(world.files(), Vec::<String>::new());
}

#[tokio::test]
async fn two_new_destinations_of_one_host_meet_in_the_apply() {
    let world = World::new().await;
    let twin = set(destination(), "/name", json!("twin"));
    let first = world.core.plan(DESTINATION, None, destination()).await.unwrap();
    // in one plan they would have met already
    let second = world.beside(|_| {}).await.plan(DESTINATION, None, twin).await.unwrap();
    let (first, second) = tokio::join!(world.core.apply(&first), world.core.apply(&second));
    let refused: Vec<_> = [first, second].into_iter().filter(|outcome| outcome.diagnostics.has_errors()).collect();
    assert_eq!(refused.len(), 1, "one wins, one is refused");
    assert!(refused[0].instance.is_none() && refused[0].violations.is_empty());
}

#[tokio::test]
async fn a_new_name_replaces_and_keeps_the_host() {
    let world = World::new().await;
    let instance = world.create(DESTINATION, destination()).await;
    let renamed = set(destination(), "/name", json!("comments"));
    let plan = world.core.plan(DESTINATION, Some(&instance), renamed.clone()).await.unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(plan.action, Action::Replace);
    let after = world.core.apply(&plan).await.success().unwrap().unwrap();
    assert_eq!(after.state["id"], "bookinfo/comments");
    assert_eq!(world.core.plan(DESTINATION, Some(&after), renamed).await.unwrap().action, Action::NoOp);
}

#[tokio::test]
async fn overlays_are_shown_written_and_watched_and_an_unknown_one_hides_its_objects() {
    let world = World::new().await;
    let overlay = |patch: Json| json!([{ "kind": "VirtualService", "cluster": null, "merge_patch": patch }]);
    let patch = json!("{\"spec\":{\"gateways\":[\"mesh\"]},\"metadata\":{\"labels\":{\"team\":\"blue\"}}}");
    let known = set(destination(), "/overlays", overlay(patch.clone()));
    let plan = world.core.plan(DESTINATION, None, set(destination(), "/overlays", overlay(unknown()))).await.unwrap();
    let hidden: Vec<String> = keys(&plan).into_iter().filter(|key| plan.planned.get("manifests").get(key).is_unknown()).collect();
    assert_eq!(hidden, ["*/VirtualService/bookinfo/vd-reviews.mesh.internal"]);
    let instance = world.core.apply_with(&plan, known.clone()).await.success().unwrap().unwrap();
    let route = "bookinfo/VirtualService-vd-reviews.mesh.internal";
    let text = fs::read_to_string(world.file("north", route)).unwrap();
    assert!(text.contains("team: blue") && text.contains("gateways:\n  - mesh"), "{text}");
    assert_eq!(world.core.plan(DESTINATION, Some(&instance), known.clone()).await.unwrap().action, Action::NoOp);
    world.edit("north", route, "  - mesh\n", "  - other\n");
    let core = world.beside(|_| {}).await;
    let seen = core.refresh(&instance).await.unwrap().unwrap();
    assert_eq!(drift(&seen.state).len(), 1);
    let repaired = core.converge(DESTINATION, Some(&instance), known).await.unwrap();
    assert_eq!(repaired.state, instance.state);

    for (bad, path) in [
        (json!([{ "kind": "Pod", "merge_patch": "{}" }]), "overlays[0].kind"),
        (json!([{ "kind": "Gateway", "cluster": "north", "merge_patch": "{}" }]), "overlays[0].cluster"),
        (json!([{ "kind": "Gateway", "merge_patch": "[]" }]), "overlays[0].merge_patch"),
        (json!([{ "kind": "Gateway", "merge_patch": "{\"kind\":\"Pod\"}" }]), "overlays[0].merge_patch"),
    ] {
        let refused = world.core.plan(DESTINATION, None, set(destination(), "/overlays", bad)).await.unwrap_err();
        let paths: Vec<String> = refused.diagnostics.iter().filter_map(|d| d.path.as_ref().map(ToString::to_string)).collect();
        assert!(paths.iter().any(|found| found == path), "{path}: {refused}");
    }
}

/// Of the intent, and of what it meets in a cluster; the reasons are on the objects.
#[tokio::test]
async fn warnings_are_overruled_with_a_reason() {
    let world = World::new().await;
    let rule = "{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: of-a-person, namespace: bookinfo}, spec: {host: reviews.mesh.internal}}";
    fs::write(world.path("east/inventory/rule.yaml"), rule).unwrap();
    let config = set(destination(), "/retries", json!({ "attempts": 1 }));
    let said =
        |diagnostics: &tf_value::Diagnostics| -> Vec<String> { diagnostics.iter().map(|one| one.summary.clone()).collect() };
    let plan = world.core.plan(DESTINATION, None, config.clone()).await.unwrap();
    assert_eq!(
        said(&plan.diagnostics),
        ["Retries stay in the failing cluster (GM1018)", "Foreign policy on the hostname (GM3005)"]
    );

    let ignored = json!({ "GM1018": "one is enough", "GM3005": "it is ours" });
    let plan = world.core.plan(DESTINATION, None, set(config, "/ignore_findings", ignored)).await.unwrap();
    assert!(plan.diagnostics.is_empty(), "{:?}", plan.diagnostics);
    let instance = world.core.apply(&plan).await.success().unwrap().unwrap();
    let hosts = instance.state["manifests"].as_object().unwrap().iter().filter(|(key, _)| key.contains("/ServiceEntry/"));
    assert!(hosts.clone().count() > 0);
    for (key, manifest) in hosts {
        assert!(manifest.as_str().unwrap().contains("GM1018: one is enough\\nGM3005: it is ours"), "{key}: {manifest}");
    }
}
