//! Whose objects are whose: takeover, adoption, instances, hand-over, protection.

use std::fs;

use serde_json::{Value as Json, json};
use tf_server::testing::{Action, Core, Instance, unknown};

use crate::support::{DESTINATION, World, backend, destination, object, set};

const OBJECT: &str = "gloo_istio_object";
const ROUTE: &str = "bookinfo/VirtualService-vd-reviews.mesh.internal";

fn owned_by(owner: &str) -> impl FnOnce(&mut Json) + '_ {
    move |block| block["owner"] = json!(owner)
}

fn contents(world: &World) -> Vec<(String, String)> {
    world.files().into_iter().map(|file| (file.clone(), fs::read_to_string(world.path(&file)).unwrap())).collect()
}

/// What files say, without the annotations that are not part of manifests.
fn manifests(world: &World) -> Vec<(String, String)> {
    let mut contents = contents(world);
    for (_, text) in &mut contents {
        *text = text.lines().filter(|line| !line.contains("state.gloo-terraform/")).collect::<Vec<_>>().join("\n");
    }
    contents
}

fn warnings(diagnostics: &tf_value::Diagnostics) -> Vec<&str> {
    diagnostics.iter().map(|diagnostic| diagnostic.summary.as_str()).collect()
}

/// One plan and its apply.
async fn step(core: &Core, type_name: &str, instance: Option<&Instance>, config: Json) -> Instance {
    let plan = core.plan(type_name, instance, config).await.unwrap_or_else(|failure| panic!("{failure}"));
    core.apply(&plan).await.success().unwrap_or_else(|failure| panic!("{failure}")).unwrap()
}

#[tokio::test]
async fn another_owner_takes_over_in_place_and_the_old_one_lets_go() {
    for (type_name, config, claim) in [
        (DESTINATION, destination(), "test/it//gloo_virtual_destination/bookinfo/reviews"),
        (OBJECT, object(), "test/it//gloo_istio_object/bookinfo/VirtualService/reviews"),
    ] {
        for entry in ["test/it", claim] {
            let world = World::new().await;
            let old = world.create(type_name, config.clone()).await;
            let before = world.files();

            let other = world.beside(owned_by("team/other")).await;
            let refused = other.plan(type_name, None, config.clone()).await.unwrap_err();
            assert!(refused.says("Object of another owner (GM3004)"), "{refused}");
            assert!(format!("{refused}").contains(&format!("takeover_from = [\"{claim}\"]")), "{refused}");

            let taking = set(config.clone(), "/takeover_from", json!([entry]));
            let plan = other.plan(type_name, None, taking.clone()).await.unwrap();
            assert_eq!(warnings(&plan.diagnostics), ["Objects are taken over (GM3012)"]);
            let new = other.apply(&plan).await.success().unwrap().unwrap();
            assert_eq!(world.files(), before, "no object came or went");
            assert!(contents(&world).iter().all(|(_, text)| text.contains("team/other//") && !text.contains("test/it//")));
            let again = other.plan(type_name, Some(&new), taking.clone()).await.unwrap();
            assert_eq!(again.action, Action::NoOp);
            assert!(again.diagnostics.is_empty(), "an entry that matches nothing any more is no matter: {:?}", again.diagnostics);

            let core = world.beside(|_| {}).await;
            let seen = core.refresh(&old).await.unwrap().expect("the objects are there, though another's");
            let drift = seen.state["drift"].as_object().unwrap();
            assert_eq!(drift.len(), before.len());
            assert!(drift.values().all(|lines| lines[0].as_str().unwrap().starts_with("taken: claimed by team/other//")));
            let idle = core.plan(type_name, Some(&seen), config.clone()).await.unwrap();
            assert_eq!(idle.action, Action::NoOp, "it does not fight");
            assert_eq!(warnings(&idle.diagnostics), ["Object belongs to somebody else now (GM5007)"]);
            let written = contents(&world);
            let destroyed = core.destroy(&seen).await;
            assert_eq!(warnings(&destroyed.diagnostics), ["Object belongs to somebody else now (GM5007)"]);
            assert_eq!(destroyed.success().unwrap(), None);
            assert_eq!(contents(&world), written, "the objects stay as they are");

            // and back, with the state that was there before
            let own = claim.replace("test/it", "team/other");
            let back = set(config.clone(), "/takeover_from", json!([own]));
            let plan = core.plan(type_name, Some(&seen), back.clone()).await.unwrap();
            assert_eq!(plan.action, Action::Update);
            let back_again = core.apply(&plan).await.success().unwrap().unwrap();
            assert_eq!(back_again.state["drift"], json!({}));
            assert!(contents(&world).iter().all(|(_, text)| text.contains("test/it//")));
        }
    }
}

