//! What holds for every virtual mesh.

use std::collections::{BTreeMap, BTreeSet};

use istio_objects::reserved;
use mesh_model::intent::ManagedMesh;
use mesh_model::names::ClusterName;
use mesh_translate::{translate, translate_mesh};
use proptest::prelude::*;
use serde_json::Value;

use crate::fleet;
use crate::world::target_of;

/// Objects of one cluster.
fn values(translation: &mesh_translate::Translation) -> BTreeMap<ClusterName, Vec<Value>> {
    let manifests = fleet::manifests_of(translation).into_iter();
    manifests.map(|(cluster, manifests)| (cluster, manifests.iter().map(istio_objects::Manifest::value).collect())).collect()
}

fn of_kind<'v>(objects: &'v [Value], kind: &'static str) -> impl Iterator<Item = &'v Value> {
    objects.iter().filter(move |object| object["kind"] == kind)
}

/// Whether a selector, which says something, takes an entry of its namespace.
fn selects(host: &Value, entry: &Value) -> bool {
    let selector = host["spec"]["workloadSelector"]["labels"].as_object().expect("hosts select");
    host["metadata"]["namespace"] == entry["metadata"]["namespace"]
        && selector.iter().all(|(key, value)| entry["spec"]["labels"].get(key) == Some(value))
}

fn destination_of(object: &Value) -> &Value {
    &object["metadata"]["labels"][reserved::DESTINATION_LABEL]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_member_calls_every_export_and_finds_its_own_cluster_alone(mesh in fleet::managed_mesh()) {
        let translation = translate_mesh(&mesh);
        prop_assert!(!translation.objects.is_empty(), "{:#?}", translation.findings);
        let all = values(&translation);
        prop_assert!(all.keys().eq(mesh.mesh.clusters.keys()));
        for (cluster, objects) in &all {
            for export in mesh.federation.iter().flat_map(|federation| &federation.exports) {
                let hostname = export.hostname.as_str();
                let hosts: Vec<&Value> = of_kind(objects, "ServiceEntry").filter(|host| host["spec"]["hosts"][0] == hostname).collect();
                prop_assert_eq!(hosts.len(), 1, "{} in {}", hostname, cluster);
                let entries: Vec<&Value> = of_kind(objects, "WorkloadEntry").filter(|entry| selects(hosts[0], entry)).collect();
                let is_own = *cluster == export.backend.cluster;
                prop_assert_eq!(entries.is_empty(), is_own, "{} in {}", hostname, cluster);
                for entry in entries {
                    prop_assert_eq!(target_of(entry), export.backend.cluster.clone());
                }
                let selector = &hosts[0]["spec"]["workloadSelector"]["labels"];
                prop_assert_eq!(*selector == serde_json::json!(export.backend.selector), is_own);
            }
            let modes = of_kind(objects, "PeerAuthentication").count();
            prop_assert_eq!(modes, usize::from(mesh.mutual_tls.is_some()));
        }
    }

    /// In a namespace that a destination and exports of the same pods share, none selects an entry of another.
    #[test]
    fn no_host_selects_the_entries_of_another(mesh in fleet::exporting_mesh(), destination in fleet::destination()) {
        let [exports, destination] = [translate_mesh(&mesh), translate(&destination)].map(|translation| values(&translation));
        for (cluster, objects) in &exports {
            let objects: Vec<Value> = objects.iter().chain(destination.get(cluster).into_iter().flatten()).cloned().collect();
            for host in of_kind(&objects, "ServiceEntry") {
                for entry in of_kind(&objects, "WorkloadEntry").filter(|entry| selects(host, entry)) {
                    prop_assert_eq!(destination_of(host), destination_of(entry), "in {}", cluster);
                }
            }
        }
    }

    #[test]
    fn neither_order_nor_company_of_an_export_changes_its_objects(mesh in fleet::managed_mesh()) {
        let whole = translate_mesh(&mesh);
        let Some(federation) = mesh.federation.clone() else { return Ok(()) };
        let with = |exports: Vec<_>| {
            let federation = mesh_model::intent::Federation { exports, ..federation.clone() };
            ManagedMesh { federation: Some(federation), ..mesh.clone() }
        };
        let turned = with(federation.exports.iter().rev().cloned().collect());
        prop_assert_eq!(&translate_mesh(&turned).objects, &whole.objects);
        let mut alone: BTreeSet<String> = BTreeSet::new();
        for export in &federation.exports {
            let single = translate_mesh(&with(vec![export.clone()]));
            alone.extend(values(&single).into_iter().flat_map(|(cluster, objects)| objects.into_iter().map(move |object| format!("{cluster} {object}"))));
        }
        let together: BTreeSet<String> = values(&whole).into_iter().flat_map(|(cluster, objects)| objects.into_iter().map(move |object| format!("{cluster} {object}"))).collect();
        prop_assert_eq!(alone, together);
    }
}
