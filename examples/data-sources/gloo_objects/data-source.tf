# everything that this owner has in the clusters
data "gloo_objects" "all" {}

locals {
  # the resources of this configuration
  resources = ["bookinfo/reviews", "prod"]
}

# what belongs to none of them: leftovers, whose state is lost
output "leftovers" {
  value = [for object in data.gloo_objects.all.objects : object.key if !contains(local.resources, coalesce(object.resource_id, "?"))]
}
