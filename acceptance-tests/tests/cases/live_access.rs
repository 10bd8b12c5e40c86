//! As whom and on which way the provider comes to real API servers: the roles of its function allow every request and nothing in
//! them is unused, and each way to connect is taken as it is written.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use acceptance_tests::{Action, Case, Live, Rig, World, case};
use rig::proxy::Record;
use rig::{Cluster, Effect, Injection, Proxy, Seen};
use serde_json::{Value, json};

use super::live::{config, resources};
use super::{CLUSTERS, DESTINATION, MESH};

pub fn cases() -> Vec<Case> {
    vec![
        case!(the_roles_of_the_function_are_enough),
        case!(the_roles_of_the_function_are_enough_in_their_namespaces),
        case!(every_rule_of_the_roles_is_used),
        case!(an_object_outside_the_namespaces_is_refused_at_plan),
        case!(every_way_to_connect_is_taken),
        case!(a_connection_that_cannot_be_trusted_is_told_in_four_parts),
        case!(a_token_that_ends_after_the_plan_stops_the_apply_before_the_first_write),
    ]
}

/// The namespace of Istio's control plane, which discovery looks at.
const CONTROL_PLANE: &str = "istio-system";

/// What the provider's function writes for this use, once for each namespace or once for all.
fn roles(rig: &Rig, live: &Live, purpose: &str, namespaces: &[&str]) -> Vec<Value> {
    let name = format!("{}-{purpose}", live.namespace());
    let calls: Vec<String> = match namespaces {
        [] => vec![format!("provider::gloo::role(\"{purpose}\", \"{name}\")")],
        _ => namespaces.iter().map(|place| format!("provider::gloo::role(\"{purpose}\", \"{name}\", \"{place}\")")).collect(),
    };
    let written =
        outputs(&live.world(rig, &format!("{}output \"roles\" {{\n  value = [{}]\n}}\n", live.provider(), calls.join(", "))));
    let texts = written["roles"].as_array().expect("a list").iter().map(|text| text.as_str().expect("a text").to_owned());
    texts.map(|text| serde_saphyr::from_str(&text).expect("YAML")).collect()
}

/// The outputs after an apply.
fn outputs(world: &World) -> Value {
    world.apply(&world.plan());
    let outcome = world.run(&["output", "-json"]);
    let mut all: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    let names: Vec<String> = all.as_object().expect("outputs").keys().cloned().collect();
    names.into_iter().map(|name| (name.clone(), all[&name]["value"].take())).collect::<serde_json::Map<_, _>>().into()
}

/// The token of an account that may do what these roles say and nothing else.
fn token(cluster: &Cluster, account: &str, roles: &[Value]) -> String {
    let token = cluster.token_of(account).expect("a token");
    for role in roles {
        cluster.api().apply(role).expect("the server takes what the function wrote");
        let mut metadata = role["metadata"].clone();
        metadata["name"] = account.into();
        let binding = json!({
            "apiVersion": role["apiVersion"],
            "kind": format!("{}Binding", role["kind"].as_str().expect("a kind")),
            "metadata": metadata,
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": role["kind"], "name": role["metadata"]["name"] },
            "subjects": [{ "kind": "ServiceAccount", "name": account, "namespace": "rig" }],
        });
        cluster.api().apply(&binding).expect("bound");
    }
    token
}

/// An entry of `clusters` with a host, and these lines besides.
fn entry(name: &str, url: &str, authority: &str, lines: &str) -> String {
    format!("    {name} = {{\n      host = \"{url}\"\n      ca_certificate = {authority:?}\n{lines}    }}\n")
}

/// Both clusters behind proxies that count.
fn proxies(live: &Live) -> [Proxy; 2] {
    CLUSTERS.map(|name| live.cluster(name).proxy().expect("a proxy"))
}

