//! Many refreshes in one process, while controllers and people write what is no drift: none is reported, the state stays byte
//! for byte, and nothing grows.
//!
//! Every refresh is that of a run of its own: the provider is configured anew. The short form is a test; `cargo xt soak` asks
//! for the long one (`GLOO_SOAK_REFRESHES`), which measures memory too.

use std::sync::Arc;
use std::time::{Duration, Instant};

use istio_objects::ObjectKey;
use kube_apply::port::Cluster as _;
use kube_cluster::{Access, KubeCluster, KubeconfigSource, Limits};
use serde_json::{Value as Json, json};
use terraform_provider_gloo::Gloo;
use tf_server::testing::{Core, Instance};
use tokio::task::JoinSet;

use crate::support::{real_api_server, set};

const OBJECT: &str = "gloo_istio_object";
const NAMESPACE: &str = "bookinfo";
const CLUSTERS: [&str; 2] = ["east", "west"];

/// Resources that core reads at once.
const AT_ONCE: usize = 10;
/// Objects in each cluster that get noise during a refresh.
const NOISY: usize = 5;
/// By now everything that is kept for the life of the process is there.
const WARM: usize = 100;
/// How much more memory than by then is none: what an allocator keeps at hand, and the noise of its pages.
const SLACK: u64 = 8 << 20;

fn object(number: usize) -> Json {
    let name = format!("soak-{number}");
    json!({
        "clusters": CLUSTERS,
        "manifest": {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": { "name": name, "namespace": NAMESPACE },
            "spec": { "hosts": [name], "http": [
                { "name": "canary", "match": [{ "headers": { "end-user": { "exact": "jason" } } }], "timeout": "2s",
                  "route": [{ "destination": { "host": "reviews", "subset": "v2" }, "weight": 10 },
                            { "destination": { "host": "reviews", "subset": "v1" }, "weight": 90 }] },
                { "name": "rest", "retries": { "attempts": 3, "perTryTimeout": "1s" },
                  "route": [{ "destination": { "host": "reviews" } }] },
            ] },
        },
    })
}

fn key(number: usize) -> ObjectKey {
    format!("VirtualService/{NAMESPACE}/soak-{number}").parse().unwrap()
}

/// Does it for all, some at once; results in the order of the items.
async fn each<T: Send + 'static, R: Send + 'static, F: Future<Output = R> + Send + 'static>(
    items: Vec<T>,
    work: impl Fn(T) -> F,
) -> Vec<R> {
    let limit = Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    for (position, item) in items.into_iter().enumerate() {
        let (limit, work) = (Arc::clone(&limit), work(item));
        tasks.spawn(async move {
            let _permit = limit.acquire_owned().await.unwrap();
            (position, work.await)
        });
    }
    let mut results = tasks.join_all().await;
    results.sort_by_key(|(position, _)| *position);
    results.into_iter().map(|(_, result)| result).collect()
}

/// What istiod, a person and another tool write meanwhile.
async fn make_noise(clusters: Arc<Vec<KubeCluster>>, round: usize, objects: usize) {
    for number in (0..NOISY).map(|step| (round * NOISY + step) % objects) {
        for cluster in clusters.iter() {
            let condition = json!({ "type": "Reconciled", "status": "True", "message": format!("round {round}") });
            let status = json!({ "status": { "conditions": [condition], "observedGeneration": round } });
            cluster.merge(&key(number), Some("status"), &status, "pilot-discovery").await.unwrap();
            let (member, manager) = [("labels", "kubectl-label"), ("annotations", "argocd-controller")][round % 2];
            let metadata = json!({ "metadata": { member: { "example.com/round": round.to_string() } } });
            cluster.merge(&key(number), None, &metadata, manager).await.unwrap();
        }
    }
}

/// The memory of this process that is in use, in bytes; `None` where the system does not tell.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

