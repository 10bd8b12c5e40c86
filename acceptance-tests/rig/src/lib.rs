//! Real clusters without containers: API servers and their stores as plain processes on loopback addresses.
//!
//! ```text
//! test ─ Rig ─┬─ Supervisor ═pipe═► `rig supervise` ─► etcd, kube-apiserver …     (ends with the test, however that ends)
//!             ├─ Golden ─► a data directory that holds definitions and the quick start's objects, copied
//!             ├─ Cluster ─ url, kubeconfig, tokens · stop, cont, kill, restart
//!             └─ Proxy ─► the same cluster, with answers broken on request, every request counted
//! ```
//!
//! Invariants: every socket is on 127.0.0.0/8; no process and no file outlives the test, not after a panic and not after
//! `kill -9`; nothing waits without a bound.
//!
//! ```no_run
//! # fn main() -> xtask::Result<()> {
//! use rig::{Effect, Injection, Rig};
//!
//! let rig = Rig::start(&["east", "west"])?;
//! let services = rig.cluster("east").api().list("/api/v1/namespaces/bookinfo/services")?;
//! assert_eq!(services.len(), 4);
//! let proxy = rig.cluster("west").proxy()?; // its kubeconfig: proxy.kubeconfig()
//! proxy.inject(Injection::new(Effect::answer(429).retry_after(1)).on(|seen| seen.method == "PATCH").nth(1, 1));
//! rig.cluster("west").kill()?; // and restart()
//! # Ok(())
//! # }
//! ```

pub mod api;
pub mod cluster;
pub mod content;
pub mod dev;
pub mod golden;
pub mod http;
pub mod kubeconfig;
pub mod mesh;
pub mod pki;
pub mod proxy;
pub mod store;
pub mod supervise;
pub mod supervisor;
pub mod wait;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use xtask::workspace::Workspace;
use xtask::{Problem, Result};

pub use crate::api::Api;
pub use crate::cluster::Cluster;
pub use crate::http::{Answer, Call};
pub use crate::proxy::{Effect, Figures, Injection, Proxy, Record, Seen};
pub use crate::store::{Saved, Written};

use crate::cluster::{Programs, Shared};
use crate::content::Content;
use crate::golden::Golden;
use crate::supervisor::Supervisor;

/// Running clusters. Dropped, or when the process ends in any way, they are gone without trace.
#[derive(Debug)]
pub struct Rig {
    clusters: BTreeMap<String, Cluster>,
    shared: Arc<Shared>,
}

impl Rig {
    /// Starts a cluster of each name, side by side. `east` and `west` hold what the quick start's inventories of that name say;
    /// any other name gets the definitions alone. Tools that are missing are built first, which takes minutes.
    ///
    /// # Errors
    /// When a tool cannot be built or a server does not become ready.
    pub fn start(names: &[&str]) -> Result<Self> {
        let workspace = Workspace::find()?;
        let contents: Result<Vec<_>> = names.iter().map(|name| Ok((*name, Content::of(&workspace, name)?))).collect();
        Self::start_with(&workspace, &contents?)
    }

    /// Starts a cluster of each name with the content given.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with(workspace: &Workspace, contents: &[(&str, Content)]) -> Result<Self> {
        let programs = Programs::find(workspace)?;
        let binary = workspace.build_rig()?;
        Self::start_under(&binary, programs, contents)
    }

    fn start_under(binary: &Path, programs: Programs, contents: &[(&str, Content)]) -> Result<Self> {
        let rooms = xtask::tools::cache_folder()?.join("rooms");
        let supervisor = Supervisor::start(binary, &rooms)?;
        let shared = Arc::new(Shared { programs, authority: pki::Authority::new()?, supervisor: Arc::new(supervisor) });
        let started: Vec<Result<Cluster>> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                contents.iter().map(|(name, content)| scope.spawn(|| start_one(&shared, name, content))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(Problem::new("a start panicked")))).collect()
        });
        let clusters = started.into_iter().map(|one| one.map(|cluster| (cluster.name().to_owned(), cluster)));
        Ok(Self { clusters: clusters.collect::<Result<_>>()?, shared })
    }

    /// A cluster by its name.
    ///
    /// # Panics
    /// When none was started under that name.
    pub fn cluster(&self, name: &str) -> &Cluster {
        self.clusters.get(name).unwrap_or_else(|| panic!("there is no cluster {name}; there are {:?}", self.clusters.keys()))
    }

    /// All clusters, by name.
    pub fn clusters(&self) -> impl Iterator<Item = &Cluster> {
        self.clusters.values()
    }

    /// Writes one kubeconfig with the contexts of all clusters.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_kubeconfig(&self, path: &Path) -> Result<()> {
        let contexts: Vec<_> = self
            .clusters()
            .map(|cluster| cluster.context_for(cluster.name(), kubeconfig::Credential::Token(cluster.admin_token().to_owned())))
            .collect();
        kubeconfig::write(path, &contexts)
    }

    /// The process id of the supervisor, for tests of the rig itself.
    pub fn supervisor(&self) -> u32 {
        self.shared.supervisor.pid()
    }
}

fn start_one(shared: &Arc<Shared>, name: &str, content: &Content) -> Result<Cluster> {
    let golden = Golden::of(&[&shared.programs.etcd, &shared.programs.apiserver], &content.key())?;
    let cluster = Cluster::prepare(shared, name, content)?;
    golden.copy_to(&cluster.data(), name, |folder| {
        let first = Cluster::prepare(shared, &format!("first-{name}"), content)?;
        first.start()?;
        content.write(&first.api())?;
        first.end()?;
        golden::copy_sparsely(&first.data(), folder)
    })?;
    cluster.start()?;
    cluster.wait_for_definitions()?;
    Ok(cluster)
}
