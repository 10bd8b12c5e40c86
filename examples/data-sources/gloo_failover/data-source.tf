resource "gloo_virtual_destination" "ratings" {
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

# a data source that refers to a resource is read after that has changed; one that refers to a local value is read at plan
locals {
  ratings = gloo_virtual_destination.ratings
}

# the usual situations
data "gloo_failover" "ratings" {
  destination = local.ratings
  pods        = { east = 4, west = 4 }
}

# a plan warns when a client loses its backup
check "failover" {
  assert {
    condition     = alltrue([for client in data.gloo_failover.ratings.clients : length(client.order) >= 2])
    error_message = "Some cluster has nobody to fail over to:\n${data.gloo_failover.ratings.table}"
  }
}

# what one wants to know beforehand
data "gloo_failover" "maintenance" {
  destination = local.ratings

  scenarios = [
    { name = "east is upgraded", gateways_down = ["east"], dead_pods = { east = 1 } },
  ]
}

output "maintenance" {
  value = data.gloo_failover.maintenance.table
}
