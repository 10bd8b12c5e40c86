//! Files of objects: where they are, how they are read, how they are written.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use istio_objects::ObjectKey;
use mesh_model::names::{ClusterName, Namespace};
use rustix::fs::{Access, OFlags};

use super::manifests::Cache;
use crate::port::{LiveObject, Revision};
use crate::{Class, ClusterError, hex_digest, yaml};

/// The folder of all objects that are written.
const MANIFESTS: &str = "manifests";
/// The folder of objects without a namespace; `_` is in no name of a namespace.
const CLUSTER_SCOPE: &str = "_cluster";
/// No object is near this large: etcd refuses more than 1.5 MiB.
const MAX_OBJECT_BYTES: u64 = 16 << 20;
/// File systems bound a name to 255 bytes; the temporary file's name is longer by its dot and its ending.
const MAX_FILE_NAME: usize = 240;

/// The folder of one cluster.
#[derive(Debug)]
pub(super) struct Folder {
    cluster: ClusterName,
    root: PathBuf,
    cache: Cache,
}

impl Folder {
    pub(super) fn new(cluster: ClusterName, root: PathBuf) -> Self {
        Self { cluster, root, cache: Cache::default() }
    }

    pub(super) fn cluster(&self) -> &ClusterName {
        &self.cluster
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn manifests(&self) -> PathBuf {
        self.root.join(MANIFESTS)
    }

    /// Where an object is stored.
    pub(super) fn path(&self, key: &ObjectKey) -> PathBuf {
        self.root.join(file_of(key))
    }

    /// # Errors
    /// The cluster is unreachable when its folder is not there. Something else in the place of `manifests` is no proof that
    /// the objects are gone.
    pub(super) fn check_root(&self) -> Result<(), ClusterError> {
        let reason = match std::fs::metadata(&self.root) {
            Ok(metadata) if metadata.is_dir() => {
                let manifests = self.manifests();
                return match std::fs::metadata(&manifests) {
                    Ok(metadata) if !metadata.is_dir() => Err(self.foreign(&manifests, "is not a folder")),
                    _ => Ok(()),
                };
            }
            Ok(_) => "it is not a folder".to_owned(),
            Err(error) => error.to_string(),
        };
        Err(ClusterError::new(
            Class::Unreachable,
            &self.cluster,
            format!("the folder {} of cluster {} cannot be opened: {reason}", self.root.display(), self.cluster),
            "A missing folder is a cluster that does not answer; the provider never creates it.",
            format!(
                "Create the folder, or correct its path, which is taken from the working directory:\n  \
                 clusters = {{ {} = {{ directory = \"…\" }} }}",
                self.cluster
            ),
        ))
    }

    /// The object at its place.
    ///
    /// # Errors
    /// When something is there that is not this object.
    pub(super) fn read(&self, key: &ObjectKey) -> Result<Option<LiveObject>, ClusterError> {
        let path = self.path(key);
        let text = match read_text(&path, MAX_OBJECT_BYTES) {
            Ok(text) => text,
            Err(Unread::Absent) => return Ok(None),
            Err(Unread::NoFile(what)) => return Err(self.foreign(&path, what).at(key)),
            Err(Unread::Damaged(why)) => return Err(self.damaged(&path, &why).at(key)),
            Err(Unread::Io(error)) => return Err(self.io("reading", &path, &error).at(key)),
        };
        match parse(&text) {
            Err(why) => Err(self.damaged(&path, &why).at(key)),
            Ok(object) if object.key == *key => Ok(Some(object)),
            Ok(object) => Err(self.foreign(&path, &format!("holds the object {}", object.key)).at(key)),
        }
    }

    /// Every object that is at its place, in the order of their keys. Files that are not such are nobody's concern here.
    pub(super) fn objects(&self) -> Result<Vec<Arc<LiveObject>>, ClusterError> {
        let manifests = self.manifests();
        let mut paths = Vec::new();
        for namespace in self.entries(&manifests)? {
            paths.extend(self.entries(&namespace)?);
        }
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
        let mut objects = self.cache.objects(paths, |path| {
            let object = parse(&read_text(path, MAX_OBJECT_BYTES).ok()?).ok();
            object.filter(|object| self.path(&object.key) == path)
        });
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }

    /// What is in a folder, without hidden entries; nothing when it is not there or is no folder.
    fn entries(&self, folder: &Path) -> Result<Vec<PathBuf>, ClusterError> {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Vec::new()),
            Err(error) => return Err(self.io("reading", folder, &error)),
        };
        let mut paths = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| self.io("reading", folder, &error))?;
            if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                paths.push(entry.path());
            }
        }
        Ok(paths)
    }

    /// # Errors
    /// When something is in the way of writing this object.
    pub(super) fn check_writable(&self, key: &ObjectKey) -> Result<(), ClusterError> {
        self.read(key)?;
        let path = self.path(key);
        let mut folder = path.parent().expect("a file of an object is in a folder");
        // other runs make and remove these folders meanwhile: what was not there at one look may be there at the next
        loop {
            match std::fs::metadata(folder) {
                Ok(metadata) if !metadata.is_dir() => return Err(self.foreign(folder, "is not a folder").at(key)),
                Ok(_) => match rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK) {
                    Ok(()) => return Ok(()),
                    Err(rustix::io::Errno::NOENT) if folder != self.root => {}
                    Err(error) => return Err(self.forbidden(folder, &error.into()).at(key)),
                },
                Err(error) if folder != self.root && is_absent(folder, &error) => {}
                Err(error) => return Err(self.io("opening", folder, &error).at(key)),
            }
            folder = folder.parent().expect("below the root there is a parent");
        }
    }

    /// Removes what killed runs were just writing. The caller holds the lock, so nobody is writing now.
    pub(super) fn sweep(&self) {
        let folders = std::fs::read_dir(self.manifests()).into_iter().flatten().flatten();
        let files = folders.flat_map(|folder| std::fs::read_dir(folder.path())).flatten().flatten();
        for file in files.filter(|file| file.file_name().as_encoded_bytes().starts_with(TEMPORARY.as_bytes())) {
            // best effort: it is never read as an object, and the next write tries again
            let _ = std::fs::remove_file(file.path());
        }
    }

    pub(super) fn create_manifests(&self) -> Result<(), ClusterError> {
        self.create_folder(&self.manifests())
    }

    fn create_folder(&self, folder: &Path) -> Result<(), ClusterError> {
        match std::fs::create_dir(folder) {
            Ok(()) => sync(folder.parent().expect("it is below the root")).map_err(|error| self.io("writing", folder, &error)),
            Err(_) if folder.is_dir() => Ok(()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(self.foreign(folder, "is not a folder")),
            Err(error) => Err(self.io("creating", folder, &error)),
        }
    }

    /// Makes the file of an object hold this text, as a whole or not at all. The caller holds the lock.
    pub(super) fn write(&self, key: &ObjectKey, text: &str) -> Result<LiveObject, ClusterError> {
        let path = self.path(key);
        let folder = path.parent().expect("a file of an object is in a folder");
        let object = parse(text).expect("what is written was composed from a manifest");
        if read_text(&path, MAX_OBJECT_BYTES).is_ok_and(|there| there == text) {
            return Ok(object);
        }
        self.create_folder(folder).map_err(|error| error.at(key))?;
        let temporary = folder.join(temporary_name(key));
        let written = write_new(&temporary, text).and_then(|()| between()).and_then(|()| std::fs::rename(&temporary, &path));
        if let Err(error) = written {
            // best effort: what stays starts with a dot, is never read as an object, and is swept by the next run
            let _ = std::fs::remove_file(&temporary);
            return Err(self.io("writing", &path, &error).at(key));
        }
        sync(folder).map_err(|error| self.io("writing", &path, &error).at(key))?;
        Ok(object)
    }

    /// Removes the file of an object, and its folder when nothing else is in it. The caller holds the lock.
    pub(super) fn remove(&self, key: &ObjectKey) -> Result<(), ClusterError> {
        let path = self.path(key);
        let folder = path.parent().expect("a file of an object is in a folder");
        let _ = std::fs::remove_file(folder.join(temporary_name(key)));
        let failed = |error: &std::io::Error| self.io("removing", &path, error).at(key);
        std::fs::remove_file(&path).and_then(|()| between()).map_err(|error| failed(&error))?;
        sync(folder).map_err(|error| failed(&error))?;
        // removes empty folders only
        if std::fs::remove_dir(folder).is_ok() {
            sync(&self.manifests()).map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    fn damaged(&self, path: &Path, why: &str) -> ClusterError {
        ClusterError::new(
            Class::Damaged,
            &self.cluster,
            format!("{}: {why}", path.display()),
            "One of the provider's objects belongs in this file, and what is in it cannot be read. It was left as it is.",
            "Repair the file, restore it from version control, or remove it: the next plan then writes the object again.",
        )
    }

    fn foreign(&self, path: &Path, what: &str) -> ClusterError {
        ClusterError::new(
            Class::Foreign,
            &self.cluster,
            format!("{} {what}", path.display()),
            "One of the provider's objects belongs there, and something else has taken its place. It was left as it is.",
            "Move it away, and plan again.",
        )
    }

    fn forbidden(&self, path: &Path, error: &std::io::Error) -> ClusterError {
        ClusterError::new(
            Class::Forbidden,
            &self.cluster,
            format!("{} is not writable: {error}", path.display()),
            "The provider writes one file per object below the folder manifests.",
            "Give the user who runs terraform the right to write there.",
        )
    }

    pub(super) fn io(&self, doing: &str, path: &Path, error: &std::io::Error) -> ClusterError {
        if error.kind() == ErrorKind::PermissionDenied || error.kind() == ErrorKind::ReadOnlyFilesystem {
            return self.forbidden(path, error);
        }
        ClusterError::new(
            Class::Io,
            &self.cluster,
            format!("{doing} {} failed: {error}", path.display()),
            "A file holds its old content or its new one, never a part.",
            "Remove the cause (a full disk, a folder that vanished), and apply again.",
        )
    }
}

/// Whether an error says that nothing is there, not even a link that leads nowhere.
fn is_absent(path: &Path, error: &std::io::Error) -> bool {
    let is_link = || std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
    match error.kind() {
        ErrorKind::NotADirectory => true,
        ErrorKind::NotFound => !is_link(),
        _ => false,
    }
}

/// Where a directory cluster has an object, below its folder: `manifests/<namespace>/<Kind>-<name>.yaml`, `_cluster` in the
/// place of the namespace for objects without one.
#[must_use]
pub fn file_of(key: &ObjectKey) -> PathBuf {
    let namespace = key.namespace.as_ref().map_or(CLUSTER_SCOPE, Namespace::as_str);
    Path::new(MANIFESTS).join(namespace).join(file_name(key))
}

/// `<Kind>-<name>.yaml`. A name too long for a file system is cut and gets a hash behind `~`, which is in no name.
fn file_name(key: &ObjectKey) -> String {
    let stem = format!("{}-{}", key.kind, key.name);
    if stem.len() <= MAX_FILE_NAME - ".yaml".len() {
        return format!("{stem}.yaml");
    }
    // kinds and names are ASCII, so every position is the border of a character
    format!("{}~{}.yaml", &stem[..200], &hex_digest(stem.as_bytes())[..16])
}

/// What names of temporary files begin with; nobody else's do.
const TEMPORARY: &str = ".gloo~";

fn temporary_name(key: &ObjectKey) -> String {
    format!("{TEMPORARY}{}.tmp", file_name(key))
}

/// Why there is no text.
pub(super) enum Unread {
    Absent,
    /// something else than a regular file; the text says what
    NoFile(&'static str),
    Damaged(String),
    Io(std::io::Error),
}

/// The text of a regular file; never follows a link, never waits for a pipe.
fn read_text(path: &Path, limit: u64) -> Result<String, Unread> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let file = OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path);
    let file = match file {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Err(Unread::Absent),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            return Err(Unread::NoFile("is a symbolic link"));
        }
        Err(error) => return Err(Unread::Io(error)),
    };
    read_open(file, limit)
}

