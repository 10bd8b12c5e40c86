//! `to_yaml` and `files`: planned objects in the forms in which others deliver them.

use std::collections::BTreeMap;

use istio_objects::{Change, Manifest, ManifestKey, ObjectKey, Operation, Scope};
use mesh_model::names::ClusterName;
use tf_server::{Function, FunctionError};
use tf_value::schema::FunctionSchema;
use tf_value::{Type, Value};

use super::{anything, name_at, text, wrong};

/// `to_yaml`: the objects of one cluster, as `kubectl apply` takes them.
pub(crate) struct ToYaml;

/// `files`: objects as the files of directory clusters.
pub(crate) struct Files;

/// What the argument that gives objects is.
const OBJECTS: &str = "A resource of this provider (`gloo_virtual_destination.<name>`), or what `expand` gives.";

impl Function for ToYaml {
    fn name(&self) -> &'static str {
        "to_yaml"
    }

    fn schema(&self) -> FunctionSchema {
        FunctionSchema {
            summary: "The objects of one cluster as a YAML stream".to_owned(),
            description: "What a resource writes to one cluster, as documents for `kubectl apply -f -` and for people, in the order of a create. `kubectl` knows no order between clusters: what moves calls from one cluster to another is safe only when the resource itself is applied.".to_owned(),
            parameters: vec![
                anything("objects", &format!("{OBJECTS} As long as an object of the cluster is not known, neither is the result.")),
                text("cluster", "Cluster whose objects are meant: one of those in `applied`."),
            ],
            variadic: None,
            returns: Type::String,
        }
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        let cluster: ClusterName = name_at(&arguments, 1)?;
        let Some(mut held) = read(&arguments, 0)? else { return Ok(Value::unknown()) };
        let Some(objects) = held.remove(&cluster) else {
            let names: Vec<&str> = held.keys().map(ClusterName::as_str).collect();
            let names = if names.is_empty() { "no cluster".to_owned() } else { names.join(", ") };
            return Err(wrong(1, format!("Nothing is written to cluster {cluster}: the objects are those of {names}.")));
        };
        let Some(manifests) = objects.into_values().collect::<Option<Vec<Manifest>>>() else { return Ok(Value::unknown()) };
        let create = |manifest: &Manifest| Change { cluster: cluster.clone(), operation: Operation::Create(manifest.clone()) };
        let changes = manifests.iter().map(create).collect();
        let waves = mesh_translate::order(changes, &BTreeMap::from([(cluster.clone(), manifests)]));
        let documents = waves.into_iter().flatten().filter_map(|change| match change.operation {
            Operation::Create(manifest) => Some(format!("---\n{}", yaml(&manifest))),
            Operation::Update { .. } | Operation::Delete(_) => None,
        });
        Ok(Value::string(documents.collect::<String>()))
    }
}

impl Function for Files {
    fn name(&self) -> &'static str {
        "files"
    }

    fn schema(&self) -> FunctionSchema {
        FunctionSchema {
            summary: "Objects as the files of directory clusters".to_owned(),
            description: "Content by path: `<cluster>/manifests/<namespace>/<Kind>-<name>.yaml`, with `_cluster` for objects without a namespace: the files that clusters of kind `directory` hold, for delivery by others, as a pull request to a repository that Argo CD or Flux reads. Stored intents are not in them: a later `import` finds none.".to_owned(),
            parameters: Vec::new(),
            variadic: Some(anything(
                "objects",
                &format!("{OBJECTS} Several are put together. The content of a file is unknown as long as its object is."),
            )),
            returns: Type::map(Type::String),
        }
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        let mut files: BTreeMap<String, Value> = BTreeMap::new();
        let mut is_known = true;
        for position in 0..arguments.len() {
            let Some(held) = read(&arguments, position)? else {
                is_known = false;
                continue;
            };
            for (cluster, objects) in held {
                for (key, manifest) in objects {
                    let path = format!("{cluster}/{}", kube_apply::file_of(&key).display());
                    let content = manifest.map_or_else(Value::unknown, |manifest| Value::string(yaml(&manifest)));
                    if files.insert(path, content).is_some() {
                        return Err(wrong(
                            position,
                            format!(
                                "{cluster}/{key} is among the objects of an earlier argument, too. An object is written by one resource: give each of them once."
                            ),
                        ));
                    }
                }
            }
        }
        Ok(if is_known { Value::Map(files) } else { Value::unknown() })
    }
}

fn yaml(manifest: &Manifest) -> String {
    kube_apply::yaml::emit(&manifest.value())
}

/// Manifests by cluster and key; `None` for those that are not known yet.
type Held = BTreeMap<ClusterName, BTreeMap<ObjectKey, Option<Manifest>>>;

/// The objects that the argument at `position` gives; `None` as long as it is not known which they are.
fn read(arguments: &[Value], position: usize) -> Result<Option<Held>, FunctionError> {
    let refused = |problem: String| {
        wrong(
            position,
            format!("{problem}\n\nGive the whole resource, or what `expand` gives:\n\n  gloo_virtual_destination.reviews"),
        )
    };
    let value = arguments.get(position).unwrap_or(&Value::Null).inner();
    let members = match value {
        Value::Unknown(_) => return Ok(None),
        Value::Map(members) => members,
        _ => return Err(refused("It is neither a resource nor a map of manifests.".to_owned())),
    };
    let (manifests, mut held) = match (members.get("manifests"), members.get("applied")) {
        (Some(manifests), Some(applied)) => match (manifests.inner(), applied.inner()) {
            (Value::Unknown(_), _) | (_, Value::Unknown(_)) => return Ok(None),
            (Value::Map(manifests), Value::Map(applied)) => {
                let names = applied.keys().map(|name| Ok((name.parse::<ClusterName>()?, BTreeMap::new())));
                let names: Result<Held, mesh_model::names::InvalidName> = names.collect();
                (manifests, names.map_err(|problem| refused(format!("`applied`: {problem}.")))?)
            }
            _ => return Err(refused("Its `manifests` and `applied` are not those of a resource.".to_owned())),
        },
        _ => (members, Held::new()),
    };
    let clusters: Vec<ClusterName> = held.keys().cloned().collect();
    for (key, value) in manifests {
        let ManifestKey { scope, object } = key.parse().map_err(|problem| refused(format!("{problem}.")))?;
        let manifest = match value.inner() {
            Value::Unknown(_) => None,
            Value::String(json) => {
                Some(Manifest::from_stored(object.clone(), json).map_err(|problem| refused(format!("{problem}.")))?)
            }
            _ => return Err(refused(format!("{key:?} is no manifest."))),
        };
        let clusters = match scope {
            Scope::Cluster(cluster) => vec![cluster],
            Scope::All if clusters.is_empty() => {
                return Err(refused(format!(
                    "{key:?} stands for every cluster of the resource, and `manifests` alone does not say which these are."
                )));
            }
            Scope::All => clusters.clone(),
        };
        for cluster in clusters {
            held.entry(cluster).or_default().insert(object.clone(), manifest.clone());
        }
    }
    Ok(Some(held))
}