/// The entries of both clusters for accounts of this name with these roles.
fn entries(live: &Live, proxies: &[Proxy; 2], purpose: &str, roles: &[Value], lines: &str) -> String {
    let account = format!("{}-{purpose}", live.namespace());
    let of = |(name, proxy): (&&str, &Proxy)| {
        let cluster = live.cluster(name);
        let auth = format!("      auth = {{ token = \"{}\" }}\n{lines}", token(cluster, &account, roles));
        entry(name, &proxy.url(), cluster.authority(), &auth)
    };
    CLUSTERS.iter().zip(proxies).map(of).collect()
}

/// A mesh and a destination of what is discovered.
fn discovered(live: &Live, lines: &str) -> String {
    let namespace = live.namespace();
    let lines = if lines.is_empty() { String::new() } else { format!("{lines}\n") };
    format!("\n{}", rig::dev::discovered(namespace, &format!("{namespace}.mesh.internal"), &lines))
}

fn records(proxies: &[Proxy; 2]) -> Vec<Record> {
    proxies.iter().flat_map(Proxy::records).collect()
}

fn is_dry(record: &Record) -> bool {
    record.seen.query.contains("dryRun=")
}

fn forget(proxies: &[Proxy; 2]) {
    proxies.iter().for_each(Proxy::forget);
}

/// Nothing that was asked since the last look was forbidden.
fn assert_allowed(proxies: &[Proxy; 2], what: &str) {
    let all = records(proxies);
    assert!(!all.is_empty(), "{what}: somebody was asked");
    let forbidden: Vec<&Record> = all.iter().filter(|record| [Some(401), Some(403)].contains(&record.status)).collect();
    assert!(forbidden.is_empty(), "{what}: {forbidden:?}");
    forget(proxies);
}

fn the_roles_of_the_function_are_enough(rig: &Rig) {
    live_by_roles(rig, &Live::new(rig, "roles"), &[]);
}

fn the_roles_of_the_function_are_enough_in_their_namespaces(rig: &Rig) {
    let live = Live::new(rig, "places");
    let namespace = live.namespace().to_owned();
    live_by_roles(rig, &live, &[&namespace, CONTROL_PLANE]);
}

/// A whole life with two identities: one that plans, one that applies, each with exactly its role.
fn live_by_roles(rig: &Rig, live: &Live, namespaces: &[&str]) {
    live.seed();
    let proxies = proxies(live);
    let lines = if namespaces.is_empty() { String::new() } else { format!("      namespaces = {namespaces:?}\n") };
    let of = |purpose: &str| entries(live, &proxies, purpose, &roles(rig, live, purpose, namespaces), &lines);
    let [planner, applier] = ["plan", "apply"].map(|purpose| live.provider_with(&live.owner(), &of(purpose), ""));
    let discovered = |lines: &str| discovered(live, lines);

    // who only reads discovers and plans; what the clusters would say is not known, and that is said once for each
    let world = live.world(rig, &(planner.clone() + &discovered("")));
    let plan = world.plan();
    assert_eq!((plan.action(MESH), plan.action(DESTINATION)), (Action::Create, Action::Create));
    let not_tried = plan.diagnostics.warnings().iter().filter(|warning| warning.text().contains("GM4018")).count();
    assert_eq!(not_tried, CLUSTERS.len(), "{}", plan.diagnostics);
    let refused = records(&proxies).into_iter().filter(|record| record.status == Some(403));
    assert!(refused.clone().count() > 0 && refused.into_iter().all(|record| is_dry(&record)), "only trying is refused");
    forget(&proxies);

    // what was planned without the right to write is applied with it
    world.config(&(applier.clone() + &discovered("")));
    let tried = world.plan();
    assert_eq!(tried.manifests(DESTINATION), plan.manifests(DESTINATION), "who plans does not matter");
    assert_allowed(&proxies, "plan");
    world.apply(&tried);
    assert_allowed(&proxies, "create");
    live.assert_holds(&tried.manifests(DESTINATION), &[]);

    world.config(&(planner + &discovered("")));
    world.plan().assert_empty("of who only reads");
    assert!(records(&proxies).iter().all(|record| record.seen.method == "GET"), "an empty plan tries nothing");
    let seen: Vec<Seen> = records(&proxies).into_iter().map(|record| record.seen).collect();
    for place in &seen {
        let is_inside = namespaces.is_empty()
            || namespaces.iter().any(|namespace| format!("{}/", place.path).contains(&format!("/namespaces/{namespace}/")));
        assert!(is_inside, "{place:?} is asked outside of {namespaces:?}");
    }
    assert_allowed(&proxies, "refresh");

    world.config(&(applier.clone() + &discovered("  timeout = \"2s\"")));
    world.step();
    assert_allowed(&proxies, "update");
    let key = live.key_of("east", "DestinationRule");
    live.edit("east", &key, &json!({ "spec": { "trafficPolicy": { "outlierDetection": { "maxEjectionPercent": 10 } } } }));
    live.delete("west", &live.key_of("west", "VirtualService"));
    assert_eq!(world.step().action(DESTINATION), Action::Update);
    assert_allowed(&proxies, "repair");

    // another owner takes it over, and takes it away
    let second = world.beside("second");
    let other = applier.replace(&live.owner(), &format!("{}-two", live.owner()));
    second.config(&(other + &discovered(&format!("  takeover_from = [\"{}\"]", live.owner()))));
    second.apply(&second.plan());
    assert_allowed(&proxies, "takeover");
    world.destroy();
    second.destroy();
    assert_allowed(&proxies, "destroy");
    assert!(live.is_empty());
}

