//! A cluster that is a folder.
//!
//! ```text
//! <folder>/inventory/**/*.{yaml,yml,json}            what `kubectl get -o yaml` prints; read only
//! <folder>/manifests/<namespace>/<Kind>-<name>.yaml  one object per file; `_cluster` for objects without a namespace
//! ```
//!
//! Contract: a file appears, changes and disappears as a whole (temporary file, fsync, rename, fsync of the folder), under a
//! lock on the folder `manifests` itself. Files that are not ours are never touched: one that stands at the place of one of
//! our objects is an error, every other is ignored. The folder of the cluster is never created: without it the cluster is
//! unreachable. Folders are ordinary ones, or links to such; a file of an object is never reached through a link. Where the
//! inventory has the definition of a kind, objects of it are judged as an API server with that definition would.

mod files;
mod inventory;
mod lock;
mod manifests;
mod schemas;
mod stamp;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use istio_objects::{Change, ObjectKey, Operation};
use mesh_model::names::{ClusterName, OwnerId};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::port::{Answer, Cluster, Kinds, LiveObject, Precondition, Remark, Seen, Write};
use crate::{Class, ClusterError, ownership, yaml};
use files::Folder;

pub use files::file_of;

/// How long a write waits for another writer, unless told otherwise.
const LOCK_WAIT: Duration = Duration::from_secs(30);

/// A cluster of kind `directory`.
#[derive(Debug)]
pub struct DirectoryCluster {
    folder: Arc<Folder>,
    owner: OwnerId,
    inventory: Arc<inventory::Cache>,
    told: Arc<schemas::Told>,
    lock: lock::Lock,
    /// whether the leavings of killed runs are gone
    is_swept: Arc<AtomicBool>,
}

impl DirectoryCluster {
    /// A cluster in a folder; opens nothing. A relative path is one below the working directory of the process.
    #[must_use]
    pub fn new(name: ClusterName, folder: &Path, owner: OwnerId) -> Self {
        let root: PathBuf = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let folder = Arc::new(Folder::new(name, root));
        Self {
            lock: lock::Lock::new(Arc::clone(&folder), LOCK_WAIT),
            folder,
            owner,
            inventory: Arc::default(),
            told: Arc::default(),
            is_swept: Arc::default(),
        }
    }

    /// The same, with another bound on the wait for other writers.
    #[must_use]
    pub fn with_lock_wait(mut self, wait: Duration) -> Self {
        self.lock.wait = wait;
        self
    }

    /// Runs file work where it may block. Once begun it runs to its end, whatever happens to the caller.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> Result<T, ClusterError> + Send + 'static,
    ) -> Result<T, ClusterError> {
        let folder = Arc::clone(&self.folder);
        let work = move || work(&folder);
        #[cfg(any(test, feature = "breakage"))]
        let work = crate::breakage::carried(work);
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result,
            Err(crash) => Err(ClusterError::new(
                Class::Io,
                self.name(),
                format!("file work in {} crashed", self.folder.root().display()),
                crash.to_string(),
                "This is a defect of the provider: please report it with the log.",
            )),
        }
    }
}

impl Cluster for DirectoryCluster {
    fn name(&self) -> &ClusterName {
        self.folder.cluster()
    }

    fn get<'a>(&'a self, key: &'a ObjectKey) -> Answer<'a, Option<LiveObject>> {
        let (key, owner, inventory) = (key.clone(), self.owner.clone(), Arc::clone(&self.inventory));
        Box::pin(self.blocking(move |folder| {
            folder.check_root()?;
            match folder.read(&key)? {
                Some(object) => Ok(Some(object)),
                None => inventory.object_of_others(folder, &key, &owner),
            }
        }))
    }

    fn list_owned<'a>(&'a self, owner: &'a OwnerId) -> Answer<'a, Vec<LiveObject>> {
        let owner = owner.clone();
        Box::pin(self.blocking(move |folder| {
            folder.check_root()?;
            let is_owned = |object: &Arc<LiveObject>| {
                object.has_label_of(&owner) || object.claimed_by().is_some_and(|claim| claim.owner == owner)
            };
            Ok(folder.objects()?.into_iter().filter(is_owned).map(Arc::unwrap_or_clone).collect())
        }))
    }

