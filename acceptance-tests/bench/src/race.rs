//! The contestants, one after the other, on the same two API servers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rig::kubeconfig::{self, Context, Credential};
use rig::{Call, Cluster, Rig};
use serde_json::json;
use xtask::cli::{Cli, Sandbox};
use xtask::term::{Ink, say, spoken};
use xtask::tools::KUBECTL_PROVIDER;
use xtask::workspace::{Workspace, cargo, stage_provider};
use xtask::{Problem, Result};

use crate::destinations::Place;
use crate::fixture::{Contestant, NAMESPACE, RIVAL_SOURCE};
use crate::relay::{Relay, Wire};
use crate::report::{Facts, report};
use crate::requests::Requests;
use crate::watch::{self, Usage};

const CLUSTERS: [&str; 2] = ["east", "west"];

/// Above this many objects one run is long enough.
pub(crate) const MANY: usize = 100;

/// What is measured, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// `apply` that creates everything
    Apply,
    /// `plan` with nothing to do
    Plan,
    /// `plan -refresh-only`
    Refresh,
    /// `plan` with one object changed
    Change,
    /// `destroy`
    Destroy,
}

impl Phase {
    /// All of them, in order.
    pub(crate) const ALL: [Self; 5] = [Self::Apply, Self::Plan, Self::Refresh, Self::Change, Self::Destroy];

    /// For tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Apply => "apply (create)",
            Self::Plan => "plan without change",
            Self::Refresh => "plan -refresh-only",
            Self::Change => "plan, one object changed",
            Self::Destroy => "destroy",
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Apply => &["apply", "-auto-approve", "-input=false", "-no-color"],
            Self::Plan => &["plan", "-input=false", "-no-color", "-detailed-exitcode"],
            // the other provider has differences in its private bytes after an apply, which nothing shows
            Self::Refresh => &["plan", "-refresh-only", "-input=false", "-no-color"],
            Self::Change => &["plan", "-input=false", "-no-color", "-detailed-exitcode", "-var=changed=route-0003"],
            Self::Destroy => &["destroy", "-auto-approve", "-input=false", "-no-color"],
        }
    }

    /// Two: there is something to do, as there has to be.
    fn exit_code(self) -> i32 {
        if self == Self::Change { 2 } else { 0 }
    }

    /// How often: plans change nothing, and short ones differ from run to run. What the core needs for a destroy grows with the
    /// square of the number, until there is nothing else to see.
    fn runs(self, objects: usize) -> usize {
        match (self, objects) {
            (Self::Plan, ..=10) => 5,
            (Self::Plan, ..=MANY) => 3,
            (Self::Destroy, objects) if objects > MANY => 0,
            _ => 1,
        }
    }
}

/// What one phase of one contestant has cost.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cost {
    /// Time and memory: of several runs the one whose wall time is the median.
    pub(crate) usage: Usage,
    /// Requests to both servers, in one run.
    pub(crate) requests: Requests,
    /// Bytes and connections to both servers, in one run.
    pub(crate) wire: Wire,
}

/// All figures, by size, contestant and phase.
pub(crate) type Figures = BTreeMap<(usize, Contestant, Phase), Cost>;

/// A contestant's place: the servers, and how they are reached.
struct Arena {
    rig: Rig,
    relays: Vec<Relay>,
    kubeconfigs: Vec<PathBuf>,
    room: PathBuf,
    sandbox: Sandbox,
}

