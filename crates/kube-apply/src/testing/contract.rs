//! What every cluster does, whatever its kind: the contract of the port as a test.
//!
//! Panics at the first broken sentence. Works in the namespace `bookinfo` on VirtualServices whose names begin as told, and
//! leaves none of them.

use istio_objects::{Change, Claim, Manifest, ObjectKey, Operation, object_key, reserved};
use mesh_model::names::OwnerId;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::port::{Cluster, Kinds, LiveObject, Precondition, Seen, Write};
use crate::{Class, drift_lines};

/// Somebody else with access to the same cluster.
pub trait Others {
    /// Replaces the object under a key by what `edit` makes of it as it is stored.
    fn edit<'a>(&'a self, key: &'a ObjectKey, edit: &'a (dyn Fn(&mut Value) + Sync)) -> crate::port::Answer<'a, ()>;
}

/// The owner for which the cluster must have been made.
///
/// # Panics
/// Never.
#[must_use]
pub fn owner() -> OwnerId {
    "contract/test".parse().expect("an owner")
}

/// Tests a cluster; `prefix` begins the names of all objects.
///
/// # Panics
/// When the cluster does not keep the contract.
pub async fn contract(cluster: &dyn Cluster, others: &dyn Others, prefix: &str) {
    let world = World { cluster, others, prefix, cancel: CancellationToken::new() };
    world.creates_and_reads().await;
    world.updates_what_was_seen().await;
    world.leaves_what_is_of_others().await;
    world.changes_nothing_when_asked().await;
    world.deletes_what_was_seen().await;
    world.stops_before_the_effect().await;
}

struct World<'a> {
    cluster: &'a dyn Cluster,
    others: &'a dyn Others,
    prefix: &'a str,
    cancel: CancellationToken,
}

