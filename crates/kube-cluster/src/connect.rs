//! From [`Access`] to a client of kube-rs, and to the credential that its requests carry.
//!
//! Contract: what a message says is ours: kube-rs quotes kubeconfig lines and plugin output in its errors. Credentials are
//! taken out of the client's configuration and kept here, where they can be renewed.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderValue, Uri};
use kube_client::config::{AuthInfo, KubeConfigOptions, Kubeconfig, KubeconfigError, LoadDataError};
use kube_client::{Client, Config};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::access::{Access, Auth, ExecPlugin, Host, KubeconfigSource, Pod};
use crate::exec;
use crate::proxy;

/// Files with tokens are read again after this time, as kubectl does.
const FILE_LIFE: Duration = Duration::from_secs(60);

/// Why there is no connection: what is the matter, the cause, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) what: String,
    pub(crate) why: String,
    pub(crate) fix: String,
}

impl Refusal {
    pub(crate) fn new(what: impl Into<String>, why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into(), fix: fix.into() }
    }
}

/// A client and the credential that its requests carry.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) client: Client,
    /// `Authorization`; `None`: by client certificate, or not at all
    pub(crate) bearer: Option<HeaderValue>,
    /// from when on the credential is to be renewed
    pub(crate) renew_at: Option<Instant>,
    /// whether renewing can give another credential
    pub(crate) is_renewable: bool,
    /// where requests go, for messages
    pub(crate) server: String,
    /// tells that two connections may share a client
    fingerprint: [u8; 32],
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("server", &self.server).finish_non_exhaustive()
    }
}

/// Where the credential comes from.
enum Source {
    Nothing,
    Token(String),
    File(PathBuf),
    Exec(ExecPlugin, Option<serde_json::Value>),
}

/// What authenticates, for now.
#[derive(Default)]
struct Credential {
    token: Option<String>,
    /// certificate and key in PEM
    identity: Option<(String, String)>,
    life: Option<Duration>,
}

/// Reads what is to be read, runs the credential plugin if there is one, and makes the client; sends nothing. A client of
/// `previous` that would be the same is kept, with its open connections.
pub(crate) async fn open(access: &Access, limit: Duration, previous: Option<&Connection>) -> Result<Connection, Refusal> {
    let (mut config, source, from_file) = match access {
        Access::Kubeconfig { source, context } => from_kubeconfig(source, context.as_deref()).await?,
        Access::Host(host) => from_host(host)?,
        Access::InCluster(pod) => in_cluster(pod)?,
    };
    let is_renewable = from_file || matches!(source, Source::File(_) | Source::Exec(..));
    let credential = match source {
        Source::Nothing => Credential::default(),
        Source::Token(token) => Credential { token: Some(token), ..Credential::default() },
        Source::File(path) => read_token(&path)?,
        Source::Exec(plugin, cluster) => {
            let answer = exec::run(&plugin, cluster, exec::LIMIT).await?;
            Credential { token: answer.token, identity: answer.identity, life: answer.life }
        }
    };
    if let Some((certificate, key)) = credential.identity {
        config.auth_info.client_certificate_data = Some(BASE64.encode(certificate));
        config.auth_info.client_key_data = Some(SecretString::from(BASE64.encode(key)));
    }
    let bearer = credential.token.map(|token| bearer(&token)).transpose()?;
    config.connect_timeout = Some(limit);
    // a request's own limit covers reading and writing
    config.read_timeout = None;
    config.write_timeout = None;
    config.default_retry = false;
    let server = shown(&config.cluster_url);
    let fingerprint = fingerprint(&config);
    let client = match previous.filter(|previous| previous.fingerprint == fingerprint) {
        Some(previous) => previous.client.clone(),
        None => Client::try_from(config).map_err(|error| unusable(&server, &error))?,
    };
    let renew_at = credential.life.map(|life| {
        // a minute before the end, but not at once where a credential lives for less than two; what a plugin gives with an
        // end in the past is used all the same for a while, because clocks differ
        Instant::now() + life.saturating_sub(Duration::from_secs(60)).max(life / 2).max(Duration::from_secs(10))
    });
    Ok(Connection { client, bearer, renew_at, is_renewable, server, fingerprint })
}

