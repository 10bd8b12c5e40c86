# How a destination changes hands, and what keeps it. The guide "Ownership" tells what each argument does.

terraform {
  required_providers {
    gloo = { source = "example/gloo" }
  }
}

# One owner for each state: every object that this state writes carries it.
provider "gloo" {
  owner = "platform/prod"
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

# It was team-a's. Their objects become ours in place; then they remove the resource, and their destroy leaves the objects.
resource "gloo_virtual_destination" "reviews" {
  virtual_mesh = gloo_virtual_mesh.prod.mesh
  namespace    = "bookinfo"
  name         = "reviews"
  hostname     = "reviews.mesh.internal"
  ports        = [{ number = 9080, protocol = "http" }]
  backends     = data.gloo_service.reviews.backends

  takeover_from = ["team-a/prod"]

  # neither destroyed nor replaced, and no client loses all its backends at once
  deletion_protection = true
}

# Written by hand until now: the plan shows which fields the apply overwrites. Remove `adopt` afterwards.
resource "gloo_istio_object" "strict" {
  clusters = ["east", "west"]
  adopt    = true

  manifest = {
    apiVersion = "security.istio.io/v1"
    kind       = "PeerAuthentication"
    metadata = {
      name      = "strict"
      namespace = "bookinfo"
    }
    spec = {
      mtls = { mode = "STRICT" }
    }
  }
}
