terraform {
  required_providers {
    gloo = { source = "example/gloo" }
  }
}

provider "gloo" {
  # who this state acts for: field manager, label and claim of every object
  owner = "platform/prod"

  # each cluster is a folder: inventory/ as `kubectl get -o yaml` prints it, manifests/ as the provider writes it
  clusters = {
    east = { directory = "clusters/east" }
    west = { directory = "clusters/west" }
  }
}
