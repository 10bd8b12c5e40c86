//! Two resources of one configuration that want the same object or hostname: the plan refuses the second.

use serde_json::{Value as Json, json};
use tf_server::testing::{Action, Core, Failure, Instance};

use crate::support::{DESTINATION, World, backend, destination, mesh, object, set};

const OBJECT: &str = "gloo_istio_object";
const MESH: &str = "gloo_virtual_mesh";
const REVIEWS: &str = "test/it//gloo_virtual_destination/bookinfo/reviews";
const TWIN: &str = "test/it//gloo_virtual_destination/bookinfo/twin";
const TWICE: &str = "Two resources want one object (GM4022)";

/// Another destination with the hostname of `reviews`.
fn twin() -> Json {
    set(set(destination(), "/name", json!("twin")), "/hostname", json!("reviews.mesh.internal"))
}

/// `reviews` of another namespace, which shares no object with the one of `bookinfo`.
fn in_shop() -> Json {
    let served = |cluster: &str| set(backend(cluster), "/namespace", json!("shop"));
    let backends = json!([served("east"), served("west")]);
    set(set(set(destination(), "/namespace", json!("shop")), "/backends", backends), "/name", json!("books"))
}

/// A route by hand under the name of the destination's own.
fn by_hand() -> Json {
    set(object(), "/manifest/metadata/name", json!("vd-reviews.mesh.internal"))
}

/// Both in one new plan, in this order: what is said of the second.
async fn second_of(world: &World, first: (&str, Json), second: (&str, Json)) -> Failure {
    let core = world.beside(|_| {}).await;
    core.plan(first.0, None, first.1).await.unwrap_or_else(|failure| panic!("{failure}"));
    core.plan(second.0, None, second.1).await.expect_err("two want the same")
}

/// The error says all of it, about this argument.
fn assert_told(refused: &Failure, summary: &str, argument: &str, words: &[&str]) {
    assert!(refused.says(summary) && refused.violations.is_empty(), "{refused}");
    let error = refused.diagnostics.iter().find(|diagnostic| diagnostic.summary == summary).unwrap();
    let place = format!("{:?}", error.path);
    assert!(place.contains(&format!("Attribute({argument:?})")), "{place}");
    for word in words {
        assert!(error.detail.contains(word), "{word}: {}", error.detail);
    }
}

/// What a plan of these does, one after the other.
async fn actions(core: &Core, resources: [(Option<&Instance>, Json); 2]) -> Vec<Action> {
    let mut actions = Vec::new();
    for (instance, config) in resources {
        let plan = core.plan(DESTINATION, instance, config).await.unwrap_or_else(|failure| panic!("{failure}"));
        actions.push(plan.action);
    }
    actions
}

#[tokio::test]
async fn two_destinations_of_one_hostname_are_refused_whichever_comes_first() {
    let world = World::new().await;
    for (first, second) in [(destination(), twin()), (twin(), destination())] {
        let refused = second_of(&world, (DESTINATION, first), (DESTINATION, second)).await;
        let key = "want DestinationRule/bookinfo/vd-reviews.mesh.internal in cluster east and 14 more objects";
        assert_told(&refused, TWICE, "hostname", &[REVIEWS, TWIN, key, "hostname = \"another.mesh.internal\""]);
    }
    assert_eq!(world.files(), Vec::<String>::new());
    // the way out
    let core = world.beside(|_| {}).await;
    core.plan(DESTINATION, None, destination()).await.unwrap();
    core.plan(DESTINATION, None, set(twin(), "/hostname", json!("another.mesh.internal"))).await.unwrap();
}

#[tokio::test]
async fn of_two_that_are_planned_at_once_one_is_refused() {
    let world = World::new().await;
    let (one, other) =
        tokio::join!(world.core.plan(DESTINATION, None, destination()), world.core.plan(DESTINATION, None, twin()));
    assert_eq!(usize::from(one.is_err()) + usize::from(other.is_err()), 1);
}

#[tokio::test]
async fn one_hostname_of_two_namespaces_is_refused_where_clients_meet_both() {
    let world = World::new().await;
    let of = |config: Json, clients: &[&str]| {
        let config = set(config, "/hostname", json!("reviews.mesh.internal"));
        (DESTINATION, set(config, "/clients", json!(clients)))
    };
    let all = ["east", "north", "west"];
    let refused = second_of(&world, of(destination(), &all), of(in_shop(), &all)).await;
    let books = "test/it//gloo_virtual_destination/shop/books";
    assert_told(&refused, "Hostname is taken (GM3002)", "hostname", &[REVIEWS, books, "reviews.mesh.internal in cluster east"]);
    assert!(!refused.says(TWICE), "{refused}");

    let core = world.beside(|_| {}).await;
    for (type_name, config) in [of(destination(), &["east", "west"]), of(in_shop(), &["north"])] {
        core.plan(type_name, None, config).await.unwrap_or_else(|failure| panic!("{failure}"));
    }
}

