//! Virtual destinations in clusters that are folders: a plan without change beside the core alone, and how large it all gets.
//!
//! The core alone has as many `terraform_data`, each with the attributes that a destination has in the state of this provider:
//! the same bytes, once.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use xtask::cli::{Cli, SOURCE, Sandbox};
use xtask::term::say;
use xtask::{Problem, Result};

use crate::race::{MANY, length};
use crate::report::{kilobytes, megabytes, ratio};
use crate::watch::{self, Usage};

/// Clusters of the plans beside the core alone.
const FEW: usize = 2;
/// Clusters of the fleet.
const FLEET: usize = 100;
/// Destinations of the fleet that are planned, where as many are asked for.
const PLANNED: usize = 200;
/// Destinations of the fleet that are applied: each is some 600 files.
const APPLIED: usize = 20;

const APPLY: &[&str] = &["apply", "-auto-approve", "-input=false", "-no-color"];

/// What was measured.
pub(crate) struct Destinations {
    floors: Vec<Floor>,
    fleet: Fleet,
}

/// A plan without change, beside that of the core alone.
struct Floor {
    destinations: usize,
    parallelism: usize,
    core: Usage,
    gloo: Usage,
}

/// Many destinations in many clusters.
struct Fleet {
    planned: usize,
    applied: usize,
    steps: Vec<(String, Usage)>,
    plan: u64,
    state: u64,
    /// the longest attribute of any resource, as JSON
    largest: (String, u64),
}

/// A place for configurations, and who reads them.
pub(crate) struct Place<'a> {
    pub(crate) room: &'a Path,
    pub(crate) sandbox: &'a Sandbox,
    pub(crate) cli: &'a Cli,
}

impl Place<'_> {
    /// # Errors
    /// When a command fails, or finds something to do where nothing is.
    pub(crate) fn measure(&self, sizes: &[usize]) -> Result<Destinations> {
        let mut floors = Vec::new();
        for destinations in sizes {
            floors.extend(self.floors(*destinations)?);
        }
        let planned = sizes.iter().max().map_or(PLANNED, |largest| PLANNED.min(largest * 2));
        Ok(Destinations { floors, fleet: self.fleet(planned)? })
    }

    fn floors(&self, destinations: usize) -> Result<Vec<Floor>> {
        let gloo = self.configured(&format!("destinations-{destinations}"), FEW, destinations)?;
        self.run(&gloo, APPLY)?;
        let core = self.folder(&format!("destinations-{destinations}-core"))?;
        write(&core.join("main.tf"), CORE)?;
        write(&core.join("held.json"), &held(&state(&gloo)?).to_string())?;
        self.run(&core, APPLY)?;
        let mut floors = Vec::new();
        for parallelism in [1, 10] {
            let [core, gloo] =
                [self.unchanged(&core, destinations, parallelism)?, self.unchanged(&gloo, destinations, parallelism)?];
            let seconds = [core, gloo].map(|usage| usage.wall.as_secs_f64());
            say(&format!(
                "{destinations:>4} destinations, {parallelism:>2} at a time: core {:.2} s, gloo {:.2} s",
                seconds[0], seconds[1]
            ));
            floors.push(Floor { destinations, parallelism, core, gloo });
        }
        Ok(floors)
    }

    /// A plan that finds nothing to do: of several short ones the median.
    fn unchanged(&self, folder: &Path, destinations: usize, parallelism: usize) -> Result<Usage> {
        let parallelism = format!("-parallelism={parallelism}");
        let arguments = ["plan", "-input=false", "-no-color", "-detailed-exitcode", &parallelism];
        let runs = if destinations > MANY { 1 } else { 3 };
        let mut usages = (0..runs).map(|_| self.run(folder, &arguments)).collect::<Result<Vec<_>>>()?;
        usages.sort_by_key(|usage| usage.wall);
        Ok(usages[runs / 2])
    }

    fn fleet(&self, planned: usize) -> Result<Fleet> {
        let applied = planned.min(APPLIED);
        let all = self.configured("fleet", FLEET, planned)?;
        let some = self.configured("fleet-applied", FLEET, applied)?;
        let steps = vec![
            (format!("plan that creates {planned}"), self.run(&all, &["plan", "-input=false", "-no-color", "-out=plan"])?),
            (format!("apply that creates {applied}"), self.run(&some, APPLY)?),
            (format!("plan of {applied} without change"), self.unchanged(&some, applied, 10)?),
        ];
        let plan = length(&all.join("plan"))?;
        let state_bytes = length(&some.join("terraform.tfstate"))?;
        Ok(Fleet { planned, applied, steps, plan, state: state_bytes, largest: largest(&state(&some)?) })
    }

    /// A folder with a configuration and its clusters.
    fn configured(&self, name: &str, clusters: usize, destinations: usize) -> Result<PathBuf> {
        let folder = self.folder(name)?;
        (0..clusters).try_for_each(|number| self.folder(&format!("{name}/clusters/cluster-{number:03}")).map(drop))?;
        write(&folder.join("main.tf"), &configuration(clusters, destinations))?;
        Ok(folder)
    }

    fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.room.join(name);
        std::fs::create_dir_all(&folder).map_err(Problem::file("create", &folder))?;
        Ok(folder)
    }

    fn run(&self, folder: &Path, arguments: &[&str]) -> Result<Usage> {
        watch::run(self.sandbox.command(self.cli, folder).args(arguments), folder, 0)
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(Problem::file("write", path))
}

