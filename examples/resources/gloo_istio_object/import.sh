# The id is <Kind>/<namespace>/<name>; all clusters of the provider block are searched.
terraform import gloo_istio_object.strict PeerAuthentication/bookinfo/strict
