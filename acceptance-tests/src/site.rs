//! Where the clusters of a case are: folders beside its configuration, or two API servers that it has to itself.
//!
//! A case is written once, as for folders; what it writes is made to fit its site. On servers, `east` and `west` hold what the
//! folders of that name hold, and no object of Istio's, whatever the case before it left or broke.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use xtask::Result;

use crate::server;

/// The clusters of the quick start.
pub const CLUSTERS: [&str; 2] = ["east", "west"];

/// At most so many pairs run; whoever needs one more waits.
const PAIRS: usize = 2;

/// Where the clusters of a case are.
#[derive(Debug, Clone)]
pub enum Site {
    /// Each one a folder `clusters/<name>`.
    Folders,
    /// Each one an API server.
    Servers(Arc<Pair>),
}

/// The kinds of sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SiteKind {
    /// Of [`Site::Folders`].
    Folders,
    /// Of [`Site::Servers`].
    Servers,
}

impl SiteKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Folders, Self::Servers];

    /// As in labels and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Folders => "folders",
            Self::Servers => "servers",
        }
    }

    /// A site of this kind; servers are free, run, and hold what they held at their start.
    ///
    /// # Panics
    /// When they do not start.
    pub fn site(self) -> Site {
        match self {
            Self::Folders => Site::Folders,
            Self::Servers => Site::Servers(Arc::new(Pair::take().unwrap_or_else(|problem| panic!("{problem}")))),
        }
    }
}

impl Site {
    /// The servers.
    ///
    /// # Panics
    /// When the clusters are folders.
    pub fn servers(&self) -> &Arc<Pair> {
        match self {
            Self::Servers(pair) => pair,
            Self::Folders => panic!("this case has folders, no servers"),
        }
    }

    /// Whether the clusters are API servers.
    pub fn is_servers(&self) -> bool {
        matches!(self, Self::Servers(_))
    }

    /// What a case writes for folders, made to fit: `{ directory = "clusters/east" }` becomes the connection to a server.
    pub fn fit(&self, text: &str) -> String {
        let Self::Servers(pair) = self else { return text.to_owned() };
        fit(text, &CLUSTERS.map(|name| (name, pair.cluster(name).kubeconfig())))
    }
}

fn fit(text: &str, kubeconfigs: &[(&str, impl AsRef<Path>)]) -> String {
    let mut text = text.to_owned();
    for (name, kubeconfig) in kubeconfigs {
        for folder in ["clusters", "../work/clusters"] {
            text = text.replace(&format!("\"{folder}/{name}\""), &format!("{:?}", kubeconfig.as_ref().display().to_string()));
        }
    }
    let line = |line: &str| match line.split_once("{ directory = ").and_then(|(head, rest)| Some((head, rest.rsplit_once('}')?)))
    {
        Some((head, (value, tail))) => format!("{head}{{ kubeconfig = {{ path = {} }} }}{tail}", value.trim_end()),
        None => line.to_owned(),
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// Two API servers, `east` and `west`, taken by one case. Dropped, others may take them.
#[derive(Debug)]
pub struct Pair {
    /// There until this is dropped.
    servers: Option<Servers>,
}

/// They are never dropped: the end of this process is what ends them.
#[derive(Debug)]
struct Servers {
    rig: rig::Rig,
    start: [rig::Saved; 2],
}

#[derive(Debug)]
struct Pool {
    free: Vec<Servers>,
    started: usize,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { free: Vec::new(), started: 0 });
static RETURNED: Condvar = Condvar::new();

impl Pair {
    fn take() -> Result<Self> {
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        let servers = loop {
            if let Some(servers) = pool.free.pop() {
                break Some(servers);
            }
            if pool.started < PAIRS {
                pool.started += 1;
                break None;
            }
            pool = RETURNED.wait(pool).unwrap_or_else(PoisonError::into_inner);
        };
        drop(pool);
        if let Some(servers) = servers {
            let pair = Self { servers: Some(servers) };
            pair.heal()?;
            return Ok(pair);
        }
        let started = Servers::start();
        if started.is_err() {
            POOL.lock().unwrap_or_else(PoisonError::into_inner).started -= 1;
            RETURNED.notify_one();
        }
        Ok(Self { servers: Some(started?) })
    }

    /// One of the servers.
    ///
    /// # Panics
    /// When it is neither `east` nor `west`.
    pub fn cluster(&self, name: &str) -> &rig::Cluster {
        self.servers().rig.cluster(name)
    }

    /// What both hold.
    ///
    /// # Panics
    /// When one does not answer.
    pub fn save(&self) -> [rig::Saved; 2] {
        CLUSTERS.map(|name| self.cluster(name).save().unwrap_or_else(|problem| panic!("{problem}")))
    }

    /// Both hold it again, and nothing else.
    ///
    /// # Errors
    /// When one does not answer.
    pub fn load(&self, saved: &[rig::Saved; 2]) -> Result<()> {
        for (name, saved) in CLUSTERS.iter().zip(saved) {
            let cluster = self.cluster(name);
            if cluster.load(saved)? {
                server::wait(cluster)?;
            }
        }
        Ok(())
    }

    /// As at their start: both run and hold nothing of a case.
    fn heal(&self) -> Result<()> {
        for name in CLUSTERS {
            let cluster = self.cluster(name);
            cluster.cont()?;
            if !cluster.api().get("/readyz").is_ok_and(|answer| answer.is_success()) {
                cluster.restart()?;
                server::wait(cluster)?;
            }
        }
        self.load(&self.servers().start)
    }

    fn servers(&self) -> &Servers {
        self.servers.as_ref().expect("there until this is dropped")
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        pool.free.extend(self.servers.take());
        RETURNED.notify_one();
    }
}

impl Servers {
    fn start() -> Result<Self> {
        let rig = rig::Rig::start(&CLUSTERS)?;
        rig.clusters().try_for_each(server::wait)?;
        let [east, west] = CLUSTERS.map(|name| rig.cluster(name).save());
        Ok(Self { start: [east?, west?], rig })
    }
}

/// A problem as a panic: a case has nobody to return it to.
pub(crate) fn done<T>(result: Result<T>) -> T {
    result.unwrap_or_else(|problem| panic!("{problem}"))
}

#[cfg(test)]
mod tests {
    use super::fit;

    #[test]
    fn what_is_written_for_folders_fits_servers() {
        let text = "    east = { directory = \"clusters/east\" }\n    west = { directory = terraform_data.later.output }\n\
                    input = \"clusters/west\"\nother = \"../work/clusters/east\"\n";
        let wanted = "    east = { kubeconfig = { path = \"/e\" } }\n    west = { kubeconfig = { path = terraform_data.later.output } }\n\
                      input = \"/w\"\nother = \"/e\"\n";
        assert_eq!(fit(text, &[("east", "/e"), ("west", "/w")]), wanted);
    }
}
