locals {
  # the arguments of a gloo_virtual_destination, without the resource
  ratings = {
    virtual_mesh = {
      name = "prod"
      clusters = {
        east = { istio_version = "1.28", trust_domain = "cluster.local", region = "us-east-1", gateways = [{ addresses = ["203.0.113.10"] }] }
        west = { istio_version = "1.28", trust_domain = "cluster.local", region = "us-west-2", gateways = [{ addresses = ["198.51.100.10"] }] }
      }
    }
    namespace = "bookinfo"
    name      = "ratings"
    ports     = [{ number = 9080 }]
    backends = [
      for cluster in ["east", "west"] : {
        cluster          = cluster
        namespace        = "bookinfo"
        service          = "ratings"
        ports            = [{ number = 9080, target_port = 9080 }]
        selector         = { app = "ratings" }
        canonical_name   = "ratings"
        service_accounts = ["bookinfo-ratings"]
      }
    ]
  }

  objects = provider::gloo::expand("gloo_virtual_destination", "platform/prod", local.ratings)
}

# the keys of all objects, for a test of a module
output "objects" {
  value = keys(local.objects)
}

# the same as files for a repository that Argo CD or Flux reads
output "files" {
  value = provider::gloo::files(local.objects)
}
