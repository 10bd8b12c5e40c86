//! Complaints about how providers reach clusters: when, how often, with what rights, and with which credentials.

use std::collections::{BTreeMap, BTreeSet};

use acceptance_tests::{Action, Case, Live, Plan, Rig, case};
use rig::{Effect, Injection, Proxy, Record, Seen};
use serde_json::json;

use super::super::live::{applied, config, resources};
use super::super::{APPLY, CLUSTERS, DESTINATION};
use super::{HTTP, address, by_address, counted, is_discovery, quoted, route, shown, through_proxies};

pub fn cases() -> Vec<Case> {
    vec![
        case!(complaint_01_a_cluster_and_its_objects_in_one_apply),
        case!(complaint_05_clusters_are_an_expression),
        case!(complaint_06_a_plan_lists_and_nothing_else),
        case!(complaint_07_one_process_serves_all_clusters),
        case!(complaint_14_a_credential_is_that_of_the_run),
        case!(complaint_15_a_destroy_after_the_cluster),
        case!(complaint_17_a_role_of_one_namespace_is_enough),
        case!(complaint_18_no_credential_is_kept),
        case!(complaint_22_no_aggregated_api_is_asked),
        case!(complaint_also_a_dead_cluster_is_told_once),
        case!(complaint_also_the_environment_overrides_nothing),
    ]
}

/// Everything by which the clusters are reached is known only after apply, as when the same apply creates them.
fn complaint_01_a_cluster_and_its_objects_in_one_apply(rig: &Rig) {
    let live = Live::new(rig, "c01");
    let (proxies, _) = through_proxies(&live, "");
    let made = |(name, proxy): (&&str, &Proxy)| {
        let cluster = live.cluster(name);
        let (ca, token) = (quoted(cluster.authority()), cluster.admin_token());
        let made = format!("{{ host = \"{}\", ca = {ca}, token = \"{token}\" }}", proxy.url());
        let known = format!("terraform_data.{name}.output");
        let entry =
            format!("    {name} = {{ host = {known}.host, ca_certificate = {known}.ca, auth = {{ token = {known}.token }} }}\n");
        (format!("resource \"terraform_data\" \"{name}\" {{\n  input = {made}\n}}\n"), entry)
    };
    let (creates, entries): (String, String) = CLUSTERS.iter().zip(&proxies).map(made).unzip();
    let world = live.world(rig, &(live.provider_with(&live.owner(), &entries, "") + &creates + &resources(&live, "")));
    let plan = world.plan();
    let asked: Vec<Record> = proxies.iter().flat_map(Proxy::records).collect();
    assert!(asked.is_empty(), "a plan asks nobody whom it cannot know: {asked:?}");
    assert!(!plan.is_unknown(DESTINATION, "/manifests"), "translation needs no cluster");
    let planned = plan.manifests(DESTINATION);
    plan.diagnostics.warning_with(&["GM5008", "east, west", "only after apply"]);
    world.apply(&plan);
    live.assert_holds(&planned, &[]);
    world.assert_clean();
    // and away with both in one run
    world.destroy();
    assert!(live.is_empty());
}

fn complaint_05_clusters_are_an_expression(rig: &Rig) {
    let live = Live::new(rig, "c05");
    let world = live.world(rig, "");
    let paths = |names: &[&str]| {
        let paths: BTreeMap<&str, String> = names.iter().map(|name| (*name, shown(&live.cluster(name).kubeconfig()))).collect();
        world.write("clusters.json", &json!(paths).to_string());
    };
    let provider = format!(
        r#"locals {{
  kubeconfigs = jsondecode(file("clusters.json"))
}}

provider "gloo" {{
  owner    = "{}"
  clusters = {{ for name, path in local.kubeconfigs : name => {{ kubeconfig = {{ path = path }} }} }}
}}
"#,
        live.owner()
    );
    let object = route(live.namespace(), "reviews", HTTP, "");
    world.config(&(provider + &object.replace("[\"east\", \"west\"]", "keys(local.kubeconfigs)")));
    paths(&["east"]);
    world.step();
    assert_eq!((live.raw("east").len(), live.raw("west").len()), (1, 0));
    // a cluster more is a line of data
    paths(&["east", "west"]);
    let before = live.raw("east");
    let plan = world.step();
    assert_eq!(plan.changed(), BTreeMap::from([(address("reviews"), Action::Update)]));
    assert_eq!((live.raw("east"), live.raw("west").len()), (before, 1), "only what is new is written");
    world.destroy();
    assert!(live.is_empty());
}

