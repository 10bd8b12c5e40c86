//! Merge: the slices of all features make one object.

use istio_objects::kinds::{
    Conflict, DestinationRule, Gateway, HttpRoute, RemoteGateway, ServiceEntry, TcpRoute, TrafficPolicy, VirtualService,
    WorkloadEntry,
};

use crate::features::{FEATURES, Slice};
use crate::ir;

macro_rules! merged {
    ($($(#[$doc:meta])* $function:ident: $variant:ident, $plan:ident => $kind:ident;)+) => {
        $(
            $(#[$doc])*
            pub(crate) fn $function(plan: &ir::$plan) -> $kind {
                let slices = FEATURES.iter().flat_map(|feature| feature.slices).filter_map(|slice| match slice {
                    Slice::$variant(give, _) => Some(give(plan)),
                    _ => None,
                });
                join(slices, $kind::default(), $kind::merge)
            }
        )+
    };
}

merged! {
    /// The Gateway of an exposure.
    gateway: Gateway, Exposure => Gateway;
    /// The ServiceEntry by which gateways know pods.
    serving_entry: ServingEntry, ServingHost => ServiceEntry;
    /// The DestinationRule by which gateways tell them apart.
    serving_rule: ServingRule, ServingSubsets => DestinationRule;
    /// The DestinationRule of a policy, still without the policies of its ports.
    destination_rule: DestinationRule, Policy => DestinationRule;
    /// The policy of a port.
    traffic_policy: TrafficPolicy, PortPolicy => TrafficPolicy;
    /// The VirtualService of a route table, still without routes.
    virtual_service: VirtualService, RouteTable => VirtualService;
    /// A route.
    http_route: HttpRoute, Route => HttpRoute;
    /// A route of connections.
    tcp_route: TcpRoute, ConnectionRoute => TcpRoute;
    /// The WorkloadEntry of an entry.
    workload_entry: WorkloadEntry, Entry => WorkloadEntry;
    /// The Gateway for another network.
    remote_gateway: RemoteGateway, RemoteGateway => RemoteGateway;
    /// The ServiceEntry of a host.
    service_entry: ServiceEntry, Host => ServiceEntry;
}

fn join<T>(slices: impl Iterator<Item = T>, empty: T, merge: impl Fn(T, T) -> Result<T, Conflict>) -> T {
    slices.fold(empty, |joined, slice| merge(joined, slice).expect("write sets of features are disjoint: a test holds it"))
}
