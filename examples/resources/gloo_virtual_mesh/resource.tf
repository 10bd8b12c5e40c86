# Facts by reference: what the data source finds is pinned in the plan.
data "gloo_cluster" "all" {
  for_each = toset(["east", "west"])
  name     = each.key
}

resource "gloo_virtual_mesh" "prod" {
  name     = "prod"
  clusters = { for name, cluster in data.gloo_cluster.all : name => cluster.facts }
}

# Every member calls reviews of one cluster, whichever it wants: reviews.bookinfo.svc.east.global, reviews.bookinfo.svc.west.global.
# Their workloads take mutual TLS alone.
data "gloo_service" "reviews" {
  namespace = "bookinfo"
  name      = "reviews"
}

resource "gloo_virtual_mesh" "exporting" {
  name       = "exporting"
  clusters   = { for name, cluster in data.gloo_cluster.all : name => cluster.facts }
  federation = { exports = data.gloo_service.reviews.backends }
  mtls       = { mode = "strict" }
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
