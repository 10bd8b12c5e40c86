//! Names that derive from the hostname, so that two resources that aim at one host meet on the same objects.

use mesh_model::names::{ClusterName, Hostname, ObjectName};

/// `vd-<hostname>`.
pub(crate) fn of_host(hostname: &Hostname) -> ObjectName {
    format!("vd-{hostname}").parse().expect("fits")
}

/// `vd-<hostname>.<n>`
pub(crate) fn of_exposure(hostname: &Hostname, index: usize) -> ObjectName {
    if index == 0 { of_host(hostname) } else { format!("vd-{hostname}.{}", index + 1).parse().expect("fits") }
}

/// `vd-<hostname>.<cluster>`
pub(crate) fn of_entry(hostname: &Hostname, cluster: &ClusterName, index: usize) -> ObjectName {
    if index == 0 {
        format!("vd-{hostname}.{cluster}").parse().expect("fits")
    } else {
        format!("vd-{hostname}.{cluster}.{}", index + 1).parse().expect("fits")
    }
}

/// label value
pub(crate) fn label(hostname: &Hostname) -> String {
    hostname.as_str().to_owned()
}
