//! HTTPS to one server, as blocking calls that work inside and outside of async tests.
//!
//! One connection per request: a test that kills servers must not meet a connection of before.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;
use xtask::{Problem, Result};

/// A request to an API server gets this long, also one that hangs.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What the rig's own requests and proxies run on. Never dropped: a runtime may not end inside another one.
///
/// # Panics
/// When the system gives no threads.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("rig")
            .enable_all()
            .build()
            .expect("the system gives threads")
    })
}

/// Runs a future on the rig's runtime and waits for it; other than `block_on` it may be called inside another runtime.
///
/// # Panics
/// When the future does.
pub fn wait_for<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    runtime().spawn(async move {
        let _ = sender.send(future.await);
    });
    receiver.recv().expect("the future does not panic")
}

/// A server, whom it is believed from, and as whom it is asked.
#[derive(Clone)]
pub struct Peer {
    /// Where it listens.
    pub address: SocketAddr,
    /// Bearer token; none is sent when it is empty.
    pub token: String,
    tls: Arc<rustls::ClientConfig>,
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer").field("address", &self.address).finish_non_exhaustive()
    }
}

/// One answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body as it came.
    pub text: String,
    /// The header `Retry-After`.
    pub retry_after: Option<String>,
}

impl Answer {
    /// The body, `null` when it is no JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// Whether the status says that it was done.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The server's message, else the whole text.
    pub fn message(&self) -> String {
        self.json()["message"].as_str().map_or_else(|| self.text.clone(), str::to_owned)
    }
}

/// What is sent besides the path.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// HTTP method.
    pub method: &'static str,
    /// Path and query.
    pub path: String,
    /// Content type of the body; JSON when it is empty.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

impl Peer {
    /// A server that shows a certificate signed by this authority.
    ///
    /// # Errors
    /// When the authority is no certificate.
    pub fn new(address: SocketAddr, authority: &str, token: &str) -> Result<Self> {
        Ok(Self { address, token: token.to_owned(), tls: Arc::new(crate::pki::trust(authority, None)?) })
    }

    /// The same server, asked with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    /// The same server, asked with a client certificate instead of a token.
    ///
    /// # Errors
    /// When the authority is no certificate, or the identity is damaged.
    pub fn with_identity(&self, authority: &str, identity: &crate::pki::Identity) -> Result<Self> {
        let tls = Arc::new(crate::pki::trust(authority, Some(identity))?);
        Ok(Self { token: String::new(), tls, address: self.address })
    }

    /// Asked at another address, as the same, believed from the same.
    pub(crate) fn at(&self, address: SocketAddr) -> Self {
        Self { address, ..self.clone() }
    }

    /// Asks and waits, [`PATIENCE`] at most.
    ///
    /// # Errors
    /// When no whole answer came; every status is an answer.
    pub fn call(&self, call: Call) -> Result<Answer> {
        self.call_within(call, PATIENCE)
    }

    /// Asks and waits as long as given.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub fn call_within(&self, call: Call, patience: Duration) -> Result<Answer> {
        let peer = self.clone();
        let told = format!("{} https://{}{}", call.method, self.address, call.path);
        let answer = wait_for(async move {
            match tokio::time::timeout(patience, peer.exchange(call)).await {
                Ok(answer) => answer,
                Err(_) => Err(format!("no answer within {} s", patience.as_secs_f64())),
            }
        });
        answer.map_err(|error| Problem::new(format!("{told}: {error}")))
    }

    async fn exchange(&self, call: Call) -> std::result::Result<Answer, String> {
        let mut sender = self.connect().await?;
        let content_type = if call.content_type.is_empty() { "application/json" } else { call.content_type };
        let mut request = hyper::Request::builder()
            .method(call.method)
            .uri(&call.path)
            .header("host", self.address.to_string())
            .header("user-agent", "rig")
            .header("accept", "application/json")
            .header("content-type", content_type);
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        let request = request.body(Full::new(Bytes::from(call.body))).map_err(|error| error.to_string())?;
        let answer = sender.send_request(request).await.map_err(chain)?;
        let status = answer.status().as_u16();
        let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = answer.into_body().collect().await.map_err(chain)?.to_bytes();
        Ok(Answer { status, text: String::from_utf8_lossy(&body).into_owned(), retry_after })
    }

    /// A fresh connection.
    async fn connect<B>(&self) -> std::result::Result<hyper::client::conn::http1::SendRequest<B>, String>
    where
        B: hyper::body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        open(self.address, &self.tls).await
    }

    /// How connections to it are secured, for the proxy.
    pub(crate) fn tls(&self) -> Arc<rustls::ClientConfig> {
        Arc::clone(&self.tls)
    }
}

/// Connects, agrees on TLS and HTTP/1.1; the connection is driven in the background and ends with its sender.
pub(crate) async fn open<B>(
    address: SocketAddr,
    tls: &Arc<rustls::ClientConfig>,
) -> std::result::Result<hyper::client::conn::http1::SendRequest<B>, String>
where
    B: hyper::body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let stream = TcpStream::connect(address).await.map_err(chain)?;
    stream.set_nodelay(true).map_err(chain)?;
    let name = ServerName::IpAddress(address.ip().into());
    let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await.map_err(chain)?;
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(chain)?;
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(sender)
}

/// Posts JSON to a server that speaks without TLS: the store.
pub(crate) fn ask_in_plain(address: SocketAddr, path: &str, question: &Value) -> Result<Value> {
    let told = format!("POST http://{address}{path}");
    let request =
        hyper::Request::post(path).header("host", address.to_string()).body(Full::new(Bytes::from(question.to_string())));
    let exchange = async move {
        let stream = TcpStream::connect(address).await.map_err(chain)?;
        stream.set_nodelay(true).map_err(chain)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(chain)?;
        tokio::spawn(async move {
            let _ = connection.await;
        });
        let answer = sender.send_request(request.map_err(chain)?).await.map_err(chain)?;
        let is_success = answer.status().is_success();
        let body = answer.into_body().collect().await.map_err(chain)?.to_bytes();
        if is_success { serde_json::from_slice(&body).map_err(chain) } else { Err(String::from_utf8_lossy(&body).into_owned()) }
    };
    let answer = wait_for(async move { tokio::time::timeout(PATIENCE, exchange).await });
    let answer = answer.unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())));
    answer.map_err(|error| Problem::new(format!("{told}: {error}")))
}

/// An error with its causes.
fn chain(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
