//! What goes wrong, silently, where a finding is overruled or comes too late: each trap is set on a running mesh, the traffic
//! shows the failure, and the plan names it.

use std::time::Instant;

use acceptance_tests::World;
use rig::api::path_of;
use rig::mesh::layout::{GATEWAY_PORT, NAMESPACE, PORT, ROOT, Role, Spot};
use rig::mesh::seeds::labels;
use rig::mesh::traffic::{EVENTUALLY, Traffic};
use rig::wait::is_so_by;
use serde_json::{Value, json};

use crate::changes::Case;
use crate::check::{all_by, errors_at_most, local_traffic, until_by, until_host_served, until_served};
use crate::config::{HOST, QUICK, destination};
use crate::live::Stage;

/// All of them, by name.
pub fn all() -> Vec<Case> {
    vec![
        ("trap-service-captures", service_captures),
        ("trap-host-taken", host_taken),
        ("trap-short-name", short_name),
        ("trap-foreign-policy", foreign_policy),
        ("trap-sidecar-hides", sidecar_hides),
        ("trap-mutual-tls-off", mutual_tls_off),
        ("trap-authorization-denies", authorization_denies),
        ("trap-exposed-twice", exposed_twice),
        ("trap-exposed-twice-in-a-namespace", exposed_twice_in_a_namespace),
        ("trap-open-gateway", open_gateway),
        ("trap-one-retry", one_retry),
        ("trap-no-ejection", no_ejection),
    ]
}

const NAME: &str = "of-a-person";

fn networking(kind: &str, spec: &Value) -> Value {
    json!({ "apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": { "name": NAME, "namespace": NAMESPACE }, "spec": spec })
}

fn security(kind: &str, spec: &Value) -> Value {
    json!({ "apiVersion": "security.istio.io/v1", "kind": kind, "metadata": { "name": NAME, "namespace": NAMESPACE }, "spec": spec })
}

/// A Gateway that passes these hosts through the east-west gateway.
fn passing(hosts: &str) -> Value {
    let server = json!({
        "port": { "number": GATEWAY_PORT, "name": "tls", "protocol": "TLS" },
        "hosts": [hosts], "tls": { "mode": "AUTO_PASSTHROUGH" },
    });
    let mut gateway = networking("Gateway", &json!({ "selector": { "istio": "eastwestgateway" }, "servers": [server] }));
    gateway["metadata"]["namespace"] = ROOT.into();
    gateway
}

/// Somebody writes this object in a cluster.
fn written(stage: &Stage, cluster: &str, object: &Value) {
    stage.mesh.rig().cluster(cluster).api().apply(object).expect("nobody finds anything wrong with it");
}

/// A plan that changes the destination beside the trap names it: as an error, or as a warning.
fn told(stage: &Stage, words: &[&str], is_error: bool) {
    told_of(stage, &destination(&["east", "west"], QUICK), words, is_error);
}

/// The same of another destination.
fn told_of(stage: &Stage, resources: &str, words: &[&str], is_error: bool) {
    let world = World::empty(stage.rig);
    stage.configure(&world, resources);
    let found = if is_error { world.plan_refused() } else { world.plan().diagnostics };
    let one = if is_error { found.error_with(words) } else { found.warning_with(words) };
    stage.figures.note("the plan says", one.detail.lines().find(|line| !line.trim().is_empty()).unwrap_or_default());
}

/// The destination in east and west under traffic of this client; `then` sees what becomes of it.
fn with_destination(stage: &Stage, client: &str, lines: &str, then: impl FnOnce(&Traffic)) {
    let world = stage.applied(&destination(&["east", "west"], lines));
    let traffic = local_traffic(stage.mesh.fleet(), client);
    stage.settle();
    then(&traffic);
    drop(traffic);
    world.destroy();
}

