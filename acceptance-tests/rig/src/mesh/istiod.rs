//! istiod: found where the machine has it, one process for each cluster, of which it sees no other.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use xtask::mesh::pilot_discovery;
use xtask::{Problem, Result};

use crate::cluster::Cluster;
use crate::mesh::Member;
use crate::mesh::layout::{ROOT, Spot};
use crate::mesh::names;
use crate::mesh::seeds;
use crate::mesh::traffic::page;
use crate::pki::Authority;
use crate::supervisor::{Launch, Supervisor};
use crate::wait::is_so_by;

/// Not ready by then: it never will be.
const READY: Duration = Duration::from_secs(60);

/// The program, and which release it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Where it is.
    pub path: PathBuf,
    /// Its version, as `1.30.3`.
    pub version: String,
}

impl Program {
    /// The one that the variable names, else `pilot-discovery` from PATH; `None` when there is none.
    ///
    /// # Errors
    /// When there is one that does not tell its version.
    pub fn find() -> Result<Option<Self>> {
        let Some(path) = pilot_discovery() else { return Ok(None) };
        let output = Command::new(&path).args(["version", "--short"]).output().map_err(Problem::file("run", &path))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version =
            text.split(|c: char| c.is_whitespace() || c == '-').find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        let version = version.ok_or_else(|| Problem::new(format!("{} does not tell its version: `{text}`", path.display())))?;
        Ok(Some(Self { version: version.to_owned(), path }))
    }
}

/// A running istiod.
#[derive(Debug)]
pub struct Istiod {
    spot: Spot,
    launch: Launch,
    supervisor: Arc<Supervisor>,
}

impl Istiod {
    /// Starts it beside its API server; its certificates are signed by `authority`, below `root`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(
        program: &Program,
        cluster: &Cluster,
        member: Member,
        authority: &Authority,
        root: &str,
        supervisor: &Arc<Supervisor>,
    ) -> Result<Self> {
        let spot = member.spot();
        let folder = cluster.folder().join("istiod");
        let own = authority.identity();
        let files = [
            ("etc/cacerts/ca-cert.pem", own.certificate.clone()),
            ("etc/cacerts/ca-key.pem", own.key),
            ("etc/cacerts/cert-chain.pem", own.certificate),
            ("etc/cacerts/root-cert.pem", root.to_owned()),
            ("mesh.yaml", seeds::mesh_config(member).to_string()),
            ("networks.yaml", "networks: {}".to_owned()),
            (names::FILE, names::file()),
        ];
        for (name, text) in files {
            write(&folder.join(name), &text)?;
        }
        let launch = Launch {
            name: format!("{}/istiod", spot.name()),
            command: command(program, cluster, spot),
            log: folder.join("log"),
            folder,
            rank: 0,
        };
        let istiod = Self { spot, launch, supervisor: Arc::clone(supervisor) };
        istiod.supervisor.launch(&istiod.launch)?;
        Ok(istiod)
    }

    /// Waits until it has read its cluster.
    ///
    /// # Errors
    /// When it ends, or is not ready in time.
    pub fn wait(&self) -> Result<()> {
        let is_ready = is_so_by(Instant::now() + READY, || {
            if let Some(ended) = self.supervisor.ended(&self.launch.name)? {
                return Err(Problem::new(format!("istiod of {} ended ({ended})", self.spot.name())));
            }
            Ok(page(self.spot.istiod(8080), "/ready").is_ok())
        });
        match is_ready {
            Ok(true) => Ok(()),
            ended => {
                let text = std::fs::read_to_string(&self.launch.log).unwrap_or_default();
                let lines: Vec<&str> = text.lines().collect();
                let why = ended.err().map_or_else(|| "not ready in time".to_owned(), |error| error.to_string());
                Err(Problem::new(format!("{why}; its last words:\n{}", lines[lines.len().saturating_sub(15)..].join("\n"))))
            }
        }
    }

    /// What it prints.
    pub fn log(&self) -> &Path {
        &self.launch.log
    }

    /// One of its own pages, as JSON.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn page(&self, path: &str) -> Result<Value> {
        let text = page(self.spot.istiod(8080), path)?;
        serde_json::from_str(&text).map_err(|error| Problem::new(format!("{path} of istiod is no JSON: {error}")))
    }

    /// It hangs (`stop`), goes on (`cont`), or is killed (`kill`).
    ///
    /// # Errors
    /// When it was never started.
    pub fn signal(&self, what: &str) -> Result<()> {
        self.supervisor.signal(&self.launch.name, what)
    }

    /// Runs again, if it was killed or hangs.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn heal(&self) -> Result<()> {
        if self.supervisor.ended(&self.launch.name)?.is_some() {
            self.supervisor.launch(&self.launch)?;
        } else {
            self.signal("cont")?;
        }
        self.wait()
    }

    /// Lets the API server ask it about every object of Istio's; waits until it does.
    ///
    /// # Errors
    /// When istiod does not take the webhook over.
    pub fn validate(&self, cluster: &Cluster) -> Result<()> {
        let name = "istio-validator-istio-system";
        let rule = json!({
            "operations": ["CREATE", "UPDATE"], "apiVersions": ["*"], "resources": ["*"],
            "apiGroups": ["security.istio.io", "networking.istio.io", "telemetry.istio.io", "extensions.istio.io"],
        });
        cluster.api().apply(&json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": { "name": name, "labels": { "app": "istiod", "istio": "istiod", "istio.io/rev": "default" } },
            "webhooks": [{
                "name": "rev.validation.istio.io",
                "clientConfig": { "url": format!("https://localhost:{}/validate", self.spot.webhook_port()) },
                "rules": [rule], "failurePolicy": "Ignore", "sideEffects": "None", "admissionReviewVersions": ["v1"],
            }],
        }))?;
        // istiod asks for something wrong until it is refused
        let path = format!("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{name}");
        let is_taken = is_so_by(Instant::now() + READY, || {
            Ok(cluster.api().read(&path)?.is_some_and(|found| found["webhooks"][0]["failurePolicy"] == "Fail"))
        })?;
        if is_taken { Ok(()) } else { Err(Problem::new(format!("istiod of {} does not take its webhook", self.spot.name()))) }
    }
}

