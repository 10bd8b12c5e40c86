// The definitions of Istio and of the Gateway API that the API servers of the tests serve. Nothing is built and nothing is copied:
// the files are read where `go mod download` puts them.
module tools/crds

go 1.26.0

require (
	istio.io/api v1.30.3
	sigs.k8s.io/gateway-api v1.4.1
)
