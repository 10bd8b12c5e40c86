//! The ways to an API server and the credentials on them: TLS in front of the fake, proxies on the way, time that passes.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kube_apply::Class;
use kube_apply::port::Cluster as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::fake::Fake;
use super::support::{PATIENT, Plugin, cluster_of, credential, host, key, with_auth};
use crate::{Access, Auth, Host, KubeCluster, Pod, Secret};

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn issuer() -> Issuer {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Certificate and key, in PEM.
fn issued(issuer: &Issuer, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, issuer).unwrap();
    (certificate.pem(), key.serialize_pem())
}

/// TLS for `api.test` and 127.0.0.1; asks for a client certificate when told to.
fn acceptor(issuer: &Issuer, asks: bool) -> tokio_rustls::TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let names = vec!["api.test".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let builder = rustls::ServerConfig::builder();
    let builder = if asks {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(issuer.der().clone()).unwrap();
        builder.with_client_cert_verifier(rustls::server::WebPkiClientVerifier::builder(roots.into()).build().unwrap())
    } else {
        builder.with_no_client_auth()
    };
    let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
    tokio_rustls::TlsAcceptor::from(Arc::new(config))
}

/// The port on which the fake is reached by TLS.
async fn secured(fake: &Fake, acceptor: tokio_rustls::TlsAcceptor) -> u16 {
    let address = fake.url.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, address) = (acceptor.clone(), address.clone());
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    join(stream, TcpStream::connect(address).await.unwrap()).await;
                }
            });
        }
    });
    port
}

async fn join(mut one: impl AsyncRead + AsyncWrite + Unpin, mut other: impl AsyncRead + AsyncWrite + Unpin) {
    let _ = tokio::io::copy_bidirectional(&mut one, &mut other).await;
}

fn trusted(url: &str, issuer: &Issuer, auth: Auth) -> Host {
    Host { ca_certificate: Some(issuer.pem()), ..host(url, auth) }
}

fn reached(host: Host) -> KubeCluster {
    cluster_of(Access::Host(Box::new(host)), PATIENT)
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_the_server_asks_for_it() {
    let (fake, issuer) = (Fake::start().await, issuer());
    let port = secured(&fake, acceptor(&issuer, true)).await;
    let url = format!("https://127.0.0.1:{port}");
    let (certificate, secret) = issued(&issuer, "client");
    let auth = Auth::Certificate { certificate: certificate.clone(), key: Secret::new(&secret) };
    assert_eq!(reached(trusted(&url, &issuer, auth)).get(&key("a")).await.unwrap(), None);
    assert_eq!(fake.requests().len(), 1);
    assert_eq!(fake.state().seen[0].authorization, "");

    // without one, and with one that does not belong to its key
    let other = Auth::Certificate { certificate, key: Secret::new(issued(&issuer, "other").1) };
    for auth in [Auth::None, other] {
        let error = reached(trusted(&url, &issuer, auth)).get(&key("a")).await.unwrap_err();
        assert_eq!(error.class, Class::Unreachable);
        let told = format!("{error:?}");
        assert!(!told.contains("PRIVATE") && told.contains("ertificate"), "{told}");
    }
    assert_eq!(fake.requests().len(), 1);
}

/// What came to a proxy: where to, and as whom.
type Passed = Arc<Mutex<Vec<(String, String)>>>;

/// A proxy that asks every name at 127.0.0.1; `serve` agrees on the target. Returns its port.
async fn proxy<F, S>(serve: F) -> (u16, Passed)
where
    F: Fn(TcpStream, Passed) -> S + Send + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let passed = Passed::default();
    let seen = Arc::clone(&passed);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&seen)));
        }
    });
    (port, passed)
}

/// An HTTP proxy: `CONNECT`.
async fn tunnel(mut stream: impl AsyncRead + AsyncWrite + Unpin, passed: Passed) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
        // not HTTP
        if head[0] != b'C' {
            return;
        }
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.strip_prefix("CONNECT ").unwrap().split(' ').next().unwrap().to_owned();
    let authorization = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().starts_with("proxy-authorization: ").then(|| line[21..].to_owned()));
    let authorization = authorization.unwrap_or_default();
    passed.lock().unwrap().push((target.clone(), authorization.clone()));
    if authorization == REFUSED {
        let _ = stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n").await;
        return;
    }
    let (_, port) = target.rsplit_once(':').unwrap();
    let server = TcpStream::connect(("127.0.0.1", port.parse().unwrap())).await.unwrap();
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
    join(stream, server).await;
}

