//! Clusters that are ready: data directories of etcd, filled once and copied for every start.
//!
//! They lie beside the built tools, in folders named by everything that decides their content.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use xtask::term::{Ink, note, spoken};
use xtask::tools::{cache_folder, digest};
use xtask::{Problem, Result};

/// Where a golden data directory is, or will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Golden {
    folder: PathBuf,
}

impl Golden {
    /// The one for these tools (their keys) and this content.
    ///
    /// # Errors
    /// When there is no cache folder.
    pub fn of(tools: &[&Path], content: &str) -> Result<Self> {
        // the folder of a built tool is named by what decides it
        let mut parts: Vec<String> = tools.iter().map(|tool| tool.display().to_string()).collect();
        parts.push(content.to_owned());
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        Ok(Self { folder: cache_folder()?.join(format!("golden-{}", digest(&parts))) })
    }

    /// Fills `folder` with a copy, made first by `make` when there is none: that is given a folder to fill.
    ///
    /// # Errors
    /// When it can be neither made nor copied.
    pub fn copy_to(&self, folder: &Path, name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        if !self.folder.is_dir() {
            let lock_path = self.folder.with_extension("lock");
            let lock = File::create(&lock_path).map_err(Problem::file("create", &lock_path))?;
            lock.lock().map_err(Problem::file("lock", &lock_path))?;
            if !self.folder.is_dir() {
                self.make(name, make)?;
            }
        }
        copy_sparsely(&self.folder, folder)
    }

    fn make(&self, name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let ink = Ink::stderr();
        note(&format!("{} filling a first cluster {name} (once; kept in {})", ink.bold("rig:"), self.folder.display()));
        let start = Instant::now();
        // under the lock: what is left there is of a start that was killed
        let source = self.folder.with_extension("partial");
        let _ = std::fs::remove_dir_all(&source);
        let filled = std::fs::create_dir_all(&source)
            .map_err(Problem::file("create", &source))
            .and_then(|()| make(&source))
            .and_then(|()| std::fs::rename(&source, &self.folder).map_err(Problem::file("keep", &self.folder)));
        match &filled {
            Ok(()) => note(&format!("{} cluster {name} filled in {}", ink.bold("rig:"), spoken(start.elapsed()))),
            Err(_) => drop(std::fs::remove_dir_all(&source)),
        }
        filled
    }
}

/// Copies a folder; runs of zeros become holes, of which a write-ahead log that is allocated in advance mostly consists.
///
/// # Errors
/// When something cannot be read or written.
pub fn copy_sparsely(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).map_err(Problem::file("create", to))?;
    for entry in std::fs::read_dir(from).map_err(Problem::file("read", from))? {
        let entry = entry.map_err(Problem::file("read", from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_sparsely(&source, &target)?;
        } else if source.extension().is_none_or(|extension| extension != "tmp") {
            // what ends in tmp is the next log, empty
            copy_file(&source, &target).map_err(Problem::file("copy", &source))?;
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut source = File::open(from)?;
    let mut target = File::create(to)?;
    target.set_permissions(source.metadata()?.permissions())?;
    let mut block = vec![0; 64 << 10];
    let mut length = 0;
    loop {
        let count = source.read(&mut block)?;
        if count == 0 {
            return target.set_len(length);
        }
        length += count as u64;
        if block[..count].iter().all(|byte| *byte == 0) {
            target.seek(SeekFrom::Start(length))?;
        } else {
            target.write_all(&block[..count])?;
        }
    }
}
