//! What a plan says of objects that exist and become the resource's: whose they are, and what of them is overwritten.

use std::collections::BTreeMap;
use std::sync::Arc;

use istio_objects::{Claim, Object, ObjectKey, annotation, is_under, reserved};
use kube_apply::{Census, nonce_of};
use mesh_model::names::ClusterName;
use mesh_model::{AttributePath, Code, Finding, Findings};
use mesh_translate::Objects;
use serde_json::Value as Json;

use super::meet::Asking;
use crate::session::Inventories;

/// Most changed fields that one finding shows, and most objects that it names.
const SHOWN: usize = 10;

/// Objects that are taken for one reason.
#[derive(Default)]
struct Group {
    objects: Vec<String>,
    lines: Vec<String>,
}

/// Judges what exists under the keys of the planned objects.
pub(super) fn findings(asking: &Asking<'_>, objects: &Objects, inventories: &Inventories) -> Findings {
    let mut findings = Findings::new();
    let mut taken: BTreeMap<Claim, Group> = BTreeMap::new();
    let mut others = Group::default();
    let census = census(asking.rights.claim, inventories);
    for (cluster, live) in inventories {
        for object in objects.get(cluster).into_iter().flatten() {
            let key = object.key();
            let Some(there) = live.iter().rfind(|json| is_under(json, &key)) else { continue };
            let lines = || overwritten(object, asking.rights.claim, there);
            match Claim::on(there) {
                None if annotation(there, reserved::CLAIM_ANNOTATION).is_some() => {}
                None if asking.rights.adopt == Some(true) => findings.push(adopts(cluster, &key, lines())),
                None => {}
                Some(claim) if claim == *asking.rights.claim => {
                    let other = nonce_of(there).filter(|nonce| asking.instance != Some(nonce));
                    let is_told_apart = asking.instance.is_some() || !asking.exists;
                    if is_told_apart && other.is_some_and(|nonce| census.is_complete(nonce)) {
                        others.add(cluster, &key, lines());
                    }
                }
                Some(claim) if asking.rights.takeover.iter().flatten().any(|other| *other == claim) => {
                    taken.entry(claim).or_default().add(cluster, &key, lines());
                }
                Some(_) => {}
            }
        }
    }
    findings.extend(taken.into_iter().map(|(claim, group)| group.taken_over(&format!("of {claim}"))));
    if !others.objects.is_empty() {
        findings.push(match (asking.takes_instances, asking.exists) {
            (Some(false), false) => others.met_instance(asking.rights.claim),
            (Some(false), true) => others.is_others(asking.rights.claim),
            _ => others.taken_over("of another instance with this owner, namespace and name"),
        });
    }
    findings
}

/// The instances that wrote what is there with this claim.
fn census(claim: &Claim, inventories: &Inventories) -> Census {
    let (mut census, claim) = (Census::default(), claim.to_string());
    for (cluster, live) in inventories {
        let is_claimed = |json: &&Arc<Json>| annotation(json, reserved::CLAIM_ANNOTATION) == Some(claim.as_str());
        live.iter().filter(is_claimed).for_each(|json| census.note(cluster, json));
    }
    census
}

/// What differs between the planned object and the live one, but for what says whose it is.
fn overwritten(object: &Object, claim: &Claim, live: &Json) -> Vec<String> {
    let sealed = object.seal(claim, &BTreeMap::new());
    let Some(manifest) = sealed.manifest() else { return vec!["what it will be is known only after apply".to_owned()] };
    let ours = ["metadata.labels[\"gloo-terraform", "metadata.annotations[\"gloo-terraform"];
    let lines = kube_apply::drift_lines(manifest, Some(live));
    lines.into_iter().filter(|line| !ours.iter().any(|ours| line.starts_with(ours))).collect()
}

/// Lines below one another, the first few of them.
fn shown(lines: &[String]) -> String {
    let more = lines.len().saturating_sub(SHOWN);
    let mut text: String = lines.iter().take(SHOWN).map(|line| format!("\n  {line}")).collect();
    if more > 0 {
        text.push_str(&format!("\n  and {more} more"));
    }
    text
}

fn adopts(cluster: &ClusterName, key: &ObjectKey, lines: Vec<String>) -> Finding {
    let why = if lines.is_empty() {
        "It says what the plan says; only labels and annotations that name the owner are added.".to_owned()
    } else {
        format!("Apply overwrites:{}", shown(&lines))
    };
    Finding::new(
        Code::AdoptsObject,
        AttributePath::of("adopt"),
        format!("{key} exists in cluster {cluster}, nobody claims it, and it becomes this resource's."),
        why,
        "If it is somebody's, remove `adopt = true`. After the apply the argument has done its work and can go.",
    )
    .in_cluster(cluster)
    .on_object(key)
}

impl Group {
    fn add(&mut self, cluster: &ClusterName, key: &ObjectKey, lines: Vec<String>) {
        self.objects.push(format!("{cluster}/{key}"));
        self.lines.extend(lines.into_iter().map(|line| format!("{cluster}/{key}: {line}")));
    }

    fn count(&self) -> String {
        if self.objects.len() == 1 { "1 object".to_owned() } else { format!("{} objects", self.objects.len()) }
    }

    fn taken_over(&self, whose: &str) -> Finding {
        let why = if self.lines.is_empty() {
            "They are changed in place and keep what they say; only their owner changes.".to_owned()
        } else {
            format!("They are changed in place:{}", shown(&self.lines))
        };
        Finding::new(
            Code::TakesOver,
            AttributePath::default(),
            format!("{} {whose} become this resource's:{}", self.count(), shown(&self.objects)),
            why,
            "After the apply, the plan of the other state shows that they are gone; its destroy leaves them alone. Then \
             `takeover_from` or `adopt` can go.",
        )
    }

    fn met_instance(&self, claim: &Claim) -> Finding {
        Finding::new(
            Code::MetInstance,
            AttributePath::default(),
            format!("{} with the claim {claim} exist, written by another instance:{}", self.count(), shown(&self.objects)),
            "If this run destroys that instance too, because the resource was renamed, tainted or is replaced, the objects are \
             handed over in place when both calls meet. A delete that begins before anything is known of the create deletes \
             them, and they are created again. With create_before_destroy the old instance is deleted after the create, so \
             they cannot meet, and the apply refuses; so it does if nothing destroys that instance.",
            "A renamed resource is better moved:\n\n  moved {\n    from = <old address>\n    to   = <new \
             address>\n  }\n\nA tainted one, or one that `-replace` names, is better left: an apply repairs its objects in \
             place (terraform untaint). If the state was lost, import the resource. If two states share one `owner`, give \
             each its own. To take the objects whoever has them, also with create_before_destroy:\n\n  adopt = true",
        )
    }

    fn is_others(&self, claim: &Claim) -> Finding {
        Finding::new(
            Code::OtherInstance,
            AttributePath::default(),
            format!("{} with the claim {claim} are another instance's by now:{}", self.count(), shown(&self.objects)),
            "Another state with the same `owner` took them; two states would overwrite each other's objects.",
            "Give every state an `owner` of its own, or remove this resource: its destroy leaves them alone. To take them \
             back:\n\n  adopt = true",
        )
    }
}
