//! The provider block, decoded: what it says and what of it is not known yet.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mesh_model::names::{ClusterName, OwnerId, is_label_key, is_label_value};
use tf_value::schema::{Attribute, Kind, Schema};
use tf_value::{Diagnostics, Path, Reader, Tf, Type, Value};

use crate::connection::{self, Connection};

/// The provider block of one configured provider.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// who the state acts for
    pub(crate) owner: OwnerId,
    /// registered clusters; `None`: the whole map is not known yet
    pub(crate) clusters: Option<BTreeMap<ClusterName, Connection>>,
    /// labels of every object; `None`: not known yet
    pub(crate) default_labels: Option<BTreeMap<String, String>>,
    /// whether a newer provider may render unchanged intents anew; `None`: not known yet
    pub(crate) rerender: Option<Rerender>,
    /// what an unreachable cluster does to a refresh
    pub(crate) unreachable: Unreachable,
    /// order of clusters inside a wave
    pub(crate) clusters_order: Vec<ClusterName>,
    /// clusters whose objects may be forgotten unseen
    pub(crate) decommissioned: BTreeSet<ClusterName>,
    /// how long proxies are given to follow, where writes in other clusters rely on it
    pub(crate) settle: Duration,
    /// limit of one request to a cluster
    pub(crate) request_timeout: Duration,
    /// writes under way at once
    pub(crate) max_in_flight: usize,
}

/// When stored manifests are rendered anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rerender {
    /// when the intent, its facts or the provider's labels change
    OnChange,
    /// whenever this version renders differently
    Always,
}

/// What an unreachable cluster does to a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreachable {
    /// it fails
    Error,
    /// a warning; the last known state is kept
    Warn,
}

/// Schema of the provider block.
pub(crate) fn schema() -> Schema {
    Schema {
        version: 0,
        description: "Makes many Istio clusters one mesh, without a management plane: intents in HCL become Istio objects that the plan shows, and that are written to every cluster in an order that never drops traffic.".to_owned(),
        attributes: vec![
            Attribute::required(
                "owner",
                Type::String,
                "Who this state acts for: `platform/prod`. One value for each state. It is in the field manager, a label and the claim of every object, so that two states never write one object unseen.",
            ),
            Attribute::optional(
                "clusters",
                Kind::map(connection::attributes()),
                "Clusters by name. An ordinary expression: it may be built with `for`, and every part may be known only after apply.",
            ),
            Attribute::optional("default_labels", Type::map(Type::String), "Labels of every object that is written."),
            Attribute::optional(
                "rerender",
                Type::String,
                "`on_change` (default): objects of an unchanged intent stay as they were written, also when a newer provider would render them differently; `always`: they are rendered anew.",
            ),
            Attribute::optional(
                "plan",
                Kind::single(vec![Attribute::optional(
                    "unreachable",
                    Type::String,
                    "What a cluster that cannot be reached does to a refresh of resources: `error` (default), or `warn`: the last known state is kept. Data sources always fail.",
                )]),
                "How plans behave.",
            ),
            Attribute::optional(
                "apply",
                Kind::single(vec![
                    Attribute::optional(
                        "clusters_order",
                        Type::list(Type::String),
                        "Clusters in the order in which each wave of writes visits them; those not named follow. Default: all at once.",
                    ),
                    Attribute::optional(
                        "settle",
                        Type::String,
                        "How long an apply waits where a write in one cluster relies on proxies of another one having followed: after new ways into a cluster, before clients use them, and after clients have left old ones, before these go. Default `2s`. Nothing waits for folders.",
                    ),
                ]),
                "How applies behave.",
            ),
            Attribute::optional(
                "limits",
                Kind::single(vec![
                    Attribute::optional(
                        "request_timeout",
                        Type::String,
                        "Limit of one request to a cluster, the wait for a folder's lock included. Default `15s`.",
                    ),
                    Attribute::optional("max_in_flight", Type::Number, "Writes under way at once, 1 to 1024. Default 32."),
                ]),
                "Limits of the traffic to clusters.",
            ),
            Attribute::optional(
                "decommissioned_clusters",
                Type::set(Type::String),
                "Clusters that are gone for good: their objects are forgotten without contact.",
            ),
        ],
    }
}

