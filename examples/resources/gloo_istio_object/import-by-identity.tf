import {
  to = gloo_istio_object.strict
  identity = {
    kind      = "PeerAuthentication"
    namespace = "bookinfo"
    name      = "strict"
  }
}