/// Every kind that may be written and that the clusters have: group and version, kind, a spec that is accepted.
fn kinds() -> Vec<(&'static str, &'static str, Value)> {
    const NETWORKING: &str = "networking.istio.io/v1";
    const SECURITY: &str = "security.istio.io/v1";
    const GATEWAY: &str = "gateway.networking.k8s.io/v1";
    let port = json!({ "number": 80, "name": "http", "protocol": "HTTP" });
    let route = json!([{ "route": [{ "destination": { "host": "a.example.com" } }] }]);
    let target = json!([{ "group": "", "kind": "Service", "name": "a" }]);
    let grant = json!([{ "group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "a" }]);
    vec![
        (NETWORKING, "DestinationRule", json!({ "host": "c.example.com" })),
        ("networking.istio.io/v1alpha3", "EnvoyFilter", json!({ "priority": 1 })),
        (NETWORKING, "Gateway", json!({ "servers": [{ "port": port, "hosts": ["a.example.com"] }] })),
        ("networking.istio.io/v1beta1", "ProxyConfig", json!({ "concurrency": 1 })),
        (
            NETWORKING,
            "ServiceEntry",
            json!({ "hosts": ["a.example.com"], "ports": [port], "resolution": "DNS", "location": "MESH_EXTERNAL" }),
        ),
        (NETWORKING, "Sidecar", json!({ "workloadSelector": { "labels": { "app": "a" } }, "egress": [{ "hosts": ["./*"] }] })),
        (NETWORKING, "VirtualService", json!({ "hosts": ["b.example.com"], "http": route })),
        (NETWORKING, "WorkloadEntry", json!({ "address": "192.0.2.1" })),
        (NETWORKING, "WorkloadGroup", json!({ "template": { "serviceAccount": "a" } })),
        (SECURITY, "AuthorizationPolicy", json!({ "selector": { "matchLabels": { "app": "a" } } })),
        (
            SECURITY,
            "PeerAuthentication",
            json!({ "selector": { "matchLabels": { "app": "a" } }, "mtls": { "mode": "PERMISSIVE" } }),
        ),
        (SECURITY, "RequestAuthentication", json!({ "selector": { "matchLabels": { "app": "a" } } })),
        ("telemetry.istio.io/v1", "Telemetry", json!({ "selector": { "matchLabels": { "app": "a" } } })),
        ("extensions.istio.io/v1alpha1", "WasmPlugin", json!({ "url": "oci://example.com/a" })),
        (GATEWAY, "GatewayClass", json!({ "controllerName": "example.com/a" })),
        (
            GATEWAY,
            "Gateway",
            json!({ "gatewayClassName": "a", "listeners": [{ "name": "http", "port": 80, "protocol": "HTTP" }] }),
        ),
        (GATEWAY, "HTTPRoute", json!({ "hostnames": ["a.example.com"] })),
        (GATEWAY, "GRPCRoute", json!({ "hostnames": ["a.example.com"] })),
        (
            "gateway.networking.k8s.io/v1beta1",
            "ReferenceGrant",
            json!({ "from": grant, "to": [{ "group": "", "kind": "Service" }] }),
        ),
        (
            GATEWAY,
            "BackendTLSPolicy",
            json!({ "targetRefs": target, "validation": { "wellKnownCACertificates": "System", "hostname": "a.example.com" } }),
        ),
    ]
}

/// A verb, a group and a resource.
type Right = (String, String, String);

/// What these requests needed: to apply an object that is not there is a `create` too.
fn needed(records: &[Record]) -> BTreeSet<Right> {
    let mut needed = BTreeSet::new();
    for record in records {
        let mut parts: Vec<&str> = record.seen.path.trim_start_matches('/').split('/').collect();
        let group = if parts.remove(0) == "api" { "" } else { parts.remove(0) };
        parts.remove(0);
        if parts[0] == "namespaces" && parts.len() > 2 {
            parts.drain(..2);
        }
        let verbs: &[&str] = match (record.seen.method.as_str(), parts.len(), record.status) {
            ("GET", 1, _) => &["list"],
            ("GET", _, _) => &["get"],
            ("PATCH", _, Some(201)) => &["create", "patch"],
            ("PATCH", _, _) => &["patch"],
            ("DELETE", _, _) => &["delete"],
            other => panic!("{other:?}: {record:?}"),
        };
        needed.extend(verbs.iter().map(|verb| ((*verb).to_owned(), group.to_owned(), parts[0].to_owned())));
    }
    needed
}

/// What a role allows about kinds that this takes, by resource and group.
fn allowed(role: &Value, takes: impl Fn(&str, &str) -> bool) -> BTreeSet<Right> {
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    let mut allowed = BTreeSet::new();
    for rule in role["rules"].as_array().expect("rules") {
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                if !takes(&resource, &group) {
                    continue;
                }
                allowed.extend(texts(&rule["verbs"]).into_iter().map(|verb| (verb, group.clone(), resource.clone())));
            }
        }
    }
    allowed
}

/// Whether the cluster has a kind: those of definitions may be missing.
fn is_served(cluster: &Cluster, resource: &str, group: &str) -> bool {
    let is_built_in = !group.ends_with("istio.io") && group != "gateway.networking.k8s.io";
    let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{resource}.{group}");
    is_built_in || cluster.api().read(&path).expect("an answer").is_some()
}

/// An object of each kind; of kinds without a namespace only where those may be written.
fn one_of_each(live: &Live, is_namespaced: bool, priority: &str) -> Vec<Value> {
    let with_metadata = |(version, kind, spec): (&str, &str, Value)| {
        let mut metadata = json!({ "name": format!("{}-a", live.namespace()), "labels": { "priority": priority } });
        if kind != "GatewayClass" {
            metadata["namespace"] = live.namespace().into();
        }
        // hosts of its own: the same case runs beside this one
        let spec = spec.to_string().replace("example.com", &format!("{}.example.com", live.namespace()));
        let spec: Value = serde_json::from_str(&spec).expect("it was JSON");
        json!({ "apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec })
    };
    let all = kinds().into_iter().map(with_metadata);
    all.filter(|object| !is_namespaced || object["metadata"]["namespace"].is_string()).collect()
}

/// The configuration of these objects, from files: as expressions they would all need one type.
fn objects(world: &World, objects: &[Value]) -> String {
    let mut names = Vec::new();
    for object in objects {
        let text = |name: &str| object[name].as_str().unwrap_or_default().to_owned();
        let name = format!("{}.{}", text("kind"), text("apiVersion").split('/').next().unwrap_or_default());
        world.write(&format!("objects/{name}.json"), &object.to_string());
        names.push(name);
    }
    format!(
        "resource \"gloo_istio_object\" \"all\" {{\n  for_each = toset({names:?})\n  clusters = [\"east\"]\n  manifest = \
         jsondecode(file(\"objects/${{each.key}}.json\"))\n}}\n\ndata \"gloo_cluster\" \"east\" {{\n  name = \"east\"\n}}\n"
    )
}

fn every_rule_of_the_roles_is_used(rig: &Rig) {
    let live = Live::new(rig, "rules");
    for namespaces in [vec![], vec![live.namespace(), CONTROL_PLANE]] {
        let cluster = live.cluster("east");
        let [plan_roles, apply_roles] = ["plan", "apply"].map(|purpose| roles(rig, &live, purpose, &namespaces));
        let lines = if namespaces.is_empty() { String::new() } else { format!("      namespaces = {namespaces:?}\n") };
        let provider = |purpose: &str, roles: &[Value], proxy: &Proxy| {
            let account = format!("{}-{purpose}-{}", live.namespace(), namespaces.len());
            let auth = format!("      auth = {{ token = \"{}\" }}\n{lines}", token(cluster, &account, roles));
            live.provider_with(&live.owner(), &entry("east", &proxy.url(), cluster.authority(), &auth), "")
        };
        let is_namespaced = !namespaces.is_empty();
        let [low, high] = ["low", "high"].map(|priority| one_of_each(&live, is_namespaced, priority));
        let proxy = cluster.proxy().expect("a proxy");
        let applier = provider("apply", &apply_roles, &proxy);
        let world = live.world(rig, "");
        world.config(&(applier.clone() + &objects(&world, &low)));
        world.apply(&world.plan());
        world.config(&(applier + &objects(&world, &high)));
        world.step();

        let reading = cluster.proxy().expect("a proxy");
        world.config(&(provider("plan", &plan_roles, &reading) + &objects(&world, &high)));
        // what the list missed is read alone
        for object in &high {
            let path = rig::api::path_of(object).expect("it has a path");
            cluster.api().delete(&path).expect("deleted");
        }
        let plan = world.plan();
        assert!(plan.has_changes);
        let tried = |record: &Record| is_dry(record);
        let read: Vec<Record> = reading.records().into_iter().filter(|record| !tried(record)).collect();
        assert!(read.iter().all(|record| record.status != Some(403)), "{read:?}");
        let served = |resource: &str, group: &str| is_served(cluster, resource, group);
        let unread: Vec<Right> = allowed(&plan_roles[0], served).difference(&needed(&read)).cloned().collect();
        assert!(unread.is_empty(), "the role to plan allows what nobody asks: {unread:?}");

        world.config(&(provider("apply", &apply_roles, &proxy) + &objects(&world, &high)));
        world.apply(&world.plan());
        world.destroy();
        let all = proxy.records();
        let forbidden: Vec<&Record> = all.iter().filter(|record| record.status == Some(403)).collect();
        assert!(forbidden.is_empty(), "{forbidden:?}");
        let needed = needed(&all);
        let unused: Vec<Right> = allowed(&apply_roles[0], served).difference(&needed).cloned().collect();
        assert!(unused.is_empty(), "the role to apply allows what nobody asks: {unused:?}");
        // also of kinds that are not there, where the server says nothing else than that
        let unwritten: Vec<Right> = needed.difference(&allowed(&apply_roles[0], |_, _| true)).cloned().collect();
        assert!(unwritten.is_empty(), "it is asked and not allowed: {unwritten:?}");
        assert!(live.is_empty());
    }
}

fn an_object_outside_the_namespaces_is_refused_at_plan(rig: &Rig) {
    let live = Live::new(rig, "outside");
    let restricted = |namespaces: &[&str]| {
        let entry = |name: &str| {
            let path = live.cluster(name).kubeconfig().display().to_string();
            format!("    {name} = {{\n      kubeconfig = {{ path = \"{path}\" }}\n      namespaces = {namespaces:?}\n    }}\n")
        };
        live.provider_with(&live.owner(), &(entry("east") + &entry("west")), "")
    };
    let world = live.world(rig, &(restricted(&[CONTROL_PLANE]) + &resources(&live, "")));
    let fix = format!("namespaces = [\"{CONTROL_PLANE}\", \"{}\"]", live.namespace());
    let refused = world.plan_refused();
    for cluster in CLUSTERS {
        refused.error_with(&["GM4", cluster, &fix]);
    }
    assert!(live.is_empty());
    world.config(&(restricted(&[live.namespace(), CONTROL_PLANE]) + &resources(&live, "")));
    world.step();
    // what is there stays in reach when the namespaces are narrowed, and can be taken away
    world.config(&(restricted(&[CONTROL_PLANE]) + &resources(&live, "")));
    world.destroy();
    assert!(live.is_empty());
}

/// A credential plugin that prints this token and counts its runs.
fn plugin(folder: &Path, token: &str) -> String {
    let answer = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
        "status": { "token": token, "expirationTimestamp": "2999-01-01T00:00:00Z" },
    });
    let file = folder.join("plugin");
    std::fs::write(&file, format!("#!/bin/sh\necho x >> '{}'\ncat <<'END'\n{answer}\nEND\n", folder.join("asked").display()))
        .and_then(|()| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o700)))
        .expect("a new folder is writable");
    file.display().to_string()
}

