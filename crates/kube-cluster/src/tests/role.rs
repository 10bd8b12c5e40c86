//! The roles, against the requests that are made, and the guides that show them.

use std::collections::BTreeSet;
use std::path::Path;

use istio_objects::{Change, Manifest, ObjectKey, Operation, object_key};
use kube_apply::port::{Cluster as _, Kinds};
use kube_apply::testing::owner;
use serde_json::json;

use super::fake::Fake;
use super::support::cluster;
use crate::{KINDS, Known, KubeCluster, Purpose, Use, inventory_line};

/// Verb, group and resource of each request so far.
fn needed(fake: &Fake) -> BTreeSet<(&'static str, String, String)> {
    let mut needed = BTreeSet::new();
    for seen in &fake.state().seen {
        let path = seen.path.split('?').next().unwrap();
        let mut parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let group = if parts.remove(0) == "api" { "" } else { parts.remove(0) };
        parts.remove(0);
        if parts[0] == "namespaces" && parts.len() > 2 {
            parts.drain(..2);
        }
        let verbs: &[&str] = match (seen.method.as_str(), parts.len()) {
            ("GET", 1) => &["list"],
            ("GET", 2) => &["get"],
            // of an object that is not there
            ("PATCH", 2) => &["patch", "create"],
            ("DELETE", 2) => &["delete"],
            other => panic!("{other:?}: {path}"),
        };
        needed.extend(verbs.iter().map(|verb| (*verb, group.to_owned(), parts[0].to_owned())));
    }
    needed
}