#[tokio::test]
async fn wrong_entries_of_takeover_from_are_refused() {
    let world = World::new().await;
    for entry in ["Team A", "a//b", "a/b//gloo_cluster/-/prod", "test/it", "test/it//gloo_virtual_destination/bookinfo/reviews"] {
        let refused = world.core.plan(DESTINATION, None, set(destination(), "/takeover_from", json!([entry]))).await.unwrap_err();
        assert!(refused.violations.is_empty() && format!("{refused}").contains("takeover_from"), "{entry}: {refused}");
    }
    let nobody = set(destination(), "/takeover_from", json!(["team/nobody"]));
    let plan = world.core.plan(DESTINATION, None, nobody).await.unwrap();
    assert!(plan.diagnostics.is_empty(), "{:?}", plan.diagnostics);
}

#[tokio::test]
async fn what_nobody_claims_is_adopted_when_asked_for() {
    let world = World::new().await;
    let route = |timeout: &str| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: reviews\n  namespace: bookinfo\n  labels:\n    team: blue\nspec:\n  hosts: [reviews]\n  http:\n  - timeout: {timeout}\n"
        )
    };
    fs::create_dir_all(world.path("east/manifests/bookinfo")).unwrap();
    fs::write(world.file("east", "bookinfo/VirtualService-reviews"), route("9s")).unwrap();
    let before = contents(&world);
    let refused = world.core.plan(OBJECT, None, object()).await.unwrap_err();
    let text = format!("{refused}");
    assert!(refused.says("Object of another owner (GM3004)"), "{text}");
    for word in ["VirtualService/bookinfo/reviews", "east", "adopt = true", "import"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert_eq!(contents(&world), before);

    let adopting = set(object(), "/adopt", json!(true));
    let plan = world.core.plan(OBJECT, None, adopting.clone()).await.unwrap();
    assert_eq!(warnings(&plan.diagnostics), ["Existing object is adopted (GM3011)"]);
    let detail = &plan.diagnostics.iter().next().unwrap().detail;
    assert!(detail.contains("spec.http: live [{\"timeout\":\"9s\"}], intent nothing"), "{detail}");
    let instance = world.core.apply(&plan).await.success().unwrap().unwrap();
    let text = fs::read_to_string(world.file("east", "bookinfo/VirtualService-reviews")).unwrap();
    assert!(text.contains("team: blue") && !text.contains("9s"), "{text}");
    let plan = world.core.plan(OBJECT, Some(&instance), object()).await.unwrap();
    assert_eq!(plan.action, Action::Update, "the argument went");
    world.core.apply(&plan).await.success().unwrap();
}

#[tokio::test]
async fn a_second_state_with_the_same_owner_is_refused() {
    for (type_name, config) in [(DESTINATION, destination()), (OBJECT, object())] {
        let world = World::new().await;
        let first = world.create(type_name, config.clone()).await;
        let before = contents(&world);
        let core = world.beside(|_| {}).await;
        let plan = core.plan(type_name, None, config.clone()).await.unwrap();
        assert_eq!(warnings(&plan.diagnostics), ["Objects of another instance (GM3013)"]);
        tokio::time::pause();
        let refused = core.apply(&plan).await;
        tokio::time::resume();
        assert!(refused.says("Managed by another instance with this owner (GM4014)"), "{:?}", refused.diagnostics);
        assert!(refused.instance.is_none());
        assert_eq!(contents(&world), before, "nothing was written");

        let adopting = set(config.clone(), "/adopt", json!(true));
        let plan = core.plan(type_name, None, adopting.clone()).await.unwrap();
        assert_eq!(warnings(&plan.diagnostics), ["Objects are taken over (GM3012)"]);
        let second = core.apply(&plan).await.success().unwrap().unwrap();
        assert_eq!(manifests(&world), {
            let world = World::new().await;
            world.create(type_name, config.clone()).await;
            manifests(&world)
        });

        // the first one sees it, writes nothing, and its destroy leaves the objects
        let core = world.beside(|_| {}).await;
        let seen = core.refresh(&first).await.unwrap().unwrap();
        assert_eq!(seen.private, first.private);
        let lines: Vec<&str> =
            seen.state["drift"].as_object().unwrap().values().map(|lines| lines[0].as_str().unwrap()).collect();
        assert!(lines.iter().all(|line| line.starts_with("taken: managed by another instance")), "{lines:?}");
        let idle = core.plan(type_name, Some(&seen), config.clone()).await.unwrap();
        assert_eq!(
            (idle.action, warnings(&idle.diagnostics)),
            (Action::NoOp, vec!["Object belongs to somebody else now (GM5007)"])
        );
        let changed = match type_name {
            OBJECT => set(config.clone(), "/manifest/spec/hosts", json!(["others"])),
            _ => set(config.clone(), "/export_to", json!(["bookinfo"])),
        };
        let refused = core.plan(type_name, Some(&seen), changed).await.unwrap_err();
        assert!(refused.says("Managed by another instance with this owner (GM4014)"), "{refused}");
        let written = contents(&world);
        core.destroy(&seen).await.success().unwrap();
        assert_eq!(contents(&world), written);
        // the second one goes on
        let plan = core.plan(type_name, Some(&second), adopting).await.unwrap();
        assert_eq!(plan.action, Action::NoOp);
        core.destroy(&second).await.success().unwrap();
        assert_eq!(world.files(), Vec::<String>::new());
    }
}

