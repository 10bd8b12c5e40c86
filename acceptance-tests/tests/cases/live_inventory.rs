//! Discovery says the same of a running cluster and of an inventory that the documented line makes of it, with a real kubectl.

use std::path::Path;
use std::process::Command;

use acceptance_tests::{Case, Live, Rig, Site, World, case};
use serde_json::Value;
use xtask::tools::KUBECTL;
use xtask::workspace::Workspace;

use super::CLUSTERS;

pub fn cases() -> Vec<Case> {
    vec![case!(an_inventory_of_the_documented_line_says_what_the_cluster_says)]
}

/// The line of the guide.
fn line(root: &Path) -> String {
    let guide = std::fs::read_to_string(root.join("docs/guides/discovery.md")).expect("the guide is there");
    let lines: Vec<&str> = guide.lines().filter(|line| line.starts_with("kubectl get ")).collect();
    assert_eq!(lines.len(), 1, "the guide shows one line");
    lines[0].to_owned()
}

/// Services of the quick start, and one that nobody has.
const SERVICES: [&str; 4] = ["details", "productpage", "ratings", "reviews"];

fn data() -> String {
    format!(
        r#"
data "gloo_cluster" "all" {{
  for_each = toset({CLUSTERS:?})
  name     = each.key
}}

data "gloo_service" "all" {{
  for_each  = toset({SERVICES:?})
  namespace = "bookinfo"
  name      = each.key
}}

data "gloo_services" "all" {{
  namespaces = ["bookinfo", "istio-system"]
}}

data "gloo_workloads" "all" {{
  namespaces = ["bookinfo", "istio-system"]
}}

output "lists" {{
  value = [
    [data.gloo_services.all.services, data.gloo_services.all.unusable, data.gloo_services.all.observed],
    [data.gloo_workloads.all.workloads, data.gloo_workloads.all.observed],
  ]
}}

output "clusters" {{
  value = data.gloo_cluster.all
}}

output "services" {{
  value = data.gloo_service.all
}}
"#
    )
}

/// What the data sources say, and what is said besides.
fn said(world: &World) -> (Value, Vec<String>) {
    let plan = world.plan();
    let warnings = plan.diagnostics.warnings();
    let mut warnings: Vec<String> =
        warnings.iter().map(|warning| warning.text()).filter(|text| !text.contains("live/")).collect();
    warnings.sort();
    world.apply(&plan);
    let mut said: Value = serde_json::from_str(&world.run(&["output", "-json"]).stdout).expect("JSON");
    // owners of other cases, which come and go beside this one
    for cluster in CLUSTERS {
        assert!(said["clusters"]["value"][cluster]["observed"]["other_owners"].take().is_array());
    }
    (said, warnings)
}

fn an_inventory_of_the_documented_line_says_what_the_cluster_says(rig: &Rig) {
    let live = Live::new(rig, "inventory");
    let workspace = Workspace::find().expect("the tests run inside a clone");
    let kubectl = KUBECTL.find_or_build(&workspace).expect("kubectl");
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", kubectl.parent().expect("a folder").display());

    // the inventories that are made here stay folders
    let folders = live.world(&Rig { site: Site::Folders, ..rig.clone() }, "");
    let mut entries = String::new();
    for name in CLUSTERS {
        let folder = folders.folder().join("clusters").join(name);
        std::fs::create_dir_all(folder.join("inventory")).expect("a new folder is writable");
        let mut shell = Command::new("/bin/sh");
        shell.current_dir(&folder).args(["-c", &line(&rig.root)]);
        let output = shell
            .env("PATH", &path)
            .env("HOME", folders.folder())
            .env("KUBECONFIG", live.cluster(name).kubeconfig())
            .output()
            .expect("a shell");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        entries += &format!("    {name} = {{ directory = \"clusters/{name}\" }}\n");
    }
    folders.config(&(live.provider_with(&live.owner(), &entries, "") + &data()));
    let servers = live.world(rig, &(live.provider() + &data()));
    let (from_folders, warnings_of_folders) = said(&folders);
    let (from_servers, warnings_of_servers) = said(&servers);
    let versions = from_servers["clusters"]["value"].as_object().expect("a map").values();
    assert!(versions.into_iter().all(|cluster| cluster["facts"]["istio_version"].is_string()), "{from_servers}");
    let services = from_servers["services"]["value"].as_object().expect("a map").values();
    assert!(services.into_iter().all(|service| service["backends"].as_array().is_some_and(|all| !all.is_empty())));
    assert_eq!(from_folders, from_servers);
    assert_eq!(warnings_of_folders, warnings_of_servers);
}
