//! Tests against a server in this process.