/// Decodes the provider block. Unknown parts are no error, except where nothing can be said without them (`owner`).
pub(crate) fn decode(config: &Value, environment: &dyn Fn(&str) -> Option<String>) -> (Option<Settings>, Diagnostics) {
    let mut diagnostics = Diagnostics::new();
    let root = Reader::root(config);
    let d = &mut diagnostics;
    let owner = decode_owner(&root.attribute("owner"), d);
    let clusters = connection::decode(&root.attribute("clusters"), environment, d);
    let default_labels = decode_labels(&root.attribute("default_labels"), d);
    let rerender = decode_choice(
        &root.attribute("rerender"),
        &[("on_change", Rerender::OnChange), ("always", Rerender::Always)],
        Rerender::OnChange,
        d,
    );
    for (name, members) in
        [("plan", "unreachable"), ("apply", "clusters_order, settle"), ("limits", "request_timeout, max_in_flight")]
    {
        refuse_empty(&root.attribute(name), members, d);
    }
    let unreachable = decode_choice(
        &root.attribute("plan").attribute("unreachable"),
        &[("error", Unreachable::Error), ("warn", Unreachable::Warn)],
        Unreachable::Error,
        d,
    )
    .unwrap_or(Unreachable::Error);
    let clusters_order = decode_names(&root.attribute("apply").attribute("clusters_order"), d).unwrap_or_default();
    let settle = decode_duration(&root.attribute("apply").attribute("settle"), d).unwrap_or(Duration::from_secs(2));
    let decommissioned = decode_names(&root.attribute("decommissioned_clusters"), d).unwrap_or_default().into_iter().collect();
    let limits = root.attribute("limits");
    let request_timeout = decode_duration(&limits.attribute("request_timeout"), d).unwrap_or(Duration::from_secs(15));
    let max_in_flight = decode_max_in_flight(&limits.attribute("max_in_flight"), d);
    let settings = owner.map(|owner| Settings {
        owner,
        clusters,
        default_labels,
        rerender,
        unreachable,
        clusters_order,
        settle,
        decommissioned,
        request_timeout,
        max_in_flight,
    });
    (settings, diagnostics)
}

fn decode_owner(owner: &Reader<'_>, d: &mut Diagnostics) -> Option<OwnerId> {
    match owner.string() {
        Tf::Known(text) => match text.parse() {
            Ok(owner) => Some(owner),
            Err(error) => {
                d.error(
                    &owner.path,
                    "Invalid owner",
                    format!("{error}.\n\nThe owner names this state in every object that it writes. Write for example:\n\n  owner = \"platform/prod\""),
                );
                None
            }
        },
        // validation runs with unknown values; only configure must know
        Tf::Unknown | Tf::Null => None,
    }
}

/// The error of a provider block whose `owner` is not known when it is needed.
pub(crate) fn owner_is_unknown() -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    diagnostics.error(
        &Path::of("owner"),
        "Owner is not known",
        "The value of `owner` is known only after apply.\n\nThe owner is part of every object that is planned, so nothing can be planned without it. Write it as a literal or from a variable:\n\n  owner = \"platform/prod\"",
    );
    diagnostics
}