/// `user:hunter3`
const REFUSED: &str = "Basic dXNlcjpodW50ZXIz";

/// A SOCKS proxy: RFC 1928, without authentication, by name or by address.
async fn socks(mut stream: TcpStream, passed: Passed) {
    let methods = {
        let mut head = [0; 2];
        stream.read_exact(&mut head).await.unwrap();
        head[1]
    };
    stream.read_exact(&mut vec![0; methods.into()]).await.unwrap();
    stream.write_all(&[5, 0]).await.unwrap();
    let mut head = [0; 4];
    stream.read_exact(&mut head).await.unwrap();
    let name = match head[3] {
        3 => {
            let mut name = vec![0; stream.read_u8().await.unwrap().into()];
            stream.read_exact(&mut name).await.unwrap();
            String::from_utf8(name).unwrap()
        }
        kind => format!("address of kind {kind}"),
    };
    let port = stream.read_u16().await.unwrap();
    passed.lock().unwrap().push((format!("{name}:{port}"), String::new()));
    let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 0]).await.unwrap();
    join(stream, server).await;
}

#[tokio::test]
async fn a_proxy_is_the_only_way_taken() {
    let (fake, issuer) = (Fake::start().await, issuer());
    let port = secured(&fake, acceptor(&issuer, false)).await;
    let over_tls = acceptor(&issuer, false);
    let (http, by_http) = proxy(tunnel).await;
    let (socks5, by_socks) = proxy(socks).await;
    let (https, by_https) = proxy(move |stream, passed| {
        let over_tls = over_tls.clone();
        async move {
            if let Ok(stream) = over_tls.accept(stream).await {
                tunnel(stream, passed).await;
            }
        }
    })
    .await;
    // nobody but the proxies knows the name
    let url = format!("https://api.test:{port}");
    for (proxy_url, passed, authorization) in [
        (format!("http://127.0.0.1:{http}"), &by_http, ""),
        (format!("http://user:hunter2@127.0.0.1:{http}"), &by_http, "Basic dXNlcjpodW50ZXIy"),
        (format!("https://user:hunter2@127.0.0.1:{https}"), &by_https, "Basic dXNlcjpodW50ZXIy"),
        (format!("socks5://127.0.0.1:{socks5}"), &by_socks, ""),
    ] {
        fake.state().seen.clear();
        passed.lock().unwrap().clear();
        let through = Host { proxy_url: Some(Secret::new(&proxy_url)), ..trusted(&url, &issuer, Auth::Token(Secret::new("t"))) };
        let cluster = reached(through);
        for _ in 0..3 {
            assert_eq!(cluster.get(&key("a")).await.unwrap(), None, "{proxy_url}");
        }
        assert_eq!(
            *passed.lock().unwrap(),
            [(format!("api.test:{port}"), authorization.to_owned())],
            "one connection, {proxy_url}"
        );
        assert_eq!(fake.requests().len(), 3);
    }
}

#[tokio::test]
async fn a_password_of_a_proxy_is_not_shown() {
    let issuer = issuer();
    let (port, passed) = proxy(tunnel).await;
    let nobody = { TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port() };
    for proxy_url in [
        // refused, nobody there, no such name, no TLS there
        format!("http://user:hunter3@127.0.0.1:{port}"),
        format!("http://user:hunter3@127.0.0.1:{nobody}"),
        "http://user:hunter3@proxy.invalid:3128".to_owned(),
        format!("https://user:hunter3@127.0.0.1:{port}"),
        format!("socks5://user:hunter3@127.0.0.1:{nobody}"),
    ] {
        let through = Host {
            proxy_url: Some(Secret::new(&proxy_url)),
            ..trusted("https://api.test:6443", &issuer, Auth::Token(Secret::new("hunter4")))
        };
        assert!(!format!("{through:?}").contains("hunter"));
        let error = reached(through).get(&key("a")).await.unwrap_err();
        assert_eq!(error.class, Class::Unreachable, "{proxy_url}");
        let told = format!("{error} {error:?} {:?}", error.finding());
        assert!(!told.contains("hunter") && !told.contains("dXNlcj"), "{proxy_url}: {told}");
        assert!(told.contains("api.test") && error.words.fix.contains("proxy"), "{told}");
    }
    assert_eq!(passed.lock().unwrap()[0].1, REFUSED);
}

/// The folder of a service account.
fn account(authority: &str, token: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.crt"), authority).unwrap();
    std::fs::write(folder.path().join("token"), token).unwrap();
    folder
}

