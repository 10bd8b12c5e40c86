//! What overlays leave of what failover depends on. No admission webhook refuses any of it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use istio_objects::{Object, Tree};
use mesh_model::intent::VirtualDestination;
use mesh_model::names::ClusterName;
use mesh_model::{AttributePath, Code, Finding, Findings, derived};

use super::live::listed;
use super::planned::{elements, is_of_clients, members, strings};
use crate::{Objects, overlay};

/// What an object must not have, or lack, for failover to work, and why.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Undone {
    what: &'static str,
    why: &'static str,
}

const NO_EJECTION: Undone = Undone {
    what: "no `outlierDetection`",
    why: "Without it Istio ranks nothing: calls are spread over all clusters, and none takes over from another.",
};
const TWO_ORDERS: Undone = Undone {
    what: "`failover` or `distribute` beside `failoverPriority`",
    why: "Istio refuses none of them and follows one: ranks may not count.",
};
const NO_SERVER_NAME: Undone = Undone {
    what: "a policy without `sni`, or of another mode than ISTIO_MUTUAL",
    why: "East-west gateways find the Service by that name, and pass nothing but mutual TLS.",
};
const HIDDEN: Undone = Undone {
    what: "another `exportTo` than the ServiceEntry's",
    why: "Clients that see the hostname without its policy spread their calls over all clusters.",
};
const NO_RETRIES: Undone = Undone {
    what: "a route without `retries`",
    why: "Istio's own retries stay in the cluster that failed: up to a second of errors at each failover.",
};
const NAMED: Undone = Undone {
    what: "an address that is no IP",
    why: "An endpoint with a name is dropped silently beside endpoints with addresses.",
};
const NETWORK: Undone = Undone {
    what: "a `network` beside its address",
    why: "Where a Gateway of class istio-remote stands for that network, the entry loses its labels, and its rank with them.",
};

const MISPLACED: Undone = Undone {
    what: "another `locality` than the one that stands for its rank or its share",
    why: "The policy of this destination tells ranks or shares by regions: the entry loses its own, and may get no call at all.",
};

/// What an object depends on in its cluster.
struct Around<'a> {
    /// by which clients know the hostname
    host: Option<&'a Object>,
    /// whether ranks or shares are told by regions
    is_by_region: bool,
}

impl<'a> Around<'a> {
    fn of(objects: &'a [Arc<Object>]) -> Self {
        let rule = objects.iter().find(|object| is_of_clients(object));
        let host = objects.iter().find(|object| object.kind.is_istio("ServiceEntry") && !derived::is_serving_name(&object.name));
        let setting = |policy: &'a Tree| policy.member("loadBalancer")?.member("localityLbSetting");
        let is_by_region =
            |setting: &Tree| !has(setting, "failoverPriority") && (has(setting, "failover") || has(setting, "distribute"));
        Self {
            host: host.map(|host| &**host),
            is_by_region: rule.is_some_and(|rule| policies(rule).into_iter().flatten().filter_map(setting).any(is_by_region)),
        }
    }
}

/// Judges the objects for which there are overlays.
pub(crate) fn check(intent: &VirtualDestination, objects: &Objects) -> Findings {
    let mut found: BTreeMap<(usize, Undone), Vec<(&ClusterName, String)>> = BTreeMap::new();
    if intent.overlays.is_empty() {
        return Findings::new();
    }
    for (cluster, objects) in objects {
        let around = Around::of(objects);
        for object in objects {
            let is_for = |kind: &str, only: Option<&ClusterName>| {
                overlay::meant_as(object).as_deref() == Some(kind) && only.is_none_or(|only| only == cluster)
            };
            let Some(index) = intent.overlays.iter().position(|overlay| is_for(&overlay.kind, overlay.cluster.as_ref())) else {
                continue;
            };
            for undone in undone(object, &around) {
                found.entry((index, undone)).or_default().push((cluster, object.key().to_string()));
            }
        }
    }
    let finding = |((index, Undone { what, why }), held): ((usize, Undone), Vec<(&ClusterName, String)>)| {
        let (cluster, object) = held.first()?;
        let keys: Vec<String> = held.iter().map(|(cluster, key)| format!("{cluster}/{key}")).collect();
        let path = AttributePath::of("overlays").index(index).attribute("merge_patch");
        let what = format!("The overlay leaves {what} in {}.", listed(keys.iter().map(String::as_str)));
        let fix = "Leave these members as the destination writes them. A list in a merge patch replaces the whole list.";
        Some(Finding::new(Code::OverlayUndoes, path, what, why, fix).in_cluster(cluster).on_object(object))
    };
    found.into_iter().filter_map(finding).collect()
}

