//! What the functions and the data source foretell of a resource.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use terraform_provider_gloo::Gloo;
use tf_server::testing::{Core, Input, unknown};
use tf_value::Value;

use crate::support::{DESTINATION, World, destination, set};

/// A core whose provider is not configured: nothing here needs a cluster.
async fn core() -> Core {
    Core::new(Arc::new(Gloo::new())).await
}

async fn call(function: &str, destination: Json) -> Result<Value, (Option<i64>, String)> {
    let answer = core().await.call(function, vec![Input::from(destination)]).await;
    answer.map_err(|error| (error.argument, error.text))
}

async fn text(function: &str, destination: Json) -> String {
    call(function, destination).await.unwrap().as_str().unwrap().to_owned()
}

async fn failover(config: Json) -> Json {
    let (value, diagnostics) = core().await.read_data("gloo_failover", config).await.unwrap();
    assert!(!diagnostics.has_errors(), "{diagnostics:?}");
    value.get("clients").to_json_untyped().unwrap()
}

const TABLE: &str = "\
reviews.mesh.internal:9080
calls from  when                             who serves          the first requests

east        all well                         east 100%           answered
            1 of 2 own pods dead             east 70%, west 30%  answered by a retry
            2 of 2 own pods dead             west 100%           answered by a retry
            own application dead             west 100%           GET answered by a retry; POST some lost: an answer 503 is not repeated
            cluster west down                east 100%           answered
            gateway of west down             east 100%           answered
            own application dead, west down  nobody              some lost: nobody serves

north       all well                         east 50%, west 50%  answered
            cluster east down                west 100%           answered by a retry
            cluster west down                east 100%           answered by a retry
            gateway of east down             west 100%           answered by a retry
            gateway of west down             east 100%           answered by a retry
            east down, west down             nobody              some lost: nobody serves

west        all well                         west 100%           answered
            1 of 2 own pods dead             east 30%, west 70%  answered by a retry
            2 of 2 own pods dead             east 100%           answered by a retry
            own application dead             east 100%           GET answered by a retry; POST some lost: an answer 503 is not repeated
            cluster east down                west 100%           answered
            gateway of east down             west 100%           answered
            own application dead, east down  nobody              some lost: nobody serves
";

#[tokio::test]
async fn a_table_says_who_serves_when_something_dies() {
    let table = text("failover_table", destination()).await;
    assert_eq!(table, TABLE);
    // one for each port
    let ports = json!([{ "number": 9090, "protocol": "tcp", "service_port": 9080 }, { "number": 9080 }]);
    let silent = ["/backends/0/ports/0/protocol", "/backends/1/ports/0/protocol"];
    let several = silent.into_iter().fold(set(destination(), "/ports", ports), |config, at| set(config, at, Json::Null));
    let both = text("failover_table", several).await;
    assert!(both.starts_with(&table) && both.contains("\n\nreviews.mesh.internal:9090\n"), "{both}");
    assert!(both.contains("some lost: a broken connection is not repeated"), "{both}");
}

#[tokio::test]
async fn the_guide_shows_what_the_functions_say() {
    let guide = include_str!("../../docs/guides/failover.md");
    let east = set(destination(), "/clients", json!(["east"]));
    for (function, language, beginning) in
        [("failover_table", "text", "reviews.mesh.internal:9080"), ("diagram", "mermaid", "%% reviews.mesh.internal:9080")]
    {
        let block = guide.split("```").find_map(|block| block.strip_prefix(&format!("{language}\n{beginning}")));
        let block = block.unwrap_or_else(|| panic!("the guide shows no {function}"));
        assert_eq!(format!("{beginning}{block}"), text(function, east.clone()).await);
    }
}

#[tokio::test]
async fn a_resource_is_read_by_its_arguments_alone() {
    let world = World::new().await;
    let mut instance = world.create(DESTINATION, destination()).await.state;
    assert_eq!(text("failover_table", instance.clone()).await, text("failover_table", destination()).await);
    instance["manifests"] = json!({});
    instance["applied"] = unknown();
    assert_eq!(text("diagram", instance).await, text("diagram", destination()).await);
}

