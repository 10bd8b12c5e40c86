//! A release from a file that stands for the binary: which files there are, that they fit each other, and that nothing of the
//! moment or the place gets into them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest as _, Sha256};
use xtask::cli::SOURCE;
use xtask::release::{PLATFORMS, REGISTRIES, VERSION, complete, gpg, package, signature_of};
use xtask::workspace::Workspace;

/// An empty folder of this test.
fn room(name: &str) -> PathBuf {
    let room = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // an earlier run may have left it
    let _ = std::fs::remove_dir_all(&room);
    std::fs::create_dir_all(&room).unwrap();
    room
}

/// Every file of a release, by its path.
fn release(name: &str, platforms: &[usize]) -> (PathBuf, BTreeMap<String, Vec<u8>>) {
    let workspace = Workspace::find().unwrap();
    let (room, out) = (room(name), room(name).join("dist"));
    let binary = room.join("binary");
    std::fs::write(&binary, "a binary".repeat(1000)).unwrap();
    for index in platforms {
        package(&workspace, PLATFORMS[*index], &binary, &out).unwrap();
    }
    let sums = complete(&out).unwrap();
    let files = walkdir::WalkDir::new(&out).into_iter().map(Result::unwrap).filter(|entry| entry.file_type().is_file());
    let name = |path: &Path| path.strip_prefix(&out).unwrap().display().to_string();
    (sums, files.map(|file| (name(file.path()), std::fs::read(file.path()).unwrap())).collect())
}

#[test]
fn a_release_holds_what_registries_and_mirrors_serve() {
    let (_, files) = release("names", &[0, 3]);
    let stem = format!("terraform-provider-gloo_{VERSION}");
    let zips = ["linux_amd64", "darwin_arm64"].map(|platform| format!("{stem}_{platform}.zip"));
    let mirrored = REGISTRIES.iter().flat_map(|registry| zips.iter().map(move |zip| format!("mirror/{registry}/{SOURCE}/{zip}")));
    let beside = [format!("{stem}_SHA256SUMS"), format!("{stem}_manifest.json")];
    let mut expected: Vec<String> = zips.iter().cloned().chain(beside.clone()).chain(mirrored.clone()).collect();
    expected.sort();
    assert_eq!(files.keys().cloned().collect::<Vec<_>>(), expected);
    for copy in mirrored {
        assert!(files[&copy] == files[copy.rsplit('/').next().unwrap()], "{copy}");
    }

    let sums = String::from_utf8(files[&beside[0]].clone()).unwrap();
    let line = |name: &String| format!("{:x}  {name}\n", Sha256::digest(&files[name]));
    let expected: String = [&zips[1], &zips[0], &beside[1]].into_iter().map(line).collect();
    assert_eq!(sums, expected);
    let manifest: serde_json::Value = serde_json::from_slice(&files[&beside[1]]).unwrap();
    assert_eq!(manifest, serde_json::json!({ "version": 1, "metadata": { "protocol_versions": ["6.0"] } }));
}

#[test]
fn the_same_binary_is_the_same_release_at_another_time_and_place() {
    let (_, one) = release("one", &[0, 1]);
    let (_, other) = release("other", &[1, 0]);
    assert!(one == other);
}

#[test]
fn a_signature_is_gpgs_and_of_these_checksums() {
    const KEY: &str = "release@example.com";
    // the agent's socket needs a short path, which folders of cargo's often are not
    let home = std::env::temp_dir().join(format!("gloo-release-{}", std::process::id()));
    std::fs::create_dir_all(&home).unwrap();
    let run = |command: &mut Command| {
        let command = command.env("GNUPGHOME", &home).stderr(Stdio::null());
        command.status().expect("signatures are tested with gpg: install gnupg").success()
    };
    let quiet = |arguments: &[&str]| run(Command::new("gpg").args(["--batch", "--quiet"]).args(arguments));
    let (sums, _) = release("signed", &[0]);
    let signature = signature_of(&sums);
    let verify = ["--verify", signature.to_str().unwrap(), sums.to_str().unwrap()];

    let made = quiet(&["--passphrase", "", "--quick-gen-key", KEY, "ed25519", "sign", "never"]);
    let signed = run(&mut gpg(&sums, KEY));
    let verified = quiet(&verify);
    std::fs::write(&sums, "other checksums").unwrap();
    let refused = !quiet(&verify);
    let unknown = !run(&mut gpg(&sums, "nobody@example.com"));
    run(Command::new("gpgconf").args(["--kill", "all"]));
    std::fs::remove_dir_all(&home).unwrap();
    assert!(made && signed && verified && refused && unknown, "{made} {signed} {verified} {refused} {unknown}");
    let text = std::fs::read(&signature).unwrap();
    assert!(!text.starts_with(b"-----BEGIN"), "registries want bytes");
}
