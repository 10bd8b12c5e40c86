//! Wire code of `crates/tf-proto`, generated from `proto/` and committed.
//!
//! Contract: the committed files are exactly what [`run`] writes, so that a build of the
//! provider needs neither `protoc` nor a build script. Runs with
//! `cargo run -p xtask --features codegen -- codegen [--check]`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs, process};

/// The proto files, relative to `proto/`.
const PROTOS: [&str; 3] = ["go_plugin.proto", "health.proto", "tfplugin6.proto"];

/// Where the generated code lives, relative to the workspace root.
const GENERATED: &str = "crates/tf-proto/src/generated";

const HEADER: &str = "// Generated from proto/ by `cargo run -p xtask --features codegen -- codegen`; do not edit.\n\n";

/// Writes the wire code, or with `check` only compares it with the committed files.
///
/// # Errors
/// A text for the terminal: the proto file does not compile, a file cannot be read or
/// written, or (with `check`) the committed code is not what the proto files say.
pub(crate) fn run(check: bool) -> Result<(), String> {
    let root = workspace_root()?;
    let fresh = generate(&root.join("proto"))?;
    let target = root.join(GENERATED);
    if check { compare(&target, &fresh) } else { write(&target, &fresh) }
}

fn workspace_root() -> Result<PathBuf, String> {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().map(Path::to_path_buf).ok_or_else(|| format!("{} has no parent folder", xtask.display()))
}

/// File name → content, from a scratch folder, since the generator only writes files.
fn generate(proto: &Path) -> Result<BTreeMap<String, String>, String> {
    let descriptors = protox::compile(PROTOS, [proto]).map_err(|error| format!("the proto files do not compile: {error:?}"))?;
    let scratch = env::temp_dir().join(format!("tf-proto-codegen-{}", process::id()));
    fs::create_dir_all(&scratch).map_err(at(&scratch))?;
    let generated = tonic_prost_build::configure()
        .build_client(true)
        .build_server(true)
        .build_transport(false)
        .generate_default_stubs(true)
        .client_mod_attribute(".", "#[cfg(feature = \"client\")]")
        // maps in answers keep one order, so equal schemas are equal bytes
        .btree_map(".")
        .emit_rerun_if_changed(false)
        .out_dir(&scratch)
        .compile_fds(descriptors)
        .map_err(|error| format!("code generation failed: {error}"))
        .and_then(|()| read(&scratch));
    fs::remove_dir_all(&scratch).map_err(at(&scratch))?;
    let mut files = generated?;
    for text in files.values_mut() {
        text.insert_str(0, HEADER);
    }
    Ok(files)
}

fn read(folder: &Path) -> Result<BTreeMap<String, String>, String> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Err(format!("{}: not a UTF-8 name", path.display()));
        };
        files.insert(name.to_owned(), fs::read_to_string(&path).map_err(at(&path))?);
    }
    Ok(files)
}

fn write(target: &Path, fresh: &BTreeMap<String, String>) -> Result<(), String> {
    fs::create_dir_all(target).map_err(at(target))?;
    for name in read(target)?.keys().filter(|name| !fresh.contains_key(*name)) {
        let path = target.join(name);
        fs::remove_file(&path).map_err(at(&path))?;
    }
    for (name, text) in fresh {
        let path = target.join(name);
        fs::write(&path, text).map_err(at(&path))?;
    }
    Ok(())
}

fn compare(target: &Path, fresh: &BTreeMap<String, String>) -> Result<(), String> {
    let committed = read(target)?;
    let mut names: Vec<&String> = committed.keys().chain(fresh.keys()).collect();
    names.sort();
    names.dedup();
    let stale: Vec<&str> =
        names.into_iter().filter(|name| committed.get(*name) != fresh.get(*name)).map(String::as_str).collect();
    if stale.is_empty() {
        return Ok(());
    }
    Err(format!("{GENERATED} does not match proto/: {}\nrun: cargo run -p xtask --features codegen -- codegen", stale.join(", ")))
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> String {
    move |error| format!("{}: {error}", path.display())
}