/// The text of an open file, when it is a regular one.
pub(super) fn read_open(file: File, limit: u64) -> Result<String, Unread> {
    let metadata = file.metadata().map_err(Unread::Io)?;
    if !metadata.is_file() {
        return Err(Unread::NoFile("is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(Unread::Io)?;
    if bytes.len() as u64 > limit {
        return Err(Unread::Damaged(format!("larger than {} MiB", limit >> 20)));
    }
    String::from_utf8(bytes).map_err(|error| Unread::Damaged(format!("not UTF-8: {error}")))
}

/// The one object of a text.
fn parse(text: &str) -> Result<LiveObject, String> {
    let mut documents = yaml::load(text).map_err(|error| error.to_string())?;
    documents.retain(|document| !document.is_null());
    let document = match documents.len() {
        1 => documents.remove(0),
        0 => return Err("it is empty".to_owned()),
        count => return Err(format!("it holds {count} documents, not one")),
    };
    LiveObject::new(document, Revision(hex_digest(text.as_bytes()))).ok_or_else(|| "it holds no Kubernetes object".to_owned())
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Where tests break file work in its middle.
#[cfg(any(test, feature = "breakage"))]
fn between() -> std::io::Result<()> {
    crate::breakage::between_files()
}

#[cfg(not(any(test, feature = "breakage")))]
#[expect(clippy::unnecessary_wraps, reason = "its twin above fails")]
fn between() -> std::io::Result<()> {
    Ok(())
}