#[tokio::test]
async fn an_object_by_hand_and_that_of_a_destination_are_told_of_either() {
    let world = World::new().await;
    let key = "VirtualService/bookinfo/vd-reviews.mesh.internal in cluster east";
    let claim = "test/it//gloo_istio_object/bookinfo/VirtualService/vd-reviews.mesh.internal";
    let refused = second_of(&world, (DESTINATION, destination()), (OBJECT, by_hand())).await;
    assert_told(&refused, TWICE, "manifest", &[REVIEWS, claim, key]);
    let refused = second_of(&world, (OBJECT, by_hand()), (DESTINATION, destination())).await;
    assert_told(&refused, TWICE, "hostname", &[REVIEWS, claim, key]);

    let elsewhere = set(by_hand(), "/clusters", json!(["north"]));
    let without_north = set(destination(), "/clients", json!(["east", "west"]));
    world.core.plan(DESTINATION, None, without_north).await.unwrap();
    world.core.plan(OBJECT, None, elsewhere).await.unwrap_or_else(|failure| panic!("{failure}"));
}

#[tokio::test]
async fn two_meshes_meet_in_their_mode_and_in_their_exports() {
    let world = World::new().await;
    let of = |name: &str, argument: &str, value: Json| (MESH, set(set(mesh(), "/name", json!(name)), argument, value));
    let claims = ["test/it//gloo_virtual_mesh/-/prod", "test/it//gloo_virtual_mesh/-/test"];

    let mode = |name: &str| of(name, "/mtls", json!({ "mode": "strict" }));
    let refused = second_of(&world, mode("prod"), mode("test")).await;
    assert_told(&refused, TWICE, "mtls", &[claims[0], claims[1], "PeerAuthentication/istio-system/default in cluster east"]);

    let exports = |name: &str| of(name, "/federation", json!({ "exports": [backend("east")] }));
    let refused = second_of(&world, exports("prod"), exports("test")).await;
    assert_told(&refused, TWICE, "federation", &[claims[0], claims[1], "hostname_suffix"]);
}

#[tokio::test]
async fn one_that_takes_over_wants_the_same_rightly() {
    let world = World::new().await;
    let old = world.create(DESTINATION, destination()).await;
    let taking = set(twin(), "/takeover_from", json!([REVIEWS]));
    let core = world.beside(|_| {}).await;
    let both = actions(&core, [(None, taking.clone()), (Some(&old), destination())]).await;
    assert_eq!(both, [Action::Create, Action::NoOp]);
    let core = world.beside(|_| {}).await;
    let both = actions(&core, [(Some(&old), destination()), (None, taking.clone())]).await;
    assert_eq!(both, [Action::NoOp, Action::Create]);
    let new = core.apply(&core.plan(DESTINATION, None, taking).await.unwrap()).await.success().unwrap().unwrap();

    // what was taken is wanted no more, also when the argument has gone
    let core = world.beside(|_| {}).await;
    let [old, new] = [core.refresh(&old).await.unwrap().unwrap(), core.refresh(&new).await.unwrap().unwrap()];
    let both = actions(&core, [(Some(&old), destination()), (Some(&new), twin())]).await;
    assert_eq!(both[0], Action::NoOp);
}

#[tokio::test]
async fn a_copy_of_a_resource_that_exists_is_refused_and_its_own_replacement_is_not() {
    for (type_name, config, argument, renamed) in
        [(DESTINATION, destination(), "hostname", "/name"), (OBJECT, object(), "manifest", "/manifest/metadata/name")]
    {
        let world = World::new().await;
        let old = world.create(type_name, config.clone()).await;
        for copy_first in [false, true] {
            let core = world.beside(|_| {}).await;
            let (first, second) = if copy_first { (None, Some(&old)) } else { (Some(&old), None) };
            core.plan(type_name, first, config.clone()).await.unwrap_or_else(|failure| panic!("{failure}"));
            let refused = core.plan(type_name, second, config.clone()).await.unwrap_err();
            assert_told(&refused, TWICE, argument, &["Two resources of this configuration are test/it//", "moved {", "east"]);
        }
        // a replacement is planned twice, from what is there and from nothing
        let core = world.beside(|_| {}).await;
        let replaced = core.plan(type_name, Some(&old), set(config, renamed, json!("other"))).await.unwrap();
        assert_eq!(replaced.action, Action::Replace);
    }
}

#[tokio::test]
async fn what_is_refused_or_deleted_is_in_nobodys_way() {
    let world = World::new().await;
    // its own entry is no takeover: the plan is refused
    let wrong = set(destination(), "/takeover_from", json!([REVIEWS]));
    world.core.plan(DESTINATION, None, wrong).await.unwrap_err();
    let made = world.create(DESTINATION, twin()).await;
    let refused = world.core.plan(DESTINATION, None, destination()).await.unwrap_err();
    assert!(refused.says(TWICE), "{refused}");
    world.core.destroy(&made).await.success().unwrap();
    world.create(DESTINATION, destination()).await;
}