#[tokio::test]
async fn a_diagram_draws_the_ways() {
    let diagram = text("diagram", destination()).await;
    assert!(
        diagram.starts_with("%% reviews.mesh.internal:9080\nflowchart LR\n  subgraph c0[\"east, us-east-1\"]\n"),
        "{diagram}"
    );
    assert!(diagram.contains("  c0_clients -->|1| c0_pods\n  c0_clients -.->|2| c2_gateway0\n"), "{diagram}");
    assert!(diagram.contains("  c1_clients -->|1, 50#37;| c0_gateway0\n  c1_clients -->|1, 50#37;| c2_gateway0\n"), "{diagram}");
}

fn assert_shows(table: &str, lines: &[&str]) {
    for line in lines {
        assert!(table.contains(line), "{line:?} is not in\n{table}");
    }
}

#[tokio::test]
async fn shares_are_foretold() {
    let spread = set(destination(), "/failover", json!({ "spread": { "east": { "east": 80, "west": 20 } } }));
    let spread = set(spread, "/clients", json!(["east"]));
    let table = text("failover_table", spread.clone()).await;
    let lines = [
        "all well                         east 80%, west 20%        answered\n",
        // of what lives in east 1.4 times half counts
        "1 of 2 own pods dead             east 73.68%, west 26.32%  answered by a retry\n",
        "2 of 2 own pods dead             west 100%                 answered by a retry\n",
        "cluster west down                east 100%                 answered by a retry\n",
    ];
    assert_shows(&table, &lines);
    let diagram = text("diagram", spread).await;
    assert!(diagram.contains("  c0_clients -->|1, 80#37;| c0_pods\n  c0_clients -->|1, 20#37;| c2_gateway0\n"), "{diagram}");
}

#[tokio::test]
async fn what_matters_and_is_not_known_makes_the_result_unknown() {
    for pointer in ["/virtual_mesh/clusters/west/gateways/0/addresses/0", "/backends", "/hostname", "/timeout"] {
        let answer = call("failover_table", set(destination(), pointer, unknown())).await.unwrap();
        assert!(answer.is_unknown(), "{pointer}");
    }
    assert!(call("diagram", unknown()).await.unwrap().is_unknown());
    // who serves does not depend on it
    let known = text("diagram", set(destination(), "/connect_timeout", unknown())).await;
    assert_eq!(known, text("diagram", destination()).await);
}

#[tokio::test]
async fn calls_of_each_subset_fail_over_by_themselves() {
    let subset = |version: &str, weight: u32| json!({ "labels": { "version": version }, "weight": weight });
    let split = set(destination(), "/subsets", json!({ "v1": subset("v1", 90), "v2": subset("v2", 10) }));
    let some = set(split, "/backends/0/subsets", json!(["v1"]));
    let table = text("failover_table", some.clone()).await;
    // east has no pods of v2, so that a tenth of its calls leaves it
    let lines = [
        "east        all well                         east 90%, west 10%  answered\n",
        "            1 of 2 own pods dead             east 63%, west 37%  answered by a retry\n",
        "            2 of 2 own pods dead             west 100%           answered by a retry\n",
        "            cluster west down                east 90%            some lost: nobody serves\n",
        "            own application dead             east 90%            some lost: nobody serves\n",
    ];
    assert_shows(&table, &lines);
    let diagram = text("diagram", some).await;
    assert!(diagram.contains("|v1: 1, 90#37;| c0_pods") && diagram.contains("|v2: 1, 10#37;| c2_gateway0"), "{diagram}");
}

