//! Complaints about what becomes of an object on its way to a server: kinds that are not there yet, values that the server
//! changes, plans that nobody can read.

use std::time::{Duration, Instant};

use acceptance_tests::{Action, Case, Live, Rig, World, case};
use rig::wait::is_so_by;
use rig::{Api, Proxy};
use serde_json::{Value, json};

use super::super::live::{applied, config};
use super::super::{CLUSTERS, DESTINATION};
use super::{HTTP, address, object, route, routes, shown, through_proxies};

pub fn cases() -> Vec<Case> {
    vec![
        case!(complaint_02_a_kind_that_appears_in_the_same_apply),
        case!(complaint_02_a_namespace_that_appears_in_the_same_apply),
        case!(complaint_03_what_admission_changes_is_no_inconsistent_result),
        case!(complaint_04_what_changes_after_the_plan_changes_no_planned_value),
        case!(complaint_08_a_plan_shows_the_lines_that_change),
        case!(complaint_09_what_a_server_fills_in_is_no_difference),
        case!(complaint_23_a_typo_is_found_by_the_plan),
    ]
}

/// A bound for what servers do by themselves.
fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// A definition that was taken away; it is back when this is dropped.
struct Removed {
    api: Api,
    definition: Value,
}

impl Removed {
    const PATH: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/telemetries.telemetry.istio.io";

    fn new(api: Api) -> Self {
        let whole = api.read(Self::PATH).expect("an answer").expect("the definition is there");
        let mut definition = json!({ "apiVersion": whole["apiVersion"], "kind": whole["kind"], "spec": whole["spec"] });
        definition["metadata"] = json!({ "name": whole["metadata"]["name"] });
        api.delete(Self::PATH).expect("deleted");
        let removed = Self { api, definition };
        removed.wait(404);
        removed
    }

    fn put_back(&self) {
        self.api.apply(&self.definition).expect("the definition is accepted");
    }

    /// Waits until the kind answers so.
    fn wait(&self, status: u16) {
        let path = "/apis/telemetry.istio.io/v1/telemetries?limit=1";
        let is_so = is_so_by(soon(), || Ok(self.api.get(path)?.status == status)).expect("an answer");
        assert!(is_so, "the kind answers {status}");
    }
}

impl Drop for Removed {
    fn drop(&mut self) {
        // nobody is there to be told; a definition that is back already stays as it is
        let _ = self.api.apply(&self.definition);
    }
}

/// Applies the plan; `appear` is called when the server has refused the first write of an object for what is missing.
fn apply_while(world: &World, file: &str, proxy: &Proxy, appear: impl FnOnce()) {
    proxy.forget();
    let running = world.start(&["apply", "-input=false", "-json", file]);
    let is_refused = || {
        let records = proxy.records();
        Ok(records.iter().any(|record| record.seen.is_write() && record.status == Some(404)))
    };
    let is_waiting = is_so_by(soon(), is_refused).expect("the proxy tells");
    if is_waiting {
        appear();
    }
    let outcome = running.end();
    assert!(is_waiting, "a write was refused: {}{}", outcome.diagnostics(), outcome.stderr);
    assert!(outcome.is_success(), "{}{}", outcome.diagnostics(), outcome.stderr);
}

fn complaint_02_a_kind_that_appears_in_the_same_apply(rig: &Rig) {
    let live = Live::new(rig, "c02");
    let (proxies, provider) = through_proxies(&live, "");
    let removed = Removed::new(live.cluster("west").api());
    let spec = "{ accessLogging = [{ disabled = true }] }";
    let telemetry = object("telemetry.istio.io/v1", "Telemetry", live.namespace(), "quiet", spec, "");
    let world = live.world(rig, &(provider + &telemetry));
    let plan = world.plan();
    assert!(!plan.is_unknown(&address("quiet"), "/manifests"), "the plan needs no definition");
    plan.diagnostics.warning_with(&["GM4019", "west", "does not know the kind Telemetry", "depends_on"]);
    apply_while(&world, &shown(&plan.file), &proxies[1], || removed.put_back());
    for name in CLUSTERS {
        let path = format!("/apis/telemetry.istio.io/v1/namespaces/{}/telemetries/quiet", live.namespace());
        assert!(live.cluster(name).api().read(&path).expect("an answer").is_some(), "{name} has it");
    }
    world.assert_clean();
    world.destroy();
    assert_eq!(world.state().addresses(), Vec::<String>::new());
}

