//! The control plane of a cluster: its revision, release and settings.

use std::collections::BTreeSet;

use mesh_model::Code;
use mesh_model::names::{IstioMinor, Revision};
use serde_json::Value;

use crate::features;
use crate::inventory::{Inventory, Kind};
use crate::mesh_config::{MeshConfig, config_map_name};
use crate::read;
use crate::revisions;
use crate::verdict::{Verdicts, facts_by_hand, kubectl_get};
use crate::workload::{Image, Member, Role, environment, flag};

/// The label that names a network.
pub(crate) const NETWORK: &str = "topology.istio.io/network";

/// What is known of the control plane whose facts are taken.
pub(crate) struct ControlPlane<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) revision: String,
    /// the release that objects are written for
    pub(crate) minor: IstioMinor,
    /// the release as it is written: `1.28.1-distroless`
    pub(crate) release: String,
    pub(crate) trust_domain: String,
    /// trust domains that are accepted beside it
    pub(crate) accepted_trust_domains: Vec<String>,
    pub(crate) root_namespace: String,
    /// as its namespace says
    pub(crate) network: Option<&'a str>,
    pub(crate) dns_capture: Option<bool>,
    pub(crate) cluster_domain: Option<String>,
    /// selectors of the namespaces that it looks at; none: all of them
    pub(crate) discovery_selectors: Vec<Value>,
}

/// Where a control plane shows itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Sign<'a> {
    revision: String,
    namespace: &'a str,
}

/// Finds the control plane and reads it: the one of the revision that is `asked` for, or the default one, with the oldest release
/// of all. `None` after an error finding.
pub(crate) fn control_plane<'a>(
    inventory: &Inventory<'a>,
    members: &[Member<'a>],
    asked: Option<&Revision>,
    verdicts: &mut Verdicts<'_>,
) -> Option<ControlPlane<'a>> {
    let istiods: Vec<(&Member<'a>, &'a Value)> =
        members.iter().filter_map(|member| Some((member, discovery_container(member)?))).collect();
    let seen = Seen { inventory, istiods: &istiods, proxies: &Proxies::of(members) };
    let signs = signs(inventory, seen.istiods, seen.proxies);
    if signs.is_empty() || (seen.istiods.is_empty() && seen.proxies.containers.is_empty()) {
        not_found(inventory, verdicts);
        return None;
    }
    if let Some(asked) = asked {
        let sign = asked_for(inventory, asked, &signs, verdicts)?;
        return seen.read(sign, verdicts);
    }
    let sign = choose(inventory, &signs, verdicts)?;
    let mut plane = seen.read(sign.clone(), verdicts)?;
    // what is wrong with another one is the business of who asks for it
    let mut elsewhere = Verdicts::new(verdicts.cluster);
    let others = signs.into_iter().filter(|other| *other != sign);
    let others: Vec<ControlPlane<'a>> = others.filter_map(|other| seen.read(other, &mut elsewhere)).collect();
    revisions::check(&plane, &others, verdicts);
    // objects are of no revision: every control plane reads them
    plane.minor = others.iter().map(|other| other.minor).fold(plane.minor, IstioMinor::min);
    Some(plane)
}

/// Where control planes are read.
struct Seen<'s, 'a> {
    inventory: &'s Inventory<'a>,
    istiods: &'s [(&'s Member<'a>, &'a Value)],
    proxies: &'s Proxies<'a>,
}

