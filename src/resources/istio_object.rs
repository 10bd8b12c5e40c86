//! `gloo_istio_object`: one object as it is, in several clusters, through the same engine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use istio_objects::{Claim, Kind as ObjectKind, Object, ObjectKey, Tree, keep_written, reserved};
use mesh_model::names::{ClusterName, Namespace, ObjectName};
use mesh_model::{AttributePath, Code, Finding, Findings, LeafPath};
use tf_server::MoveSource;
use tf_value::schema::{Attribute, ForImport, Schema};
use tf_value::{Diagnostics, Reader, Tf, Type, Value};

use super::moved;
use crate::lifecycle::{Identity, IntentKind, Interpretation, Live, Owned, Shape};
use crate::schema::{computed, ownership, timeouts};

/// The resource.
pub(crate) struct IstioObject;

/// Groups whose kinds may be written: what the mesh is made of. Secrets, workloads and RBAC are not among them.
const GROUPS: &[&str] =
    &["networking.istio.io", "security.istio.io", "telemetry.istio.io", "extensions.istio.io", "gateway.networking.k8s.io"];

impl IntentKind for IstioObject {
    const TYPE: &'static str = "gloo_istio_object";
    const IDENTITY: &'static [&'static str] = &["manifest"];
    const WRITTEN_IN: Option<&'static str> = Some("manifest");

    fn schema(&self) -> Schema {
        let mut attributes = vec![
            Attribute::required("clusters", Type::set(Type::String), "Clusters that get the object."),
            Attribute::required(
                "manifest",
                Type::Dynamic,
                "The object: `apiVersion`, `kind`, `metadata` (`name`, `namespace`, `labels`, `annotations`) and `spec`, of an Istio or Gateway API group. A change of kind, namespace or name replaces it.",
            ),
            timeouts(),
        ];
        attributes.extend(ownership());
        attributes.extend(computed("`<Kind>/<namespace>/<name>`."));
        Schema {
            version: 0,
            description: "One Istio or Gateway API object, written as it is to several clusters with the same safety, claims and drift check as every other resource.".to_owned(),
            attributes,
        }
    }

    fn identify(&self, config: &Value) -> Option<Identity> {
        key_of(config.get("manifest")).map(|key| identity(&key))
    }

    fn interpret(&self, config: &Value) -> Interpretation {
        let mut findings = Findings::new();
        let root = Reader::root(config);
        let manifest = root.attribute("manifest");
        let object = object(manifest.value, &mut findings);
        let clusters = clusters(&root.attribute("clusters"), &mut findings);
        let identity = key_of(manifest.value).map(|key| identity(&key));
        let shape = match (object, clusters) {
            (None, _) | (_, None) => Shape::Invalid,
            (Some(Err(leaf)), _) | (_, Some(Err(leaf))) => {
                findings.push(unknown_shape(&leaf));
                Shape::Unknown(leaf)
            }
            (Some(Ok(object)), Some(Ok(clusters))) => {
                let object = Arc::new(object);
                Shape::Objects(clusters.into_iter().map(|cluster| (cluster, vec![Arc::clone(&object)])).collect())
            }
        };
        Interpretation { identity, computed: BTreeMap::new(), shape, findings, ignored: BTreeSet::new() }
    }

    fn anchors(&self) -> &'static [&'static str] {
        &[]
    }

    fn parse_id(&self, id: &str) -> Result<Identity, String> {
        let key: ObjectKey = id
            .parse()
            .map_err(|_| format!("{id:?} is no id of an object.\n\nIt reads `<Kind>/<namespace>/<name>`: `VirtualService/bookinfo/reviews`; kinds of other groups than Istio's carry the group: `HTTPRoute.gateway.networking.k8s.io/bookinfo/reviews`."))?;
        Ok(identity(&key))
    }

    fn restore(&self, _identity: &Identity, claimed: &Owned, _owned: &Owned) -> Result<Value, String> {
        let holders: Vec<(&ClusterName, &Live)> =
            claimed.iter().flat_map(|(cluster, objects)| objects.iter().map(move |object| (cluster, object))).collect();
        let (_, first) = holders.first().ok_or("No cluster holds such an object.")?;
        let (ty, manifest) = Value::from_json_untyped(&own(&first.json)).map_err(|error| error.to_string())?;
        let mut attributes: BTreeMap<String, Value> =
            self.schema().attributes.into_iter().map(|attribute| (attribute.name, Value::Null)).collect();
        attributes.insert("clusters".to_owned(), Value::set(holders.iter().map(|(cluster, _)| Value::string(cluster.as_str()))));
        attributes.insert("manifest".to_owned(), Value::Dynamic(Box::new((ty, manifest))));
        Ok(Value::Map(attributes))
    }

    const NAMES: &'static [(&'static str, ForImport, &'static str)] = &[
        (
            "kind",
            ForImport::Required,
            "Kind of the object; with the group where that is not Istio's: `HTTPRoute.gateway.networking.k8s.io`.",
        ),
        ("namespace", ForImport::Optional, "Namespace of the object, if its kind has one."),
        ("name", ForImport::Required, "Name of the object."),
    ];

    fn names_of(&self, id: &str) -> Vec<(&'static str, Option<String>)> {
        let Ok(key) = id.parse::<ObjectKey>() else { return Vec::new() };
        let namespace = key.namespace.map(|namespace| namespace.to_string());
        vec![("kind", Some(key.kind)), ("namespace", namespace), ("name", Some(key.name.to_string()))]
    }

    fn id_of(&self, identity: &Value) -> String {
        let part = |name| identity.get(name).as_str();
        let (kind, name) = (part("kind").unwrap_or_default(), part("name").unwrap_or_default());
        format!("{kind}/{}/{name}", part("namespace").unwrap_or("-"))
    }

    fn take_in(&self, source: &MoveSource) -> Option<Result<Value, Diagnostics>> {
        let manifest = moved::manifest(source)?;
        Some(manifest.and_then(|manifest| moved::state(self, &manifest)))
    }

    fn replacement(&self, prior: &Value, planned: &Value, _given_up: Option<&Claim>) -> Findings {
        super::change::object_replaced(prior, planned)
    }
}

