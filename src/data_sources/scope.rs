//! What data sources that list are asked about: clusters, namespaces and labels.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use mesh_model::names::{ClusterName, InvalidName, Namespace, OwnerId};
use tf_value::schema::Attribute;
use tf_value::{Diagnostics, Path, Reader, Tf, Type, Value};

use super::read::{asked_clusters, check_namespaces};
use crate::session::Session;

/// Where to look, and what for.
pub(crate) struct Scope {
    /// the clusters that are named; `None`: all
    pub(crate) clusters: Option<BTreeSet<ClusterName>>,
    /// the namespaces that are named; `None`: all
    pub(crate) namespaces: Option<BTreeSet<Namespace>>,
    /// labels that must be there
    pub(crate) selector: BTreeMap<String, String>,
}

/// Names of the arguments.
const ARGUMENTS: [&str; 3] = ["clusters", "namespaces", "selector"];

/// What an argument for clusters takes.
pub(super) const CLUSTERS: &str = "It takes keys of `clusters` in the provider block.";

impl Scope {
    /// The arguments, and `id`; `labelled` says whose labels are meant.
    pub(crate) fn attributes(labelled: &str) -> Vec<Attribute> {
        let [clusters, namespaces, selector] = ARGUMENTS;
        vec![
            Attribute::optional(clusters, Type::set(Type::String), "Clusters to ask. Default: all of the provider block."),
            Attribute::optional(namespaces, Type::set(Type::String), "Namespaces to look in. Default: all."),
            Attribute::optional(
                selector,
                Type::map(Type::String),
                &format!("Labels of {labelled}, all of which must be there. Default: none."),
            ),
            Attribute::computed("id", Type::String, "The owner."),
        ]
    }

    /// # Errors
    /// Names that are none, each at its argument.
    pub(crate) fn read(config: &Value) -> Result<Self, Diagnostics> {
        let mut diagnostics = Diagnostics::new();
        let root = Reader::root(config);
        let clusters = names(&root.attribute("clusters"), CLUSTERS, &mut diagnostics);
        let namespaces = names(&root.attribute("namespaces"), "Write names as the clusters have them.", &mut diagnostics);
        let mut selector = BTreeMap::new();
        for (label, value) in root.attribute("selector").entries().known().unwrap_or_default() {
            match value.string() {
                Tf::Known(text) => {
                    selector.insert(label.to_owned(), text.to_owned());
                }
                Tf::Null => diagnostics.error(
                    &value.path,
                    "Label without a value",
                    format!("`selector` wants the label {label:?} to be null, which no label is.\n\nLeave it out, or say which value is meant:\n\n  selector = {{ app = \"reviews\" }}"),
                ),
                Tf::Unknown => {}
            }
        }
        if diagnostics.has_errors() { Err(diagnostics) } else { Ok(Self { clusters, namespaces, selector }) }
    }

    /// The clusters to ask; see [`asked_clusters`].
    ///
    /// # Errors
    /// When they are not known yet, or are not looked at in a namespace that is named.
    pub(crate) fn asked(&self, session: &Session, by_hand: &str) -> Result<BTreeSet<ClusterName>, Diagnostics> {
        let clusters = asked_clusters(session, self.clusters.as_ref(), by_hand)?;
        if let Some(namespaces) = &self.namespaces {
            check_namespaces(session, &clusters, namespaces, &Path::of("namespaces"))?;
        }
        Ok(clusters)
    }

    /// Where errors about the clusters stand.
    pub(crate) fn path(&self) -> Path {
        if self.clusters.is_some() { Path::of("clusters") } else { Path::root() }
    }

    /// The arguments as they were given, and the id, for the state.
    pub(crate) fn given(config: &Value, owner: &OwnerId) -> impl Iterator<Item = (&'static str, Value)> {
        let given = ARGUMENTS.map(|name| (name, Reader::root(config).attribute(name).value.clone()));
        given.into_iter().chain([("id", Value::string(owner.as_str()))])
    }
}

/// A set of names that says where to look. `takes`: what it takes.
pub(super) fn names<T: FromStr<Err = InvalidName> + Ord>(
    reader: &Reader<'_>,
    takes: &str,
    diagnostics: &mut Diagnostics,
) -> Option<BTreeSet<T>> {
    let Tf::Known(elements) = reader.elements() else { return None };
    let mut found = BTreeSet::new();
    for element in elements {
        match element.string() {
            Tf::Known(text) => match text.parse() {
                Ok(name) => {
                    found.insert(name);
                }
                Err(error) => diagnostics.error(&reader.path, "Invalid name", format!("{error}.\n\n{takes}")),
            },
            Tf::Null => diagnostics.error(
                &reader.path,
                "Name is null",
                format!("An element of `{0}` is null.\n\nWithout it the answer would be about less than was asked for.\n\nLeave it out if that is what you mean:\n\n  {0} = compact([…])", reader.path),
            ),
            Tf::Unknown => {}
        }
    }
    Some(found)
}
