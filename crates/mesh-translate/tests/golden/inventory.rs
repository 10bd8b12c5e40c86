//! Cases with inventories: what is live in each cluster.

use mesh_model::Findings;
use mesh_translate::Translation;
use serde_json::Value;

/// Judges the planned objects against the inventories of a case: a map of cluster to list of objects.
pub(crate) fn check(_translation: &Translation, _inventories: &Value) -> Result<Findings, String> {
    Ok(Findings::new())
}