/// The identity of the object's resource: the claim's name carries the kind, so that two kinds of one name differ.
fn identity(key: &ObjectKey) -> Identity {
    Identity { namespace: key.namespace.clone(), name: format!("{}/{}", key.kind, key.name), id: key.to_string() }
}

/// A live object without what the provider and the API server added.
pub(super) fn own(json: &serde_json::Value) -> serde_json::Value {
    let mut own = json.clone();
    keep_written(&mut own);
    if let Some(metadata) = own.get_mut("metadata").and_then(serde_json::Value::as_object_mut) {
        for member in ["labels", "annotations"] {
            if let Some(map) = metadata.get_mut(member).and_then(serde_json::Value::as_object_mut) {
                map.retain(|key, _| !["gloo-terraform/", reserved::STATE_PREFIX].iter().any(|prefix| key.starts_with(prefix)));
                if map.is_empty() {
                    metadata.remove(member);
                }
            }
        }
    }
    own
}

/// The key of the object that `manifest` describes, as soon as what it is made of is known: labels, annotations and `spec` have
/// no say in which object it is.
fn key_of(manifest: &Value) -> Option<ObjectKey> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let inner = manifest.inner();
    let metadata = inner.get("metadata").inner();
    let kind = ObjectKind::parse(&text(inner.get("apiVersion").inner())?, &text(inner.get("kind").inner())?)?;
    let namespace = match metadata.get("namespace").inner() {
        Value::Null => None,
        namespace => Some(text(namespace)?.parse().ok()?),
    };
    Some(ObjectKey { kind: kind.key_name(), namespace, name: text(metadata.get("name").inner())?.parse().ok()? })
}

