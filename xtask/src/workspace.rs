//! Where things are: the clone, cargo's target folder, and the provider's binary.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::{Problem, Result};

/// The provider's binary, as Terraform expects it to be called.
pub const PROVIDER_BINARY: &str = "terraform-provider-gloo";

/// The clone being worked on.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// The folder with the workspace's `Cargo.toml`.
    pub root: PathBuf,
    /// Cargo's target folder (`CARGO_TARGET_DIR` and cargo's configuration are honoured).
    pub target: PathBuf,
    /// `cargo metadata --no-deps`, for the checks that look at packages.
    pub metadata: Value,
}

impl Workspace {
    /// Finds the clone from the running package's folder or the current one.
    ///
    /// # Errors
    /// When no workspace is found or cargo cannot describe it.
    pub fn find() -> Result<Self> {
        let start = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).map_or_else(
            || std::env::current_dir().map_err(|error| Problem::new(format!("the current folder is unreadable: {error}"))),
            Ok,
        )?;
        let root = start
            .ancestors()
            .find(|folder| folder.join("xtask/Cargo.toml").is_file())
            .ok_or_else(|| {
                Problem::new(format!("{} is not inside a clone of this project: run `cargo xt` from the clone", start.display()))
            })?
            .to_path_buf();
        let output = cargo(&root)
            .args(["metadata", "--format-version", "1", "--no-deps"])
            .output()
            .map_err(|error| Problem::new(format!("cannot run cargo: {error}")))?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            return Err(Problem::new(format!("`cargo metadata` failed:\n{text}")));
        }
        let metadata: Value = serde_json::from_slice(&output.stdout)
            .map_err(|error| Problem::new(format!("`cargo metadata` is unreadable: {error}")))?;
        let target = metadata["target_directory"]
            .as_str()
            .map(PathBuf::from)
            .ok_or_else(|| Problem::new("`cargo metadata` names no target_directory"))?;
        Ok(Self { root, target, metadata })
    }

    /// Builds the provider (development profile) and returns its binary.
    ///
    /// # Errors
    /// When the build fails; cargo has then printed why.
    pub fn build_provider(&self) -> Result<PathBuf> {
        self.build(PROVIDER_BINARY, &["--package", PROVIDER_BINARY, "--bin", PROVIDER_BINARY])
    }

    /// Builds the provider as it is released, for the benchmark, and returns its binary.
    ///
    /// # Errors
    /// As [`Self::build_provider`].
    pub fn build_release(&self) -> Result<PathBuf> {
        let arguments = ["--release", "--package", PROVIDER_BINARY, "--bin", PROVIDER_BINARY];
        self.build_in("release", PROVIDER_BINARY, &arguments)
    }

    /// Builds the provider whose writes can be broken, for the acceptance tests, and returns its binary.
    ///
    /// # Errors
    /// As [`Self::build_provider`].
    pub fn build_breakage(&self) -> Result<PathBuf> {
        let binary = format!("{PROVIDER_BINARY}-breakage");
        self.build(&binary, &["--package", PROVIDER_BINARY, "--features", "breakage", "--bin", &binary])
    }

    /// Builds the supervisor of real clusters, for the tests that start some, and returns its binary.
    ///
    /// # Errors
    /// As [`Self::build_provider`].
    pub fn build_rig(&self) -> Result<PathBuf> {
        self.build("rig", &["--package", "rig", "--bin", "rig"])
    }

    fn build(&self, binary: &str, arguments: &[&str]) -> Result<PathBuf> {
        self.build_in("debug", binary, arguments)
    }

    fn build_in(&self, profile: &str, binary: &str, arguments: &[&str]) -> Result<PathBuf> {
        let status = cargo(&self.root)
            .args(["build", "--quiet"])
            .args(arguments)
            .status()
            .map_err(|error| Problem::new(format!("cannot run cargo: {error}")))?;
        if !status.success() {
            return Err(Problem::new(format!("{binary} does not build; repeat with: cargo build {}", arguments.join(" "))));
        }
        let name = format!("{binary}{}", std::env::consts::EXE_SUFFIX);
        let binary = self.target.join(profile).join(name);
        if binary.is_file() { Ok(binary) } else { Err(Problem::new(format!("cargo built no {}", binary.display()))) }
    }
}

/// A cargo command that runs in `root`, with the cargo that runs us.
///
/// It does not see what that cargo tells us about our own package: the build script of ring would take it for its own, and
/// ring and everything on top of it would be compiled anew, each time.
pub fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_about_a_package) {
            command.env_remove(name);
        }
    }
    command
}

/// Whether cargo sets this variable for the one package that it compiles or runs.
fn is_about_a_package(variable: &str) -> bool {
    let prefixes = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
    prefixes.iter().any(|prefix| variable.starts_with(prefix))
}

/// Puts the binary alone into `folder`, so that the CLI finds nothing else there and a later
/// build does not change it while it is in use.
///
/// # Errors
/// When the folder or the copy cannot be written.
pub fn stage_provider(binary: &Path, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Problem::file("create", folder))?;
    let staged = folder.join(format!("{PROVIDER_BINARY}{}", std::env::consts::EXE_SUFFIX));
    // removed first: writing into a running binary fails, replacing its name does not
    if staged.exists() {
        std::fs::remove_file(&staged).map_err(Problem::file("replace", &staged))?;
    }
    std::fs::copy(binary, &staged).map_err(Problem::file("copy the provider to", &staged))?;
    Ok(())
}

/// Copies a file, or a folder with everything in it over what is there.
///
/// # Errors
/// When something cannot be read or written.
pub fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    for entry in walkdir::WalkDir::new(from).sort_by_file_name() {
        let entry = entry.map_err(|error| Problem::new(format!("cannot read {}: {error}", from.display())))?;
        let relative = entry.path().strip_prefix(from).expect("walkdir stays below its root");
        // joining nothing would add a slash, with which a file is no file any more
        let destination = if relative.as_os_str().is_empty() { to.to_path_buf() } else { to.join(relative) };
        if entry.file_type().is_dir() {
            std::fs::create_dir_all(&destination).map_err(Problem::file("create", &destination))?;
        } else {
            std::fs::copy(entry.path(), &destination).map_err(Problem::file("copy to", &destination))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inner_cargo_learns_nothing_of_the_package_that_runs_it() {
        // cargo tells this test about the package xtask
        assert!(std::env::var_os("CARGO_PKG_NAME").is_some());
        let command = cargo(Path::new("."));
        let hidden: Vec<_> = command.get_envs().filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
        assert!(hidden.iter().any(|name| *name == "CARGO_PKG_NAME") && hidden.iter().any(|name| *name == "CARGO_MANIFEST_DIR"));
        assert!(!is_about_a_package("CARGO_TARGET_DIR") && !is_about_a_package("CARGO_INCREMENTAL"));
    }
}
