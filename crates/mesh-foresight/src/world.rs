//! What lives and what does not.

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::names::ClusterName;

use crate::address::Address;

/// Everything that is not configuration: pods and gateways, and which of them are down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    /// pods of clusters; others have [`World::usual`]
    pub pods: BTreeMap<ClusterName, Pods>,
    /// pods of a cluster that nothing is said about, all well
    pub usual: u32,
    /// clusters of which nothing answers
    pub clusters_down: BTreeSet<ClusterName>,
    /// clusters whose every gateway fails
    pub gateways_down: BTreeMap<ClusterName, Fault>,
    /// addresses of single gateways that fail
    pub addresses_down: BTreeMap<Address, Fault>,
    /// clusters where something besides sidecars answers DNS for the host
    pub resolved: BTreeSet<ClusterName>,
}

/// Pods of a cluster that are ready as far as Kubernetes knows. Others are no endpoints, and none of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pods {
    /// all of them
    pub all: u32,
    /// those that fail nevertheless
    pub failing: u32,
    /// how
    pub fault: Fault,
}

/// How something fails, as a caller meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// nothing answers there: connections are refused or broken at once
    Connection,
    /// the application is dead behind a living sidecar, which answers 503
    Application,
    /// connections are accepted and nothing ever comes back
    Hang,
}

impl Default for World {
    /// Everything is well, with one pod in each cluster.
    fn default() -> Self {
        Self {
            pods: BTreeMap::new(),
            usual: 1,
            clusters_down: BTreeSet::new(),
            gateways_down: BTreeMap::new(),
            addresses_down: BTreeMap::new(),
            resolved: BTreeSet::new(),
        }
    }
}

impl World {
    /// Pods of a cluster.
    #[must_use]
    pub fn pods_of(&self, cluster: &ClusterName) -> Pods {
        let well = Pods { all: self.usual, failing: 0, fault: Fault::Connection };
        let pods = self.pods.get(cluster).copied().unwrap_or(well);
        Pods { failing: pods.failing.min(pods.all), ..pods }
    }

    /// How a gateway fails, if it does.
    pub(crate) fn gateway_fault(&self, cluster: &ClusterName, address: &Address) -> Option<Fault> {
        let by_address = self.addresses_down.get(address).copied();
        by_address.or_else(|| self.gateways_down.get(cluster).copied())
    }

    /// The same, with some pods of a cluster failing.
    #[must_use]
    pub fn with_failing(mut self, cluster: &ClusterName, failing: u32, fault: Fault) -> Self {
        let all = self.pods_of(cluster).all;
        self.pods.insert(cluster.clone(), Pods { all, failing, fault });
        self
    }

    /// The same, with every pod of a cluster failing.
    #[must_use]
    pub fn without_service(self, cluster: &ClusterName, fault: Fault) -> Self {
        let all = self.pods_of(cluster).all;
        self.with_failing(cluster, all, fault)
    }

    /// The same, without a cluster.
    #[must_use]
    pub fn without_cluster(mut self, cluster: &ClusterName) -> Self {
        self.clusters_down.insert(cluster.clone());
        self
    }

    /// The same, with the gateways of a cluster failing.
    #[must_use]
    pub fn without_gateway(mut self, cluster: &ClusterName, fault: Fault) -> Self {
        self.gateways_down.insert(cluster.clone(), fault);
        self
    }
}