impl<'a> Seen<'_, 'a> {
    fn read(&self, sign: Sign<'a>, verdicts: &mut Verdicts<'_>) -> Option<ControlPlane<'a>> {
        let Self { inventory, istiods, proxies } = *self;
        let is_its = |member: &Member<'a>, container| {
            member.namespace == sign.namespace && revision_of(member, container) == sign.revision
        };
        let chosen: Vec<(&Member<'a>, &'a Value)> =
            istiods.iter().copied().filter(|(member, container)| is_its(member, container)).collect();
        let (minor, release) = release(&chosen, proxies, &sign, verdicts)?;
        let shared = chosen.iter().find_map(|(_, container)| environment(container, "SHARED_MESH_CONFIG"));
        let config = match MeshConfig::read(inventory, sign.namespace, &sign.revision, shared) {
            Ok(config) => config,
            Err((object, error)) => {
                verdicts.object(
                    Code::UnreadableSetting,
                    &object,
                    format!("The key `mesh` of {object} cannot be read: {error}."),
                    "The trust domain and the DNS settings of the mesh stand there.",
                    "Correct the ConfigMap in the inventory; istiod could not read it either.",
                );
                return None;
            }
        };
        let cluster_domain = chosen
            .iter()
            .find_map(|(_, container)| flag(container, "--domain"))
            .map(str::to_owned)
            .or_else(|| if chosen.is_empty() { proxies.agreed(proxy_domain) } else { None });
        features::check(&chosen, config.as_ref(), verdicts);
        let discovery_selectors = config.as_ref().map_or_else(Vec::new, MeshConfig::discovery_selectors);
        let accepted_trust_domains =
            config.as_ref().map_or_else(Vec::new, |config| config.accepted_trust_domains().map(str::to_owned).collect());
        let (trust_domain, root_namespace, dns_capture) = match config {
            Some(config) => (config.trust_domain().to_owned(), config.root_namespace().to_owned(), Some(config.dns_capture())),
            None => {
                let Some(trust_domain) = proxies.agreed(|container| environment(container, "TRUST_DOMAIN")) else {
                    no_mesh_config(inventory, &sign, minor, verdicts);
                    return None;
                };
                (trust_domain, sign.namespace.to_owned(), proxies.dns_capture())
            }
        };
        let home = inventory.get(Kind::Namespace, "", sign.namespace);
        Some(ControlPlane {
            namespace: sign.namespace,
            revision: sign.revision,
            minor,
            release,
            trust_domain,
            accepted_trust_domains,
            root_namespace,
            network: home.and_then(|namespace| namespace.label(NETWORK)),
            dns_capture,
            cluster_domain,
            discovery_selectors,
        })
    }
}

/// Revision tags and the revisions that they stand for.
pub(crate) fn tags<'a>(inventory: &Inventory<'a>) -> BTreeSet<(&'a str, &'a str)> {
    let webhooks = inventory.all(Kind::MutatingWebhookConfiguration);
    let services = inventory.all(Kind::Service);
    webhooks.chain(services).filter_map(|object| Some((object.label("istio.io/tag")?, object.label("istio.io/rev")?))).collect()
}

/// istiod's container, if this is istiod.
fn discovery_container<'a>(member: &Member<'a>) -> Option<&'a Value> {
    let is_labelled = member.labels.get("app") == Some(&"istiod") || member.labels.get("istio") == Some(&"pilot");
    member.containers().find(|container| {
        let is_pilot = read::text(container, &["image"]).is_some_and(|image| Image::parse(image).name.contains("pilot"));
        read::text(container, &["name"]) == Some("discovery") && (is_labelled || is_pilot)
    })
}

fn revision_of(member: &Member<'_>, container: &Value) -> String {
    member.revision().or_else(|| environment(container, "REVISION")).unwrap_or("default").to_owned()
}