/// Takes the mark of a complete instance off, as if the create had been killed before it wrote it.
fn unmark(world: &World, file: &str) {
    let path = world.path(file);
    let text = fs::read_to_string(&path).unwrap();
    let kept: Vec<&str> = text.lines().filter(|line| !line.contains("state.gloo-terraform/complete")).collect();
    fs::write(&path, kept.join("\n") + "\n").unwrap();
}

#[tokio::test]
async fn leftovers_of_an_interrupted_create_are_adopted() {
    for (type_name, config) in [(DESTINATION, destination()), (OBJECT, object())] {
        let world = World::new().await;
        world.create(type_name, config.clone()).await;
        let marked: Vec<String> = contents(&world)
            .into_iter()
            .filter(|(_, text)| text.contains("state.gloo-terraform/complete"))
            .map(|(file, _)| file)
            .collect();
        assert_eq!(marked.len(), if type_name == OBJECT { 2 } else { 3 }, "one object of each cluster: {marked:?}");
        // the last cluster was not marked yet
        unmark(&world, marked.last().unwrap());
        let core = world.beside(|_| {}).await;
        let plan = core.plan(type_name, None, config.clone()).await.unwrap();
        assert!(plan.diagnostics.is_empty(), "{:?}", plan.diagnostics);
        let instance = core.apply(&plan).await.success().unwrap().unwrap();
        let nonce = serde_json::from_slice::<Json>(&instance.private).unwrap()["instance"].as_str().unwrap().to_owned();
        let found = contents(&world);
        assert!(found.iter().all(|(_, text)| text.contains(&format!("state.gloo-terraform/instance: {nonce}"))), "{found:?}");
        assert_eq!(found.iter().filter(|(_, text)| text.contains(&format!("complete: {nonce}"))).count(), marked.len());
    }
}

#[tokio::test]
async fn a_mark_that_was_taken_off_gives_no_instance_away() {
    let world = World::new().await;
    world.create(DESTINATION, destination()).await;
    let marked = contents(&world).into_iter().filter(|(_, text)| text.contains("state.gloo-terraform/complete"));
    unmark(&world, &marked.map(|(file, _)| file).next().unwrap());
    let before = contents(&world);
    let core = world.beside(|_| {}).await;
    let plan = core.plan(DESTINATION, None, destination()).await.unwrap();
    assert_eq!(warnings(&plan.diagnostics), ["Objects of another instance (GM3013)"]);
    tokio::time::pause();
    let refused = core.apply(&plan).await;
    tokio::time::resume();
    assert!(refused.says("Managed by another instance with this owner (GM4014)"), "{:?}", refused.diagnostics);
    assert_eq!(contents(&world), before, "nothing was written");
}

