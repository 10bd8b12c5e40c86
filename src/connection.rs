//! How the clusters of the provider block are reached.
//!
//! Contract: opens nothing; an entry of which a part is unknown is an unknown cluster; every entry says exactly one way. What
//! an entry leaves out, environment variables of its own supply; what it says always wins.

use std::collections::BTreeMap;
use std::path::{Path as FilePath, PathBuf};

use kube_cluster::{Access, Auth, ExecPlugin, Host, KubeconfigSource, Pod, Secret};
use mesh_model::names::{ClusterName, Namespace};
use tf_value::schema::{Attribute, Kind};
use tf_value::{Diagnostics, Reader, Tf, Type};

/// How a cluster is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Connection {
    /// a folder
    Directory(PathBuf),
    /// an API server
    Kubernetes {
        /// how it is reached, and as whom
        access: Access,
        /// where objects are looked for; `None`: everywhere
        namespaces: Option<Vec<Namespace>>,
    },
    /// not known yet
    Unknown,
}

/// The attributes of one entry of `clusters`.
pub(crate) fn attributes() -> Vec<Attribute> {
    let exec = vec![
        Attribute::optional("command", Type::String, "Program: `aws`, `gke-gcloud-auth-plugin`, `kubelogin`."),
        Attribute::optional("args", Type::list(Type::String), "Its arguments."),
        Attribute::optional("env", Type::map(Type::String), "Environment variables that it gets besides those of the provider.")
            .sensitive(),
        Attribute::optional(
            "api_version",
            Type::String,
            "`client.authentication.k8s.io/v1` (default) or `client.authentication.k8s.io/v1beta1`.",
        ),
    ];
    let auth = vec![
        Attribute::optional("token", Type::String, "Bearer token. Default: environment variable `GLOO_CLUSTER_<NAME>_TOKEN`.")
            .sensitive(),
        Attribute::optional("token_file", Type::String, "File that holds a bearer token; read again every minute."),
        Attribute::optional("client_certificate", Type::String, "PEM certificate of the client; needs `client_key`."),
        Attribute::optional("client_key", Type::String, "PEM private key of `client_certificate`.").sensitive(),
        Attribute::optional(
            "exec",
            Kind::single(exec),
            "A credential plugin, as in a kubeconfig. It is asked again before what it gave ends, and when that is refused.",
        ),
        Attribute::optional(
            "in_cluster",
            Type::Bool,
            "`true`: the service account of the pod in which the CLI runs; without `host`.",
        ),
    ];
    vec![
        Attribute::optional(
            "directory",
            Type::String,
            "A folder that stands for the cluster, relative to the working directory: `inventory/` holds what `kubectl get -o yaml` prints, `manifests/` is what the provider writes. Default: environment variable `GLOO_CLUSTER_<NAME>_DIRECTORY`, name in upper case and `_` for `-`.",
        ),
        Attribute::optional(
            "kubeconfig",
            Kind::single(vec![
                Attribute::optional(
                    "path",
                    Type::String,
                    "File. Default: environment variables `GLOO_CLUSTER_<NAME>_KUBECONFIG` and `KUBECONFIG`, then `~/.kube/config`.",
                ),
                Attribute::optional("context", Type::String, "Context in it. Default: its current context."),
                Attribute::optional("inline", Type::String, "The kubeconfig itself, as YAML, instead of `path`.").sensitive(),
            ]),
            "An API server as a kubeconfig describes it.",
        ),
        Attribute::optional(
            "host",
            Type::String,
            "Address of an API server: `https://203.0.113.10:6443`. Default: environment variable `GLOO_CLUSTER_<NAME>_HOST`.",
        ),
        Attribute::optional(
            "ca_certificate",
            Type::String,
            "PEM certificates to which the server's certificate must lead. Default: those of the system.",
        ),
        Attribute::optional(
            "tls_server_name",
            Type::String,
            "Name that the server's certificate must have, when not the host's.",
        ),
        Attribute::optional(
            "insecure",
            Type::Bool,
            "`true`: the server's certificate is not checked. Never for anything that matters.",
        ),
        Attribute::optional(
            "proxy_url",
            Type::String,
            "`http://`, `https://` or `socks5://` proxy; user and password in it are for the first two. The certificate of an `https://` proxy is checked as the server's is, with `ca_certificate`. Default: the environment variables `HTTPS_PROXY` and `NO_PROXY`.",
        )
        .sensitive(),
        Attribute::optional(
            "namespaces",
            Type::set(Type::String),
            "Namespaces in which objects are looked for and written, where the identity may not list the whole cluster; nothing outside of them is asked. Default: all.",
        ),
        Attribute::optional(
            "auth",
            Kind::single(auth),
            "As whom: one of `token`, `token_file`, `client_certificate` with `client_key`, `exec`, `in_cluster`.",
        ),
    ]
}

