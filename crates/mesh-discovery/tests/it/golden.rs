//! Every case gives exactly the facts and findings written beside it. `UPDATE_GOLDEN=1` writes them anew.

use std::path::Path;

use mesh_discovery::{CLAIM_ANNOTATION, cluster_facts};
use mesh_model::encode;
use serde_json::Value;

use crate::cases::{Case, folder};
use crate::shape;

#[test]
fn cases_give_what_is_written_beside_them() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for case in Case::all() {
        let (out, findings) = case.judge(&case.objects);
        let out = format!("{}\n", serde_json::to_string_pretty(&out).unwrap());
        for (name, text) in [("out.json", out), ("findings.txt", findings)] {
            let file = case.folder.join(name);
            if update {
                std::fs::write(&file, text).unwrap();
            } else if std::fs::read_to_string(&file).unwrap_or_default() != text {
                wrong.push(format!("{} should be:\n{text}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}\nUPDATE_GOLDEN=1 writes what is right.", wrong.join("\n"));
}

/// Every code of discovery stands in a golden case, so that its words are seen.
#[test]
fn every_code_has_a_case() {
    let findings: String = Case::all().iter().map(|case| case.judge(&case.objects).1).collect();
    for code in mesh_model::Code::ALL.iter().filter(|code| code.as_str().starts_with("GM31")) {
        assert!(findings.contains(code.as_str()), "no case shows {code} {}", code.summary());
    }
}

#[test]
fn the_quick_start_has_no_finding() {
    for cluster in ["east", "west"] {
        let case = Case::named(&format!("quickstart-{cluster}"));
        assert_eq!(case.judge(&case.objects).1, "");
    }
}

#[test]
fn facts_of_a_cluster_take_at_most_300_bytes() {
    for cluster in ["east", "west"] {
        let inventory = folder(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../examples/quickstart/clusters/{cluster}/inventory")),
        );
        let facts = cluster_facts(&inventory, &cluster.parse().unwrap(), None, None).value.unwrap().facts;
        let bytes = shape::attributes(&encode::cluster_facts(&facts)).to_string().len();
        assert!(bytes <= 300, "{bytes} bytes");
    }
}

/// A Gateway of this owner is ignored, without one it is a fact, and another owner's is only reported.
#[test]
fn own_objects_are_ignored() {
    let case = Case::named("foreign-gateway");
    let judged = |owner: Option<&str>, claim: Option<&str>| {
        let mut objects = case.objects.clone();
        for object in objects.iter_mut().filter(|object| object["kind"] == "Gateway") {
            if let Some(claim) = claim {
                object["metadata"]["annotations"] = serde_json::json!({ CLAIM_ANNOTATION: claim });
            }
        }
        let owner = owner.map(|owner| owner.parse().unwrap());
        let found = cluster_facts(&objects, &"east".parse().unwrap(), owner.as_ref(), None).value.unwrap();
        (found.facts.gateways[0].exposed_hosts.clone(), found.observed.other_owners.into_iter().collect::<Vec<_>>())
    };
    let none = || (Vec::<String>::new(), Vec::<String>::new());
    assert_eq!(judged(Some("a/b"), None), (vec!["*.local".to_owned()], vec![]));
    assert_eq!(judged(Some("a/b"), Some("a/b//gloo_virtual_destination/x/y")), none());
    assert_eq!(judged(Some("a/b"), Some("a/c//gloo_virtual_destination/x/y")), (vec![], vec!["a/c".to_owned()]));
    assert_eq!(judged(None, Some("a/c//gloo_virtual_destination/x/y")), (vec![], vec!["a/c".to_owned()]));
}

/// The facts say nothing that the list form of the inventory could change.
#[test]
fn lists_and_single_objects_say_the_same() {
    for case in Case::all() {
        let mut single = Vec::new();
        for object in &case.objects {
            match object.get("items").and_then(Value::as_array) {
                Some(items) => single.extend(items.clone()),
                None => single.push(object.clone()),
            }
        }
        assert_eq!(case.judge(&single), case.judge(&case.objects), "{}", case.folder.display());
        let nested = serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": case.objects });
        assert_eq!(case.judge(&[nested]), case.judge(&case.objects), "{}", case.folder.display());
    }
}

/// A list as the API server sends it: the kind stands on the list alone.
#[test]
fn items_of_typed_lists_have_the_kind_of_their_list() {
    let case = Case::named("quickstart-east");
    let typed: Vec<Value> = case
        .objects
        .iter()
        .map(|object| {
            let mut object = object.clone();
            let Some(items) = object.get_mut("items").and_then(Value::as_array_mut) else { return object };
            let (version, kind) = (items[0]["apiVersion"].clone(), format!("{}List", items[0]["kind"].as_str().unwrap()));
            for item in items {
                item.as_object_mut().unwrap().retain(|key, _| key != "kind" && key != "apiVersion");
            }
            object["apiVersion"] = version;
            object["kind"] = kind.into();
            object
        })
        .collect();
    assert_eq!(case.judge(&typed), case.judge(&case.objects));
}