fn command(program: &Program, cluster: &Cluster, spot: Spot) -> Vec<String> {
    let name = spot.name();
    let environment = [
        ("POD_NAMESPACE", ROOT.to_owned()),
        ("POD_NAME", format!("istiod-{name}")),
        ("CLUSTER_ID", name.to_owned()),
        ("REVISION", "default".to_owned()),
        ("INJECT_ENABLED", "false".to_owned()),
        ("ENABLE_LEADER_ELECTION", "false".to_owned()),
        ("ENABLE_CA_SERVER", "true".to_owned()),
        ("XDS_AUTH", "false".to_owned()),
        ("ISTIOD_CUSTOM_HOST", "localhost".to_owned()),
        // Envoy as it comes has neither filter
        ("PILOT_ENABLE_METADATA_EXCHANGE", "false".to_owned()),
        ("PILOT_ENABLE_ALPN_FILTER", "false".to_owned()),
    ];
    // the supervisor starts programs with an empty environment
    let mut command = if names::are_given() { names::asking() } else { Vec::new() };
    command.push("/usr/bin/env".to_owned());
    command.extend(environment.map(|(key, value)| format!("{key}={value}")));
    command.push(program.path.display().to_string());
    let listens = |port: u16| spot.istiod(port).to_string();
    let flags = [
        "discovery".to_owned(),
        format!("--kubeconfig={}", cluster.kubeconfig().display()),
        "--meshConfig=mesh.yaml".to_owned(),
        "--networksConfig=networks.yaml".to_owned(),
        format!("--clusterID={name}"),
        format!("--domain={}", spot.domain()),
        // each of them would be on all addresses otherwise
        format!("--httpAddr={}", listens(8080)),
        format!("--grpcAddr={}", listens(15010)),
        format!("--monitoringAddr={}", listens(15014)),
        format!("--httpsAddr=127.0.0.1:{}", spot.webhook_port()),
        "--secureGRPCAddr=".to_owned(),
        format!("--ctrlz_address={}", spot.istiod(9876).ip()),
        "--ctrlz_port=9876".to_owned(),
    ];
    command.extend(flags);
    command
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Problem::file("create", folder))?;
    }
    std::fs::write(path, text).map_err(Problem::file("write", path))
}