#[tokio::test]
async fn a_renamed_resource_keeps_its_objects_whichever_call_comes_first() {
    for (type_name, config) in [(DESTINATION, destination()), (OBJECT, object())] {
        for delete_first in [false, true] {
            let world = World::new().await;
            let old = world.create(type_name, config.clone()).await;
            let before = world.files();
            let core = world.beside(|_| {}).await;
            let going = core.plan_destroy(&old).await.unwrap();
            let coming = core.plan(type_name, None, config.clone()).await.unwrap();
            // polled in this order, each up to where it waits for the other
            let (created, deleted) = if delete_first {
                let (deleted, created) = tokio::join!(biased; core.apply(&going), core.apply(&coming));
                (created, deleted)
            } else {
                tokio::join!(biased; core.apply(&coming), core.apply(&going))
            };
            let new = created.success().unwrap_or_else(|failure| panic!("{type_name}, {delete_first}: {failure}")).unwrap();
            assert!(deleted.diagnostics.is_empty(), "{:?}", deleted.diagnostics);
            assert_eq!(deleted.success().unwrap(), None);
            assert_eq!(world.files(), before, "{type_name}, {delete_first}");
            let plan = core.plan(type_name, Some(&new), config.clone()).await.unwrap();
            assert_eq!(plan.action, Action::NoOp);
            assert_eq!(core.refresh(&new).await.unwrap().unwrap().state, new.state);
        }
    }
}

#[tokio::test]
async fn a_failed_successor_leaves_the_old_one_everything() {
    let world = World::new().await;
    let old = world.create(DESTINATION, destination()).await;
    let before = contents(&world);
    let core = world.beside(|_| {}).await;
    let going = core.plan_destroy(&old).await.unwrap();
    let coming = core.plan(DESTINATION, None, destination()).await.unwrap();
    // somebody else takes one name between plan and apply
    let foreign = before.iter().find(|(file, _)| file.contains(ROUTE)).unwrap();
    let text = foreign.1.replace("test/it//", "team/other//");
    fs::write(world.path(&foreign.0), text).unwrap();
    let refused = core.apply(&coming).await;
    assert!(refused.diagnostics.has_errors() && refused.instance.is_none());
    let kept = core.apply(&going).await;
    assert!(kept.says("Objects were not handed over (GM5011)"), "{:?}", kept.diagnostics);
    assert_eq!(kept.instance.unwrap().state, old.state);
    assert_eq!(world.files().len(), before.len());
}

#[tokio::test]
async fn two_creates_of_one_identity_do_not_meet_in_the_clusters() {
    let world = World::new().await;
    let first = world.core.plan(DESTINATION, None, destination()).await.unwrap();
    let second = world.core.plan(DESTINATION, None, destination()).await.unwrap();
    let (first, second) = tokio::join!(world.core.apply(&first), world.core.apply(&second));
    let (won, lost): (Vec<_>, Vec<_>) = [first, second].into_iter().partition(|outcome| outcome.instance.is_some());
    assert_eq!((won.len(), lost.len()), (1, 1));
    assert!(lost[0].says("Two resources of one identity"), "{:?}", lost[0].diagnostics);
}

#[tokio::test]
async fn a_new_name_is_handed_the_host_when_it_comes_first() {
    let world = World::new().await;
    let old = world.create(DESTINATION, destination()).await;
    let before = world.files();
    let renamed = set(destination(), "/name", json!("comments"));
    let plan = world.core.plan(DESTINATION, Some(&old), renamed.clone()).await.unwrap();
    assert_eq!((plan.action, warnings(&plan.diagnostics)), (Action::Replace, vec!["Replacement interrupts traffic (GM4016)"]));
    let detail = &plan.diagnostics.iter().next().unwrap().detail;
    let entry = "test/it//gloo_virtual_destination/bookinfo/reviews";
    for word in [&format!("takeover_from = [\"{entry}\"]"), "create_before_destroy = true"] {
        assert!(detail.contains(word), "{word}: {detail}");
    }
    // without the entry, the create is refused before anything is written
    let refused = world.core.apply_create_first(&plan, renamed.clone()).await;
    assert!(refused.diagnostics.has_errors());
    assert_eq!(world.files(), before);

    let taking = set(renamed, "/takeover_from", json!([entry]));
    let core = world.beside(|_| {}).await;
    let plan = core.plan(DESTINATION, Some(&old), taking.clone()).await.unwrap();
    assert_eq!((plan.action, warnings(&plan.diagnostics)), (Action::Replace, vec![]));
    let outcome = core.apply_create_first(&plan, taking.clone()).await;
    assert!(outcome.deposed.is_none(), "{:?}", outcome.diagnostics);
    let new = outcome.success().unwrap().unwrap();
    assert_eq!(world.files(), before, "no object came or went");
    assert!(contents(&world).iter().all(|(_, text)| text.contains("bookinfo/comments")));
    assert_eq!(core.plan(DESTINATION, Some(&new), taking).await.unwrap().action, Action::NoOp);
}

