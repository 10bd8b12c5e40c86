//! The proxies and backends of a mesh: what clients meet, whoever told the proxies what to do.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use xtask::{Problem, Result};

use crate::mesh::echo::{Echo, Mood};
use crate::mesh::envoy::Envoy;
use crate::mesh::layout::{PORT, Role, Seat, Speech, Spot};
use crate::mesh::relay::Secrets;
use crate::mesh::traffic::{Calls, Client, Traffic, calls};
use crate::pki::Authority;
use crate::supervisor::Supervisor;
use crate::wait::is_so_by;

/// Proxies that are not live by then never will be.
const READY: Duration = Duration::from_secs(60);

/// Running proxies and backends.
#[derive(Debug)]
pub struct Fleet {
    envoys: BTreeMap<String, Envoy>,
    backends: BTreeMap<String, Backend>,
    /// what is behind the other pods of a server, where there are several
    further: BTreeMap<String, Vec<Echo>>,
}

/// A backend, on every port of its Service.
#[derive(Debug)]
pub struct Backend([Echo; 4]);

impl Backend {
    fn start(spot: Spot, role: Role) -> Result<Self> {
        let name = if role == Role::Canary { format!("{}-{}", spot.name(), role.version()) } else { spot.name().to_owned() };
        let [http, tcp, grpc, tls] = Speech::ALL.map(|speech| Echo::start(&name, spot.backend(role, speech), speech));
        Ok(Self([http?, tcp?, grpc?, tls?]))
    }

    /// From the next request on.
    pub fn is(&self, mood: Mood) {
        self.0.iter().for_each(|echo| echo.is(mood));
    }

    /// It dies: its connections end, new ones are refused.
    pub fn die(&self) {
        self.0.iter().for_each(Echo::die);
    }

    /// It lives, if it was dead, and is well.
    ///
    /// # Errors
    /// When one of its addresses was taken meanwhile.
    pub fn revive(&self) -> Result<()> {
        self.0.iter().try_for_each(Echo::revive)
    }
}

/// Second versions, by cluster.
pub type Canaries = BTreeMap<&'static str, Canary>;

/// A second version in a cluster: it names itself `<cluster>-v2`. Its proxy ends when it is dropped.
#[derive(Debug)]
pub struct Canary {
    backend: Backend,
    envoy: Envoy,
}

impl Canary {
    /// Starts it and waits until its proxy has its configuration.
    ///
    /// # Errors
    /// When an address is taken or the proxy has no configuration in time.
    pub(crate) fn start(seat: Seat, binary: &Path, supervisor: &Arc<Supervisor>, bootstrap: &Value) -> Result<Self> {
        let backend = Backend::start(seat.spot, seat.role)?;
        let canary = Self { backend, envoy: Envoy::start(seat, binary, supervisor, bootstrap)? };
        match is_so_by(Instant::now() + READY, || Ok(canary.envoy.is_live()))? {
            true => Ok(canary),
            false => Err(Problem::new(format!("the proxy {} is not live", seat.name()))),
        }
    }

    /// Its backend.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Its proxy.
    pub fn proxy(&self) -> &Envoy {
        &self.envoy
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        let _ = self.envoy.kill();
    }
}

impl Fleet {
    /// Starts a backend in each of these clusters; proxies come later.
    ///
    /// # Errors
    /// When an address is taken.
    pub fn with_backends(spots: &[Spot]) -> Result<Self> {
        let start = |spot: &Spot| Ok((spot.name().to_owned(), Backend::start(*spot, Role::Server)?));
        let backends = spots.iter().map(start).collect::<Result<_>>()?;
        Ok(Self { envoys: BTreeMap::new(), backends, further: BTreeMap::new() })
    }

    /// Starts the backends of so many pods in each of these clusters; the first ones are there.
    ///
    /// # Errors
    /// When an address is taken.
    pub fn add_pods(&mut self, spots: &[Spot], pods: u8) -> Result<()> {
        for spot in spots {
            let start = |number| Echo::start(spot.name(), spot.pod(number).1, Speech::Http);
            self.further.insert(spot.name().to_owned(), (1..pods).map(start).collect::<Result<_>>()?);
        }
        Ok(())
    }

    /// Starts a proxy in each of these seats and waits until all have their configuration.
    ///
    /// # Errors
    /// When one does not start or has none in time.
    pub fn add_proxies(
        &mut self,
        binary: &Path,
        supervisor: &Arc<Supervisor>,
        seats: impl Iterator<Item = (Seat, Value)>,
    ) -> Result<()> {
        for (seat, bootstrap) in seats {
            self.envoys.insert(seat.name(), Envoy::start(seat, binary, supervisor, &bootstrap)?);
        }
        self.wait()
    }

