//! Situations in which a client may be.

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::names::ClusterName;

use crate::fleet::Fleet;
use crate::world::{Fault, World};

/// Something that happens, as seen from one client cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Situation {
    /// nothing
    AllWell,
    /// some pods of the client's own cluster answer no connection, and are endpoints still
    PodsDead {
        /// how many
        dead: u32,
        /// of how many
        all: u32,
    },
    /// the application is dead in every pod of the client's own cluster, behind sidecars that live
    ApplicationDead,
    /// another cluster is down
    ClusterDown(ClusterName),
    /// the gateways of another cluster are down
    GatewayDown(ClusterName),
    /// every cluster of a region is down
    RegionDown(String),
    /// those that serve die one after the other, and the last one just now
    InTurn {
        /// whether the application of the client's own cluster is among them
        own: bool,
        /// the others
        clusters: Vec<ClusterName>,
    },
    /// as somebody asks
    Given(Given),
}

/// A situation with a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// its name
    pub name: String,
    /// clusters of which nothing answers
    pub clusters_down: BTreeSet<ClusterName>,
    /// clusters whose gateways are down
    pub gateways_down: BTreeSet<ClusterName>,
    /// regions of which nothing answers
    pub regions_down: BTreeSet<String>,
    /// pods that answer no connection, by cluster
    pub dead_pods: BTreeMap<ClusterName, u32>,
}

impl Situation {
    /// The world in which it is so.
    #[must_use]
    pub fn world(&self, fleet: &Fleet, base: &World, client: &ClusterName) -> World {
        let mut world = base.clone();
        match self {
            Self::AllWell => {}
            Self::PodsDead { dead, all: _ } => world = world.with_failing(client, *dead, Fault::Connection),
            Self::ApplicationDead => world = world.without_service(client, Fault::Application),
            Self::ClusterDown(cluster) => world = world.without_cluster(cluster),
            Self::GatewayDown(cluster) => world = world.without_gateway(cluster, Fault::Connection),
            Self::RegionDown(region) => world.clusters_down.extend(fleet.of_region(region)),
            Self::InTurn { own, clusters } => {
                if *own {
                    world = world.without_service(client, Fault::Application);
                }
                world.clusters_down.extend(clusters.iter().cloned());
            }
            Self::Given(given) => {
                let Given { name: _, clusters_down, gateways_down, regions_down, dead_pods } = given;
                world.clusters_down.extend(clusters_down.iter().cloned());
                world.clusters_down.extend(regions_down.iter().flat_map(|region| fleet.of_region(region)));
                for cluster in gateways_down {
                    world = world.without_gateway(cluster, Fault::Connection);
                }
                for (cluster, dead) in dead_pods {
                    world = world.with_failing(cluster, *dead, Fault::Connection);
                }
            }
        }
        world
    }

    /// What may happen to a client one at a time: to its own pods, to every other cluster that serves, its gateway, its region.
    pub(crate) fn single(fleet: &Fleet, base: &World, client: &ClusterName) -> Vec<Self> {
        let mut all = vec![Self::AllWell];
        let own = fleet.serving().any(|cluster| cluster == client);
        if own {
            let pods = base.pods_of(client).all;
            all.extend((1..=pods).map(|dead| Self::PodsDead { dead, all: pods }));
            all.push(Self::ApplicationDead);
        }
        let others: Vec<&ClusterName> = fleet.serving().filter(|cluster| *cluster != client).collect();
        all.extend(others.iter().map(|cluster| Self::ClusterDown((*cluster).clone())));
        all.extend(others.iter().map(|cluster| Self::GatewayDown((*cluster).clone())));
        let regions = fleet.regions().into_iter().filter(|region| {
            let members = fleet.of_region(region);
            // of a region with one cluster that was said already
            members.len() > 1 && !members.contains(client) && others.iter().any(|cluster| members.contains(*cluster))
        });
        all.extend(regions.map(|region| Self::RegionDown(region.to_owned())));
        all
    }
}