#[tokio::test]
async fn a_resource_replaced_by_itself_says_how_or_is_handed_its_own_objects() {
    for (type_name, config) in [(DESTINATION, destination()), (OBJECT, object())] {
        let world = World::new().await;
        let instance = Instance { tainted: true, ..world.create(type_name, config.clone()).await };
        let before = contents(&world);
        let core = world.beside(|_| {}).await;
        let plan = core.plan(type_name, Some(&instance), config.clone()).await.unwrap();
        assert_eq!((plan.action, warnings(&plan.diagnostics)), (Action::Replace, vec!["Objects of another instance (GM3013)"]));
        let warned = plan.diagnostics.iter().next().unwrap().detail.clone();
        tokio::time::pause();
        let refused = core.apply_create_first(&plan, config.clone()).await;
        tokio::time::resume();
        assert!(refused.says("Managed by another instance with this owner (GM4014)"), "{:?}", refused.diagnostics);
        let told = refused.diagnostics.iter().next().unwrap().detail.clone();
        for text in [warned, told] {
            for word in ["create_before_destroy", "`-replace`", "adopt = true"] {
                assert!(text.contains(word), "{word}: {text}");
            }
        }
        assert_eq!(contents(&world), before, "nothing was written");

        let adopting = set(config.clone(), "/adopt", json!(true));
        let core = world.beside(|_| {}).await;
        let plan = core.plan(type_name, Some(&instance), adopting.clone()).await.unwrap();
        let outcome = core.apply_create_first(&plan, adopting.clone()).await;
        assert!(outcome.deposed.is_none(), "{:?}", outcome.diagnostics);
        let new = outcome.success().unwrap().unwrap();
        assert_eq!(core.plan(type_name, Some(&new), adopting).await.unwrap().action, Action::NoOp);
        assert_eq!(world.files(), before.iter().map(|(file, _)| file.clone()).collect::<Vec<_>>(), "in place");

        // destroyed first, it is deleted and created
        let core = world.beside(|_| {}).await;
        let tainted = Instance { tainted: true, ..new };
        let plan = core.plan(type_name, Some(&tainted), config.clone()).await.unwrap();
        let core = world.beside(|_| {}).await;
        core.apply(&plan).await.success().unwrap();
        assert_eq!(world.files(), before.iter().map(|(file, _)| file.clone()).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_rename_whose_delete_comes_before_anything_is_known_of_the_create_creates_anew_as_it_says() {
    let world = World::new().await;
    let old = world.create(DESTINATION, destination()).await;
    let before = world.files();
    let planned = world.beside(|_| {}).await;
    let going = planned.plan_destroy(&old).await.unwrap();
    let coming = planned.plan(DESTINATION, None, destination()).await.unwrap();
    assert_eq!(warnings(&coming.diagnostics), ["Objects of another instance (GM3013)"]);
    let detail = &coming.diagnostics.iter().next().unwrap().detail;
    assert!(detail.contains("before anything is known of the create deletes them, and they are created again"), "{detail}");
    // the process of the apply has planned nothing yet
    let core = world.beside(|_| {}).await;
    core.apply(&going).await.success().unwrap();
    assert_eq!(world.files(), Vec::<String>::new());
    core.apply(&coming).await.success().unwrap();
    assert_eq!(world.files(), before);
}

#[tokio::test]
async fn a_refused_resource_is_in_nobodys_way() {
    let world = World::new().await;
    let old = world.create(DESTINATION, destination()).await;
    let mut details = backend("east");
    details["service"] = json!("details");
    details["canonical_name"] = json!("details");
    details["selector"] = json!({ "app": "details" });
    let away = set(destination(), "/hostname", json!("away.mesh.internal"));
    let other = set(set(away.clone(), "/name", json!("details")), "/backends", json!([details]));
    let core = world.beside(|_| {}).await;
    let update = core.plan(DESTINATION, Some(&old), away).await.unwrap();
    // in one plan the two would not have come so far
    let create = world.beside(|_| {}).await.plan(DESTINATION, None, other).await.unwrap();
    world.edit("east", ROUTE, "reviews.mesh.internal", "changed.mesh.internal");
    let refused = core.apply(&update).await;
    assert!(refused.says("Changed since the plan (GM4005)"), "{:?}", refused.diagnostics);
    core.apply(&create).await.success().unwrap_or_else(|failure| panic!("{failure}"));
}

#[tokio::test]
async fn a_replaced_object_is_warned_about() {
    let world = World::new().await;
    let old = world.create(OBJECT, object()).await;
    let plan = world.core.plan(OBJECT, Some(&old), set(object(), "/manifest/metadata/name", json!("other"))).await.unwrap();
    assert_eq!((plan.action, warnings(&plan.diagnostics)), (Action::Replace, vec!["Replacement interrupts traffic (GM4016)"]));
}

#[tokio::test]
async fn protection_refuses_destroy_and_replacement() {
    for (type_name, config, pointer) in [(DESTINATION, destination(), "/name"), (OBJECT, object(), "/manifest/metadata/name")] {
        let world = World::new().await;
        let config = set(config, "/deletion_protection", json!(true));
        let instance = world.create(type_name, config.clone()).await;
        let before = contents(&world);
        let refused = world.core.plan_destroy(&instance).await.unwrap_err();
        assert!(refused.says("Deletion protection is on (GM4015)"), "{refused}");
        assert!(format!("{refused}").contains("deletion_protection = false"), "{refused}");
        let refused =
            world.core.plan(type_name, Some(&instance), set(config.clone(), pointer, json!("other"))).await.unwrap_err();
        assert!(refused.says("Deletion protection is on (GM4015)"), "{refused}");
        assert_eq!(contents(&world), before);
        let open = step(&world.core, type_name, Some(&instance), set(config, "/deletion_protection", json!(false))).await;
        world.core.destroy(&open).await.success().unwrap();
        assert_eq!(world.files(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn protection_keeps_a_backend_for_every_client() {
    let world = World::new().await;
    let base = set(destination(), "/deletion_protection", json!(true));
    let instance = world.create(DESTINATION, base.clone()).await;
    let swapped = set(base.clone(), "/backends", json!([backend("north")]));
    let refused = world.core.plan(DESTINATION, Some(&instance), swapped.clone()).await.unwrap_err();
    assert!(refused.says("Deletion protection is on (GM4015)"), "{refused}");
    // in two steps it goes, and so does what leaves every client one of its backends
    let all = set(base, "/backends", json!([backend("east"), backend("west"), backend("north")]));
    let instance = step(&world.core, DESTINATION, Some(&instance), all).await;
    step(&world.core, DESTINATION, Some(&instance), swapped).await;
}

#[tokio::test]
async fn what_is_taken_back_is_unknown_while_the_wish_is() {
    let world = World::new().await;
    let old = world.create(OBJECT, object()).await;
    let taker = "team/other//gloo_istio_object/bookinfo/VirtualService/reviews";
    let other = world.beside(owned_by("team/other")).await;
    step(&other, OBJECT, None, set(object(), "/takeover_from", json!(["test/it"]))).await;
    let written = contents(&world);
    let core = world.beside(|_| {}).await;
    let seen = core.refresh(&old).await.unwrap().unwrap();
    let wish = |entry: Json| set(object(), "/takeover_from", json!([entry]));
    for (entry, is_back) in [("team/nobody", false), (taker, true)] {
        let plan = core.plan(OBJECT, Some(&seen), wish(unknown())).await.unwrap_or_else(|failure| panic!("{failure}"));
        assert!(plan.planned.get("drift").is_unknown());
        let outcome = core.apply_with(&plan, wish(json!(entry))).await;
        let instance = outcome.success().unwrap_or_else(|failure| panic!("{entry}: {failure}")).unwrap();
        assert_eq!(instance.state["drift"] == json!({}), is_back, "{entry}");
        assert_eq!(contents(&world) == written, !is_back, "{entry}");
    }
}

#[tokio::test]
async fn what_is_taken_from_another_instance_is_unknown_while_the_wish_is() {
    for (wish, is_back) in [(false, false), (true, true)] {
        let world = World::new().await;
        let first = world.create(OBJECT, object()).await;
        let core = world.beside(|_| {}).await;
        step(&core, OBJECT, None, set(object(), "/adopt", json!(true))).await;
        let written = contents(&world);
        let core = world.beside(|_| {}).await;
        let seen = core.refresh(&first).await.unwrap().unwrap();
        let plan = core.plan(OBJECT, Some(&seen), set(object(), "/adopt", unknown())).await.unwrap();
        assert!(plan.planned.get("drift").is_unknown());
        let outcome = core.apply_with(&plan, set(object(), "/adopt", json!(wish))).await;
        let instance = outcome.success().unwrap_or_else(|failure| panic!("{wish}: {failure}")).unwrap();
        assert_eq!(instance.state["drift"] == json!({}), is_back, "{wish}");
        assert_eq!(contents(&world) == written, !is_back, "{wish}");
    }
}

#[tokio::test]
async fn an_object_that_may_be_another_is_updated_and_never_replaced_by_surprise() {
    let world = World::new().await;
    let old = world.create(OBJECT, object()).await;
    let hidden = set(object(), "/manifest", unknown());
    let plan = world.core.plan(OBJECT, Some(&old), hidden.clone()).await.unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(plan.action, Action::Update);
    let told: Vec<&str> = plan.diagnostics.iter().map(|diagnostic| diagnostic.detail.as_str()).collect();
    assert!(told.iter().any(|text| text.contains("Provider produced inconsistent final plan")), "{told:?}");
    let before = contents(&world);
    let other = set(object(), "/manifest/metadata/name", json!("other"));
    let refused = world.core.apply_with(&plan, other.clone()).await;
    assert!(
        refused.violations.iter().any(|text| text.contains("an update has become a replacement")),
        "{:?}",
        refused.violations
    );
    assert_eq!(contents(&world), before, "nothing was changed");
    assert_eq!(world.core.plan(OBJECT, Some(&old), other).await.unwrap().action, Action::Replace);
    for config in [object(), set(object(), "/manifest/spec/hosts", json!(["others"]))] {
        let outcome = world.core.apply_with(&plan, config.clone()).await;
        let new = outcome.success().unwrap_or_else(|failure| panic!("{failure}")).unwrap();
        assert_eq!(world.core.plan(OBJECT, Some(&new), config).await.unwrap().action, Action::NoOp);
    }
}

#[tokio::test]
async fn an_unknown_overlay_in_one_cluster_may_make_all_of_them_one() {
    let world = World::new().await;
    let patch = json!("{\"metadata\":{\"labels\":{\"team\":\"blue\"}}}");
    let overlay = |cluster: &str, patch: &Json| json!({ "kind": "VirtualService", "cluster": cluster, "merge_patch": patch });
    let config = |east: Json| {
        let overlays = json!([overlay("west", &patch), overlay("north", &patch), overlay("east", &east)]);
        set(destination(), "/overlays", overlays)
    };
    let plan = world.core.plan(DESTINATION, None, config(unknown())).await.unwrap();
    let outcome = world.core.apply_with(&plan, config(patch.clone())).await;
    let made = outcome.success().unwrap_or_else(|failure| panic!("{failure}")).unwrap();
    let plain = world.core.converge(DESTINATION, Some(&made), destination()).await.unwrap();
    let plan = world.core.plan(DESTINATION, Some(&plain), config(unknown())).await.unwrap();
    world.core.apply_with(&plan, config(patch.clone())).await.success().unwrap_or_else(|failure| panic!("{failure}"));
}

#[tokio::test]
async fn what_foreign_objects_say_is_never_obeyed_by_a_terminal() {
    let world = World::new().await;
    world.create(DESTINATION, destination()).await;
    for (field, text) in [
        ("gloo-terraform/claim", "a/b//gloo_istio_object/x/\\e[2Jname\\u202E"),
        ("gloo-terraform/claim", "\\e]0;title\\a//x/y/z"),
        ("gloo-terraform/claim", "team/other//gloo_\\u2066type/x/name"),
    ] {
        let path = world.file("east", ROUTE);
        let before = fs::read_to_string(&path).unwrap();
        let line = before.lines().find(|line| line.contains(field)).unwrap();
        fs::write(&path, before.replace(line, &format!("    {field}: \"{text}\""))).unwrap();
        let other = world.beside(owned_by("team/third")).await;
        let refused = other.plan(DESTINATION, None, destination()).await.unwrap_err();
        let told = format!("{refused}");
        assert!(told.contains("vd-reviews.mesh.internal"), "{told}");
        let is_obeyed = |c: char| (c.is_control() && c != '\n') || "\u{202e}\u{2066}".contains(c);
        assert!(!told.contains(is_obeyed), "{told:?}");
        fs::write(&path, before).unwrap();
    }
}