/// GM3001: a Service whose selector our entries meet sends its callers to a gateway that knows nothing of it.
fn service_captures(stage: &Stage) {
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": NAME, "namespace": NAMESPACE },
        "spec": {
            "selector": { "service.istio.io/canonical-name": Role::Server.app() },
            "ports": [{ "name": "http", "port": PORT, "targetPort": PORT, "protocol": "TCP" }],
        },
    });
    with_destination(stage, "east", QUICK, |_| {
        written(stage, "east", &service);
        let gateway = format!("{}:", Role::Gateway.ip(Spot::of("west").expect("it is known")));
        let is_captured = is_so_by(Instant::now() + EVENTUALLY, || {
            let calls = stage.mesh.fleet().calls("east", &format!("{NAME}.{NAMESPACE}.svc.cluster.local:{PORT}"), 20);
            let page = stage.mesh.fleet().proxy("east/productpage").page("/clusters")?;
            let is_called = |line: &&str| line.contains(NAME) && line.contains(&gateway) && line.contains("::cx_total::");
            let line = page.lines().filter(is_called).find(|line| !line.ends_with("::0"));
            line.iter()
                .for_each(|line| stage.figures.note("calls of the Service, and its endpoint abroad", format!("{calls}; {line}")));
            Ok(line.is_some())
        });
        assert_eq!(is_captured, Ok(true), "calls of the Service should go abroad");
    });
    told(stage, &["GM3001", NAME], true);
}

/// GM3002: endpoints of a second ServiceEntry for the host are taken for ours: calls go where no intent sends them, past every
/// gateway.
fn host_taken(stage: &Stage) {
    let spot = Spot::of("east").expect("it is known");
    let abroad = Role::Server.ip(Spot::of("west").expect("it is known"));
    let entry = networking(
        "ServiceEntry",
        &json!({
            "hosts": ["reviews.mesh.internal"], "location": "MESH_INTERNAL", "resolution": "STATIC",
            "ports": [{ "name": "http-9080", "number": PORT, "protocol": "HTTP" }],
            "endpoints": [{
                "address": abroad.to_string(), "locality": format!("{}/{}", spot.region(), spot.zone()),
                "labels": labels(Role::Server), "serviceAccount": Role::Server.account(),
            }],
        }),
    );
    with_destination(stage, "east", QUICK, |traffic| {
        let fleet = stage.mesh.fleet();
        written(stage, "east", &entry);
        stage.settle();
        fleet.proxy("west/istio-eastwestgateway").kill().expect("it runs");
        fleet.backend("east").die();
        until_by(traffic, "west");
        stage.figures.note("local application and the only gateway dead", traffic.more(40));
        fleet.heal().expect("everything starts again");
    });
    told(stage, &["GM3002", NAME], true);
}

/// GM3023: who calls a Service by its short name calls the destination that has this hostname, which the Service's full name shows.
fn short_name(stage: &Stage) {
    let (namespace, fleet) = ("library", stage.mesh.fleet());
    let short = format!("{}.{namespace}", Role::Server.app());
    let resources = destination(&["east", "west"], QUICK).replace("reviews.mesh.internal", &short);
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": Role::Server.app(), "namespace": namespace },
        "spec": {
            "selector": { "app": NAME },
            "ports": [{ "name": "http", "port": PORT, "targetPort": PORT, "protocol": "TCP" }],
        },
    });
    let world = stage.applied(&resources);
    until_host_served(fleet, "east", &format!("{short}:{PORT}"));
    written(stage, "east", &json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } }));
    written(stage, "east", &service);
    let is_known = is_so_by(Instant::now() + EVENTUALLY, || {
        let calls = fleet.calls("east", &format!("{short}.svc.cluster.local:{PORT}"), 1);
        Ok(calls.0.iter().all(|seen| seen.status == 503))
    });
    assert_eq!(is_known, Ok(true), "the Service should be known, and served by nobody");
    let calls = fleet.calls("east", &format!("{short}:{PORT}"), 40);
    stage.figures.note("calls of a Service without pods, by its short name", &calls);
    all_by(&calls, "east");
    world.destroy();
    let calls = fleet.calls("east", &format!("{short}:{PORT}"), 40);
    stage.figures.note("without the destination", &calls);
    assert_eq!(calls.errors(), 40, "nobody serves the Service: {calls}");
    told_of(stage, &resources, &["GM3023", &short], true);
}

