# The id is <namespace>/<name>; the configuration is restored from the intent that is stored in the clusters.
terraform import gloo_virtual_destination.ratings bookinfo/ratings
