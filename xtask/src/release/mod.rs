//! `cargo xt release`: what a registry or a private mirror serves, for every platform whose standard library is installed.
//!
//! ```text
//! cargo build --target … ──► checks ──► <target>/dist/terraform-provider-gloo_<version>_<os>_<arch>.zip
//!                                                     …_manifest.json, …_SHA256SUMS, with a key …_SHA256SUMS.sig
//!                                                     mirror/<registry>/<namespace>/gloo/…zip
//! ```
//!
//! Invariants: a Linux binary needs no loader and no library; no binary names a folder of the machine that built it; the same
//! sources and compiler give the same bytes.

pub mod elf;
pub mod zip;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::cli::SOURCE;
use crate::term::{Ink, say};
use crate::workspace::{PROVIDER_BINARY, Workspace, cargo};
use crate::{Problem, Result};

use self::zip::Entry;

/// The version of the whole workspace.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The registries that the CLIs add to a source without one; a mirror answers for both.
pub const REGISTRIES: [&str; 2] = ["registry.opentofu.org", "registry.terraform.io"];

/// The oldest protocol with which the provider works, as a registry tells it to CLIs.
const PROTOCOL: &str = "6.0";

/// Names the key that signs, as gpg understands it.
const KEY: &str = "GLOO_RELEASE_KEY";

/// A platform, in the words of the registries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Platform {
    /// `linux`, `darwin`.
    pub os: &'static str,
    /// `amd64`, `arm64`.
    pub arch: &'static str,
    /// Rust's names for it; the first one whose standard library is installed is built.
    pub targets: &'static [&'static str],
}

/// Every platform that is released: those with the file locks of Unix, which folders of clusters need.
pub const PLATFORMS: [Platform; 4] = [
    Platform { os: "linux", arch: "amd64", targets: &["x86_64-unknown-linux-musl", "x86_64-unknown-linux-gnu"] },
    Platform { os: "linux", arch: "arm64", targets: &["aarch64-unknown-linux-musl", "aarch64-unknown-linux-gnu"] },
    Platform { os: "darwin", arch: "amd64", targets: &["x86_64-apple-darwin"] },
    Platform { os: "darwin", arch: "arm64", targets: &["aarch64-apple-darwin"] },
];

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.os, self.arch)
    }
}

impl Platform {
    /// The one this program runs on; `None` where nothing is released for it.
    pub fn here() -> Option<Self> {
        let os = if std::env::consts::OS == "macos" { "darwin" } else { std::env::consts::OS };
        let arch = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        PLATFORMS.into_iter().find(|platform| platform.os == os && platform.arch == arch)
    }
}

/// Builds and packs the platforms of these names, or all that can be built here.
///
/// # Errors
/// When a name is none, a named platform cannot be built, a build fails, a binary breaks an invariant, or gpg does not sign.
pub fn run(workspace: &Workspace, names: &[&str]) -> Result<()> {
    let ink = Ink::stdout();
    let out = workspace.target.join("dist");
    if out.exists() {
        std::fs::remove_dir_all(&out).map_err(Problem::file("clear", &out))?;
    }
    let mut packed = 0;
    for platform in chosen(names)? {
        let Some(target) = installed(workspace, platform)? else {
            let text = format!("{platform} is not built: no standard library; rustup target add {}", platform.targets[0]);
            if !names.is_empty() {
                return Err(Problem::new(text));
            }
            say(&ink.loud(&text));
            continue;
        };
        say(&format!("{} {platform} as {target}", ink.bold("building")));
        let binary = build(workspace, platform, target)?;
        let zip = package(workspace, platform, &binary, &out)?;
        say(&format!("  {}", zip.display()));
        packed += 1;
    }
    if packed == 0 {
        return Err(Problem::new("no platform can be built here"));
    }
    let sums = complete(&out)?;
    match std::env::var(KEY) {
        Ok(key) if !key.is_empty() => say(&format!("{} {}", ink.good("signed:"), sign(&sums, &key)?.display())),
        _ => say(&ink.loud(&format!("not signed: {KEY} names no key; a registry wants a signature, a mirror does not"))),
    }
    say(&format!("{} {}", ink.good("released:"), out.display()));
    Ok(())
}

