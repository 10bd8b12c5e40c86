//! Kubeconfigs and certificates.

use std::sync::Arc;

use kube_apply::Class;
use kube_apply::port::Cluster as _;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::fake::Fake;
use super::support::{PATIENT, cluster_of, host, key};
use crate::{Access, Auth, KubeconfigSource, Secret};

fn inline(text: &str, context: Option<&str>) -> Access {
    Access::Kubeconfig { source: KubeconfigSource::Inline(Secret::new(text)), context: context.map(str::to_owned) }
}

fn kubeconfig(url: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: one\nclusters:\n- name: c\n  cluster: {{server: \"{url}\"}}\nusers:\n- name: u\n  user: {{token: hunter2}}\n- name: v\n  user: {{token: hunter3}}\ncontexts:\n- name: one\n  context: {{cluster: c, user: u}}\n- name: two\n  context: {{cluster: c, user: v}}\n"
    )
}

#[tokio::test]
async fn a_kubeconfig_is_used_with_its_context() {
    let fake = Fake::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    std::fs::write(&file, kubeconfig(&fake.url)).unwrap();
    let files = Access::Kubeconfig { source: KubeconfigSource::Files(vec![file]), context: None };
    for access in [inline(&kubeconfig(&fake.url), None), inline(&kubeconfig(&fake.url), Some("two")), files] {
        assert_eq!(cluster_of(access, PATIENT).get(&key("a")).await.unwrap(), None);
    }
    let sent: Vec<String> = fake.state().seen.iter().map(|seen| seen.authorization.clone()).collect();
    assert_eq!(sent, ["Bearer hunter2", "Bearer hunter3", "Bearer hunter2"]);
}

#[tokio::test]
async fn a_kubeconfig_that_cannot_be_used_is_told_without_its_bytes() {
    let good = kubeconfig("http://127.0.0.1:1");
    for (access, part) in [
        (inline("users: [{name: u, user: {token: hunter2", None), "no YAML"),
        (inline(&good.replace("current-context: one\n", ""), None), "no current context"),
        (inline(&good, Some("three")), "no context \"three\""),
        (
            inline(&good.replace("{token: hunter2}", "{auth-provider: {name: gcp, config: {x: hunter2}}}"), None),
            "auth-provider \"gcp\"",
        ),
        (
            inline(&good.replace("{token: hunter2}", "{client-certificate-data: hunter2!, client-key-data: hunter3!}"), None),
            "client-",
        ),
        (Access::Kubeconfig { source: KubeconfigSource::Files(vec!["nowhere/config".into()]), context: None }, "nowhere/config"),
    ] {
        assert!(!format!("{access:?}").contains("hunter"), "{access:?}");
        let error = cluster_of(access, PATIENT).get(&key("a")).await.unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(told.replace('\\', "").contains(part), "{part}: {told}");
        assert!(!told.contains("hunter"), "{told}");
        assert_eq!(error.class, Class::Unreachable);
    }
}

#[tokio::test]
async fn a_password_in_the_address_of_a_kubeconfig_is_not_shown() {
    let nobody = { TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap() };
    for scheme in ["http", "https"] {
        let text = kubeconfig(&format!("{scheme}://user:hunter4@{nobody}/clusters/c"));
        let error = cluster_of(inline(&text, None), PATIENT).get(&key("a")).await.unwrap_err();
        let told = format!("{error} {error:?} {:?}", error.finding());
        assert!(!told.contains("hunter") && told.contains(&format!("{nobody}/clusters/c")), "{told}");
    }
}

/// A server with a certificate for `api.test` that answers 404 to everything.
async fn tls_server() -> (String, String) {
    let issued = rcgen::generate_simple_self_signed(vec!["api.test".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(issued.signing_key.serialize_der()));
    let config =
        rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![issued.cert.der().clone()], key).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
                let _ = stream.shutdown().await;
            }
        }
    });
    (url, issued.cert.pem())
}

#[tokio::test]
async fn a_certificate_is_checked_unless_told_otherwise() {
    let (url, pem) = tls_server().await;
    let trusted = crate::Host { ca_certificate: Some(pem), ..host(&url, Auth::None) };
    let named = crate::Host { tls_server_name: Some("api.test".to_owned()), ..trusted.clone() };
    let insecure = crate::Host { insecure: true, ..host(&url, Auth::None) };
    for accepted in [named, insecure] {
        let access = Access::Host(Box::new(accepted));
        assert_eq!(cluster_of(access, PATIENT).get(&key("a")).await.unwrap(), None);
    }
    // the name is another one; the issuer is unknown
    let unknown = crate::Host { tls_server_name: Some("api.test".to_owned()), ..host(&url, Auth::None) };
    for refused in [trusted, unknown] {
        let error = cluster_of(Access::Host(Box::new(refused)), PATIENT).get(&key("a")).await.unwrap_err();
        assert_eq!(error.class, Class::Unreachable);
        assert!(error.words.why.contains("certificate"), "{error:?}");
    }
    let no_pem = crate::Host { ca_certificate: Some("MIIB".to_owned()), ..host(&url, Auth::None) };
    let error = cluster_of(Access::Host(Box::new(no_pem)), PATIENT).get(&key("a")).await.unwrap_err();
    assert!(error.words.fix.contains("base64decode"), "{error:?}");
}
