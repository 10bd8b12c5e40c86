//! Istio's mesh configuration, as the ConfigMap `istio` or `istio-<revision>` holds it.

use serde_json::Value;

use crate::inventory::{Inventory, Kind};
use crate::read;

/// What a mesh configuration says; defaults are Istio's own.
pub(crate) struct MeshConfig {
    /// parts in order of precedence: the revision's own, then the shared one
    parts: Vec<Value>,
}

/// Name of the ConfigMap of a revision.
pub(crate) fn config_map_name(revision: &str) -> String {
    if revision == "default" { "istio".to_owned() } else { format!("istio-{revision}") }
}

impl MeshConfig {
    /// Reads the ConfigMap of a revision and, if istiod names one, the shared ConfigMap.
    ///
    /// `Ok(None)`: the inventory does not hold the ConfigMap.
    ///
    /// # Errors
    /// The object whose key `mesh` is no YAML, and why.
    pub(crate) fn read(
        inventory: &Inventory<'_>,
        namespace: &str,
        revision: &str,
        shared: Option<&str>,
    ) -> Result<Option<Self>, (String, String)> {
        let mut parts = Vec::new();
        for name in [Some(config_map_name(revision).as_str()), shared].into_iter().flatten() {
            let Some(object) = inventory.get(Kind::ConfigMap, namespace, name) else { continue };
            let mesh = read::text(object.value, &["data", "mesh"]).unwrap_or("");
            let label = format!("ConfigMap/{namespace}/{name}");
            let value = match serde_saphyr::from_str::<Option<Value>>(mesh) {
                Ok(value) => value.unwrap_or(Value::Null),
                Err(error) => return Err((label, first_line(&error.to_string()))),
            };
            if !(value.is_object() || value.is_null()) {
                return Err((label, "it is no map".to_owned()));
            }
            parts.push(value);
        }
        Ok(if parts.is_empty() { None } else { Some(Self { parts }) })
    }

    fn text(&self, path: &[&str]) -> Option<&str> {
        self.parts.iter().find_map(|part| read::text(part, path))
    }

    /// Trust domain of the workloads.
    pub(crate) fn trust_domain(&self) -> &str {
        self.text(&["trustDomain"]).unwrap_or("cluster.local")
    }

    /// Namespace whose configuration holds for all.
    pub(crate) fn root_namespace(&self) -> &str {
        self.text(&["rootNamespace"]).unwrap_or("istio-system")
    }

    /// Whether sidecars answer DNS: off unless it is switched on.
    pub(crate) fn dns_capture(&self) -> bool {
        let path = ["defaultConfig", "proxyMetadata", "ISTIO_META_DNS_CAPTURE"];
        match self.parts.iter().find_map(|part| read::at(part, &path)) {
            Some(Value::String(text)) => text == "true",
            Some(value) => value.as_bool() == Some(true),
            None => false,
        }
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