fn chosen(names: &[&str]) -> Result<Vec<Platform>> {
    if names.is_empty() {
        return Ok(PLATFORMS.to_vec());
    }
    let find = |name: &&str| {
        let all = || PLATFORMS.map(|platform| platform.to_string()).join(", ");
        let found = PLATFORMS.into_iter().find(|platform| platform.to_string() == **name);
        found.ok_or_else(|| Problem::new(format!("`{name}` is no platform: {}", all())))
    };
    names.iter().map(find).collect()
}

/// The first target of the platform whose standard library is there.
fn installed(workspace: &Workspace, platform: Platform) -> Result<Option<&'static str>> {
    for target in platform.targets {
        let output = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
            .current_dir(&workspace.root)
            .args(["--print", "target-libdir", "--target", target])
            .output()
            .map_err(|error| Problem::new(format!("cannot run rustc: {error}")))?;
        let folder = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        if output.status.success() && folder.is_dir() {
            return Ok(Some(target));
        }
    }
    Ok(None)
}

/// Builds the binary as it is shipped, and proves what the module promises of it.
fn build(workspace: &Workspace, platform: Platform, target: &str) -> Result<PathBuf> {
    let cargo_home = cargo_home()?;
    let mut flags = vec![
        format!("--remap-path-prefix={}=gloo", workspace.root.display()),
        format!("--remap-path-prefix={}=cargo", cargo_home.display()),
    ];
    if platform.os == "linux" {
        flags.push("-Ctarget-feature=+crt-static".to_owned());
    }
    let status = cargo(&workspace.root)
        .args(["build", "--quiet", "--release", "--locked", "--target", target])
        .args(["--package", PROVIDER_BINARY, "--bin", PROVIDER_BINARY])
        // flags of the person or of another run would be other bytes
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        .env("CARGO_INCREMENTAL", "0")
        .status()
        .map_err(|error| Problem::new(format!("cannot run cargo: {error}")))?;
    if !status.success() {
        return Err(Problem::new(format!("{platform} does not build as {target}, see above")));
    }
    let binary = workspace.target.join(target).join("release").join(PROVIDER_BINARY);
    let bytes = std::fs::read(&binary).map_err(Problem::file("read", &binary))?;
    if platform.os == "linux" {
        let needs = elf::needs(&bytes)?;
        if !needs.is_empty() {
            return Err(Problem::new(format!("{} is not static: it needs {}", binary.display(), needs.join(", "))));
        }
    }
    for folder in [&workspace.root, &cargo_home] {
        if contains(&bytes, folder.display().to_string().as_bytes()) {
            return Err(Problem::new(format!("{} names {}, a folder of this machine", binary.display(), folder.display())));
        }
    }
    Ok(binary)
}

