//! A Service as the backend of a destination.

mod checks;
mod list;

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use mesh_model::facts::Backend;
use mesh_model::names::{CanonicalName, ClusterName, Namespace, OwnerId, ServiceAccount, ServiceName};
use mesh_model::{Code, Leaf};
use serde_json::Value;

use crate::Discovered;
use crate::cluster::check_inventory;
use crate::inventory::{Inventory, Kind, Object};
use crate::nodes;
use crate::ports::ports;
use crate::read;
use crate::verdict::{Verdicts, kubectl_get};
use crate::workload::{CANONICAL_NAME, FLEETING, Member, Role, members, workload_names};

pub use list::{ListedService, services};

/// Which Service is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'q> {
    /// its namespace
    pub namespace: &'q Namespace,
    /// its name
    pub name: &'q ServiceName,
    /// other Services of the namespace that serve the same destinations
    pub together_with: &'q BTreeSet<ServiceName>,
}

/// What was found out about a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceFacts {
    /// the element of `backends`
    pub backend: Backend,
    /// labels that tell the workloads behind the Service apart, and their values
    pub subsets: BTreeMap<String, BTreeSet<String>>,
    /// what changes by itself
    pub observed: ServiceObserved,
}

/// What changes without anybody's intent: for findings and outputs, never for arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceObserved {
    /// living pods behind the Service
    pub pods: usize,
    /// those that are ready
    pub ready: usize,
    /// how many pods are in each `region/zone`
    pub localities: BTreeMap<String, usize>,
}

/// A Service as the backend of a destination; `Some(None)` where the cluster has no such Service.
///
/// - Workloads behind it: templates of Deployments, StatefulSets, DaemonSets and ReplicaSets, and living pods, whose labels
///   the selector meets. Pods that have finished or are being deleted do not count.
/// - Ports: TCP ones; a named target port is looked up in their containers and has to be one number. The protocol is
///   `appProtocol`, else the prefix of the name, as Istio reads them.
/// - Canonical name: as the injector derives it; one value, carried by the pods of this Service, by those of Services that serve
///   together with it, and by no other pod of the namespace, because remote endpoints join these pods by it.
/// - Service accounts: of templates ∪ pods.
/// - Refused with the reason: headless, ExternalName, no selector, no TCP port, a namespace that istiod's
///   `discoverySelectors` leave out, workloads without sidecar (mutual TLS would
///   break calls to them), ambient mode.
#[must_use]
pub fn service(
    objects: &[impl Borrow<Value>],
    cluster: &ClusterName,
    asked: Asked<'_>,
    owner: Option<&OwnerId>,
) -> Discovered<Option<ServiceFacts>> {
    let inventory = Inventory::new(objects, owner);
    let mut verdicts = Verdicts::new(cluster);
    check_services(&inventory, &mut verdicts);
    let value = match inventory.get(Kind::Service, asked.namespace.as_str(), asked.name.as_str()) {
        None => Some(None),
        Some(object) => Found::new(&inventory, object, asked, &mut verdicts).facts().map(Some),
    };
    let value = if verdicts.has_error() { None } else { value };
    Discovered { value, findings: verdicts.into_findings() }
}

/// What is wrong with an inventory that is asked for Services.
fn check_services(inventory: &Inventory<'_>, verdicts: &mut Verdicts<'_>) {
    check_inventory(inventory, verdicts);
    if !inventory.has(Kind::Service) {
        let cluster = verdicts.cluster;
        verdicts.cluster(
            Code::KindMissing,
            format!("The inventory of cluster {cluster} has no Service."),
            "Without Services it cannot be told whether the cluster serves the destination.",
            kubectl_get(cluster, "services"),
        );
    }
}

/// A Service and what stands behind it.
struct Found<'f, 'a, 'c> {
    inventory: &'f Inventory<'a>,
    service: Object<'a>,
    namespace: &'f Namespace,
    name: &'f ServiceName,
    selector: BTreeMap<&'a str, &'a str>,
    /// templates and pods that the selector meets
    behind: Vec<Member<'a>>,
    /// the others of the namespace
    beside: Vec<Member<'a>>,
    /// selectors of the Services that serve together with it
    together: Vec<BTreeMap<&'a str, &'a str>>,
    /// workloads of which the inventory shows pods
    staffed: BTreeSet<String>,
    verdicts: &'f mut Verdicts<'c>,
}

impl<'f, 'a, 'c> Found<'f, 'a, 'c> {
    fn new(
        inventory: &'f Inventory<'a>,
        service: Object<'a>,
        Asked { namespace, name, together_with }: Asked<'f>,
        verdicts: &'f mut Verdicts<'c>,
    ) -> Self {
        let selector = read::map(service.value, &["spec", "selector"]);
        let all = members(inventory, Some(service.namespace));
        let staffed = all.iter().filter(|member| member.pod.is_some()).map(|member| member.workload.clone()).collect();
        let (behind, beside) = all.into_iter().partition(|member| read::selects(&selector, &member.labels));
        let together = together_with.iter().filter_map(|other| inventory.get(Kind::Service, namespace.as_str(), other.as_str()));
        let together = together.map(|other| read::map(other.value, &["spec", "selector"])).collect();
        Self { inventory, service, namespace, name, selector, behind, beside, together, staffed, verdicts }
    }

