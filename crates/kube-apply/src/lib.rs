//! kube-apply