/// The strongest evidence that there is: istiod itself, else its ConfigMaps, else its webhooks, else proxies.
fn signs<'a>(inventory: &Inventory<'a>, istiods: &[(&Member<'a>, &'a Value)], proxies: &Proxies<'a>) -> BTreeSet<Sign<'a>> {
    let istiods: BTreeSet<Sign<'a>> = istiods
        .iter()
        .map(|(member, container)| Sign { revision: revision_of(member, container), namespace: member.namespace })
        .collect();
    if !istiods.is_empty() {
        return istiods;
    }
    let config_maps: BTreeSet<Sign<'a>> = inventory
        .all(Kind::ConfigMap)
        .filter(|object| read::at(object.value, &["data", "mesh"]).is_some())
        .filter_map(|object| {
            let revision = if object.name == "istio" { "default" } else { object.name.strip_prefix("istio-")? };
            Some(Sign { revision: revision.to_owned(), namespace: object.namespace })
        })
        .collect();
    if !config_maps.is_empty() {
        return config_maps;
    }
    let at_home = |revision: &str| Sign { revision: revision.to_owned(), namespace: "istio-system" };
    let webhooks: BTreeSet<Sign<'a>> = inventory
        .all(Kind::MutatingWebhookConfiguration)
        .filter(|object| object.label("istio.io/tag").is_none())
        .filter_map(|object| object.label("istio.io/rev"))
        .map(at_home)
        .collect();
    if !webhooks.is_empty() {
        return webhooks;
    }
    proxies.revisions.iter().map(|revision| at_home(revision)).collect()
}

/// The default control plane: what the tag `default` stands for, else the revision `default`, else the only one.
fn choose<'a>(inventory: &Inventory<'a>, signs: &BTreeSet<Sign<'a>>, verdicts: &mut Verdicts<'_>) -> Option<Sign<'a>> {
    let tagged: BTreeSet<&str> =
        tags(inventory).into_iter().filter(|(tag, _)| *tag == "default").map(|(_, revision)| revision).collect();
    let of = |is_meant: &dyn Fn(&str) -> bool| signs.iter().filter(|sign| is_meant(&sign.revision)).collect::<Vec<_>>();
    let candidates = [of(&|revision| tagged.contains(revision)), of(&|revision| revision == "default"), of(&|_| true)];
    let candidates = candidates.into_iter().find(|candidates| !candidates.is_empty())?;
    if let [only] = candidates.as_slice() {
        return Some((*only).clone());
    }
    let names: Vec<String> = candidates.iter().map(|sign| format!("{} in {}", sign.revision, sign.namespace)).collect();
    let first = candidates.first().map_or("default", |sign| sign.revision.as_str());
    verdicts.cluster(
        Code::SeveralControlPlanes,
        format!("Several control planes run in cluster {}: {}.", verdicts.cluster, names.join(", ")),
        "Facts are those of one control plane, and no tag `default` says which.",
        format!(
            "Name the default with `istioctl tag set default --revision {first}`, or choose one:\n\n{}",
            revisions::chosen(verdicts.cluster, first)
        ),
    );
    None
}

/// The control plane of a revision, or of a tag that stands for it.
fn asked_for<'a>(
    inventory: &Inventory<'a>,
    asked: &Revision,
    signs: &BTreeSet<Sign<'a>>,
    verdicts: &mut Verdicts<'_>,
) -> Option<Sign<'a>> {
    let tagged = tags(inventory).into_iter().find(|(tag, _)| *tag == asked.as_str()).map(|(_, revision)| revision);
    let revision = tagged.unwrap_or(asked.as_str());
    let mut found = signs.iter().filter(|sign| sign.revision == revision);
    if let (Some(only), None) = (found.next(), found.next()) {
        return Some(only.clone());
    }
    let there: Vec<String> = signs.iter().map(|sign| format!("{} in {}", sign.revision, sign.namespace)).collect();
    verdicts.cluster(
        Code::SeveralControlPlanes,
        format!(
            "Revision {asked} names none of the control planes of cluster {}, or several: {}.",
            verdicts.cluster,
            there.join(", ")
        ),
        "Facts are those of one control plane.",
        "Name one of these revisions, or leave `revision` out for the default one.",
    );
    None
}