    fn facts(mut self) -> Option<ServiceFacts> {
        if let Some((reason, fix)) = self.unusable() {
            let what = format!("{} in cluster {} {reason}.", self.object(), self.verdicts.cluster);
            let why = "A gateway passes calls through to the pods that a Service selects, by its name and port.";
            self.verdicts.object(Code::UnusableService, &self.object(), what, why, fix);
            return None;
        }
        if !self.check_kinds() {
            return None;
        }
        self.check_discovered();
        self.check_sidecars();
        let canonical_name = self.canonical_name();
        let ports = ports(self.service, &self.behind, self.verdicts);
        let service_accounts = self.service_accounts();
        let backend = Backend {
            cluster: self.verdicts.cluster.clone(),
            namespace: self.namespace.clone(),
            service: self.name.clone(),
            ports,
            selector: self.selector.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            canonical_name: Leaf::Known(canonical_name?),
            service_accounts: service_accounts?.into_iter().map(Leaf::Known).collect(),
            subsets: None,
        };
        Some(ServiceFacts { backend, subsets: self.subsets(), observed: self.observed() })
    }

    fn object(&self) -> String {
        format!("Service/{}/{}", self.namespace, self.name)
    }

    /// Reason and way out, for a Service that cannot be a backend whatever stands behind it.
    fn unusable(&self) -> Option<(&'static str, &'static str)> {
        let spec = |member| read::text(self.service.value, &["spec", member]);
        let is_tcp = |port: &Value| matches!(read::text(port, &["protocol"]), None | Some("TCP"));
        Some(if spec("type") == Some("ExternalName") {
            ("is of type ExternalName: it is another name of something outside", "Name the Service that it points to.")
        } else if spec("clusterIP") == Some("None") {
            (
                "is headless (clusterIP: None): clients address its pods one by one",
                "Add a Service with a cluster IP over the same pods, and name that one.",
            )
        } else if self.selector.is_empty() {
            ("has no selector: its endpoints are written by hand and belong to no workload", "Name a Service that selects pods.")
        } else if !read::list(self.service.value, &["spec", "ports"]).iter().any(is_tcp) {
            ("has no TCP port", "Name a Service with a TCP port.")
        } else {
            return None;
        })
    }

    /// Whether the inventory shows pods of a template's workload.
    fn has_pods(&self, template: &Member<'a>) -> bool {
        self.staffed.contains(&template.workload)
    }

