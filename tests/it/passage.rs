//! What a change of `gloo_virtual_destination` does to requests on its way, as the plan says.

use serde_json::{Value as Json, json};

use crate::support::{DESTINATION, World, destination, set};

/// The same, where clients of east know no other cluster.
fn alone(config: Json) -> Json {
    set(config, "/failover", json!({ "order": ["east"], "only": true }))
}

fn of_backends(config: Json, name: &str, value: &Json) -> Json {
    ["/backends/0", "/backends/1"].iter().fold(config, |config, backend| set(config, &format!("{backend}/{name}"), value.clone()))
}

/// The same over other Services: other pods, with an account of their own.
fn moved(config: Json) -> Json {
    let name = json!("reviews-v2");
    let config = of_backends(config, "selector", &json!({ "app": "reviews-v2" }));
    let config = of_backends(config, "service_accounts", &json!(["reviews-v2"]));
    of_backends(of_backends(config, "canonical_name", &name), "service", &name)
}

fn accepting_both(config: Json) -> Json {
    of_backends(config, "service_accounts", &json!(["bookinfo-reviews", "reviews-v2"]))
}

#[tokio::test]
async fn the_plan_says_what_is_lost_on_the_way_and_how_it_is_not() {
    let world = World::new().await;
    let mut instance = world.create(DESTINATION, alone(destination())).await;
    let plan = world.core.plan(DESTINATION, Some(&instance), moved(alone(destination()))).await.unwrap();
    let told = plan.diagnostics.iter().find(|told| told.summary == "Requests are lost during the change (GM4026)").unwrap();
    for part in [
        "port 9080, of clients in east are answered before this change and after it",
        "After east/DestinationRule/bookinfo/vd-reviews.mesh.internal is written: east out: its pods may be \
         spiffe://cluster.local/ns/bookinfo/sa/bookinfo-reviews",
        "service_accounts = [\"bookinfo-reviews\", \"reviews-v2\"]",
    ] {
        assert!(told.detail.contains(part), "{}", told.detail);
    }
    let steps = [accepting_both(alone(destination())), accepting_both(moved(alone(destination()))), moved(alone(destination()))];
    for step in steps {
        let plan = world.core.plan(DESTINATION, Some(&instance), step).await.unwrap();
        assert!(plan.diagnostics.iter().all(|told| !told.summary.contains("GM4026")), "{:?}", plan.diagnostics);
        instance = world.core.apply(&plan).await.success().unwrap().unwrap();
    }
}

#[tokio::test]
async fn nothing_is_said_where_others_take_over() {
    let world = World::new().await;
    let instance = world.create(DESTINATION, destination()).await;
    let plan = world.core.plan(DESTINATION, Some(&instance), moved(destination())).await.unwrap();
    assert!(plan.diagnostics.is_empty(), "{:?}", plan.diagnostics);
}

#[tokio::test]
async fn several_changes_at_once_are_named() {
    let world = World::new().await;
    let instance = world.create(DESTINATION, alone(destination())).await;
    let change = set(moved(alone(destination())), "/clients", json!(["east", "west"]));
    let plan = world.core.plan(DESTINATION, Some(&instance), change.clone()).await.unwrap();
    let told = plan.diagnostics.iter().find(|told| told.summary.contains("GM4026")).unwrap();
    assert!(told.detail.ends_with("and the next in another one: backends, clients."), "{}", told.detail);
    let ignored = set(change, "/ignore_findings", json!({ "GM4026": "nobody calls at night" }));
    let plan = world.core.plan(DESTINATION, Some(&instance), ignored).await.unwrap();
    assert!(plan.diagnostics.iter().all(|told| !told.summary.contains("GM4026")), "{:?}", plan.diagnostics);
}
