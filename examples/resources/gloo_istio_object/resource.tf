resource "gloo_istio_object" "strict" {
  clusters = ["east", "west"]

  manifest = {
    apiVersion = "security.istio.io/v1"
    kind       = "PeerAuthentication"
    metadata = {
      name      = "strict"
      namespace = "bookinfo"
    }
    spec = {
      mtls = { mode = "STRICT" }
    }
  }
}
