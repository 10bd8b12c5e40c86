//! Emit: plans become objects. What clusters hold alike is made once.

use std::collections::BTreeMap;
use std::sync::Arc;

use istio_objects::kinds::{HostSubset, PortPolicies};
use istio_objects::{Object, ObjectKey, reserved};
use mesh_model::names::{ClusterName, Namespace};

use crate::ir::{
    ClientPlan, ClusterPlan, Entry, Exposure, Host, Policy, PortPolicy, RemoteGateway, RouteTable, ServingHost, ServingSubsets,
    SubsetPolicy,
};
use crate::{Objects, merge};

/// The objects of every cluster, by key.
pub(crate) fn emit(plans: &BTreeMap<&ClusterName, ClusterPlan>) -> Objects {
    let mut made = Made::default();
    plans.iter().map(|(cluster, plan)| ((*cluster).clone(), made.cluster_objects(plan))).collect()
}

type Keyed = Arc<(ObjectKey, Arc<Object>)>;

/// Objects that were made, by the part of a plan that they are of, and their namespace.
#[derive(Default)]
struct Made<'p>(BTreeMap<(*const (), &'p Namespace), Keyed>);

impl<'p> Made<'p> {
    fn cluster_objects(&mut self, plan: &'p ClusterPlan) -> Vec<Arc<Object>> {
        let ClusterPlan { exposures, serving, serving_subsets, client } = plan;
        let mut objects: Vec<Keyed> =
            exposures.iter().map(|exposure| self.once(exposure, &exposure.namespace, || gateway(exposure))).collect();
        objects.extend(serving.iter().map(|host| self.once(host, &host.namespace, || serving_entry(host))));
        objects.extend(serving_subsets.iter().map(|subsets| self.once(subsets, &subsets.namespace, || serving_rule(subsets))));
        if let Some(client) = client {
            self.client_objects(client, &mut objects);
        }
        objects.sort_by(|one, other| one.0.cmp(&other.0));
        objects.into_iter().map(|keyed| Arc::clone(&keyed.1)).collect()
    }

    fn client_objects(&mut self, plan: &'p ClientPlan, objects: &mut Vec<Keyed>) {
        let ClientPlan { namespace, host, policy, route_table, entries, remote_gateways } = plan;
        objects.push(self.once(host, namespace, || service_entry(host, namespace)));
        objects.push(self.once(policy, namespace, || destination_rule(policy, host, namespace)));
        if let Some(table) = route_table {
            objects.push(self.once(table, namespace, || virtual_service(table, host, namespace)));
        }
        for entry in entries {
            objects.push(self.once(entry, namespace, || workload_entry(entry, namespace)));
        }
        for gateway in remote_gateways {
            objects.push(self.once(gateway, namespace, || remote_gateway(gateway, namespace)));
        }
    }

    /// The object of a part, which is made when it is asked for first. Clusters that share the part share the object.
    fn once<T>(&mut self, part: &'p Arc<T>, namespace: &'p Namespace, make: impl FnOnce() -> Object) -> Keyed {
        let made = self.0.entry((Arc::as_ptr(part).cast(), namespace)).or_insert_with(|| {
            let object = make();
            Arc::new((object.key(), Arc::new(object)))
        });
        Arc::clone(made)
    }
}

fn gateway(exposure: &Exposure) -> Object {
    merge::gateway(exposure).object(exposure.namespace.clone(), exposure.name.clone(), labels(&exposure.destination))
}

fn serving_entry(host: &ServingHost) -> Object {
    merge::serving_entry(host).object(host.namespace.clone(), host.name.clone(), labels(&host.destination))
}

fn serving_rule(subsets: &ServingSubsets) -> Object {
    merge::serving_rule(subsets).object(subsets.namespace.clone(), subsets.name.clone(), labels(&subsets.destination))
}

fn service_entry(host: &Host, namespace: &Namespace) -> Object {
    merge::service_entry(host).object(namespace.clone(), host.name.clone(), labels(&host.destination))
}

fn destination_rule(policy: &Policy, host: &Host, namespace: &Namespace) -> Object {
    let mut rule = merge::destination_rule(policy);
    rule.traffic_policy = Some(port_policies(&policy.ports));
    let subset = |SubsetPolicy { name, labels, ports }: &SubsetPolicy| HostSubset {
        name: name.clone(),
        labels: labels.clone(),
        traffic_policy: Some(port_policies(ports)),
    };
    rule.subsets = (!policy.subsets.is_empty()).then(|| policy.subsets.iter().map(subset).collect());
    rule.object(namespace.clone(), host.name.clone(), labels(&host.destination))
}

fn port_policies(ports: &[PortPolicy]) -> PortPolicies {
    match ports {
        [only] => PortPolicies::Only(Box::new(merge::traffic_policy(only))),
        ports => PortPolicies::Each(ports.iter().map(|port| (port.number, merge::traffic_policy(port))).collect()),
    }
}

fn virtual_service(table: &RouteTable, host: &Host, namespace: &Namespace) -> Object {
    let mut service = merge::virtual_service(table);
    service.http = (!table.routes.is_empty()).then(|| table.routes.iter().map(merge::http_route).collect());
    service.tcp = table.connections.as_ref().map(|route| vec![merge::tcp_route(route)]);
    service.object(namespace.clone(), host.name.clone(), labels(&host.destination))
}

fn workload_entry(entry: &Entry, namespace: &Namespace) -> Object {
    merge::workload_entry(entry).object(namespace.clone(), entry.name.clone(), labels(&entry.destination))
}

fn remote_gateway(gateway: &RemoteGateway, namespace: &Namespace) -> Object {
    let RemoteGateway { name, network, destination, .. } = gateway;
    merge::remote_gateway(gateway).object(namespace.clone(), name.clone(), network, labels(destination))
}

fn labels(destination: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(reserved::DESTINATION_LABEL.to_owned(), destination.to_owned())])
}
