//! `gloo_virtual_mesh`: clusters that form one mesh. Its `mesh` is what other resources refer to. It writes objects where it
//! exports Services (`federation`) or sets the mode of mutual TLS (`mtls`), and none otherwise.

use std::collections::{BTreeMap, BTreeSet};

use istio_objects::Claim;
use mesh_model::decode::{self, Outcome};
use mesh_model::names::{ClusterName, IntentName, OwnerId};
use mesh_model::{Code, Findings, Severity};
use mesh_translate::Objects;
use serde_json::Value as Json;
use tf_value::schema::{Attribute, ForImport, Kind, Schema};
use tf_value::{Reader, Tf, Type, Value};

use super::change;
use super::virtual_destination::{VirtualDestination, ignore_findings, tcp_keepalive};
use crate::lifecycle::{Identity, IntentKind, Interpretation, Live, Owned, Reliance, Shape, none_stored};
use crate::schema::{HANDLING, Side, accepted_trust_domains, backend, computed, facts, mesh, ownership, timeouts};
use crate::session::PerCluster;

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
            federation(),
            Attribute::optional(
                "mtls",
                Kind::single(vec![Attribute::required(
                    "mode",
                    Type::String,
                    "`strict`: workloads take mutual TLS alone. `permissive`: plain text too.",
                )]),
                "What workloads of every member take from callers, unless a PeerAuthentication of their namespace or of their own says otherwise: one PeerAuthentication `default` in each root namespace. Default: as others have set it.",
            ),
            timeouts(),
            Attribute::computed(
                "mesh",
                Kind::single(mesh(Side::Result)),
                "The mesh with the facts of its members, for the argument `virtual_mesh` of other resources.",
            ),
        ];
        attributes.extend(ownership());
        attributes.extend(computed("Name of the mesh."));
        Schema {
            version: 0,
            description: "Clusters that form one mesh, to whose `mesh` other resources refer. It can export Services of single clusters to all members, and set the mode of mutual TLS in each of them; without both it writes no object.".to_owned(),
            attributes,
        }
    }

    fn identify(&self, config: &Value) -> Option<Identity> {
        name(&Reader::root(config)).map(|name| identity(&name))
    }

    fn interpret(&self, config: &Value) -> Interpretation {
        let root = Reader::root(config);
        let input = crate::input::attributes(config, &[HANDLING, &["id", "mesh", "manifests", "applied", "drift"]].concat());
        let decoded = decode::virtual_mesh(&input);
        let (mut findings, mut ignored) = (decoded.findings, BTreeSet::new());
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
        let writes = ["federation", "mtls"].iter().any(|name| !root.attribute(name).value.is_null());
        let shape = match decoded.outcome {
            Outcome::Intent(intent) => {
                let translation = mesh_translate::translate_mesh(&intent);
                findings.extend(translation.findings);
                ignored.extend(intent.federation.iter().flat_map(|federation| federation.ignored.keys().copied()));
                let failed = findings.iter().any(|finding| finding.code.severity() == Severity::Error);
                if failed { Shape::Invalid } else { Shape::Objects(translation.objects) }
            }
            Outcome::UnknownShape(leaf) if writes => Shape::Unknown(leaf),
            Outcome::UnknownShape(_) => {
                // which clusters there are does not matter: there are no objects
                findings.retain(|finding| finding.code != Code::UnknownShape);
                Shape::Objects(Objects::new())
            }
            Outcome::Invalid => Shape::Invalid,
        };
        findings.retain(|finding| !ignored.contains(&finding.code));
        Interpretation {
            identity: name(&root).map(|name| identity(&name)),
            computed: BTreeMap::from([("hostname_suffix", suffix), ("mesh", mesh)]),
            shape,
            findings,
            ignored,
        }
    }

    fn anchors(&self) -> &'static [&'static str] {
        &["PeerAuthentication", "ServiceEntry"]
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

    /// A virtual mesh that writes nothing stores nothing either, but every destination of it stores what it was made from.
    fn restore(&self, identity: &Identity, claimed: &Owned, owned: &Owned) -> Result<Value, String> {
        if claimed.values().any(|objects| !objects.is_empty()) {
            return Err(none_stored(claimed));
        }
        let ty = VirtualDestination.schema().ty();
        let destinations = owned.values().flatten().filter(|live| live.claim.resource_type == VirtualDestination::TYPE);
        let mesh = destinations
            .filter_map(Live::stored_intent)
            .filter_map(|text| crate::stored_intent::decode(text, &ty).ok())
            .map(|destination| destination.get("virtual_mesh").clone())
            .find(|mesh| mesh.get("name").as_str() == Some(identity.name.as_str()))
            .ok_or("No cluster holds an object of it, and no virtual destination of this owner belongs to it. Declare it and apply: one without `federation` and `mtls` changes nothing in the clusters.")?;
        let mut attributes: BTreeMap<String, Value> =
            self.schema().attributes.into_iter().map(|attribute| (attribute.name, Value::Null)).collect();
        for name in ["name", "hostname_suffix", "clusters", "accepted_trust_domains"] {
            attributes.insert(name.to_owned(), mesh.get(name).clone());
        }
        Ok(Value::Map(attributes))
    }

    fn replacement(&self, prior: &Value, planned: &Value, given_up: Option<&Claim>) -> Findings {
        change::mesh_replaced(prior, planned, given_up)
    }

    /// Other states took the mesh from `mesh`, where it says whose it is.
    fn reliance(&self, prior: &Value, planned: Option<&Value>, owner: &OwnerId) -> Option<Reliance> {
        let members = |state: &Value| -> BTreeSet<ClusterName> {
            state.get("clusters").as_map().into_iter().flatten().filter_map(|(name, _)| name.parse().ok()).collect()
        };
        let looked_in = members(prior);
        let stays = planned.filter(|planned| planned.get("name") == prior.get("name"));
        let lost = match (planned, stays) {
            // what stays is not known: the apply plans once more
            (Some(planned), _) if planned.get("name").is_unknown() || planned.get("clusters").is_unknown() => return None,
            (_, Some(planned)) => looked_in.difference(&members(planned)).cloned().collect(),
            (_, None) => looked_in.clone(),
        };
        if lost.is_empty() {
            return None;
        }
        let (name, owner) = (prior.get("name").as_str()?.to_owned(), owner.to_string());
        let is_use = move |intent: &Json| {
            let member = |member: &str| intent.pointer("/virtual_mesh").and_then(|mesh| mesh.get(member)?.as_str());
            member("name") == Some(&name) && member("owner") == Some(&owner)
        };
        let refusal = if stays.is_some() { change::members_in_use } else { change::mesh_in_use };
        Some(Reliance { looked_in, lost, is_use: Box::new(is_use), refusal })
    }

    fn sign(&self, computed: &mut BTreeMap<&'static str, Value>, owner: &OwnerId) {
        if let Some(Value::Map(mesh)) = computed.get_mut("mesh") {
            mesh.insert("owner".to_owned(), Value::string(owner.as_str()));
        }
    }

    fn placed(&self, findings: Findings) -> Findings {
        mesh_translate::in_mesh(findings)
    }

    fn guard(&self, _prior: &Value, planned: &Value, before: &PerCluster, after: &Objects) -> Findings {
        change::exports_lost(planned, before, after)
    }
}

fn federation() -> Attribute {
    Attribute::optional(
        "federation",
        Kind::single(vec![
            Attribute::required(
                "exports",
                Kind::list(backend(Side::Argument)),
                "The Services, each of one cluster: `data.gloo_service.<name>.backends`, several of them in `concat(…)`, or the same shape written by hand.",
            ),
            Attribute::optional(
                "hostname_suffix",
                Type::String,
                "What their names end with. Default `global`. It must not be the domain of a cluster's own Services.",
            ),
            Attribute::optional(
                "client_namespace",
                Type::map(Type::String),
                "Namespace of the objects in members that lack the Services' own, by cluster.",
            ),
            tcp_keepalive(),
            ignore_findings("these names", "the ServiceEntry of every export"),
        ]),
        "Services that workloads of every member can call in the one cluster where each of them is, as `<service>.<namespace>.svc.<cluster>.<hostname_suffix>`. Every TCP port of the Service is a port of that name, with the Service's protocol; where that is not known, connections are carried as they are. Nothing fails over: for that there are virtual destinations.",
    )
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
