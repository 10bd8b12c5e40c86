import {
  to = gloo_virtual_destination.ratings
  id = "bookinfo/ratings"
}
