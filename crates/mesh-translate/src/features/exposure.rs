//! # What it does
//! Lets other clusters reach the Service through the east-west gateway of a serving cluster, and nothing else.
//!
//! # Renders
//! A Gateway with one `AUTO_PASSTHROUGH` server for the Service's FQDN, or for the name that `serving` gives. Its port is the one where gateways listen, 15443, also
//! where a NodePort or a load balancer makes them reachable on another one. Nothing is written where a Gateway of somebody
//! else exposes the Service already, or where no other cluster calls.
//!
//! Its name follows from the workload that it is for, so that another selector is another Gateway, which comes before the old
//! one goes. Where both select one workload, istiod takes the older one and skips the other one's server as a duplicate, until
//! the older one goes: the same server name is passed to the same Service all the time.
//!
//! # Interacts with
//! `mutual_tls`, whose server name leads here.

use istio_objects::kinds::{Gateway, PassthroughServer};
use mesh_model::names::PortNumber;

use super::{Feature, Slice};
use crate::ir::Exposure;

/// Where Istio's east-west gateways listen.
pub(crate) fn listening_port() -> PortNumber {
    PortNumber::new(15443).expect("15443 is a port")
}

pub(super) const FEATURE: Feature =
    Feature { name: "exposure", slices: &[Slice::Gateway(gateway, &["spec.selector", "spec.servers"])] };

fn gateway(exposure: &Exposure) -> Gateway {
    let server = PassthroughServer { port: listening_port(), hosts: vec![exposure.served_host.clone()] };
    Gateway { selector: Some(exposure.selector.clone()), servers: Some(vec![server]) }
}
