//! `cargo bench -p mesh-translate`: what a big fleet costs the translator. Each row is a process of its own, so that its peak of
//! memory is its own too. The core plans resources side by side, so the destinations of a row are translated a second time, on all
//! cores.
//!
//! Every cluster calls every destination; three of them serve each one; a client knows three others at most.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use mesh_model::Leaf;
use mesh_model::facts::{Backend, BackendPort, ClusterFacts, GatewayAddress, GatewayFacts};
use mesh_model::intent::{
    Failover, LoadBalancer, OutlierDetection, Port, Protocol, Retries, ServicePort, VirtualDestination, VirtualMesh,
};
use mesh_model::names::{ClusterName, PortNumber};
use mesh_translate::translate;

/// Clusters, clusters that serve a destination, destinations.
const ROWS: [(usize, usize, usize); 5] = [(100, 3, 200), (1_000, 3, 200), (1_000, 1_000, 1), (10_000, 3, 200), (10_000, 3, 1)];

fn main() -> ExitCode {
    let arguments: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    if let [clusters, serving, destinations] = arguments[..] {
        row(clusters, serving, destinations);
        return ExitCode::SUCCESS;
    }
    println!(
        "| clusters | serving each | destinations | objects | one thread | peak memory | all cores |\n|---|---|---|---|---|---|---|"
    );
    for (clusters, serving, destinations) in ROWS {
        let numbers = [clusters, serving, destinations].map(|number| number.to_string());
        let ended = std::env::current_exe().and_then(|program| Command::new(program).args(numbers).status());
        if !ended.is_ok_and(|status| status.success()) {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn row(clusters: usize, serving: usize, destinations: usize) {
    let mut intent = intent(clusters, serving);
    let start = Instant::now();
    let objects: usize = (0..destinations).map(|number| translated(&mut intent, number)).sum();
    let (one, peak) = (start.elapsed().as_secs_f64(), peak());
    let all = on_all_cores(&intent, destinations).as_secs_f64();
    println!("| {clusters} | {serving} | {destinations} | {objects} | {one:.2} s | {peak} MB | {all:.2} s |");
}

/// Translates the destination of a number, and counts its objects.
fn translated(intent: &mut VirtualDestination, number: usize) -> usize {
    intent.hostname = name(&format!("service-{number}.mesh.internal"));
    translate(intent).objects.values().map(Vec::len).sum()
}

fn on_all_cores(intent: &VirtualDestination, destinations: usize) -> Duration {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let mut intents = vec![intent.clone(); cores];
    let start = Instant::now();
    std::thread::scope(|scope| {
        for (first, intent) in intents.iter_mut().enumerate() {
            scope.spawn(move || (first..destinations).step_by(cores).map(|number| translated(intent, number)).sum::<usize>());
        }
    });
    start.elapsed()
}

/// Peak of resident memory in MB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse::<u64>().ok()).unwrap_or_default() / 1024
}

fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a valid name")
}

fn port(number: i64) -> PortNumber {
    PortNumber::new(number).expect("a port")
}

fn cluster(index: usize) -> ClusterName {
    name(&format!("cluster-{index}"))
}

fn facts(index: usize) -> ClusterFacts {
    let [high, low] = [index / 250, index % 250].map(|part| u8::try_from(part + 1).expect("few clusters"));
    ClusterFacts {
        istio_version: name("1.30"),
        revision: name("default"),
        trust_domain: name("cluster.local"),
        cluster_domain: name("cluster.local"),
        root_namespace: name("istio-system"),
        network: Some(Leaf::Known(name(&format!("net-{index}")))),
        region: Some(Leaf::Known(name(&format!("region-{}", index % 20)))),
        dns_capture: Some(Leaf::Known(true)),
        gateways: vec![GatewayFacts {
            namespace: name("istio-system"),
            selector: GatewayFacts::default_selector(),
            address: GatewayAddress::Addresses(vec![Leaf::Known([203, 0, high, low].into())]),
            port: Leaf::Known(port(15443)),
            exposed_hosts: Vec::new(),
        }],
    }
}

fn intent(clusters: usize, serving: usize) -> VirtualDestination {
    let names: BTreeSet<ClusterName> = (0..clusters).map(cluster).collect();
    let backend = |index| Backend {
        cluster: cluster(index),
        namespace: name("shop"),
        service: name("cart"),
        ports: vec![BackendPort { number: port(9080), name: None, target_port: port(8080), protocol: None }],
        selector: BTreeMap::from([("app".to_owned(), "cart".to_owned())]),
        canonical_name: Leaf::Known(name("cart")),
        service_accounts: vec![Leaf::Known(name("cart"))],
        subsets: None,
    };
    VirtualDestination {
        mesh: VirtualMesh {
            name: name("prod"),
            hostname_suffix: name("mesh.internal"),
            clusters: (0..clusters).map(|index| (cluster(index), facts(index))).collect(),
            accepted_trust_domains: BTreeMap::new(),
        },
        namespace: name("shop"),
        name: name("cart"),
        hostname: name("cart.mesh.internal"),
        ports: vec![Port {
            number: port(9080),
            name: name("http-9080"),
            protocol: Protocol::Http,
            service_port: ServicePort::Number(port(9080)),
        }],
        backends: (0..serving).map(backend).collect(),
        subsets: BTreeMap::new(),
        clients: names,
        client_namespace: BTreeMap::new(),
        failover: Failover { most_targets: Some(3), ..Failover::default() },
        outlier_detection: OutlierDetection::default(),
        retries: Retries::default(),
        timeout: None,
        connect_timeout: Leaf::Known(Duration::from_secs(1)),
        tcp_keepalive: None,
        load_balancer: Leaf::Known(LoadBalancer::default()),
        export_to: vec![Leaf::Known("*".to_owned())],
        overlays: Vec::new(),
        ignored: BTreeMap::new(),
    }
}
