//! What an identity needs, from the table of kinds.
//!
//! Contract: a rule for every request that this crate can make, and for no other.

use crate::kinds::{KINDS, Known, Purpose};

/// What an identity is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// data sources, refresh, plan
    Plan,
    /// that, and writing
    Apply,
}

impl Use {
    /// The verbs that are needed for a kind. To apply an object that is not there yet is a `patch` and a `create`.
    #[must_use]
    pub fn verbs(self, known: &Known) -> &'static [&'static str] {
        match (known.purpose, self) {
            (Purpose::Read | Purpose::ReadIfAllowed, _) => &["list"],
            (Purpose::Written, Self::Plan) => &["get", "list"],
            (Purpose::Written, Self::Apply) => &["create", "delete", "get", "list", "patch"],
        }
    }

    /// A ClusterRole with this name, as YAML. A name is one of Kubernetes.
    #[must_use]
    pub fn cluster_role(self, name: &str) -> String {
        let head = format!("apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: {name}\nrules:\n");
        let mut rules: Vec<(&str, &[&str], Vec<&str>)> = Vec::new();
        for known in KINDS {
            let verbs = self.verbs(known);
            match rules.iter_mut().find(|(group, allowed, _)| *group == known.group && *allowed == verbs) {
                Some((_, _, resources)) => resources.push(known.plural),
                None => rules.push((known.group, verbs, vec![known.plural])),
            }
        }
        let rules = rules.iter().map(|(group, verbs, resources)| {
            let (resources, verbs) = (resources.join(", "), verbs.join(", "));
            format!("  - apiGroups: [\"{group}\"]\n    resources: [{resources}]\n    verbs: [{verbs}]\n")
        });
        std::iter::once(head).chain(rules).collect()
    }
}

/// The line with which a user makes the inventory of a directory cluster from a live one. Kinds that the cluster does not
/// have are left out: kubectl would refuse all for one of them.
#[must_use]
pub fn inventory_line() -> String {
    let kinds: Vec<String> = KINDS.iter().map(|known| known.resource().replace('.', "\\.")).collect();
    format!(
        "kubectl get \"$(kubectl api-resources --verbs=list -o name | grep -xE '{}' | paste -sd, -)\" --all-namespaces -o yaml > \
         inventory/cluster.yaml",
        kinds.join("|")
    )
}
