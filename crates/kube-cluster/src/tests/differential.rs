//! What a definition says to an object without a server, beside what a real API server says to it.
//!
//! `GLOO_TEST_SCHEMA_OBJECTS` raises the number of objects, `GLOO_TEST_SCHEMA_SEED` makes others.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::{Method, Request};
use kube_schema::testing::{Choices, Maker, damage};
use kube_schema::{Definition, Verdict};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::real::Real;
use crate::kinds::{KINDS, Known, Purpose};

/// Objects that are compared at least.
const OBJECTS: usize = 2400;
/// Requests beside each other.
const WORKERS: usize = 16;
const NAME: &str = "made-up";
/// Objects that are made up to find one that a rule refuses.
const TRIES: usize = 400;
/// Rules that nothing reaches: the enum of the type refuses before, and a key that is there twice does.
const OUT_OF_REACH: [&str; 2] = [
    "self.type in ['Exact','PathPrefix'] || self.type == 'RegularExpression'",
    "self.all(l1, self.exists_one(l2, l1.name == l2.name))",
];
/// How a violation begins whose rule has no value.
const ERROR: &str = "makes its rule end with an error";

/// One object and both verdicts.
struct Case {
    path: String,
    object: Value,
    ours: Verdict,
}

/// A version of a kind.
type Made<'a> = (&'static Known, &'static str, Maker<'a>, Definition);

/// What the server says: nothing, or why it refuses.
type Answer = Result<(), String>;

fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).ok().and_then(|number| number.parse().ok()).unwrap_or(default)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_without_a_server_is_what_a_real_api_server_says() {
    let Some(real) = Real::find().await else { return };
    let list = real.send(Method::GET, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", None).await;
    let mut definitions = list["items"].as_array().unwrap().clone();
    definitions.iter_mut().for_each(|definition| definition["apiVersion"] = "apiextensions.k8s.io/v1".into());
    let mut all_rules = BTreeSet::new();
    let cases = cases(&definitions, &mut all_rules);
    let cases = Arc::new(cases);
    let answers = ask(&real, &cases).await;

    let (mut accepted, mut refused) = (0, 0);
    let mut refused_rules = BTreeSet::new();
    let mut disagreements: Vec<String> = Vec::new();
    let mut unchecked = BTreeSet::new();
    for (case, answer) in cases.iter().zip(&answers) {
        unchecked.extend(case.ours.unchecked.iter().cloned());
        match (case.ours.violations.is_empty(), answer) {
            (true, Ok(())) => accepted += 1,
            (false, Err(message)) => {
                refused += 1;
                let is_told =
                    |what: &str| message.contains(what) || what.starts_with(ERROR) && message.contains("evaluating rule");
                let told = case.ours.violations.iter().filter(|violation| is_told(&violation.what));
                refused_rules.extend(told.filter_map(|violation| violation.rule.clone()));
            }
            _ => disagreements
                .push(format!("{}\n  ours: {:?}\n  theirs: {answer:?}\n  {}", case.path, case.ours.violations, case.object)),
        }
    }
    let is_within_reach = |rule: &&String| !OUT_OF_REACH.contains(&rule.as_str());
    let never: Vec<&String> = all_rules.difference(&refused_rules).filter(is_within_reach).collect();
    #[expect(clippy::print_stderr, reason = "figures for people")]
    {
        eprintln!(
            "{} objects: both accept {accepted}, both refuse {refused}, disagree {}; of {} rules, both found {} not met",
            cases.len(),
            disagreements.len(),
            all_rules.len(),
            refused_rules.len()
        );
    }
    assert!(unchecked.is_empty(), "{unchecked:#?}");
    assert!(never.is_empty(), "never refused: {never:#?}");
    let shown = disagreements.iter().take(15).cloned().collect::<Vec<_>>().join("\n");
    assert!(disagreements.is_empty(), "{} disagreements:\n{shown}", disagreements.len());
    assert!(cases.len() >= OBJECTS && accepted * 5 > cases.len() && refused * 5 > cases.len(), "{accepted} {refused}");
}

/// The objects, and what the definitions say to them.
fn cases(definitions: &[Value], all_rules: &mut BTreeSet<String>) -> Vec<Case> {
    let mut choices = Choices::new(u64::try_from(number("GLOO_TEST_SCHEMA_SEED", 5)).unwrap());
    let mut makers: Vec<Made<'_>> = Vec::new();
    for known in KINDS.iter().filter(|known| known.purpose == Purpose::Written) {
        let Some(json) = definitions.iter().find(|json| json["metadata"]["name"] == known.resource().as_str()) else { continue };
        for version in known.versions {
            let definition = Definition::read(json).unwrap();
            if definition.served().any(|served| served == *version) {
                makers.push((known, version, Maker::new(json, version, "bookinfo").unwrap(), definition));
            }
        }
    }
    let kinds: BTreeSet<String> = makers.iter().map(|(known, ..)| known.resource()).collect();
    assert!(kinds.len() >= 18, "{kinds:?}");
    let mut cases = Vec::new();
    let mut found: BTreeSet<String> = BTreeSet::new();
    let judged = |maker: &Made<'_>, mut object: Value, damages: usize, choices: &mut Choices| {
        let (known, version, _, definition) = maker;
        (0..damages).for_each(|_| damage(&mut object, choices));
        let ours = definition.check(&object, None);
        let namespace = known.is_namespaced.then_some("bookinfo");
        Case { path: format!("{}/{NAME}", known.collection(version, namespace)), object, ours }
    };
    let not_met = |case: &Case| -> Vec<String> {
        let violations = case.ours.violations.iter().filter(|violation| !violation.what.starts_with(ERROR));
        violations.filter_map(|violation| violation.rule.clone()).collect()
    };
    for at in 0..number("GLOO_TEST_SCHEMA_OBJECTS", OBJECTS) {
        let damages = [0, 0, 0, 1, 2][choices.below(5)];
        let made = &makers[at % makers.len()];
        let object = made.2.make(NAME, &mut choices);
        let case = judged(made, object, damages, &mut choices);
        found.extend(not_met(&case));
        cases.push(case);
    }
    // every rule is to be seen refusing something
    for made in &makers {
        // those with `oldSelf` are for updates
        for rule in made.2.rules().into_iter().filter(|rule| !rule.contains("oldSelf")) {
            all_rules.insert(rule.clone());
            for _ in 0..if found.contains(&rule) { 0 } else { TRIES } {
                let (object, damages) = (made.2.make_for(&rule, NAME, &mut choices), choices.below(2));
                let case = judged(made, object, damages, &mut choices);
                let told = not_met(&case);
                if told.contains(&rule) {
                    found.extend(told);
                    cases.push(case);
                    break;
                }
            }
        }
    }
    for (kind, spec) in by_hand() {
        let of_kind = |made: &&Made<'_>| made.0.key_name() == kind;
        for made in makers.iter().filter(of_kind) {
            let mut object = made.2.make(NAME, &mut choices);
            object["spec"] = spec.clone();
            cases.push(judged(made, object, 0, &mut choices));
        }
    }
    cases
}

