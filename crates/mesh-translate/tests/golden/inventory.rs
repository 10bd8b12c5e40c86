//! Cases with inventories: what is live in each cluster.

use std::collections::BTreeMap;

use mesh_model::Findings;
use mesh_model::names::ClusterName;
use mesh_translate::{Rights, Translation, check_inventory};
use serde_json::Value;

/// Judges the planned objects against the inventories of a case: a map of cluster to list of objects.
pub(crate) fn check(translation: &Translation, inventories: &Value) -> Result<Findings, String> {
    let Value::Object(inventories) = inventories else {
        return Err("in.yaml: inventories is a map of cluster to list".to_owned());
    };
    let inventories: BTreeMap<ClusterName, Vec<Value>> = inventories
        .iter()
        .map(|(cluster, objects)| {
            let Value::Array(objects) = objects else { return Err(format!("in.yaml: inventories.{cluster} is a list")) };
            Ok((cluster.parse().map_err(|error| format!("in.yaml: {error}"))?, objects.clone()))
        })
        .collect::<Result<_, String>>()?;
    Ok(check_inventory(&translation.objects, &Rights::of(&crate::case::claim()), &inventories))
}
