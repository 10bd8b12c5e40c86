data "gloo_cluster" "all" {
  for_each = toset(["east", "west"])
  name     = each.key
}

# facts have the shape that gloo_virtual_mesh takes
resource "gloo_virtual_mesh" "prod" {
  name     = "prod"
  clusters = { for name, cluster in data.gloo_cluster.all : name => cluster.facts }
}
