//! Resources come into a state other than by create: imported, with generated configuration, or moved from another provider.

use acceptance_tests::{Action, Case, Rig, case};

use super::{DESTINATION, MESH, PROVIDER, applied, knows_identity, snapshot, with};

pub fn cases() -> Vec<Case> {
    vec![
        case!(generated_configuration_plans_without_a_change),
        case!(generated_configuration_of_most_arguments_plans_without_a_change),
        case!(an_import_of_another_owners_resource_is_refused),
    ]
}

const OBJECT: &str = "gloo_istio_object.route";

/// An object with what JSON has: lists of unlike members, numbers, booleans, quotes, templates.
const ROUTE: &str = r#"
resource "gloo_istio_object" "route" {
  clusters = ["east", "west"]
  manifest = {
    apiVersion = "networking.istio.io/v1"
    kind       = "VirtualService"
    metadata   = { name = "ratings", namespace = "bookinfo", labels = { team = "blue" }, annotations = { "example.com/why" = "a \"quoted\" $${word}" } }
    spec = {
      hosts = ["ratings.bookinfo.svc.cluster.local"]
      http = [
        {
          match   = [{ uri = { prefix = "/v2" }, ignoreUriCase = true }, { headers = { end-user = { exact = "jason" } } }]
          route   = [{ destination = { host = "ratings", port = { number = 9080 } }, weight = 90 }, { destination = { host = "ratings-v2" }, weight = 10 }]
          fault   = { delay = { percentage = { value = 0.5 }, fixedDelay = "5s" } }
          timeout = "2s"
        },
        { route = [{ destination = { host = "ratings" } }] },
      ]
    }
  }
}
"#;

/// Most arguments of a destination that have a value of their own.
const LINES: &str = r#"  timeout           = "5s"
  connect_timeout   = "3s"
  export_to         = ["bookinfo", "default"]
  clients           = ["west", "east"]
  retries           = { attempts = 5, per_try_timeout = "1s", retry_unavailable = true }
  outlier_detection = { base_ejection_time = "1m", consecutive_gateway_errors = 3, max_ejection_percent = 100 }
  failover = {
    locality = [{ from = "us-east-1", to = "us-west-2" }, { from = "us-west-2", to = "us-east-1" }]
  }
  overlays = [
    { kind = "VirtualService", merge_patch = jsonencode({ metadata = { labels = { team = "blue" } } }) },
    { kind = "DestinationRule", cluster = "east", merge_patch = jsonencode({ spec = { trafficPolicy = { connectionPool = { tcp = { maxConnections = 7 } } } } }) },
  ]
  deletion_protection = true
  timeouts            = { create = "10m" }"#;

/// `import` blocks: by identity where the CLI has them, and `by_id` is not asked for.
fn imports(by_identity: bool) -> String {
    let by =
        |identity: &str, id: &str| if by_identity { format!("identity = {{ {identity} }}") } else { format!("id = \"{id}\"") };
    let blocks = [
        (MESH, by("name = \"prod\"", "prod")),
        (DESTINATION, by("namespace = \"bookinfo\", name = \"reviews\"", "bookinfo/reviews")),
        (
            OBJECT,
            by("kind = \"VirtualService\", namespace = \"bookinfo\", name = \"ratings\"", "VirtualService/bookinfo/ratings"),
        ),
    ];
    blocks.iter().map(|(to, by)| format!("import {{\n  to = {to}\n  {by}\n}}\n")).collect()
}

fn generated_configuration_plans_without_a_change(rig: &Rig) {
    is_imported_with_generated_configuration(rig, "", false);
}

fn generated_configuration_of_most_arguments_plans_without_a_change(rig: &Rig) {
    is_imported_with_generated_configuration(rig, LINES, knows_identity(rig));
}

fn is_imported_with_generated_configuration(rig: &Rig, lines: &str, by_identity: bool) {
    let world = applied(rig, &(with(lines) + ROUTE));
    let (before, state) = (snapshot(&world), world.state());
    world.lose_state();
    world.config(&format!("{PROVIDER}{}", imports(by_identity)));
    let plan = world.plan_with(&["-generate-config-out=generated.tf"]);
    for address in [MESH, DESTINATION, OBJECT] {
        assert_eq!(plan.action(address), Action::NoOp, "{address} is imported and nothing else: {}", plan.after(address));
    }
    assert_eq!(plan.changed().len(), 0, "{:?}", plan.changed());
    world.apply(&plan);
    assert_eq!(snapshot(&world), before, "an import writes nothing");
    // the import blocks have done their work; the generated file stays as the configuration
    world.config(PROVIDER);
    for address in [MESH, DESTINATION, OBJECT] {
        assert_eq!(world.state().values(address), state.values(address), "{address} after import");
    }
    world.assert_clean();
    let generated = std::fs::read_to_string(world.folder().join("generated.tf")).expect("the CLI wrote it");
    world.note(&generated);
}

fn an_import_of_another_owners_resource_is_refused(rig: &Rig) {
    let world = applied(rig, &with(""));
    world.lose_state();
    let id = "id = \"team/other//bookinfo/reviews\"";
    world.config(&format!("{PROVIDER}{}import {{\n  to = {DESTINATION}\n  {id}\n}}\n", with("")));
    world.plan_refused().error_with(&["Import of another owner's resource", "team/other", "tests/acceptance", "takeover_from"]);
}