fn complaint_02_a_namespace_that_appears_in_the_same_apply(rig: &Rig) {
    let live = Live::new(rig, "c02-space");
    let (proxies, provider) = through_proxies(&live, "");
    let later = format!("{}-later", live.namespace());
    let world = live.world(rig, &(provider + &route(&later, "reviews", HTTP, "")));
    let plan = world.plan();
    plan.diagnostics.warning_with(&["GM4019", "west", &later, "depends_on"]);
    apply_while(&world, &shown(&plan.file), &proxies[1], || {
        for name in CLUSTERS {
            let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": later } });
            live.cluster(name).api().apply(&namespace).expect("a namespace");
        }
    });
    live.assert_holds(&plan.manifests(&address("reviews")), &[]);
    world.assert_clean();
    world.destroy();
    assert!(live.is_empty());
}

/// A policy of the cluster that gives every route of this case another timeout; gone when it is dropped.
struct Policy {
    api: Api,
    name: String,
}

impl Policy {
    const GROUP: &str = "/apis/admissionregistration.k8s.io/v1";

    fn new(live: &Live, cluster: &str) -> Self {
        let (api, name) = (live.cluster(cluster).api(), live.namespace().to_owned());
        let version = "admissionregistration.k8s.io/v1";
        let policy = json!({
            "apiVersion": version, "kind": "MutatingAdmissionPolicy", "metadata": { "name": name },
            "spec": {
                "failurePolicy": "Fail", "reinvocationPolicy": "Never",
                "matchConstraints": {
                    "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": name } },
                    "resourceRules": [{
                        "apiGroups": ["networking.istio.io"], "apiVersions": ["*"], "resources": ["virtualservices"],
                        "operations": ["CREATE", "UPDATE"],
                    }],
                },
                "mutations": [{
                    "patchType": "JSONPatch",
                    "jsonPatch": { "expression": "[JSONPatch{op: 'add', path: '/spec/http/0/timeout', value: '7s'}]" },
                }],
            },
        });
        let binding = json!({
            "apiVersion": version, "kind": "MutatingAdmissionPolicyBinding", "metadata": { "name": name },
            "spec": { "policyName": name },
        });
        // a server has several versions of each kind, and the plural of these does not follow the rule of the rig's paths
        for (plural, object) in [("mutatingadmissionpolicies", &policy), ("mutatingadmissionpolicybindings", &binding)] {
            let made = api.create(&format!("{}/{plural}", Self::GROUP), object);
            made.unwrap_or_else(|problem| panic!("{problem}"));
        }
        let policy = Self { api, name };
        policy.wait(live);
        policy
    }

    /// A policy takes effect a moment after it is accepted.
    fn wait(&self, live: &Live) {
        let spec = json!({ "hosts": ["probe"], "http": [{ "route": [{ "destination": { "host": "probe" } }] }] });
        let probe = super::theirs(live, "probe", &spec);
        let path = format!("{}?dryRun=All", routes(live.namespace()));
        let is_at_work = is_so_by(soon(), || Ok(self.api.create(&path, &probe)?["spec"]["http"][0]["timeout"] == "7s"));
        assert!(is_at_work.expect("an answer"), "the policy takes effect");
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        for plural in ["mutatingadmissionpolicybindings", "mutatingadmissionpolicies"] {
            let _ = self.api.delete(&format!("{}/{plural}/{}", Self::GROUP, self.name));
        }
    }
}