fn complaint_06_a_plan_lists_and_nothing_else(rig: &Rig) {
    let live = Live::new(rig, "c06");
    let (proxies, provider) = through_proxies(&live, "");
    let object = |number| route(live.namespace(), &format!("route-{number}"), HTTP, "");
    let objects = |count: usize| (0..count).map(object).collect::<String>();
    let world = live.world(rig, &(provider.clone() + &objects(2)));
    let requests = || {
        proxies.iter().for_each(Proxy::forget);
        world.plan().assert_empty("nothing changed");
        let mut seen: Vec<Vec<Seen>> =
            proxies.iter().map(|proxy| proxy.records().into_iter().map(|record| record.seen).collect()).collect();
        seen.iter_mut().for_each(|seen| seen.sort_by(|one, other| one.path.cmp(&other.path)));
        seen
    };
    world.apply(&world.plan());
    let of_two = requests();
    world.config(&(provider + &objects(20)));
    world.apply(&world.plan());
    let of_twenty = requests();
    assert_eq!(of_two, of_twenty, "the requests of a plan do not depend on the number of its objects");
    for seen in &of_twenty {
        assert!(!seen.is_empty() && seen.iter().all(|one| one.method == "GET"), "{seen:?}");
        let paths: BTreeSet<&str> = seen.iter().map(|one| one.path.as_str()).collect();
        assert_eq!(paths.len(), seen.len(), "every list is asked for once: {seen:?}");
    }
    let discovered: Vec<Record> = proxies.iter().flat_map(Proxy::records).filter(|record| is_discovery(&record.seen)).collect();
    assert!(discovered.is_empty(), "{discovered:?}");
    world.destroy();
    assert!(live.is_empty());
}

/// Eight clusters, which are eight ways to two: each has connections of its own, none a process of its own.
fn complaint_07_one_process_serves_all_clusters(rig: &Rig) {
    let live = Live::new(rig, "c07");
    let names: Vec<String> = (0..8).map(|number| format!("c{number}")).collect();
    let proxies: Vec<Proxy> = (0..8).map(|number| live.cluster(CLUSTERS[number % 2]).proxy().expect("a free port")).collect();
    let room = live.world(rig, "");
    let (rig, starts) = counted(rig, room.folder());
    let starts_with = |count: usize| {
        let entry = |(name, proxy): (&String, &Proxy)| Live::entry_of(name, &shown(proxy.kubeconfig()));
        let entries: String = names.iter().zip(&proxies).take(count).map(entry).collect();
        let object = route(live.namespace(), "reviews", HTTP, "");
        let object = object.replace("[\"east\", \"west\"]", &json!(names[..count]).to_string());
        let world = live.world(&rig, &(live.provider_with(&live.owner(), &entries, "") + &object));
        let before = starts();
        let plan = world.plan();
        assert_eq!(plan.action(&address("reviews")), Action::Create);
        starts() - before
    };
    let (one, eight) = (starts_with(1), starts_with(8));
    assert!(one > 0, "the processes are counted");
    assert_eq!(one, eight, "processes for one cluster, and for eight");
    for proxy in &proxies {
        assert!(proxy.figures().requests > 0, "every cluster was asked");
    }
}

/// A plan is made with one credential and applied with another: nothing of the first one is in the plan.
fn complaint_14_a_credential_is_that_of_the_run(rig: &Rig) {
    let live = Live::new(rig, "c14");
    let (east, west) = (live.cluster("east"), live.cluster("west"));
    let variable = "variable \"east\" {\n  type      = string\n  ephemeral = true\n}\n";
    let entries = by_address(&live, "east", &east.url(), "token = var.east")
        + &by_address(&live, "west", &west.url(), "token_file = \"token\"");
    let config = |lines: &str| {
        let object = route(live.namespace(), "reviews", HTTP, lines);
        live.provider_with(&live.owner(), &entries, "") + variable + &object
    };
    let world = live.world(rig, &config(""));
    // who plans may only read, and who applies may write
    let plan = || {
        world.write("token", west.readonly_token());
        world.plan_with(&[&format!("-var=east={}", east.readonly_token())])
    };
    let apply = |plan: &Plan, east: &str| {
        world.write("token", west.admin_token());
        world.run(&["apply", "-input=false", "-json", &format!("-var=east={east}"), &shown(&plan.file)])
    };
    let first = plan();
    let outcome = apply(&first, east.admin_token());
    assert!(outcome.is_success(), "{}{}", outcome.diagnostics(), outcome.stderr);
    let planned = first.manifests(&address("reviews"));
    live.assert_holds(&planned, &[]);
    // a credential whose time is over is an error in words, before the first write anywhere
    world.config(&config("").replace("host = \"reviews\"", "host = \"ratings\""));
    let outcome = apply(&plan(), "ended");
    assert!(!outcome.is_success());
    outcome.diagnostics().error_with(&["east", "does not accept the credential", "auth"]);
    live.assert_holds(&planned, &[]);
    let destroy = ["destroy", "-input=false", "-auto-approve", "-json", &format!("-var=east={}", east.admin_token())];
    assert!(world.run(&destroy).is_success());
    assert!(live.is_empty());
}