impl World<'_> {
    fn key(&self, name: &str) -> ObjectKey {
        format!("VirtualService/bookinfo/{}{name}", self.prefix).parse().expect("a key")
    }

    fn claim(&self) -> Claim {
        format!("{}//gloo_virtual_destination/bookinfo/{}", owner(), self.prefix).parse().expect("a claim")
    }

    fn manifest(&self, name: &str, timeout: &str, labels: &[(&str, &str)]) -> Manifest {
        let mut json = json!({
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {
                "name": format!("{}{name}", self.prefix),
                "namespace": "bookinfo",
                "labels": {reserved::OWNER_LABEL: Claim::owner_label(&owner())},
                "annotations": {reserved::CLAIM_ANNOTATION: self.claim().to_string()},
            },
            "spec": {
                "hosts": [format!("{name}.mesh.internal")],
                "http": [{"name": "default", "timeout": timeout, "route": [{"destination": {"host": "reviews"}}]}],
            },
        });
        for (name, value) in labels {
            json["metadata"]["labels"][*name] = json!(value);
        }
        Manifest::from_stored(object_key(&json).expect("an object"), &json.to_string()).expect("a manifest")
    }

    fn write(&self, manifest: &Manifest, previous: Option<&Manifest>, seen: Option<Seen>) -> Write {
        Write {
            manifest: manifest.clone(),
            previous: previous.cloned(),
            state_annotations: [(reserved::INSTANCE_ANNOTATION.to_owned(), "one".to_owned())].into(),
            precondition: seen.map_or(Precondition::Absent, Precondition::Unchanged),
        }
    }

    async fn apply(&self, write: &Write) -> Result<LiveObject, Class> {
        self.cluster.apply(write, &self.cancel).await.map_err(|error| error.class)
    }

    async fn get(&self, name: &str) -> Option<LiveObject> {
        self.cluster.get(&self.key(name)).await.expect("it answers")
    }

    async fn create(&self, name: &str) -> (Manifest, LiveObject) {
        let manifest = self.manifest(name, "2s", &[]);
        let live = self.cluster.apply(&self.write(&manifest, None, None), &self.cancel).await.expect("it creates");
        (manifest, live)
    }

    async fn remove(&self, name: &str) {
        if let Some(live) = self.get(name).await {
            self.cluster.delete(&self.key(name), &live.seen(), &self.cancel).await.expect("it deletes");
        }
        assert_eq!(self.get(name).await, None, "a deleted object is gone");
    }

    async fn creates_and_reads(&self) {
        assert_eq!(self.get("a").await, None, "what is not there is no error");
        let (manifest, written) = self.create("a").await;
        let read = self.get("a").await.expect("it is there");
        assert_eq!(drift_lines(&manifest, Some(&read.json)), Vec::<String>::new(), "what is read is what was written");
        assert_eq!(written.seen(), read.seen(), "a write returns what a read sees");
        assert_eq!(read.claimed_by(), Some(&self.claim()));
        let listed = self.cluster.list_owned(&owner()).await.expect("it lists");
        let listed = listed.iter().find(|object| object.key == self.key("a")).expect("it is listed");
        assert_eq!(listed.seen(), read.seen(), "a list and a read see the same");
        assert_eq!(listed.json, read.json);
        let stranger: OwnerId = "somebody/else".parse().expect("an owner");
        assert_eq!(self.cluster.list_owned(&stranger).await.expect("it lists"), Vec::new(), "nothing of others is listed");
        let inventory = self.cluster.inventory(&Kinds::Only(["VirtualService".to_owned()].into())).await.expect("it has one");
        assert!(inventory.iter().any(|object| object_key(object) == Some(self.key("a"))), "the inventory has it");
        assert!(inventory.iter().all(|object| object["kind"].as_str().is_some_and(|kind| kind.starts_with("VirtualService"))));

        let again = self.manifest("a", "9s", &[]);
        assert_eq!(
            self.apply(&self.write(&again, None, None)).await.err(),
            Some(Class::Conflict),
            "what is there is not created"
        );
        assert_eq!(self.get("a").await.map(|live| live.json), Some(read.json), "and not touched");
        self.remove("a").await;
    }

    async fn updates_what_was_seen(&self) {
        let (old, first) = self.create("b").await;
        let new = self.manifest("b", "5s", &[]);
        let second = self.apply(&self.write(&new, Some(&old), Some(first.seen()))).await.expect("it updates");
        assert_eq!(drift_lines(&new, Some(&second.json)), Vec::<String>::new());
        assert_ne!(first.revision, second.revision);
        let stale = self.write(&old, Some(&new), Some(first.seen()));
        assert_eq!(self.apply(&stale).await.err(), Some(Class::Conflict), "what changed since is not overwritten");
        let change = |object: &mut Value| object["spec"]["http"][0]["timeout"] = json!("7s");
        self.others.edit(&self.key("b"), &change).await.expect("others may");
        let refused = self.write(&old, Some(&new), Some(second.seen()));
        assert_eq!(self.apply(&refused).await.err(), Some(Class::Conflict), "nor what others changed");
        let live = self.get("b").await.expect("it is there");
        assert_eq!(live.json.pointer("/spec/http/0/timeout"), Some(&json!("7s")), "which stays");
        let repaired = self.apply(&self.write(&new, Some(&new), Some(live.seen()))).await.expect("what was seen is overwritten");
        assert_eq!(drift_lines(&new, Some(&repaired.json)), Vec::<String>::new());
        self.remove("b").await;
        let gone = self.write(&new, Some(&new), Some(repaired.seen()));
        assert_eq!(self.apply(&gone).await.err(), Some(Class::Conflict), "what is gone is not updated");
        assert_eq!(self.get("b").await, None, "nor created");
    }

    async fn leaves_what_is_of_others(&self) {
        let old = self.manifest("c", "2s", &[("team", "a"), ("tier", "x")]);
        let mut write = self.write(&old, None, None);
        write.state_annotations.insert(reserved::COMPLETE_ANNOTATION.to_owned(), "one".to_owned());
        self.apply(&write).await.expect("it creates");
        let change = |object: &mut Value| {
            object["metadata"]["labels"]["foreign"] = json!("stays");
            object["metadata"]["labels"]["tier"] = json!("changed");
            object["metadata"]["annotations"]["foreign"] = json!("stays");
            object["spec"]["gateways"] = json!(["mesh"]);
        };
        self.others.edit(&self.key("c"), &change).await.expect("others may");
        let live = self.get("c").await.expect("it is there");
        let lines = drift_lines(&old, Some(&live.json));
        assert_eq!(lines.len(), 2, "a label of ours and an addition to the spec are drift: {lines:?}");
        let new = self.manifest("c", "2s", &[("team", "b")]);
        let live = self.apply(&self.write(&new, Some(&old), Some(live.seen()))).await.expect("it updates");
        assert_eq!(drift_lines(&new, Some(&live.json)), Vec::<String>::new(), "the addition is gone");
        let labels = &live.json["metadata"]["labels"];
        assert_eq!((&labels["foreign"], &labels["team"]), (&json!("stays"), &json!("b")));
        assert_eq!(labels.get("tier"), None, "a label that was ours goes, also when others changed it");
        let annotations = &live.json["metadata"]["annotations"];
        assert_eq!((&annotations["foreign"], &annotations[reserved::INSTANCE_ANNOTATION]), (&json!("stays"), &json!("one")));
        assert_eq!(annotations.get(reserved::COMPLETE_ANNOTATION), None, "state annotations are replaced as a whole");
        self.remove("c").await;
    }

    async fn changes_nothing_when_asked(&self) {
        let manifest = self.manifest("d", "2s", &[]);
        let change = |operation| Change { cluster: self.cluster.name().clone(), operation };
        self.cluster.dry_run(&change(Operation::Create(manifest.clone()))).await.expect("it would be accepted");
        assert_eq!(self.get("d").await, None, "a dry run creates nothing");
        let (_, live) = self.create("d").await;
        let update = Operation::Update { old: manifest, new: self.manifest("d", "5s", &[]) };
        self.cluster.dry_run(&change(update)).await.expect("it would be accepted");
        self.cluster.dry_run(&change(Operation::Delete(self.key("d")))).await.expect("it would be accepted");
        assert_eq!(self.get("d").await.map(|now| now.seen()), Some(live.seen()), "nor changes or deletes anything");
        self.remove("d").await;
    }

    async fn deletes_what_was_seen(&self) {
        let (_, first) = self.create("e").await;
        let change = |object: &mut Value| object["spec"]["http"][0]["timeout"] = json!("7s");
        self.others.edit(&self.key("e"), &change).await.expect("others may");
        let refused = self.cluster.delete(&self.key("e"), &first.seen(), &self.cancel).await;
        assert_eq!(refused.err().map(|error| error.class), Some(Class::Conflict), "what changed since is not deleted");
        assert!(self.get("e").await.is_some());
        self.remove("e").await;
        let again = self.cluster.delete(&self.key("e"), &first.seen(), &self.cancel).await;
        assert_eq!(again, Ok(()), "what is gone is deleted");
    }

    async fn stops_before_the_effect(&self) {
        let (manifest, live) = self.create("f").await;
        let cancelled = CancellationToken::new();
        cancelled.cancel();
        let new = self.write(&self.manifest("f", "5s", &[]), Some(&manifest), Some(live.seen()));
        let refused = self.cluster.apply(&new, &cancelled).await;
        // a write without a wait may have begun before it could be stopped
        let is_changed = self.get("f").await.map(|now| now.seen()) != Some(live.seen());
        assert_eq!(refused.is_ok(), is_changed, "a write that was stopped has not happened");
        self.remove("f").await;
    }
}