/// Admission overwrites what is planned in one object, and adds to what is planned in another.
fn complaint_03_what_admission_changes_is_no_inconsistent_result(rig: &Rig) {
    let live = Live::new(rig, "c03");
    let _policy = Policy::new(&live, "east");
    let http = |timeout: &str| format!("{{ {timeout}route = [{{ destination = {{ host = \"reviews\" }} }}] }}");
    let objects = |timeout: &str| {
        route(live.namespace(), "changed", &http(timeout), "") + &route(live.namespace(), "filled", &http(""), "")
    };
    let timeout = |cluster: &str, name: &str| {
        let key = format!("VirtualService/{}/{name}", live.namespace());
        live.raw(cluster)[&key]["spec"]["http"][0]["timeout"].clone()
    };
    let world = live.world(rig, &(live.provider() + &objects("timeout = \"2s\", ")));
    let plan = world.step();
    for name in ["changed", "filled"] {
        assert_eq!(timeout("east", name), "7s", "admission did its work");
        assert_eq!(world.state().manifests(&address(name)), plan.manifests(&address(name)), "the state has what was planned");
    }
    assert_eq!((timeout("west", "changed"), timeout("west", "filled")), (json!("2s"), Value::Null));
    // a change of ours goes through, is changed again, and is as quiet as before
    world.config(&(live.provider() + &objects("timeout = \"3s\", ")));
    let plan = world.step();
    assert_eq!(plan.changed().len(), 1, "{:?}", plan.changed());
    assert_eq!((timeout("east", "changed"), timeout("west", "changed")), (json!("7s"), json!("3s")));
    // what was recorded is that value alone: what a person does is drift
    let key = format!("VirtualService/{}/changed", live.namespace());
    live.edit("west", &key, &json!({ "spec": { "hosts": ["other"] } }));
    live.edit("east", &key, &json!({ "spec": { "hosts": ["other"] } }));
    let plan = world.plan();
    let drift = plan.drift(&address("changed"));
    assert_eq!(drift.len(), 2, "{drift:?}");
    assert!(drift.values().all(|lines| lines.as_array().is_some_and(|lines| lines.len() == 1)), "{drift:?}");
    world.step();
    world.destroy();
    assert!(live.is_empty());
}

/// The plan was made from what data sources read; the apply does not read them again.
fn complaint_04_what_changes_after_the_plan_changes_no_planned_value(rig: &Rig) {
    let live = Live::new(rig, "c04");
    live.seed();
    let world = World::quickstart(rig);
    for name in CLUSTERS {
        world.replace("main.tf", &format!("    {name} = {{ directory = \"clusters/{name}\" }}\n"), &live.entry(name));
    }
    world.replace("main.tf", "demo/quickstart", &live.owner());
    world.replace("main.tf", "  namespace = \"bookinfo\"", &format!("  namespace = \"{}\"", live.namespace()));
    world.replace("main.tf", "  namespace    = \"bookinfo\"", &format!("  namespace    = \"{}\"", live.namespace()));
    let host = format!("\"{}.mesh.internal\"", live.namespace());
    world.replace("main.tf", "\"reviews.mesh.internal\"", &host);
    // one value more is known only during the apply
    world.replace("main.tf", "  ports        = [", "  timeout      = terraform_data.later.output\n  ports        = [");
    world.write("later.tf", "resource \"terraform_data\" \"later\" {\n  input = \"4s\"\n}\n");
    let plan = world.plan();
    let planned = plan.manifests(DESTINATION);
    assert!(!planned.is_empty() && plan.is_unknown(DESTINATION, "/manifests"), "some are known, some are not");
    let path = format!("/api/v1/namespaces/{}/services/reviews", live.namespace());
    for name in CLUSTERS {
        let ports = json!([{ "name": "http", "port": 9080, "targetPort": 9099 }]);
        let changed = json!({ "spec": { "ports": ports } });
        live.cluster(name).api().merge(&path, &changed, "kubectl-edit").expect("changed");
    }
    world.apply(&plan);
    let applied = world.state().manifests(DESTINATION);
    assert!(planned.iter().all(|(key, manifest)| applied.get(key) == Some(manifest)), "what was planned is what was written");
    live.assert_holds(&applied, &[]);
    // the next plan sees the change
    assert_eq!(world.plan().action(DESTINATION), Action::Update);
    world.destroy();
    assert!(live.is_empty());
}