/// Labels of every object, checked; `None` while one of them is unknown.
pub(crate) fn decode_labels(labels: &Reader<'_>, d: &mut Diagnostics) -> Option<BTreeMap<String, String>> {
    let entries = match labels.entries() {
        Tf::Unknown => return None,
        Tf::Null => return Some(BTreeMap::new()),
        Tf::Known(entries) => entries,
    };
    let mut decoded = BTreeMap::new();
    for (key, entry) in entries {
        match entry.string() {
            Tf::Unknown => return None,
            Tf::Null => {}
            Tf::Known(value) => {
                let is_ours = key.starts_with("gloo-terraform");
                if is_ours || !is_label_key(key) || !(value.is_empty() || is_label_value(value)) {
                    let rule = if is_ours {
                        "the prefix `gloo-terraform` is the provider's own"
                    } else {
                        "key and value take at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit; before the key may stand a DNS name and '/'"
                    };
                    d.error(
                        &entry.path,
                        "Invalid label",
                        format!("{key:?} = {value:?} is no label of yours to set: {rule}.\n\nThe label would be refused on every object. Change it in `default_labels`."),
                    );
                }
                decoded.insert(key.to_owned(), value.to_owned());
            }
        }
    }
    Some(decoded)
}

fn decode_choice<T: Copy>(choice: &Reader<'_>, choices: &[(&str, T)], default: T, d: &mut Diagnostics) -> Option<T> {
    match choice.string() {
        Tf::Unknown => None,
        Tf::Null => Some(default),
        Tf::Known(text) => {
            let found = choices.iter().find(|(name, _)| *name == text);
            if found.is_none() {
                let names: Vec<String> = choices.iter().map(|(name, _)| format!("`{name}`")).collect();
                d.error(
                    &choice.path,
                    "Invalid value",
                    format!("{} is {text:?}.\n\nIt takes {}.", choice.path, names.join(" or ")),
                );
            }
            Some(found.map_or(default, |(_, value)| *value))
        }
    }
}

/// Core drops members that an object does not have; an object that is left without any was meant to say something.
fn refuse_empty(object: &Reader<'_>, members: &str, d: &mut Diagnostics) {
    if let Tf::Known(entries) = object.entries()
        && entries.iter().all(|(_, member)| member.value.is_null())
    {
        d.error(
            &object.path,
            "Object without a known member",
            format!("Every member of `{}` is null. Members with other names are dropped before the provider sees them.\n\nIt has: {members}. Set one of them or remove the argument.", object.path),
        );
    }
}

fn decode_names(names: &Reader<'_>, d: &mut Diagnostics) -> Option<Vec<ClusterName>> {
    let Tf::Known(elements) = names.elements() else { return None };
    let mut decoded = Vec::new();
    for element in elements {
        let Tf::Known(text) = element.string() else { continue };
        match text.parse() {
            Ok(name) => decoded.push(name),
            Err(error) => {
                d.error(
                    &element.path,
                    "Invalid cluster name",
                    format!(
                        "{}.\n\nIt takes names of clusters as in `clusters`.",
                        mesh_model::names::InvalidName::to_string(&error)
                    ),
                );
            }
        }
    }
    Some(decoded)
}

/// A duration as in `timeouts` and `limits`; `None` when it is not set, not known, or wrong (then a diagnostic says so).
pub(crate) fn decode_duration(duration: &Reader<'_>, d: &mut Diagnostics) -> Option<Duration> {
    let Tf::Known(text) = duration.string() else { return None };
    match mesh_model::decode::parse_duration(text) {
        Ok(value) => Some(value),
        Err(problem) => {
            d.error(
                &duration.path,
                "Invalid duration",
                format!("{} is {text:?}. It takes {problem}.\n\nWrite it as `30s`, `1m30s` or `500ms`.", duration.path),
            );
            None
        }
    }
}

fn decode_max_in_flight(limit: &Reader<'_>, d: &mut Diagnostics) -> usize {
    const DEFAULT: usize = 32;
    match limit.integer() {
        Tf::Known(Ok(number)) if (1..=1024).contains(&number) => usize::try_from(number).unwrap_or(DEFAULT),
        Tf::Known(number) => {
            let text = number.map_or_else(|text| text, |number| number.to_string());
            d.error(
                &limit.path,
                "Invalid value",
                format!("{} is {text}.\n\nIt takes a whole number from 1 to 1024.", limit.path),
            );
            DEFAULT
        }
        Tf::Null | Tf::Unknown => DEFAULT,
    }
}
