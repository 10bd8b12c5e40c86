//! What a core relies on, one case each.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustix::process::Signal;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{SignatureScheme, SupportedProtocolVersion};
use serde_json::{Value, json};
use tf_proto::health::HealthCheckRequest;
use tf_proto::health::health_check_response::ServingStatus;
use tf_proto::health::health_client::HealthClient;
use tf_proto::plugin::Empty;
use tf_proto::plugin::grpc_broker_client::GrpcBrokerClient;
use tf_proto::plugin::grpc_controller_client::GrpcControllerClient;
use tf_proto::plugin::grpc_stdio_client::GrpcStdioClient;
use tf_proto::tfplugin6::{configure_provider, get_metadata, get_provider_schema, read_resource};
use tonic::Code;
use tonic::transport::Channel;

use crate::core::{ANY_VERSION, Handshake, Launch, Place, Plugin, provider};
use crate::identity::{Identity, Presents, pem};
use crate::plugin::{HANG, LOG, PANIC, SWITCH, WAIT};

macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        /// Every case by name.
        pub(crate) const ALL: &[(&str, fn())] = &[$((stringify!($name), $name)),*];
    };
}

cases![
    started_by_hand,
    started_by_a_core_of_protocol_5,
    started_with_an_unreadable_certificate,
    plain_text_without_a_client_certificate,
    mutual_tls_on_a_unix_socket,
    mutual_tls_on_tcp,
    mutual_tls_with_tls_1_2,
    mutual_tls_with_another_curve,
    peer_without_certificate_is_refused,
    peer_with_another_certificate_is_refused,
    peer_with_a_copied_certificate_is_refused,
    plain_text_peer_is_refused,
    housekeeping_services,
    messages_of_60_mib,
    shutdown_ends_streams_and_process,
    shutdown_does_not_wait_for_a_hanging_call,
    a_core_that_vanishes_is_followed,
    interrupt_is_left_to_the_core,
    termination_collects_running_calls,
    panic_is_announced_and_survived,
    log_lines_obey_the_level,
    stdin_is_never_read,
    debug_mode,
];

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(future)
}

async fn schema_is_served(channel: Channel) {
    let schema = provider(channel).get_provider_schema(get_provider_schema::Request {}).await.expect("a schema");
    assert!(schema.into_inner().provider.is_some());
}

async fn configure(channel: Channel, command: &str) -> Result<configure_provider::Response, tonic::Status> {
    let request = configure_provider::Request { terraform_version: command.to_owned(), ..Default::default() };
    provider(channel).configure_provider(request).await.map(tonic::Response::into_inner)
}

async fn shut_down(channel: Channel) {
    GrpcControllerClient::new(channel).shutdown(Empty {}).await.expect("an answer");
}

/// After an orderly end nothing is left, and stdout stayed silent.
fn left_cleanly(plugin: Plugin) -> Vec<String> {
    let left = plugin.leftovers();
    assert_eq!(left.status.code(), Some(0), "{:#?}", left.stderr);
    assert_eq!((left.stdout.as_str(), left.files), ("", 0));
    left.stderr
}

fn refused(launch: Launch) -> String {
    let left = launch.start().leftovers();
    assert_eq!(left.status.code(), Some(1));
    assert_eq!((left.stdout.as_str(), left.files), ("", 0));
    left.stderr.join("\n")
}

fn started_by_hand() {
    let text = refused(Launch::by_hand());
    assert!(text.contains("not started by hand") && text.contains("--debug"), "{text}");
    refused(Launch::by_core().with("TF_PLUGIN_MAGIC_COOKIE", "another"));
}

fn started_by_a_core_of_protocol_5() {
    let text = refused(Launch::by_core().with("PLUGIN_PROTOCOL_VERSIONS", "5"));
    assert!(text.contains("protocol 6") && text.contains("only: 5"), "{text}");
}

fn started_with_an_unreadable_certificate() {
    let text = refused(Launch::by_core().with("PLUGIN_CLIENT_CERT", "-----BEGIN"));
    assert!(text.contains("PLUGIN_CLIENT_CERT"), "{text}");
}

