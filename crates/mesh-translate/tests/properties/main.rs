//! Properties of translation and of the order of writes, for random fleets.

mod excuses;
mod failover;
mod fleet;
mod leaves;
mod mesh;
mod order;
mod routes;
mod step;
mod touched;
mod translation;
mod world;
