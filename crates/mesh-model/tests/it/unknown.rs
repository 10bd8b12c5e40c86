//! Unknown values, one at a time.

use mesh_model::Input;
use mesh_model::decode::{Outcome, virtual_destination};
use serde_json::json;

use crate::example::{check_outcome, destination, verdicts, with};

/// Patterns of paths where an unknown value leaves the objects known. `*` is any key or index.
const LEAVES: &[&str] = &[
    "virtual_mesh.clusters.*.network",
    "virtual_mesh.clusters.*.region",
    "virtual_mesh.clusters.*.dns_capture",
    "virtual_mesh.clusters.*.gateways.*.addresses.*",
    "virtual_mesh.clusters.*.gateways.1.hostname",
    "virtual_mesh.clusters.*.gateways.*.port",
    "backends.*.canonical_name",
    "backends.*.service_accounts.*",
    "outlier_detection.*",
    "retries.*",
    "timeout",
    "connect_timeout",
    "tcp_keepalive.*",
    "load_balancer",
    "export_to.*",
    "overlays.*.merge_patch",
];

/// Every path inside a value.
pub(crate) fn paths(input: &Input, here: Vec<String>, out: &mut Vec<Vec<String>>) {
    let mut into = |name: String, item: &Input| {
        let path: Vec<String> = here.iter().cloned().chain([name]).collect();
        out.push(path.clone());
        paths(item, path, out);
    };
    match input {
        Input::List(items) => items.iter().enumerate().for_each(|(index, item)| into(index.to_string(), item)),
        Input::Map(members) => members.iter().for_each(|(name, member)| into(name.clone(), member)),
        _ => {}
    }
}

pub(crate) fn at<'a>(input: &'a mut Input, path: &[String]) -> &'a mut Input {
    path.iter().fold(input, |input, step| match input {
        Input::List(items) => &mut items[step.parse::<usize>().expect("an index")],
        Input::Map(members) => members.get_mut(step).expect("a member"),
        other => panic!("{other:?}"),
    })
}

/// Whether a path is one of these.
pub(crate) fn is_one_of(patterns: &[&str], path: &[String]) -> bool {
    patterns.iter().any(|pattern| {
        let pattern: Vec<&str> = pattern.split('.').collect();
        pattern.len() == path.len() && pattern.iter().zip(path).all(|(wanted, step)| *wanted == "*" || wanted == step)
    })
}

/// The path as HCL writes it.
pub(crate) fn hcl(path: &[String]) -> String {
    let mut out = String::new();
    for (position, step) in path.iter().enumerate() {
        let is_key = position > 0
            && ([
                "clusters",
                "accepted_trust_domains",
                "selector",
                "client_namespace",
                "per_client",
                "spread",
                "subsets",
                "labels",
            ]
            .contains(&path[position - 1].as_str())
                || (position > 1 && path[position - 2] == "spread"));
        match step.parse::<usize>() {
            Ok(index) => out.push_str(&format!("[{index}]")),
            Err(_) if is_key => out.push_str(&format!("[\"{step}\"]")),
            Err(_) if position == 0 => out.push_str(step),
            Err(_) => out.push_str(&format!(".{step}")),
        }
    }
    out
}

#[test]
fn one_unknown_value_at_every_path() {
    let whole = Input::from_json(&destination());
    let mut all = Vec::new();
    paths(&whole, Vec::new(), &mut all);
    assert!(all.len() > 150, "{}", all.len());
    let mut leaves = 0;
    for path in all {
        let mut input = whole.clone();
        *at(&mut input, &path) = Input::Unknown;
        let decoded = virtual_destination(&input);
        check_outcome(&decoded);
        if is_one_of(LEAVES, &path) {
            leaves += 1;
            assert!(matches!(decoded.outcome, Outcome::Intent(_)), "{path:?}: {:#?}", decoded.findings);
            let shown = format!("{:?}", decoded.outcome);
            assert!(shown.contains(&format!("Unknown(LeafPath({:?}))", hcl(&path))), "{path:?} vanished");
        } else {
            assert!(matches!(decoded.outcome, Outcome::UnknownShape(_)), "{path:?}: {:#?}", decoded.findings);
            assert_eq!(verdicts(&decoded), [(mesh_model::Code::UnknownShape, hcl(&path))]);
        }
    }
    assert!(leaves > 30, "{leaves}");
}

