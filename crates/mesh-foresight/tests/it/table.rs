//! Tables and diagrams, as they are read.

use std::collections::BTreeSet;

use mesh_foresight::{Given, World};
use mesh_model::Leaf;
use proptest::prelude::*;
use serde_json::json;

use crate::named;
use crate::ranks::foresee;
use crate::rig::{HOST, Rig, cluster};

const TABLE: &str = "\
reviews.mesh.internal:9080
calls from  when                                         who serves          the first requests

east        all well                                     east 100%           answered
            1 of 2 own pods dead                         east 70%, west 30%  answered by a retry
            2 of 2 own pods dead                         west 100%           answered by a retry
            own application dead                         west 100%           GET answered by a retry; POST some lost: an answer 503 is not repeated
            cluster north down                           east 100%           answered
            cluster west down                            east 100%           answered
            gateway of north down                        east 100%           answered
            gateway of west down                         east 100%           answered
            region us-west1 down                         east 100%           answered
            own application dead, west down              north 100%          answered by a retry
            own application dead, west down, north down  nobody              some lost: nobody serves
";

const DIAGRAM: &str = r#"%% reviews.mesh.internal:9080
flowchart LR
  subgraph c0["east, us-east1"]
    c0_clients(["clients"])
    c0_pods["reviews.bookinfo.svc.cluster.local"]
  end
  subgraph c1["north, us-west1"]
    c1_gateway0{{"gateway 127.3.15.1"}}
    c1_pods["reviews.bookinfo.svc.cluster.local"]
  end
  subgraph c2["west, us-west1"]
    c2_gateway0{{"gateway 127.2.15.1"}}
    c2_pods["reviews.bookinfo.svc.cluster.local"]
  end
  c0_clients -->|1| c0_pods
  c0_clients -.->|2| c2_gateway0
  c0_clients -.->|3| c1_gateway0
  c1_gateway0 --> c1_pods
  c2_gateway0 --> c2_pods
"#;

/// As in the experiments, with west and north in one region, and routes as translation writes them.
fn usual() -> Rig {
    let mut rig = Rig::new();
    rig.facts.get_mut(&cluster("north")).unwrap().region = Some(Leaf::Known("us-west1".parse().unwrap()));
    let east = rig.objects.get_mut(&cluster("east")).unwrap();
    let routes = east.iter_mut().find(|object| object["kind"] == "VirtualService").unwrap();
    let mut every = routes["spec"]["http"][0].clone();
    every["retries"]["retryOn"] = json!("connect-failure,refused-stream,unavailable,cancelled");
    routes["spec"]["http"][0]["match"] = json!([{ "method": { "exact": "GET" } }]);
    routes["spec"]["http"].as_array_mut().unwrap().push(every);
    rig
}

fn two() -> World {
    World { usual: 2, ..World::default() }
}

#[test]
fn a_table_says_who_serves_and_what_the_first_requests_meet() {
    let table = usual().read().unwrap().table(&two(), HOST, 9080, None);
    assert_eq!(table.to_string(), TABLE);
}

#[test]
fn a_limit_of_ejections_that_hinders_failover_is_said() {
    let limit = json!({ "spec": { "trafficPolicy": { "outlierDetection": { "maxEjectionPercent": 10 } } } });
    let text = Rig::new().with("east", "DestinationRule", &limit).read().unwrap().table(&two(), HOST, 9080, None).to_string();
    assert!(
        text.ends_with("\neast: at most 0 of 4 endpoints are ejected at a time, and 3 come before the last rank.\n"),
        "{text}"
    );
    assert!(text.contains("own application dead  "), "{text}");
}

#[test]
fn given_situations_stand_in_the_place_of_the_usual_ones() {
    let given = [Given {
        name: "east\u{1b}[31m".to_owned(),
        regions_down: BTreeSet::from(["us-west1".to_owned()]),
        dead_pods: [(cluster("east"), 2)].into(),
        ..Given::default()
    }];
    let table = Rig::new().read().unwrap().table(&two(), HOST, 9080, Some(&given));
    let [client] = table.clients.as_slice() else { panic!("{table:?}") };
    let [row] = client.rows.as_slice() else { panic!("{client:?}") };
    assert_eq!(row.forecast.summary(), "north 100%");
    assert_eq!(row.forecast.reasons(), ["east out: its pods fail", "west out: the cluster is down"]);
    assert!(!table.to_string().contains('\u{1b}'));
}

#[test]
fn a_diagram_draws_ranks_gateways_and_pods() {
    let diagram = usual().read().unwrap().diagram(&World::default(), HOST, 9080);
    assert_eq!(diagram, DIAGRAM);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever the fleet: every client has its rows, the same ones every time, and a diagram has no more than its own lines.
    #[test]
    fn every_client_has_its_rows(intent in prop_oneof![named::addressed(), named::destination()], pods in 0..4_u32) {
        let (foresight, world) = (foresee(&intent), World { usual: pods, ..World::default() });
        let (host, port) = (intent.hostname.as_str(), intent.ports[0].number.get());
        let table = foresight.table(&world, host, port, None);
        prop_assert_eq!(&table, &foresight.table(&world, host, port, None));
        let clients: BTreeSet<_> = table.clients.iter().map(|client| client.cluster.clone()).collect();
        prop_assert_eq!(&clients, &intent.clients);
        for client in &table.clients {
            prop_assert!(client.ejection.is_enough(), "{:?}", client.ejection);
            let names: BTreeSet<String> = client.rows.iter().map(|row| row.situation.to_string()).collect();
            prop_assert_eq!(names.len(), client.rows.len(), "{:?}", names);
        }
        let diagram = foresight.diagram(&world, host, port);
        prop_assert_eq!(&diagram, &foresight.diagram(&world, host, port));
        let lines = |beginning: &str| diagram.lines().filter(|line| line.starts_with(beginning)).count();
        prop_assert_eq!(lines("  subgraph "), lines("  end"));
        prop_assert_eq!(diagram.lines().skip(2).filter(|line| !line.starts_with("  ")).count(), 0);
    }
}