    /// Waits until every proxy has its configuration.
    ///
    /// # Errors
    /// When one has none in time.
    pub fn wait(&self) -> Result<()> {
        let end = Instant::now() + READY;
        for (name, envoy) in &self.envoys {
            if !is_so_by(end, || Ok(envoy.is_live()))? {
                let log = std::fs::read_to_string(envoy.log()).unwrap_or_default();
                let lines: Vec<&str> = log.lines().collect();
                let tail = lines[lines.len().saturating_sub(8)..].join("\n");
                return Err(Problem::new(format!("the proxy {name} is not live; its last words:\n{tail}")));
            }
        }
        Ok(())
    }

    /// A proxy, by `<cluster>/<workload>`.
    ///
    /// # Panics
    /// When there is none.
    pub fn proxy(&self, name: &str) -> &Envoy {
        self.envoys.get(name).unwrap_or_else(|| panic!("there is no proxy {name}; there are {:?}", self.envoys.keys()))
    }

    /// All proxies.
    pub fn proxies(&self) -> impl Iterator<Item = &Envoy> {
        self.envoys.values()
    }

    /// The backend of a cluster.
    ///
    /// # Panics
    /// When it has none.
    pub fn backend(&self, cluster: &str) -> &Backend {
        self.backends.get(cluster).unwrap_or_else(|| panic!("{cluster} has no backend"))
    }

    /// What speaks HTTP behind each pod of a cluster's server.
    ///
    /// # Panics
    /// When it has no backend.
    pub fn pods(&self, cluster: &str) -> impl Iterator<Item = &Echo> {
        let Backend([first, ..]) = self.backend(cluster);
        [first].into_iter().chain(self.further.get(cluster).into_iter().flatten())
    }

    /// So many calls of a cluster's client.
    pub fn calls(&self, cluster: &str, host: &str, count: usize) -> Calls {
        calls(client(cluster), host, count)
    }

    /// Calls of a cluster's client without end.
    pub fn traffic(&self, cluster: &str, host: &str) -> Traffic {
        Traffic::start(Client::new(client(cluster), host))
    }

    /// The same with requests that proxies may not repeat when they were answered.
    pub fn posts(&self, cluster: &str, host: &str) -> Traffic {
        Traffic::start(Client::new(client(cluster), host).with(hyper::Method::POST))
    }

    /// Calls of a cluster's client to the port where this is spoken, without end; over TCP and TLS each with a new connection.
    pub fn speaking(&self, speech: Speech, cluster: &str, host: &str) -> Traffic {
        Traffic::start(Client::speaking(speech, (client(cluster).ip(), speech.port()).into(), host))
    }

    /// Everything runs and is well again.
    ///
    /// # Errors
    /// When something does not.
    pub fn heal(&self) -> Result<()> {
        self.backends.values().try_for_each(Backend::revive)?;
        self.envoys.values().try_for_each(Envoy::heal)?;
        self.wait()
    }
}

/// Where the client of a cluster finds its sidecar.
fn client(cluster: &str) -> SocketAddr {
    let spot = Spot::of(cluster).unwrap_or_else(|| panic!("no cluster is called {cluster}"));
    (Role::Client.ip(spot), PORT).into()
}

/// The seats of a cluster: a client, a gateway, and a server where it has a backend.
pub fn seats(spot: Spot, has_backend: bool) -> impl Iterator<Item = Seat> {
    Role::ALL.into_iter().filter(move |role| has_backend || *role != Role::Server).map(move |role| Seat { spot, role })
}

/// Certificates for the proxies of a cluster, signed by its own authority below the root.
///
/// # Errors
/// When nothing can be signed.
pub fn secrets(root: &Authority, authority: &Authority, spot: Spot) -> Result<Secrets> {
    let identity = |seat: Seat| Ok((seat.ip().to_string(), authority.workload(&seat.spiffe())?));
    let canary = Seat { spot, role: Role::Canary };
    Ok(Secrets {
        identities: seats(spot, true).chain([canary]).map(identity).collect::<Result<_>>()?,
        root: root.certificate().to_owned(),
    })
}

/// Held as long as a mesh runs: its addresses are those of every mesh on this machine.
///
/// # Errors
/// When there is no cache folder.
pub fn claim_addresses() -> Result<File> {
    let path = xtask::tools::cache_folder()?.join("mesh.lock");
    let lock = File::create(&path).map_err(Problem::file("create", &path))?;
    lock.lock().map_err(Problem::file("lock", &path))?;
    Ok(lock)
}
