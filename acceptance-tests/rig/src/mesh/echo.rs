//! A backend that names itself and does as it is told.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::HeaderValue;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use xtask::{Problem, Result};

use crate::http::{runtime, wait_for};
use crate::mesh::layout::Speech;
use crate::mesh::tls;

/// The header in which a backend names itself.
pub const SERVED_BY: &str = "x-served-by";

/// The header in which a backend says whom it was called by, as its sidecar saw it.
pub const CALLED_BY: &str = "x-called-by";

/// The header in which it says what it was called.
pub const CALLED_AS: &str = "x-called-as";

/// How a backend behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mood {
    /// It answers 200.
    #[default]
    Well,
    /// It answers this status.
    Fails(u16),
    /// It answers 200 after this time.
    Slow(Duration),
}

/// A backend. It ends when it is dropped.
#[derive(Debug)]
pub struct Echo {
    name: String,
    address: SocketAddr,
    speech: Speech,
    mood: Arc<Mutex<Mood>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Echo {
    /// Starts one of this name.
    ///
    /// # Errors
    /// When the address is taken.
    pub fn start(name: &str, address: SocketAddr, speech: Speech) -> Result<Self> {
        let echo = Self { name: name.to_owned(), address, speech, mood: Arc::default(), task: Mutex::new(None) };
        echo.revive()?;
        Ok(echo)
    }

    /// From the next request on.
    pub fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }

    /// It dies: its connections end, new ones are refused.
    pub fn die(&self) {
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
            // the port is free when the task is gone
            let _ = wait_for(task);
        }
    }

    /// It lives, if it was dead, and is well.
    ///
    /// # Errors
    /// When its address was taken meanwhile.
    pub fn revive(&self) -> Result<()> {
        self.is(Mood::Well);
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.is_none() {
            let address = self.address;
            let listener = wait_for(async move { TcpListener::bind(address).await });
            let listener = listener.map_err(|error| Problem::new(format!("cannot listen on {address}: {error}")))?;
            *task = Some(runtime().spawn(serve(listener, self.speech, self.name.clone(), Arc::clone(&self.mood))));
        }
        Ok(())
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.die();
    }
}

async fn serve(listener: TcpListener, speech: Speech, name: String, mood: Arc<Mutex<Mood>>) {
    // they end with this task
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let (name, mood) = (name.clone(), Arc::clone(&mood));
        connections.spawn(async move {
            let mood = move || *mood.lock().unwrap_or_else(PoisonError::into_inner);
            match speech {
                Speech::Http => {
                    let service = service_fn(move |request| answer(name.clone(), mood(), request));
                    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                }
                Speech::Grpc => {
                    let service = service_fn(move |request| answer_grpc(name.clone(), mood(), request));
                    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                }
                Speech::Tcp => say(stream, &name).await,
                Speech::Tls => {
                    if let Ok(stream) = tls::server().accept(stream).await {
                        say(stream, &name).await;
                    }
                }
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn say(mut stream: impl AsyncWrite + Unpin, name: &str) {
    let _ = stream.write_all(name.as_bytes()).await;
    let _ = stream.shutdown().await;
}

type Answer<B> = std::result::Result<Response<B>, Infallible>;

/// The same as over HTTP/1.1, and what became of the call behind it.
async fn answer_grpc(
    name: String,
    mood: Mood,
    request: Request<Incoming>,
) -> Answer<impl Body<Data = Bytes, Error = Infallible>> {
    let answer = answer(name, mood, request).await?;
    let status = if answer.status() == 200 { "0" } else { "13" };
    let trailers = hyper::HeaderMap::from_iter([("grpc-status".parse().expect("a header"), HeaderValue::from_static(status))]);
    let (mut head, body) = answer.into_parts();
    head.status = hyper::StatusCode::OK;
    head.headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    Ok(Response::from_parts(head, body.with_trailers(async move { Some(Ok(trailers)) })))
}

async fn answer(name: String, mood: Mood, request: Request<Incoming>) -> Answer<Full<Bytes>> {
    let status = match mood {
        Mood::Well => 200,
        Mood::Fails(status) => status,
        Mood::Slow(time) => {
            tokio::time::sleep(time).await;
            200
        }
    };
    let [peer, host] = ["x-forwarded-client-cert", "host"].map(|header| request.headers().get(header).cloned());
    let mut response = Response::new(Full::new(Bytes::from(format!("{name} {}\n", request.uri()))));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(value) = name.parse() {
        response.headers_mut().insert(SERVED_BY, value);
    }
    for (header, value) in [(CALLED_BY, peer), (CALLED_AS, host)] {
        if let Some(value) = value {
            response.headers_mut().insert(header, value);
        }
    }
    Ok(response)
}
