//! Every folder of `examples/` is planned as it stands.

use std::path::{Path, PathBuf};

use acceptance_tests::{Case, Rig, World};
use xtask::workspace::Workspace;

use super::PROVIDER;

/// One case per folder that holds `.tf` files.
pub fn cases() -> Vec<Case> {
    let root = Workspace::find().expect("the tests run inside a clone").root;
    let mut folders = Vec::new();
    configurations(&root.join("examples"), &mut folders);
    folders.sort();
    folders
        .into_iter()
        .map(|folder| {
            let name = folder.strip_prefix(&root).expect("found below the root").display().to_string();
            Case { name: name.replacen('/', "::", 1), run: Box::new(move |rig| is_planned(rig, &name)) }
        })
        .collect()
}

fn configurations(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    if paths.iter().any(|path| path.extension().is_some_and(|extension| extension == "tf")) {
        found.push(folder.to_path_buf());
    }
    paths.iter().filter(|path| path.is_dir()).for_each(|path| configurations(path, found));
}

/// Snippets of the registry pages show one thing only; what a root module has besides is added.
fn is_planned(rig: &Rig, folder: &str) {
    let world = World::clusters(rig);
    let text = world.add_copy_of(folder);
    if !text.contains("required_providers") {
        world.write("added_versions.tf", &World::required_providers());
    }
    if !text.contains("provider \"gloo\"") {
        world.write("added_provider.tf", PROVIDER);
    }
    let plan = world.plan();
    assert!(plan.diagnostics.warnings().is_empty(), "an example should plan without warnings:\n{}", plan.diagnostics);
}