fn every_way_to_connect_is_taken(rig: &Rig) {
    let live = Live::new(rig, "ways");
    let east = live.cluster("east");
    let world = live.world(rig, "");
    let folder = world.folder().to_owned();
    let proxies: Vec<Proxy> = (0..5).map(|_| east.proxy().expect("a proxy")).collect();
    let [by_path, by_text, by_token, by_file, by_plugin] = proxies.as_slice() else { unreachable!("five") };
    let text = std::fs::read_to_string(by_text.kubeconfig()).expect("a kubeconfig");
    std::fs::write(folder.join("token"), format!("{}\n", east.readonly_token())).expect("a new folder is writable");
    let identity = east.client_certificate("rig-ways", Some("system:masters")).expect("a certificate");
    let kubeconfig = |name: &str, lines: &str| format!("    {name} = {{ kubeconfig = {{ {lines} }} }}\n");
    let with_auth =
        |name: &str, url: &str, auth: &str| entry(name, url, east.authority(), &format!("      auth = {{ {auth} }}\n"));
    let clusters = [
        kubeconfig("path", &format!("path = \"{}\", context = \"east-readonly\"", by_path.kubeconfig().display())),
        kubeconfig("text", &format!("inline = {text:?}")),
        with_auth("token", &by_token.url(), &format!("token = \"{}\"", east.readonly_token())),
        with_auth("file", &by_file.url(), "token_file = \"token\""),
        with_auth("plugin", &by_plugin.url(), &format!("exec = {{ command = \"{}\" }}", plugin(&folder, east.readonly_token()))),
        with_auth(
            "certificate",
            &east.url(),
            &format!("client_certificate = {:?}\nclient_key = {:?}", identity.certificate, identity.key).replace('\n', ", "),
        ),
    ];
    let data = "data \"gloo_cluster\" \"all\" {\n  for_each = toset([\"path\", \"text\", \"token\", \"file\", \"plugin\", \"certificate\"])\n  name     = each.key\n}\n\noutput \"facts\" {\n  value = { for name, cluster in data.gloo_cluster.all : name => cluster.facts }\n}\n";
    world.config(&(live.provider_with(&live.owner(), &clusters.concat(), "") + data));
    let facts = outputs(&world)["facts"].take();
    let facts = facts.as_object().expect("a map");
    assert_eq!(facts.len(), 6);
    assert!(facts.values().all(|one| *one == facts["path"] && one["istio_version"].is_string()), "{facts:?}");
    for (way, proxy) in ["path", "text", "token", "file", "plugin"].iter().zip(&proxies) {
        let records = proxy.records();
        assert!(!records.is_empty() && records.iter().all(|record| record.status.is_some_and(|status| status < 500)), "{way}");
        assert!(records.iter().all(|record| record.seen.user_agent.starts_with("terraform-provider-gloo/")), "{way}");
        assert!(records.iter().all(|record| ![Some(401), Some(403)].contains(&record.status)), "{way}: {records:?}");
    }
    let asked = std::fs::read_to_string(folder.join("asked")).expect("it was asked");
    assert_eq!(asked.lines().count(), 1, "once for all requests of a plan; an apply of outputs asks nothing");
    let state = std::fs::read_to_string(folder.join("terraform.tfstate")).expect("a state");
    assert!(!state.contains(east.readonly_token()) && !state.contains("PRIVATE KEY"), "no credential is in the state");
}

