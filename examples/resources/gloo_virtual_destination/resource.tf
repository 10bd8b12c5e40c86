resource "gloo_virtual_mesh" "prod" {
  name = "prod"

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

# Or: backends = data.gloo_service.ratings.backends
locals {
  ratings = {
    namespace        = "bookinfo"
    service          = "ratings"
    ports            = [{ number = 9080, name = "http", target_port = 9080, protocol = "http" }]
    selector         = { app = "ratings" }
    canonical_name   = "ratings"
    service_accounts = ["bookinfo-ratings"]
  }
}

resource "gloo_virtual_destination" "ratings" {
  virtual_mesh = gloo_virtual_mesh.prod.mesh
  namespace    = "bookinfo"
  name         = "ratings"
  hostname     = "ratings.mesh.internal"
  ports        = [{ number = 9080, protocol = "http" }]

  backends = [
    merge(local.ratings, { cluster = "east" }),
    merge(local.ratings, { cluster = "west" }),
  ]

  failover = {
    locality = [
      { from = "us-east-1", to = "us-west-2" },
      { from = "us-west-2", to = "us-east-1" },
    ]
  }

  outlier_detection = {
    base_ejection_time = "1m"
  }
}
