//! tf-proto