/// Runs everything and writes the report.
///
/// # Errors
/// When something cannot be built, or a contestant does not do what it was asked for.
pub(crate) fn run(sizes: &[usize]) -> Result<()> {
    let ink = Ink::stdout();
    let workspace = Workspace::find()?;
    let terraform = Cli::terraform()?;
    let cli = match &terraform {
        Some(cli) => cli.clone(),
        None => Cli::tofu(&workspace)?,
    };
    // a binary of before a change, for example, to compare with
    let provider = match std::env::var_os("GLOO_BENCH_PROVIDER") {
        Some(path) => PathBuf::from(path),
        None => workspace.build_release()?,
    };
    let room = workspace.target.join("bench");
    // what an earlier run left is of clusters that are gone
    let _ = std::fs::remove_dir_all(&room);
    stage_provider(&provider, &room.join("provider"))?;
    let sandbox = Sandbox::create(&room, &room.join("provider"))?;
    let rival = KUBECTL_PROVIDER.find_or_build(&workspace)?;
    sandbox.add_provider(RIVAL_SOURCE, rival.parent().expect("a binary is in a folder"))?;
    let arena = Arena::open(room, sandbox)?;

    let begun = Instant::now();
    let mut figures = Figures::new();
    for objects in sizes {
        for contestant in Contestant::ALL {
            arena.compete(&cli, contestant, *objects, &mut figures)?;
        }
    }
    let mut others = Figures::new();
    if terraform.is_some() {
        let tofu = Cli::tofu(&workspace)?;
        let objects = sizes.iter().copied().filter(|objects| *objects <= 100).max().unwrap_or(sizes[0]);
        for contestant in [Contestant::Core, Contestant::Gloo] {
            arena.compete(&tofu, contestant, objects, &mut others)?;
        }
    }
    let place = Place { room: &arena.room, sandbox: &arena.sandbox, cli: &cli };
    let facts = Facts {
        cli: cli.to_string(),
        other: others.keys().next().map(|(objects, ..)| (format!("OpenTofu, {objects} objects"), others.clone())),
        binary: length(&provider)?,
        rival_binary: length(&rival)?,
        schema: arena.schema(&cli)?,
        start: start(&workspace, &provider)?,
        destinations: place.measure(sizes)?,
        cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
    };
    let text = report(&figures, &facts);
    let path = workspace.target.join("benchmarks.md");
    std::fs::write(&path, &text).map_err(Problem::file("write", &path))?;
    say(&text);
    say(&format!("{} {}", ink.dim(&format!("{}, written to", spoken(begun.elapsed()))), path.display()));
    Ok(())
}

/// Bytes of a file.
///
/// # Errors
/// When it is not there.
pub(crate) fn length(path: &Path) -> Result<u64> {
    std::fs::metadata(path).map(|file| file.len()).map_err(Problem::file("read", path))
}