#[test]
fn everything_unknown() {
    let decoded = virtual_destination(&Input::Unknown);
    check_outcome(&decoded);
    assert!(matches!(decoded.outcome, Outcome::UnknownShape(_)));
}

#[test]
fn the_path_is_that_of_hcl() {
    let mut input = Input::from_json(&destination());
    let steps = ["virtual_mesh", "clusters", "east", "region"].map(str::to_owned);
    *at(&mut input, &steps) = Input::Unknown;
    let Outcome::Intent(intent) = virtual_destination(&input).outcome else { panic!("a leaf") };
    let region = intent.mesh.clusters.values().next().and_then(|facts| facts.region.clone());
    assert!(matches!(region, Some(mesh_model::Leaf::Unknown(path)) if path.0 == "virtual_mesh.clusters[\"east\"].region"));
}

#[test]
fn an_error_outweighs_an_unknown_value() {
    let mut input = Input::from_json(&with(destination(), "/name", json!("Reviews")));
    *at(&mut input, &["hostname".to_owned()]) = Input::Unknown;
    let decoded = virtual_destination(&input);
    assert!(matches!(decoded.outcome, Outcome::Invalid));
    assert_eq!(decoded.findings.len(), 2, "both are reported: {:#?}", decoded.findings);
}

/// A limit keeps the clusters that are nearest by region, unless an order ranks them.
#[test]
fn an_unknown_region_with_a_limit() {
    for (failover, shape) in [(json!(null), true), (json!({ "order": ["west", "north"] }), false)] {
        let document = with(with(destination(), "/failover", failover.clone()), "/max_failover_targets", json!(1));
        let mut input = Input::from_json(&document);
        *at(&mut input, &["virtual_mesh", "clusters", "west", "region"].map(str::to_owned)) = Input::Unknown;
        let decoded = virtual_destination(&input);
        check_outcome(&decoded);
        assert_eq!(matches!(decoded.outcome, Outcome::UnknownShape(_)), shape, "{failover}: {:?}", decoded.outcome);
    }
}

/// With `only`, locality rules decide which entries exist, so regions do.
#[test]
fn an_unknown_region_with_only_and_locality() {
    let rules = json!([{ "from": "us-east-1", "to": "us-west-2" }]);
    for (only, clients, cluster, shape) in [
        (true, json!(["east"]), "west", true),
        (true, json!(["east"]), "north", false),
        (true, json!(["east", "north"]), "north", true),
        (false, json!(["east"]), "west", false),
    ] {
        let document = with(destination(), "/failover", json!({ "locality": rules, "only": only }));
        let document = with(with(document, "/clients", clients), "/client_namespace", json!(null));
        let mut input = Input::from_json(&document);
        *at(&mut input, &["virtual_mesh", "clusters", cluster, "region"].map(str::to_owned)) = Input::Unknown;
        let decoded = virtual_destination(&input);
        check_outcome(&decoded);
        match decoded.outcome {
            Outcome::UnknownShape(path) if shape => assert_eq!(path.0, format!("virtual_mesh.clusters[\"{cluster}\"].region")),
            Outcome::Intent(_) if !shape => {}
            other => panic!("{only} {cluster}: {other:?}"),
        }
    }
}

/// Either of two exclusive arguments may turn out null.
#[test]
fn unknown_alternatives_are_no_conflict() {
    let rules = json!([{ "from": "us-east-1", "to": "us-west-2" }]);
    let mut input = Input::from_json(&with(destination(), "/failover/locality", rules));
    *at(&mut input, &["failover", "order"].map(str::to_owned)) = Input::Unknown;
    let decoded = virtual_destination(&input);
    assert_eq!(verdicts(&decoded), [(mesh_model::Code::UnknownShape, "failover.order".to_owned())]);
    let mut input = Input::from_json(&destination());
    *at(&mut input, &["virtual_mesh", "clusters", "east", "gateways", "0", "hostname"].map(str::to_owned)) = Input::Unknown;
    let decoded = virtual_destination(&input);
    let path = "virtual_mesh.clusters[\"east\"].gateways[0].hostname".to_owned();
    assert_eq!(verdicts(&decoded), [(mesh_model::Code::UnknownShape, path)]);
}