fn state(folder: &Path) -> Result<Value> {
    let path = folder.join("terraform.tfstate");
    let text = std::fs::read(&path).map_err(Problem::file("read", &path))?;
    serde_json::from_slice(&text).map_err(|error| Problem::new(format!("{} is unreadable: {error}", path.display())))
}

/// Resources of a state: type, key, attributes.
fn instances(state: &Value) -> impl Iterator<Item = (&str, &str, &Map<String, Value>)> {
    let resources = state["resources"].as_array().into_iter().flatten();
    resources.flat_map(|resource| {
        let kind = resource["type"].as_str().unwrap_or_default();
        let instances = resource["instances"].as_array().into_iter().flatten();
        instances.filter_map(move |instance| {
            Some((kind, instance["index_key"].as_str().unwrap_or_default(), instance["attributes"].as_object()?))
        })
    })
}

/// Attributes of all destinations, by key.
fn held(state: &Value) -> Value {
    let destinations = instances(state).filter(|(kind, ..)| *kind == "gloo_virtual_destination");
    Value::Object(destinations.map(|(_, key, attributes)| (key.to_owned(), Value::Object(attributes.clone()))).collect())
}

fn largest(state: &Value) -> (String, u64) {
    let attributes = instances(state).flat_map(|(kind, _, attributes)| {
        attributes.iter().map(move |(name, value)| (format!("{kind}.{name}"), value.to_string().len() as u64))
    });
    attributes.max_by_key(|(_, length)| *length).unwrap_or_default()
}

