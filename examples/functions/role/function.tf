# what an identity that only plans needs, for kubectl
output "plan_role" {
  value = provider::gloo::role("plan", "gloo-plan")
}

# for a cluster with `namespaces`: one Role for each, as the object that other providers take
output "apply_roles" {
  value = [
    for namespace in ["bookinfo", "istio-system"] :
    yamldecode(provider::gloo::role("apply", "gloo-apply", namespace))
  ]
}
