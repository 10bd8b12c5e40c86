# What the pipeline beside this file plans: the quick start's destination, with a state of its own.

terraform {
  required_providers {
    gloo = { source = "example/gloo" }
  }
}

provider "gloo" {
  owner = "platform/ci"
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