fn pod(port: u16, account: &Path) -> Pod {
    Pod { host: Some("127.0.0.1".to_owned()), port: Some(port.to_string()), account: account.to_owned() }
}

#[tokio::test]
async fn in_a_pod_the_mounted_account_is_used() {
    let (fake, issuer) = (Fake::start().await, issuer());
    let port = secured(&fake, acceptor(&issuer, false)).await;
    let folder = account(&issuer.pem(), "first\n");
    fake.state().tokens = vec!["first".to_owned()];
    let cluster = cluster_of(Access::InCluster(pod(port, folder.path())), PATIENT);
    assert_eq!(cluster.get(&key("a")).await.unwrap(), None);
    // the kubelet writes another one
    std::fs::write(folder.path().join("token"), "second").unwrap();
    fake.state().tokens = vec!["second".to_owned()];
    assert_eq!(cluster.get(&key("a")).await.unwrap(), None);
    assert_eq!(fake.requests().len(), 3);

    let set = |name: &str| ["KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"].contains(&name).then(|| "::1".to_owned());
    let found = Pod::of_environment(set);
    assert_eq!((found.host.as_deref(), found.port.as_deref()), (Some("::1"), Some("::1")));
    assert_eq!(found.account, Path::new("/var/run/secrets/kubernetes.io/serviceaccount"));
    let missing = tempfile::tempdir().unwrap();
    let empty = account("", "x");
    for (pod, part) in [
        (Pod { host: None, ..pod(port, folder.path()) }, "KUBERNETES_SERVICE_HOST is not set"),
        (Pod { port: None, ..pod(port, folder.path()) }, "KUBERNETES_SERVICE_PORT is not set"),
        (Pod { host: Some("a b".to_owned()), ..pod(port, folder.path()) }, "\"a b\""),
        (pod(port, missing.path()), "ca.crt cannot be read"),
        (pod(port, empty.path()), "ca.crt holds no certificate"),
    ] {
        let error = cluster_of(Access::InCluster(pod), PATIENT).get(&key("a")).await.unwrap_err();
        assert!(error.words.why.contains(part) && error.words.fix.contains("in_cluster"), "{error:?}");
    }
    let v6 = Pod { host: Some("::1".to_owned()), ..pod(1, folder.path()) };
    let error = cluster_of(Access::InCluster(v6), PATIENT).get(&key("a")).await.unwrap_err();
    assert!(error.words.what.contains("https://[::1]:1"), "{error:?}");
}

/// So much later, as far as the provider can tell.
async fn later(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_token_file_is_read_again_before_anybody_refuses_its_token() {
    let fake = Fake::start().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "first").unwrap();
    let cluster = with_auth(&fake, Auth::TokenFile(file.path().to_owned()));
    cluster.get(&key("a")).await.unwrap();
    std::fs::write(file.path(), "second").unwrap();
    later(Duration::from_secs(30)).await;
    cluster.get(&key("a")).await.unwrap();
    later(Duration::from_secs(31)).await;
    cluster.get(&key("a")).await.unwrap();
    let sent: Vec<String> = fake.state().seen.iter().map(|seen| seen.authorization.clone()).collect();
    assert_eq!(sent, ["Bearer first", "Bearer first", "Bearer second"]);
}

#[tokio::test]
async fn a_plugin_is_asked_once_for_many_and_again_before_its_token_ends() {
    let (fake, plugin) = (Fake::start().await, Plugin::new());
    let lives = |token: &str, seconds: i64| {
        let end = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
        plugin.answer(&credential(token, &end.to_string()));
    };
    lives("one", 600);
    let cluster = with_auth(&fake, plugin.auth());
    let many = || async {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..40 {
            let cluster = cluster.clone();
            tasks.spawn(async move { cluster.get(&key("a")).await.unwrap() });
        }
        tasks.join_all().await
    };
    many().await;
    assert_eq!(plugin.runs(), 1);
    lives("two", 600);
    later(Duration::from_secs(500)).await;
    many().await;
    assert_eq!(plugin.runs(), 1, "it is not over yet");
    fake.state().seen.clear();
    later(Duration::from_secs(60)).await;
    many().await;
    assert_eq!(plugin.runs(), 2);
    let sent: Vec<String> = fake.state().seen.iter().map(|seen| seen.authorization.clone()).collect();
    assert_eq!((sent.len(), sent.iter().all(|bearer| bearer == "Bearer two")), (40, true), "{sent:?}");
}
