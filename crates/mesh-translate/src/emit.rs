//! Emit: plans become objects.

use std::collections::BTreeMap;

use istio_objects::kinds::PortPolicies;
use istio_objects::{Object, reserved};
use mesh_model::names::ClusterName;

use crate::ir::{ClientPlan, ClusterPlan};
use crate::merge;

/// The objects of every cluster, by key.
pub(crate) fn emit(plans: &BTreeMap<ClusterName, ClusterPlan>) -> BTreeMap<ClusterName, Vec<Object>> {
    plans.iter().map(|(cluster, plan)| (cluster.clone(), cluster_objects(plan))).collect()
}

fn cluster_objects(plan: &ClusterPlan) -> Vec<Object> {
    let ClusterPlan { exposures, client } = plan;
    let mut objects: Vec<Object> = exposures
        .iter()
        .map(|exposure| {
            merge::gateway(exposure).object(exposure.namespace.clone(), exposure.name.clone(), labels(&exposure.destination))
        })
        .collect();
    objects.extend(client.iter().flat_map(client_objects));
    objects.sort_by_key(Object::key);
    objects
}

fn client_objects(plan: &ClientPlan) -> Vec<Object> {
    let ClientPlan { namespace, host, policy, route_table, entries } = plan;
    let mut destination_rule = merge::destination_rule(policy);
    destination_rule.traffic_policy = Some(match policy.ports.as_slice() {
        [only] => PortPolicies::Only(Box::new(merge::traffic_policy(only))),
        ports => PortPolicies::Each(ports.iter().map(|port| (port.number, merge::traffic_policy(port))).collect()),
    });
    let labels = labels(&host.destination);
    let mut objects = vec![
        merge::service_entry(host).object(namespace.clone(), host.name.clone(), labels.clone()),
        destination_rule.object(namespace.clone(), host.name.clone(), labels.clone()),
    ];
    objects.extend(route_table.iter().map(|table| {
        let mut virtual_service = merge::virtual_service(table);
        virtual_service.http = Some(table.routes.iter().map(merge::http_route).collect());
        virtual_service.object(namespace.clone(), host.name.clone(), labels.clone())
    }));
    objects.extend(
        entries.iter().map(|entry| merge::workload_entry(entry).object(namespace.clone(), entry.name.clone(), labels.clone())),
    );
    objects
}

fn labels(destination: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(reserved::DESTINATION_LABEL.to_owned(), destination.to_owned())])
}
