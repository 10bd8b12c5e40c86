//! What an API server says no with, as errors of the port.
//!
//! Contract: decided by status code, reason and the machine-readable causes; the server's message is quoted, never parsed.

use http::StatusCode;
use istio_objects::ObjectKey;
use kube_apply::{Class, ClusterError};
use mesh_model::names::ClusterName;
use serde_json::Value;

use crate::kinds::Known;
use crate::transport::Reply;

/// What was not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotFound {
    /// the object
    Object,
    /// its namespace
    Namespace,
    /// the kind, in the version that was asked for
    Kind,
}

impl Reply {
    pub(crate) fn is_success(&self) -> bool {
        self.status.is_success()
    }

    fn reason(&self) -> &str {
        self.body.get("reason").and_then(Value::as_str).unwrap_or_default()
    }

    /// What is not there, if the answer says so.
    pub(crate) fn not_found(&self, known: &Known) -> Option<NotFound> {
        if self.status != StatusCode::NOT_FOUND {
            return None;
        }
        let kind = self.body.pointer("/details/kind").and_then(Value::as_str);
        let name = self.body.pointer("/details/name").and_then(Value::as_str);
        Some(match (self.reason(), kind, name) {
            ("NotFound", Some("namespaces"), Some(_)) if known.plural != "namespaces" => NotFound::Namespace,
            ("NotFound", _, Some(_)) => NotFound::Object,
            _ => NotFound::Kind,
        })
    }

    /// Whether a precondition was not met, or another request came first.
    pub(crate) fn is_conflict(&self) -> bool {
        self.status == StatusCode::CONFLICT
    }

    /// Whether a list has to begin anew: its continuation is too old.
    pub(crate) fn is_expired(&self) -> bool {
        self.status == StatusCode::GONE
    }

    /// Whether the role lacks a rule, as opposed to an admission check that said no.
    pub(crate) fn is_forbidden(&self) -> bool {
        let is_admission = self.message().starts_with("admission webhook")
            || self.body.pointer("/details/causes").and_then(Value::as_array).is_some_and(|causes| !causes.is_empty());
        self.status == StatusCode::FORBIDDEN && !is_admission
    }

    /// Whether it is an error without a reason: what server-side apply answers to an object that its schema does not allow
    /// (seen on 1.36: an unknown field, two items with one key), besides failures of the storage.
    pub(crate) fn is_untyped_refusal(&self) -> bool {
        self.status == StatusCode::INTERNAL_SERVER_ERROR
            && self.body.get("kind").is_some_and(|kind| kind == "Status")
            && self.reason().is_empty()
    }

    /// What the server says, with the causes that it lists.
    fn message(&self) -> String {
        let message = self.body.get("message").and_then(Value::as_str).or(self.body.as_str()).unwrap_or_default();
        if message.is_empty() { format!("the answer is {}", self.status) } else { message.chars().take(2000).collect() }
    }

    /// The error that this answer is.
    pub(crate) fn error(&self, cluster: &ClusterName, verb: &str, known: &Known, key: Option<&ObjectKey>) -> ClusterError {
        let resource = known.resource();
        let subject = key.map_or_else(|| resource.clone(), ToString::to_string);
        let message = self.message();
        let said = format!("It says: {message}");
        let error = match self.status {
            StatusCode::UNAUTHORIZED => ClusterError::new(
                Class::Forbidden,
                cluster,
                format!("the API server of cluster {cluster} does not accept the credential"),
                "The token or the certificate is wrong, or its time is over; another one, where one could be had, was refused too.",
                format!(
                    "Check `auth` or `kubeconfig` of clusters.{cluster}. A token that ends during long applies is better replaced \
                     by one that can be renewed:\n\n  auth = {{ exec = {{ command = \"…\" }} }}"
                ),
            ),
            StatusCode::FORBIDDEN if self.is_forbidden() => ClusterError::new(
                Class::Forbidden,
                cluster,
                format!("cluster {cluster} does not allow to {verb} {subject}"),
                said,
                format!(
                    "Give the identity this rule, in a Role of the namespace or a ClusterRole:\n\n  - apiGroups: [\"{}\"]\n    \
                     resources: [\"{}\"]\n    verbs: [\"{verb}\"]",
                    known.group, known.plural
                ),
            ),
            StatusCode::CONFLICT => ClusterError::new(
                Class::Conflict,
                cluster,
                format!("{subject} in cluster {cluster} changed while the apply was running"),
                said,
                "Plan and apply again, and see to it that nothing else writes this object at the same time.",
            ),
            StatusCode::GONE => ClusterError::new(
                Class::Unreachable,
                cluster,
                format!("cluster {cluster} gives no whole list of {resource}"),
                format!("{said}\n\nThe list was begun anew several times, and its pages were too old each time."),
                "Run it again. If it stays so, look at how often the API server's store is compacted, and at what stands between.",
            ),
            StatusCode::NOT_FOUND => not_there(cluster, known, key, self.not_found(known)),
            StatusCode::TOO_MANY_REQUESTS => ClusterError::new(
                Class::Unreachable,
                cluster,
                format!("cluster {cluster} is too busy to {verb} {subject}"),
                said,
                "Apply again later, or send less at once:\n\n  limits = { max_in_flight = 4 }",
            ),
            status if status.is_server_error() && !(verb == "patch" && self.is_untyped_refusal()) => ClusterError::new(
                Class::Unreachable,
                cluster,
                format!("cluster {cluster} failed to {verb} {subject}"),
                said,
                "Look at the API server, and at the webhooks that it asks, then apply again.",
            ),
            _ => ClusterError::new(
                Class::Invalid,
                cluster,
                format!("cluster {cluster} refuses {subject}: {message}"),
                "The schema of the kind, or an admission check of the cluster, does not accept the object.",
                "Change what the message names in the arguments of the resource, or ask who runs the check.",
            ),
        };
        match key {
            // those concern the whole cluster
            Some(key) if error.class != Class::Unreachable && self.status != StatusCode::UNAUTHORIZED => error.at(key),
            _ => error,
        }
    }
}

/// The error of a namespace or of a kind that the cluster does not have.
pub(crate) fn not_there(cluster: &ClusterName, known: &Known, key: Option<&ObjectKey>, what: Option<NotFound>) -> ClusterError {
    let namespace = key.and_then(|key| key.namespace.as_ref()).map_or("", |namespace| namespace.as_str());
    let error = match what {
        Some(NotFound::Namespace) => ClusterError::new(
            Class::Invalid,
            cluster,
            format!("cluster {cluster} has no namespace {namespace}"),
            "Objects are written into namespaces that are there.",
            format!(
                "Create the namespace before, or in the same apply with\n\n  depends_on = [kubernetes_namespace.{namespace}]\n\nor \
                 move what goes to this cluster with `client_namespace`."
            ),
        ),
        Some(NotFound::Kind) => ClusterError::new(
            Class::Invalid,
            cluster,
            format!("cluster {cluster} does not know the kind {} ({})", known.kind, known.resource()),
            "Its custom resource definition is not installed.",
            "Install Istio's or Gateway API's definitions in the cluster before, or in the same apply with `depends_on`.",
        ),
        Some(NotFound::Object) | None => ClusterError::new(
            Class::Conflict,
            cluster,
            "the object is gone",
            "Somebody deleted it while the apply was running.",
            "Plan and apply again.",
        ),
    };
    match key {
        Some(key) => error.at(key),
        None => error,
    }
}