fn complaint_08_a_plan_shows_the_lines_that_change(rig: &Rig) {
    let live = Live::new(rig, "c08");
    let world = applied(rig, &live);
    world.config(&config(&live, "  timeout = \"5s\""));
    let key = live.key_of("west", "DestinationRule");
    live.edit("west", &key, &json!({ "spec": { "trafficPolicy": { "outlierDetection": { "maxEjectionPercent": 10 } } } }));
    let text = world.plan_text();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let shown = |wanted: &str| lines.iter().filter(|line| line.contains(wanted)).count();
    assert!(lines.iter().any(|line| line.starts_with('+') && line.contains("timeout") && line.contains("\"5s\"")), "{text}");
    let drift = "spec.trafficPolicy.outlierDetection.maxEjectionPercent: live 10, intent 100";
    assert_eq!(shown(drift), 1, "one line for the field that differs:\n{text}");
    assert!(shown("unchanged") > 0, "what stays is not shown:\n{text}");
    assert!(!text.contains("WorkloadEntry"), "an object that stays is not shown:\n{text}");
    assert!(lines.len() < 100, "a plan is read on a screen or two, this one has {} lines:\n{text}", lines.len());
    world.step();
    world.destroy();
    assert!(live.is_empty());
}

fn complaint_09_what_a_server_fills_in_is_no_difference(rig: &Rig) {
    let live = Live::new(rig, "c09");
    // definitions of Gateway API have defaults at every depth
    let spec = "{ parentRefs = [{ name = \"gate\" }], rules = [{ backendRefs = [{ name = \"reviews\", port = 9080 }] }] }";
    let object = object("gateway.networking.k8s.io/v1", "HTTPRoute", live.namespace(), "filled", spec, "");
    let http = "{ match = [{ uri = { prefix = \"/\" } }], route = [{ destination = { host = \"reviews\", port = { number = 9080 } }, weight = 100 }], timeout = \"0.500s\" }";
    let world = live.world(rig, &(live.provider() + &object + &route(live.namespace(), "plain", http, "")));
    let plan = world.step();
    let path = format!("/apis/gateway.networking.k8s.io/v1/namespaces/{}/httproutes/filled", live.namespace());
    let (planned, api) = (plan.manifests(&address("filled")), live.cluster("east").api());
    let there = api.read(&path).expect("an answer").expect("it was written");
    let manifest = planned.values().next().expect("one manifest");
    assert_ne!(there["spec"], manifest["spec"], "the server has filled something in");
    let status = json!({ "status": { "parents": [] } });
    api.merge(&format!("{path}/status"), &status, "pilot-discovery").expect("a status");
    world.assert_clean();
    // and a change of one default by somebody is one
    let changed = json!({ "spec": { "rules": [{
        "backendRefs": [{ "group": "", "kind": "Service", "name": "reviews", "port": 9080, "weight": 7 }],
        "matches": [{ "path": { "type": "PathPrefix", "value": "/" } }],
    }] } });
    api.merge(&path, &changed, "kubectl-edit").expect("changed");
    let plan = world.plan();
    let drift = plan.drift(&address("filled"));
    assert!(Value::from_iter(drift.clone()).to_string().contains("weight"), "{drift:?}");
    world.step();
    world.destroy();
    assert!(api.read(&path).expect("an answer").is_none());
    assert!(live.is_empty());
}

fn complaint_23_a_typo_is_found_by_the_plan(rig: &Rig) {
    let live = Live::new(rig, "c23");
    let typos = [
        ("{ timout = \"2s\", route = [{ destination = { host = \"reviews\" } }] }", "timout"),
        ("{ timeout = \"2 seconds\", route = [{ destination = { host = \"reviews\" } }] }", "timeout"),
        ("{ route = [{ destination = { host = \"reviews\" }, weight = \"all\" }] }", "weight"),
    ];
    let world = live.world(rig, "");
    for (http, word) in typos {
        world.config(&(live.provider() + &route(live.namespace(), "typo", http, "")));
        world.plan_refused().error_with(&[word, "VirtualService"]);
        assert!(live.is_empty());
    }
}
