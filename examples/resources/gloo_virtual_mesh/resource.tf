# Facts by reference: what the data source finds is pinned in the plan.
data "gloo_cluster" "all" {
  for_each = toset(["east", "west"])
  name     = each.key
}

resource "gloo_virtual_mesh" "prod" {
  name     = "prod"
  clusters = { for name, cluster in data.gloo_cluster.all : name => cluster.facts }
}

# Facts by hand: the plan needs no cluster.
resource "gloo_virtual_mesh" "staging" {
  name            = "staging"
  hostname_suffix = "staging.internal"

  clusters = {
    east = {
      istio_version = "1.28"
      trust_domain  = "cluster.local"
      region        = "us-east-1"
      gateways      = [{ addresses = ["203.0.113.10"] }]
    }
    west = {
      istio_version = "1.28"
      trust_domain  = "cluster.local"
      region        = "us-west-2"
      gateways      = [{ addresses = ["198.51.100.10"] }]
    }
  }
}
