//! The engine on real folders.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use istio_objects::Manifest;
use mesh_model::{Code, Findings};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::support::{
    Sets, apply, claim, cluster, create, fleet_of, folder_fleet, key, manifest, object_json, others_claim, owner, prior, refresh,
    request, run, runtime, sets, update,
};
use crate::port::{Cluster, Precondition, Write};
use crate::{Class, DirectoryCluster, Refreshed, Request, preflight, yaml};

fn file_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("manifests/bookinfo/VirtualService-{name}.yaml"))
}

fn codes(findings: &Findings) -> Vec<Code> {
    findings.iter().map(|finding| finding.code).collect()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn directory(folder: &Path) -> DirectoryCluster {
    DirectoryCluster::new(cluster("east"), folder, owner())
}

fn write_of(manifest: &Manifest) -> Write {
    Write {
        manifest: manifest.clone(),
        previous: None,
        state_annotations: std::collections::BTreeMap::default(),
        precondition: Precondition::Absent,
    }
}

/// Every path below a folder, with the bytes of files.
fn snapshot(folder: &Path) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let mut all = Vec::new();
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.unwrap();
        all.push((entry.path().to_owned(), entry.file_type().is_file().then(|| fs::read(entry.path()).unwrap())));
    }
    all
}

#[test]
fn an_object_is_one_readable_file_that_comes_and_goes() {
    runtime().block_on(async {
        let root = folder();
        let goal =
            sets("east", [&manifest("vd-reviews.mesh.internal", &json!({"hosts": ["reviews.mesh.internal"], "on": "yes"}))]);
        let outcome = run(&folder_fleet(root.path()), &Sets::new(), &goal).await.unwrap();
        assert!(outcome.is_complete && outcome.landed == goal);
        let text = fs::read_to_string(file_of(root.path(), "vd-reviews.mesh.internal")).unwrap();
        let expected = r#"apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  annotations:
    gloo-terraform/claim: demo/quickstart//gloo_virtual_destination/bookinfo/reviews
  labels:
    gloo-terraform/owner: LABEL
  name: vd-reviews.mesh.internal
  namespace: bookinfo
spec:
  hosts:
  - reviews.mesh.internal
  "on": "yes"
"#;
        assert_eq!(text, expected.replace("LABEL", &istio_objects::Claim::owner_label(&owner())));
        let fleet = folder_fleet(root.path());
        assert_eq!(refresh(&fleet, &goal).await, Refreshed { present: 1, ..Refreshed::default() });
        assert!(run(&fleet, &goal, &Sets::new()).await.unwrap().is_complete);
        let left: Vec<PathBuf> = snapshot(root.path()).into_iter().map(|(path, _)| path).collect();
        assert_eq!(left, [root.path().to_owned(), root.path().join("manifests")], "the namespace's folder is gone too");
    });
}

