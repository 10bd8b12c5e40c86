//! What an identity needs, from the table of kinds.
//!
//! Contract: a rule for every request that this crate can make, and for no other.

use std::fmt;
use std::str::FromStr;

use mesh_model::names::Namespace;

use crate::kinds::{KINDS, Known, Purpose};

/// What an identity is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// data sources, refresh, plan
    Plan,
    /// that, and writing
    Apply,
}

/// The name of a Role or ClusterRole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleName(String);

impl FromStr for RoleName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
        let is_name = !text.is_empty() && text.len() <= 253 && text.chars().all(is_allowed) && ![".", ".."].contains(&text);
        if is_name { Ok(Self(text.to_owned())) } else { Err(format!("{text:?} is no name of a role")) }
    }
}

/// As a scalar of YAML that is read as a text by every reader.
impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // one word alone may be `true`, `null` or `1e3`; with a hyphen between letters it may not
        let is_plain = self.0.contains('-')
            && self.0.starts_with(|c: char| c.is_ascii_lowercase())
            && self.0.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if is_plain { f.write_str(&self.0) } else { write!(f, "\"{}\"", self.0) }
    }
}

impl Use {
    /// The verbs that are needed for a kind by an identity that sees the whole cluster. To apply an object that is not there
    /// yet is a `patch` and a `create`.
    #[must_use]
    pub fn verbs(self, known: &Known) -> &'static [&'static str] {
        match (known.purpose, self) {
            (Purpose::Read | Purpose::ReadIfAllowed, _) => &["list"],
            (Purpose::Written, Self::Plan) => &["get", "list"],
            (Purpose::Written, Self::Apply) => &["create", "delete", "get", "list", "patch"],
        }
    }

    /// The verbs that are needed for a kind in each of the `namespaces` of a cluster. Of kinds without a namespace these
    /// namespaces themselves are looked at, one by one.
    #[must_use]
    pub fn verbs_in_namespace(self, known: &Known) -> &'static [&'static str] {
        match (known.is_namespaced, known.kind) {
            (true, _) => self.verbs(known),
            (false, "Namespace") => &["get"],
            (false, _) => &[],
        }
    }

    /// A ClusterRole, or the Role of one of the `namespaces` of a cluster, as YAML.
    #[must_use]
    pub fn role(self, name: &RoleName, namespace: Option<&Namespace>) -> String {
        let kind = if namespace.is_some() { "Role" } else { "ClusterRole" };
        let place = namespace.map_or_else(String::new, |namespace| format!("  namespace: \"{namespace}\"\n"));
        let head = format!("apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata:\n  name: {name}\n{place}rules:\n");
        let mut rules: Vec<(&str, &[&str], Vec<&str>)> = Vec::new();
        for known in KINDS {
            let verbs = if namespace.is_some() { self.verbs_in_namespace(known) } else { self.verbs(known) };
            match rules.iter_mut().find(|(group, allowed, _)| *group == known.group && *allowed == verbs) {
                _ if verbs.is_empty() => {}
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_text_for_every_reader_of_yaml() {
        for (name, shown) in [
            ("gloo-plan", "gloo-plan"),
            ("true", "\"true\""),
            ("1e3", "\"1e3\""),
            ("2026-11-21", "\"2026-11-21\""),
            ("team:gloo", "\"team:gloo\""),
        ] {
            assert_eq!(name.parse::<RoleName>().expect("a name").to_string(), shown);
        }
        for wrong in ["", "..", "a/b", "a\"b", "a\nb", "a%20b", "ä"] {
            assert!(wrong.parse::<RoleName>().is_err(), "{wrong:?}");
        }
    }
}