/// An address as messages show it: without a user and a password in front of the host.
fn shown(url: &Uri) -> String {
    let authority = url.authority().map_or("", |authority| authority.as_str());
    let host = authority.rsplit('@').next().unwrap_or(authority);
    url.to_string().replacen(authority, host, 1)
}

fn unusable(server: &str, error: &kube_client::Error) -> Refusal {
    let why = match error {
        kube_client::Error::InferKubeconfig(error) => cause(error),
        kube_client::Error::RustlsTls(error) => error.to_string(),
        kube_client::Error::ProxyProtocolUnsupported { .. } => "the scheme of the proxy is not supported".to_owned(),
        _ => "certificate, key or proxy cannot be used".to_owned(),
    };
    Refusal::new(
        format!("the connection to {server} cannot be prepared"),
        format!("{why}."),
        "Check `ca_certificate`, `client_certificate`, `client_key` (PEM) and `proxy_url` (http, https or socks5) of the cluster.",
    )
}

fn bearer(token: &str) -> Result<HeaderValue, Refusal> {
    let value = HeaderValue::try_from(format!("Bearer {}", token.trim()));
    let mut value = value.map_err(|_| {
        Refusal::new(
            "the token cannot be sent",
            "It has characters that no HTTP header may have.",
            "Check where the token comes from: a file with more than the token in it, or base64 that is not decoded.",
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn read_token(path: &Path) -> Result<Credential, Refusal> {
    let token = std::fs::read_to_string(path).map_err(|error| {
        Refusal::new(
            format!("the token file {} cannot be read", path.display()),
            format!("{error}."),
            "Check `token_file` of the cluster, and that the file may be read.",
        )
    })?;
    Ok(Credential { token: Some(token), identity: None, life: Some(FILE_LIFE * 2) })
}

async fn from_kubeconfig(source: &KubeconfigSource, context: Option<&str>) -> Result<(Config, Source, bool), Refusal> {
    let (kubeconfig, from_file) = match source {
        KubeconfigSource::Inline(text) => {
            (Kubeconfig::from_yaml(text.expose()).map_err(|error| unreadable("it", &error))?, false)
        }
        KubeconfigSource::Files(paths) => {
            let mut merged = Kubeconfig::default();
            for path in paths {
                let next = Kubeconfig::read_from(path).map_err(|error| unreadable(&path.display().to_string(), &error))?;
                merged = merged.merge(next).map_err(|error| unreadable(&path.display().to_string(), &error))?;
            }
            (merged, true)
        }
    };
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    let own_proxy = own_proxy(&kubeconfig, context);
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| unreadable("it", &error))?;
    // kube-rs asks NO_PROXY about the proxy instead of the cluster
    config.proxy_url = match own_proxy {
        Some(url) => Some(proxy::parse(&url)?),
        None => proxy::of_environment(&config.cluster_url)?,
    };
    let source = take_source(&mut config.auth_info)?;
    Ok((config, source, from_file))
}

/// `proxy-url` of the cluster of the context.
fn own_proxy(kubeconfig: &Kubeconfig, context: Option<&str>) -> Option<String> {
    let context = context.or(kubeconfig.current_context.as_deref())?;
    let context = kubeconfig.contexts.iter().find(|named| named.name == context)?.context.as_ref()?;
    let cluster = kubeconfig.clusters.iter().find(|named| named.name == context.cluster)?.cluster.as_ref()?;
    cluster.proxy_url.clone().filter(|url| !url.is_empty())
}

/// Takes out of a user of a kubeconfig what is renewed here.
fn take_source(user: &mut AuthInfo) -> Result<Source, Refusal> {
    if let Some(provider) = user.auth_provider.take() {
        return Err(Refusal::new(
            format!("the kubeconfig authenticates by the auth-provider {:?}", provider.name),
            "Kubernetes has replaced auth-providers by credential plugins, and kubectl does not know them any more.",
            "Let the tool that wrote the kubeconfig write it anew, with `exec`.",
        ));
    }
    let (token, file, exec) = (user.token.take(), user.token_file.take(), user.exec.take());
    if let Some(token) = token.filter(|token| !token.expose_secret().is_empty()) {
        return Ok(Source::Token(token.expose_secret().to_owned()));
    }
    if let Some(file) = file.filter(|file| !file.is_empty()) {
        return Ok(Source::File(PathBuf::from(file)));
    }
    let Some(exec) = exec else { return Ok(Source::Nothing) };
    if exec.interactive_mode == Some(kube_client::config::ExecInteractiveMode::Always) {
        return Err(Refusal::new(
            "the kubeconfig's credential plugin wants to ask a person (`interactiveMode: Always`)",
            "A provider has no terminal.",
            "Use a credential that needs nobody: a service account's token, or a plugin for machines.",
        ));
    }
    let env = exec.env.unwrap_or_default();
    let env = env.iter().filter_map(|entry| Some((entry.get("name")?.clone(), entry.get("value")?.clone()))).collect();
    let cluster = exec.cluster.as_ref().and_then(|cluster| serde_json::to_value(cluster).ok());
    let plugin = ExecPlugin {
        api_version: exec.api_version.unwrap_or_else(|| exec::API_VERSION.to_owned()),
        command: exec.command.unwrap_or_default(),
        args: exec.args.unwrap_or_default(),
        env,
    };
    Ok(Source::Exec(plugin, cluster))
}

fn from_host(host: &Host) -> Result<(Config, Source, bool), Refusal> {
    let url = host.url.parse::<Uri>().ok().filter(|url| url.authority().is_some() && url.scheme().is_some());
    let url = url.ok_or_else(|| {
        Refusal::new(
            format!("{:?} is no address of an API server", host.url),
            "It needs a scheme and a host.",
            "Write it as:\n\n  host = \"https://203.0.113.10:6443\"",
        )
    })?;
    let mut config = Config::new(url);
    config.root_cert = host.ca_certificate.as_deref().map(certificates).transpose()?;
    config.accept_invalid_certs = host.insecure;
    config.tls_server_name = host.tls_server_name.clone();
    config.proxy_url = match &host.proxy_url {
        Some(url) => Some(proxy::parse(url.expose())?),
        None => proxy::of_environment(&config.cluster_url)?,
    };
    let source = match &host.auth {
        Auth::None => Source::Nothing,
        Auth::Token(token) => Source::Token(token.expose().to_owned()),
        Auth::TokenFile(path) => Source::File(path.clone()),
        Auth::Exec(plugin) => Source::Exec(plugin.clone(), None),
        Auth::Certificate { certificate, key } => {
            config.auth_info.client_certificate_data = Some(BASE64.encode(certificate));
            config.auth_info.client_key_data = Some(SecretString::from(BASE64.encode(key.expose())));
            Source::Nothing
        }
    };
    Ok((config, source, false))
}

fn in_cluster(pod: &Pod) -> Result<(Config, Source, bool), Refusal> {
    let refuse = |why: String| {
        Refusal::new(
            "the provider does not run in a pod of the cluster",
            why,
            "Use `in_cluster` only where the CLI runs in a pod; otherwise write `host` and `auth`, or `kubeconfig`.",
        )
    };
    let host = pod.host.as_deref().ok_or_else(|| refuse("KUBERNETES_SERVICE_HOST is not set.".to_owned()))?;
    let port = pod.port.as_deref().ok_or_else(|| refuse("KUBERNETES_SERVICE_PORT is not set.".to_owned()))?;
    let host = if host.parse::<std::net::Ipv6Addr>().is_ok() { format!("[{host}]") } else { host.to_owned() };
    let url = format!("https://{host}:{port}").parse::<Uri>();
    let url = url.map_err(|_| refuse(format!("KUBERNETES_SERVICE_HOST and _PORT are {host:?} and {port:?}.")))?;
    let authority = pod.account.join("ca.crt");
    let pem = std::fs::read_to_string(&authority);
    let pem = pem.map_err(|error| refuse(format!("{} cannot be read: {error}.", authority.display())))?;
    let mut config = Config::new(url);
    let trusted = certificates(&pem).map_err(|_| refuse(format!("{} holds no certificate.", authority.display())))?;
    config.root_cert = Some(trusted);
    config.proxy_url = proxy::of_environment(&config.cluster_url)?;
    Ok((config, Source::File(pod.account.join("token")), true))
}

/// The certificates of a PEM text, in DER.
fn certificates(pem: &str) -> Result<Vec<Vec<u8>>, Refusal> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found.into_iter().map(|certificate| certificate.to_vec()).collect()),
        _ => Err(Refusal::new(
            "`ca_certificate` holds no certificate",
            "It takes PEM text: lines from BEGIN CERTIFICATE to END CERTIFICATE.",
            "Cloud modules often give base64 of it: write `ca_certificate = base64decode(module.cluster.ca)`.",
        )),
    }
}

