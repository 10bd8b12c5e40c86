//! One writer at a time, within the process and between processes.
//!
//! Contract: the lock is an advisory `flock` on the folder `manifests`, so no lock file is left behind, and a killed process
//! holds nothing. Waiting is bounded and ends when the run is cancelled.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use istio_objects::ObjectKey;
use rustix::fs::FlockOperation;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::files::Folder;
use crate::progress::{Teller, Wait};
use crate::{Class, ClusterError};

/// How often a waiting writer looks again: `flock` has no wait that can be cancelled.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(super) struct Lock {
    folder: Arc<Folder>,
    pub(super) wait: Duration,
    /// writers of this process queue here, first come, first served
    queue: Arc<Mutex<()>>,
    teller: Teller,
}

/// The right to write; given back when dropped.
#[derive(Debug)]
pub(super) struct Held {
    _descriptor: File,
    _place: OwnedMutexGuard<()>,
}

impl Lock {
    pub(super) fn new(folder: Arc<Folder>, wait: Duration) -> Self {
        Self { folder, wait, queue: Arc::default(), teller: Teller::default() }
    }

    /// Waits for the right to write an object; creates `manifests` when it is not there yet.
    pub(super) async fn hold(&self, key: &ObjectKey, cancel: &CancellationToken) -> Result<Held, ClusterError> {
        let place = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(self.cancelled(key)),
            place = Arc::clone(&self.queue).lock_owned() => place,
        };
        let begun = Instant::now();
        loop {
            let folder = Arc::clone(&self.folder);
            let attempt = tokio::task::spawn_blocking(move || {
                folder.check_root()?;
                folder.create_manifests()?;
                try_lock(&folder.manifests()).map_err(|error| folder.io("locking", &folder.manifests(), &error))
            });
            let attempt = attempt.await.unwrap_or_else(|crash| Err(self.crashed(&crash)));
            if let Some(descriptor) = attempt.map_err(|error| error.at(key))? {
                return Ok(Held { _descriptor: descriptor, _place: place });
            }
            if begun.elapsed() >= self.wait {
                return Err(self.held_by_another(key));
            }
            let manifests = self.folder.manifests();
            let lock = format!("the lock of {}, which another run holds", manifests.display());
            self.teller.look(&Wait::new(lock, Some(self.wait)).since(begun));
            tokio::select! {
                biased;
                () = cancel.cancelled() => return Err(self.cancelled(key)),
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }

    fn held_by_another(&self, key: &ObjectKey) -> ClusterError {
        let manifests = self.folder.manifests();
        let holder = holder_of(&manifests).map_or_else(|| "another process".to_owned(), |id| format!("process {id}"));
        ClusterError::new(
            Class::Locked,
            self.folder.cluster(),
            format!("{holder} holds the lock of {}; writing {key} waited {} s for it", manifests.display(), self.wait.as_secs()),
            "Two writers at once could undo each other's work.",
            "Wait for the other terraform run to end, or end it, and apply again.",
        )
        .at(key)
    }

    fn cancelled(&self, key: &ObjectKey) -> ClusterError {
        ClusterError::new(
            Class::Cancelled,
            self.folder.cluster(),
            format!("the run was cancelled while {key} waited to be written"),
            "The object was not written.",
            "Apply again.",
        )
        .at(key)
    }

    fn crashed(&self, crash: &tokio::task::JoinError) -> ClusterError {
        ClusterError::new(
            Class::Io,
            self.folder.cluster(),
            "locking crashed",
            crash.to_string(),
            "This is a defect of the provider: please report it with the log.",
        )
    }
}

/// The locked descriptor, or `None` while another one holds the lock.
fn try_lock(manifests: &Path) -> std::io::Result<Option<File>> {
    let descriptor = File::open(manifests)?;
    match rustix::fs::flock(&descriptor, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    // the folder may have been replaced between opening and locking: then this lock guards nothing
    let (ours, there) = (descriptor.metadata()?, std::fs::metadata(manifests)?);
    Ok(((ours.dev(), ours.ino()) == (there.dev(), there.ino())).then_some(descriptor))
}

/// Which process holds the lock, where the system tells (Linux: `/proc/locks`).
fn holder_of(manifests: &Path) -> Option<u32> {
    let inode = std::fs::metadata(manifests).ok()?.ino().to_string();
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let is_flock = fields.get(1) == Some(&"FLOCK") && fields.get(5)?.rsplit(':').next() == Some(&inode);
        is_flock.then(|| fields.get(4)?.parse().ok()).flatten()
    })
}
