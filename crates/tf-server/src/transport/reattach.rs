//! Debug mode: what a person needs to point a CLI at this process.

use serde_json::json;

use super::environment::PROTOCOL_VERSION;
use super::listen::Address;

/// A comment-free shell line that sets `TF_REATTACH_PROVIDERS`. `Test` keeps the CLI
/// from shutting this process down after its first command.
pub(super) fn instructions(source: &str, address: &Address) -> String {
    let value = json!({
        source: {
            "Protocol": "grpc",
            "ProtocolVersion": PROTOCOL_VERSION,
            "Pid": std::process::id(),
            "Test": true,
            "Addr": { "Network": address.network(), "String": address.to_string() },
        }
    });
    // paths in single quotes: a quote inside closes, escapes itself, and opens again
    let quoted = value.to_string().replace('\'', r"'\''");
    format!("export TF_REATTACH_PROVIDERS='{quoted}'")
}