fn allowed(verbs: impl Fn(&'static Known) -> &'static [&'static str]) -> BTreeSet<(&'static str, String, String)> {
    let of = |known: &'static Known| verbs(known).iter().map(|verb| (*verb, known.group.to_owned(), known.plural.to_owned()));
    KINDS.iter().flat_map(of).collect()
}

fn keys() -> Vec<(&'static Known, ObjectKey)> {
    let written = KINDS.iter().filter(|known| known.purpose == Purpose::Written);
    let key = |known: &'static Known| {
        let namespace = if known.is_namespaced { "bookinfo" } else { "-" };
        (known, format!("{}/{namespace}/a", known.key_name()).parse().unwrap())
    };
    written.map(key).collect()
}

async fn read(cluster: &KubeCluster) {
    cluster.list_owned(&owner()).await.unwrap();
    // what is needed for discovery is not there; what matters is what was asked
    let _ = cluster.inventory(&Kinds::All).await;
    for (_, key) in keys() {
        cluster.get(&key).await.unwrap();
    }
}

#[tokio::test]
async fn a_role_allows_every_request_and_nothing_else() {
    let fake = Fake::start().await;
    read(&cluster(&fake)).await;
    // lists of absent kinds are remembered, so both lists are asked by a cluster of their own
    let _ = cluster(&fake).inventory(&Kinds::All).await;
    assert_eq!(needed(&fake), allowed(|known| Use::Plan.verbs(known)));

    try_all(&cluster(&fake)).await;
    assert_eq!(needed(&fake), allowed(|known| Use::Apply.verbs(known)));
}

/// Tries to write and delete an object of every kind that may be written.
async fn try_all(cluster: &KubeCluster) {
    for (known, key) in keys() {
        let mut metadata = json!({"name": "a"});
        if known.is_namespaced {
            metadata["namespace"] = json!("bookinfo");
        }
        let object =
            json!({"apiVersion": known.api_version(known.versions[0]), "kind": known.kind, "metadata": metadata, "spec": {}});
        assert_eq!(object_key(&object).unwrap(), key);
        let manifest = Manifest::from_stored(key.clone(), &object.to_string()).unwrap();
        for operation in [Operation::Create(manifest), Operation::Delete(key)] {
            cluster.dry_run(&Change { cluster: cluster.name().clone(), operation }).await.unwrap();
        }
    }
}

#[tokio::test]
async fn the_role_of_a_namespace_allows_every_request_in_it_and_nothing_else() {
    let fake = Fake::start().await;
    let namespaces = || Some(vec!["bookinfo".parse().unwrap(), "shop".parse().unwrap()]);
    let restricted = || cluster(&fake).in_namespaces(namespaces());
    // of kinds without a namespace nothing is asked
    restricted().list_owned(&owner()).await.unwrap();
    let _ = restricted().inventory(&Kinds::All).await;
    for (known, key) in keys().into_iter().filter(|(known, _)| known.is_namespaced) {
        restricted().get(&key).await.unwrap();
        assert!(known.is_namespaced);
    }
    assert_eq!(needed(&fake), allowed(|known| Use::Plan.verbs_in_namespace(known)));
    for place in ["bookinfo", "shop"] {
        let is_asked = |seen: &super::fake::Seen| seen.path.contains(&format!("/namespaces/{place}"));
        assert!(fake.state().seen.iter().any(is_asked), "{place}");
    }
    let all = fake.requests();
    assert!(all.iter().all(|request| request.contains("/namespaces/")), "{all:?}");
    let (_, shop): (Vec<_>, Vec<_>) = all.iter().partition(|request| request.contains("/namespaces/bookinfo"));
    assert!(shop.iter().all(|request| request.contains("/namespaces/shop")), "{shop:?}");

    // what is in no namespace, or in another one, is refused unasked
    fake.state().seen.clear();
    let manifest = super::support::manifest_in("elsewhere", "a", &json!({"hosts": ["a"]}));
    let change = Change { cluster: "east".parse().unwrap(), operation: Operation::Create(manifest.clone()) };
    let tried = restricted().dry_run(&change).await.unwrap_err();
    let written = restricted()
        .apply(&super::support::write(&manifest, None), &tokio_util::sync::CancellationToken::new())
        .await
        .unwrap_err();
    for error in [tried, written] {
        assert_eq!(error.class, kube_apply::Class::Outside);
        assert!(error.words.fix.contains("namespaces = [\"bookinfo\", \"shop\", \"elsewhere\"]"), "{error:?}");
    }
    assert_eq!(fake.requests(), Vec::<String>::new());
}

fn guide(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates/guides").join(name);
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_guide_shows_the_roles() {
    let guide = guide("permissions.md");
    for (purpose, name) in [(Use::Plan, "gloo-plan"), (Use::Apply, "gloo-apply")] {
        let role = purpose.role(&name.parse().unwrap(), None);
        assert!(guide.contains(&format!("```yaml\n{role}```\n")), "templates/guides/permissions.md has not:\n{role}");
    }
}

#[test]
fn the_line_for_an_inventory_asks_for_what_is_known_and_there() {
    let line = inventory_line();
    assert!(
        guide("discovery.md").contains(&format!("```console\n{line}\n```\n")),
        "templates/guides/discovery.md has not:\n{line}"
    );
    // as kubectl would: all kinds but one, and others that nobody asked for
    let there: Vec<String> = KINDS.iter().skip(1).map(Known::resource).collect();
    let others = ["secrets", "leases.coordination.k8s.io", "gateways.example.org", "pods.metrics.k8s.io"];
    let names = there.iter().map(String::as_str).chain(others).collect::<Vec<_>>().join("\n");
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("inventory")).unwrap();
    std::fs::write(folder.path().join("names"), format!("{names}\n")).unwrap();
    let script = format!("kubectl() {{ case \"$1\" in api-resources) cat names ;; *) echo \"$@\" ;; esac; }}\n{line}\n");
    let status = std::process::Command::new("/bin/sh").current_dir(folder.path()).args(["-c", &script]).status().unwrap();
    assert!(status.success());
    let asked = std::fs::read_to_string(folder.path().join("inventory/cluster.yaml")).unwrap();
    assert_eq!(asked, format!("get {} --all-namespaces -o yaml\n", there.join(",")));
}