/// GM3005: of two policies Istio takes the older one, so that ours, with all of failover, has no effect.
fn foreign_policy(stage: &Stage) {
    // Istio makes one of two rules only when they are exported alike
    let policy = json!({ "connectionPool": { "tcp": { "maxConnections": 9 } } });
    let rule = json!({ "host": "reviews.mesh.internal", "exportTo": ["*"], "trafficPolicy": policy });
    written(stage, "east", &networking("DestinationRule", &rule));
    told(stage, &["GM3005", NAME], false);
    // it is the older one only when the clock that dates objects, in seconds, has gone on
    std::thread::sleep(std::time::Duration::from_millis(1100));
    with_destination(stage, "east", QUICK, |traffic| {
        let mark = traffic.mark();
        stage.mesh.fleet().backend("east").die();
        traffic.wait_until("no other cluster takes over", 60, |seen| !seen.is_served());
        stage.figures.note("local application dead", traffic.since(mark));
        assert_eq!(traffic.since(mark).served_by("west"), 0, "{}", traffic.since(mark));
    });
}

/// GM3010: whom a Sidecar leaves the host out for does not know it.
fn sidecar_hides(stage: &Stage) {
    let spot = Spot::of("east").expect("it is known");
    let spec = json!({
        "workloadSelector": { "labels": { "app": Role::Client.app() } },
        "egress": [{
            "port": { "number": PORT, "name": "http", "protocol": "HTTP" },
            "bind": Role::Client.ip(spot).to_string(), "captureMode": "NONE", "hosts": ["./reviews.bookinfo.svc.cluster.local"],
        }],
    });
    with_destination(stage, "east", QUICK, |traffic| {
        let api = stage.mesh.rig().cluster("east").api();
        let mut before = networking("Sidecar", &json!({}));
        before["metadata"]["name"] = Role::Client.app().into();
        api.delete(&path_of(&before).expect("it has a path")).expect("it is there");
        written(stage, "east", &networking("Sidecar", &spec));
        traffic.wait_until("the name is unknown", 20, |seen| seen.status == 502);
        stage.figures.note("behind such a Sidecar", traffic.more(20));
    });
    told(stage, &["GM3010", NAME], false);
}

/// GM3008: without mutual TLS no gateway passes a call on.
fn mutual_tls_off(stage: &Stage) {
    let spec = json!({ "selector": { "matchLabels": { "app": Role::Server.app() } }, "mtls": { "mode": "DISABLE" } });
    with_destination(stage, "east", QUICK, |traffic| {
        written(stage, "west", &security("PeerAuthentication", &spec));
        stage.settle();
        stage.mesh.fleet().backend("east").die();
        traffic.wait_until("west cannot take over", 60, |seen| !seen.is_served());
        stage.figures.note("local application dead, no mutual TLS in west", traffic.more(40));
    });
    told(stage, &["GM3008", NAME], true);
}

/// GM3009: a denial is an answer: it is delivered, and no other cluster is asked.
fn authorization_denies(stage: &Stage) {
    let spec = json!({ "selector": { "matchLabels": { "app": Role::Server.app() } } });
    with_destination(stage, "west", QUICK, |_| {
        written(stage, "west", &security("AuthorizationPolicy", &spec));
        stage.settle();
        // connections that are there keep the verdict of before
        let fresh = stage.mesh.fleet().traffic("west", HOST);
        fresh.wait_until("every call is denied", 40, |seen| seen.status == 403);
        stage.figures.note("nothing allowed in west, everything well in east", fresh.more(40));
    });
    told(stage, &["GM3009", NAME], false);
}

/// GM3014: the Gateway of a multi-network installation covers the Service too, also when its host names another namespace: Envoy
/// refuses the listener with both, and goes on with the one of before, until it restarts. With the facts read anew no Gateway of
/// ours is planned, and it is well again.
fn exposed_twice(stage: &Stage) {
    exposed_by(stage, "*.local");
}

fn exposed_twice_in_a_namespace(stage: &Stage) {
    exposed_by(stage, "elsewhere/*.local");
}

