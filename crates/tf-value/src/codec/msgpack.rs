//! The msgpack form of values, which core sends and expects.

mod decode;
mod encode;

pub use decode::decode;
pub use encode::encode;
