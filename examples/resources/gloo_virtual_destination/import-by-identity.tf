import {
  to = gloo_virtual_destination.ratings
  identity = {
    namespace = "bookinfo"
    name      = "ratings"
  }
}
