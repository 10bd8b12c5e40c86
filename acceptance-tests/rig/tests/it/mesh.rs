//! The parts of a mesh that need neither istiod nor Envoy.

use std::net::SocketAddr;
use std::time::Duration;

use rig::mesh::echo::{Echo, Mood};
use rig::mesh::layout::Speech;
use rig::mesh::traffic::{Client, Traffic, calls};

fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.77.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

#[test]
fn a_backend_names_itself_and_does_as_it_is_told() {
    let address = free_address();
    let echo = Echo::start("here", address, Speech::Http).expect("the address is free");
    let well = calls(address, "anybody", 3);
    assert_eq!((well.errors(), well.served_by("here")), (0, 3), "{well}");
    echo.is(Mood::Fails(503));
    let failing = calls(address, "anybody", 2);
    assert!(failing.0.iter().all(|seen| seen.status == 503 && seen.by == "here" && !seen.is_served()), "{failing}");
    echo.is(Mood::Slow(Duration::from_millis(50)));
    assert!(calls(address, "anybody", 1).0[0].took >= Duration::from_millis(50));
    echo.die();
    assert_eq!(calls(address, "anybody", 2).0[1].status, 0, "nobody answers for the dead");
    echo.revive().expect("the address is free again");
    assert_eq!(calls(address, "anybody", 1).errors(), 0);
}

#[test]
fn traffic_sees_a_backend_die_and_come_back() {
    let address = free_address();
    let echo = Echo::start("here", address, Speech::Http).expect("the address is free");
    let traffic = Traffic::start(Client::new(address, "anybody"));
    traffic.wait_until("it answers", 5, |seen| seen.is_served());
    echo.die();
    traffic.wait_until("it is dead", 5, |seen| !seen.is_served());
    echo.revive().expect("the address is free again");
    traffic.wait_until("it answers again", 5, |seen| seen.is_served());
    assert_eq!(traffic.all().order(), ["here", "!", "here"], "{}", traffic.all());
}

#[test]
fn backends_and_clients_speak_the_same() {
    for speech in Speech::ALL {
        let address = free_address();
        let echo = Echo::start("here", address, speech).expect("the address is free");
        let traffic = Traffic::start(Client::speaking(speech, address, "anybody"));
        traffic.wait_until(&format!("it says its name over {}", speech.name()), 3, |seen| seen.is_served() && seen.by == "here");
        echo.die();
        traffic.wait_until("nobody speaks for the dead", 3, |seen| seen.status == 0);
    }
}
