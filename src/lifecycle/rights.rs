//! What a resource may take besides what is its own: `takeover_from` and `adopt`.

use std::collections::BTreeSet;

use istio_objects::Claim;
use mesh_model::names::OwnerId;
use mesh_model::{AttributePath, Code, Finding, Findings};
use tf_value::{Reader, Tf, Value};

/// Types whose objects can be taken over.
const TYPES: &[&str] = &["gloo_virtual_destination", "gloo_virtual_mesh", "gloo_istio_object"];

/// The two arguments, as far as they are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wishes {
    /// entries of `takeover_from`; `None`: one of them is unknown
    takeover: Option<Vec<Entry>>,
    /// `adopt`; `None`: unknown
    pub(super) adopt: Option<bool>,
}

/// One entry of `takeover_from`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    /// the resource of the same type, namespace and name of this owner
    Owner(OwnerId),
    /// the resource with this claim
    Claim(Claim),
}

impl Wishes {
    /// Reads both arguments. Entries that mean nothing are findings.
    pub(super) fn read(config: &Value) -> (Self, Findings) {
        let root = Reader::root(config);
        let mut findings = Findings::new();
        let adopt = match root.attribute("adopt").value {
            Value::Bool(adopt) => Some(*adopt),
            Value::Unknown(_) => None,
            _ => Some(false),
        };
        let takeover = match root.attribute("takeover_from").elements() {
            Tf::Unknown => None,
            Tf::Null => Some(Vec::new()),
            Tf::Known(elements) => {
                let mut entries = Some(Vec::new());
                for element in elements {
                    match element.string() {
                        Tf::Unknown => entries = None,
                        Tf::Null => findings.push(wrong("an entry is null")),
                        Tf::Known(text) => match entry(text) {
                            Ok(entry) => entries.iter_mut().for_each(|entries| entries.push(entry.clone())),
                            Err(problem) => findings.push(wrong(&problem)),
                        },
                    }
                }
                entries
            }
        };
        (Self { takeover, adopt }, findings)
    }

    /// Whose objects the resource with this claim takes over; `None`: not known yet.
    pub(super) fn takeover(&self, own: &Claim) -> Option<BTreeSet<Claim>> {
        let claims = self.takeover.as_ref()?.iter().map(|entry| match entry {
            Entry::Owner(owner) => Claim { owner: owner.clone(), ..own.clone() },
            Entry::Claim(claim) => claim.clone(),
        });
        Some(claims.filter(|claim| claim != own).collect())
    }

    /// What is wrong about them for the resource with this claim.
    pub(super) fn against(&self, own: &Claim) -> Findings {
        let is_own = self.takeover.iter().flatten().any(|entry| match entry {
            Entry::Owner(owner) => *owner == own.owner,
            Entry::Claim(claim) => claim == own,
        });
        let finding = || {
            Finding::new(
                Code::InvalidValue,
                AttributePath::of("takeover_from"),
                format!("`takeover_from` names this resource itself, {own}."),
                "Objects are taken over from somebody else.",
                "To take objects that another state wrote with the same owner, namespace and name, write:\n\n  adopt = true",
            )
        };
        is_own.then(finding).into_iter().collect()
    }
}

fn entry(text: &str) -> Result<Entry, String> {
    if !text.contains("//") {
        return text.parse().map(Entry::Owner).map_err(|error| format!("{text:?}: {error}"));
    }
    let claim: Claim = text.parse()?;
    if TYPES.contains(&claim.resource_type.as_str()) {
        Ok(Entry::Claim(claim))
    } else {
        Err(format!("{text:?}: {:?} is no type that writes objects; these are {}", claim.resource_type, TYPES.join(", ")))
    }
}

fn wrong(problem: &str) -> Finding {
    Finding::new(
        Code::InvalidValue,
        AttributePath::of("takeover_from"),
        format!("`takeover_from`: {problem}."),
        "An entry is an owner, whose resource of the same type, namespace and name is meant, or a whole claim, as \
         the annotation gloo-terraform/claim of an object has it.",
        "Write for example:\n\n  takeover_from = [\"team-a/prod\"]\n\nor:\n\n  takeover_from = \
         [\"team-a/prod//gloo_virtual_destination/bookinfo/reviews\"]",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(entries: &[&str]) -> (Wishes, Findings) {
        Wishes::read(&Value::map([("takeover_from", Value::set(entries.iter().map(|text| Value::string(*text))))]))
    }

    #[test]
    fn an_owner_means_its_resource_of_the_same_name() {
        let own: Claim = "me/prod//gloo_virtual_destination/shop/cart".parse().expect("a claim");
        let (wishes, findings) = read(&["team-a/prod", "me/prod//gloo_istio_object/shop/VirtualService/cart"]);
        assert_eq!(findings, Findings::new());
        let claims: Vec<String> = wishes.takeover(&own).into_iter().flatten().map(|claim| claim.to_string()).collect();
        assert_eq!(
            claims,
            ["me/prod//gloo_istio_object/shop/VirtualService/cart", "team-a/prod//gloo_virtual_destination/shop/cart"]
        );
        assert!(wishes.against(&own).is_empty());
        assert_eq!(wishes.adopt, Some(false));
    }

    #[test]
    fn wrong_entries_are_named() {
        for text in ["", "Team A", "a//b", "a//gloo_cluster/-/prod", "a//gloo_istio_object/Bad Namespace/x"] {
            let (_, findings) = read(&[text]);
            assert_eq!(findings.len(), 1, "{text:?}");
            assert!(findings[0].what.contains(&format!("{text:?}")), "{:?}", findings[0]);
        }
        let own: Claim = "me/prod//gloo_virtual_destination/shop/cart".parse().expect("a claim");
        for text in ["me/prod", "me/prod//gloo_virtual_destination/shop/cart"] {
            assert_eq!(read(&[text]).0.against(&own).len(), 1, "{text:?}");
        }
    }

    #[test]
    fn what_is_unknown_is_no_veto() {
        let own: Claim = "me/prod//gloo_virtual_destination/shop/cart".parse().expect("a claim");
        let config = Value::map([("takeover_from", Value::set([Value::unknown()])), ("adopt", Value::unknown())]);
        let (wishes, findings) = Wishes::read(&config);
        assert_eq!((wishes.takeover(&own), wishes.adopt), (None, None));
        assert!(findings.is_empty());
    }
}
