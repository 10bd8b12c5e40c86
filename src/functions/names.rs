//! `spiffe_id`, `global_hostname` and `parse_id`: names that follow from other names, and names taken apart.

use istio_objects::{Claim, ManifestKey, ObjectKey, Scope};
use mesh_model::derived::federated_hostname;
use mesh_model::names::{ClusterName, HostnameSuffix, IntentName, Namespace, OwnerId, ServiceAccount, ServiceName, TrustDomain};
use tf_server::{Function, FunctionError};
use tf_value::schema::FunctionSchema;
use tf_value::{Type, Value};

use super::{name_at, text, text_at, wrong};
use crate::lifecycle::IntentKind as _;
use crate::resources::istio_object::IstioObject;
use crate::resources::virtual_destination::VirtualDestination;
use crate::resources::virtual_mesh::VirtualMesh;

/// `spiffe_id`: who a workload is to its callers.
pub(crate) struct SpiffeId;

/// `global_hostname`: the name of an exported Service.
pub(crate) struct GlobalHostname;

/// `parse_id`: the parts of an id, a claim or a key.
pub(crate) struct ParseId;

impl Function for SpiffeId {
    fn name(&self) -> &'static str {
        "spiffe_id"
    }

    fn schema(&self) -> FunctionSchema {
        FunctionSchema {
            summary: "The SPIFFE id of a service account".to_owned(),
            description: "Who the workloads of a service account are in mutual TLS: `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`. It stands in their certificates. Istio's `principals` take it without `spiffe://`.".to_owned(),
            parameters: vec![
                text("trust_domain", "Trust domain of the cluster: `data.gloo_cluster.<name>.facts.trust_domain`."),
                text("namespace", "Namespace of the workloads."),
                text("service_account", "Service account of the workloads."),
            ],
            variadic: None,
            returns: Type::String,
        }
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        let trust_domain: TrustDomain = name_at(&arguments, 0)?;
        let namespace: Namespace = name_at(&arguments, 1)?;
        let account: ServiceAccount = name_at(&arguments, 2)?;
        Ok(Value::string(format!("spiffe://{trust_domain}/ns/{namespace}/sa/{account}")))
    }
}

impl Function for GlobalHostname {
    fn name(&self) -> &'static str {
        "global_hostname"
    }

    fn schema(&self) -> FunctionSchema {
        FunctionSchema {
            summary: "The hostname of an exported Service".to_owned(),
            description: "The name under which every member of a mesh calls a Service of one cluster that `federation` of `gloo_virtual_mesh` exports: `<service>.<namespace>.svc.<cluster>.<suffix>`, as Gloo Mesh names it.".to_owned(),
            parameters: vec![
                text("service", "Name of the Service."),
                text("namespace", "Namespace of the Service."),
                text("cluster", "Cluster of the Service, as the mesh names it."),
            ],
            variadic: Some(text("suffix", "`hostname_suffix` of `federation`, if it has one. Default `global`.")),
            returns: Type::String,
        }
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        let service: ServiceName = name_at(&arguments, 0)?;
        let namespace: Namespace = name_at(&arguments, 1)?;
        let cluster: ClusterName = name_at(&arguments, 2)?;
        let suffix = match arguments.len() {
            ..=3 => HostnameSuffix::global(),
            4 => name_at(&arguments, 3)?,
            _ => return Err(wrong(4, "A hostname has one suffix: leave out what follows it.")),
        };
        let hostname = federated_hostname(&service, &namespace, &cluster, &suffix);
        let last = arguments.len().saturating_sub(1);
        hostname.map(|hostname| Value::string(hostname.as_str())).map_err(|problem| wrong(last, format!("{problem}.")))
    }
}

impl Function for ParseId {
    fn name(&self) -> &'static str {
        "parse_id"
    }

    fn schema(&self) -> FunctionSchema {
        FunctionSchema {
            summary: "The parts of an id, a claim or a key of this provider".to_owned(),
            description: "Takes apart what the provider writes and shows: the `id` of a resource (`bookinfo/reviews`), an import id (`platform/prod//bookinfo/reviews`), a claim (`platform/prod//gloo_virtual_destination/bookinfo/reviews`, the annotation `gloo-terraform/claim`), and a key of `manifests` and `drift` (`east/VirtualService/bookinfo/reviews`). What a text does not say is null: a key has no `owner`, `type` and `id`; everything else has no `cluster`.".to_owned(),
            parameters: vec![text("id", "The id, claim or key.")],
            variadic: None,
            returns: Type::object(PARTS.map(|part| (part, Type::String))),
        }
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        parse(text_at(&arguments, 0)).map(Parts::value).map_err(|problem| wrong(0, problem))
    }
}

/// Attributes of the result of `parse_id`.
const PARTS: [&str; 7] = ["owner", "type", "cluster", "kind", "namespace", "name", "id"];

/// What a text says.
#[derive(Default)]
struct Parts {
    owner: Option<OwnerId>,
    resource_type: Option<&'static str>,
    cluster: Option<Scope>,
    kind: Option<String>,
    namespace: Option<Namespace>,
    name: String,
    id: Option<String>,
}

