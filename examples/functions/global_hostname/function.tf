# what every member of a mesh calls when west exports its Service bookinfo/reviews
output "hostname" {
  value = provider::gloo::global_hostname("reviews", "bookinfo", "west")
}

# with `hostname_suffix = "mesh.internal"` in `federation`
output "with_suffix" {
  value = provider::gloo::global_hostname("reviews", "bookinfo", "west", "mesh.internal")
}
