//! Starts the provider as a core does, and looks at what that takes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use prost::Message as _;
use tf_proto::plugin::Empty;
use tf_proto::plugin::grpc_controller_client::GrpcControllerClient;
use tf_proto::tfplugin6::get_provider_schema;

use crate::core::{ANY_VERSION, Launch, provider};
use crate::identity::{Identity, Presents};

/// How often the provider is started.
const STARTS: usize = 21;

/// What one start has cost.
struct Start {
    /// from the start of the process to its line
    line: Duration,
    /// from there to a connection by mutual TLS
    connection: Duration,
    /// resident memory then, KiB
    memory: u64,
    /// the first GetProviderSchema
    schema: Duration,
    /// bytes of its answer
    bytes: usize,
    /// resident memory then, KiB
    memory_after: u64,
}

pub(crate) fn run() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let starts: Vec<Start> = (0..STARTS).map(|_| runtime.block_on(start())).collect();
    let time = |of: fn(&Start) -> Duration| format!("{:.1} ms", median(&starts, of).as_secs_f64() * 1000.0);
    let memory = |of: fn(&Start) -> u64| format!("{:.1} MB", median(&starts, of) as f64 / 1024.0);
    println!("| from the start of the process to its handshake line | {} |", time(|start| start.line));
    println!("| from there to a connection by mutual TLS | {} |", time(|start| start.connection));
    println!("| resident memory then | {} |", memory(|start| start.memory));
    println!("| the first GetProviderSchema | {} |", time(|start| start.schema));
    println!("| its answer | {} KB |", median(&starts, |start| start.bytes).div_ceil(1024));
    println!("| resident memory then | {} |", memory(|start| start.memory_after));
}

async fn start() -> Start {
    let me = Identity::generate();
    let launch = Launch::by_core().with("PLUGIN_CLIENT_CERT", &me.pem());
    let begun = Instant::now();
    let mut plugin = launch.start();
    let handshake = plugin.handshake();
    let line = begun.elapsed();
    let presents = Arc::new(Presents::new(&me));
    let channel = handshake.connect(Some(presents), ANY_VERSION).await.expect("connects");
    let connection = begun.elapsed() - line;
    let memory = resident(plugin.child.id());
    let asked = Instant::now();
    let answer = provider(channel.clone()).get_provider_schema(get_provider_schema::Request {}).await.expect("answers");
    let schema = asked.elapsed();
    let memory_after = resident(plugin.child.id());
    GrpcControllerClient::new(channel).shutdown(Empty {}).await.expect("shuts down");
    assert!(plugin.leftovers().status.success(), "the provider leaves");
    Start { line, connection, memory, schema, bytes: answer.into_inner().encoded_len(), memory_after }
}

fn median<T: Ord + Copy>(starts: &[Start], of: impl Fn(&Start) -> T) -> T {
    let mut figures: Vec<T> = starts.iter().map(of).collect();
    figures.sort();
    figures[figures.len() / 2]
}

/// `VmRSS`, KiB.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the provider runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has memory");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number of KiB")
}
