//! TLS that applications speak themselves, past every proxy.

use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use xtask::Result;

use crate::pki::{Authority, serve, trust};

/// The name in the certificate of every backend, and that clients ask for: the host by which they call.
pub const HOST: &str = "reviews-ports.mesh.internal";

/// Of a backend.
///
/// # Panics
/// When no key can be made.
pub fn server() -> TlsAcceptor {
    TlsAcceptor::from(Arc::clone(&pair().0))
}

/// Of a client, which believes backends only.
///
/// # Panics
/// When no key can be made.
pub fn client() -> TlsConnector {
    TlsConnector::from(Arc::clone(&pair().1))
}

fn pair() -> &'static (Arc<ServerConfig>, Arc<ClientConfig>) {
    static PAIR: OnceLock<(Arc<ServerConfig>, Arc<ClientConfig>)> = OnceLock::new();
    PAIR.get_or_init(|| made().expect("keys can be made"))
}

fn made() -> Result<(Arc<ServerConfig>, Arc<ClientConfig>)> {
    let authority = Authority::new()?;
    Ok((Arc::new(serve(&authority.host(HOST)?)?), Arc::new(trust(authority.certificate(), None)?)))
}
