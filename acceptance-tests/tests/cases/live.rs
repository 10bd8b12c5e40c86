//! What cases about API servers begin with.

use acceptance_tests::{Live, Rig, World};

/// [`super::with`] these lines, in this case's namespace and with its host.
pub(super) fn resources(live: &Live, lines: &str) -> String {
    let namespace = live.namespace();
    let text = super::with(lines).replace("\"bookinfo\"", &format!("\"{namespace}\""));
    text.replace("reviews.mesh.internal", &format!("{namespace}.mesh.internal"))
}

/// Both clusters and [`resources`].
pub(super) fn config(live: &Live, lines: &str) -> String {
    live.provider() + &resources(live, lines)
}

/// [`config`], applied.
pub(super) fn applied(rig: &Rig, live: &Live) -> World {
    let world = live.world(rig, &config(live, ""));
    world.apply(&world.plan());
    world
}
