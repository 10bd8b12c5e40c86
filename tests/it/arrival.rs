//! How resources come into a state other than by create: imported by id or identity, or moved from another provider.

use std::fs;

use serde_json::{Value as Json, json};
use tf_server::testing::{Action, Instance};

use crate::support::{DESTINATION, World, destination, mesh, set};

const OBJECT: &str = "gloo_istio_object";

fn object() -> Json {
    json!({
        "clusters": ["east"],
        "manifest": {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": { "name": "reviews", "namespace": "bookinfo", "labels": { "team": "blue" } },
            "spec": { "hosts": ["reviews"] },
        },
    })
}

#[tokio::test]
async fn identities_name_resources_and_import_them() {
    let cases = [
        (
            DESTINATION,
            destination(),
            json!({ "owner": "test/it", "namespace": "bookinfo", "name": "reviews" }),
            json!({ "namespace": "bookinfo", "name": "reviews" }),
        ),
        (
            OBJECT,
            object(),
            json!({ "owner": "test/it", "kind": "VirtualService", "namespace": "bookinfo", "name": "reviews" }),
            json!({ "kind": "VirtualService", "namespace": "bookinfo", "name": "reviews" }),
        ),
    ];
    for (type_name, config, identity, short) in cases {
        let world = World::new().await;
        let created = world.create(type_name, config.clone()).await;
        assert_eq!(created.identity.as_ref(), Some(&identity));
        for asked in [identity, short.clone()] {
            let imported = world.core.import_by_identity(type_name, asked).await.unwrap_or_else(|failure| panic!("{failure}"));
            assert_eq!((imported.len(), &imported[0].state), (1, &created.state));
            assert_eq!(world.core.plan(type_name, Some(&imported[0]), config.clone()).await.unwrap().action, Action::NoOp);
        }
        let foreign = set(short.clone(), "/owner", json!("team/other"));
        let refused = world.core.import_by_identity(type_name, foreign).await.unwrap_err();
        assert!(refused.says("Import of another owner's resource"), "{refused}");
        let unknown = set(short, "/name", json!("nothing"));
        assert!(world.core.import_by_identity(type_name, unknown).await.unwrap_err().says("Nothing to import"));
    }
    let world = World::new().await;
    let created = world.create("gloo_virtual_mesh", mesh()).await;
    assert_eq!(created.identity, Some(json!({ "owner": "test/it", "name": "prod" })));
}

#[tokio::test]
async fn an_imported_instance_goes_on_as_the_one_that_wrote_the_objects() {
    let world = World::new().await;
    let created = world.create(DESTINATION, destination()).await;
    let core = world.beside(|_| {}).await;
    let imported = core.import(DESTINATION, "bookinfo/reviews").await.unwrap().remove(0);
    let changed = set(destination(), "/export_to", json!(["bookinfo"]));
    let updated = core.converge(DESTINATION, Some(&imported), changed).await.unwrap();
    core.destroy(&updated).await.success().unwrap();
    assert_eq!(world.files(), Vec::<String>::new());
    drop(created);
}

#[tokio::test]
async fn another_owner_in_the_provider_block_is_refused_with_the_way_over() {
    for (type_name, config) in [(DESTINATION, destination()), (OBJECT, object()), ("gloo_virtual_mesh", mesh())] {
        let world = World::new().await;
        let created = world.create(type_name, config.clone()).await;
        let other = world.beside(|block| block["owner"] = json!("team/other")).await;
        for refused in
            [other.refresh(&created).await.unwrap_err(), other.plan(type_name, Some(&created), config.clone()).await.unwrap_err()]
        {
            assert!(refused.violations.is_empty() && refused.says("Owner changed"), "{refused}");
            assert!(format!("{refused}").contains("takeover_from = [\"test/it\"]"), "{refused}");
        }
    }
}

