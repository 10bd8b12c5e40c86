//! The objects of one cluster, flattened, indexed, and without those that this owner wrote.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use mesh_model::names::OwnerId;
use serde_json::Value;

use crate::read;

/// Annotation by which an object names the state that it belongs to: `<owner>//…`.
pub const CLAIM_ANNOTATION: &str = "gloo-terraform/claim";

/// One Kubernetes object.
#[derive(Clone, Copy)]
pub(crate) struct Object<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    pub(crate) value: &'a Value,
}

impl<'a> Object<'a> {
    pub(crate) fn label(&self, name: &str) -> Option<&'a str> {
        read::text(self.value, &["metadata", "labels", name])
    }

    /// The owner in its claim, if it has a claim.
    pub(crate) fn claimed_by(&self) -> Option<&'a str> {
        let claim = read::text(self.value, &["metadata", "annotations", CLAIM_ANNOTATION])?;
        Some(claim.split_once("//").map_or(claim, |(owner, _)| owner))
    }
}

/// Kinds that discovery reads; one kind name may occur in several API groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    ConfigMap,
    DaemonSet,
    Deployment,
    /// of Gateway API
    GatewayApiGateway,
    /// of Istio
    IstioGateway,
    MutatingWebhookConfiguration,
    Namespace,
    Node,
    Pod,
    ReplicaSet,
    Service,
    StatefulSet,
}

impl Kind {
    fn parse(api_version: &str, kind: &str) -> Option<Self> {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        Some(match (group, kind) {
            ("", "ConfigMap") => Self::ConfigMap,
            ("apps", "DaemonSet") => Self::DaemonSet,
            ("apps", "Deployment") => Self::Deployment,
            ("gateway.networking.k8s.io", "Gateway") => Self::GatewayApiGateway,
            ("networking.istio.io", "Gateway") => Self::IstioGateway,
            ("admissionregistration.k8s.io", "MutatingWebhookConfiguration") => Self::MutatingWebhookConfiguration,
            ("", "Namespace") => Self::Namespace,
            ("", "Node") => Self::Node,
            ("", "Pod") => Self::Pod,
            ("apps", "ReplicaSet") => Self::ReplicaSet,
            ("", "Service") => Self::Service,
            ("apps", "StatefulSet") => Self::StatefulSet,
            _ => return None,
        })
    }

    fn is_namespaced(self) -> bool {
        !matches!(self, Self::MutatingWebhookConfiguration | Self::Namespace | Self::Node)
    }
}

/// What an inventory holds.
pub(crate) struct Inventory<'a> {
    objects: BTreeMap<(Kind, &'a str, &'a str), Object<'a>>,
    present: BTreeSet<Kind>,
    /// names of other owners whose claims were seen
    pub(crate) other_owners: BTreeSet<&'a str>,
    /// entries that are no Kubernetes objects
    pub(crate) unreadable: usize,
    /// `<Kind>/<namespace>/<name>` of objects that occur twice and differ
    pub(crate) conflicting: BTreeSet<String>,
}

impl<'a> Inventory<'a> {
    /// Flattens lists, drops what `owner` claims, and of two versions of one object keeps the one written last.
    pub(crate) fn new(values: &'a [impl Borrow<Value>], owner: Option<&OwnerId>) -> Self {
        let mut inventory = Self {
            objects: BTreeMap::new(),
            present: BTreeSet::new(),
            other_owners: BTreeSet::new(),
            unreadable: 0,
            conflicting: BTreeSet::new(),
        };
        // (object, apiVersion and kind that the list around it gives to items without their own)
        let mut open: Vec<(&Value, &str, &str)> = values.iter().map(|value| (value.borrow(), "", "")).collect();
        while let Some((value, list_version, list_kind)) = open.pop() {
            if value.is_null() {
                continue; // an empty YAML document
            }
            let api_version = read::text(value, &["apiVersion"]).unwrap_or(list_version);
            let kind = read::text(value, &["kind"]).unwrap_or(list_kind);
            if let (Some(element), Some(items)) = (kind.strip_suffix("List"), value.get("items").and_then(Value::as_array)) {
                if let Some(kind) = Kind::parse(api_version, element) {
                    inventory.present.insert(kind);
                }
                open.extend(items.iter().map(|item| (item, api_version, element)));
                continue;
            }
            inventory.add(value, api_version, kind, owner);
        }
        inventory
    }

    fn add(&mut self, value: &'a Value, api_version: &str, kind_name: &str, owner: Option<&OwnerId>) {
        let name = read::text(value, &["metadata", "name"]);
        let Some(name) = name.filter(|_| !kind_name.is_empty()) else {
            self.unreadable += 1;
            return;
        };
        let Some(kind) = Kind::parse(api_version, kind_name) else { return };
        self.present.insert(kind);
        let namespace = match read::text(value, &["metadata", "namespace"]) {
            _ if !kind.is_namespaced() => "",
            Some(namespace) => namespace,
            None => "default",
        };
        let object = Object { namespace, name, value };
        if let Some(claimed_by) = object.claimed_by() {
            if owner.is_some_and(|owner| owner.as_str() == claimed_by) {
                return;
            }
            self.other_owners.insert(claimed_by);
        }
        let key = (kind, namespace, name);
        match self.objects.get(&key) {
            Some(known) if known.value != value => {
                self.conflicting.insert(format!("{kind_name}/{}/{name}", if namespace.is_empty() { "-" } else { namespace }));
                if age(known.value) < age(value) {
                    self.objects.insert(key, object);
                }
            }
            Some(_) => {}
            None => {
                self.objects.insert(key, object);
            }
        }
    }

    /// Whether the inventory has any object of this kind: without one, nothing is known of the kind.
    pub(crate) fn has(&self, kind: Kind) -> bool {
        self.present.contains(&kind)
    }

    /// All objects of a kind, by namespace and name.
    pub(crate) fn all(&self, kind: Kind) -> impl Iterator<Item = Object<'a>> {
        self.objects.range((kind, "", "")..).take_while(move |((of, _, _), _)| *of == kind).map(|(_, object)| *object)
    }

    /// The objects of a kind in one namespace, by name.
    pub(crate) fn within(&self, kind: Kind, namespace: &'a str) -> impl Iterator<Item = Object<'a>> {
        self.objects
            .range((kind, namespace, "")..)
            .take_while(move |((of, within, _), _)| *of == kind && *within == namespace)
            .map(|(_, object)| *object)
    }

    /// One object.
    pub(crate) fn get(&self, kind: Kind, namespace: &str, name: &str) -> Option<Object<'a>> {
        self.objects.get(&(kind, namespace, name)).copied()
    }
}

/// Orders two versions of one object: by resource version where both have one, else by content, so that the order of files
/// never decides.
fn age(value: &Value) -> (u64, String) {
    let version = read::text(value, &["metadata", "resourceVersion"]).and_then(|version| version.parse().ok()).unwrap_or(0);
    (version, value.to_string())
}
