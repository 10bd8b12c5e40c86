//! The declared schemas, and constants that two rooms share without knowing each other.

use terraform_provider_gloo::Gloo;
use tf_server::Provider;
use tf_value::schema::Place;

#[test]
fn every_schema_keeps_the_rules_of_core() {
    let gloo = Gloo::new();
    assert_eq!(gloo.schema().violations(Place::Provider), Vec::new());
    for resource in gloo.resources() {
        assert_eq!(resource.schema().violations(Place::Resource), Vec::new(), "{}", resource.type_name());
        assert!(resource.type_name().starts_with("gloo_"));
    }
    for source in gloo.data_sources() {
        assert_eq!(source.schema().violations(Place::DataSource), Vec::new(), "{}", source.type_name());
    }
}

#[test]
fn discovery_and_objects_agree_on_the_claim() {
    assert_eq!(mesh_discovery::CLAIM_ANNOTATION, istio_objects::reserved::CLAIM_ANNOTATION);
}

/// What data sources give is what resources take: the shapes of facts and backends are the same on both sides.
#[test]
fn results_of_data_sources_fit_the_arguments() {
    let gloo = Gloo::new();
    let resource = |name: &str| gloo.resources().into_iter().find(|found| found.type_name() == name).unwrap().schema().ty();
    let source = |name: &str| gloo.data_sources().into_iter().find(|found| found.type_name() == name).unwrap().schema().ty();
    let part = |ty: &tf_value::Type, name: &str| match ty {
        tf_value::Type::Object(attributes) => attributes[name].clone(),
        other => panic!("{other:?} is no object"),
    };
    let mesh = resource("gloo_virtual_mesh");
    let destination = resource("gloo_virtual_destination");
    assert_eq!(part(&mesh, "clusters"), tf_value::Type::map(part(&source("gloo_cluster"), "facts")));
    assert_eq!(part(&mesh, "mesh"), part(&destination, "virtual_mesh"));
    let backends = part(&source("gloo_service"), "backends");
    let tf_value::Type::Map(listed) = part(&source("gloo_services"), "services") else { panic!("a map") };
    assert_eq!(part(&listed, "backends"), backends);
    assert_eq!(backends, part(&part(&mesh, "federation"), "exports"));
    // which subsets a cluster serves is the author's choice: a cluster does not say it
    let tf_value::Type::List(taken) = part(&destination, "backends") else { panic!("a list") };
    let tf_value::Type::Object(mut taken) = *taken else { panic!("of objects") };
    assert!(taken.remove("subsets").is_some());
    assert_eq!(backends, tf_value::Type::list(tf_value::Type::Object(taken)));
}
