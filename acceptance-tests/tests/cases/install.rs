//! What `cargo xt release` packs, installed by both CLIs from a mirror alone. The binary is the one under test, in the
//! development profile: a release is compiled in another way and packed in this one.

use std::path::Path;

use acceptance_tests::{Case, Outcome, Rig, World, case};
use xtask::cli::{Kind, SOURCE};
use xtask::release::{PLATFORMS, Platform, REGISTRIES, VERSION, complete, package};
use xtask::workspace::{PROVIDER_BINARY, Workspace};

use super::PROVIDER;

pub fn cases() -> Vec<Case> {
    let cases = [case!(a_mirror_is_all_that_init_needs)];
    cases.into_iter().map(|case| case.on_folders_for("an installation, which is the same")).collect()
}

const LOCK: &str = ".terraform.lock.hcl";

fn a_mirror_is_all_that_init_needs(rig: &Rig) {
    let binary = rig.provider.join(PROVIDER_BINARY);
    let world = World::offline(rig, |mirror| released(&binary, mirror));
    let pinned = format!("{{ source = \"{SOURCE}\", version = \"{VERSION}\" }}");
    world.write("main.tf", &format!("terraform {{\n  required_providers {{\n    gloo = {pinned}\n  }}\n}}\n\n{PROVIDER}"));

    succeeds(&world.run(&["init", "-no-color"]));
    let read = || std::fs::read_to_string(world.folder().join(LOCK)).expect("init writes a lock file");
    let mut lock = read();
    let [tofu, terraform] = REGISTRIES;
    let registry = if rig.cli.kind == Kind::Tofu { tofu } else { terraform };
    for part in [format!("provider \"{registry}/{SOURCE}\""), format!("version     = \"{VERSION}\""), "\"h1:".to_owned()] {
        assert!(lock.contains(&part), "{part} is not in\n{lock}");
    }
    // what is installed runs
    succeeds(&world.run(&["validate", "-no-color"]));
    succeeds(&world.run(&["plan", "-input=false", "-no-color"]));

    // what another platform is to take is locked from here, and what is locked stays
    let other = PLATFORMS.into_iter().find(|other| *other != platform()).expect("there are several");
    let mirror = world.folder().with_file_name("mirror");
    let from = format!("-fs-mirror={}", mirror.display());
    succeeds(&world.run(&["providers", "lock", &from, &format!("-platform={other}"), "-no-color"]));
    let before = std::mem::replace(&mut lock, read());
    assert_eq!(lock.matches("\"h1:").count(), 2, "{lock}");
    assert!(before.lines().filter(|line| line.contains("h1:")).all(|line| lock.contains(line)), "{lock}");

    // another machine takes what is locked
    let forget = || std::fs::remove_dir_all(world.folder().join(".terraform")).expect("init made it");
    forget();
    succeeds(&world.run(&["init", "-lockfile=readonly", "-no-color"]));
    assert_eq!(read(), lock);

    // and nothing else under the same version
    forget();
    let other = world.folder().join("other");
    std::fs::write(&other, "#!/bin/sh\n").expect("a new file is writable");
    released(&other, &mirror);
    let refused = world.run(&["init", "-lockfile=readonly", "-no-color"]);
    assert!(!refused.is_success() && refused.stderr.contains("checksum"), "{}", refused.stderr);
}

/// What a release of this binary leaves for mirrors, at `mirror`.
fn released(binary: &Path, mirror: &Path) {
    let workspace = Workspace::find().unwrap_or_else(|problem| panic!("{problem}"));
    let out = mirror.with_file_name("dist");
    for one in PLATFORMS {
        // what is for other platforms only has to be there
        let binary = if one == platform() { binary } else { &workspace.root.join("LICENSE") };
        package(&workspace, one, binary, &out).unwrap_or_else(|problem| panic!("{problem}"));
    }
    complete(&out).unwrap_or_else(|problem| panic!("{problem}"));
    // there is none yet the first time
    let _ = std::fs::remove_dir_all(mirror);
    std::fs::rename(out.join("mirror"), mirror).expect("both are in the case's own folder");
}

fn platform() -> Platform {
    Platform::here().expect("the tests run where something is released for")
}

fn succeeds(outcome: &Outcome) {
    assert!(outcome.is_success(), "{}", outcome.stderr);
}