/// Specs for rules that chance hardly ever meets.
fn by_hand() -> Vec<(&'static str, Value)> {
    const HTTP: &str = "HTTPRoute.gateway.networking.k8s.io";
    const GRPC: &str = "GRPCRoute.gateway.networking.k8s.io";
    const GATEWAY: &str = "Gateway.gateway.networking.k8s.io";
    let gateway = |more: Value| {
        let mut spec = json!({"gatewayClassName": "a", "listeners": [{"name": "a", "port": 80, "protocol": "HTTP"}]});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        (GATEWAY, spec)
    };
    let prefix = json!({"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/b"}});
    let filtered = |filter: Value| {
        let matches = json!([{"path": {"type": "Exact", "value": "/a"}}]);
        (HTTP, json!({"rules": [{"matches": matches, "backendRefs": [{"name": "a", "port": 80, "filters": [filter]}]}]}))
    };
    let many = |one: Value| json!({"rules": vec![json!({"matches": vec![one; 64]}); 3]});
    vec![
        (HTTP, json!({"rules": [{"timeouts": {"request": "1s", "backendRequest": "2s"}}]})),
        (HTTP, many(json!({"path": {"type": "Exact", "value": "/a"}}))),
        (GRPC, many(json!({"method": {"service": "a"}}))),
        filtered(json!({"type": "RequestRedirect", "requestRedirect": prefix})),
        filtered(json!({"type": "URLRewrite", "urlRewrite": prefix})),
        gateway(json!({"addresses": vec![json!({"type": "Hostname", "value": "a.b"}); 2]})),
        gateway(json!({"addresses": vec![json!({"type": "IPAddress", "value": "10.0.0.1"}); 2]})),
        gateway(json!({"addresses": [{"type": "Hostname", "value": "a_b"}]})),
        gateway(json!({"infrastructure": {"labels": {format!("{}/b", "a".repeat(254)): "x"}}})),
        gateway(json!({"listeners": [{"name": "a", "port": 443, "protocol": "HTTPS", "tls": {"mode": "Passthrough"}}]})),
    ]
}

/// Asks the server about every object, as the provider does.
async fn ask(real: &Real, cases: &Arc<Vec<Case>>) -> Vec<Answer> {
    let mut tasks = JoinSet::new();
    for worker in 0..WORKERS {
        let (client, cases) = (real.client.clone(), Arc::clone(cases));
        tasks.spawn(async move {
            let mut answers = Vec::new();
            for (at, case) in cases.iter().enumerate().skip(worker).step_by(WORKERS) {
                let uri =
                    format!("{}?fieldManager=gloo-terraform%3Ademo&force=true&fieldValidation=Strict&dryRun=All", case.path);
                let request =
                    Request::builder().method(Method::PATCH).uri(uri).header("content-type", "application/apply-patch+yaml");
                let request = request.body(case.object.to_string().into_bytes()).unwrap();
                let answer = match client.request::<Value>(request).await {
                    Ok(_) => Ok(()),
                    Err(kube_client::Error::Api(status)) if [400, 422, 500].contains(&status.code) => Err(status.message.clone()),
                    Err(error) => panic!("{}: {error}\n{}", case.path, case.object),
                };
                answers.push((at, answer));
            }
            answers
        });
    }
    let mut all: Vec<Answer> = (0..cases.len()).map(|_| Ok(())).collect();
    while let Some(answers) = tasks.join_next().await {
        for (at, answer) in answers.unwrap() {
            all[at] = answer;
        }
    }
    all
}
