//! Overlays: members that the user lays over objects (RFC 7386), last and in their order.
//!
//! Contract: what identifies an object, and what the provider keeps on it for itself, stays. An overlay that changes nothing
//! because there is no such object is an error. An unknown patch hides the objects that it is for, and no other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use istio_objects::{Object, ObjectKey, Tree, reserved};
use mesh_model::intent::Overlay;
use mesh_model::names::ClusterName;
use mesh_model::{AttributePath, Code, Finding, Findings, Input, Leaf, LeafPath, derived};

use crate::Objects;

/// Lays the overlays over the objects. After an error the objects are as they were.
pub(crate) fn lay(objects: &mut Objects, overlays: &[Overlay]) -> Findings {
    let mut findings = Findings::new();
    if overlays.is_empty() {
        return findings;
    }
    for (index, overlay) in overlays.iter().enumerate() {
        let path = AttributePath::of("overlays").index(index);
        findings.extend(unmatched(objects, overlay, &path));
        if let Leaf::Known(patch) = &overlay.patch {
            findings.extend(forbidden(patch).map(|what| forbidden_finding(&what, &path)));
        }
    }
    if !findings.is_empty() {
        return findings;
    }
    let unknown = unknown_leaves(objects, overlays);
    for (cluster, objects) in objects.iter_mut() {
        for object in objects {
            if let Some(leaf) = unknown.get(&(object.key(), cluster.clone())) {
                Arc::make_mut(object).body.insert("spec".to_owned(), Tree::Unknown(leaf.clone()));
                continue;
            }
            let patches: Vec<_> = matching(overlays, cluster, object).filter_map(|(_, overlay)| overlay.patch.known()).collect();
            for patch in patches {
                merge_object(Arc::make_mut(object), patch);
            }
        }
    }
    findings
}