type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Decodes `clusters`; `None`: the map is not known yet.
pub(crate) fn decode(
    clusters: &Reader<'_>,
    environment: Environment<'_>,
    d: &mut Diagnostics,
) -> Option<BTreeMap<ClusterName, Connection>> {
    let entries = match clusters.entries() {
        Tf::Unknown => return None,
        Tf::Null => return Some(BTreeMap::new()),
        Tf::Known(entries) => entries,
    };
    let mut decoded = BTreeMap::new();
    let mut places: BTreeMap<String, &str> = BTreeMap::new();
    for (key, entry) in entries {
        let name: ClusterName = match key.parse() {
            Ok(name) => name,
            Err(error) => {
                d.error(
                    &entry.path,
                    "Invalid cluster name",
                    format!("{error}.\n\nThe name is part of object names and of the keys of `manifests`. Rename the key in `clusters`."),
                );
                continue;
            }
        };
        let Some(connection) = decode_entry(&name, &entry, environment, d) else { continue };
        if let Some((place, kind)) = place(&connection)
            && let Some(other) = places.insert(place.clone(), key)
        {
            let (summary, detail) = if kind == "directory" {
                (
                    "Two clusters share a directory",
                    format!(
                        "Clusters {other} and {name} both write to the directory {place}.\n\nEach would overwrite and delete the other's objects. Give every cluster a folder of its own."
                    ),
                )
            } else {
                (
                    "Two names for one cluster",
                    format!(
                        "Clusters {other} and {name} are both reached by {place}.\n\nEach would overwrite and delete the other's objects. Name every cluster once."
                    ),
                )
            };
            d.error(&entry.path, summary, detail);
        }
        decoded.insert(name, connection);
    }
    Some(decoded)
}

/// What two clusters must not share, as far as it can be told without asking.
fn place(connection: &Connection) -> Option<(String, &'static str)> {
    match connection {
        Connection::Directory(path) => Some((target(path).display().to_string(), "directory")),
        Connection::Kubernetes { access: Access::Host(host), .. } => Some((host.url.trim_end_matches('/').to_owned(), "host")),
        Connection::Kubernetes { access: Access::Kubeconfig { source: KubeconfigSource::Files(files), context }, .. } => {
            let context = context.as_ref().map_or("its current context".to_owned(), |context| format!("context {context:?}"));
            let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
            Some((format!("{context} of {}", files.join(" and ")), "kubeconfig"))
        }
        Connection::Kubernetes { access: Access::InCluster(_), .. } => Some(("`in_cluster`".to_owned(), "in_cluster")),
        Connection::Kubernetes { .. } | Connection::Unknown => None,
    }
}

/// Where objects are written, through links and `..`; as it is spelled while the folder is not there.
fn target(folder: &FilePath) -> PathBuf {
    let manifests = folder.join("manifests");
    let real = std::fs::canonicalize(&manifests).or_else(|_| std::fs::canonicalize(folder).map(|real| real.join("manifests")));
    real.unwrap_or_else(|_| std::path::absolute(&manifests).unwrap_or(manifests))
}

