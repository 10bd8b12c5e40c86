//! The core's side: starts the provider, reads its line, connects, reads its log.

use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hyper_util::rt::TokioIo;
use rustix::process::{Pid, Signal, kill_process};
use rustls::client::ResolvesClientCert;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use serde_json::Value;
use tempfile::TempDir;
use tf_proto::tfplugin6::provider_client::ProviderClient;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};

use crate::plugin::{self, SWITCH};

const COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/// Guards against a hanging suite; no case depends on its length.
const PATIENCE: Duration = Duration::from_secs(60);

/// Environment of a provider about to be started.
pub(crate) struct Launch {
    variables: Vec<(String, String)>,
    stdin: Stdio,
    scratch: TempDir,
}

impl Launch {
    /// As a core does it, without TLS.
    pub(crate) fn by_core() -> Self {
        Self::by_hand().with("TF_PLUGIN_MAGIC_COOKIE", COOKIE).with("PLUGIN_PROTOCOL_VERSIONS", "5,6")
    }

    /// Without anything that a core sets.
    pub(crate) fn by_hand() -> Self {
        let scratch = tempfile::tempdir().expect("a scratch folder");
        let folder = scratch.path().to_str().expect("UTF-8").to_owned();
        let launch = Self { variables: Vec::new(), stdin: Stdio::null(), scratch };
        launch.with(SWITCH, "plugin").with("TMPDIR", &folder)
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.stdin = stdin.into();
        self
    }

    pub(crate) fn start(self) -> Plugin {
        let mut child = Command::new(plugin::program())
            .env_clear()
            .envs(self.variables)
            .stdin(self.stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        let (send, log) = mpsc::channel();
        thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        Plugin { child, stdout, log, scratch: self.scratch }
    }
}

/// A started provider.
pub(crate) struct Plugin {
    pub(crate) child: Child,
    stdout: BufReader<ChildStdout>,
    log: mpsc::Receiver<String>,
    scratch: TempDir,
}

/// What a provider left behind.
pub(crate) struct Leftovers {
    pub(crate) status: ExitStatus,
    /// Unread part of stdout.
    pub(crate) stdout: String,
    /// Unread lines of stderr.
    pub(crate) stderr: Vec<String>,
    /// Entries of its temporary folder.
    pub(crate) files: usize,
}

impl Plugin {
    /// The first line on stdout.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("readable");
        line.strip_suffix('\n').expect("a whole line").to_owned()
    }

    /// The handshake line, taken apart.
    pub(crate) fn handshake(&mut self) -> Handshake {
        let line = self.line();
        let parts: Vec<&str> = line.split('|').collect();
        let ["1", "6", network, address, "grpc", certificate] = parts.as_slice() else {
            panic!("not a handshake: {line}");
        };
        Handshake {
            place: Place::of(network, address),
            certificate: STANDARD_NO_PAD.decode(certificate).expect("unpadded base64"),
        }
    }

    /// Reads log lines up to and including the first that contains `part`.
    pub(crate) fn log_until(&self, part: &str) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            match self.log.recv_timeout(PATIENCE) {
                Ok(line) => seen.push(line),
                Err(error) => panic!("no log line with {part:?} ({error}) but: {seen:#?}"),
            }
            if seen.last().is_some_and(|line| line.contains(part)) {
                return seen;
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, signal).expect("still running");
    }

    /// Waits for the end of the process.
    pub(crate) fn leftovers(mut self) -> Leftovers {
        let (send, ended) = mpsc::channel();
        let killer = self.child.id();
        thread::spawn(move || {
            let mut stdout = String::new();
            let rest = self.stdout.read_to_string(&mut stdout);
            let status = self.child.wait().expect("a child");
            rest.expect("UTF-8");
            let stderr = self.log.iter().collect();
            let files = std::fs::read_dir(self.scratch.path()).expect("readable").count();
            send.send(Leftovers { status, stdout, stderr, files })
        });
        ended.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("process {killer} does not leave"))
    }
}

/// Where a provider listens.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Unix(PathBuf),
    Tcp(String),
}

impl Place {
    pub(crate) fn of(network: &str, address: &str) -> Self {
        match network {
            "unix" => Self::Unix(address.into()),
            "tcp" => Self::Tcp(address.to_owned()),
            other => panic!("no core knows the network {other}"),
        }
    }

    /// Of a line that sets `TF_REATTACH_PROVIDERS`.
    pub(crate) fn of_reattach(line: &str, source: &str) -> (Self, Value) {
        let value = line
            .strip_prefix("export TF_REATTACH_PROVIDERS='")
            .and_then(|rest| rest.strip_suffix('\''))
            .unwrap_or_else(|| panic!("not an export: {line}"));
        let providers: Value = serde_json::from_str(value).expect("JSON");
        let entry = providers[source].clone();
        let text = |name: &str| entry["Addr"][name].as_str().expect("a string").to_owned();
        (Self::of(&text("Network"), &text("String")), entry)
    }

    async fn connect(&self) -> io::Result<Box<dyn Bytes>> {
        Ok(match self {
            Self::Unix(path) => Box::new(UnixStream::connect(path).await?),
            Self::Tcp(address) => Box::new(TcpStream::connect(address.as_str()).await?),
        })
    }

    /// A plain text connection.
    pub(crate) async fn plain(&self) -> Result<Channel, tonic::transport::Error> {
        self.channel(None).await
    }

    async fn channel(&self, tls: Option<TlsConnector>) -> Result<Channel, tonic::transport::Error> {
        let place = self.clone();
        let connector = tower::service_fn(move |_: Uri| {
            let (place, tls) = (place.clone(), tls.clone());
            async move {
                let stream = place.connect().await?;
                let stream: Box<dyn Bytes> = match tls {
                    None => stream,
                    Some(tls) => {
                        let name = ServerName::try_from("localhost").expect("a name");
                        Box::new(tls.connect(name, stream).await?)
                    }
                };
                io::Result::Ok(TokioIo::new(stream))
            }
        });
        Endpoint::from_static("http://localhost").connect_with_connector(connector).await
    }
}

pub(crate) trait Bytes: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Bytes for T {}

/// A parsed handshake line.
pub(crate) struct Handshake {
    pub(crate) place: Place,
    pub(crate) certificate: Vec<u8>,
}

/// TLS versions to offer.
pub(crate) const ANY_VERSION: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

impl Handshake {
    /// Connects as a core does, trusting nothing but the announced certificate.
    /// `presents` is the client's side of mutual TLS.
    pub(crate) async fn connect(
        &self,
        presents: Option<Arc<dyn ResolvesClientCert>>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<Channel, tonic::transport::Error> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.certificate.clone())).expect("a certificate");
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .expect("known versions")
            .with_root_certificates(roots);
        let mut config = match presents {
            Some(resolver) => builder.with_client_cert_resolver(resolver),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        self.place.channel(Some(TlsConnector::from(Arc::new(config)))).await
    }
}

/// The provider's calling side with a core's size limits.
pub(crate) fn provider(channel: Channel) -> ProviderClient<Channel> {
    ProviderClient::new(channel).max_decoding_message_size(usize::MAX).max_encoding_message_size(usize::MAX)
}
