//! The only doors between the messages of the wire and the neutral forms of this crate.
//!
//! `requests` come in, `responses` go out; `schema`, `diagnostics` and `value` are their parts. No decisions here.

mod diagnostics;
mod requests;
mod responses;
mod schema;
mod value;

#[cfg(test)]
mod tests;
