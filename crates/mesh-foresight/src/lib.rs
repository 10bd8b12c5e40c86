//! What one client's request does, foretold from objects: who serves when something dies, and why nobody does.
//!
//! ```text
//! planned objects + facts → Fleet ─┐
//!                                  ├→ forecast (name, route, policy, endpoints, priorities, ejection, retries) → table, diagram
//! pods, gateways, what is down → World ┘
//! the same before a change, after each of its steps and after it → interruptions
//! ```
//!
//! It judges objects, never intents, and shares no code with translation: what both agree on is proved twice. Its rules were
//! observed on istiod and Envoy; what an object says beyond them is refused by name ([`Unforeseen`]), never passed over.
//!
//! Three things are taken for granted: the pods of a cluster are in the zone of its clients, a gateway that leads to one well
//! pod is well, and a hostname of a gateway has one address.

mod address;
mod client;
mod diagram;
mod envoy;
mod fleet;
mod forecast;
mod istiod;
mod passage;
mod reach;
mod read;
mod scenario;
mod share;
mod table;
mod text;
mod words;
mod world;

pub use address::Address;
pub use envoy::{Ejections, Loss, Tries};
pub use fleet::Fleet;
pub use forecast::{Forecast, NoRoute, Request, Routed, State, Via, Way};
pub use passage::{Interruption, Live, both, interruptions};
pub use reach::Cause;
pub use read::Unforeseen;
pub use scenario::{Given, Situation};
pub use share::Share;
pub use table::{Client, Row, Table};
pub use world::{Fault, Pods, World};