fn decode_entry(name: &ClusterName, entry: &Reader<'_>, environment: Environment<'_>, d: &mut Diagnostics) -> Option<Connection> {
    if has_unknown(entry) {
        return Some(Connection::Unknown);
    }
    let own = |what: &str| environment(&variable(name, what)).filter(|text| !text.is_empty());
    let directory = entry.attribute("directory");
    let (kubeconfig, host, auth) = (entry.attribute("kubeconfig"), entry.attribute("host"), entry.attribute("auth"));
    let in_cluster = auth.attribute("in_cluster").bool() == Tf::Known(true);
    let is_set = |reader: &Reader<'_>| !reader.value.is_null();
    let ways = [
        ("directory", is_set(&directory)),
        ("kubeconfig", is_set(&kubeconfig)),
        ("host", is_set(&host)),
        ("auth.in_cluster", in_cluster),
    ];
    let ways: Vec<&str> = ways.iter().filter(|(_, is_set)| *is_set).map(|(way, _)| *way).collect();
    if ways.len() > 1 {
        d.error(
            &entry.path,
            "Cluster with two connections",
            format!("Cluster {name} has {}.\n\nA cluster is reached in one way. Keep one of them.", ways.join(" and ")),
        );
        return None;
    }
    // `host` comes first from the environment when something that belongs to it is written
    let belongs_to_host = ["ca_certificate", "tls_server_name", "insecure", "proxy_url", "auth"];
    let belonging: Vec<&str> = belongs_to_host.into_iter().filter(|part| is_set(&entry.attribute(part))).collect();
    let namespaces = decode_namespaces(&entry.attribute("namespaces"), d);
    let kubernetes = |access| Connection::Kubernetes { access, namespaces: namespaces.clone() };
    match ways.first().copied() {
        Some(way @ ("directory" | "kubeconfig")) if !belonging.is_empty() => {
            d.error(
                &entry.path,
                "Arguments of another connection",
                format!("Cluster {name} has {way} and also {}, which belong to `host`.\n\nRemove them: a kubeconfig says the same itself, a folder needs none of it.", belonging.join(", ")),
            );
            None
        }
        Some("directory") => match directory.string() {
            Tf::Known(path) if !path.is_empty() => Some(Connection::Directory(PathBuf::from(path))),
            _ => {
                d.error(
                    &directory.path,
                    "Invalid directory",
                    format!("The directory of cluster {name} is empty.\n\nWrite the cluster's folder:\n\n  {name} = {{ directory = \"clusters/{name}\" }}"),
                );
                None
            }
        },
        Some("kubeconfig") => decode_kubeconfig(name, &kubeconfig, environment, d).map(kubernetes),
        Some("auth.in_cluster") => Some(kubernetes(Access::InCluster(Pod::of_environment(environment)))),
        Some(_) => decode_host(name, entry, host.string(), environment, d).map(kubernetes),
        None => {
            if let Some(path) = own("DIRECTORY").filter(|_| belonging.is_empty()) {
                return Some(Connection::Directory(PathBuf::from(path)));
            }
            if let Some(files) = own("KUBECONFIG").filter(|_| belonging.is_empty()) {
                let source = KubeconfigSource::Files(std::env::split_paths(&files).collect());
                return Some(kubernetes(Access::Kubeconfig { source, context: own("CONTEXT") }));
            }
            if let Some(url) = own("HOST") {
                return decode_host(name, entry, Tf::Known(&url), environment, d).map(kubernetes);
            }
            d.error(
                &entry.path,
                "Cluster without a connection",
                format!(
                    "Cluster {name} has none of the attributes that connect it: `directory`, `kubeconfig`, `host`, `auth.in_cluster`. Members with other names are dropped before the provider sees them.\n\nWrite one of them, or set the environment variable {}, {} or {}:\n\n  {name} = {{ directory = \"clusters/{name}\" }}\n  {name} = {{ kubeconfig = {{ path = \"~/.kube/config\", context = \"{name}\" }} }}",
                    variable(name, "DIRECTORY"),
                    variable(name, "KUBECONFIG"),
                    variable(name, "HOST")
                ),
            );
            None
        }
    }
}

fn decode_kubeconfig(
    name: &ClusterName,
    kubeconfig: &Reader<'_>,
    environment: Environment<'_>,
    d: &mut Diagnostics,
) -> Option<Access> {
    let text = |attribute: &str| match kubeconfig.attribute(attribute).string() {
        Tf::Known(text) => Some(text.to_owned()),
        _ => None,
    };
    let (path, context, inline) = (text("path"), text("context"), text("inline"));
    if path.is_none() && context.is_none() && inline.is_none() {
        d.error(
            &kubeconfig.path,
            "Object without a known member",
            format!("Every member of `{}` is null. Members with other names are dropped before the provider sees them.\n\nIt has: path, context, inline. Set one of them.", kubeconfig.path),
        );
        return None;
    }
    if path.is_some() && inline.is_some() {
        d.error(
            &kubeconfig.path,
            "Two kubeconfigs",
            format!("Cluster {name} has `path` and `inline`.\n\nIts kubeconfig is a file or a text. Keep one of them."),
        );
        return None;
    }
    let variable = |name: &str| environment(name).filter(|text| !text.is_empty());
    let source = match (inline, path) {
        (Some(text), _) => KubeconfigSource::Inline(Secret::new(text)),
        (None, Some(path)) => KubeconfigSource::Files(vec![at_home(&path, environment)]),
        (None, None) => {
            let files = variable(&self::variable(name, "KUBECONFIG")).or_else(|| variable("KUBECONFIG"));
            KubeconfigSource::Files(match files {
                Some(files) => std::env::split_paths(&files).collect(),
                None => vec![at_home("~/.kube/config", environment)],
            })
        }
    };
    Some(Access::Kubeconfig { source, context })
}