fn complaint_15_a_destroy_after_the_cluster(rig: &Rig) {
    let live = Live::new(rig, "c15");
    let world = applied(rig, &live);
    live.cluster("west").kill().expect("killed");
    let destroy = ["destroy", "-input=false", "-auto-approve", "-json"];
    let outcome = world.run(&destroy);
    assert!(!outcome.is_success());
    outcome.diagnostics().error_with(&["GM4001", "west", "decommissioned_clusters"]);
    // an entry that leads nowhere is an error in words, not a call to some local port
    world.write("empty", "");
    for entry in ["west = { kubeconfig = { path = \"empty\" } }", "west = { kubeconfig = { path = \"none\" } }"] {
        let entries = format!("{}    {entry}\n", live.entry("east"));
        world.config(&(live.provider_with(&live.owner(), &entries, "") + &resources(&live, "")));
        let outcome = world.run(&destroy);
        assert!(!outcome.is_success());
        let told = outcome.diagnostics();
        told.error_with(&["west", "kubeconfig"]);
        assert!(!told.to_string().contains("localhost") && !told.to_string().contains("127.0.0.1"), "{told}");
    }
    assert!(!live.raw("east").is_empty(), "nothing was deleted until now");
    let gone = live.provider_with(&live.owner(), &live.entry("east"), "  decommissioned_clusters = [\"west\"]\n");
    world.config(&(gone + &resources(&live, "")));
    world.destroy();
    assert!(live.raw("east").is_empty());
    assert_eq!(world.state().addresses(), Vec::<String>::new());
    // back again, the server has what nobody owns any more
    live.restart("west");
    let left: Vec<String> = live.raw("west").into_keys().collect();
    assert!(!left.is_empty());
    left.iter().for_each(|key| live.delete("west", key));
}

fn complaint_17_a_role_of_one_namespace_is_enough(rig: &Rig) {
    let live = Live::new(rig, "c17");
    let (proxies, _) = through_proxies(&live, "");
    let verbs = json!(["get", "list", "create", "patch", "delete"]);
    let rules = json!([
        { "apiGroups": ["networking.istio.io", "security.istio.io"], "resources": ["*"], "verbs": verbs },
        { "apiGroups": ["", "apps", "discovery.k8s.io"], "verbs": ["list"], "resources": [
            "configmaps", "pods", "services", "daemonsets", "deployments", "replicasets", "statefulsets", "endpointslices"
        ] },
    ]);
    let entry = |(name, proxy): (&&str, &Proxy)| {
        let cluster = live.cluster(name);
        let token = cluster.token_of(live.namespace()).expect("a token");
        cluster.allow(live.namespace(), Some(live.namespace()), &rules).expect("a role");
        let entry = by_address(&live, name, &proxy.url(), &format!("token = \"{token}\""));
        entry.replace(" }\n", &format!(", namespaces = [\"{}\"] }}\n", live.namespace()))
    };
    let entries: String = CLUSTERS.iter().zip(&proxies).map(entry).collect();
    let object = route(live.namespace(), "reviews", HTTP, "");
    let world = live.world(rig, &(live.provider_with(&live.owner(), &entries, "") + &object));
    let plan = world.step();
    assert_eq!(plan.action(&address("reviews")), Action::Create);
    live.assert_holds(&plan.manifests(&address("reviews")), &[]);
    world.destroy();
    assert!(live.is_empty());
    let inside = format!("/namespaces/{}/", live.namespace());
    for record in proxies.iter().flat_map(Proxy::records) {
        assert!(record.seen.path.contains(&inside) || record.status == Some(403), "asked of the whole cluster: {record:?}");
        assert!(!is_discovery(&record.seen), "{record:?}");
    }
}

