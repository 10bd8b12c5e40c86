//! States of other providers that a `moved` block brings to `gloo_istio_object`.
//!
//! Contract: pure. Only the object that a state describes is taken; in which clusters it is, the configuration says. The
//! objects stay where they are: core moves the state alone, and the next apply adopts them in place.
//!
//! - `kubernetes_manifest` (hashicorp/kubernetes, schema version 1): `manifest` is a value of any type, stored as its type
//!   and its value.
//! - `kubectl_manifest` (gavinbunney/kubectl, alekc/kubectl, schema versions 0 and 1): `yaml_body` is the text of one YAML
//!   document; `override_namespace`, where it is set, is the namespace.

use mesh_model::Findings;
use serde_json::Value as Json;
use tf_server::MoveSource;
use tf_value::{Diagnostic, Diagnostics, Value};

use super::istio_object::{IstioObject, object, own};
use crate::lifecycle::IntentKind as _;

/// The manifest that the state of another provider describes; `None`: it is of no type that is known here.
pub(super) fn manifest(source: &MoveSource) -> Option<Result<Json, Diagnostics>> {
    let manifest = match source.type_name.as_str() {
        "kubernetes_manifest" => source
            .state
            .get("manifest")
            .and_then(|manifest| manifest.get("value").filter(|_| manifest.get("type").is_some()).or(Some(manifest)))
            .filter(|manifest| manifest.is_object())
            .cloned()
            .ok_or_else(|| "its `manifest` is no object".to_owned()),
        "kubectl_manifest" => yaml_body(&source.state),
        _ => return None,
    };
    Some(manifest.map(|manifest| own(&manifest)).map_err(|problem| unusable(&source.type_name, &problem)))
}

fn yaml_body(state: &Json) -> Result<Json, String> {
    let text = state.get("yaml_body").and_then(Json::as_str).ok_or("it has no `yaml_body`")?;
    let mut documents = kube_apply::yaml::load(text).map_err(|error| format!("its `yaml_body`: {error}"))?;
    documents.retain(|document| !document.is_null());
    let [manifest] = documents.as_mut_slice() else {
        return Err(format!("its `yaml_body` holds {} documents, not one", documents.len()));
    };
    if let Some(namespace) = state.get("override_namespace").and_then(Json::as_str).filter(|namespace| !namespace.is_empty())
        && let Some(metadata) = manifest.get_mut("metadata").and_then(Json::as_object_mut)
    {
        metadata.insert("namespace".to_owned(), Json::from(namespace));
    }
    Ok(manifest.clone())
}

/// The state of an object that is in no cluster yet, as far as this resource knows.
pub(super) fn state(kind: &IstioObject, manifest: &Json) -> Result<Value, Diagnostics> {
    let (ty, value) =
        Value::from_json_untyped(manifest).map_err(|error| unusable("The object", &format!("its manifest: {error}")))?;
    let value = Value::Dynamic(Box::new((ty, value)));
    let mut findings = Findings::new();
    let Some(Ok(object)) = object(&value, &mut findings) else {
        let problem = findings.first().map_or_else(|| "its manifest is not known".to_owned(), |finding| finding.what.clone());
        return Err(unusable("The object", &problem));
    };
    let mut attributes: std::collections::BTreeMap<String, Value> =
        kind.schema().attributes.into_iter().map(|attribute| (attribute.name, Value::Null)).collect();
    for (name, value) in [
        ("id", Value::string(object.key().to_string())),
        ("clusters", Value::set([])),
        ("manifest", value),
        ("manifests", Value::map::<String>([])),
        ("applied", Value::map::<String>([])),
        ("drift", Value::map::<String>([])),
    ] {
        attributes.insert(name.to_owned(), value);
    }
    Ok(Value::Map(attributes))
}

fn unusable(what: &str, problem: &str) -> Diagnostics {
    Diagnostic::error(
        "Resource cannot be moved",
        format!("{what} cannot become a gloo_istio_object: {problem}.\n\nOnly single objects of Istio and the Gateway API can. Forget the resource with a `removed` block (lifecycle {{ destroy = false }}), declare the object as you want it, and let it be taken as it is:\n\n  adopt = true"),
    )
    .into()
}