#[expect(clippy::print_stderr, reason = "figures of the long form")]
fn tell(text: &str) {
    eprintln!("{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refreshes_among_noise_report_nothing_and_grow_by_nothing_on_real_api_servers() {
    let Some(file) = real_api_server("many refreshes among noise") else { return };
    let asked: Option<usize> = std::env::var("GLOO_SOAK_REFRESHES").ok().map(|text| text.parse().expect("a number"));
    let (refreshes, objects) = asked.map_or((30, 20), |refreshes| (refreshes, 200));
    let entry = |name: &str| json!({ "kubeconfig": { "path": file, "context": name } });
    let block = json!({ "owner": "test/soak", "clusters": { "east": entry("east"), "west": entry("west") } });
    let others = CLUSTERS.map(|name| {
        let source = KubeconfigSource::Files(vec![file.clone().into()]);
        let access = Access::Kubeconfig { source, context: Some(name.to_owned()) };
        let owner = "somebody/else".parse().unwrap();
        KubeCluster::new(name.parse().unwrap(), access, &owner, "noise", Limits::new(8, Duration::from_secs(30)))
    });
    let others = Arc::new(Vec::from(others));
    let core = Arc::new(Core::new(Arc::new(Gloo::new())).await);
    core.configure(block.clone()).await.unwrap();
    let create = |number| {
        let core = Arc::clone(&core);
        async move {
            core.converge(OBJECT, None, set(object(number), "/adopt", json!(true)))
                .await
                .unwrap_or_else(|failure| panic!("{failure}"))
        }
    };
    let begun = Instant::now();
    let created: Vec<Instance> = each((0..objects).collect(), create).await;
    tell(&format!("{objects} objects on 2 clusters planned and created, {AT_ONCE} at once: {:?}", begun.elapsed()));
    let refresh = |instance: Instance| {
        let core = Arc::clone(&core);
        async move { core.refresh(&instance).await.unwrap_or_else(|failure| panic!("{failure}")) }
    };

    let begun = Instant::now();
    let (mut warm, mut tasks) = (None, Vec::new());
    for round in 1..=refreshes {
        // a run of its own
        core.configure(block.clone()).await.unwrap();
        let noise = tokio::spawn(make_noise(Arc::clone(&others), round, objects));
        for (before, read) in created.iter().zip(each(created.clone(), refresh).await) {
            let read = read.expect("nothing is gone");
            assert_eq!(read.state["drift"], json!({}), "refresh {round}");
            assert!(read == *before, "refresh {round} changed the state: {} instead of {}", read.state, before.state);
        }
        noise.await.unwrap();
        tasks.push(tokio::runtime::Handle::current().metrics().num_alive_tasks());
        if round == WARM {
            warm = resident();
        }
        if round % WARM == 0 {
            tell(&format!(
                "{round} refreshes of {objects} objects on 2 clusters: {:?}, resident {:?} B",
                begun.elapsed(),
                resident()
            ));
        }
    }
    // connections of runs that are over are closed: as many as one run opens stay, whatever number came before
    let (first, last) = tasks.split_at(tasks.len() / 2);
    let most = |tasks: &[usize]| tasks.iter().copied().max().unwrap_or_default();
    assert!(most(last) <= most(first) + 40, "tasks stay behind: {tasks:?}");
    if let (Some(warm), Some(now)) = (warm.filter(|_| refreshes > WARM), resident()) {
        assert!(now <= warm + warm / 10 + SLACK, "memory grows: {warm} B after {WARM} refreshes, {now} B after {refreshes}");
    }

    // the noise was there, and what is no noise is seen
    let noisy = others[0].merge(&key(NOISY % objects), None, &json!({}), "nobody").await.unwrap();
    assert!(noisy["status"]["conditions"][0]["message"].is_string(), "{noisy}");
    let managers: Vec<&str> =
        noisy["metadata"]["managedFields"].as_array().unwrap().iter().map(|one| one["manager"].as_str().unwrap()).collect();
    assert!(managers.contains(&"pilot-discovery") && managers.len() >= 3, "{managers:?}");
    let edit = json!({ "spec": { "hosts": ["other"] } });
    others[1].merge(&key(3), None, &edit, "kubectl-edit").await.unwrap();
    core.configure(block.clone()).await.unwrap();
    let read = core.refresh(&created[3]).await.unwrap().unwrap();
    assert!(read.state["drift"]["west/VirtualService/bookinfo/soak-3"].to_string().contains("hosts"), "{}", read.state["drift"]);

    let mut created = created;
    created[3] = read;
    let destroy = |instance: Instance| {
        let core = Arc::clone(&core);
        async move { core.destroy(&instance).await.success() }
    };
    for gone in each(created, destroy).await {
        assert_eq!(gone.unwrap(), None);
    }
    assert!(others[0].get(&key(0)).await.unwrap().is_none());
}
