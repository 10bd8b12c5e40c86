//! Properties of translation and of the order of writes, for random fleets.

mod fleet;
mod leaves;
mod order;
mod translation;
