//! Properties of translation and of the order of writes, for random fleets.

mod fleet;
mod leaves;
mod mesh;
mod order;
mod routes;
mod touched;
mod translation;
mod world;
