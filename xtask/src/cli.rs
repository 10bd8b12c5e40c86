//! The two CLIs, terraform and tofu, and the sealed room they run in.
//!
//! Invariant: a [`Sandbox`] passes nothing of the user's set-up on: no `TF_*`, no CLI
//! configuration, no home folder, no credentials. The only provider it knows is the one under
//! test, by `dev_overrides` or in a mirror.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::workspace::Workspace;
use crate::{Problem, Result, tools};

/// The provider's address in examples and tests; both CLIs add their own registry host.
pub const SOURCE: &str = "example/gloo";

/// Which program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// HashiCorp Terraform, from PATH.
    Terraform,
    /// OpenTofu, built from its Go module.
    Tofu,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terraform => "terraform",
            Self::Tofu => "tofu",
        })
    }
}

/// One installed CLI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cli {
    /// Which program.
    pub kind: Kind,
    /// Its binary.
    pub path: PathBuf,
    /// Its version, as `1.11.4`.
    pub version: String,
}

impl Cli {
    /// Terraform from PATH; `None` when there is none.
    ///
    /// # Errors
    /// When a program of that name exists but does not tell its version.
    pub fn terraform() -> Result<Option<Self>> {
        tools::on_path("terraform").map(|path| Self::at(Kind::Terraform, path)).transpose()
    }

    /// OpenTofu at the pinned version, built when needed.
    ///
    /// # Errors
    /// When Go is missing or the build fails.
    pub fn tofu(workspace: &Workspace) -> Result<Self> {
        Self::at(Kind::Tofu, tools::TOFU.find_or_build(workspace)?)
    }

    /// Everything the tests must run with: tofu always, terraform where it is installed. A
    /// missing terraform is an error in CI; elsewhere the caller prints [`tools::NO_TERRAFORM`].
    ///
    /// # Errors
    /// As [`Self::tofu`]; also when `CI` is set and terraform is missing.
    pub fn all(workspace: &Workspace) -> Result<Vec<Self>> {
        let terraform = Self::terraform()?;
        if terraform.is_none() && tools::is_ci() {
            return Err(Problem::new(tools::NO_TERRAFORM));
        }
        let mut clis: Vec<Self> = terraform.into_iter().collect();
        clis.push(Self::tofu(workspace)?);
        Ok(clis)
    }

    fn at(kind: Kind, path: PathBuf) -> Result<Self> {
        let output = Command::new(&path)
            .args(["version", "-json"])
            .env("CHECKPOINT_DISABLE", "1")
            .env_remove("TF_CLI_CONFIG_FILE")
            .env_remove("TF_CLI_ARGS")
            .output()
            .map_err(Problem::file("run", &path))?;
        let version = serde_json::from_slice::<Value>(&output.stdout)
            .ok()
            .and_then(|answer| answer["terraform_version"].as_str().map(str::to_owned))
            .ok_or_else(|| Problem::new(format!("{} does not tell its version: is it really {kind}?", path.display())))?;
        Ok(Self { kind, path, version })
    }
}

impl fmt::Display for Cli {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.version)
    }
}

/// A folder of its own for home and CLI configuration, with the provider under test wired in.
#[derive(Debug, Clone)]
pub struct Sandbox {
    home: PathBuf,
    config: PathBuf,
    is_offline: bool,
}

/// Nothing answers there: who asks the network nevertheless fails at once.
const NO_PROXY: &str = "http://127.0.0.1:9";

impl Sandbox {
    /// Creates the room in `folder`; `provider_folder` holds the provider's binary and nothing
    /// else that is named like a provider.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub fn create(folder: &Path, provider_folder: &Path) -> Result<Self> {
        let quoted = Value::String(provider_folder.display().to_string());
        let text =
            format!("provider_installation {{\n  dev_overrides {{\n    \"{SOURCE}\" = {quoted}\n  }}\n  direct {{}}\n}}\n");
        Self::with_configuration(folder, &text)
    }

    fn with_configuration(folder: &Path, text: &str) -> Result<Self> {
        let home = folder.join("home");
        std::fs::create_dir_all(&home).map_err(Problem::file("create", &home))?;
        let config = folder.join("cli.tfrc");
        std::fs::write(&config, text).map_err(Problem::file("write", &config))?;
        Ok(Self { home, config, is_offline: false })
    }

    /// Creates the room of somebody without network: the CLI finds providers in `mirror` and nowhere else.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn with_mirror(folder: &Path, mirror: &Path) -> Result<Self> {
        let quoted = Value::String(mirror.display().to_string());
        let text = format!("provider_installation {{\n  filesystem_mirror {{\n    path = {quoted}\n  }}\n}}\n");
        Ok(Self { is_offline: true, ..Self::with_configuration(folder, &text)? })
    }

    /// Makes one more provider known, for tests of what comes from others; `folder` holds its binary.
    ///
    /// # Errors
    /// When the CLI's configuration cannot be read or written.
    pub fn add_provider(&self, source: &str, folder: &Path) -> Result<()> {
        let text = std::fs::read_to_string(&self.config).map_err(Problem::file("read", &self.config))?;
        let quoted = Value::String(folder.display().to_string());
        let text = text.replacen("dev_overrides {\n", &format!("dev_overrides {{\n    \"{source}\" = {quoted}\n"), 1);
        std::fs::write(&self.config, text).map_err(Problem::file("write", &self.config))
    }

    /// The CLI with an empty environment, ready for arguments, running in `folder`.
    pub fn command(&self, cli: &Cli, folder: &Path) -> Command {
        let mut command = Command::new(&cli.path);
        command.current_dir(folder).env_clear();
        // what a process needs to run at all; everything else is the user's business
        for name in ["PATH", "TMPDIR", "SYSTEMROOT", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("HOME", &self.home)
            .env("TF_CLI_CONFIG_FILE", &self.config)
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_INPUT", "0")
            .env("CHECKPOINT_DISABLE", "1");
        if self.is_offline {
            command.env("HTTPS_PROXY", NO_PROXY).env("HTTP_PROXY", NO_PROXY);
        }
        command
    }
}
