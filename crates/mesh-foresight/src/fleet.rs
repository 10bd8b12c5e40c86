//! What is configured and what runs: the ground on which everything is foretold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use istio_objects::{Object, reserved};
use mesh_model::Leaf;
use mesh_model::facts::{Backend, ClusterFacts, GatewayAddress, GatewayFacts};
use mesh_model::intent::VirtualMesh;
use mesh_model::names::{ClusterName, IstioMinor};

use crate::address::Address;
use crate::read::{Configuration, Unforeseen};

/// Oldest release that leads proxies without a network of their own to gateways of others.
const LEAVES_WITHOUT_NETWORK: IstioMinor = IstioMinor { major: 1, minor: 30 };

/// Clusters with their objects, gateways and Services.
#[derive(Debug)]
pub struct Fleet {
    pub(crate) members: BTreeMap<ClusterName, Member>,
}

/// One cluster.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) configuration: Configuration,
    pub(crate) trust_domain: String,
    /// others whose workloads its servers accept
    pub(crate) accepted_trust_domains: BTreeSet<String>,
    pub(crate) root_namespace: String,
    pub(crate) region: Option<String>,
    pub(crate) network: Option<String>,
    /// whether proxies without a network are led to gateways of others
    pub(crate) leaves_without_network: bool,
    /// whether sidecars answer DNS; `None`: not known, taken for yes
    pub(crate) answers_dns: Option<bool>,
    pub(crate) gateways: Vec<Gateway>,
    pub(crate) services: Vec<Service>,
}

/// An east-west gateway.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) namespace: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) addresses: BTreeSet<Address>,
    pub(crate) port: u16,
    /// what Gateways of others pass
    pub(crate) passed: Vec<String>,
}

/// A Service and the pods behind it.
#[derive(Debug)]
pub(crate) struct Service {
    /// full name
    pub(crate) host: String,
    pub(crate) namespace: String,
    pub(crate) selector: BTreeMap<String, String>,
    /// number, name and port of the pods
    pub(crate) ports: Vec<(u16, Option<String>, u16)>,
    /// of its pods
    pub(crate) labels: BTreeMap<String, String>,
    /// SPIFFE ids that its pods may have
    pub(crate) identities: BTreeSet<String>,
    /// subsets that it has pods of; `None`: all
    pub(crate) subsets: Option<BTreeSet<String>>,
}

impl Fleet {
    /// Reads the planned objects of every cluster, and what the facts say about the clusters.
    ///
    /// # Errors
    /// When something is known only after apply, or an object says what this model does not know.
    pub fn read(
        objects: &BTreeMap<ClusterName, Vec<Arc<Object>>>,
        mesh: &VirtualMesh,
        backends: &[Backend],
    ) -> Result<Self, Unforeseen> {
        let member = |(name, facts): (&ClusterName, &ClusterFacts)| {
            let objects = objects.get(name).map_or(&[][..], Vec::as_slice);
            let own = backends.iter().filter(|backend| backend.cluster == *name);
            let accepted = mesh.accepted_trust_domains.get(name).into_iter().flatten();
            let accepted_trust_domains = accepted.map(ToString::to_string).collect();
            Ok((name.clone(), Member { accepted_trust_domains, ..Member::read(objects, facts, own)? }))
        };
        Ok(Self { members: mesh.clusters.iter().map(member).collect::<Result<_, Unforeseen>>()? })
    }

    /// The clusters, by name.
    pub fn clusters(&self) -> impl Iterator<Item = &ClusterName> {
        self.members.keys()
    }

    /// Clusters that have a Service behind the destination.
    pub fn serving(&self) -> impl Iterator<Item = &ClusterName> {
        self.members.iter().filter(|(_, member)| !member.services.is_empty()).map(|(name, _)| name)
    }

    /// Clusters where a host is configured, with the namespace of a workload that sees it.
    #[must_use]
    pub fn callers(&self, host: &str) -> BTreeMap<&ClusterName, &str> {
        self.members
            .iter()
            .filter_map(|(name, member)| {
                let host = member.configuration.hosts.iter().find(|entry| entry.names.iter().any(|name| name == host))?;
                let seen_at_home = crate::read::is_visible(&host.export_to, &host.namespace, &host.namespace);
                let elsewhere = host.export_to.iter().find(|to| *to != ".").map(String::as_str);
                Some((name, if seen_at_home { host.namespace.as_str() } else { elsewhere? }))
            })
            .collect()
    }

