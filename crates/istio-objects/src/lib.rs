//! istio-objects
