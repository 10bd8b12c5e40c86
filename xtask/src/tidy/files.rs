//! Files: how long, where, reachable, and free of traces of the machine they were written on.

use std::path::{Path, PathBuf};

use super::{Clone, Complaints};
use crate::Result;

/// Lines that a source file may have; 400 is what we want.
const LINE_LIMIT: usize = 700;

/// Everything that may lie at the top of the clone.
const TOP_LEVEL: [&str; 24] = [
    ".cargo",
    ".ci",
    ".gitattributes",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "GLOSSARY.md",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "acceptance-tests",
    "crates",
    "deny.toml",
    "docs",
    "examples",
    "proto",
    "rustfmt.toml",
    "src",
    "templates",
    "tests",
    "xtask",
];

/// No source file grows beyond the limit; generated code is exempt.
///
/// # Errors
/// When a file cannot be read.
pub fn length(clone: &Clone) -> Result<Complaints> {
    let mut complaints = Complaints::new();
    for file in clone.with_extension("rs").filter(|file| !is_generated(file)) {
        let lines = clone.text(file)?.lines().count();
        if lines > LINE_LIMIT {
            complaints.push(format!("{}: {lines} lines, the limit is {LINE_LIMIT}: split it", file.display()));
        }
    }
    Ok(complaints)
}

fn is_generated(file: &Path) -> bool {
    file.iter().any(|part| part == "generated")
}

/// Every `.rs` file is declared as a module by its parent, so that no dead file looks alive.
///
/// # Errors
/// When a file cannot be read.
pub fn orphans(clone: &Clone) -> Result<Complaints> {
    let mut complaints = Complaints::new();
    for file in clone.with_extension("rs").filter(|file| !is_generated(file)) {
        let Some((parents, name)) = declared_in(file) else { continue };
        let mut declared = false;
        for parent in parents.iter().filter(|parent| clone.files.contains(parent)) {
            declared |= declares(&clone.text(parent)?, &name);
        }
        if !declared {
            complaints.push(format!("{}: no parent module says `mod {name};`", file.display()));
        }
    }
    Ok(complaints)
}

/// The files that could declare this one and the name to declare; `None` for crate roots.
fn declared_in(file: &Path) -> Option<(Vec<PathBuf>, String)> {
    let stem = file.file_stem()?.to_str()?;
    let folder = file.parent()?;
    let folder_name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_root = match folder_name {
        "src" => matches!(stem, "lib" | "main"),
        "tests" | "benches" | "examples" | "bin" => !folder.iter().any(|part| part == "src") || folder_name == "bin",
        // tests/<binary>/main.rs
        _ => stem == "main",
    };
    if is_root {
        None
    } else if stem == "mod" {
        Some((module_files(folder.parent()?), folder_name.to_owned()))
    } else {
        Some((module_files(folder), stem.to_owned()))
    }
}

/// The files that hold the module whose submodules lie in `folder`.
fn module_files(folder: &Path) -> Vec<PathBuf> {
    vec![folder.join("lib.rs"), folder.join("main.rs"), folder.join("mod.rs"), folder.with_extension("rs")]
}

fn declares(text: &str, name: &str) -> bool {
    let declaration = format!("mod {name};");
    text.lines().map(str::trim).any(|line| {
        line == declaration || (line.starts_with("pub") && line.ends_with(&format!(" {declaration}"))) || is_path_to(line, name)
    })
}

fn is_path_to(line: &str, name: &str) -> bool {
    line.starts_with("#[path") && (line.contains(&format!("/{name}.rs\"")) || line.contains(&format!("\"{name}.rs\"")))
}

/// Nothing new appears at the top of the clone unnoticed.
///
/// # Errors
/// Never; the signature is that of every rule.
pub fn top_level(clone: &Clone) -> Result<Complaints> {
    let mut names: Vec<&str> =
        clone.files.iter().filter_map(|file| file.iter().next()?.to_str()).filter(|name| !TOP_LEVEL.contains(name)).collect();
    names.dedup();
    let complain = |name| format!("{name}: not in the list of what belongs at the top (xtask/src/tidy/files.rs)");
    Ok(names.into_iter().map(complain).collect())
}

/// No committed file mentions a folder of somebody's machine.
///
/// # Errors
/// When a file cannot be read.
pub fn machine_paths(clone: &Clone) -> Result<Complaints> {
    let mut complaints = Complaints::new();
    for file in &clone.files {
        for (index, line) in clone.text(file)?.lines().enumerate() {
            if let Some(path) = machine_path(line) {
                complaints.push(format!("{}:{}: `{path}` exists on one machine only", file.display(), index + 1));
            }
        }
    }
    Ok(complaints)
}

fn machine_path(line: &str) -> Option<&'static str> {
    // put together here, so that this file does not mention them itself
    const PLACES: [&str; 4] = [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/"), concat!("/wo", "rk/")];
    PLACES.into_iter().find(|place| {
        line.match_indices(place).any(|(at, _)| {
            // in `https://host/home/`, `a/home/` or `${x}/home/` it is no absolute path
            let before = line[..at].chars().next_back();
            !before.is_some_and(|c| c.is_ascii_alphanumeric() || "-_.}/".contains(c))
        })
    })
}

/// Every file of `examples` belongs to a configuration (the acceptance tests plan each one).
///
/// # Errors
/// Never; the signature is that of every rule.
pub fn examples(clone: &Clone) -> Result<Complaints> {
    let is_configuration = |file: &&Path| file.extension().is_some_and(|extension| extension == "tf");
    let all: Vec<&Path> = clone.files.iter().map(PathBuf::as_path).filter(|file| file.starts_with("examples")).collect();
    let roots: Vec<&Path> = all.iter().copied().filter(is_configuration).filter_map(Path::parent).collect();
    Ok(all
        .into_iter()
        .filter(|file| !roots.iter().any(|root| file.starts_with(root)))
        .map(|file| format!("{}: belongs to no example (no folder above it has a .tf file)", file.display()))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_paths_are_told_from_addresses() {
        let place = concat!("/ho", "me/");
        assert!(machine_path(&format!("see `{place}me/x`")).is_some());
        assert!(machine_path(&format!("a={place}me")).is_some());
        assert!(machine_path(&format!("https://example.com{place}me")).is_none());
        assert!(machine_path("/var/run/secrets").is_none());
    }

    #[test]
    fn module_declarations_are_found() {
        assert!(declares("pub mod a;\n", "a"));
        assert!(declares("    pub(crate) mod a;\n", "a"));
        assert!(declares("#[path = \"cases/a.rs\"]\n", "a"));
        assert!(!declares("// mod b;\nmod ab;\n", "b"));
    }

    #[test]
    fn parents_of_a_module_file() {
        let (parents, name) = declared_in(Path::new("crates/x/src/a/b.rs")).expect("a module");
        assert_eq!(name, "b");
        assert!(parents.contains(&PathBuf::from("crates/x/src/a.rs")));
        assert!(parents.contains(&PathBuf::from("crates/x/src/a/mod.rs")));
        let (parents, name) = declared_in(Path::new("crates/x/src/a/mod.rs")).expect("a module");
        assert_eq!(name, "a");
        assert!(parents.contains(&PathBuf::from("crates/x/src/lib.rs")));
        assert!(declared_in(Path::new("crates/x/src/y/tests/deep.rs")).is_some());
        assert_eq!(declared_in(Path::new("crates/x/src/lib.rs")), None);
        assert_eq!(declared_in(Path::new("crates/x/tests/it.rs")), None);
        assert_eq!(declared_in(Path::new("crates/x/tests/it/main.rs")), None);
    }
}
