//! Fleets, manifests and plans for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use crate::port::Cluster;
use crate::testing::{Breakages, FakeCluster};
use crate::{DirectoryCluster, Fleet, Member, Outcome, Refreshed, Request};
use istio_objects::{Change, Claim, Manifest, ObjectKey, Operation, Wave, object_key};
use mesh_model::Findings;
use mesh_model::names::{ClusterName, OwnerId};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

pub(crate) type Sets = BTreeMap<ClusterName, BTreeMap<ObjectKey, Manifest>>;

pub(crate) fn cluster(name: &str) -> ClusterName {
    name.parse().unwrap()
}

pub(crate) fn owner() -> OwnerId {
    "demo/quickstart".parse().unwrap()
}

pub(crate) fn claim() -> Claim {
    claim_of("reviews")
}

pub(crate) fn claim_of(name: &str) -> Claim {
    format!("{}//gloo_virtual_destination/bookinfo/{name}", owner()).parse().unwrap()
}

pub(crate) fn others_claim() -> Claim {
    "team-b/prod//gloo_virtual_destination/bookinfo/theirs".parse().unwrap()
}

/// A VirtualService with our claim, as JSON.
pub(crate) fn object_json(name: &str, spec: &Value, claim: &Claim) -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {
            "name": name,
            "namespace": "bookinfo",
            "labels": {"gloo-terraform/owner": Claim::owner_label(&claim.owner)},
            "annotations": {"gloo-terraform/claim": claim.to_string()},
        },
        "spec": spec,
    })
}

pub(crate) fn manifest_of(json: &Value) -> Manifest {
    Manifest::from_stored(object_key(json).unwrap(), &json.to_string()).unwrap()
}

pub(crate) fn manifest(name: &str, spec: &Value) -> Manifest {
    manifest_of(&object_json(name, spec, &claim()))
}

pub(crate) fn key(name: &str) -> ObjectKey {
    format!("VirtualService/bookinfo/{name}").parse().unwrap()
}

pub(crate) fn create(at: &str, manifest: &Manifest) -> Change {
    Change { cluster: cluster(at), operation: Operation::Create(manifest.clone()) }
}

pub(crate) fn update(at: &str, old: &Manifest, new: &Manifest) -> Change {
    Change { cluster: cluster(at), operation: Operation::Update { old: old.clone(), new: new.clone() } }
}

pub(crate) fn delete(at: &str, key: &ObjectKey) -> Change {
    Change { cluster: cluster(at), operation: Operation::Delete(key.clone()) }
}

/// The sets with the manifests of one cluster.
pub(crate) fn sets<'a>(at: &str, manifests: impl IntoIterator<Item = &'a Manifest>) -> Sets {
    let manifests = manifests.into_iter().map(|manifest| (manifest.key().clone(), manifest.clone())).collect();
    BTreeMap::from([(cluster(at), manifests)])
}

pub(crate) fn prior(sets: &Sets) -> BTreeMap<ClusterName, Vec<Manifest>> {
    sets.iter().map(|(cluster, objects)| (cluster.clone(), objects.values().cloned().collect())).collect()
}

/// What a plan makes of a state, a goal and the drift that refresh has shown: new objects in the first wave, changed and
/// drifted ones in the second, those to be deleted and leftovers in the third.
pub(crate) fn plan(before: &Sets, goal: &Sets, refreshed: &Refreshed) -> Vec<Wave> {
    let mut waves = vec![Vec::new(), Vec::new(), Vec::new()];
    let nothing = BTreeMap::new();
    let clusters: BTreeSet<&ClusterName> = before.keys().chain(goal.keys()).collect();
    for name in clusters {
        let (old, new) = (before.get(name).unwrap_or(&nothing), goal.get(name).unwrap_or(&nothing));
        for (key, manifest) in new {
            match old.get(key) {
                None => waves[0].push(create(name.as_str(), manifest)),
                Some(there) if there != manifest || refreshed.drift.contains_key(&format!("{name}/{key}")) => {
                    waves[1].push(update(name.as_str(), there, manifest));
                }
                Some(_) => {}
            }
        }
        waves[2].extend(old.keys().filter(|key| !new.contains_key(key)).map(|key| delete(name.as_str(), key)));
    }
    for entry in refreshed.drift.iter().filter(|(_, lines)| **lines == [crate::LEFTOVER]).map(|(entry, _)| entry) {
        let (name, object) = entry.split_once('/').unwrap();
        let object: ObjectKey = object.parse().unwrap();
        if !goal.get(&cluster(name)).is_some_and(|goal| goal.contains_key(&object)) {
            waves[2].push(delete(name, &object));
        }
    }
    waves
}

pub(crate) fn request(before: &Sets, waves: Vec<Wave>, refreshed: &Refreshed) -> Request {
    Request { prior: prior(before), shown_drift: refreshed.drift.clone(), ..Request::new(claim(), waves) }
}

pub(crate) async fn refresh(fleet: &Fleet, sets: &Sets) -> Refreshed {
    crate::refresh(fleet, &claim(), &prior(sets)).await
}

/// Preflight and write, without a rollback.
pub(crate) async fn apply(fleet: &Fleet, request: Request, cancel: &CancellationToken) -> Result<Outcome, Findings> {
    let cleared = crate::preflight(fleet, request).await?;
    Ok(crate::write(fleet, cleared, cancel).await)
}

/// A whole run: refresh, plan, preflight, write.
pub(crate) async fn run(fleet: &Fleet, before: &Sets, goal: &Sets) -> Result<Outcome, Findings> {
    let refreshed = refresh(fleet, before).await;
    let waves = plan(before, goal, &refreshed);
    apply(fleet, request(before, waves, &refreshed), &CancellationToken::new()).await
}

pub(crate) fn fleet_of(clusters: impl IntoIterator<Item = Arc<dyn Cluster>>) -> Fleet {
    let members = clusters.into_iter().map(|cluster| (cluster.name().clone(), Member::Ready(cluster))).collect();
    Fleet::new(owner(), members, BTreeSet::new())
}

/// Fake clusters that share their breakages.
pub(crate) fn fakes(names: &[&str], breakages: &Arc<Breakages>) -> (Fleet, Vec<Arc<FakeCluster>>) {
    let fakes: Vec<_> = names.iter().map(|name| Arc::new(FakeCluster::new(cluster(name), Arc::clone(breakages)))).collect();
    (fleet_of(fakes.iter().map(|fake| Arc::clone(fake) as Arc<dyn Cluster>)), fakes)
}

/// A fleet of one folder, `east`.
pub(crate) fn folder_fleet(folder: &Path) -> Fleet {
    fleet_of([Arc::new(DirectoryCluster::new(cluster("east"), folder, owner())) as Arc<dyn Cluster>])
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}