fn matching<'a>(
    overlays: &'a [Overlay],
    cluster: &ClusterName,
    object: &Object,
) -> impl Iterator<Item = (usize, &'a Overlay)> + use<'a> {
    let (cluster, kind) = (cluster.clone(), meant_as(object));
    overlays.iter().enumerate().filter(move |(_, overlay)| {
        kind.as_ref() == Some(&overlay.kind) && overlay.cluster.as_ref().is_none_or(|only| *only == cluster)
    })
}

/// The kind by which overlays mean an object; none means the DestinationRule by which gateways tell subsets apart: it is no policy.
pub(crate) fn meant_as(object: &Object) -> Option<String> {
    let kind = object.kind.key_name();
    (kind != "DestinationRule" || !derived::is_serving_name(&object.name)).then_some(kind)
}

/// The objects that an unknown patch is for. Objects of one key share a leaf only if they become the same whatever the patch
/// says.
fn unknown_leaves(objects: &Objects, overlays: &[Overlay]) -> BTreeMap<(ObjectKey, ClusterName), LeafPath> {
    type Makings<'a> = (&'a Object, Vec<usize>);
    let mut by_key: BTreeMap<ObjectKey, Vec<(&ClusterName, Makings<'_>)>> = BTreeMap::new();
    for (cluster, objects) in objects {
        for object in objects {
            let indices = matching(overlays, cluster, object).map(|(index, _)| index).collect();
            by_key.entry(object.key()).or_default().push((cluster, (object, indices)));
        }
    }
    let mut leaves = BTreeMap::new();
    for (key, holders) in by_key {
        let are_same = holders.windows(2).all(|pair| pair[0].1 == pair[1].1);
        for (cluster, (_, indices)) in holders {
            let unknown = indices.iter().find_map(|index| match &overlays[*index].patch {
                Leaf::Unknown(leaf) => Some(leaf),
                Leaf::Known(_) => None,
            });
            if let Some(leaf) = unknown {
                let leaf = if are_same { leaf.clone() } else { LeafPath(format!("{leaf} ({cluster})")) };
                leaves.insert((key.clone(), cluster.clone()), leaf);
            }
        }
    }
    leaves
}

/// What a patch must not touch.
fn forbidden(patch: &BTreeMap<String, Input>) -> impl Iterator<Item = String> {
    let mut touched = Vec::new();
    for (name, value) in patch {
        match (name.as_str(), value) {
            ("apiVersion" | "kind" | "status", _) => touched.push(name.clone()),
            ("metadata", Input::Map(members)) => {
                for (name, value) in members {
                    match (name.as_str(), value) {
                        ("labels" | "annotations", Input::Map(entries)) => {
                            let own = entries.iter().filter(|(key, value)| {
                                reserved::is_ours(key) || !matches!(value, Input::String(_) | Input::Null)
                            });
                            touched.extend(own.map(|(key, _)| format!("metadata.{name}[{key:?}]")));
                        }
                        _ => touched.push(format!("metadata.{name}")),
                    }
                }
            }
            ("metadata", _) => touched.push(name.clone()),
            ("spec", Input::Map(_)) => {}
            ("spec", _) => touched.push(name.clone()),
            _ => {}
        }
    }
    touched.into_iter()
}

fn merge_object(object: &mut Object, patch: &BTreeMap<String, Input>) {
    for (name, value) in patch {
        match (name.as_str(), value) {
            ("metadata", Input::Map(members)) => {
                for (member, own) in [("labels", &mut object.labels), ("annotations", &mut object.annotations)] {
                    let Some(Input::Map(entries)) = members.get(member) else { continue };
                    for (key, value) in entries {
                        match value {
                            Input::String(text) => drop(own.insert(key.clone(), text.clone())),
                            _ => drop(own.remove(key)),
                        }
                    }
                }
            }
            _ => merge_member(&mut object.body, name, value),
        }
    }
}

/// RFC 7386 for one member.
fn merge_member(target: &mut BTreeMap<String, Tree>, name: &str, patch: &Input) {
    match patch {
        Input::Null => drop(target.remove(name)),
        Input::Map(members) => match target.get_mut(name) {
            // what an unknown value becomes under a patch is not known either
            Some(Tree::Unknown(_)) => {}
            Some(Tree::Map(own)) => members.iter().for_each(|(name, patch)| merge_member(own, name, patch)),
            _ => {
                let mut own = BTreeMap::new();
                members.iter().for_each(|(name, patch)| merge_member(&mut own, name, patch));
                target.insert(name.to_owned(), Tree::Map(own));
            }
        },
        other => drop(target.insert(name.to_owned(), tree(other))),
    }
}

fn tree(value: &Input) -> Tree {
    match value {
        // a known patch holds nothing unknown
        Input::Null | Input::Unknown => Tree::Null,
        Input::Bool(value) => Tree::Bool(*value),
        Input::Number(text) => Tree::Number(text.clone()),
        Input::String(text) => Tree::String(text.clone()),
        Input::List(items) => Tree::List(items.iter().map(tree).collect()),
        Input::Map(members) => Tree::Map(members.iter().map(|(name, value)| (name.clone(), tree(value))).collect()),
    }
}

fn unmatched(objects: &Objects, overlay: &Overlay, path: &AttributePath) -> Option<Finding> {
    let kinds = |cluster: Option<&ClusterName>| -> BTreeSet<String> {
        let objects = objects.iter().filter(|(name, _)| cluster.is_none_or(|cluster| cluster == *name));
        objects.flat_map(|(_, objects)| objects.iter().map(|object| object.kind.key_name())).collect()
    };
    if kinds(overlay.cluster.as_ref()).contains(&overlay.kind) {
        return None;
    }
    let written = kinds(overlay.cluster.as_ref()).into_iter().collect::<Vec<_>>().join(", ");
    let written = if written.is_empty() { "none".to_owned() } else { written };
    let (path, place) = match &overlay.cluster {
        Some(cluster) if kinds(None).contains(&overlay.kind) => (path.attribute("cluster"), format!(" in cluster {cluster}")),
        _ => (path.attribute("kind"), String::new()),
    };
    Some(Finding::new(
        Code::OverlayWithoutObject,
        path,
        format!("The destination writes no {}{place}; it writes: {written}.", overlay.kind),
        "The overlay would do nothing.",
        "Name one of these kinds, or remove the overlay:\n\n  overlays = [{\n    kind        = \"DestinationRule\"\n    merge_patch \
         = jsonencode({ spec = { … } })\n  }]",
    ))
}

fn forbidden_finding(what: &str, path: &AttributePath) -> Finding {
    Finding::new(
        Code::OverlayForbidden,
        path.attribute("merge_patch"),
        format!("The patch touches `{what}`."),
        "What identifies an object, its status and what begins with gloo-terraform are not the user's; `spec` stays an object, \
         and labels and annotations are strings.",
        "Patch members of `spec`, `metadata.labels` or `metadata.annotations`.",
    )
}
