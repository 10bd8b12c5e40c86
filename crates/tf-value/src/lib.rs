//! tf-value
