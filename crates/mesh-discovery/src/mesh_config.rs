//! Istio's mesh configuration, as the ConfigMap `istio` or `istio-<revision>` holds it.

use std::collections::BTreeMap;

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

    /// Trust domains that are accepted beside its own. Aliases are not among them: they merge identities, which nobody may want
    /// without knowing it.
    pub(crate) fn accepted_trust_domains(&self) -> impl Iterator<Item = &str> {
        self.list("caCertificates").iter().flat_map(|certificate| read::texts(certificate, &["trustDomains"]))
    }

    fn list(&self, member: &str) -> &[Value] {
        self.parts.iter().map(|part| read::list(part, &[member])).find(|list| !list.is_empty()).unwrap_or_default()
    }

    /// Namespace whose configuration holds for all.
    pub(crate) fn root_namespace(&self) -> &str {
        self.text(&["rootNamespace"]).unwrap_or("istio-system")
    }

    /// Whether sidecars answer DNS: off unless it is switched on.
    pub(crate) fn dns_capture(&self) -> bool {
        self.is_on("ISTIO_META_DNS_CAPTURE")
    }

    /// Whether sidecars give hostnames addresses by themselves: off unless it is switched on.
    pub(crate) fn dns_auto_allocate(&self) -> bool {
        self.is_on("ISTIO_META_DNS_AUTO_ALLOCATE")
    }

    fn is_on(&self, metadata: &str) -> bool {
        match self.parts.iter().find_map(|part| read::at(part, &["defaultConfig", "proxyMetadata", metadata])) {
            Some(Value::String(text)) => text == "true",
            Some(value) => value.as_bool() == Some(true),
            None => false,
        }
    }
}

impl MeshConfig {
    /// Selectors of the namespaces that istiod looks at; none: all of them.
    pub(crate) fn discovery_selectors(&self) -> Vec<Value> {
        self.list("discoverySelectors").to_vec()
    }
}

/// Whether istiod looks at a namespace with these labels: one selector that matches is enough.
pub(crate) fn is_discovered(selectors: &[Value], labels: &BTreeMap<&str, &str>) -> bool {
    selectors.is_empty() || selectors.iter().any(|selector| matches_labels(selector, labels))
}

/// A label selector of Kubernetes: all parts have to hold.
fn matches_labels(selector: &Value, labels: &BTreeMap<&str, &str>) -> bool {
    let wanted = read::map(selector, &["matchLabels"]);
    wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
        && read::list(selector, &["matchExpressions"]).iter().all(|expression| {
            let label = read::text(expression, &["key"]).and_then(|key| labels.get(key));
            let is_listed = label.is_some_and(|label| read::texts(expression, &["values"]).any(|value| value == *label));
            match read::text(expression, &["operator"]) {
                Some("In") => is_listed,
                Some("NotIn") => !is_listed,
                Some("Exists") => label.is_some(),
                Some("DoesNotExist") => label.is_none(),
                _ => false,
            }
        })
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