    /// The one canonical name, if it selects exactly the pods of the Service.
    fn canonical_name(&mut self) -> Option<CanonicalName> {
        let names: BTreeSet<String> = self.behind.iter().map(Member::canonical_name).collect();
        let name = match (names.first(), names.len()) {
            (None, _) => return None, // the missing service accounts say it
            (Some(name), 1) => name.clone(),
            _ => {
                let each: BTreeSet<String> =
                    self.behind.iter().map(|member| format!("{} ({})", member.canonical_name(), member.workload)).collect();
                let each = each.into_iter().collect::<Vec<_>>().join(", ");
                self.canonical_name_unclear(format!("have several canonical names: {each}"), "");
                return None;
            }
        };
        let is_without = |member: &&Member<'a>| {
            member.pod.is_some() && member.has_proxy(Role::Sidecar) && member.labels.get(CANONICAL_NAME) != Some(&name.as_str())
        };
        let without: Vec<&Member<'a>> = self.behind.iter().filter(is_without).collect();
        if !without.is_empty() {
            let workloads = workload_names(without);
            let what = format!("do not all carry the label {CANONICAL_NAME}={name}: not those of {workloads}");
            self.canonical_name_unclear(what, "");
        }
        let is_captured = |member: &&Member<'a>| self.captures(&name, member) && !self.serves_together(member);
        let captured: Vec<&Member<'a>> = self.beside.iter().filter(is_captured).collect();
        if !captured.is_empty() {
            let way_out = self.way_out_together(&captured);
            let workloads = workload_names(captured);
            let what = format!("share the canonical name {name} with workloads outside the Service: {workloads}");
            self.canonical_name_unclear(what, &way_out);
        }
        match name.parse() {
            Ok(name) => Some(name),
            Err(error) => {
                self.canonical_name_unclear(format!("have no usable canonical name: {error}"), "");
                None
            }
        }
    }

    /// Whether a selector for the canonical name takes in a member that does not belong to the Service.
    fn captures(&self, name: &str, member: &Member<'a>) -> bool {
        let label = member.labels.get(CANONICAL_NAME);
        if label.is_some() || member.pod.is_some() {
            return label == Some(&name);
        }
        !self.has_pods(member) && self.is_to_be_injected(member) && member.canonical_name() == name
    }

    /// What the injector will do with the pods of a template.
    fn is_to_be_injected(&self, template: &Member<'a>) -> bool {
        let namespace = self.inventory.get(Kind::Namespace, "", self.service.namespace);
        template.inject().unwrap_or_else(|| {
            namespace.is_some_and(|namespace| {
                namespace.label("istio-injection") == Some("enabled") || namespace.label("istio.io/rev").is_some()
            })
        })
    }

    /// Whether it is behind a Service that serves the same destinations: then it is meant to be taken in.
    fn serves_together(&self, member: &Member<'a>) -> bool {
        self.together.iter().any(|selector| read::selects(selector, &member.labels))
    }

    /// What to write where all that is captured is behind other Services, which may be meant to serve together.
    fn way_out_together(&self, captured: &[&Member<'a>]) -> String {
        let mut names = BTreeSet::new();
        for member in captured {
            let is_of = |other: &Object<'a>| read::selects(&read::map(other.value, &["spec", "selector"]), &member.labels);
            match self.inventory.within(Kind::Service, self.service.namespace).find(is_of) {
                Some(other) => names.insert(format!("{:?}", other.name)),
                None => return String::new(),
            };
        }
        let names: Vec<String> = names.into_iter().collect();
        format!(
            "\n\nWhere all of them are backends of the same destinations, say so for each of these Services:\n\n  together_with = [{}]",
            names.join(", ")
        )
    }

    fn canonical_name_unclear(&mut self, what: String, way_out: &str) {
        let (object, cluster) = (self.object(), self.verdicts.cluster);
        self.verdicts.object(
            Code::CanonicalNameUnclear,
            &object,
            format!("The pods of {object} in cluster {cluster} {what}."),
            format!("Endpoints of other clusters join the pods of the namespace that carry one value of {CANONICAL_NAME}."),
            format!(
                "Give exactly the pods of this Service one value, in the templates of their workloads:\n\n  \
                 metadata:\n    labels:\n      {CANONICAL_NAME}: {}{way_out}",
                self.name
            ),
        );
    }

    fn service_accounts(&mut self) -> Option<Vec<ServiceAccount>> {
        let names: BTreeSet<&str> = self.behind.iter().map(Member::service_account).collect();
        let parsed: Result<Vec<ServiceAccount>, _> = names.iter().map(|name| name.parse()).collect();
        let why = "Clients accept a backend by the service accounts in its certificate; one that is missing refuses every call.";
        let what = match parsed {
            Ok(names) if !names.is_empty() => return Some(names),
            Ok(_) => "no template and no pod stands behind it".to_owned(),
            Err(error) => error.to_string(),
        };
        let (object, cluster) = (self.object(), self.verdicts.cluster);
        self.verdicts.object(
            Code::ServiceAccountsUnknown,
            &object,
            format!("The service accounts of {object} in cluster {cluster} are not known: {what}."),
            why,
            self.by_hand(),
        );
        None
    }

    /// The backend as it is written by hand.
    fn by_hand(&self) -> String {
        let number =
            read::list(self.service.value, &["spec", "ports"]).iter().filter_map(|port| read::number(port, &["port"])).min();
        let number = number.unwrap_or(9080);
        let selector: Vec<String> = self.selector.iter().map(|(key, value)| format!("{key:?} = {value:?}")).collect();
        format!(
            "Write the backend by hand:\n\n  backends = [{{\n    cluster          = \"{}\"\n    namespace        = \"{}\"\n    \
             service          = \"{2}\"\n    ports            = [{{ number = {number}, target_port = {number} }}]\n    \
             selector         = {{ {3} }}\n    canonical_name   = \"{2}\"\n    service_accounts = [\"{2}\"]\n  }}]",
            self.verdicts.cluster,
            self.namespace,
            self.name,
            selector.join(", "),
        )
    }

    /// Labels with more than one value among the workloads; templates speak for their pods.
    fn subsets(&self) -> BTreeMap<String, BTreeSet<String>> {
        let templates: BTreeSet<&str> =
            self.behind.iter().filter(|member| member.pod.is_none()).map(|member| member.workload.as_str()).collect();
        let speaks = |member: &&Member<'a>| member.pod.is_none() || !templates.contains(member.workload.as_str());
        let mut values: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for member in self.behind.iter().filter(speaks) {
            for (label, value) in member.labels.iter().filter(|(label, _)| !FLEETING.contains(*label)) {
                values.entry((*label).to_owned()).or_default().insert((*value).to_owned());
            }
        }
        values.retain(|_, values| values.len() > 1);
        values
    }

    fn observed(&self) -> ServiceObserved {
        let mut observed = ServiceObserved::default();
        for member in self.behind.iter().filter(|member| member.pod.is_some()) {
            observed.pods += 1;
            observed.ready += usize::from(member.is_ready());
            let node = member.node().and_then(|node| self.inventory.get(Kind::Node, "", node));
            *observed.localities.entry(nodes::locality(node)).or_default() += 1;
        }
        observed
    }
}
