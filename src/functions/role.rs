//! `role`: what an identity of the provider needs in a cluster.

use kube_cluster::{RoleName, Use};
use mesh_model::names::Namespace;
use tf_server::{Function, FunctionError};
use tf_value::schema::{FunctionSchema, Parameter};
use tf_value::{Type, Value};

/// The function.
pub(crate) struct Role;

impl Function for Role {
    fn name(&self) -> &'static str {
        "role"
    }

    fn schema(&self) -> FunctionSchema {
        let parameter = |name: &str, description: &str| Parameter {
            name: name.to_owned(),
            description: description.to_owned(),
            ty: Type::String,
            allow_null: false,
            allow_unknown: false,
        };
        FunctionSchema {
            summary: "The Role that an identity of this provider needs".to_owned(),
            description: "The manifest of a ClusterRole, or of the Role of one namespace, as YAML: a rule for every request that this version of the provider can make for that use, and for no other. `yamldecode` reads it, `kubectl apply` takes it.".to_owned(),
            parameters: vec![
                parameter("use", "`plan`: data sources, refresh and plan; `apply`: that, and writing."),
                parameter("name", "Name of the role."),
            ],
            variadic: Some(parameter(
                "namespace",
                "None: a ClusterRole. One of the `namespaces` that the cluster has in the provider block: the Role of that namespace. One call makes one manifest.",
            )),
            returns: Type::String,
        }
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        let text = |position: usize| arguments.get(position).and_then(Value::as_str).unwrap_or_default();
        let wrong = |position: i64, text: String| FunctionError { text, argument: Some(position) };
        let purpose = match text(0) {
            "plan" => Use::Plan,
            "apply" => Use::Apply,
            other => {
                return Err(wrong(
                    0,
                    format!(
                        "{other:?} is no use of an identity: write \"plan\" for one that reads, \"apply\" for one that writes."
                    ),
                ));
            }
        };
        let name: RoleName = text(1).parse().map_err(|problem| {
            wrong(1, format!("{problem}: it takes letters, digits, '-', '.', '_' and ':', as in \"gloo-apply\"."))
        })?;
        let namespace = match arguments.get(2).and_then(Value::as_str) {
            None => None,
            Some(namespace) => Some(namespace.parse::<Namespace>().map_err(|problem| wrong(2, format!("{problem}.")))?),
        };
        if arguments.len() > 3 {
            return Err(wrong(
                3,
                "A Role is of one namespace, and one call makes one manifest: write [for namespace in [\"a\", \"b\"] : \
                 provider::gloo::role(\"apply\", \"gloo-apply\", namespace)]."
                    .to_owned(),
            ));
        }
        Ok(Value::string(purpose.role(&name, namespace.as_ref())))
    }
}
