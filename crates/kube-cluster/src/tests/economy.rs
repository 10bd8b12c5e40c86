//! How much is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use istio_objects::{Change, Claim, Operation};
use kube_apply::port::Cluster as _;
use kube_apply::testing::owner;
use kube_apply::{Class, Fleet, Member, refresh};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::fake::Fake;
use super::support::{cluster, key, manifest, path, write};
use crate::{KINDS, Purpose};

/// Reading a state of N objects, as a plan without changes does.
#[tokio::test]
async fn a_refresh_costs_lists_alone() {
    let fake = Fake::start().await;
    let writer = cluster(&fake);
    let manifests: Vec<_> = (0..5).map(|index| manifest(&format!("o{index}"), &json!({"hosts": ["a"]}))).collect();
    for manifest in &manifests {
        writer.apply(&write(manifest, None), &CancellationToken::new()).await.unwrap();
    }
    let pages = 3;
    fake.state().page = 2;
    fake.state().seen.clear();

    let reader = cluster(&fake);
    let claim: Claim = format!("{}//gloo_virtual_destination/bookinfo/reviews", owner()).parse().unwrap();
    let name = reader.name().clone();
    let members = BTreeMap::from([(name.clone(), Member::Ready(Arc::new(reader.clone())))]);
    let fleet = Fleet::new(owner(), members, BTreeSet::new());
    let prior = BTreeMap::from([(name, manifests)]);
    // as many resources as there may be
    for _ in 0..4 {
        let refreshed = refresh(&fleet, &claim, &prior).await;
        assert_eq!((refreshed.present, refreshed.drift.len(), refreshed.findings), (5, 0, Vec::new()));
    }
    let requests = fake.requests();
    let is_list = |request: &String| request.starts_with("GET ") && request.contains("?limit=500&labelSelector=");
    assert!(requests.iter().all(is_list), "{requests:?}");
    let of = |plural: &str| requests.iter().filter(|request| request.contains(&format!("/{plural}?"))).count();
    assert_eq!((of("virtualservices"), of("serviceentries")), (pages, 1));
    // an absent kind is asked for once in each version that it may have
    let written = || KINDS.iter().filter(|known| known.purpose == Purpose::Written);
    let versions: usize = written().map(|known| known.versions.len()).sum();
    assert!(requests.len() < versions + pages, "{requests:?}");

    // and not again in the life of the instance
    fake.state().seen.clear();
    reader.list_owned(&owner()).await.unwrap();
    assert_eq!(fake.requests().len(), pages + 1, "{:?}", fake.requests());
}

#[tokio::test]
async fn what_may_not_be_listed_is_not_written() {
    let fake = Fake::start().await;
    fake.state().unlisted = vec!["virtualservices"];
    let cluster = cluster(&fake);
    // the other kinds are there all the same
    assert_eq!(cluster.unlisted().len(), 0);
    assert_eq!(cluster.list_owned(&owner()).await.unwrap().len(), 0);
    assert_eq!(cluster.unlisted().into_iter().collect::<Vec<_>>(), ["VirtualService"]);
    fake.state().seen.clear();
    let object = manifest("a", &json!({"hosts": ["a"]}));
    let change = Change { cluster: cluster.name().clone(), operation: Operation::Create(object.clone()) };
    let tried = cluster.dry_run(&change).await.unwrap_err();
    let written = cluster.apply(&write(&object, None), &CancellationToken::new()).await.unwrap_err();
    for error in [tried, written] {
        assert_eq!((error.class, error.object.as_deref()), (Class::Forbidden, Some(&key("a"))));
        assert!(error.words.fix.contains("resources: [\"virtualservices\"]") && error.words.fix.contains("list"), "{error:?}");
    }
    assert_eq!(fake.requests(), Vec::<String>::new());

    // nothing may be listed: an error, never an empty list
    fake.state().unlisted = vec!["virtualservices", "serviceentries"];
    assert_eq!(cluster.list_owned(&owner()).await.unwrap_err().class, Class::Forbidden);
}