#[test]
fn an_edited_file_is_drift_and_is_repaired() {
    runtime().block_on(async {
        let root = folder();
        let goal = sets("east", [&manifest("vd", &json!({"http": [{"name": "canary", "timeout": "2s"}]}))]);
        run(&folder_fleet(root.path()), &Sets::new(), &goal).await.unwrap();
        let path = file_of(root.path(), "vd");
        let text = fs::read_to_string(&path).unwrap();
        let edited = text.replace("timeout: \"2s\"", "timeout: 9s # by hand").replace("  labels:\n", "  labels:\n    team: x\n");
        assert_ne!(edited, text);
        fs::write(&path, edited).unwrap();
        let fleet = folder_fleet(root.path());
        let refreshed = refresh(&fleet, &goal).await;
        let lines = [r#"spec.http[canary].timeout: live "9s", intent "2s""#];
        assert_eq!(refreshed.drift["east/VirtualService/bookinfo/vd"], lines);
        assert!(run(&fleet, &goal, &goal).await.unwrap().is_complete);
        let repaired = yaml::load(&fs::read_to_string(&path).unwrap()).unwrap().remove(0);
        let mut expected = goal[&cluster("east")][&key("vd")].value();
        expected["metadata"]["labels"]["team"] = json!("x");
        assert_eq!(repaired, expected);
        assert!(refresh(&fleet, &goal).await.drift.is_empty());
    });
}

#[test]
fn files_that_are_not_ours_stay_byte_for_byte() {
    runtime().block_on(async {
        let root = folder();
        let manifests = root.path().join("manifests");
        fs::create_dir_all(manifests.join("bookinfo/deeper")).unwrap();
        fs::create_dir_all(manifests.join("other")).unwrap();
        let theirs = yaml::emit(&object_json("theirs", &json!({}), &others_claim()));
        // an object of ours, but not at its place
        let copy = yaml::emit(&object_json("elsewhere", &json!({}), &claim()));
        let files: [(&str, &[u8]); 9] = [
            ("kustomization.yaml", b"resources: []\n"),
            ("bookinfo/kustomization.yaml", b"resources:\n- x.yaml # no object\n"),
            ("bookinfo/broken.yaml", b"a: [\n"),
            ("bookinfo/binary.yaml", b"\xff\xfe"),
            ("bookinfo/VirtualService-theirs.yaml", theirs.as_bytes()),
            ("bookinfo/copy.yaml", copy.as_bytes()),
            ("bookinfo/.hidden.yaml", b"x"),
            ("bookinfo/deeper/VirtualService-vd.yaml", b"x"),
            ("other/empty.yaml", b""),
        ];
        for (name, bytes) in files {
            fs::write(manifests.join(name), bytes).unwrap();
        }
        std::os::unix::fs::symlink("/nowhere", manifests.join("bookinfo/link.yaml")).unwrap();
        let before = snapshot(root.path());
        let goal = sets("east", [&manifest("vd", &json!({}))]);
        let fleet = folder_fleet(root.path());
        assert!(run(&fleet, &Sets::new(), &goal).await.unwrap().is_complete);
        assert!(refresh(&fleet, &goal).await.drift.is_empty());
        assert_eq!(snapshot(root.path()).len(), before.len() + 1);
        assert!(run(&fleet, &goal, &Sets::new()).await.unwrap().is_complete);
        assert_eq!(snapshot(root.path()), before);
    });
}

#[test]
fn what_stands_at_the_place_of_an_object_is_an_error_that_names_it() {
    runtime().block_on(async {
        let goal = manifest("vd", &json!({}));
        let put = |text: &'static str| move |path: &Path| fs::write(path, text).unwrap();
        type Put = Box<dyn Fn(&Path)>;
        let cases: [(Put, Code, &str); 7] = [
            (Box::new(put("a: [\n")), Code::DamagedObject, "line 1"),
            (Box::new(put("")), Code::DamagedObject, "empty"),
            (Box::new(put("a: 1\n---\nb: 1\n")), Code::DamagedObject, "2 documents"),
            (Box::new(put("resources: []\n")), Code::DamagedObject, "no Kubernetes object"),
            (
                Box::new(put("{apiVersion: v1, kind: ConfigMap, metadata: {name: vd, namespace: bookinfo}}")),
                Code::ForeignFile,
                "ConfigMap/bookinfo/vd",
            ),
            (Box::new(|path| fs::create_dir(path).unwrap()), Code::ForeignFile, "regular file"),
            (Box::new(|path| std::os::unix::fs::symlink("/dev/null", path).unwrap()), Code::ForeignFile, "symbolic link"),
        ];
        for (put, code, word) in cases {
            let root = folder();
            let path = file_of(root.path(), "vd");
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            put(&path);
            let before = snapshot(root.path());
            let fleet = folder_fleet(root.path());
            let refreshed = refresh(&fleet, &sets("east", [&goal])).await;
            assert_eq!(codes(&refreshed.findings), [code]);
            let said = &refreshed.findings[0].what;
            assert!(said.contains(path.to_str().unwrap()) && said.contains(word), "{said}");
            let findings = preflight(&fleet, Request::new(claim(), vec![vec![create("east", &goal)]])).await.unwrap_err();
            assert_eq!(codes(&findings), [code]);
            assert_eq!(snapshot(root.path()), before);
        }
    });
}

#[test]
fn a_folder_that_cannot_be_written_is_found_before_the_first_write() {
    runtime().block_on(async {
        let goal = manifest("vd", &json!({}));
        for blocked in ["manifests", "manifests/bookinfo"] {
            let (root, other) = (folder(), folder());
            let path = root.path().join(blocked);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "a file in its place").unwrap();
            let fleet = fleet_of([
                Arc::new(directory(root.path())) as Arc<dyn Cluster>,
                Arc::new(DirectoryCluster::new(cluster("west"), other.path(), owner())),
            ]);
            let waves = vec![vec![create("west", &goal)], vec![create("east", &goal)]];
            let findings = preflight(&fleet, Request::new(claim(), waves)).await.unwrap_err();
            assert_eq!(codes(&findings), [Code::ForeignFile], "{findings:?}");
            assert!(findings[0].what.contains(path.to_str().unwrap()));
            assert_eq!(fs::read_dir(other.path()).unwrap().count(), 0);
        }
    });
}