#[tokio::test]
async fn what_is_wrong_is_told_at_the_argument() {
    let strange = json!({ "connection_pool": { "x": 1 } });
    let patch = json!([{ "kind": "VirtualService", "merge_patch": json!({ "spec": { "tcp": [strange] } }).to_string() }]);
    let mut second = patch.clone();
    let known = json!({ "kind": "VirtualService", "merge_patch": json!({ "spec": { "exportTo": ["*"] } }).to_string() });
    second.as_array_mut().unwrap().insert(0, known);
    for (argument, part) in [
        (json!("reviews"), "Not a virtual destination."),
        (json!({ "name": "reviews" }), "gloo_virtual_destination.reviews"),
        (set(destination(), "/backends/0/cluster", json!("moon")), "(GM"),
        (set(destination(), "/ports", json!([{ "number": 0 }])), "ports[0].number"),
        (
            set(destination(), "/overlays", patch),
            "what spec.tcp[0].connection_pool of VirtualService/bookinfo/vd-reviews.mesh.internal does is not modelled",
        ),
        (set(destination(), "/overlays", second), "`overlays[1]` writes it"),
    ] {
        let (at, text) = call("failover_table", argument).await.unwrap_err();
        assert_eq!(at, Some(0), "{text}");
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test]
async fn who_ignores_the_finding_about_dns_has_another_server_for_it() {
    let off = set(destination(), "/virtual_mesh/clusters/east/dns_capture", json!(false));
    assert!(text("failover_table", off.clone()).await.contains("nobody: the name is not resolved"));
    let ignored = set(off, "/ignore_findings", json!({ "GM2013": "CoreDNS answers" }));
    assert_eq!(text("failover_table", ignored).await, text("failover_table", destination()).await);
}

#[tokio::test]
async fn the_data_source_gives_values_to_check() {
    let clients = failover(json!({ "destination": destination(), "pods": { "east": 3 } })).await;
    let east = &clients["east"];
    assert_eq!(east["order"], json!([["east"], ["west"]]));
    assert_eq!(east["ejection"], json!({ "endpoints": 4, "most": 4, "before_last": 3, "enough": true }));
    let row = |name: &str| {
        let rows = east["scenarios"].as_array().unwrap();
        rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name} in {rows:?}")).clone()
    };
    assert_eq!(row("1 of 3 own pods dead")["shares"], json!({ "east": 93, "west": 7 }));
    let dead = row("own application dead");
    assert_eq!(dead["shares"], json!({ "west": 100 }));
    assert_eq!((&dead["lossless"], &dead["failing"]), (&json!(false), &json!(0)));
    assert_eq!(dead["others"], json!(["east out: its pods fail"]));
    assert_eq!(row("2 of 3 own pods dead")["lossless"], json!(true));
}

#[tokio::test]
async fn the_data_source_warns_where_pods_that_are_told_cannot_all_be_ejected() {
    let limited = set(destination(), "/outlier_detection", json!({ "max_ejection_percent": 50 }));
    for (pods, warned) in [(json!({ "east": 3 }), true), (json!({ "east": 1 }), false), (json!({ "north": 3 }), false)] {
        let config = json!({ "destination": limited, "pods": pods });
        let (_, diagnostics) = core().await.read_data("gloo_failover", config).await.unwrap();
        let text = format!("{diagnostics:?}");
        assert_eq!(text.contains("GM3021"), warned, "{pods}: {text}");
        assert_eq!(text.contains("4 endpoints, 3 pods of its own among them, of which 2 may be ejected"), warned, "{text}");
    }
}

#[tokio::test]
async fn the_data_source_answers_what_is_asked() {
    let asked = json!([
        { "name": "the west is gone", "regions_down": ["us-west-2"], "dead_pods": { "east": 1 } },
        { "name": "no gateways", "gateways_down": ["east", "west"] },
    ]);
    let clients = failover(json!({ "destination": destination(), "scenarios": asked })).await;
    assert_eq!(clients["east"]["scenarios"][0]["shares"], json!({ "east": 100 }));
    assert_eq!(clients["west"]["scenarios"][0]["first_get"], "no client: its cluster is down");
    assert_eq!(clients["north"]["scenarios"][1]["shares"], json!({}));
    assert_eq!(
        clients["north"]["scenarios"][1]["others"],
        json!(["east out: its gateway is down", "west out: its gateway is down"])
    );
}

#[tokio::test]
async fn the_data_source_refuses_what_says_nothing() {
    let base = json!({ "destination": destination() });
    for (change, pointer, part) in [
        (json!([{ "name": "a", "clusters_down": ["moon"] }]), "/scenarios", "no cluster moon"),
        (json!([{ "name": "a", "regions_down": ["moon"] }]), "/scenarios", "no region moon"),
        (json!([{ "name": "a", "clusters_down": ["No Name"] }]), "/scenarios", "No Name"),
        (json!([{ "name": "a" }, { "name": "a" }]), "/scenarios", "Name is taken"),
        (json!({ "moon": 1 }), "/pods", "no cluster moon"),
        (json!({ "east": 51 }), "/pods", "from 0 to 50"),
        (json!(9999), "/port", "it has: 9080"),
        (json!({ "name": "reviews" }), "/destination", "Not a virtual destination"),
    ] {
        let failure = core().await.read_data("gloo_failover", set(base.clone(), pointer, change)).await.unwrap_err();
        assert!(failure.to_string().contains(part), "{pointer}: {failure}");
    }
}
