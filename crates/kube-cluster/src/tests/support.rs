//! Clusters and objects for tests.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use istio_objects::{Claim, Manifest, ObjectKey, object_key};
use kube_apply::port::{Precondition, Seen, Write};
use kube_apply::testing::owner;
use serde_json::{Value, json};

use super::fake::Fake;
use crate::{Access, Auth, ExecPlugin, Host, KubeCluster, Limits, Secret};

/// Long enough for an answer on any machine.
pub(super) const PATIENT: Duration = Duration::from_secs(30);

pub(crate) fn host(url: &str, auth: Auth) -> Host {
    let url = url.to_owned();
    Host { url, ca_certificate: None, tls_server_name: None, insecure: false, proxy_url: None, auth }
}

pub(super) fn cluster_of(access: Access, limit: Duration) -> KubeCluster {
    let limits = Limits::new(32, limit);
    KubeCluster::new("east".parse().unwrap(), access, &owner(), "terraform-provider-gloo/0.0.0 (owner contract/test)", limits)
}

pub(super) fn cluster(fake: &Fake) -> KubeCluster {
    with_auth(fake, Auth::Token(Secret::new("t0ken-abc")))
}

pub(super) fn with_auth(fake: &Fake, auth: Auth) -> KubeCluster {
    cluster_of(Access::Host(Box::new(host(&fake.url, auth))), PATIENT)
}

pub(super) fn key(name: &str) -> ObjectKey {
    format!("VirtualService/bookinfo/{name}").parse().unwrap()
}

/// The path of a VirtualService.
pub(super) fn path(name: &str) -> String {
    format!("/apis/networking.istio.io/v1/namespaces/bookinfo/virtualservices/{name}")
}

pub(super) fn manifest_in(namespace: &str, name: &str, spec: &Value) -> Manifest {
    let claim: Claim = format!("{}//gloo_virtual_destination/bookinfo/reviews", owner()).parse().unwrap();
    let json = json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"gloo-terraform/owner": Claim::owner_label(&owner())},
            "annotations": {"gloo-terraform/claim": claim.to_string()},
        },
        "spec": spec,
    });
    Manifest::from_stored(object_key(&json).unwrap(), &json.to_string()).unwrap()
}

pub(super) fn manifest(name: &str, spec: &Value) -> Manifest {
    manifest_in("bookinfo", name, spec)
}

pub(super) fn write(manifest: &Manifest, seen: Option<Seen>) -> Write {
    Write {
        manifest: manifest.clone(),
        previous: seen.as_ref().map(|_| manifest.clone()),
        state_annotations: [("state.gloo-terraform/instance".to_owned(), "one".to_owned())].into(),
        precondition: seen.map_or(Precondition::Absent, Precondition::Unchanged),
    }
}

/// A plugin that prints what `answer` has by then, and counts its runs.
pub(super) struct Plugin {
    pub(super) folder: tempfile::TempDir,
}

impl Plugin {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().display();
        let script = format!(
            "#!/bin/sh\necho run >> {at}/runs\necho \"$KUBERNETES_EXEC_INFO\" > {at}/info\ncat {at}/errors >&2\ncat {at}/answer || exit 3\n"
        );
        let file = folder.path().join("plugin");
        let mut written = std::fs::File::create(&file).unwrap();
        written.write_all(script.as_bytes()).unwrap();
        drop(written);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o700)).unwrap();
        std::fs::write(folder.path().join("errors"), "").unwrap();
        Self { folder }
    }

    pub(super) fn answer(&self, answer: &Value) {
        std::fs::write(self.folder.path().join("answer"), answer.to_string()).unwrap();
    }

    pub(super) fn runs(&self) -> usize {
        std::fs::read_to_string(self.folder.path().join("runs")).map_or(0, |runs| runs.lines().count())
    }

    pub(super) fn auth(&self) -> Auth {
        Auth::Exec(ExecPlugin {
            api_version: "client.authentication.k8s.io/v1".to_owned(),
            // a shell reads the file: nothing is executed that another test may still have open for writing
            command: "/bin/sh".to_owned(),
            args: vec![self.folder.path().join("plugin").display().to_string()],
            env: [("PLUGIN_SECRET".to_owned(), "hunter2".to_owned())].into(),
        })
    }
}

pub(super) fn credential(token: &str, end: &str) -> Value {
    json!({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": token, "expirationTimestamp": end}})
}