impl Destinations {
    /// Its part of the report.
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "\n## Virtual destinations, a plan without change\n\nN `gloo_virtual_destination` of {FEW} clusters that are folders, and N \
             `terraform_data` that hold the same attributes.\n\n\
             | N | `-parallelism` | core alone | gloo | gloo is | CPU provider | memory provider |\n|---|---|---|---|---|---|---|\n"
        );
        for Floor { destinations, parallelism, core, gloo } in &self.floors {
            let _ = writeln!(
                text,
                "| {destinations} | {parallelism} | {:.2} s | {:.2} s | {} × the core alone | {:.2} s | {} |",
                core.wall.as_secs_f64(),
                gloo.wall.as_secs_f64(),
                ratio(gloo.wall, core.wall),
                gloo.provider.as_secs_f64(),
                megabytes(gloo.provider_memory << 10)
            );
        }
        let Fleet { planned, applied, steps, plan, state, largest: (name, bytes) } = &self.fleet;
        let _ = write!(
            text,
            "\n## Virtual destinations in {FLEET} clusters\n\nEvery cluster calls every destination, three serve each one.\n\n\
             | | wall | CPU provider | CPU core | memory provider | memory core |\n|---|---|---|---|---|---|\n"
        );
        for (name, usage) in steps {
            let _ = writeln!(
                text,
                "| {name} | {:.2} s | {:.2} s | {:.2} s | {} | {} |",
                usage.wall.as_secs_f64(),
                usage.provider.as_secs_f64(),
                usage.core.as_secs_f64(),
                megabytes(usage.provider_memory << 10),
                megabytes(usage.core_memory << 10)
            );
        }
        let _ = write!(
            text,
            "\n| what | size |\n|---|---|\n| file of the plan that creates {planned} | {} |\n| state of {applied} | {} |\n| largest attribute, `{name}` | {} |\n",
            kilobytes(*plan),
            kilobytes(*state),
            kilobytes(*bytes)
        );
        text
    }
}

fn configuration(clusters: usize, destinations: usize) -> String {
    format!(
        "terraform {{\n  required_providers {{\n    gloo = {{ source = \"{SOURCE}\" }}\n  }}\n}}\n\nlocals {{\n  \
         clusters = [for i in range({clusters}) : format(\"cluster-%03d\", i)]\n  \
         names    = {{ for i in range({destinations}) : format(\"service-%03d\", i) => i }}\n}}\n{GLOO}"
    )
}

const GLOO: &str = r#"
provider "gloo" {
  owner    = "bench/fleet"
  clusters = { for name in local.clusters : name => { directory = "${path.module}/clusters/${name}" } }
}

resource "gloo_virtual_mesh" "prod" {
  name = "prod"
  clusters = { for i, name in local.clusters : name => {
    istio_version = "1.30"
    trust_domain  = "cluster.local"
    network       = "net-${name}"
    region        = "region-${i % 20}"
    gateways      = [{ addresses = ["203.0.113.${i + 1}"] }]
  } }
}

resource "gloo_virtual_destination" "service" {
  for_each             = local.names
  virtual_mesh         = gloo_virtual_mesh.prod.mesh
  namespace            = "shop"
  name                 = each.key
  hostname             = "${each.key}.mesh.internal"
  ports                = [{ number = 9080, protocol = "http" }]
  max_failover_targets = 3
  backends = [for i in range(min(3, length(local.clusters))) : {
    cluster          = local.clusters[(each.value + i) % length(local.clusters)]
    namespace        = "shop"
    service          = each.key
    ports            = [{ number = 9080, name = "http", target_port = 8080, protocol = "http" }]
    selector         = { app = each.key }
    canonical_name   = each.key
    service_accounts = [each.key]
  }]
}
"#;

const CORE: &str = r#"
locals {
  held = jsondecode(file("${path.module}/held.json"))
}

resource "terraform_data" "service" {
  for_each         = toset(keys(local.held))
  triggers_replace = local.held[each.key]
}
"#;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_state_holds_is_found() {
        let destination = |name: &str| json!({ "index_key": name, "attributes": { "name": name, "manifests": { "a": "long" } } });
        let state = json!({ "resources": [
            { "type": "gloo_virtual_mesh", "instances": [{ "attributes": { "mesh": { "name": "prod" } } }] },
            { "type": "gloo_virtual_destination", "instances": [destination("one"), destination("two")] },
        ] });
        let held = held(&state);
        assert_eq!(held.as_object().map(|held| held.keys().map(String::as_str).collect()), Some(vec!["one", "two"]));
        assert_eq!(held["two"]["name"], "two");
        assert_eq!(largest(&state), ("gloo_virtual_mesh.mesh".to_owned(), 15));
    }
}
