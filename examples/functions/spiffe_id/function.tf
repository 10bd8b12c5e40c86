data "gloo_cluster" "east" {
  name = "east"
}

# who the workloads of bookinfo-reviews are to those that they call
output "reviews" {
  value = provider::gloo::spiffe_id(data.gloo_cluster.east.facts.trust_domain, "bookinfo", "bookinfo-reviews")
}
