# which resource an object belongs to, by its annotation gloo-terraform/claim
output "claim" {
  value = provider::gloo::parse_id("platform/prod//gloo_virtual_destination/bookinfo/reviews")
}

# what a key of `manifests` or `drift` is about
output "key" {
  value = provider::gloo::parse_id("east/VirtualService/bookinfo/reviews").kind
}
