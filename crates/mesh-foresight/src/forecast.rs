//! What becomes of a client's requests.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use mesh_model::names::ClusterName;

use crate::address::Address;
use crate::client::{Part, Upstream};
use crate::envoy::{self, Ejections, Loss, Repeating, Tries};
use crate::fleet::Fleet;
use crate::reach::{Answer, Cause};
use crate::share::Share;
use crate::world::{Fault, World};

/// A call.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// where its client runs
    pub cluster: &'a ClusterName,
    /// namespace of the client
    pub namespace: &'a str,
    /// service account of the client; `None`: any of its namespace
    pub account: Option<&'a str>,
    /// host
    pub host: &'a str,
    /// port of the host
    pub port: u16,
    /// HTTP method
    pub method: &'a str,
}

/// What becomes of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forecast {
    /// the client's own cluster is down: nobody calls
    NoClient,
    /// no proxy knows a way
    NoRoute(NoRoute),
    /// proxies send them to endpoints
    Routed(Routed),
}

/// Why there is no way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoute {
    /// no ServiceEntry that the client sees has the name
    NameUnknown,
    /// nothing answers DNS for the name
    NameNotResolved,
    /// no route of the host's VirtualService takes the request
    NotRouted,
    /// the host has no such port
    PortUnknown,
    /// the host's policy has no such subset
    SubsetUnknown,
    /// nothing is selected
    NoEndpoints,
}

impl fmt::Display for NoRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NameUnknown => "the name is not known",
            Self::NameNotResolved => "the name is not resolved",
            Self::NotRouted => "no route takes the request",
            Self::PortUnknown => "the host has no such port",
            Self::SubsetUnknown => "the host has no such subset",
            Self::NoEndpoints => "the host has no endpoint",
        })
    }
}

/// What proxies do with requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routed {
    /// of first tries, once what fails is ejected: by the cluster whose pods answer
    pub shares: BTreeMap<ClusterName, Share>,
    /// of first tries: what meets something that fails and stays, because it cannot be ejected
    pub failing: Share,
    /// of first tries: what is answered 403
    pub denied: Share,
    /// what becomes of requests before anything is ejected
    pub first: Tries,
    /// what becomes of them afterwards
    pub lasting: Tries,
    /// whether ejection can do its work; of several subsets, where it can do least
    pub ejections: Ejections,
    /// every way to pods, by priority
    pub ways: Vec<Way>,
}

/// A way to pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// 0 is served first
    pub priority: usize,
    /// whose pods are at its end; `None`: nobody's
    pub cluster: Option<ClusterName>,
    /// how it leads there
    pub via: Via,
    /// the subset whose requests go there; `None`: those of the host
    pub subset: Option<String>,
    /// endpoints that are alike
    pub endpoints: usize,
    /// what becomes of it
    pub state: State,
}

/// How a way leads to pods.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Via {
    /// straight, in the client's own cluster
    Pods {
        /// which of the Services of the namespace
        service: usize,
    },
    /// by an entry, through a gateway
    Entry {
        /// name of the WorkloadEntry
        name: String,
        /// the gateway's
        address: IpAddr,
    },
    /// through a gateway that stands for the entries of a network
    Network {
        /// its name
        network: String,
        /// the gateway's
        address: Address,
    },
}

impl Via {
    /// The gateway's address, where one is on the way.
    #[must_use]
    pub fn address(&self) -> Option<Address> {
        match self {
            Self::Pods { .. } => None,
            Self::Entry { address, .. } => Some(Address::Ip(*address)),
            Self::Network { address, .. } => Some(address.clone()),
        }
    }
}

/// What becomes of a way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// takes this share of first tries and serves
    Serves(Share),
    /// serves when those before it cannot
    Waits,
    /// takes this share of first tries and answers 403
    Denies(Share),
    /// is out
    Ejected(Fault, Cause),
    /// takes this share of first tries and fails
    Fails(Share, Fault, Cause),
    /// would fail, if anything came there
    Broken(Fault, Cause),
}

impl Forecast {
    /// The clusters that serve.
    #[must_use]
    pub fn servers(&self) -> BTreeSet<&ClusterName> {
        match self {
            Self::Routed(routed) => routed.shares.keys().collect(),
            Self::NoClient | Self::NoRoute(_) => BTreeSet::new(),
        }
    }
}

impl Fleet {
    /// What becomes of such requests in a world.
    #[must_use]
    pub fn forecast(&self, world: &World, request: &Request<'_>) -> Forecast {
        self.forecast_after(None, world, request)
    }