fn a_connection_that_cannot_be_trusted_is_told_in_four_parts(rig: &Rig) {
    let live = Live::new(rig, "trust");
    let east = live.cluster("east");
    let stranger = rig::pki::Authority::new().expect("an authority");
    let auth = format!("      auth = {{ token = \"{}\" }}\n", east.readonly_token());
    let data = "data \"gloo_cluster\" \"east\" {\n  name = \"east\"\n}\n";
    let provider = |entry: &str| live.provider_with(&live.owner(), entry, "") + data;
    let world = live.world(rig, "");
    for distrusted in [
        entry("east", &east.url(), stranger.certificate(), &auth),
        entry("east", &east.url(), east.authority(), &(auth.clone() + "      tls_server_name = \"api.example.com\"\n")),
        // not said: the system's authorities
        format!("    east = {{\n      host = \"{}\"\n{auth}    }}\n", east.url()),
    ] {
        world.config(&provider(&distrusted));
        let refused = world.plan_refused();
        // what and where, why, how to fix
        let error = refused.error_with(&["GM4001", "cluster east", &east.url(), "certificate", "Check its address"]);
        assert!(!error.text().contains(east.readonly_token()), "{error}");
    }
    let careless = format!("    east = {{\n      host = \"{}\"\n      insecure = true\n{auth}    }}\n", east.url());
    world.config(&provider(&careless));
    world.plan();
}

