resource "gloo_istio_object" "reviews_headers" {
  clusters = ["east", "west"]
  manifest = {
    apiVersion = "networking.istio.io/v1"
    kind       = "VirtualService"
    metadata   = { name = "reviews-headers", namespace = "bookinfo" }
    spec       = { hosts = ["reviews"], http = [{ route = [{ destination = { host = "reviews" } }] }] }
  }
}

# content by path, as other resources take it to deliver files:
#
#   resource "github_repository_file" "mesh" {
#     for_each   = provider::gloo::files(gloo_istio_object.reviews_headers)
#     repository = "mesh-config"
#     file       = each.key
#     content    = each.value
#   }
output "files" {
  value = provider::gloo::files(gloo_istio_object.reviews_headers)
}