#[test]
fn a_missing_folder_is_an_unreachable_cluster_and_is_not_created() {
    runtime().block_on(async {
        let root = folder();
        let missing = root.path().join("east");
        let goal = sets("east", [&manifest("vd", &json!({}))]);
        let fleet = folder_fleet(&missing);
        assert_eq!(codes(&refresh(&fleet, &goal).await.findings), [Code::ClusterUnreachable]);
        let findings = run(&fleet, &Sets::new(), &goal).await.unwrap_err();
        assert_eq!(codes(&findings), [Code::ClusterUnreachable]);
        assert!(findings[0].what.contains(missing.to_str().unwrap()) && findings[0].fix.contains("east = { directory ="));
        assert!(!missing.exists());
        // created meanwhile, as in an apply that makes it: asked again
        fs::create_dir(&missing).unwrap();
        assert!(run(&fleet, &Sets::new(), &goal).await.unwrap().is_complete);
    });
}

#[test]
fn a_write_that_fails_leaves_the_old_content() {
    runtime().block_on(async {
        let root = folder();
        let (old, new) = (manifest("vd", &json!({"a": 1})), manifest("vd", &json!({"a": 2})));
        let before = sets("east", [&old]);
        run(&folder_fleet(root.path()), &Sets::new(), &before).await.unwrap();
        let kept = fs::read(file_of(root.path(), "vd")).unwrap();
        // the temporary file cannot be made: a folder with something in it has its name
        let blocked = root.path().join("manifests/bookinfo/.gloo~VirtualService-vd.yaml.tmp");
        fs::create_dir(&blocked).unwrap();
        let fleet = folder_fleet(root.path());
        let waves = vec![vec![update("east", &old, &new)]];
        let outcome = apply(&fleet, request(&before, waves, &Refreshed::default()), &CancellationToken::new()).await.unwrap();
        assert_eq!(codes(&outcome.findings), [Code::ClusterIo]);
        assert!(!outcome.is_complete && outcome.landed == before);
        assert_eq!(fs::read(file_of(root.path(), "vd")).unwrap(), kept);
        // what a killed write left is no object, and is replaced by the next write
        fs::remove_dir(&blocked).unwrap();
        fs::write(&blocked, "apiVersion: half a fi").unwrap();
        let goal = sets("east", [&new]);
        assert!(run(&fleet, &before, &goal).await.unwrap().is_complete);
        assert!(!blocked.exists() && refresh(&fleet, &goal).await.drift.is_empty());
    });
}

#[test]
fn a_reader_sees_whole_objects_only() {
    let root = folder();
    let versions: Vec<Manifest> = (0..2).map(|n| manifest("vd", &json!({"n": n, "text": "x".repeat(20_000)}))).collect();
    let (first, second) = (sets("east", [&versions[0]]), sets("east", [&versions[1]]));
    runtime().block_on(async { run(&folder_fleet(root.path()), &Sets::new(), &first).await.unwrap() });
    let is_done = AtomicBool::new(false);
    let reads = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = 0;
            while !is_done.load(Ordering::Relaxed) || reads == 0 {
                let objects = runtime().block_on(async { directory(root.path()).list_owned(&owner()).await.unwrap() });
                assert_eq!(objects.len(), 1);
                assert!(versions.iter().any(|version| version.value() == *objects[0].json));
                reads += 1;
            }
            reads
        });
        runtime().block_on(async {
            let fleet = folder_fleet(root.path());
            for round in 0..50 {
                let (from, to) = if round % 2 == 0 { (&first, &second) } else { (&second, &first) };
                assert!(run(&fleet, from, to).await.unwrap().is_complete);
            }
        });
        is_done.store(true, Ordering::Relaxed);
        reader.join().unwrap()
    });
    assert!(reads > 0);
}

