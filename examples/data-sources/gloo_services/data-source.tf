# the Services of namespace bookinfo that have this label, in every cluster
data "gloo_services" "reviews" {
  namespaces = ["bookinfo"]
  selector   = { app = "reviews" }
}

# one destination for each of them; backends have the shape that it takes
resource "gloo_virtual_destination" "shared" {
  for_each = data.gloo_services.reviews.services

  virtual_mesh = {
    name     = "prod"
    clusters = { for name in ["east", "west"] : name => data.gloo_cluster.all[name].facts }
  }
  namespace = each.value.namespace
  name      = each.value.name
  ports     = [{ number = 9080 }]
  backends  = each.value.backends
}

data "gloo_cluster" "all" {
  for_each = toset(["east", "west"])
  name     = each.key
}

# why others cannot be used
output "unusable" {
  value = [for service in data.gloo_services.reviews.unusable : "${service.cluster}: ${service.reason}"]
}