fn decode_host(
    name: &ClusterName,
    entry: &Reader<'_>,
    url: Tf<&str>,
    environment: Environment<'_>,
    d: &mut Diagnostics,
) -> Option<Access> {
    let text = |attribute: &str| match entry.attribute(attribute).string() {
        Tf::Known(text) => Some(text.to_owned()),
        _ => None,
    };
    let Tf::Known(url) = url else { return None };
    if url.contains('@') {
        // not quoted: it holds a password
        d.error(
            &entry.attribute("host").path,
            "Credential in `host`",
            format!("`host` of cluster {name} has a user in front of `@`.\n\nNothing sends it to the API server, and addresses are shown in messages.\n\nWrite who you are in `auth`:\n\n  host = \"https://203.0.113.10:6443\"\n  auth = {{ token = var.token }}"),
        );
        return None;
    }
    if !(url.starts_with("https://") || url.starts_with("http://")) || url.len() < 9 || url.contains(char::is_whitespace) {
        d.error(
            &entry.attribute("host").path,
            "Invalid host",
            format!("{url:?} is no address of an API server: it needs a scheme and a host.\n\nWrite it as:\n\n  host = \"https://203.0.113.10:6443\""),
        );
        return None;
    }
    let insecure = entry.attribute("insecure").bool() == Tf::Known(true);
    let ca_certificate =
        text("ca_certificate").or_else(|| environment(&variable(name, "CA_CERTIFICATE")).filter(|pem| !pem.is_empty()));
    if insecure && ca_certificate.is_some() {
        d.error(
            &entry.path,
            "Conflicting arguments",
            format!(
                "Cluster {name} has `insecure` and `ca_certificate`: the one says not to look at the other.\n\nRemove `insecure`."
            ),
        );
    }
    let auth = decode_auth(name, &entry.attribute("auth"), environment, d)?;
    Some(Access::Host(Box::new(Host {
        url: url.to_owned(),
        ca_certificate,
        tls_server_name: text("tls_server_name"),
        insecure,
        proxy_url: text("proxy_url").map(Secret::new),
        auth,
    })))
}

fn decode_auth(name: &ClusterName, auth: &Reader<'_>, environment: Environment<'_>, d: &mut Diagnostics) -> Option<Auth> {
    let text = |attribute: &str| match auth.attribute(attribute).string() {
        Tf::Known(text) => Some(text.to_owned()),
        _ => None,
    };
    let exec = auth.attribute("exec");
    let (certificate, key) = (text("client_certificate"), text("client_key"));
    let set: Vec<&str> = [
        ("token", text("token").is_some()),
        ("token_file", text("token_file").is_some()),
        ("client_certificate", certificate.is_some() || key.is_some()),
        ("exec", !exec.value.is_null()),
    ]
    .into_iter()
    .filter(|(_, is_set)| *is_set)
    .map(|(way, _)| way)
    .collect();
    if set.len() > 1 {
        d.error(
            &auth.path,
            "Two ways to authenticate",
            format!("Cluster {name} has {}.\n\nOnly one of them would be used. Keep that one.", set.join(" and ")),
        );
        return None;
    }
    match set.first().copied() {
        Some("token") => text("token").map(|token| Auth::Token(Secret::new(token))),
        Some("token_file") => text("token_file").map(|path| Auth::TokenFile(at_home(&path, environment))),
        Some("client_certificate") => match (certificate, key) {
            (Some(certificate), Some(key)) => Some(Auth::Certificate { certificate, key: Secret::new(key) }),
            _ => {
                d.error(
                    &auth.path,
                    "Certificate without key",
                    format!("Cluster {name} has one of `client_certificate` and `client_key`.\n\nA client authenticates with both. Write the other one too."),
                );
                None
            }
        },
        Some(_) => decode_exec(name, &exec, d),
        None if !auth.value.is_null() => {
            d.error(
                &auth.path,
                "Object without a known member",
                format!("No member of `{}` says how to authenticate. Members with other names are dropped before the provider sees them.\n\nIt has: token, token_file, client_certificate and client_key, exec, in_cluster. Set one of them or remove the argument.", auth.path),
            );
            None
        }
        None => Some(match environment(&variable(name, "TOKEN")).filter(|token| !token.is_empty()) {
            Some(token) => Auth::Token(Secret::new(token)),
            None => Auth::None,
        }),
    }
}

