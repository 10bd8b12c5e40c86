//! Each breakage, as a client sees it and as the server does.

use std::time::{Duration, Instant};

use rig::{Api, Effect, Injection, Proxy, Seen};
use serde_json::{Value, json};

use crate::shared;

const SERVICES: &str = "/api/v1/namespaces/bookinfo/services";

fn proxy() -> Proxy {
    shared().cluster("east").proxy().expect("a port is free")
}

fn direct() -> Api {
    shared().cluster("east").api()
}

fn note(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "namespace": "bookinfo" }, "data": { "a": "b" } })
}

fn exists(name: &str) -> bool {
    direct().read(&format!("/api/v1/namespaces/bookinfo/configmaps/{name}")).expect("readable").is_some()
}

#[test]
fn everything_passes_and_is_counted() {
    let proxy = proxy();
    let through = proxy.api().get(&format!("{SERVICES}?limit=500")).expect("an answer");
    assert_eq!(through.json()["items"], direct().get(SERVICES).expect("an answer").json()["items"]);
    proxy.api().apply(&note("passed")).expect("written");
    assert!(exists("passed"));

    let records = proxy.records();
    let seen = |index: usize| &records[index].seen;
    assert_eq!((records.len(), records[0].status, records[1].effect.clone()), (2, Some(200), None));
    assert_eq!((seen(0).method.as_str(), seen(0).path.as_str(), seen(0).query.as_str()), ("GET", SERVICES, "limit=500"));
    assert_eq!((seen(0).is_write(), seen(1).is_write(), seen(1).user_agent.as_str()), (false, true, "rig"));
    let figures = proxy.figures();
    assert_eq!((figures.requests, figures.connections), (2, 2));
    assert!(figures.sent > through.text.len() as u64 && figures.received > 200, "{figures:?}");
    proxy.forget();
    assert_eq!(proxy.figures(), rig::Figures::default());
}

#[test]
fn a_kubeconfig_leads_through_the_proxy() {
    let proxy = proxy();
    let text = std::fs::read_to_string(proxy.kubeconfig()).expect("written");
    let file: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (file["current-context"].as_str(), file["clusters"][0]["cluster"]["server"].as_str()),
        (Some("east"), Some(&*proxy.url()))
    );
}

#[test]
fn a_credential_that_the_server_refuses_is_refused_through_the_proxy() {
    assert_eq!(proxy().api().with_token("made-up").get(SERVICES).expect("an answer").status, 401);
}

#[test]
fn answers_of_every_kind_are_for_the_requests_asked_for() {
    let proxy = proxy();
    for status in [401, 403, 409, 410, 429, 500, 502, 503, 504] {
        proxy.inject(Injection::new(Effect::answer(status).retry_after(7)).on(|seen| seen.path == SERVICES).nth(1, 1));
        assert_eq!(proxy.api().get("/api/v1/nodes").expect("an answer").status, 200, "another path");
        let answer = proxy.api().get(SERVICES).expect("an answer");
        assert_eq!(
            (answer.status, answer.retry_after.as_deref(), answer.json()["code"].as_u64()),
            (status, Some("7"), Some(status.into()))
        );
        assert_eq!(proxy.api().get(SERVICES).expect("an answer").status, 200, "the second one");
        proxy.heal();
    }
    proxy.inject(Injection::new(Effect::answer(403).with_message("says who")));
    assert_eq!(proxy.api().get(SERVICES).expect("an answer").message(), "says who");
}

#[test]
fn a_reset_before_and_after_the_server_has_done_it() {
    let proxy = proxy();
    for (name, effect, is_done) in [("reset-before", Effect::Reset, false), ("reset-after", Effect::ResetAfter, true)] {
        proxy.inject(Injection::new(effect).on(Seen::is_write));
        let problem = proxy.api().apply(&note(name)).expect_err("no answer");
        assert!(problem.to_string().contains("reset by peer"), "{problem}");
        assert_eq!(exists(name), is_done, "{name}");
        proxy.heal();
    }
}

#[test]
fn a_hang_before_and_after_the_server_has_done_it() {
    let proxy = proxy();
    for (name, effect, is_done) in [("hang-before", Effect::Hang, false), ("hang-after", Effect::HangAfter, true)] {
        proxy.forget();
        proxy.inject(Injection::new(effect).on(Seen::is_write));
        std::thread::scope(|scope| {
            let call = scope.spawn(|| proxy.api().apply(&note(name)));
            proxy.wait_for_request(Duration::from_secs(20), Seen::is_write).expect("it arrives");
            crate::until("the server has done it, or never will", || !is_done || exists(name));
            assert!(!call.is_finished(), "nothing was answered");
            proxy.heal();
            let problem = call.join().expect("no panic").expect_err("healing gives no answer to what hung");
            assert!(problem.to_string().contains("reset by peer"), "{problem}");
        });
        assert_eq!(exists(name), is_done, "{name}");
    }
}

#[test]
fn a_body_ends_early_with_and_without_an_error() {
    let proxy = proxy();
    proxy.inject(Injection::new(Effect::Truncate(100)).nth(1, 1));
    assert!(proxy.api().get(SERVICES).is_err(), "the connection ends in the middle of the body");
    proxy.heal();
    proxy.inject(Injection::new(Effect::Garble(100)).nth(1, 1));
    let answer = proxy.api().get(SERVICES).expect("complete, as far as HTTP can tell");
    assert_eq!((answer.status, answer.text.len(), answer.json()), (200, 100, Value::Null));
    assert_eq!(proxy.api().list(SERVICES).expect("healed by its own count").len(), 4);
}

#[test]
fn a_delay_is_only_later() {
    let proxy = proxy();
    let delay = Duration::from_millis(120);
    proxy.inject(Injection::new(Effect::Delay(delay)));
    let start = Instant::now();
    assert_eq!(proxy.api().list(SERVICES).expect("a list").len(), 4);
    assert!(start.elapsed() >= delay);
}

#[test]
fn a_dropped_proxy_leaves_no_port_and_no_connection() {
    let proxy = proxy();
    let api = proxy.api();
    proxy.inject(Injection::new(Effect::Hang));
    std::thread::scope(|scope| {
        let call = scope.spawn(|| api.get(SERVICES));
        proxy.wait_for_request(Duration::from_secs(20), |_| true).expect("it arrives");
        drop(proxy);
        let problem = call.join().expect("no panic").expect_err("what hung has ended");
        assert!(!problem.to_string().contains("no answer"), "the client had to give up: {problem}");
    });
    crate::until("the port is closed", || api.get(SERVICES).is_err_and(|problem| problem.to_string().contains("refused")));
}
