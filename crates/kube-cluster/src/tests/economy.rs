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
use super::support::{cluster, key, manifest, write};
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