fn cargo_home() -> Result<PathBuf> {
    let home = || std::env::home_dir().map(|home| home.join(".cargo"));
    let found = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(home);
    found.ok_or_else(|| Problem::new("there is no CARGO_HOME and no home folder"))
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

/// The names of all files of a release begin with this.
fn stem() -> String {
    format!("{PROVIDER_BINARY}_{VERSION}")
}

/// Packs a built binary and the licence as the registries want it; returns the zip file.
///
/// # Errors
/// When a file cannot be read or written.
pub fn package(workspace: &Workspace, platform: Platform, binary: &Path, out: &Path) -> Result<PathBuf> {
    let entry = |path: &Path, is_executable| -> Result<Entry> {
        Ok(Entry { bytes: std::fs::read(path).map_err(Problem::file("read", path))?, is_executable })
    };
    let files = BTreeMap::from([
        (format!("{PROVIDER_BINARY}_v{VERSION}"), entry(binary, true)?),
        ("LICENSE".to_owned(), entry(&workspace.root.join("LICENSE"), false)?),
    ]);
    std::fs::create_dir_all(out).map_err(Problem::file("create", out))?;
    let zip = out.join(format!("{}_{platform}.zip", stem()));
    std::fs::write(&zip, zip::archive(&files)?).map_err(Problem::file("write", &zip))?;
    Ok(zip)
}

/// Adds to the zip files in `out` what a registry serves besides, and the mirror; returns the file of checksums.
///
/// # Errors
/// When a file cannot be read or written.
pub fn complete(out: &Path) -> Result<PathBuf> {
    let manifest = out.join(format!("{}_manifest.json", stem()));
    let text = json!({ "version": 1, "metadata": { "protocol_versions": [PROTOCOL] } }).to_string() + "\n";
    std::fs::write(&manifest, text).map_err(Problem::file("write", &manifest))?;

    let mut sums = String::new();
    for file in files(out)? {
        let bytes = std::fs::read(out.join(&file)).map_err(Problem::file("read", out))?;
        sums += &format!("{:x}  {file}\n", Sha256::digest(bytes));
    }
    for registry in REGISTRIES {
        let folder = out.join("mirror").join(registry).join(SOURCE);
        std::fs::create_dir_all(&folder).map_err(Problem::file("create", &folder))?;
        for zip in files(out)?.into_iter().filter(|file| file.ends_with(".zip")) {
            let copy = folder.join(&zip);
            std::fs::copy(out.join(&zip), &copy).map_err(Problem::file("write", &copy))?;
        }
    }
    let path = out.join(format!("{}_SHA256SUMS", stem()));
    std::fs::write(&path, sums).map_err(Problem::file("write", &path))?;
    Ok(path)
}

/// The names of the files in a folder, sorted.
fn files(folder: &Path) -> Result<Vec<String>> {
    let entries = walkdir::WalkDir::new(folder).max_depth(1).sort_by_file_name().into_iter();
    let names = entries.filter_map(|entry| match entry {
        Ok(entry) if !entry.file_type().is_file() => None,
        Ok(entry) => Some(Ok(entry.file_name().to_string_lossy().into_owned())),
        Err(error) => Some(Err(Problem::new(format!("cannot read {}: {error}", folder.display())))),
    });
    names.collect()
}

/// Signs the checksums with a key that gpg knows; returns the signature.
fn sign(sums: &Path, key: &str) -> Result<PathBuf> {
    let signature = signature_of(sums);
    let status = gpg(sums, key).status().map_err(|error| Problem::new(format!("cannot run gpg: {error}")))?;
    if status.success() { Ok(signature) } else { Err(Problem::new(format!("gpg does not sign with the key `{key}`, see above"))) }
}

/// Where the signature of a file belongs.
pub fn signature_of(file: &Path) -> PathBuf {
    // its version has dots: there is no extension to replace
    let mut signature = file.as_os_str().to_owned();
    signature.push(".sig");
    signature.into()
}

/// The command that signs a file: as bytes and not as text, as registries want it.
pub fn gpg(file: &Path, key: &str) -> Command {
    let mut command = Command::new("gpg");
    command.args(["--batch", "--yes", "--local-user", key, "--output"]);
    command.arg(signature_of(file)).arg("--detach-sign").arg(file);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_named_as_registries_name_them() {
        assert_eq!(chosen(&["linux_arm64", "darwin_amd64"]).unwrap(), [PLATFORMS[1], PLATFORMS[2]]);
        assert_eq!(chosen(&[]).unwrap().len(), PLATFORMS.len());
        let words = chosen(&["linux"]).unwrap_err().to_string();
        assert!(words.contains("`linux`") && words.contains("linux_amd64"), "{words}");
    }

    #[test]
    fn a_folder_is_found_in_a_binary() {
        assert!(contains(b"\0/a/b/c\0", b"/a/b") && !contains(b"/a/c", b"/a/b"));
    }
}
