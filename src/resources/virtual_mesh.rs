//! `gloo_virtual_mesh`: clusters that form one mesh. It writes no object; its `mesh` is what other resources refer to.

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::decode::{self, Outcome};
use mesh_model::names::IntentName;
use tf_value::schema::{Attribute, ForImport, Kind, Schema};
use tf_value::{Reader, Tf, Type, Value};

use super::virtual_destination::VirtualDestination;
use crate::lifecycle::{Identity, IntentKind, Interpretation, Live, Owned, Shape};
use crate::schema::{Side, accepted_trust_domains, computed, facts, mesh, timeouts};

/// The resource.
pub(crate) struct VirtualMesh;

/// What default hostnames end with, unless the mesh says otherwise.
const HOSTNAME_SUFFIX: &str = "mesh.internal";

impl IntentKind for VirtualMesh {
    const TYPE: &'static str = "gloo_virtual_mesh";
    const IDENTITY: &'static [&'static str] = &["name"];

    fn schema(&self) -> Schema {
        let mut attributes = vec![
            Attribute::required("name", Type::String, "Name of the mesh.").replaces(),
            Attribute::required(
                "clusters",
                Kind::map(facts(Side::Argument)),
                "Members by name, with their facts: as `data.gloo_cluster.<name>.facts` gives them, or written by hand.",
            ),
            Attribute::optional_computed(
                "hostname_suffix",
                Type::String,
                "What the hostnames of virtual destinations end with where they set none. Default `mesh.internal`.",
            ),
            accepted_trust_domains(Side::Argument),
            timeouts(),
            Attribute::computed(
                "mesh",
                Kind::single(mesh(Side::Result)),
                "The mesh with the facts of its members, for the argument `virtual_mesh` of other resources.",
            ),
        ];
        attributes.extend(computed("Name of the mesh."));
        Schema {
            version: 0,
            description: "Clusters that form one mesh. It writes no object; other resources refer to its `mesh`.".to_owned(),
            attributes,
        }
    }

    fn identify(&self, config: &Value) -> Option<Identity> {
        name(&Reader::root(config)).map(|name| identity(&name))
    }

    fn interpret(&self, config: &Value) -> Interpretation {
        let root = Reader::root(config);
        let input = crate::input::attributes(config, &["timeouts", "id", "mesh", "manifests", "applied", "drift"]);
        let decoded = decode::virtual_mesh(&input);
        let suffix = match root.attribute("hostname_suffix").value {
            Value::Null => Value::string(HOSTNAME_SUFFIX),
            other => other.clone(),
        };
        let mesh = Value::map([
            ("name", root.attribute("name").value.clone()),
            ("hostname_suffix", suffix.clone()),
            ("clusters", root.attribute("clusters").value.clone()),
            ("accepted_trust_domains", root.attribute("accepted_trust_domains").value.clone()),
        ]);
        Interpretation {
            identity: name(&root).map(|name| identity(&name)),
            computed: BTreeMap::from([("hostname_suffix", suffix), ("mesh", mesh)]),
            // which clusters there are does not matter: there are no objects
            shape: match decoded.outcome {
                Outcome::Intent(_) | Outcome::UnknownShape(_) => Shape::Objects(BTreeMap::new()),
                Outcome::Invalid => Shape::Invalid,
            },
            ignored: BTreeSet::new(),
            findings: decoded.findings.into_iter().filter(|finding| finding.code != mesh_model::Code::UnknownShape).collect(),
        }
    }

    fn anchor(&self) -> Option<&'static str> {
        None
    }

    fn parse_id(&self, id: &str) -> Result<Identity, String> {
        match id.parse::<IntentName>() {
            Ok(name) => Ok(identity(&name)),
            Err(error) => Err(format!("{error}.\n\nThe id of a virtual mesh is its name: `prod`.")),
        }
    }

    const NAMES: &'static [(&'static str, ForImport, &'static str)] = &[("name", ForImport::Required, "Name of the mesh.")];

    fn names_of(&self, id: &str) -> Vec<(&'static str, Option<String>)> {
        vec![("name", Some(id.to_owned()))]
    }

    fn id_of(&self, identity: &Value) -> String {
        identity.get("name").as_str().unwrap_or_default().to_owned()
    }

    /// A virtual mesh writes nothing, but every destination of it stores what it was made from.
    fn restore(&self, identity: &Identity, _claimed: &Owned, owned: &Owned) -> Result<Value, String> {
        let ty = VirtualDestination.schema().ty();
        let destinations = owned.values().flatten().filter(|live| live.claim.resource_type == VirtualDestination::TYPE);
        let mesh = destinations
            .filter_map(Live::stored_intent)
            .filter_map(|text| crate::stored_intent::decode(text, &ty).ok())
            .map(|destination| destination.get("virtual_mesh").clone())
            .find(|mesh| mesh.get("name").as_str() == Some(identity.name.as_str()))
            .ok_or("A virtual mesh writes no object of its own, and no virtual destination of this owner belongs to it. Declare it and apply: creating it changes nothing in the clusters.")?;
        let mut attributes: BTreeMap<String, Value> =
            self.schema().attributes.into_iter().map(|attribute| (attribute.name, Value::Null)).collect();
        for name in ["name", "hostname_suffix", "clusters", "accepted_trust_domains"] {
            attributes.insert(name.to_owned(), mesh.get(name).clone());
        }
        Ok(Value::Map(attributes))
    }
}

fn identity(name: &IntentName) -> Identity {
    Identity { namespace: None, name: name.to_string(), id: name.to_string() }
}

fn name(root: &Reader<'_>) -> Option<IntentName> {
    match root.attribute("name").string() {
        Tf::Known(text) => text.parse().ok(),
        Tf::Null | Tf::Unknown => None,
    }
}