/// The release that istiod's image says, else its labels, else the oldest of the proxies.
fn release(
    istiods: &[(&Member<'_>, &Value)],
    proxies: &Proxies<'_>,
    sign: &Sign<'_>,
    verdicts: &mut Verdicts<'_>,
) -> Option<(IstioMinor, String)> {
    // a template is what istiod will be; its pods may still be those of before
    let templates = istiods.iter().filter(|(member, _)| member.pod.is_none());
    let pods = istiods.iter().filter(|(member, _)| member.pod.is_some());
    for group in [templates.collect::<Vec<_>>(), pods.collect()] {
        let images = group.iter().filter_map(|(_, container)| image_release(container)).min();
        let labels = || group.iter().filter_map(|(member, _)| label_release(member)).min();
        if let Some(release) = images.or_else(labels) {
            return Some(release);
        }
    }
    let releases: BTreeSet<(IstioMinor, String)> =
        proxies.containers.iter().filter_map(|container| image_release(container)).collect();
    let minors: BTreeSet<IstioMinor> = releases.iter().map(|(minor, _)| *minor).collect();
    let Some(oldest) = releases.into_iter().next() else {
        verdicts.cluster(
            Code::UnreadableSetting,
            format!("The release of Istio's revision {} in cluster {} is not shown.", sign.revision, verdicts.cluster),
            "Objects are written for the release that reads them; neither an image tag nor a version label tells it.",
            format!("Write the facts by hand:\n\n{}", facts_by_hand(verdicts.cluster, &[("revision", &sign.revision)])),
        );
        return None;
    };
    if let Some(newest) = minors.last().filter(|newest| **newest != oldest.0) {
        let minors = minors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        verdicts.cluster(
            Code::ProxiesDiffer,
            format!("The proxies of cluster {} are of the releases {minors}.", verdicts.cluster),
            format!("No image of the control plane tells its release, so the oldest counts: {}.", oldest.0),
            format!(
                "Write it where the facts are used, if it is another:\n\n  {0} = merge(data.gloo_cluster.all[\"{0}\"].facts, \
                 {{ istio_version = \"{1}\" }})",
                verdicts.cluster, newest
            ),
        );
    }
    Some(oldest)
}

fn image_release(container: &Value) -> Option<(IstioMinor, String)> {
    parse_release(Image::parse(read::text(container, &["image"])?).tag?)
}

fn label_release(member: &Member<'_>) -> Option<(IstioMinor, String)> {
    let version =
        ["app.kubernetes.io/version", "operator.istio.io/version"].iter().find_map(|label| member.labels.get(label).copied());
    let chart = || member.labels.get("helm.sh/chart").and_then(|chart| chart.strip_prefix("istiod-"));
    parse_release(version.or_else(chart)?)
}

/// `1.28.1-distroless`, `v1.28.1`, `1.29-alpha.0` → the minor release, and the text.
fn parse_release(text: &str) -> Option<(IstioMinor, String)> {
    let plain = text.strip_prefix('v').unwrap_or(text);
    let (major, rest) = plain.split_once('.')?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (minor, rest) = rest.split_at(digits);
    if !(rest.is_empty() || rest.starts_with(['.', '-'])) {
        return None;
    }
    Some((format!("{major}.{minor}").parse().ok()?, plain.to_owned()))
}

/// The proxies that run in pods: sidecars and gateways, not those of ambient mode.
struct Proxies<'a> {
    containers: Vec<&'a Value>,
    revisions: BTreeSet<&'a str>,
}

impl<'a> Proxies<'a> {
    fn of(members: &[Member<'a>]) -> Self {
        let mut proxies = Self { containers: Vec::new(), revisions: BTreeSet::new() };
        for member in members.iter().filter(|member| member.pod.is_some()) {
            if let Some((Role::Sidecar | Role::Gateway, container)) = member.proxy() {
                proxies.containers.push(container);
                proxies.revisions.insert(member.revision().unwrap_or("default"));
            }
        }
        proxies
    }

    /// The value that all proxies which have one share.
    fn agreed(&self, value: impl Fn(&'a Value) -> Option<&'a str>) -> Option<String> {
        let values: BTreeSet<&str> = self.containers.iter().filter_map(|container| value(container)).collect();
        if values.len() == 1 { values.first().map(|value| (*value).to_owned()) } else { None }
    }

    /// What all of them do about DNS; `None` if they differ.
    fn dns_capture(&self) -> Option<bool> {
        let values: BTreeSet<bool> =
            self.containers.iter().map(|container| environment(container, "ISTIO_META_DNS_CAPTURE") == Some("true")).collect();
        if values.len() == 1 { values.first().copied() } else { None }
    }
}

/// `--domain $(POD_NAMESPACE).svc.cluster.local` → `cluster.local`.
fn proxy_domain(container: &Value) -> Option<&str> {
    flag(container, "--domain").and_then(|domain| domain.split_once(".svc.")).map(|(_, domain)| domain)
}

fn not_found(inventory: &Inventory<'_>, verdicts: &mut Verdicts<'_>) {
    let cluster = verdicts.cluster;
    if !inventory.has(Kind::Deployment) && !inventory.has(Kind::Pod) {
        verdicts.cluster(
            Code::KindMissing,
            format!("The inventory of cluster {cluster} has neither Deployments nor Pods."),
            "Istio is recognised by istiod's Deployment or by the proxies in pods.",
            format!(
                "{}\n\nor write the facts by hand:\n\n{}",
                kubectl_get(cluster, "deployments,pods"),
                facts_by_hand(cluster, &[])
            ),
        );
        return;
    }
    let outside: BTreeSet<&str> = inventory
        .all(Kind::MutatingWebhookConfiguration)
        .filter(|object| object.label("istio.io/rev").is_some())
        .map(|object| object.name)
        .collect();
    let seen = if outside.is_empty() {
        String::new()
    } else {
        let names = outside.into_iter().collect::<Vec<_>>().join(", ");
        format!(" Its webhooks are there ({names}), so somebody else seems to run it.")
    };
    verdicts.cluster(
        Code::IstioNotFound,
        format!("Neither istiod nor a proxy was found in cluster {cluster}.{seen}"),
        "The release, the trust domain and the gateways of the mesh are facts that every object depends on.",
        format!(
            "If the control plane is managed outside the cluster, write its facts by hand instead of \
             data.gloo_cluster:\n\n{}",
            facts_by_hand(cluster, &[])
        ),
    );
}

fn no_mesh_config(inventory: &Inventory<'_>, sign: &Sign<'_>, minor: IstioMinor, verdicts: &mut Verdicts<'_>) {
    let name = config_map_name(&sign.revision);
    let by_hand = facts_by_hand(verdicts.cluster, &[("istio_version", &minor.to_string()), ("revision", &sign.revision)]);
    let fix = format!("{}\n\nor write the facts by hand:\n\n{by_hand}", kubectl_get(verdicts.cluster, "configmaps"));
    let why = "The trust domain and the DNS settings of the mesh stand there, and no proxy shows them either.";
    if inventory.has(Kind::ConfigMap) {
        let what = format!("The inventory has no ConfigMap {name} in namespace {}.", sign.namespace);
        verdicts.cluster(Code::UnreadableSetting, what, why, fix);
    } else {
        let what = format!("The inventory of cluster {} has no ConfigMap.", verdicts.cluster);
        verdicts.cluster(Code::KindMissing, what, why, fix);
    }
}

#[cfg(test)]
mod tests {
    use super::parse_release;

    #[test]
    fn releases_are_read_from_tags() {
        let minor = |text| parse_release(text).map(|(minor, release)| format!("{minor} {release}"));
        assert_eq!(minor("1.28.1").as_deref(), Some("1.28 1.28.1"));
        assert_eq!(minor("v1.28.1-distroless").as_deref(), Some("1.28 1.28.1-distroless"));
        assert_eq!(minor("1.29-alpha.0123abcd").as_deref(), Some("1.29 1.29-alpha.0123abcd"));
        assert_eq!(minor("1.28").as_deref(), Some("1.28 1.28"));
        for text in ["latest", "1", "1.", "1.28rc1", "master-1.28.1", "1.99999.0", ""] {
            assert_eq!(minor(text), None, "{text}");
        }
    }
}
