# the Service bookinfo/reviews of each cluster that has one
data "gloo_service" "reviews" {
  namespace = "bookinfo"
  name      = "reviews"
}

# backends have the shape that gloo_virtual_destination takes
output "backends" {
  value = data.gloo_service.reviews.backends
}
