//! How an API server is reached and as whom, as the provider block says it.
//!
//! Contract: opens nothing. Nothing here shows a secret when it is printed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// How a cluster is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// as a kubeconfig says
    Kubeconfig {
        /// where the kubeconfig is
        source: KubeconfigSource,
        /// which context; `None`: its current one
        context: Option<String>,
    },
    /// as the provider block says
    Host(Box<Host>),
    /// with the service account of the pod in which the provider runs
    InCluster(Pod),
}

/// What a pod knows of the API server of its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// variable `KUBERNETES_SERVICE_HOST`: a name or an address
    pub host: Option<String>,
    /// variable `KUBERNETES_SERVICE_PORT`
    pub port: Option<String>,
    /// folder with `token` and `ca.crt` of the service account
    pub account: PathBuf,
}

impl Pod {
    /// The pod that this environment belongs to. Where the files are mounted is fixed: no variable leads elsewhere.
    #[must_use]
    pub fn of_environment(environment: impl Fn(&str) -> Option<String>) -> Self {
        let variable = |name: &str| environment(name).filter(|text| !text.is_empty());
        Self {
            host: variable("KUBERNETES_SERVICE_HOST"),
            port: variable("KUBERNETES_SERVICE_PORT"),
            account: PathBuf::from("/var/run/secrets/kubernetes.io/serviceaccount"),
        }
    }
}

/// Where a kubeconfig is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KubeconfigSource {
    /// files; of what several have, the first counts, as for kubectl
    Files(Vec<PathBuf>),
    /// the text itself
    Inline(Secret),
}

/// An API server and how to authenticate there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// `https://host:port`, with a path where a gateway needs one
    pub url: String,
    /// PEM certificates that the server's must lead to; `None`: those of the system
    pub ca_certificate: Option<String>,
    /// name that the server's certificate must have, when not the host's
    pub tls_server_name: Option<String>,
    /// whether the server's certificate is not checked at all
    pub insecure: bool,
    /// `http://`, `https://` or `socks5://` proxy; `None`: as the environment says
    pub proxy_url: Option<Secret>,
    /// as whom
    pub auth: Auth,
}

/// How to authenticate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// not at all
    None,
    /// with a bearer token
    Token(Secret),
    /// with the bearer token that a file holds by now
    TokenFile(PathBuf),
    /// with a client certificate
    Certificate {
        /// PEM certificates, the client's first
        certificate: String,
        /// PEM private key
        key: Secret,
    },
    /// with what a credential plugin prints, as kubectl calls them
    Exec(ExecPlugin),
}

/// A credential plugin.
#[derive(Clone, PartialEq, Eq)]
pub struct ExecPlugin {
    /// `client.authentication.k8s.io/v1` or `…/v1beta1`
    pub api_version: String,
    /// program
    pub command: String,
    /// its arguments
    pub args: Vec<String>,
    /// environment variables that it gets besides those of the provider
    pub env: BTreeMap<String, String>,
}

impl fmt::Debug for ExecPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // arguments and environment may hold secrets
        f.debug_struct("ExecPlugin").field("command", &self.command).finish_non_exhaustive()
    }
}