fn decode_exec(name: &ClusterName, exec: &Reader<'_>, d: &mut Diagnostics) -> Option<Auth> {
    let text = |reader: &Reader<'_>| match reader.string() {
        Tf::Known(text) => Some(text.to_owned()),
        _ => None,
    };
    let Some(command) = text(&exec.attribute("command")).filter(|command| !command.is_empty()) else {
        d.error(
            &exec.path,
            "Plugin without a command",
            format!("The credential plugin of cluster {name} has no `command`.\n\nWrite the program:\n\n  exec = {{ command = \"aws\", args = [\"eks\", \"get-token\", \"--cluster-name\", \"{name}\"] }}"),
        );
        return None;
    };
    let args = match exec.attribute("args").elements() {
        Tf::Known(elements) => elements.iter().filter_map(text).collect(),
        _ => Vec::new(),
    };
    let env = match exec.attribute("env").entries() {
        Tf::Known(entries) => entries.iter().filter_map(|(key, value)| Some(((*key).to_owned(), text(value)?))).collect(),
        _ => BTreeMap::new(),
    };
    let api_version = text(&exec.attribute("api_version")).unwrap_or_else(|| "client.authentication.k8s.io/v1".to_owned());
    if !["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"].contains(&api_version.as_str()) {
        d.error(
            &exec.attribute("api_version").path,
            "Invalid value",
            format!("{api_version:?} is no version of the interface of credential plugins.\n\nIt takes `client.authentication.k8s.io/v1` or `client.authentication.k8s.io/v1beta1`."),
        );
    }
    Some(Auth::Exec(ExecPlugin { api_version, command, args, env }))
}

fn decode_namespaces(namespaces: &Reader<'_>, d: &mut Diagnostics) -> Option<Vec<Namespace>> {
    let Tf::Known(elements) = namespaces.elements() else { return None };
    let mut decoded = Vec::new();
    for element in elements {
        let Tf::Known(text) = element.string() else { continue };
        match text.parse() {
            Ok(namespace) => decoded.push(namespace),
            Err(error) => {
                let error: mesh_model::names::InvalidName = error;
                d.error(&element.path, "Invalid namespace", format!("{error}.\n\nIt takes names of namespaces."));
            }
        }
    }
    decoded.sort();
    if decoded.is_empty() {
        d.error(
            &namespaces.path,
            "Empty collection",
            "Nothing could be found in no namespace.\n\nName at least one, or leave `namespaces` out to look everywhere."
                .to_owned(),
        );
        return None;
    }
    Some(decoded)
}

/// Whether a part of an entry is not known yet.
fn has_unknown(entry: &Reader<'_>) -> bool {
    entry.value.is_unknown()
        || matches!(entry.entries(), Tf::Known(members) if members.iter().any(|(_, member)| has_unknown(member)))
        || matches!(entry.elements(), Tf::Known(elements) if elements.iter().any(has_unknown))
}

/// A path in which `~/` stands for the home folder.
fn at_home(path: &str, environment: Environment<'_>) -> PathBuf {
    match path.strip_prefix("~/").zip(environment("HOME")) {
        Some((rest, home)) => PathBuf::from(home).join(rest),
        None => PathBuf::from(path),
    }
}

/// An environment variable of a cluster.
fn variable(cluster: &ClusterName, what: &str) -> String {
    format!("GLOO_CLUSTER_{}_{what}", cluster.as_str().to_ascii_uppercase().replace('-', "_"))
}
