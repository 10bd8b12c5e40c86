//! What data sources that list are asked about: clusters, namespaces and labels.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use mesh_model::names::{ClusterName, InvalidName, Namespace};
use tf_value::schema::Attribute;
use tf_value::{Diagnostics, Path, Reader, Tf, Type, Value};

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

impl Scope {
    /// The arguments; `labelled` says whose labels are meant.
    pub(crate) fn arguments(labelled: &str) -> Vec<Attribute> {
        let [clusters, namespaces, selector] = ARGUMENTS;
        vec![
            Attribute::optional(clusters, Type::set(Type::String), "Clusters to ask. Default: all of the provider block."),
            Attribute::optional(namespaces, Type::set(Type::String), "Namespaces to look in. Default: all."),
            Attribute::optional(
                selector,
                Type::map(Type::String),
                &format!("Labels of {labelled}, all of which must be there. Default: none."),
            ),
        ]
    }

    /// # Errors
    /// Names that are none, each at its argument.
    pub(crate) fn read(config: &Value) -> Result<Self, Diagnostics> {
        let mut diagnostics = Diagnostics::new();
        let root = Reader::root(config);
        let clusters = names(&root.attribute("clusters"), "It takes keys of `clusters` in the provider block.", &mut diagnostics);
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

    /// Where errors about the clusters stand.
    pub(crate) fn path(&self) -> Path {
        if self.clusters.is_some() { Path::of("clusters") } else { Path::root() }
    }

    /// The arguments as they were given, for the state.
    pub(crate) fn given(config: &Value) -> impl Iterator<Item = (&'static str, Value)> {
        ARGUMENTS.into_iter().map(|name| (name, Reader::root(config).attribute(name).value.clone()))
    }
}

fn names<T: FromStr<Err = InvalidName> + Ord>(
    reader: &Reader<'_>,
    takes: &str,
    diagnostics: &mut Diagnostics,
) -> Option<BTreeSet<T>> {
    let Tf::Known(elements) = reader.elements() else { return None };
    let mut found = BTreeSet::new();
    for text in elements.iter().filter_map(|element| element.string().known()) {
        match text.parse() {
            Ok(name) => {
                found.insert(name);
            }
            Err(error) => diagnostics.error(&reader.path, "Invalid name", format!("{error}.\n\n{takes}")),
        }
    }
    Some(found)
}