fn sources() -> [(&'static str, Instance); 3] {
    let manifest = object()["manifest"].clone();
    let kubernetes = json!({
        "manifest": {
            "type": ["object", {
                "apiVersion": "string", "kind": "string",
                "metadata": ["object", { "labels": ["object", { "team": "string" }], "name": "string", "namespace": "string" }],
                "spec": ["object", { "hosts": ["tuple", ["string"]] }],
            }],
            "value": manifest,
        },
        "object": { "type": "string", "value": "as the API server returned it" },
        "computed_fields": null, "field_manager": [], "timeouts": [], "wait": [], "wait_for": null,
    });
    let yaml = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: reviews\n  labels: {team: blue}\nspec:\n  hosts: [reviews]\n";
    let kubectl = json!({
        "id": "/apis/networking.istio.io/v1/namespaces/bookinfo/virtualservices/reviews",
        "yaml_body": yaml.replace("  name: reviews\n", "  name: reviews\n  namespace: bookinfo\n"),
        "kind": "VirtualService", "uid": "0b", "yaml_incluster": "c0ffee",
    });
    let overridden = json!({ "yaml_body": format!("---\n{yaml}"), "override_namespace": "bookinfo" });
    [
        ("registry.terraform.io/hashicorp/kubernetes", Instance::new("kubernetes_manifest", 1, kubernetes)),
        ("registry.terraform.io/gavinbunney/kubectl", Instance::new("kubectl_manifest", 0, kubectl)),
        ("registry.terraform.io/alekc/kubectl", Instance::new("kubectl_manifest", 1, overridden)),
    ]
}

/// The object as another provider wrote it, with a difference.
fn hand_made(world: &World) {
    let text = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: reviews\n  namespace: bookinfo\n  labels:\n    app: x\n    team: blue\nspec:\n  hosts: [old]\n";
    fs::create_dir_all(world.path("east/manifests/bookinfo")).unwrap();
    fs::write(world.file("east", "bookinfo/VirtualService-reviews"), text).unwrap();
}

#[tokio::test]
async fn a_moved_manifest_is_adopted_where_it_is() {
    for (address, source) in sources() {
        let world = World::new().await;
        hand_made(&world);
        let moved = world.core.moved(address, &source, OBJECT).await.unwrap_or_else(|failure| panic!("{address}: {failure}"));
        assert_eq!(moved.state["manifest"]["value"], object()["manifest"], "{address}");
        let moved = world.core.refresh(&moved).await.unwrap().expect("it stays in the state");
        let plan = world.core.plan(OBJECT, Some(&moved), object()).await.unwrap_or_else(|failure| panic!("{address}: {failure}"));
        assert_eq!(plan.action, Action::Update);
        let said: Vec<&str> = plan.diagnostics.iter().map(|d| d.summary.as_str()).collect();
        assert_eq!(said, ["Existing object is adopted (GM3011)"]);
        assert!(plan.diagnostics.iter().next().unwrap().detail.contains("spec.hosts[0]: live \"old\", intent \"reviews\""));
        let applied = world.core.apply(&plan).await.success().unwrap().unwrap();
        let text = fs::read_to_string(world.file("east", "bookinfo/VirtualService-reviews")).unwrap();
        assert!(text.contains("app: x") && text.contains("- reviews") && text.contains("test/it//gloo_istio_object"), "{text}");
        // what the move allowed is over
        assert_eq!(world.core.plan(OBJECT, Some(&applied), object()).await.unwrap().action, Action::NoOp);
        let north = set(object(), "/clusters", json!(["east", "west"]));
        fs::create_dir_all(world.path("west/manifests/bookinfo")).unwrap();
        let by_hand = text.lines().filter(|line| !line.contains("gloo-terraform")).collect::<Vec<_>>().join("\n");
        fs::write(world.file("west", "bookinfo/VirtualService-reviews"), by_hand.replace("  annotations:\n", "")).unwrap();
        let refused = world.core.plan(OBJECT, Some(&applied), north).await.unwrap_err();
        assert!(refused.says("Object of another owner (GM3004)"), "{refused}");
    }
}

#[tokio::test]
async fn a_moved_object_cannot_become_another_and_is_never_deleted_before_it_was_applied() {
    let world = World::new().await;
    hand_made(&world);
    let (address, source) = &sources()[0];
    let moved = world.core.moved(address, source, OBJECT).await.unwrap();
    let other = set(object(), "/manifest/metadata/name", json!("other"));
    let refused = world.core.plan(OBJECT, Some(&moved), other).await.unwrap_err();
    assert!(format!("{refused}").contains("another object than the resource that was moved"), "{refused}");
    let before = world.files();
    let destroyed = world.core.destroy(&moved).await;
    assert!(destroyed.says("Objects forgotten (GM5009)"), "{:?}", destroyed.diagnostics);
    destroyed.success().unwrap();
    assert_eq!(world.files(), before);
}

#[tokio::test]
async fn what_is_no_single_object_of_a_mesh_cannot_be_moved() {
    let world = World::new().await;
    let kubectl = |yaml: &str| Instance::new("kubectl_manifest", 0, json!({ "yaml_body": yaml }));
    for source in [
        kubectl("a: [never closed"),
        kubectl("{kind: A}\n---\n{kind: B}\n"),
        kubectl("apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n"),
        Instance::new("kubectl_manifest", 0, json!({})),
        Instance::new("kubernetes_manifest", 1, json!({ "manifest": null })),
        Instance::new("kubernetes_manifest", 1, json!({ "manifest": { "type": "string", "value": "x" } })),
        Instance::new("kubernetes_config_map", 1, json!({})),
    ] {
        let refused = world.core.moved("registry.terraform.io/x/y", &source, OBJECT).await.unwrap_err();
        assert!(refused.violations.is_empty() && refused.says("Resource cannot be moved"), "{source:?}: {refused}");
    }
    let (address, source) = &sources()[0];
    let refused = world.core.moved(address, source, DESTINATION).await.unwrap_err();
    assert!(refused.says("Resource cannot be moved"), "{refused}");
}