/// Rows about a start of the provider, as its own benchmark tells them.
fn start(workspace: &Workspace, provider: &Path) -> Result<String> {
    let mut command = cargo(&workspace.root);
    command.args(["bench", "--quiet", "--package", "tf-server", "--bench", "start", "--"]).arg(provider);
    let output = command.output().map_err(|error| Problem::new(format!("cannot run cargo: {error}")))?;
    if !output.status.success() {
        return Err(Problem::new(format!("the provider does not start:\n{}", String::from_utf8_lossy(&output.stderr))));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

impl Arena {
    fn open(room: PathBuf, sandbox: Sandbox) -> Result<Self> {
        let rig = Rig::start(&CLUSTERS)?;
        let (mut relays, mut kubeconfigs) = (Vec::new(), Vec::new());
        for cluster in rig.clusters() {
            let address: SocketAddr = cluster
                .url()
                .strip_prefix("https://")
                .and_then(|address| address.parse().ok())
                .ok_or_else(|| Problem::new(format!("{} is no address", cluster.url())))?;
            let relay = Relay::start(address)?;
            let direct = cluster.context_for(cluster.name(), Credential::Token(cluster.admin_token().to_owned()));
            let path = room.join(format!("{}.kubeconfig", cluster.name()));
            kubeconfig::write(&path, &[Context { server: relay.url(), ..direct }])?;
            relays.push(relay);
            kubeconfigs.push(path);
            cluster.api().apply(&json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } }))?;
        }
        Ok(Self { rig, relays, kubeconfigs, room, sandbox })
    }

    /// All phases of one contestant.
    fn compete(&self, cli: &Cli, contestant: Contestant, objects: usize, figures: &mut Figures) -> Result<()> {
        let folder = self.room.join(format!("{}-{}-{objects}", cli.kind, contestant.word()));
        std::fs::create_dir_all(&folder).map_err(Problem::file("create", &folder))?;
        contestant.write(&folder, objects, &self.kubeconfigs[0], &self.kubeconfigs[1])?;
        for phase in Phase::ALL {
            let mut costs = Vec::new();
            for _ in 0..phase.runs(objects) {
                costs.push(self.phase(cli, phase, &folder)?);
            }
            costs.sort_by_key(|cost| cost.usage.wall);
            let median = costs.len() / 2;
            let Some(cost) = costs.into_iter().nth(median) else {
                self.clear()?;
                continue;
            };
            say(&format!(
                "{objects:>4} {:<16} {:<26} {:>8.2} s  provider {:>6.2} s {:>6.1} MB  {} bytes, {}",
                contestant.name(),
                phase.name(),
                cost.usage.wall.as_secs_f64(),
                cost.usage.provider.as_secs_f64(),
                cost.usage.provider_memory as f64 / 1024.0,
                cost.wire.sent + cost.wire.received,
                cost.requests
            ));
            figures.insert((objects, contestant, phase), cost);
            let wanted = if contestant == Contestant::Core || phase == Phase::Destroy { 0 } else { objects };
            self.check_count(contestant, phase, wanted)?;
        }
        Ok(())
    }

    fn phase(&self, cli: &Cli, phase: Phase, folder: &Path) -> Result<Cost> {
        let (requests, wire) = (self.requests()?, self.wire());
        let usage = watch::run(self.sandbox.command(cli, folder).args(phase.arguments()), folder, phase.exit_code())?;
        Ok(Cost { usage, requests: self.requests()?.since(&requests), wire: self.wire().since(wire) })
    }

    fn requests(&self) -> Result<Requests> {
        self.rig.clusters().try_fold(Requests::default(), |sum, cluster| Ok(sum.and(&Requests::of(cluster)?)))
    }

    fn wire(&self) -> Wire {
        self.relays.iter().fold(Wire::default(), |sum, relay| sum.and(relay.wire()))
    }

    /// Takes the objects away, as no contestant.
    fn clear(&self) -> Result<()> {
        self.rig.clusters().try_for_each(|cluster| cluster.api().delete(&collection()))
    }

    /// Whether both servers hold so many objects.
    fn check_count(&self, contestant: Contestant, phase: Phase, wanted: usize) -> Result<()> {
        for cluster in self.rig.clusters() {
            let found = count(cluster)?;
            if found != wanted {
                let who = contestant.name();
                return Err(Problem::new(format!(
                    "after {} of {who}, {} holds {found} objects, not {wanted}",
                    phase.name(),
                    cluster.name()
                )));
            }
        }
        Ok(())
    }

    /// How long `providers schema` takes, and how large the schema is, as JSON.
    fn schema(&self, cli: &Cli) -> Result<(Duration, u64)> {
        let folder = self.room.join("schema");
        std::fs::create_dir_all(&folder).map_err(Problem::file("create", &folder))?;
        Contestant::Gloo.write(&folder, 1, &self.kubeconfigs[0], &self.kubeconfigs[1])?;
        let path = folder.join("schema.json");
        let output = std::fs::File::create(&path).map_err(Problem::file("write", &path))?;
        let mut command = self.sandbox.command(cli, &folder);
        let (status, usage) = watch::watch(command.args(["providers", "schema", "-json"]).stdout(output))?;
        if !status.success() {
            return Err(Problem::new("the CLI does not tell the schema"));
        }
        Ok((usage.wall, length(&path)?))
    }
}

/// Where the objects are.
fn collection() -> String {
    format!("/apis/networking.istio.io/v1/namespaces/{NAMESPACE}/virtualservices")
}

fn count(cluster: &Cluster) -> Result<usize> {
    let call = Call { method: "GET", path: collection(), ..Call::default() };
    let answer = cluster.api().call(call)?.json();
    answer["items"].as_array().map(Vec::len).ok_or_else(|| Problem::new(format!("{} lists no objects", cluster.name())))
}