fn complaint_18_no_credential_is_kept(rig: &Rig) {
    let live = Live::new(rig, "c18");
    let (east, west) = (live.cluster("east"), live.cluster("west"));
    let variables = "variable \"east\" {\n  ephemeral = true\n}\nvariable \"west\" {\n  ephemeral = true\n}\n";
    let entries =
        by_address(&live, "east", &east.url(), "token = var.east") + "    west = { kubeconfig = { inline = var.west } }\n";
    let world = live.world(rig, &(live.provider_with(&live.owner(), &entries, "") + variables + &resources(&live, "")));
    let kubeconfig = std::fs::read_to_string(west.kubeconfig()).expect("the rig wrote it");
    let run = |arguments: &[&str]| {
        let mut command = world.command(arguments);
        command.env("TF_VAR_east", east.admin_token()).env("TF_VAR_west", &kubeconfig).env("TF_LOG_PROVIDER", "TRACE");
        let output = command.output().expect("the CLI can be started");
        let (out, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {out}{log}");
        format!("{out}{log}")
    };
    let life: [&[&str]; 5] = [
        &["plan", "-input=false", "-json", "-out=kept.tfplan"],
        &["apply", "-input=false", "-json", "kept.tfplan"],
        &["plan", "-input=false", "-json"],
        &["show", "-json", "kept.tfplan"],
        &["show", "-json"],
    ];
    let logged: String = life.into_iter().map(run).collect();
    assert!(!live.is_empty());
    let state = std::fs::read_to_string(world.folder().join("terraform.tfstate")).expect("a state");
    assert!(logged.contains("terraform_provider_gloo") || logged.contains("kube_cluster"), "the provider's log is there");
    for secret in [east.admin_token(), west.admin_token()] {
        assert!(!logged.contains(secret), "a credential is in the log or in the plan");
        assert!(!state.contains(secret), "a credential is in the state");
    }
    run(&["destroy", "-input=false", "-auto-approve", "-json"]);
    assert!(live.is_empty());
}

/// An aggregated API whose server is gone, and a server that never answers a question about its API: nobody asks.
fn complaint_22_no_aggregated_api_is_asked(rig: &Rig) {
    let live = Live::new(rig, "c22");
    let (proxies, provider) = through_proxies(&live, "");
    let group = format!("{}.example.com", live.namespace());
    let broken = json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": { "name": format!("v1.{group}") },
        "spec": {
            "group": group, "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 100, "insecureSkipTLSVerify": true,
            "service": { "name": "nobody", "namespace": live.namespace() },
        },
    });
    for (name, proxy) in CLUSTERS.iter().zip(&proxies) {
        live.cluster(name).api().apply(&broken).expect("an aggregated API");
        proxy.inject(Injection::new(Effect::Hang).on(is_discovery));
    }
    let world = live.world(rig, &(provider + &resources(&live, "")));
    world.step();
    world.destroy();
    assert!(live.is_empty());
    for (name, proxy) in CLUSTERS.iter().zip(&proxies) {
        let asked: Vec<Record> = proxy.records().into_iter().filter(|record| record.effect.is_some()).collect();
        assert!(asked.is_empty(), "{asked:?}");
        let path = format!("/apis/apiregistration.k8s.io/v1/apiservices/v1.{group}");
        live.cluster(name).api().delete(&path).expect("removed");
    }
}

fn complaint_also_a_dead_cluster_is_told_once(rig: &Rig) {
    let live = Live::new(rig, "c26");
    let object = |number| route(live.namespace(), &format!("route-{number}"), HTTP, "");
    let objects = (0..30).map(object).collect::<String>();
    let world = live.world(rig, &(live.provider() + &objects));
    world.apply(&world.plan());
    live.cluster("west").kill().expect("killed");
    let told = world.plan_refused();
    assert_eq!(told.errors().len(), 1, "{told}");
    told.error_with(&["GM4001", "west"]);
    live.restart("west");
    world.destroy();
    assert!(live.is_empty());
}

fn complaint_also_the_environment_overrides_nothing(rig: &Rig) {
    let live = Live::new(rig, "c27");
    let world = live.world(rig, &config(&live, ""));
    let mut apply = world.command(APPLY);
    for name in ["KUBECONFIG", "KUBE_CONFIG_PATH", "GLOO_CLUSTER_EAST_KUBECONFIG", "GLOO_CLUSTER_WEST_KUBECONFIG"] {
        apply.env(name, "/nowhere/kubeconfig");
    }
    for name in ["KUBE_HOST", "KUBERNETES_SERVICE_HOST", "GLOO_CLUSTER_EAST_HOST", "GLOO_CLUSTER_WEST_HOST"] {
        apply.env(name, "127.0.0.1");
    }
    apply.env("KUBE_TOKEN", "wrong").env("GLOO_CLUSTER_EAST_TOKEN", "wrong").env("GLOO_OWNER", "somebody/else");
    let output = apply.output().expect("the CLI can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    live.assert_holds(&world.state().manifests(DESTINATION), &[]);
    world.assert_clean();
    world.destroy();
    assert!(live.is_empty());
}
