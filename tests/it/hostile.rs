//! The provider and requests that no core sends: whatever comes, it answers in words, and writes nowhere but in its clusters.

use serde_json::json;
use tf_server::testing::hostile::{Hostile, Tally, Trust, effort, is_watched, replay, request};

use crate::support::{DESTINATION, World, destination, mesh};

/// Requests of earlier defects, as they were told.
const KEPT: [&str; 0] = [];

/// What the provider reads something in.
const WORDS: [&str; 24] = [
    "east",
    "west",
    "bookinfo",
    "reviews",
    "reviews.mesh.internal",
    "*/ServiceEntry/bookinfo/vd-reviews-mesh-internal",
    "east/VirtualService/../../x",
    "test/it//gloo_virtual_destination/bookinfo/reviews",
    "bookinfo/reviews",
    "http",
    "1.28",
    "99999999999999999999.1",
    "cluster.local",
    "us-east-1/zone/subzone",
    "203.0.113.10",
    "2001:db8::1",
    "{\"apiVersion\":\"networking.istio.io/v1\",\"kind\":\"VirtualService\",\"metadata\":{\"name\":\"x\",\"namespace\":\"a\"}}",
    "{\"spec\":{\"hosts\":null}}",
    "sha256:",
    "5s",
    "9223372036854775807h",
    "GM3001",
    "hashicorp/kubernetes",
    "kubernetes_manifest",
];

// a create waits for the delete of another instance, for as long as it may: nobody has to wait for that here
#[tokio::test(start_paused = true)]
async fn every_request_gets_an_answer() {
    if !is_watched("hostile::every_request_gets_an_answer") {
        return;
    }
    let world = World::new().await;
    let manifest = json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": { "name": "reviews", "namespace": "bookinfo" },
        "spec": { "hosts": ["reviews"], "http": [{ "route": [{ "destination": { "host": "reviews" } }] }] },
    });
    let instances = [
        world.create("gloo_virtual_mesh", mesh()).await,
        world.create(DESTINATION, destination()).await,
        world.create("gloo_istio_object", json!({ "clusters": ["east", "west"], "manifest": manifest })).await,
    ];
    let (requests, seed) = effort(1_500);
    // a provider block by chance might name the folders of others
    let mut hostile = Hostile::new(&world.core, seed, &WORDS, &instances).without(&["configure_provider"]);
    let Tally { answered, understood } = hostile.send(requests).await;
    assert!(answered > requests / 2 && understood > requests / 3, "of {requests}: {answered} answered, {understood} understood");
    for text in KEPT {
        let (rpc, bytes) = request(text);
        assert!(replay(world.core.server(), Trust::Nobody, rpc, &bytes).await.is_some(), "{text}");
    }
    let is_inside = |file: &String| ["east/", "west/", "north/"].iter().any(|cluster| file.starts_with(cluster));
    let files = world.files();
    assert!(files.iter().all(is_inside), "{files:#?}");
}