#[test]
fn a_second_writer_waits_and_says_for_whom() {
    runtime().block_on(async {
        let root = folder();
        let manifests = root.path().join("manifests");
        fs::create_dir(&manifests).unwrap();
        // flock belongs to the open file: a second descriptor is what a second process would be
        let held = fs::File::open(&manifests).unwrap();
        rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
        let patient = directory(root.path());
        let impatient = directory(root.path()).with_lock_wait(Duration::ZERO);
        let write = write_of(&manifest("vd", &json!({})));
        let error = impatient.apply(&write, &CancellationToken::new()).await.unwrap_err();
        assert_eq!(error.class, Class::Locked);
        let said = &error.words.what;
        assert!(said.contains(manifests.to_str().unwrap()) && said.contains("VirtualService/bookinfo/vd"), "{said}");
        assert!(said.contains(&format!("process {}", std::process::id())), "{said}");

        let cancel = CancellationToken::new();
        let (result, ()) = tokio::join!(patient.apply(&write, &cancel), async { cancel.cancel() });
        assert_eq!(result.unwrap_err().class, Class::Cancelled);
        assert!(!file_of(root.path(), "vd").exists());

        // who waits says so
        tokio::time::pause();
        let (log, cancel) = (crate::testing::Log::new(), CancellationToken::new());
        let (result, ()) = tokio::join!(patient.apply(&write, &cancel), async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            drop(held);
        });
        let wanted = format!("waiting for the lock of {}, which another run holds: ", manifests.display());
        let lines = log.lines();
        assert!(lines.len() == 1 && lines[0].starts_with(&wanted) && lines[0].ends_with("2 s by now, 30 s at most"), "{lines:?}");
        result.unwrap();
        assert!(file_of(root.path(), "vd").exists());
    });
}

#[test]
fn a_write_on_something_else_than_was_seen_is_refused() {
    runtime().block_on(async {
        let root = folder();
        let east = directory(root.path());
        let cancel = CancellationToken::new();
        let written = east.apply(&write_of(&manifest("vd", &json!({"a": 1}))), &cancel).await.unwrap();
        let again = write_of(&manifest("vd", &json!({"a": 2})));
        assert_eq!(east.apply(&again, &cancel).await.unwrap_err().class, Class::Conflict);
        let path = file_of(root.path(), "vd");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}# a note\n")).unwrap();
        let with = |precondition| Write { precondition, ..again.clone() };
        let stale = Precondition::Unchanged(written.seen());
        assert_eq!(east.apply(&with(stale), &cancel).await.unwrap_err().class, Class::Conflict);
        assert_eq!(east.delete(&key("vd"), &written.seen(), &cancel).await.unwrap_err().class, Class::Conflict);
        let now = east.get(&key("vd")).await.unwrap().unwrap();
        assert_eq!(now.json, written.json);
        east.apply(&with(Precondition::Unchanged(now.seen())), &cancel).await.unwrap();
        fs::remove_file(&path).unwrap();
        let gone = Precondition::Unchanged(now.seen());
        assert_eq!(east.apply(&with(gone), &cancel).await.unwrap_err().class, Class::Conflict);
        east.delete(&key("vd"), &now.seen(), &cancel).await.unwrap();
    });
}

#[test]
fn two_writers_at_once_both_land_whole() {
    let root = folder();
    let names: Vec<String> = (0..40).map(|n| format!("vd-{n}")).collect();
    std::thread::scope(|scope| {
        for half in names.chunks(20) {
            let root = root.path();
            scope.spawn(move || {
                runtime().block_on(async {
                    let objects: Vec<Manifest> = half.iter().map(|name| manifest(name, &json!({"n": name}))).collect();
                    let wave = objects.iter().map(|object| create("east", object)).collect();
                    let outcome =
                        apply(&folder_fleet(root), Request::new(claim(), vec![wave]), &CancellationToken::new()).await.unwrap();
                    assert!(outcome.is_complete, "{:?}", outcome.findings);
                });
            });
        }
    });
    let objects: Vec<Manifest> = names.iter().map(|name| manifest(name, &json!({"n": name}))).collect();
    let refreshed = runtime().block_on(async { refresh(&folder_fleet(root.path()), &sets("east", &objects)).await });
    assert_eq!(refreshed, Refreshed { present: 40, ..Refreshed::default() });
}

#[test]
fn a_foreign_file_of_a_strange_kind_is_nobodys_concern() {
    let root = folder();
    let strange = format!("apiVersion: v1\nkind: A{}\nmetadata: {{name: x, namespace: bookinfo}}\n", "é".repeat(150));
    fs::create_dir_all(root.path().join("manifests/bookinfo")).unwrap();
    fs::write(root.path().join("manifests/bookinfo/strange.yaml"), strange).unwrap();
    let refreshed = runtime().block_on(refresh(&folder_fleet(root.path()), &sets("east", [])));
    assert_eq!(refreshed, Refreshed::default());
}

