//! Credential plugins: programs that print a token or a client certificate.
//!
//! Contract: bounded in time, killed when nobody waits; what the plugin prints is never in a message, and of what it
//! complains about only words, no long runs of characters that may be a secret.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::access::ExecPlugin;
use crate::connect::Refusal;

/// The version of the interface, unless told otherwise.
pub(crate) const API_VERSION: &str = "client.authentication.k8s.io/v1";
/// How long a plugin may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// What a plugin gave.
pub(crate) struct Answer {
    pub(crate) token: Option<String>,
    /// certificate and key in PEM
    pub(crate) identity: Option<(String, String)>,
    /// how long it holds; `None`: not known
    pub(crate) life: Option<Duration>,
}

/// Runs the plugin.
pub(crate) async fn run(plugin: &ExecPlugin, cluster: Option<Value>, limit: Duration) -> Result<Answer, Refusal> {
    let refuse = |why: String| {
        Refusal::new(
            format!("the credential plugin {} gave no credential", plugin.command),
            why,
            format!(
                "Run it by hand: `{}` with its arguments must print an ExecCredential without asking anything.",
                plugin.command
            ),
        )
    };
    let mut spec = json!({"interactive": false});
    if let Some(cluster) = cluster {
        spec["cluster"] = cluster;
    }
    let info = json!({"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec});
    let mut command = Command::new(&plugin.command);
    command.args(&plugin.args).envs(&plugin.env).env("KUBERNETES_EXEC_INFO", info.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let output = match tokio::time::timeout(limit, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(refuse(format!("It cannot be run: {error}."))),
        Err(_) => return Err(refuse(format!("It did not end within {} s and was stopped.", limit.as_secs()))),
    };
    if !output.status.success() {
        let said = harmless(&String::from_utf8_lossy(&output.stderr));
        let said = if said.is_empty() { String::new() } else { format!(" It said: {said}") };
        return Err(refuse(format!("It ended with {}.{said}", output.status)));
    }
    let answer: Value = serde_json::from_slice(&output.stdout).map_err(|_| refuse("What it printed is no JSON.".to_owned()))?;
    let text = |name: &str| answer.pointer(&format!("/status/{name}")).and_then(Value::as_str).map(str::to_owned);
    let identity = text("clientCertificateData").zip(text("clientKeyData"));
    let token = text("token");
    if token.is_none() && identity.is_none() {
        return Err(refuse("What it printed has neither `status.token` nor a client certificate.".to_owned()));
    }
    let life = match text("expirationTimestamp") {
        None => None,
        Some(end) => {
            let end: jiff::Timestamp = end.parse().map_err(|_| refuse("`expirationTimestamp` is no time.".to_owned()))?;
            // a credential that has ended already is tried once: clocks differ
            Some(Duration::try_from(end.duration_since(jiff::Timestamp::now())).unwrap_or_default())
        }
    };
    Ok(Answer { token, identity, life })
}

/// The last words of a text, with every long run of characters that are not words left out.
fn harmless(text: &str) -> String {
    let words = text.split_whitespace().map(|word| {
        let is_plain = word.len() <= 24 && !word.contains('=');
        if is_plain { word.chars().filter(|c| !c.is_control()).collect() } else { "…".to_owned() }
    });
    let words: Vec<String> = words.collect();
    words[words.len().saturating_sub(40)..].join(" ")
}