/// Writing what is not there, again with another content, and deleting it: each is one request once it was looked at.
#[tokio::test]
async fn a_write_is_one_request_and_its_check_another() {
    let fake = Fake::start().await;
    let cluster = cluster(&fake);
    let go_on = CancellationToken::new();
    let asked = || {
        let requests = fake.requests();
        fake.state().seen.clear();
        let short = |request: &String| {
            let dry = if request.contains("dryRun=All") { " (dry run)" } else { "" };
            format!("{}{dry}", request.split(' ').next().unwrap_or_default())
        };
        requests.iter().map(short).collect::<Vec<_>>()
    };
    let change = |operation| Change { cluster: cluster.name().clone(), operation };
    let (old, new) = (manifest("a", &json!({"hosts": ["a"]})), manifest("a", &json!({"hosts": ["b"]})));

    let (live, _) = cluster.look(&change(Operation::Create(old.clone()))).await.unwrap();
    assert_eq!((live, asked()), (None, vec!["PATCH (dry run)".to_owned()]));
    let written = cluster.apply(&write(&old, None), &go_on).await.unwrap();
    assert_eq!(asked(), ["PATCH"]);
    // what this process wrote it knows
    cluster.apply(&write(&new, Some(written.seen())), &go_on).await.unwrap();
    assert_eq!(asked(), ["PATCH"]);

    let update = change(Operation::Update { old: new.clone(), new: old.clone() });
    let seen = cluster.look(&update).await.unwrap().0.unwrap().seen();
    assert_eq!(asked(), ["GET", "PATCH (dry run)"]);
    cluster.apply(&write(&old, Some(seen)), &go_on).await.unwrap();
    assert_eq!(asked(), ["PATCH"]);

    let seen = cluster.look(&change(Operation::Delete(key("a")))).await.unwrap().0.unwrap().seen();
    assert_eq!(asked(), ["GET", "DELETE (dry run)"]);
    cluster.delete(&key("a"), &seen, &go_on).await.unwrap();
    assert_eq!(asked(), ["DELETE"]);
}

/// What was seen is not trusted: the server compares, and then it is looked at again.
#[tokio::test]
async fn what_came_in_between_is_not_overwritten() {
    let fake = Fake::start().await;
    let (one, other) = (cluster(&fake), cluster(&fake));
    let go_on = CancellationToken::new();
    let object = manifest("a", &json!({"hosts": ["a"]}));
    let create = Change { cluster: one.name().clone(), operation: Operation::Create(object.clone()) };
    assert_eq!(one.look(&create).await.unwrap().0, None);
    let theirs = other.apply(&write(&object, None), &go_on).await.unwrap();
    assert_eq!(one.apply(&write(&object, None), &go_on).await.unwrap_err().class, Class::Conflict);
    // one that is there is seen by the check of a create
    assert_eq!(one.look(&create).await.unwrap().0.unwrap().seen(), theirs.seen());
    fake.edit(&path("a"), &|object| object["spec"]["hosts"] = json!(["theirs"]));
    assert_eq!(one.apply(&write(&object, Some(theirs.seen())), &go_on).await.unwrap_err().class, Class::Conflict);
    one.look(&create).await.unwrap();
    let edited = one.get(&key("a")).await.unwrap().unwrap().seen();
    fake.edit(&path("a"), &|object| object["spec"]["hosts"] = json!(["again"]));
    assert_eq!(one.delete(&key("a"), &edited, &go_on).await.unwrap_err().class, Class::Conflict);
    assert_eq!(one.get(&key("a")).await.unwrap().unwrap().json["spec"]["hosts"], json!(["again"]));
}

/// N resources of one apply: what is there is listed once, and what they write is known without another list.
#[tokio::test]
async fn what_is_near_is_listed_once_for_all_writes() {
    let fake = Fake::start().await;
    let cluster = cluster(&fake);
    let claim = |name: &str| -> Claim { format!("{}//gloo_istio_object/bookinfo/{name}", owner()).parse().unwrap() };
    for name in ["a", "b", "c"] {
        let keys = BTreeSet::from([key(name)]);
        assert_eq!(cluster.near(&keys, &claim(name)).await.unwrap(), Vec::new(), "{name}");
        cluster.apply(&write(&manifest(name, &json!({"hosts": [name]})), None), &CancellationToken::new()).await.unwrap();
        let near = cluster.near(&keys, &claim(name)).await.unwrap();
        assert_eq!(near.iter().map(|object| &object["spec"]["hosts"][0]).collect::<Vec<_>>(), [name]);
        // the claim of all of them, whatever their keys
        let of_claim = cluster.near(&BTreeSet::from([key("other")]), &manifest_claim()).await.unwrap();
        assert!(of_claim.iter().any(|object| object["metadata"]["name"] == name));
    }
    let lists = fake.requests().iter().filter(|request| request.starts_with("GET ") && request.contains("?limit=")).count();
    assert_eq!(lists, 1, "{:?}", fake.requests());
    let there = cluster.get(&key("a")).await.unwrap().unwrap();
    cluster.delete(&key("a"), &there.seen(), &CancellationToken::new()).await.unwrap();
    assert_eq!(cluster.near(&BTreeSet::from([key("a")]), &claim("a")).await.unwrap(), Vec::new());
}

fn manifest_claim() -> Claim {
    format!("{}//gloo_virtual_destination/bookinfo/reviews", owner()).parse().unwrap()
}
