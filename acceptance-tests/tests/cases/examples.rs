//! Every folder of `examples/` is planned as it stands, and every import in it is run.

use std::path::{Path, PathBuf};

use acceptance_tests::{Action, Case, Rig, SiteKind, World};
use xtask::workspace::Workspace;

use super::{PROVIDER, knows_identity, with};

/// One case per folder that holds `.tf` files.
pub fn cases() -> Vec<Case> {
    let root = Workspace::find().expect("the tests run inside a clone").root;
    let mut folders = Vec::new();
    configurations(&root.join("examples"), &mut folders);
    folders.sort();
    let name = |folder: &Path| folder.strip_prefix(&root).expect("found below the root").display().to_string();
    let case = |prefix: &str, name: String, run: fn(&Rig, &str)| Case {
        name: format!("{prefix}{}", name.replacen('/', "::", 1)),
        run: Box::new(move |rig| run(rig, &name)),
        only: Some((SiteKind::Folders, "the folders that the examples name")),
    };
    let importing = folders.iter().filter(|folder| folder.join("import.sh").is_file());
    let imported = importing.map(|folder| case("imported::", name(folder), is_imported));
    folders.iter().map(|folder| case("", name(folder), is_planned)).chain(imported).collect()
}

fn configurations(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    if paths.iter().any(|path| path.extension().is_some_and(|extension| extension == "tf")) {
        found.push(folder.to_path_buf());
    }
    paths.iter().filter(|path| path.is_dir()).for_each(|path| configurations(path, found));
}

/// The snippets that show `import` blocks; they are no part of the configuration beside them.
const IMPORTS: [&str; 2] = ["import-by-string-id.tf", "import-by-identity.tf"];

/// Snippets of the registry pages show one thing only; what a root module has besides is added.
fn is_planned(rig: &Rig, folder: &str) {
    let plan = world(rig, folder).plan();
    assert!(plan.diagnostics.warnings().is_empty(), "an example should plan without warnings:\n{}", plan.diagnostics);
}

fn world(rig: &Rig, folder: &str) -> World {
    let world = World::clusters(rig);
    let text = world.add_copy_of(folder);
    for snippet in IMPORTS {
        // most examples have none
        let _ = std::fs::remove_file(world.folder().join(snippet));
    }
    if !text.contains("required_providers") {
        world.write("added_versions.tf", &World::required_providers());
    }
    if !text.contains("provider \"gloo\"") {
        world.write("added_provider.tf", PROVIDER);
    }
    world
}

/// What each kind of import brings is what the example declares: it plans without a change.
fn is_imported(rig: &Rig, folder: &str) {
    let read = |name: &str| {
        let file = rig.root.join(folder).join(name);
        std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    let script = read("import.sh");
    let words: Vec<&str> = script.lines().last().unwrap_or_default().split(' ').collect();
    let ["terraform", "import", address, id] = words.as_slice() else { panic!("import.sh ends with {words:?}") };

    let world = world(rig, folder);
    if address.starts_with("gloo_virtual_mesh.") {
        // a mesh is restored from what belongs to it
        let resources = with("");
        let (_, destination) = resources.split_once("}\n\n").expect("the mesh comes first");
        world.write("added_destination.tf", destination);
    }
    world.apply(&world.plan());
    world.lose_state();
    world.import(address, id);
    assert_eq!(world.plan().action(address), Action::NoOp, "after import.sh");
    for snippet in IMPORTS {
        if snippet == "import-by-identity.tf" && !knows_identity(rig) {
            continue;
        }
        world.lose_state();
        world.write("import.tf", &read(snippet));
        let plan = world.plan_with(&[&format!("-target={address}")]);
        assert_eq!(plan.action(address), Action::NoOp, "with {snippet}");
        world.apply(&plan);
        assert!(world.state().addresses().iter().any(|there| there == address), "{snippet} imports {address}");
        std::fs::remove_file(world.folder().join("import.tf")).expect("it was just written");
    }
}