/// What somebody delivers to a folder may be anything.
#[test]
fn a_file_too_deep_to_be_kept_is_named_and_no_panic() {
    runtime().block_on(async {
        let root = folder();
        let object = manifest("vd", &json!({}));
        let before = run(&folder_fleet(root.path()), &Sets::new(), &sets("east", [&object])).await.unwrap().landed;
        let path = file_of(root.path(), "vd");
        let text = fs::read_to_string(&path).unwrap();
        let deep = text.replace("spec: {}", &format!("spec: {{a: {}{}}}", "[".repeat(200), "]".repeat(200)));
        assert_ne!(text, deep);
        fs::write(&path, deep).unwrap();
        let refreshed = refresh(&folder_fleet(root.path()), &before).await;
        assert_eq!(codes(&refreshed.findings), [Code::DamagedObject], "{:?}", refreshed.findings);
        assert!(refreshed.findings[0].what.contains("VirtualService-vd.yaml"), "{:?}", refreshed.findings);
    });
}

#[test]
fn folders_that_other_runs_make_and_remove_meanwhile_are_no_obstacle() {
    let root = folder();
    let shared = root.path().join("manifests/bookinfo");
    fs::create_dir(root.path().join("manifests")).unwrap();
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                fs::create_dir(&shared).unwrap();
                fs::remove_dir(&shared).unwrap();
            }
        });
        let object = manifest("vd", &json!({}));
        let east = directory(root.path());
        let looks: Vec<_> = runtime().block_on(async {
            let mut looks = Vec::new();
            for _ in 0..3000 {
                looks.push(east.dry_run(&create("east", &object)).await);
            }
            looks
        });
        is_done.store(true, Ordering::Relaxed);
        assert_eq!(looks.into_iter().find_map(Result::err), None);
    });
}

#[test]
fn folders_may_have_any_name_and_be_relative() {
    runtime().block_on(async {
        let root = folder();
        let named = root.path().join("clüster 東 \u{1f600}");
        fs::create_dir(&named).unwrap();
        let up: PathBuf = std::env::current_dir().unwrap().components().skip(1).map(|_| "..").collect();
        let relative = up.join(named.strip_prefix("/").unwrap());
        assert!(relative.is_relative());
        let goal = sets("east", [&manifest("vd", &json!({}))]);
        assert!(run(&folder_fleet(&relative), &Sets::new(), &goal).await.unwrap().is_complete);
        assert!(file_of(&named, "vd").exists());
    });
}

#[test]
fn names_of_any_length_and_objects_without_a_namespace_have_their_place() {
    runtime().block_on(async {
        let root = folder();
        let long = |end: &str| format!("{}{end}", "a".repeat(252));
        let mut objects = vec![manifest(&long("1"), &json!({})), manifest(&long("2"), &json!({}))];
        let mut cluster_wide = object_json("x", &json!({}), &claim());
        cluster_wide["metadata"].as_object_mut().unwrap().remove("namespace");
        objects.push(super::support::manifest_of(&cluster_wide));
        let goal = sets("east", &objects);
        let fleet = folder_fleet(root.path());
        assert!(run(&fleet, &Sets::new(), &goal).await.unwrap().is_complete);
        assert_eq!(refresh(&fleet, &goal).await, Refreshed { present: 3, ..Refreshed::default() });
        assert!(root.path().join("manifests/_cluster/VirtualService-x.yaml").exists());
        assert!(run(&fleet, &goal, &Sets::new()).await.unwrap().is_complete);
        assert_eq!(fs::read_dir(root.path().join("manifests")).unwrap().count(), 0);
    });
}

#[test]
fn a_thousand_objects_are_written_read_and_deleted() {
    runtime().block_on(async {
        let root = folder();
        let objects: Vec<Manifest> =
            (0..1000).map(|n| manifest(&format!("vd-{n}"), &json!({"hosts": [format!("h{n}.mesh")]}))).collect();
        let goal = sets("east", &objects);
        assert!(run(&folder_fleet(root.path()), &Sets::new(), &goal).await.unwrap().is_complete);
        let fleet = folder_fleet(root.path());
        assert_eq!(refresh(&fleet, &goal).await, Refreshed { present: 1000, ..Refreshed::default() });
        assert_eq!(prior(&goal)[&cluster("east")].len(), 1000);
        assert!(run(&fleet, &goal, &Sets::new()).await.unwrap().is_complete);
        assert_eq!(fs::read_dir(root.path().join("manifests")).unwrap().count(), 0);
    });
}