fn unreadable(path: &str, error: &KubeconfigError) -> Refusal {
    Refusal::new(
        if path == "it" { "the kubeconfig cannot be used".to_owned() } else { format!("the kubeconfig {path} cannot be used") },
        format!("{}.", cause(error)),
        "Check `kubeconfig` of the cluster: `kubectl --kubeconfig … config view` shows what it has.",
    )
}

/// Why a kubeconfig is no good, without a byte of it but names.
fn cause(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::CurrentContextNotSet => "it has no current context, and none is named".to_owned(),
        KubeconfigError::LoadContext(name) => format!("it has no context {name:?}"),
        KubeconfigError::LoadClusterOfContext(name) => format!("it has no cluster {name:?}, which the context names"),
        KubeconfigError::ReadConfig(error, path) => format!("{} cannot be read: {error}", path.display()),
        KubeconfigError::MissingClusterUrl => "its cluster has no `server`".to_owned(),
        KubeconfigError::ParseClusterUrl(_) => "`server` of its cluster is no URL".to_owned(),
        KubeconfigError::LoadCertificateAuthority(error) => format!("certificate-authority: {}", data(error)),
        KubeconfigError::LoadClientCertificate(error) => format!("client-certificate: {}", data(error)),
        KubeconfigError::LoadClientKey(error) => format!("client-key: {}", data(error)),
        KubeconfigError::ParseCertificates(_) => "its certificate-authority is no PEM".to_owned(),
        // its text quotes lines
        KubeconfigError::Parse(_) => "it is no YAML of a kubeconfig".to_owned(),
        _ => "it cannot be understood".to_owned(),
    }
}

