//! What data sources do: ask clusters, and fail rather than give a shorter answer.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube_apply::port::Kinds;
use kube_apply::{ClusterError, Standing};
use mesh_model::Input;
use mesh_model::names::{ClusterName, Namespace};
use tf_server::Applied;
use tf_value::{Diagnostic, Diagnostics, Number, Path, Type, Value};

use crate::connection::Connection;
use crate::session::Session;

/// Facts of a cluster as a person writes them.
pub(crate) const FACTS_BY_HAND: &str = "  clusters = {
    east = {
      istio_version = \"1.28\"
      trust_domain  = \"cluster.local\"
      region        = \"us-east-1\"
      gateways      = [{ addresses = [\"203.0.113.10\"] }]
    }
  }";

/// A backend as a person writes it.
pub(crate) const BACKENDS_BY_HAND: &str = "  backends = [{
    cluster          = \"east\"
    namespace        = \"bookinfo\"
    service          = \"reviews\"
    ports            = [{ number = 9080, name = \"http\", target_port = 9080 }]
    selector         = { app = \"reviews\" }
    canonical_name   = \"reviews\"
    service_accounts = [\"bookinfo-reviews\"]
  }]";

/// The clusters to ask: those that are named, else all of the provider block. `by_hand` is the HCL with which the answer is
/// written.
///
/// # Errors
/// When the provider's clusters are not known yet, and none are named.
pub(crate) fn asked_clusters(
    session: &Session,
    named: Option<&BTreeSet<ClusterName>>,
    by_hand: &str,
) -> Result<BTreeSet<ClusterName>, Diagnostics> {
    match named {
        Some(named) => Ok(named.clone()),
        None if session.settings.clusters.is_some() => Ok(session.fleet.clusters().cloned().collect()),
        None => Err(Diagnostic::error(
            "Clusters are not known yet",
            format!("The provider's `clusters` are known only after apply, so which clusters to ask is not known.\n\nName them with `clusters = [\"east\", \"west\"]`, let the data source be read during apply with `depends_on`, or write the answer by hand:\n\n{by_hand}"),
        )
        .into()),
    }
}

/// Refuses namespaces in which one of the clusters is not looked at: what is there would be missing in the answer.
///
/// # Errors
/// Which cluster lacks which, at `path`.
pub(crate) fn check_namespaces(
    session: &Session,
    clusters: &BTreeSet<ClusterName>,
    namespaces: &BTreeSet<Namespace>,
    path: &Path,
) -> Result<(), Diagnostics> {
    let mut diagnostics = Diagnostics::new();
    for (cluster, connection) in session.settings.clusters.iter().flatten().filter(|(name, _)| clusters.contains(*name)) {
        let Connection::Kubernetes { namespaces: Some(held), .. } = connection else { continue };
        let listed = |names: Vec<&Namespace>| names.into_iter().map(Namespace::as_str).collect::<Vec<_>>().join(", ");
        let missing: Vec<&Namespace> = namespaces.iter().filter(|namespace| !held.contains(namespace)).collect();
        if !missing.is_empty() {
            diagnostics.error(
                path,
                "Namespace is not looked in",
                format!(
                    "{} is asked for, and cluster {cluster} is looked at in {} alone, as its `namespaces` in the provider block say.\n\nWhat is there would be missing in the answer.\n\nAdd it to these `namespaces`, or ask other clusters only, with `clusters`.",
                    listed(missing),
                    listed(held.iter().collect())
                ),
            );
        }
    }
    if diagnostics.has_errors() { Err(diagnostics) } else { Ok(()) }
}

/// The inventory of one cluster.
///
/// # Errors
/// When the cluster is not registered, not known yet, or does not answer. `by_hand` is the HCL with which the same facts
/// are written.
pub(crate) async fn inventory(
    session: &Session,
    cluster: &ClusterName,
    path: &Path,
    by_hand: &str,
) -> Result<Vec<Arc<serde_json::Value>>, Diagnostics> {
    answered(session, cluster, session.fleet.inventory(cluster, &Kinds::All).await, path, by_hand)
}

/// What a cluster has answered, if it could be asked at all.
///
/// # Errors
/// As [`inventory`].
pub(crate) fn answered<T>(
    session: &Session,
    cluster: &ClusterName,
    answer: Option<Result<T, ClusterError>>,
    path: &Path,
    by_hand: &str,
) -> Result<T, Diagnostics> {
    if let Some(answer) = answer {
        return answer.map_err(|error| crate::cook::cook(&error.finding(), &Type::object::<String>([])).at(path.clone()).into());
    }
    let (summary, detail) = match session.standing(cluster) {
        Standing::Unknown => (
            "Cluster is not known yet",
            format!(
                "How to reach cluster {cluster} is known only after apply, and a data source cannot be partly known.\n\nLet it be read during apply, after what the cluster is made from:\n\n  depends_on = [module.{cluster}]\n\nor write the facts by hand where they are used:\n\n{by_hand}"
            ),
        ),
        Standing::Decommissioned => (
            "Cluster is decommissioned",
            format!(
                "Cluster {cluster} is in `decommissioned_clusters`, so it is never contacted.\n\nLeave it out of what is asked, or remove it from `decommissioned_clusters`."
            ),
        ),
        Standing::Ready | Standing::Unconfigured => (
            "Cluster is not registered",
            format!(
                "The provider has no cluster {cluster} to ask (it has: {}).\n\nRegister it in the provider block:\n\n  clusters = {{\n    {cluster} = {{ directory = \"clusters/{cluster}\" }}\n  }}",
                session.cluster_list()
            ),
        ),
    };
    Err(Diagnostic::error(summary, detail).at(path.clone()).into())
}

/// An input of the model as a value of the shape that `ty` gives: what is missing is null.
pub(crate) fn value(input: &Input) -> Value {
    match input {
        Input::Null | Input::Unknown => Value::Null,
        Input::Bool(value) => Value::Bool(*value),
        Input::Number(text) => text.parse::<Number>().map_or(Value::Null, Value::Number),
        Input::String(text) => Value::string(text.clone()),
        Input::List(elements) => Value::List(elements.iter().map(value).collect()),
        Input::Map(entries) => Value::Map(entries.iter().map(|(key, input)| (key.clone(), value(input))).collect()),
    }
}

/// What a data source has found, or why it has not, as its answer.
pub(crate) fn applied(found: Result<(Value, Diagnostics), Diagnostics>) -> Applied {
    match found {
        Ok((state, diagnostics)) => Applied { state: Some(state), diagnostics, ..Applied::default() },
        Err(diagnostics) => Applied { diagnostics, ..Applied::default() },
    }
}