/// The object that `manifest` describes; the unknown leaf that decides which one it is; `None` when findings say what is wrong.
pub(super) fn object(manifest: &Value, findings: &mut Findings) -> Option<Result<Object, LeafPath>> {
    if manifest.is_unknown() {
        return Some(Err(LeafPath("manifest".to_owned())));
    }
    let Tree::Map(mut members) = tree(manifest, "manifest") else {
        findings.push(wrong("manifest", "it is no object"));
        return None;
    };
    let mut take = |name: &str| match members.remove(name) {
        Some(Tree::String(text)) => Ok(Some(text)),
        Some(Tree::Unknown(leaf)) => Err(leaf),
        Some(Tree::Null) | None => {
            findings.push(wrong(&format!("manifest.{name}"), "it is not set"));
            Ok(None)
        }
        Some(_) => {
            findings.push(wrong(&format!("manifest.{name}"), "it is no string"));
            Ok(None)
        }
    };
    let (api_version, kind) = match (take("apiVersion"), take("kind")) {
        (Err(leaf), _) | (_, Err(leaf)) => return Some(Err(leaf)),
        (Ok(api_version), Ok(kind)) => (api_version?, kind?),
    };
    let kind = match ObjectKind::parse(&api_version, &kind) {
        // the kinds of these groups are in CamelCase
        Some(kind) if GROUPS.contains(&kind.group.as_str()) && kind.kind.starts_with(|c: char| c.is_ascii_uppercase()) => kind,
        _ => {
            findings.push(Finding::new(
                Code::Unsupported,
                AttributePath::of("manifest"),
                format!("`manifest` is a {kind} of {api_version}, which is not a kind of a mesh."),
                format!("This resource writes kinds of {}, spelt as in `VirtualService`.", GROUPS.join(", ")),
                "Manage other kinds with a provider for Kubernetes.",
            ));
            return None;
        }
    };
    if members.remove("status").is_some_and(|status| status != Tree::Null) {
        findings.push(wrong("manifest.status", "a status is written by controllers, not by you"));
    }
    let metadata = match members.remove("metadata") {
        Some(Tree::Map(metadata)) => metadata,
        Some(Tree::Unknown(leaf)) => return Some(Err(leaf)),
        _ => {
            findings.push(wrong("manifest.metadata", "it is no object"));
            return None;
        }
    };
    let metadata = match self::metadata(metadata, findings)? {
        Ok(metadata) => metadata,
        Err(leaf) => return Some(Err(leaf)),
    };
    members.retain(|_, member| *member != Tree::Null);
    let (name, namespace, labels, annotations) = metadata;
    Some(Ok(Object { kind, namespace, name, labels, annotations, body: members }))
}

type Metadata = (ObjectName, Option<Namespace>, BTreeMap<String, String>, BTreeMap<String, String>);

fn metadata(mut metadata: BTreeMap<String, Tree>, findings: &mut Findings) -> Option<Result<Metadata, LeafPath>> {
    let before = findings.len();
    let mut unknown = None;
    let mut text = |name: &str, findings: &mut Findings| match metadata.remove(name) {
        Some(Tree::String(text)) => Some(text),
        Some(Tree::Unknown(leaf)) => {
            unknown.get_or_insert(leaf);
            None
        }
        Some(Tree::Null) | None => None,
        Some(_) => {
            findings.push(wrong(&format!("manifest.metadata.{name}"), "it is no string"));
            None
        }
    };
    let name_text = text("name", findings);
    let namespace_text = text("namespace", findings);
    let mut strings = |name: &str, findings: &mut Findings| match metadata.remove(name) {
        Some(Tree::Map(entries)) => {
            let mut strings = BTreeMap::new();
            for (key, value) in entries {
                match value {
                    Tree::String(text) if key.starts_with("gloo-terraform/") || key.starts_with(reserved::STATE_PREFIX) => {
                        findings.push(wrong(
                            &format!("manifest.metadata.{name}[{key:?}]"),
                            &format!("the prefix is the provider's own ({text:?})"),
                        ));
                    }
                    Tree::String(text) => {
                        strings.insert(key, text);
                    }
                    Tree::Unknown(leaf) => {
                        unknown.get_or_insert(leaf);
                    }
                    _ => findings.push(wrong(&format!("manifest.metadata.{name}[{key:?}]"), "it is no string")),
                }
            }
            strings
        }
        Some(Tree::Unknown(leaf)) => {
            unknown.get_or_insert(leaf);
            BTreeMap::new()
        }
        Some(Tree::Null) | None => BTreeMap::new(),
        Some(_) => {
            findings.push(wrong(&format!("manifest.metadata.{name}"), "it is no map of strings"));
            BTreeMap::new()
        }
    };
    let labels = strings("labels", findings);
    let annotations = strings("annotations", findings);
    for (name, value) in &metadata {
        if *value != Tree::Null {
            findings.push(wrong(
                &format!("manifest.metadata.{name}"),
                "only name, namespace, labels and annotations are yours to set",
            ));
        }
    }
    if let Some(leaf) = unknown {
        return Some(Err(leaf));
    }
    let name = match name_text.as_deref().map(str::parse::<ObjectName>) {
        Some(Ok(name)) => Some(name),
        Some(Err(error)) => {
            findings.push(wrong("manifest.metadata.name", &error.to_string()));
            None
        }
        None => {
            findings.push(wrong("manifest.metadata.name", "it is not set"));
            None
        }
    };
    let namespace = match namespace_text.as_deref().map(str::parse::<Namespace>) {
        Some(Ok(namespace)) => Some(namespace),
        Some(Err(error)) => {
            findings.push(wrong("manifest.metadata.namespace", &error.to_string()));
            None
        }
        None => None,
    };
    (findings.len() == before).then_some(())?;
    Some(Ok((name?, namespace, labels, annotations)))
}

