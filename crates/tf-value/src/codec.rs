//! msgpack and JSON forms of values.
