//! Every acceptance case, by subject.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use acceptance_tests::site::CLUSTERS;
use acceptance_tests::{Case, Rig, Snapshot, World};
use xtask::workspace::Workspace;

mod arrival;
mod breakage;
mod brownfield;
mod complaints;
mod drift;
mod examples;
mod guides;
mod harness;
mod install;
mod lifecycle;
mod listing;
mod live;
mod live_access;
mod live_answers;
mod live_failures;
mod live_inventory;
mod moves;
mod overlays;
mod ownership;
mod pipeline;
mod plans;
mod progress;
mod protection;
mod protocol;
mod replacement;
mod takeover;
mod unknowns;

/// All cases.
pub fn all() -> Vec<Case> {
    let subjects = [
        harness::cases(),
        install::cases(),
        examples::cases(),
        guides::cases(),
        pipeline::cases(),
        lifecycle::cases(),
        drift::cases(),
        listing::cases(),
        ownership::cases(),
        takeover::cases(),
        brownfield::cases(),
        replacement::cases(),
        protection::cases(),
        arrival::cases(),
        moves::cases(),
        overlays::cases(),
        unknowns::cases(),
        plans::cases(),
        breakage::cases(),
        protocol::cases(),
    ];
    let about_servers = [
        live_failures::cases(),
        live_access::cases(),
        live_answers::cases(),
        live_inventory::cases(),
        complaints::cases(),
        progress::cases(),
    ];
    let on_servers = about_servers.into_iter().flatten().map(|case| case.on_servers_for("what only servers have"));
    subjects.into_iter().flatten().chain(on_servers).collect()
}

/// The quick start's mesh.
const MESH: &str = "gloo_virtual_mesh.prod";

/// The quick start's destination.
const DESTINATION: &str = "gloo_virtual_destination.reviews";

/// The provider block over the quick start's clusters.
const PROVIDER: &str = r#"provider "gloo" {
  owner = "tests/acceptance"
  clusters = {
    east = { directory = "clusters/east" }
    west = { directory = "clusters/west" }
  }
}
"#;

/// A mesh and a destination with facts written by hand: their plan needs no inventory. The text
/// `EAST_ADDRESS` stands where the address of east's gateway belongs.
const BY_HAND: &str = r#"
resource "gloo_virtual_mesh" "prod" {
  name = "prod"
  clusters = {
    east = {
      istio_version = "1.28"
      trust_domain  = "cluster.local"
      region        = "us-east-1"
      gateways      = [{ addresses = [EAST_ADDRESS] }]
    }
    west = {
      istio_version = "1.28"
      trust_domain  = "cluster.local"
      region        = "us-west-2"
      gateways      = [{ addresses = ["198.51.100.10"] }]
    }
  }
}

resource "gloo_virtual_destination" "reviews" {
  virtual_mesh = gloo_virtual_mesh.prod.mesh
  namespace    = "bookinfo"
  name         = "reviews"
  hostname     = HOSTNAME
  ports        = [{ number = 9080, protocol = "http" }]
  backends = [for cluster in ["east", "west"] : {
    cluster          = cluster
    namespace        = "bookinfo"
    service          = "reviews"
    ports            = [{ number = 9080, name = "http", target_port = 9080, protocol = "http" }]
    selector         = { app = "reviews" }
    canonical_name   = "reviews"
    service_accounts = ["bookinfo-reviews"]
  }]
}
"#;

/// [`BY_HAND`] with these expressions for the address and the hostname.
fn by_hand(address: &str, hostname: &str) -> String {
    BY_HAND.replace("EAST_ADDRESS", address).replace("HOSTNAME", hostname)
}

/// [`BY_HAND`] with the usual address and hostname, and these lines in the destination besides.
fn with(lines: &str) -> String {
    let text = by_hand("\"203.0.113.10\"", "\"reviews.mesh.internal\"");
    let open = text.strip_suffix("}\n").expect("the destination comes last");
    format!("{open}{lines}\n}}\n")
}

/// [`with`] these lines, and another Terraform name and resource name of the destination.
fn renamed(address: &str, name: &str, lines: &str) -> String {
    let block = format!("\"gloo_virtual_destination\" \"{address}\"");
    let text = with(lines).replace("\"gloo_virtual_destination\" \"reviews\"", &block);
    text.replace("name         = \"reviews\"", &format!("name         = \"{name}\""))
}

/// [`PROVIDER`] with another owner, for a root [`World::beside`] the one with the clusters.
fn beside(owner: &str) -> String {
    PROVIDER.replace("tests/acceptance", owner).replace("clusters/", "../work/clusters/")
}

/// The clusters under [`PROVIDER`] and these resources, applied.
fn applied(rig: &Rig, resources: &str) -> World {
    let world = World::clusters(rig);
    world.config(&format!("{PROVIDER}{resources}"));
    world.apply(&world.plan());
    world
}

/// Both clusters, for saying that nothing was written.
fn snapshot(world: &World) -> [Snapshot; 2] {
    CLUSTERS.map(|name| world.cluster(name).snapshot())
}

/// Every object of both clusters as text, byte for byte, as `<cluster>/<Kind>/<namespace>/<name>`.
fn texts(world: &World) -> BTreeMap<String, String> {
    of_both(|name| world.cluster(name).texts())
}

/// The names of [`texts`].
fn keys(world: &World) -> Vec<String> {
    CLUSTERS.iter().flat_map(|name| world.cluster(name).keys().into_iter().map(move |key| format!("{name}/{key}"))).collect()
}

/// Which objects there are: equal ones mean that none came or went, and on servers not for a moment either.
fn instances(world: &World) -> [BTreeSet<String>; 2] {
    CLUSTERS.map(|name| world.cluster(name).instances())
}

fn of_both<T>(of: impl Fn(&str) -> BTreeMap<String, T>) -> BTreeMap<String, T> {
    CLUSTERS.iter().flat_map(|name| of(name).into_iter().map(move |(key, one)| (format!("{name}/{key}"), one))).collect()
}

/// Whether the clusters hold no object.
fn is_empty(world: &World) -> bool {
    keys(world).is_empty()
}

/// Fails unless there are objects and each carries this claim.
fn assert_claimed(world: &World, claim: &str) {
    let objects = of_both(|name| world.cluster(name).objects());
    assert!(!objects.is_empty(), "there are objects");
    for (key, object) in objects {
        assert_eq!(object["metadata"]["annotations"]["gloo-terraform/claim"], claim, "{key}");
    }
}

/// A whole run, as a person types it.
const APPLY: &[&str] = &["apply", "-input=false", "-auto-approve", "-json"];

/// A breakage that a takeover of these objects never reaches: each is written once and, last, one of each cluster gets the
/// mark of a complete instance. A deletion, and what is written again after one, would be a write more.
fn one_write_too_many(world: &World) -> String {
    format!("kill:before:{}", keys(world).len() + CLUSTERS.len() + 1)
}

/// Whether this CLI has identities: the state file says it by itself.
fn knows_identity(rig: &Rig) -> bool {
    let mut numbers = rig.cli.version.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (1, 12)
}

/// The binary of an example of the protocol layer.
fn built_example(name: &str) -> PathBuf {
    let workspace = Workspace::find().unwrap_or_else(|problem| panic!("{problem}"));
    let build = ["build", "--quiet", "--package", "tf-server", "--example", name];
    let status = xtask::workspace::cargo(&workspace.root).args(build).status().expect("cargo runs us");
    assert!(status.success(), "the example {name} does not build");
    workspace.target.join("debug/examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}