/// The clusters; the leaf on which they depend; `None` when findings say what is wrong.
fn clusters(clusters: &Reader<'_>, findings: &mut Findings) -> Option<Result<Vec<ClusterName>, LeafPath>> {
    let elements = match clusters.elements() {
        Tf::Unknown => return Some(Err(LeafPath("clusters".to_owned()))),
        Tf::Null => Vec::new(),
        Tf::Known(elements) => elements,
    };
    let mut names = Vec::new();
    for element in elements {
        match element.string() {
            Tf::Unknown => return Some(Err(LeafPath("clusters".to_owned()))),
            Tf::Null => {}
            Tf::Known(text) => match text.parse() {
                Ok(name) => names.push(name),
                Err(error) => findings.push(wrong("clusters", &mesh_model::names::InvalidName::to_string(&error))),
            },
        }
    }
    if names.is_empty() {
        findings.push(wrong("clusters", "it names no cluster"));
        return None;
    }
    Some(Ok(names))
}

fn wrong(place: &str, problem: &str) -> Finding {
    let attribute = place.split(['.', '[']).next().unwrap_or(place);
    Finding::new(
        Code::InvalidValue,
        AttributePath::of(attribute),
        format!("`{place}`: {problem}."),
        "The object could not be written.",
        "Write for example:\n\n  clusters = [\"east\", \"west\"]\n  manifest = {\n    apiVersion = \"networking.istio.io/v1\"\n    kind       = \"VirtualService\"\n    metadata   = { name = \"reviews\", namespace = \"bookinfo\" }\n    spec       = { hosts = [\"reviews\"] }\n  }",
    )
}

fn unknown_shape(leaf: &LeafPath) -> Finding {
    let attribute = leaf.0.split(['.', '[']).next().unwrap_or("manifest");
    Finding::new(
        Code::UnknownShape,
        AttributePath::of(attribute),
        format!("Which object is written where depends on `{leaf}`, which is known only after apply."),
        "The plan cannot show the object.",
        "Give the kind, the name, the namespace, labels and the clusters as literals or variables; values in `spec` may be unknown.",
    )
}

/// A value as a tree whose unknown leaves know where they are.
fn tree(value: &Value, path: &str) -> Tree {
    match value {
        Value::Null => Tree::Null,
        Value::Unknown(_) => Tree::Unknown(LeafPath(path.to_owned())),
        Value::Bool(value) => Tree::Bool(*value),
        Value::Number(number) => Tree::Number(number.as_str().to_owned()),
        Value::String(text) => Tree::String(text.clone()),
        Value::List(elements) | Value::Set(elements) => {
            Tree::List(elements.iter().enumerate().map(|(index, element)| tree(element, &format!("{path}[{index}]"))).collect())
        }
        // a null member of an HCL object means that it is not set
        Value::Map(entries) => Tree::Map(
            entries
                .iter()
                .filter(|(_, member)| !member.is_null())
                .map(|(key, member)| (key.clone(), tree(member, &format!("{path}.{key}"))))
                .collect(),
        ),
        Value::Dynamic(inner) => tree(&inner.1, path),
    }
}
