//! A toy provider under the in-process core: the whole way from configuration to state and back.

mod cancel;
mod data;
mod faults;
mod hostile;
mod identity;
mod life;
mod moves;
mod note;
mod property;
mod refusals;
mod schemas;
mod toy;
mod values;
mod write_only;

pub(crate) use toy::{Fault, Toy, World};

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::testing::{Core, Instance, Outcome};

/// A core with a configured toy provider, and the world behind it.
async fn core() -> (Core, Arc<World>) {
    let world = Arc::new(World::default());
    let core = Core::new(Arc::new(Toy::new(Arc::clone(&world)))).await;
    core.configure(json!({})).await.expect("an empty provider block is enough");
    (core, world)
}

/// Creates `config` and expects no trouble.
async fn create(core: &Core, config: Json) -> Instance {
    let plan = core.plan("toy_thing", None, config).await.unwrap_or_else(|failure| panic!("{failure}"));
    existing(core.apply(&plan).await)
}

/// Applies the change from `instance` to `config` with `fault` in the way.
async fn change(core: &Core, instance: Option<&Instance>, config: Json, world: &World, fault: Fault) -> Outcome {
    let plan = core.plan("toy_thing", instance, config).await.unwrap_or_else(|failure| panic!("{failure}"));
    world.break_with(fault);
    core.apply(&plan).await
}

fn existing(outcome: Outcome) -> Instance {
    outcome.success().unwrap_or_else(|failure| panic!("{failure}")).expect("the resource exists")
}