impl Parts {
    fn value(self) -> Value {
        let Self { owner, resource_type, cluster, kind, namespace, name, id } = self;
        let text = |part: Option<String>| part.map_or(Value::Null, Value::string);
        let parts = [
            text(owner.map(|owner| owner.to_string())),
            text(resource_type.map(str::to_owned)),
            text(cluster.map(|cluster| cluster.to_string())),
            text(kind),
            text(namespace.map(|namespace| namespace.to_string())),
            Value::string(name),
            text(id),
        ];
        Value::map(PARTS.into_iter().zip(parts))
    }

    fn object(key: ObjectKey) -> Self {
        let id = Some(key.to_string());
        let ObjectKey { kind, namespace, name } = key;
        let (resource_type, kind) = (Some(IstioObject::TYPE), Some(kind));
        Self { resource_type, kind, namespace, name: name.to_string(), id, ..Self::default() }
    }

    fn destination(namespace: Namespace, name: &IntentName) -> Self {
        Self {
            resource_type: Some(VirtualDestination::TYPE),
            id: Some(format!("{namespace}/{name}")),
            namespace: Some(namespace),
            name: name.to_string(),
            ..Self::default()
        }
    }

    fn mesh(name: &IntentName) -> Self {
        Self { resource_type: Some(VirtualMesh::TYPE), name: name.to_string(), id: Some(name.to_string()), ..Self::default() }
    }
}

/// How ids, claims and keys read.
const READS: &str = "It reads like one of these:

  prod                                       id of a gloo_virtual_mesh
  bookinfo/reviews                           id of a gloo_virtual_destination
  VirtualService/bookinfo/reviews            id of a gloo_istio_object
  platform/prod//bookinfo/reviews            an import id: owner, \"//\", id
  platform/prod//<type>/bookinfo/reviews     a claim
  east/VirtualService/bookinfo/reviews       a key of `manifests`";

fn parse(text: &str) -> Result<Parts, String> {
    let refused = |problem: String| format!("{text:?} is no id, claim or key: {problem}.\n\n{READS}");
    let Some((owner, rest)) = text.split_once("//") else {
        return match text.split('/').count() {
            4 => key(text),
            _ => id(text),
        }
        .map_err(refused);
    };
    let owner: OwnerId = owner.parse().map_err(|problem| refused(format!("{problem}")))?;
    // no name has a '_', and every type of this provider has one
    let parts = if rest.split('/').next().is_some_and(|first| first.contains('_')) { claim(text) } else { id(rest) };
    Ok(Parts { owner: Some(owner), ..parts.map_err(refused)? })
}

fn id(text: &str) -> Result<Parts, String> {
    let problem = |problem: &dyn std::fmt::Display| problem.to_string();
    let parts: Vec<&str> = text.split('/').collect();
    match *parts.as_slice() {
        [name] => Ok(Parts::mesh(&name.parse().map_err(|error| problem(&error))?)),
        [namespace, name] => {
            let namespace = namespace.parse().map_err(|error| problem(&error))?;
            Ok(Parts::destination(namespace, &name.parse().map_err(|error| problem(&error))?))
        }
        [_, _, _] => Ok(Parts::object(text.parse().map_err(|_| "its parts are no kind, namespace and name".to_owned())?)),
        _ => Err(format!("it has {} parts", parts.len())),
    }
}

fn key(text: &str) -> Result<Parts, String> {
    let key: ManifestKey = text.parse().map_err(|_| "its parts are no cluster, kind, namespace and name".to_owned())?;
    let ManifestKey { scope, object: ObjectKey { kind, namespace, name } } = key;
    Ok(Parts { cluster: Some(scope), kind: Some(kind), namespace, name: name.to_string(), ..Parts::default() })
}

/// Type and id of the resource that a claim is of.
///
/// # Errors
/// When no resource of this version makes such a claim.
pub(crate) fn resource_of(claim: &Claim) -> Result<(String, String), String> {
    claimed(claim).map(|parts| (claim.resource_type.clone(), parts.id.unwrap_or_default()))
}

fn claim(text: &str) -> Result<Parts, String> {
    claimed(&text.parse().map_err(|_| "it is no claim".to_owned())?)
}

fn claimed(claim: &Claim) -> Result<Parts, String> {
    let Claim { owner: _, resource_type, namespace, name } = claim;
    let namespace = namespace.as_ref().map_or("-", Namespace::as_str);
    match resource_type.as_str() {
        VirtualMesh::TYPE if namespace == "-" => id(name),
        VirtualDestination::TYPE => id(&format!("{namespace}/{name}")),
        IstioObject::TYPE => match name.split_once('/') {
            Some((kind, name)) => id(&format!("{kind}/{namespace}/{name}")),
            None => Err("it names no kind".to_owned()),
        },
        VirtualMesh::TYPE => Err("a mesh has no namespace".to_owned()),
        other => Err(format!("this version of the provider has no resource {other}")),
    }
    .and_then(
        |parts| if parts.resource_type == Some(resource_type.as_str()) { Ok(parts) } else { Err("it is no claim".to_owned()) },
    )
}