fn undone(object: &Object, around: &Around<'_>) -> Vec<Undone> {
    // what an unknown patch makes of it is not known
    let Some(spec @ Tree::Map(_)) = object.body.get("spec") else { return Vec::new() };
    let found = match object.kind.kind.as_str() {
        "DestinationRule" => of_rule(object, around.host),
        "VirtualService" => vec![(members(spec, "http").iter().any(|route| route.member("retries").is_none()), NO_RETRIES)],
        "WorkloadEntry" => vec![
            (spec.member("address").and_then(Tree::text).is_some_and(|address| address.parse::<IpAddr>().is_err()), NAMED),
            (spec.member("network").is_some() && spec.member("address").is_some(), NETWORK),
            (around.is_by_region && is_misplaced(spec), MISPLACED),
        ],
        _ => Vec::new(),
    };
    found.into_iter().filter(|(is_undone, _)| *is_undone).map(|(_, undone)| undone).collect()
}

/// Whether an entry is in a region that stands for nothing.
fn is_misplaced(entry: &Tree) -> bool {
    match entry.member("locality") {
        Some(Tree::Unknown(_)) => false,
        locality => !locality
            .and_then(Tree::text)
            .is_some_and(|region| derived::is_rank_region(region) || derived::is_share_region(region)),
    }
}

/// The policies of a DestinationRule: of its host and its subsets, for all ports or for each.
fn policies(rule: &Object) -> Vec<Option<&Tree>> {
    let subsets = rule.at(&["spec"]).map_or(&[][..], |spec| members(spec, "subsets"));
    let of_subsets = subsets.iter().map(|subset| subset.member("trafficPolicy"));
    fn of_ports(policy: Option<&Tree>) -> Vec<Option<&Tree>> {
        let ports = policy.map_or(&[][..], |policy| members(policy, "portLevelSettings"));
        if ports.is_empty() { vec![policy] } else { ports.iter().map(Some).collect() }
    }
    std::iter::once(rule.at(&["spec", "trafficPolicy"])).chain(of_subsets).flat_map(of_ports).collect()
}

/// Whether a setting has something in a list.
fn has(setting: &Tree, member: &str) -> bool {
    !elements(setting.member(member)).is_empty()
}

fn of_rule(rule: &Object, host: Option<&Object>) -> Vec<(bool, Undone)> {
    let policies = policies(rule);
    let of = |path: [&'static str; 2]| policies.iter().map(move |policy| (*policy)?.member(path[0])?.member(path[1]));
    let has_two_orders = of(["loadBalancer", "localityLbSetting"])
        .flatten()
        .any(|setting| has(setting, "failoverPriority") && (has(setting, "failover") || has(setting, "distribute")));
    let is_mutual = |mode: Option<&Tree>| mode.and_then(Tree::text) == Some("ISTIO_MUTUAL");
    let visible = |object: &Object| strings(object, &["spec", "exportTo"]).map(str::to_owned).collect::<Vec<_>>();
    vec![
        (policies.iter().any(|policy| policy.and_then(|policy| policy.member("outlierDetection")).is_none()), NO_EJECTION),
        (has_two_orders, TWO_ORDERS),
        (of(["tls", "sni"]).any(|name| name.is_none()) || !of(["tls", "mode"]).all(is_mutual), NO_SERVER_NAME),
        (host.is_some_and(|host| visible(host) != visible(rule)), HIDDEN),
    ]
}
