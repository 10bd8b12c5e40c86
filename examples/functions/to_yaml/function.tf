resource "gloo_istio_object" "reviews_headers" {
  clusters = ["east", "west"]
  manifest = {
    apiVersion = "networking.istio.io/v1"
    kind       = "VirtualService"
    metadata   = { name = "reviews-headers", namespace = "bookinfo" }
    spec = {
      hosts = ["reviews"]
      http = [{
        headers = { request = { set = { "x-served-by" = "mesh" } } }
        route   = [{ destination = { host = "reviews" } }]
      }]
    }
  }
}

# for a person who reads a review: what east gets
output "east" {
  value = provider::gloo::to_yaml(gloo_istio_object.reviews_headers, "east")
}
