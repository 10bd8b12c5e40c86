//! Manifests as they were last read: many resources look at one folder, and most of its files stay as they are.
//!
//! Contract: what [`Folder::objects`](super::files::Folder::objects) says is what the files say now. A file is parsed again
//! when its stamp has changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::stamp::Stamp;
use crate::port::LiveObject;

/// Parsed files of objects.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<BTreeMap<PathBuf, Parsed>>);

/// A file, and the object in it if there is one.
type Parsed = (Stamp, Option<Arc<LiveObject>>);

impl Cache {
    /// The object in each of these files, where there is one. `parse` is asked for files that have changed; others than these
    /// files are forgotten.
    pub(super) fn objects(&self, paths: Vec<PathBuf>, parse: impl Fn(&Path) -> Option<LiveObject>) -> Vec<Arc<LiveObject>> {
        // a poisoned cache is only one that was not filled
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *cached);
        for path in paths {
            // taken before the file is read: what changes meanwhile is read again
            let Ok(metadata) = std::fs::symlink_metadata(&path) else { continue };
            let stamp = Stamp::of(&metadata);
            let object = match before.remove(&path) {
                Some((known, object)) if known == stamp => object,
                _ => parse(&path).map(Arc::new),
            };
            cached.insert(path, (stamp, object));
        }
        cached.values().filter_map(|(_, object)| object.clone()).collect()
    }
}
