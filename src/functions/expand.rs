//! `expand`: what a resource would write, without the resource.

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::Severity;
use mesh_model::names::OwnerId;
use tf_server::{Function, FunctionError};
use tf_value::schema::{FunctionSchema, Parameter};
use tf_value::{Diagnostics, Reader, Type, Value};

use super::{anything, name_at, text, text_at, wrong};
use crate::lifecycle::{IntentKind, Shape};
use crate::resources::istio_object::IstioObject;
use crate::resources::virtual_destination::VirtualDestination;
use crate::resources::virtual_mesh::VirtualMesh;
use crate::schema::arguments;

/// The function.
pub(crate) struct Expand;

/// Position of the argument that gives the intent.
const INTENT: usize = 2;

/// Position of the labels.
const LABELS: usize = 3;

impl Function for Expand {
    fn name(&self) -> &'static str {
        "expand"
    }

    fn schema(&self) -> FunctionSchema {
        FunctionSchema {
            summary: "The objects that a resource would write".to_owned(),
            description: "Every object by `<cluster>/<Kind>/<namespace>/<name>`, as canonical JSON: what `manifests` of such a resource would be, without `*/…`, computed from its arguments alone. No cluster is asked and nothing is written or stored. Warnings of the translation are not shown.".to_owned(),
            parameters: vec![
                text("type", "Type of the resource: `gloo_virtual_destination`, `gloo_virtual_mesh` or `gloo_istio_object`."),
                text("owner", "`owner` of the provider block: the objects carry it."),
                anything(
                    "arguments",
                    "The arguments of the resource as an object, or the whole resource, of which only these are looked at. An object with an unknown value in it is unknown; where it depends on one which objects there are, all are.",
                ),
            ],
            variadic: Some(Parameter {
                ty: Type::map(Type::String),
                ..text("default_labels", "`default_labels` of the provider block, if it has any; once at most.")
            }),
            returns: Type::map(Type::String),
        }
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        let owner: OwnerId = name_at(&arguments, 1)?;
        let labels = labels(&arguments)?;
        let intent = arguments.get(INTENT).unwrap_or(&Value::Null).inner();
        match text_at(&arguments, 0) {
            VirtualDestination::TYPE => expand(&VirtualDestination, &owner, intent, &labels),
            VirtualMesh::TYPE => expand(&VirtualMesh, &owner, intent, &labels),
            IstioObject::TYPE => expand(&IstioObject, &owner, intent, &labels),
            other => Err(wrong(
                0,
                format!(
                    "{other:?} is no resource of this provider: it has {}, {} and {}.",
                    VirtualDestination::TYPE,
                    VirtualMesh::TYPE,
                    IstioObject::TYPE
                ),
            )),
        }
    }
}

fn labels(arguments: &[Value]) -> Result<BTreeMap<String, String>, FunctionError> {
    if arguments.len() > LABELS + 1 {
        return Err(wrong(LABELS + 1, "Default labels are one map: join several with `merge`."));
    }
    let mut diagnostics = Diagnostics::new();
    let labels = crate::settings::decode_labels(&Reader::root(arguments.get(LABELS).unwrap_or(&Value::Null)), &mut diagnostics);
    match diagnostics.iter().next() {
        Some(problem) => Err(wrong(LABELS, &problem.detail)),
        None => Ok(labels.unwrap_or_default()),
    }
}

fn expand<K: IntentKind>(
    kind: &K,
    owner: &OwnerId,
    intent: &Value,
    labels: &BTreeMap<String, String>,
) -> Result<Value, FunctionError> {
    let given = match intent {
        Value::Unknown(_) => return Ok(Value::unknown()),
        Value::Map(members) => members,
        _ => return Err(wrong(INTENT, format!("It is not an object with the arguments of a {}.", K::TYPE))),
    };
    let schema = kind.schema();
    let known: BTreeSet<&str> = schema.attributes.iter().map(|attribute| attribute.name.as_str()).collect();
    if let Some(name) = given.keys().find(|name| !known.contains(name.as_str())) {
        let arguments: Vec<&str> = arguments(&schema.attributes).collect();
        return Err(wrong(INTENT, format!("A {} has no argument {name:?}. It has: {}.", K::TYPE, arguments.join(", "))));
    }
    let taken = |name: &str| given.get(name).cloned().unwrap_or(Value::Null);
    let config = Value::map(arguments(&schema.attributes).map(|name| (name, taken(name))));
    let meant = kind.interpret(&config);
    let errors: Vec<_> = meant.findings.iter().filter(|finding| finding.code.severity() == Severity::Error).collect();
    if !errors.is_empty() {
        let told: Vec<String> = errors.into_iter().map(crate::cook::told).collect();
        return Err(wrong(INTENT, told.join("\n\n")));
    }
    let (Shape::Objects(objects), Some(identity)) = (meant.shape, meant.identity) else { return Ok(Value::unknown()) };
    let claim = identity.claim(owner, K::TYPE);
    let mut manifests = BTreeMap::new();
    for (cluster, objects) in &objects {
        for sealed in objects.iter().map(|object| object.seal(&claim, labels)) {
            let json = sealed.manifest().map_or_else(Value::unknown, |manifest| Value::string(manifest.json()));
            manifests.insert(format!("{cluster}/{}", sealed.key()), json);
        }
    }
    Ok(Value::Map(manifests))
}
