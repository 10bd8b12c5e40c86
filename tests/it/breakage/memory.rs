//! Clusters in memory, behind the whole provider.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube_apply::breakage::Breaker;
use kube_apply::port::Cluster;
use kube_apply::testing::{Breakages, FakeCluster};
use serde_json::{Value as Json, json};
use terraform_provider_gloo::Gloo;
use tf_server::testing::Core;

use super::forbidden::Objects;
use super::rig::CLUSTERS;

/// A cluster of each name.
pub(crate) struct Memory(BTreeMap<&'static str, Arc<FakeCluster>>);

impl Memory {
    pub(crate) fn new() -> Self {
        let fake = |name: &'static str| (name, Arc::new(FakeCluster::new(name.parse().unwrap(), Breakages::none())));
        Self(CLUSTERS.map(fake).into())
    }

    pub(crate) fn copy(&self) -> Self {
        let copy = Self::new();
        for (name, fake) in &self.0 {
            fake.objects().into_values().for_each(|object| copy.0[name].put(object));
        }
        copy
    }

    /// Every object.
    pub(crate) fn objects(&self) -> Objects {
        let all = self.0.iter().flat_map(|(name, fake)| {
            fake.objects().into_iter().map(|(key, object)| (((*name).to_owned(), key.to_string()), object))
        });
        all.collect()
    }

    /// A provider on these clusters, whose writes the breaker breaks.
    pub(crate) async fn core(&self, breaker: &Arc<Breaker>) -> Core {
        let (fakes, breaker) = (self.0.clone(), Arc::clone(breaker));
        let decorate = move |cluster: Arc<dyn Cluster>| {
            let fake: Arc<FakeCluster> = Arc::clone(&fakes[cluster.name().as_str()]);
            breaker.decorate(fake)
        };
        let core = Core::new(Arc::new(Gloo::decorated(decorate))).await;
        let clusters: BTreeMap<&str, Json> = CLUSTERS.map(|name| (name, json!({ "directory": format!("never/{name}") }))).into();
        core.configure(json!({ "owner": "test/it", "clusters": clusters, "limits": { "max_in_flight": 1 } })).await.unwrap();
        core
    }
}
