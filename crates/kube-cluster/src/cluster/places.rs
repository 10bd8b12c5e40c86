//! Where objects are looked for, written and deleted: the `namespaces` of a cluster, kinds that may be listed, and the version
//! in which a kind is served.

use std::sync::PoisonError;

use http::Method;
use istio_objects::ObjectKey;
use kube_apply::{Class, ClusterError};
use mesh_model::names::{ClusterName, Namespace};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::Inner;
use crate::kinds::Known;
use crate::status::NotFound;
use crate::transport::{Call, Reply};

impl Inner {
    /// Refuses a write where objects are not looked for: nobody would find it again.
    pub(super) fn check_place(&self, known: &Known, key: &ObjectKey) -> Result<(), ClusterError> {
        match self.namespaces.as_ref().and_then(|namespaces| outside(self.cluster(), namespaces, key)) {
            Some(error) => Err(error),
            None => self.check_listed(known, key),
        }
    }

    /// Refuses a write of a kind that may not be listed: what a killed run leaves of it would never be found. So of a kind
    /// that a list leaves out there are no leftovers.
    fn check_listed(&self, known: &Known, key: &ObjectKey) -> Result<(), ClusterError> {
        if !self.unlisted.lock().unwrap_or_else(PoisonError::into_inner).contains(&known.resource()) {
            return Ok(());
        }
        let error = ClusterError::new(
            Class::Forbidden,
            self.cluster(),
            format!(
                "cluster {} does not allow to list {}, and {key} is not written without that",
                self.cluster(),
                known.resource()
            ),
            "What an interrupted run leaves behind is found again by its label; without the list it would stay there for good.",
            format!(
                "Give the identity this rule, in a Role of the namespace or a ClusterRole:\n\n  - apiGroups: [\"{}\"]\n    \
                 resources: [\"{}\"]\n    verbs: [\"list\"]",
                known.group, known.plural
            ),
        );
        Err(error.at(key))
    }

    /// Notes the version in which a kind was found.
    pub(crate) fn note_served(&self, known: &Known, version: &str) {
        let Some(version) = known.versions.iter().copied().find(|served| *served == version) else { return };
        self.served.lock().unwrap_or_else(PoisonError::into_inner).insert(known.resource(), version);
    }

    /// Sends a delete in the version that is served: in another one the server would say that there is no such thing.
    pub(super) async fn send_delete(
        &self,
        known: &Known,
        key: &ObjectKey,
        query: &str,
        options: Option<(&Value, &CancellationToken)>,
    ) -> Result<Reply, ClusterError> {
        let send = |version: &str| {
            let content = options.map(|(options, _)| ("application/json", options.to_string().into_bytes()));
            let path = format!("{}{query}", known.object(version, key));
            let cancel = options.map(|(_, cancel)| cancel);
            self.transport.send(Call { method: Method::DELETE, path, content, cancel, is_list: false })
        };
        let versions = self.versions(known);
        let (last, others) = versions.split_last().expect("every kind has a version");
        for version in others {
            let reply = send(version).await?;
            if reply.not_found(known) != Some(NotFound::Kind) {
                return Ok(reply);
            }
        }
        send(last).await
    }

    /// The objects of a kind without namespaces that can be seen from these namespaces: themselves, one by one. `None`:
    /// nothing is known about the kind.
    pub(crate) async fn beside(&self, known: &Known, namespaces: &[Namespace]) -> Result<Option<Vec<Value>>, ClusterError> {
        if known.kind != "Namespace" {
            return Ok(None);
        }
        let mut found = Vec::new();
        for namespace in namespaces {
            let key = ObjectKey {
                kind: known.key_name(),
                namespace: None,
                name: namespace.as_str().parse().expect("a namespace is a name"),
            };
            match self.read(known, None, &key).await {
                Ok(there) => found.extend(there.map(|there| there.json)),
                Err(error) if error.class == Class::Forbidden => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(Some(found))
    }
}

/// The refusal of an object that is in none of the `namespaces` of a cluster.
#[must_use]
pub fn outside(cluster: &ClusterName, namespaces: &[Namespace], key: &ObjectKey) -> Option<ClusterError> {
    if key.namespace.as_ref().is_some_and(|namespace| namespaces.contains(namespace)) {
        return None;
    }
    let listed: Vec<&str> = namespaces.iter().map(Namespace::as_str).collect();
    let (place, fix) = match &key.namespace {
        None => (
            "in no namespace".to_owned(),
            "Leave `namespaces` out, and give the identity the ClusterRole; or leave the object to somebody else.".to_owned(),
        ),
        Some(namespace) => {
            let all: Vec<String> = listed.iter().copied().chain([namespace.as_str()]).map(|name| format!("{name:?}")).collect();
            let fix = format!(
                "Add the namespace to the cluster in the provider block, and give the identity its Role there:\n\n  namespaces = \
                 [{}]",
                all.join(", ")
            );
            (format!("in namespace {namespace}"), fix)
        }
    };
    let error = ClusterError::new(
        Class::Outside,
        cluster,
        format!("{key} is {place}, and `namespaces` of cluster {cluster} has only {}", listed.join(", ")),
        "Objects are looked for in these namespaces alone: one elsewhere would not be found again.",
        fix,
    );
    Some(error.at(key))
}