    /// Clusters of a region.
    #[must_use]
    pub fn of_region(&self, region: &str) -> BTreeSet<ClusterName> {
        let members = self.members.iter().filter(|(_, member)| member.region.as_deref() == Some(region));
        members.map(|(name, _)| name.clone()).collect()
    }

    /// Regions that clusters are in.
    #[must_use]
    pub fn regions(&self) -> BTreeSet<&str> {
        self.members.values().filter_map(|member| member.region.as_deref()).collect()
    }

    /// The cluster and the gateway behind an address.
    pub(crate) fn gateway(&self, address: &Address) -> Option<(&ClusterName, &Member, &Gateway)> {
        self.members.iter().find_map(|(name, member)| {
            let gateway = member.gateways.iter().find(|gateway| gateway.addresses.contains(address))?;
            Some((name, member, gateway))
        })
    }
}

impl Member {
    fn read<'b>(
        objects: &[Arc<Object>],
        facts: &ClusterFacts,
        backends: impl Iterator<Item = &'b Backend>,
    ) -> Result<Self, Unforeseen> {
        // taken apart, so that a new fact is either used or not, on purpose
        let ClusterFacts {
            istio_version,
            revision: _,
            trust_domain,
            cluster_domain,
            root_namespace,
            network,
            region,
            dns_capture,
            gateways,
        } = facts;
        let service = |backend: &Backend| Service::read(backend, trust_domain.as_str(), cluster_domain.as_str());
        Ok(Self {
            configuration: Configuration::read(objects)?,
            trust_domain: trust_domain.to_string(),
            accepted_trust_domains: BTreeSet::new(),
            root_namespace: root_namespace.to_string(),
            region: region.as_ref().map(known).transpose()?.map(ToString::to_string),
            network: network.as_ref().map(known).transpose()?.map(ToString::to_string),
            leaves_without_network: *istio_version >= LEAVES_WITHOUT_NETWORK,
            answers_dns: dns_capture.as_ref().map(known).transpose()?.copied(),
            gateways: gateways.iter().map(Gateway::read).collect::<Result<_, _>>()?,
            services: backends.map(service).collect::<Result<_, _>>()?,
        })
    }
}

impl Gateway {
    fn read(facts: &GatewayFacts) -> Result<Self, Unforeseen> {
        let GatewayFacts { namespace, selector, address, port, exposed_hosts } = facts;
        let addresses = match address {
            GatewayAddress::Addresses(addresses) => {
                addresses.iter().map(|address| known(address).map(|ip| Address::Ip(*ip))).collect::<Result<_, _>>()?
            }
            GatewayAddress::Hostname(hostname) => BTreeSet::from([Address::Hostname(known(hostname)?.to_string())]),
        };
        Ok(Self {
            namespace: namespace.to_string(),
            labels: selector.clone(),
            addresses,
            port: known(port)?.get(),
            passed: exposed_hosts.clone(),
        })
    }
}

impl Service {
    fn read(backend: &Backend, trust_domain: &str, domain: &str) -> Result<Self, Unforeseen> {
        let Backend { cluster: _, namespace, service, ports, selector, canonical_name, service_accounts, subsets } = backend;
        let mut labels = selector.clone();
        labels.insert(reserved::CANONICAL_NAME_LABEL.to_owned(), known(canonical_name)?.to_string());
        labels.insert(reserved::TLS_MODE_LABEL.to_owned(), "istio".to_owned());
        let identity = |account| Ok(format!("spiffe://{trust_domain}/ns/{namespace}/sa/{}", known(account)?));
        Ok(Self {
            host: format!("{service}.{namespace}.svc.{domain}"),
            namespace: namespace.to_string(),
            selector: selector.clone(),
            ports: ports.iter().map(|port| (port.number.get(), port.name.clone(), port.target_port.get())).collect(),
            labels,
            identities: service_accounts.iter().map(identity).collect::<Result<_, _>>()?,
            subsets: subsets.as_ref().map(|subsets| subsets.iter().map(ToString::to_string).collect()),
        })
    }

    /// Whether it has pods of a subset; all of them are of none.
    pub(crate) fn has(&self, subset: Option<&str>) -> bool {
        subset.is_none_or(|name| self.subsets.as_ref().is_none_or(|subsets| subsets.contains(name)))
    }

    /// Whether its pods listen on a port.
    pub(crate) fn listens(&self, port: u16) -> bool {
        self.ports.iter().any(|(_, _, target)| *target == port)
    }
}

fn known<T>(leaf: &Leaf<T>) -> Result<&T, Unforeseen> {
    match leaf {
        Leaf::Known(value) => Ok(value),
        Leaf::Unknown(path) => Err(Unforeseen::Unknown(path.clone())),
    }
}