fn a_token_that_ends_after_the_plan_stops_the_apply_before_the_first_write(rig: &Rig) {
    let live = Live::new(rig, "ended");
    let proxies = proxies(&live);
    let of = |(name, proxy): (&&str, &Proxy)| {
        let cluster = live.cluster(name);
        entry(name, &proxy.url(), cluster.authority(), &format!("      auth = {{ token = \"{}\" }}\n", cluster.admin_token()))
    };
    let clusters: String = CLUSTERS.iter().zip(&proxies).map(of).collect();
    let provider = live.provider_with(&live.owner(), &clusters, "");
    let world = live.world(rig, &(provider.clone() + &resources(&live, "")));
    let west = &proxies[1];
    let ended = || west.inject(Injection::new(Effect::answer(401)));
    let check = |what: &str, plan: &acceptance_tests::Plan| {
        let before = live.everything();
        forget(&proxies);
        ended();
        let refused = world.apply_refused(plan);
        let error = refused.error_with(&["west", "does not accept the credential", "auth"]);
        assert!(!error.text().contains(live.cluster("west").admin_token()), "{error}");
        assert!(!records(&proxies).iter().any(|record| record.seen.is_write()), "{what}: nothing is written anywhere");
        assert_eq!(live.everything(), before, "{what}");
        west.heal();
    };
    let create = world.plan();
    check("create", &create);
    assert!(!world.state().addresses().iter().any(|address| address == DESTINATION), "nothing is tainted");
    world.step();
    world.config(&(provider + &resources(&live, "  timeout = \"2s\"")));
    check("update", &world.plan());
    check("destroy", &world.plan_with(&["-destroy"]));
    world.config(&config(&live, "  timeout = \"2s\""));
    world.step();
    world.destroy();
    assert!(live.is_empty());
}
