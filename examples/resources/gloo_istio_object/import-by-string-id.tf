import {
  to = gloo_istio_object.strict
  id = "PeerAuthentication/bookinfo/strict"
}