fn exposed_by(stage: &Stage, hosts: &str) {
    let gateway = passing(hosts);
    let world = stage.applied(&destination(&["east", "west"], QUICK));
    until_served(stage.mesh.fleet(), "north");
    stage.settle();
    let north = stage.mesh.fleet().traffic("north", HOST);
    let mark = north.mark();
    written(stage, "west", &gateway);
    let is_refused = is_so_by(Instant::now() + EVENTUALLY, || Ok(!stage.mesh.refusals().is_empty()));
    assert_eq!(is_refused, Ok(true), "if Envoy takes both, the finding is wrong: {hosts}");
    stage.figures.note("Envoy says", stage.mesh.refusals().join(" "));
    // discovery sees it, and leaves our Gateway out
    let plan = world.plan();
    assert!(plan.has_changes, "the Gateway in west should go");
    world.apply(&plan);
    stage.mesh.forget_refusals();
    stage.settle();
    north.more(100);
    stage.figures.note("clients of both gateways", north.since(mark));
    errors_at_most(&north.since(mark), 0, "while somebody exposes the Service too");
    assert!(north.all().served_by("west") > 0, "{}", north.all());
    world.assert_clean();
    drop(north);
    world.destroy();
    // whoever writes the facts by hand is told
    let by_hand = destination(&["east", "west"], QUICK).replace(
        "cluster.facts }",
        "merge(cluster.facts, { gateways = [for gateway in cluster.facts.gateways : merge(gateway, { exposed_hosts = [] })] }) }",
    );
    let world = World::empty(stage.rig);
    stage.configure(&world, &by_hand);
    world.plan_refused().error_with(&["GM3014", NAME, &format!("exposed_hosts = [\"{hosts}\"]")]);
}

/// GM2010: a Gateway for every host opens every Service of the cluster to all others, whatever the mesh exports.
fn open_gateway(stage: &Stage) {
    let gateway = passing("*");
    let chain = "outbound_.9080_._.productpage.bookinfo.svc.cluster.local";
    let proxy = stage.mesh.fleet().proxy("west/istio-eastwestgateway");
    let is_open = || Ok(proxy.page("/config_dump")?.lines().any(|line| line.trim() == format!("\"{chain}\"")));
    with_destination(stage, "east", QUICK, |_| {
        // the case before may have opened it, and istiod sees a moment later that the cluster is as it was
        let is_closed = is_so_by(Instant::now() + EVENTUALLY, || is_open().map(|is_open| !is_open));
        assert_eq!(is_closed, Ok(true), "what no destination names is closed");
    });
    written(stage, "west", &gateway);
    assert_eq!(is_so_by(Instant::now() + EVENTUALLY, is_open), Ok(true), "productpage should be open now");
    stage.figures.note("open to other clusters", chain);
    told(stage, &["GM2010", "cluster west"], false);
}

/// GM1018: the second try stays in the first cluster; only the third goes to another one.
fn one_retry(stage: &Stage) {
    let lines = format!("{QUICK}  retries = {{ attempts = 1 }}\n");
    let world = World::empty(stage.rig);
    stage.configure(&world, &destination(&["east", "west"], &lines));
    world.plan().diagnostics.warning_with(&["GM1018"]);
    with_destination(stage, "east", &lines, |traffic| {
        let mark = traffic.mark();
        stage.mesh.fleet().backend("east").die();
        until_by(traffic, "west");
        traffic.more(400);
        stage.figures.note("local application dead", traffic.since(mark));
        assert!(traffic.since(mark).errors() > 0, "if one retry is enough, the finding is wrong: {}", traffic.since(mark));
        stage.mesh.fleet().backend("east").revive().expect("its address is free");
    });
}

/// GM2015: below one endpoint nothing is ever ejected: what may not be repeated fails as long as the application is dead.
fn no_ejection(stage: &Stage) {
    let lines = "  outlier_detection = { base_ejection_time = \"3s\", interval = \"1s\", max_ejection_percent = 10 }\n";
    let world = World::empty(stage.rig);
    stage.configure(&world, &destination(&["east", "west"], lines));
    world.plan().diagnostics.warning_with(&["GM2015"]);
    with_destination(stage, "east", lines, |_| {
        stage.mesh.fleet().backend("east").die();
        let posts = stage.mesh.fleet().posts("east", HOST);
        posts.more(300);
        let calls = posts.all();
        stage.figures.note("posts, local application dead", &calls);
        assert!(calls.errors() > calls.0.len() / 4, "if they are served, the finding is wrong: {calls}");
        stage.mesh.fleet().backend("east").revive().expect("its address is free");
    });
}
