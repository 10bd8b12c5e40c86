//! Kubeconfig files, as JSON, which is YAML.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use xtask::{Problem, Result};

use crate::pki::Identity;

/// How a context proves who it is.
#[derive(Debug, Clone)]
pub enum Credential {
    /// A bearer token.
    Token(String),
    /// A client certificate.
    Certificate(Identity),
}

/// One context, with a cluster and a user of the same name.
#[derive(Debug, Clone)]
pub struct Context {
    /// The name of all three.
    pub name: String,
    /// URL of the API server.
    pub server: String,
    /// Certificate of the authority that signed the server's, as PEM.
    pub authority: String,
    /// Who asks.
    pub credential: Credential,
}

/// The text of a kubeconfig with these contexts; the first one is current.
pub fn text(contexts: &[Context]) -> String {
    let encode = |pem: &str| BASE64_STANDARD.encode(pem);
    let users = contexts.iter().map(|context| {
        let user = match &context.credential {
            Credential::Token(token) => json!({ "token": token }),
            Credential::Certificate(identity) => json!({
                "client-certificate-data": encode(&identity.certificate), "client-key-data": encode(&identity.key)
            }),
        };
        json!({ "name": context.name, "user": user })
    });
    let clusters = contexts.iter().map(|context| {
        let cluster = json!({ "server": context.server, "certificate-authority-data": encode(&context.authority) });
        json!({ "name": context.name, "cluster": cluster })
    });
    let named = contexts
        .iter()
        .map(|context| json!({ "name": context.name, "context": { "cluster": context.name, "user": context.name } }));
    let file = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": contexts.first().map(|context| context.name.as_str()),
        "clusters": clusters.collect::<Vec<Value>>(),
        "users": users.collect::<Vec<Value>>(),
        "contexts": named.collect::<Vec<Value>>(),
    });
    format!("{file:#}\n")
}

/// Writes it; only its owner may read it.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, contexts: &[Context]) -> Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::File::options();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text(contexts).as_bytes())).map_err(Problem::file("write", path))
}
