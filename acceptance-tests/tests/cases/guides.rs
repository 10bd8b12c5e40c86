//! The HCL of guides that are read as a whole: each block is a file of a working directory, and every root in it is planned.
//!
//! A block that begins with `# <path>.tf` is that file; the others of a guide are one root together.

use std::collections::BTreeMap;
use std::path::Path;

use acceptance_tests::{Case, Rig, SiteKind, World};

use super::{CLUSTERS, PROVIDER};

/// Guides whose blocks all belong to configurations.
const GUIDES: [&str; 4] = ["quick-start", "concepts", "gitops", "monorepo"];

/// Where modules are, which are no roots.
const MODULES: &str = "modules/";

pub fn cases() -> Vec<Case> {
    let planned = GUIDES.map(|guide| Case {
        name: format!("guides::{}", guide.replace('-', "_")),
        run: Box::new(move |rig| is_planned(rig, guide)),
        only: Some((SiteKind::Folders, "the folders that the guides name")),
    });
    let cases = [acceptance_tests::case!(what_comes_back_in_an_inventory_is_no_change)];
    let cases = cases.into_iter().map(|case| case.on_folders_for("an inventory"));
    planned.into_iter().chain(cases).collect()
}

fn is_planned(rig: &Rig, guide: &str) {
    let text = rig.root.join("templates/guides").join(format!("{guide}.md"));
    let text = std::fs::read_to_string(&text).unwrap_or_else(|error| panic!("{}: {error}", text.display()));
    let files = files(&text);
    assert!(!files.is_empty(), "the guide {guide} shows no HCL");
    let world = World::clusters(rig);
    for (path, text) in &files {
        world.write(path, text);
    }
    let folders: std::collections::BTreeSet<&Path> = files.keys().filter_map(|path| Path::new(path).parent()).collect();
    for root in folders.into_iter().filter(|folder| !format!("{}/", folder.display()).starts_with(MODULES)) {
        let whole: String =
            files.iter().filter(|(path, _)| Path::new(path).parent() == Some(root)).map(|(_, text)| text.as_str()).collect();
        // what a page leaves out that shows one thing only
        if !whole.contains("required_providers") {
            world.write(&root.join("added_versions.tf").display().to_string(), &World::required_providers());
        }
        if !whole.contains("provider \"gloo\"") {
            world.write(&root.join("added_provider.tf").display().to_string(), PROVIDER);
        }
        let folder = format!("-chdir={}", if root.as_os_str().is_empty() { "." } else { root.to_str().expect("a name of ours") });
        if whole.contains("module \"") {
            // modules are read by `get`; providers need no installation here
            let got = world.run(&[&folder, "get"]);
            assert!(got.is_success(), "{}", got.stderr);
        }
        let planned = world.run(&[&folder, "plan", "-input=false", "-no-color"]);
        assert!(planned.is_success(), "{guide}, {folder}:\n{}", planned.stderr);
        assert!(!planned.stdout.contains("Warning: Finding"), "{}", planned.stdout);
    }
}

/// The blocks of HCL in a page, by their paths.
fn files(page: &str) -> BTreeMap<String, String> {
    let mut files = BTreeMap::<String, String>::new();
    for block in page.split("```terraform\n").skip(1) {
        let (text, _) = block.split_once("```").expect("a block ends");
        let named = text.lines().next().and_then(|line| line.strip_prefix("# ")).filter(|name| name.ends_with(".tf"));
        *files.entry(named.unwrap_or("main.tf").to_owned()).or_default() += text;
    }
    files
}

/// What the GitOps guide rests on: an inventory in which the written objects are, as they come back from a cluster to which they
/// were applied, changes no plan.
fn what_comes_back_in_an_inventory_is_no_change(rig: &Rig) {
    let world = World::quickstart(rig);
    world.step();
    for cluster in CLUSTERS {
        let folder = world.folder().join("clusters").join(cluster);
        let copied = xtask::workspace::copy_folder(&folder.join("manifests"), &folder.join("inventory/applied"));
        copied.unwrap_or_else(|problem| panic!("{problem}"));
    }
    world.assert_clean();
    world.replace("main.tf", "hostname     = \"reviews.mesh.internal\"", "hostname     = \"critics.mesh.internal\"");
    world.step();
}