fn data(error: &LoadDataError) -> String {
    match error {
        LoadDataError::ReadFile(error, path) => format!("{} cannot be read: {error}", path.display()),
        LoadDataError::DecodeBase64(_) => "no base64".to_owned(),
        LoadDataError::NoBase64DataOrFile => "neither data nor a file".to_owned(),
    }
}

/// A digest of all that shapes the client.
fn fingerprint(config: &Config) -> [u8; 32] {
    let user = &config.auth_info;
    let secret = |secret: &Option<SecretString>| secret.as_ref().map(|secret| secret.expose_secret().to_owned());
    let text = format!(
        "{} {:?} {:?} {} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        config.cluster_url,
        config.root_cert,
        config.root_cert_file,
        config.accept_invalid_certs,
        config.proxy_url,
        config.tls_server_name,
        user.username,
        secret(&user.password),
        user.client_certificate,
        user.client_certificate_data,
        user.client_key,
        secret(&user.client_key_data),
        user.impersonate,
        user.impersonate_groups,
    );
    let mut hash = Sha256::new_with_prefix(text);
    // files are read when the client is made
    for path in [&user.client_certificate, &user.client_key].into_iter().flatten() {
        hash.update(std::fs::read(path).unwrap_or_default());
    }
    hash.finalize().into()
}
