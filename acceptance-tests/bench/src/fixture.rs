//! The same objects as configuration of three contestants.

use std::path::Path;

use xtask::cli::SOURCE;
use xtask::{Problem, Result};

/// Address of the other provider.
pub(crate) const RIVAL_SOURCE: &str = "gavinbunney/kubectl";

/// Namespace of all objects.
pub(crate) const NAMESPACE: &str = "bench";

/// Who handles the objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Contestant {
    /// the core alone: `terraform_data` with the same content, which nothing outside of the core reads or writes
    Core,
    /// this provider: one `gloo_istio_object` for both clusters
    Gloo,
    /// the other provider: one `kubectl_manifest` for each cluster, server-side apply
    Kubectl,
}

impl Contestant {
    /// All of them, in the order in which they run.
    pub(crate) const ALL: [Self; 3] = [Self::Core, Self::Gloo, Self::Kubectl];

    /// For tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Core => "core alone",
            Self::Gloo => "gloo",
            Self::Kubectl => "kubectl 1.19.0",
        }
    }

    /// For paths.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Gloo => "gloo",
            Self::Kubectl => "kubectl",
        }
    }

    /// The configuration of so many objects. `changed` is a variable: the name of the one object that is different.
    fn configuration(self, objects: usize, east: &Path, west: &Path) -> String {
        let (requires, provider, resources) = match self {
            Self::Core => (String::new(), String::new(), "resource \"terraform_data\" \"route\" {\n  for_each = local.names\n  input    = OBJECT\n}\n".to_owned()),
            Self::Gloo => (
                format!("    gloo = {{ source = \"{SOURCE}\" }}\n"),
                format!(
                    "provider \"gloo\" {{\n  owner = \"bench/one\"\n  clusters = {{\n    east = {{ kubeconfig = {{ path = {east:?} }} }}\n    west = {{ kubeconfig = {{ path = {west:?} }} }}\n  }}\n}}\n"
                ),
                "resource \"gloo_istio_object\" \"route\" {\n  for_each = local.names\n  clusters = [\"east\", \"west\"]\n  manifest = OBJECT\n}\n".to_owned(),
            ),
            Self::Kubectl => {
                let provider = |alias: &str, path: &Path| {
                    format!("provider \"kubectl\" {{\n  alias            = \"{alias}\"\n  config_path      = {path:?}\n  load_config_file = true\n}}\n")
                };
                let resource = |alias: &str| {
                    format!("resource \"kubectl_manifest\" \"{alias}\" {{\n  provider          = kubectl.{alias}\n  for_each          = local.names\n  server_side_apply = true\n  yaml_body         = yamlencode(OBJECT)\n}}\n")
                };
                (
                    format!("    kubectl = {{ source = \"{RIVAL_SOURCE}\" }}\n"),
                    provider("east", east) + &provider("west", west),
                    resource("east") + &resource("west"),
                )
            }
        };
        let required = if requires.is_empty() { String::new() } else { format!("  required_providers {{\n{requires}  }}\n") };
        format!(
            "terraform {{\n{required}}}\n\n{provider}\nvariable \"changed\" {{\n  default = \"\"\n}}\n\nlocals {{\n  names = {{ for i in range({objects}) : format(\"route-%04d\", i) => i }}\n}}\n\n{}",
            resources.replace("OBJECT", OBJECT.trim())
        )
    }

    /// Writes the configuration into a folder.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write(self, folder: &Path, objects: usize, east: &Path, west: &Path) -> Result<()> {
        let path = folder.join("main.tf");
        std::fs::write(&path, self.configuration(objects, east, west)).map_err(Problem::file("write", &path))
    }
}

/// One VirtualService of about 2 KB as JSON: a canary by header, a split, a rewrite, a redirect and the rest, as teams write
/// them.
const OBJECT: &str = r#"
{
    apiVersion = "networking.istio.io/v1"
    kind       = "VirtualService"
    metadata = {
      name        = each.key
      namespace   = "bench"
      labels      = { "app.kubernetes.io/name" = each.key, "app.kubernetes.io/part-of" = "shop", team = "checkout" }
      annotations = { "example.com/contact" = "checkout@example.com", "example.com/runbook" = "https://runbooks.example.com/${each.key}" }
    }
    spec = {
      hosts    = ["${each.key}.shop.example.com", "${each.key}.bench.svc.cluster.local"]
      gateways = ["mesh", "istio-ingress/public"]
      exportTo = ["*"]
      http = [
        {
          name  = "canary"
          match = [
            { uri = { prefix = "/api/v2/" }, headers = { "x-canary" = { exact = "always" }, "x-tenant" = { regex = "^(blue|green)-[0-9]+$" } } },
            { uri = { prefix = "/api/v2/" }, queryParams = { canary = { exact = "true" } } },
          ]
          route   = [{ destination = { host = "${each.key}.bench.svc.cluster.local", subset = "v2", port = { number = 8080 } }, headers = { request = { set = { "x-route" = "canary" } }, response = { remove = ["x-internal", "server"] } } }]
          timeout = "3s"
          retries = { attempts = 2, perTryTimeout = "1s", retryOn = "connect-failure,refused-stream,unavailable" }
        },
        {
          name  = "split"
          match = [{ uri = { prefix = "/api/" }, method = { regex = "GET|HEAD" } }, { uri = { exact = "/healthz" }, port = 8080 }]
          route = [
            { destination = { host = "${each.key}.bench.svc.cluster.local", subset = "v1", port = { number = 8080 } }, weight = each.key == var.changed ? 80 : 90 },
            { destination = { host = "${each.key}.bench.svc.cluster.local", subset = "v2", port = { number = 8080 } }, weight = each.key == var.changed ? 20 : 10 },
          ]
          timeout    = "5s"
          retries    = { attempts = 3, perTryTimeout = "2s", retryOn = "5xx,reset,connect-failure" }
          corsPolicy = { allowOrigins = [{ exact = "https://shop.example.com" }, { regex = "https://[a-z]+\\.example\\.com" }], allowMethods = ["GET", "POST"], allowHeaders = ["authorization", "content-type"], maxAge = "24h" }
        },
        {
          name     = "moved"
          match    = [{ uri = { prefix = "/old/" } }]
          redirect = { uri = "/api/", authority = "shop.example.com", redirectCode = 308 }
        },
        {
          name    = "static"
          match   = [{ uri = { prefix = "/static/" }, withoutHeaders = { authorization = {} } }]
          rewrite = { uri = "/" }
          route   = [{ destination = { host = "static.bench.svc.cluster.local", port = { number = 80 } } }]
          mirror  = { host = "audit.bench.svc.cluster.local", port = { number = 9090 } }
        },
        {
          name    = "rest"
          route   = [{ destination = { host = "${each.key}.bench.svc.cluster.local", subset = "v1", port = { number = 8080 } } }]
          timeout = "10s"
        },
      ]
    }
  }
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_contestants_have_the_same_objects() {
        let of = |contestant: Contestant| contestant.configuration(7, Path::new("/e"), Path::new("/w"));
        for contestant in Contestant::ALL {
            let text = of(contestant);
            assert!(text.contains("range(7)") && text.contains(OBJECT.trim()), "{text}");
        }
        assert_eq!(of(Contestant::Kubectl).matches(OBJECT.trim()).count(), 2, "one for each cluster");
    }
}