    fn inventory<'a>(&'a self, kinds: &'a Kinds) -> Answer<'a, Vec<Arc<Value>>> {
        let (kinds, inventory) = (kinds.clone(), Arc::clone(&self.inventory));
        Box::pin(self.blocking(move |folder| {
            folder.check_root()?;
            inventory.with_manifests(folder, &folder.objects()?, &kinds)
        }))
    }

    fn dry_run<'a>(&'a self, change: &'a Change) -> Answer<'a, Vec<Remark>> {
        let (operation, inventory, told) = (change.operation.clone(), Arc::clone(&self.inventory), Arc::clone(&self.told));
        Box::pin(self.blocking(move |folder| {
            folder.check_root()?;
            let (new, old) = match &operation {
                Operation::Create(new) => (new, None),
                Operation::Update { old, new } => (new, Some(old)),
                Operation::Delete(key) => {
                    folder.check_writable(key)?;
                    return Ok(Vec::new());
                }
            };
            folder.check_writable(new.key())?;
            match inventory.definition(folder, &new.key().kind)? {
                Some(definition) => schemas::judge(folder.cluster(), &definition, new, old, &told),
                None => Ok(Vec::new()),
            }
        }))
    }

    fn apply<'a>(&'a self, write: &'a Write, cancel: &'a CancellationToken) -> Answer<'a, LiveObject> {
        Box::pin(async move {
            let key = write.manifest.key();
            let held = self.lock.hold(key, cancel).await?;
            let (write, owner, inventory) = (write.clone(), self.owner.clone(), Arc::clone(&self.inventory));
            let is_swept = Arc::clone(&self.is_swept);
            self.blocking(move |folder| {
                let _held = held;
                sweep_once(folder, &is_swept);
                let key = write.manifest.key();
                let live = folder.read(key)?;
                match (&write.precondition, &live) {
                    (Precondition::Absent, None) => {
                        if inventory.object_of_others(folder, key, &owner)?.is_some() {
                            return Err(conflict(folder, key, "it is in the inventory by now"));
                        }
                    }
                    (Precondition::Unchanged(seen), Some(live)) if *seen == live.seen() => {}
                    (Precondition::Absent, Some(_)) => return Err(conflict(folder, key, "it exists by now")),
                    // what is only in the inventory so far gets its manifest
                    (Precondition::Unchanged(seen), None) => match inventory.object_of_others(folder, key, &owner)? {
                        Some(printed) if *seen == printed.seen() => {}
                        Some(_) => return Err(conflict(folder, key, "the inventory shows another state of it by now")),
                        None => return Err(conflict(folder, key, "it is gone by now")),
                    },
                    (Precondition::Unchanged(_), Some(_)) => return Err(conflict(folder, key, "its file has changed")),
                }
                let object = ownership::compose(&write, live.as_ref().map(|live| &*live.json));
                folder.write(key, &yaml::emit(&object))
            })
            .await
        })
    }

    fn delete<'a>(&'a self, key: &'a ObjectKey, seen: &'a Seen, cancel: &'a CancellationToken) -> Answer<'a, ()> {
        Box::pin(async move {
            let (searched, seen) = (key.clone(), seen.clone());
            if self.blocking(move |folder| folder.check_root().and_then(|()| folder.read(&searched))).await?.is_none() {
                return Ok(());
            }
            let held = self.lock.hold(key, cancel).await?;
            let (key, is_swept) = (key.clone(), Arc::clone(&self.is_swept));
            self.blocking(move |folder| {
                let _held = held;
                sweep_once(folder, &is_swept);
                match folder.read(&key)? {
                    None => Ok(()),
                    Some(live) if live.seen() == seen => folder.remove(&key),
                    Some(_) => Err(conflict(folder, &key, "its file has changed")),
                }
            })
            .await
        })
    }
}

fn sweep_once(folder: &Folder, is_swept: &AtomicBool) {
    if !is_swept.swap(true, Ordering::Relaxed) {
        folder.sweep();
    }
}

fn conflict(folder: &Folder, key: &ObjectKey, what: &str) -> ClusterError {
    ClusterError::new(
        Class::Conflict,
        folder.cluster(),
        format!("{}: {what}", folder.path(key).display()),
        "The file was changed while the apply was running. It was not written.",
        "Plan and apply again, and see to it that nothing else writes this file.",
    )
    .at(key)
}
