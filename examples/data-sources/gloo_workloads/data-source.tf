# what runs in namespace bookinfo, in every cluster
data "gloo_workloads" "bookinfo" {
  namespaces = ["bookinfo"]
}

# who calls: the service accounts of productpage, whichever cluster it runs in
output "callers" {
  value = distinct([
    for workload in data.gloo_workloads.bookinfo.workloads :
    workload.service_account if workload.name == "productpage"
  ])
}

# how many pods are ready; for people, as it changes by itself
output "ready" {
  value = { for key, seen in data.gloo_workloads.bookinfo.observed : key => seen.ready_pods }
}