fn plain_text_without_a_client_certificate() {
    let mut plugin = Launch::by_core().start();
    let handshake = plugin.handshake();
    assert!(handshake.certificate.is_empty());
    block_on(async {
        let channel = handshake.place.plain().await.expect("connects");
        schema_is_served(channel.clone()).await;
        shut_down(channel).await;
    });
    left_cleanly(plugin);
}

fn presents(identity: &Identity) -> Option<Arc<dyn ResolvesClientCert>> {
    Some(Arc::new(Presents::new(identity)))
}

fn is_served(
    launch: Launch,
    certificate: &str,
    presents: Option<Arc<dyn ResolvesClientCert>>,
    versions: &[&'static SupportedProtocolVersion],
) -> Handshake {
    let mut plugin = launch.with("PLUGIN_CLIENT_CERT", certificate).start();
    let handshake = plugin.handshake();
    block_on(async {
        let channel = handshake.connect(presents, versions).await.expect("connects");
        schema_is_served(channel.clone()).await;
        shut_down(channel).await;
    });
    left_cleanly(plugin);
    handshake
}

fn mutual_tls_on_a_unix_socket() {
    let me = Identity::generate();
    let handshake = is_served(Launch::by_core(), &me.pem(), presents(&me), ANY_VERSION);
    assert!(matches!(handshake.place, Place::Unix(_)), "{:?}", handshake.place);
}

fn mutual_tls_on_tcp() {
    let me = Identity::generate();
    // a socket folder that is not there leaves TCP
    let launch = Launch::by_core()
        .with("PLUGIN_UNIX_SOCKET_DIR", "/dev/null/none")
        .with("PLUGIN_MIN_PORT", "10000")
        .with("PLUGIN_MAX_PORT", "25000");
    let handshake = is_served(launch, &me.pem(), presents(&me), ANY_VERSION);
    let Place::Tcp(address) = handshake.place else {
        panic!("{:?}", handshake.place);
    };
    let port = address.strip_prefix("127.0.0.1:").expect("the loopback address").parse::<u16>().expect("a port");
    assert!((10_000..=25_000).contains(&port));
}

fn mutual_tls_with_tls_1_2() {
    let me = Identity::generate();
    is_served(Launch::by_core(), &me.pem(), presents(&me), &[&rustls::version::TLS12]);
}

/// Presents what another TLS stack made.
#[derive(Debug)]
struct Ready(Arc<CertifiedKey>);

impl ResolvesClientCert for Ready {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn mutual_tls_with_another_curve() {
    let key = KeyPair::generate().expect("a P-256 key");
    let certificate = CertificateParams::new(["localhost".to_owned()]).and_then(|params| params.self_signed(&key));
    let certificate = certificate.expect("a certificate").der().clone();
    let signing = rustls::crypto::ring::sign::any_supported_type(&key.serialize_der().try_into().expect("PKCS#8"));
    let ready = Ready(Arc::new(CertifiedKey::new(vec![certificate.clone()], signing.expect("a signing key"))));
    is_served(Launch::by_core(), &pem(&certificate), Some(Arc::new(ready)), ANY_VERSION);
}

/// `intruder` is turned away with `reason` in the log, and the right client still served.
fn is_refused(reason: &str, intruder: impl AsyncFnOnce(&Handshake, &Identity) -> Result<Channel, tonic::transport::Error>) {
    let me = Identity::generate();
    let mut plugin = Launch::by_core().with("PLUGIN_CLIENT_CERT", &me.pem()).start();
    let handshake = plugin.handshake();
    block_on(async {
        // some clients learn of the refusal only when they use the connection
        if let Ok(channel) = intruder(&handshake, &me).await {
            let schema = provider(channel.clone()).get_provider_schema(get_provider_schema::Request {}).await;
            assert!(schema.is_err(), "the schema was served");
            let shutdown = GrpcControllerClient::new(channel).shutdown(Empty {}).await;
            assert!(shutdown.is_err(), "the process was shut down");
        }
        let log = plugin.log_until("refused a connection");
        assert!(log.last().is_some_and(|line| line.contains(reason)), "{log:#?}");

        let channel = handshake.connect(presents(&me), ANY_VERSION).await.expect("connects");
        schema_is_served(channel.clone()).await;
        shut_down(channel).await;
    });
    left_cleanly(plugin);
}

fn peer_without_certificate_is_refused() {
    is_refused("peer sent no certificates", async |handshake, _| handshake.connect(None, ANY_VERSION).await);
}

fn peer_with_another_certificate_is_refused() {
    is_refused("ApplicationVerificationFailure", async |handshake, _| {
        handshake.connect(presents(&Identity::generate()), ANY_VERSION).await
    });
}

fn peer_with_a_copied_certificate_is_refused() {
    is_refused("BadSignature", async |handshake, me| {
        let thief = Identity { certificate: me.certificate.clone(), ..Identity::generate() };
        handshake.connect(presents(&thief), ANY_VERSION).await
    });
}

fn plain_text_peer_is_refused() {
    is_refused("InvalidContentType", async |handshake, _| handshake.place.plain().await);
}

fn housekeeping_services() {
    let mut plugin = Launch::by_core().start();
    let handshake = plugin.handshake();
    block_on(async {
        let channel = handshake.place.plain().await.expect("connects");
        let mut health = HealthClient::new(channel.clone());
        let check = |service: &str| HealthCheckRequest { service: service.to_owned() };
        let well = health.check(check("plugin")).await.expect("known").into_inner();
        assert_eq!(well.status(), ServingStatus::Serving);
        let unknown = health.check(check("another")).await.expect_err("unknown");
        assert_eq!(unknown.code(), Code::NotFound);
        let unwritten = provider(channel.clone()).get_metadata(get_metadata::Request {}).await;
        assert_eq!(unwritten.expect_err("not written").code(), Code::Unimplemented);
        shut_down(channel).await;
    });
    left_cleanly(plugin);
}

fn messages_of_60_mib() {
    let me = Identity::generate();
    let mut plugin = Launch::by_core().with("PLUGIN_CLIENT_CERT", &me.pem()).start();
    let handshake = plugin.handshake();
    block_on(async {
        let channel = handshake.connect(presents(&me), ANY_VERSION).await.expect("connects");
        let private: Vec<u8> = (0..60_u32 << 20).map(|index| index.to_le_bytes()[1]).collect();
        let request = read_resource::Request { private: private.clone(), ..Default::default() };
        let answer = provider(channel.clone()).read_resource(request).await.expect("an answer");
        assert!(answer.into_inner().private == private);
        shut_down(channel).await;
    });
    left_cleanly(plugin);
}

fn shutdown_ends_streams_and_process() {
    let mut plugin = Launch::by_core().start();
    let handshake = plugin.handshake();
    block_on(async {
        let channel = handshake.place.plain().await.expect("connects");
        let stdio = GrpcStdioClient::new(channel.clone()).stream_stdio(Empty {}).await;
        let mut stdio = stdio.expect("open").into_inner();
        let outgoing = tokio_stream::pending();
        let broker = GrpcBrokerClient::new(channel.clone()).start_stream(outgoing).await;
        let mut broker = broker.expect("open").into_inner();
        shut_down(channel).await;
        assert_eq!(stdio.message().await.expect("an orderly end"), None);
        assert_eq!(broker.message().await.expect("an orderly end"), None);
    });
    left_cleanly(plugin);
}

fn shutdown_does_not_wait_for_a_hanging_call() {
    let mut plugin = Launch::by_core().start();
    let handshake = plugin.handshake();
    block_on(async {
        let channel = handshake.place.plain().await.expect("connects");
        let call = tokio::spawn(configure(channel.clone(), HANG));
        plugin.log_until("hanging");
        shut_down(channel).await;
        call.await.expect("no panic").expect_err("the call was given up");
    });
    left_cleanly(plugin);
}

fn a_core_that_vanishes_is_followed() {
    let me = Identity::generate();
    let mut plugin = Launch::by_core().with("PLUGIN_CLIENT_CERT", &me.pem()).start();
    let handshake = plugin.handshake();
    // the runtime and the connection end with the block
    block_on(async {
        let channel = handshake.connect(presents(&me), ANY_VERSION).await.expect("connects");
        schema_is_served(channel).await;
    });
    left_cleanly(plugin);
}

fn interrupt_is_left_to_the_core() {
    let mut plugin = Launch::by_core().with("TF_LOG_PROVIDER_GLOO", "debug").start();
    let handshake = plugin.handshake();
    plugin.signal(Signal::INT);
    plugin.log_until("interrupt left to the core");
    block_on(async {
        let channel = handshake.place.plain().await.expect("connects");
        schema_is_served(channel.clone()).await;
        shut_down(channel).await;
    });
    left_cleanly(plugin);
}

fn termination_collects_running_calls() {
    let mut plugin = Launch::by_core().start();
    let handshake = plugin.handshake();
    let answer = block_on(async {
        let channel = handshake.place.plain().await.expect("connects");
        let call = tokio::spawn(async move { configure(channel, WAIT).await });
        plugin.log_until("waiting");
        plugin.signal(Signal::TERM);
        call.await.expect("no panic").expect("an answer")
    });
    assert_eq!(answer.diagnostics[0].summary, "cut short");
    left_cleanly(plugin);
}

fn panic_is_announced_and_survived() {
    let mut plugin = Launch::by_core().start();
    let handshake = plugin.handshake();
    block_on(async {
        let channel = handshake.place.plain().await.expect("connects");
        configure(channel.clone(), PANIC).await.expect_err("a panic is no answer");
        let channel = handshake.place.plain().await.expect("connects");
        schema_is_served(channel.clone()).await;
        shut_down(channel).await;
    });
    let log = left_cleanly(plugin);
    assert_eq!(log[..3], ["panic: first line", "second line", ""]);
    assert!(log[3].contains("plugin.rs:"), "{}", log[3]);
}

fn log_lines_obey_the_level() {
    let mut plugin = Launch::by_core().with("TF_LOG", "trace").with("TF_LOG_PROVIDER", "WARN").start();
    let handshake = plugin.handshake();
    block_on(async {
        let channel = handshake.place.plain().await.expect("connects");
        configure(channel.clone(), LOG).await.expect("an answer");
        shut_down(channel).await;
    });
    let mut entries: Vec<Value> = left_cleanly(plugin)
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    for entry in &mut entries {
        let time = entry["@timestamp"].take();
        let form: String = time.as_str().expect("a string").chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(form, "0000-00-00T00:00:00.000000Z");
    }
    let entry = |level: &str, message: &str, extra: Option<(&str, Value)>| {
        let mut entry = json!({
            "@level": level,
            "@message": message,
            "@module": "transport::plugin",
            "@timestamp": null,
            "resource": "gloo_thing",
        });
        if let Some((name, value)) = extra {
            entry[name] = value;
        }
        entry
    };
    assert_eq!(entries, [entry("warn", "at warn", Some(("attempt", json!(2)))), entry("error", "at error", None)]);
}

fn stdin_is_never_read() {
    let (mut mine, mut input) = std::io::pipe().expect("a pipe");
    input.write_all(b"terraform's own input").expect("room in the pipe");
    drop(input);
    let mut plugin = Launch::by_core().stdin(mine.try_clone().expect("a copy")).start();
    let handshake = plugin.handshake();
    block_on(async {
        let channel = handshake.place.plain().await.expect("connects");
        schema_is_served(channel.clone()).await;
        shut_down(channel).await;
    });
    left_cleanly(plugin);
    let mut rest = String::new();
    mine.read_to_string(&mut rest).expect("readable");
    assert_eq!(rest, "terraform's own input");
}

fn debug_mode() {
    let mut plugin = Launch::by_hand().with(SWITCH, "debug").start();
    let (place, entry) = Place::of_reattach(&plugin.line(), "example/gloo");
    assert_eq!((&entry["Protocol"], &entry["ProtocolVersion"], &entry["Test"]), (&json!("grpc"), &json!(6), &json!(true)));
    block_on(async { schema_is_served(place.plain().await.expect("connects")).await });
    plugin.signal(Signal::INT);
    left_cleanly(plugin);
}
