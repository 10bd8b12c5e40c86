//! Every acceptance case, by subject.

use acceptance_tests::Case;

mod breakage;
mod drift;
mod examples;
mod harness;
mod lifecycle;
mod ownership;
mod plans;
mod protocol;
mod unknowns;

/// All cases.
pub fn all() -> Vec<Case> {
    let subjects = [
        harness::cases(),
        examples::cases(),
        lifecycle::cases(),
        drift::cases(),
        ownership::cases(),
        unknowns::cases(),
        plans::cases(),
        breakage::cases(),
        protocol::cases(),
    ];
    subjects.into_iter().flatten().collect()
}

/// The quick start's mesh.
const MESH: &str = "gloo_virtual_mesh.prod";

/// The quick start's destination.
const DESTINATION: &str = "gloo_virtual_destination.reviews";

/// The quick start's clusters.
const CLUSTERS: [&str; 2] = ["east", "west"];

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
