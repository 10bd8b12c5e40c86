# One host, reviews.mesh.internal, served by the clusters east and west. Each cluster is a folder here: inventory/ holds
# what `kubectl get -o yaml` printed, and the provider writes the Istio objects into manifests/.

terraform {
  required_providers {
    gloo = { source = "example/gloo" }
  }
}

provider "gloo" {
  owner = "demo/quickstart"
  clusters = {
    east = { directory = "clusters/east" }
    west = { directory = "clusters/west" }
  }
}

data "gloo_cluster" "all" {
  for_each = toset(["east", "west"])
  name     = each.key
}

data "gloo_service" "reviews" {
  namespace = "bookinfo"
  name      = "reviews"
}

resource "gloo_virtual_mesh" "prod" {
  name     = "prod"
  clusters = { for name, cluster in data.gloo_cluster.all : name => cluster.facts }
}

resource "gloo_virtual_destination" "reviews" {
  virtual_mesh = gloo_virtual_mesh.prod.mesh
  namespace    = "bookinfo"
  name         = "reviews"
  hostname     = "reviews.mesh.internal"
  ports        = [{ number = 9080, protocol = "http" }]
  backends     = data.gloo_service.reviews.backends
}

output "objects" {
  description = "Every object, by <cluster>/<Kind>/<namespace>/<name>"
  value       = keys(gloo_virtual_destination.reviews.manifests)
}

output "failover" {
  description = "Who serves when something dies"
  value       = provider::gloo::failover_table(gloo_virtual_destination.reviews)
}

output "applied" {
  description = "What landed in each cluster, as a digest"
  value       = gloo_virtual_destination.reviews.applied
}

output "gateways" {
  description = "Where the clusters reach each other"
  value       = { for name, cluster in data.gloo_cluster.all : name => cluster.facts.gateways[*].addresses }
}