    /// The same, where another world lasted long enough before for everything to be out that failed there.
    #[must_use]
    pub fn forecast_after(&self, before: Option<&World>, world: &World, request: &Request<'_>) -> Forecast {
        if world.clusters_down.contains(request.cluster) {
            return Forecast::NoClient;
        }
        let parts = match Upstream::find(self, world, request) {
            Ok(parts) => parts,
            Err(reason) => return Forecast::NoRoute(reason),
        };
        let earlier = before.and_then(|before| Upstream::find(self, before, request).ok()).unwrap_or_default();
        let mut whole: Option<Routed> = None;
        let (mut lost, mut reason) = (Share::NONE, NoRoute::NoEndpoints);
        for Part { share, subset, upstream } in &parts {
            let upstream = match upstream {
                Ok(upstream) => upstream,
                Err(why) => {
                    (lost, reason) = (lost + *share, *why);
                    continue;
                }
            };
            let before = earlier.iter().find(|earlier| earlier.subset == *subset).and_then(|part| part.upstream.as_ref().ok());
            // of other endpoints nothing is known yet
            let out = before.filter(|before| before.ways == upstream.ways).map(Upstream::ejected).unwrap_or_default();
            let routed = route(upstream, subset.as_ref(), &out).of(*share);
            whole = Some(match whole {
                Some(others) => others.and(routed),
                None => routed,
            });
        }
        match whole {
            Some(routed) => Forecast::Routed(routed.losing(lost)),
            None => Forecast::NoRoute(reason),
        }
    }
}

impl Routed {
    /// The same as a part of all requests.
    fn of(mut self, share: Share) -> Self {
        self.shares.values_mut().chain([&mut self.failing, &mut self.denied]).for_each(|part| *part = *part * share);
        for way in &mut self.ways {
            if let State::Serves(part) | State::Denies(part) | State::Fails(part, ..) = &mut way.state {
                *part = *part * share;
            }
        }
        self
    }

    /// Both parts together.
    fn and(mut self, other: Self) -> Self {
        let Self { shares, failing, denied, first, lasting, ejections, ways } = other;
        for (cluster, share) in shares {
            let all = self.shares.entry(cluster).or_insert(Share::NONE);
            *all = *all + share;
        }
        let lack = |ejections: &Ejections| ejections.before_last.saturating_sub(ejections.most);
        let is_worse = lack(&ejections) > lack(&self.ejections);
        self.ways.extend(ways);
        self.ways.sort_by(|one, other| one.place().cmp(&other.place()));
        Self {
            failing: self.failing + failing,
            denied: self.denied + denied,
            first: self.first.max(first),
            lasting: self.lasting.max(lasting),
            ejections: if is_worse { ejections } else { self.ejections },
            ..self
        }
    }

    /// The same, where a part of the requests finds no endpoint.
    fn losing(mut self, part: Share) -> Self {
        if !part.is_none() {
            self.failing = self.failing + part;
            (self.first, self.lasting) = (Tries::Lost(Loss::Nobody), Tries::Lost(Loss::Nobody));
        }
        self
    }
}

impl Upstream<'_> {
    fn ejected(&self) -> BTreeSet<usize> {
        envoy::eject(&self.assignment, self.policy.outlier.as_ref(), self.protocol)
    }
}

/// `before`: endpoints that are out already.
fn route(upstream: &Upstream<'_>, subset: Option<&String>, before: &BTreeSet<usize>) -> Routed {
    let Upstream { route, policy, protocol, assignment, ways } = upstream;
    let repeating = Repeating { retries: &route.retries, limit: &route.limit, protocol: *protocol };
    let out = upstream.ejected();
    let loads = envoy::loads(assignment, &out, &BTreeSet::new());
    let mut routed = Routed {
        shares: BTreeMap::new(),
        failing: Share::NONE,
        denied: Share::NONE,
        first: envoy::worst(assignment, before, &repeating),
        lasting: envoy::worst(assignment, &out, &repeating),
        ejections: Ejections::of(policy.outlier.as_ref(), assignment),
        ways: Vec::new(),
    };
    for (index, (endpoint, (cluster, via))) in assignment.endpoints.iter().zip(ways).enumerate() {
        let load = loads[index];
        let state = match &endpoint.answer {
            Answer::Served if load.is_none() => State::Waits,
            Answer::Served => {
                if let Some(cluster) = cluster {
                    let share = routed.shares.entry((*cluster).clone()).or_insert(Share::NONE);
                    *share = *share + load;
                }
                State::Serves(load)
            }
            Answer::Denied => {
                routed.denied = routed.denied + load;
                State::Denies(load)
            }
            Answer::Failed(fault, cause) if out.contains(&index) => State::Ejected(*fault, cause.clone()),
            Answer::Failed(fault, cause) if load.is_none() => State::Broken(*fault, cause.clone()),
            Answer::Failed(fault, cause) => {
                routed.failing = routed.failing + load;
                State::Fails(load, *fault, cause.clone())
            }
        };
        let cluster = cluster.cloned();
        let (priority, via) = (assignment.priority(index), via.clone());
        let way = Way { priority, cluster, via, subset: subset.cloned(), endpoints: 1, state };
        match routed.ways.iter_mut().find(|other| other.is_like(&way)) {
            Some(other) => other.endpoints += 1,
            None => routed.ways.push(way),
        }
    }
    routed.ways.sort_by(|one, other| one.place().cmp(&other.place()));
    routed
}

impl Way {
    /// Where it stands among others.
    fn place(&self) -> (usize, Option<&ClusterName>, &Via, Option<&String>) {
        (self.priority, self.cluster.as_ref(), &self.via, self.subset.as_ref())
    }

    /// Whether both are the same but for the pod at their end.
    fn is_like(&self, other: &Self) -> bool {
        (self.place(), &self.state) == (other.place(), &other.state)
    }
}
