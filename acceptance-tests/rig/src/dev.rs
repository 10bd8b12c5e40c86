//! `cargo xt dev`: two running clusters and a folder in which a CLI with the provider just works, until Ctrl-C.

use std::path::Path;
use std::time::Instant;

use tokio::signal::unix::{SignalKind, signal};
use xtask::cli::{Cli, SOURCE, Sandbox};
use xtask::term::{Ink, say, spoken};
use xtask::tools::{KUBECTL, on_path};
use xtask::workspace::{Workspace, stage_provider};
use xtask::{Problem, Result};

use crate::Rig;

const CLUSTERS: [&str; 2] = ["east", "west"];

/// The last line before the wait; tests read it.
pub const WAITING: &str = "Ctrl-C ends the clusters.";

/// Starts everything, says how to use it, waits, and ends everything. Works in `folder`, else below cargo's target folder.
///
/// # Errors
/// When something cannot be built or started.
pub fn run(folder: Option<&Path>) -> Result<()> {
    let ink = Ink::stdout();
    let workspace = Workspace::find()?;
    let cli = match Cli::terraform()? {
        Some(cli) => cli,
        None => Cli::tofu(&workspace)?,
    };
    let room = folder.map_or_else(|| workspace.target.join("dev"), Path::to_path_buf);
    stage_provider(&workspace.build_provider()?, &room.join("provider"))?;
    Sandbox::create(&room, &room.join("provider"))?;
    let kubectl = match on_path(KUBECTL.name) {
        Some(_) => None,
        None => Some(KUBECTL.find_or_build(&workspace)?),
    };
    let start = Instant::now();
    let rig = Rig::start(&CLUSTERS)?;
    let work = room.join("work");
    std::fs::create_dir_all(&work).map_err(Problem::file("create", &work))?;
    let kubeconfig = room.join("kubeconfig");
    rig.write_kubeconfig(&kubeconfig)?;
    prepare(&work, &kubeconfig)?;

    // before anybody is told: from here on Ctrl-C is ours, until then it ends us and the supervisor cleans up
    let interrupts = crate::http::wait_for(async { signal(SignalKind::interrupt()) });
    let mut interrupts = interrupts.map_err(|error| Problem::new(format!("cannot wait for Ctrl-C: {error}")))?;
    say(&format!("{} {}", ink.good("Two clusters run"), ink.dim(&format!("({})", spoken(start.elapsed())))));
    for cluster in rig.clusters() {
        say(&format!("  {:<6} {}  {}", cluster.name(), cluster.url(), ink.dim(&cluster.folder().display().to_string())));
    }
    say(&format!("\nIn another terminal ({}):\n", work.join("main.tf").display()));
    say(&format!("  {}", ink.bold(&format!("cd {}", work.display()))));
    let variables = format!("TF_CLI_CONFIG_FILE={} KUBECONFIG={}", room.join("cli.tfrc").display(), kubeconfig.display());
    say(&format!("  {}", ink.bold(&format!("export {variables}"))));
    say(&format!("  {}\n", ink.bold(&format!("{} plan", cli.path.display()))));
    if let Some(kubectl) = kubectl {
        say(&format!("kubectl is not on PATH; the one of the tests: {}\n", kubectl.display()));
    }
    say(WAITING);

    crate::http::wait_for(async move { interrupts.recv().await });
    say("");
    drop(rig);
    let _ = std::fs::remove_file(&kubeconfig);
    say("The clusters are gone; your configuration stays.");
    Ok(())
}

/// A configuration to begin with, unless there is one; a state of clusters that are gone is put aside.
fn prepare(work: &Path, kubeconfig: &Path) -> Result<()> {
    let main = work.join("main.tf");
    if !main.exists() {
        std::fs::write(&main, configuration(kubeconfig)).map_err(Problem::file("write", &main))?;
    }
    let state = work.join("terraform.tfstate");
    if state.exists() {
        let old = work.join("terraform.tfstate.before");
        std::fs::rename(&state, &old).map_err(Problem::file("put aside", &state))?;
    }
    Ok(())
}

fn configuration(kubeconfig: &Path) -> String {
    let cluster =
        |name: &str| format!("    {name} = {{ kubeconfig = {{ path = {:?}, context = \"{name}\" }} }}\n", kubeconfig.display());
    let clusters: String = CLUSTERS.iter().map(|name| cluster(name)).collect();
    format!(
        r#"# Two real clusters of `cargo xt dev`; this file is yours, it is written only when it is missing.

terraform {{
  required_providers {{
    gloo = {{ source = "{SOURCE}" }}
  }}
}}

provider "gloo" {{
  owner = "demo/dev"
  clusters = {{
{clusters}  }}
}}

{}"#,
        discovered("bookinfo", "reviews.mesh.internal", "")
    )
}

/// A mesh of both clusters and a destination of their `reviews`, as discovery finds them; `lines` are more arguments of the
/// destination.
#[must_use]
pub fn discovered(namespace: &str, hostname: &str, lines: &str) -> String {
    discovered_in(&["east", "west"], "data.gloo_service.reviews.backends", namespace, hostname, lines)
}

/// The same for a mesh of these clusters, of whose Services the expression `backends` takes some.
#[must_use]
pub fn discovered_in(clusters: &[&str], backends: &str, namespace: &str, hostname: &str, lines: &str) -> String {
    let clusters = clusters.join("\", \"");
    format!(
        r#"data "gloo_cluster" "all" {{
  for_each = toset(["{clusters}"])
  name     = each.key
}}

data "gloo_service" "reviews" {{
  namespace = "{namespace}"
  name      = "reviews"
}}

resource "gloo_virtual_mesh" "prod" {{
  name     = "prod"
  clusters = {{ for name, cluster in data.gloo_cluster.all : name => cluster.facts }}
}}

resource "gloo_virtual_destination" "reviews" {{
  virtual_mesh = gloo_virtual_mesh.prod.mesh
  namespace    = "{namespace}"
  name         = "reviews"
  hostname     = "{hostname}"
  ports        = [{{ number = 9080, protocol = "http" }}]
  backends     = {backends}
{lines}}}
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_of_ones_own_stays_and_an_old_state_goes() {
        let work = std::env::temp_dir().join(format!("rig-dev-{}", std::process::id()));
        std::fs::create_dir_all(&work).expect("a folder");
        let kubeconfig = work.join("kubeconfig");
        prepare(&work, &kubeconfig).expect("prepared");
        let main = std::fs::read_to_string(work.join("main.tf")).expect("written");
        assert!(main.contains("context = \"west\""), "{main}");
        std::fs::write(work.join("main.tf"), "mine").expect("writable");
        std::fs::write(work.join("terraform.tfstate"), "{}").expect("writable");
        prepare(&work, &kubeconfig).expect("prepared again");
        assert_eq!(std::fs::read_to_string(work.join("main.tf")).expect("there"), "mine");
        assert!(!work.join("terraform.tfstate").exists());
        let _ = std::fs::remove_dir_all(work);
    }
}
