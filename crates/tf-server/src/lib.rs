//! tf-server
