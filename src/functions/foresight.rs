//! `failover_table` and `diagram`: what a virtual destination does when something dies, as texts.

use tf_server::{Function, FunctionError};
use tf_value::schema::{FunctionSchema, Parameter};
use tf_value::{Type, Value};

use crate::foresight::{Foreseen, foresee};

/// `failover_table`: who serves in which situation, as text of fixed width.
pub(crate) struct FailoverTable;

/// `diagram`: clients, ranks, gateways and pods, as Mermaid.
pub(crate) struct Diagram;

impl Function for FailoverTable {
    fn name(&self) -> &'static str {
        "failover_table"
    }

    fn schema(&self) -> FunctionSchema {
        schema(
            "Who serves a virtual destination when something dies",
            "A table, as text: for each client cluster and each situation (all is well, own pods dead, own application dead, each other cluster, its gateway or its region down, those that serve dead one after the other) the clusters that serve with their shares of requests, and what the first requests meet. It is computed from the objects that are planned, without a cluster, as istiod and Envoy treat them; every cluster has two pods in it. Several ports have a table each. For other numbers, own situations and single values there is the data source `gloo_failover`.",
        )
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        answer(&arguments, |foreseen| {
            let tables = foreseen.ports.iter().map(|port| foreseen.table(*port, None).to_string());
            tables.collect::<Vec<_>>().join("\n")
        })
    }
}

impl Function for Diagram {
    fn name(&self) -> &'static str {
        "diagram"
    }

    fn schema(&self) -> FunctionSchema {
        schema(
            "A virtual destination as a Mermaid diagram",
            "Clients, gateways and pods of every cluster that takes part, and the ways between them, as text that Mermaid draws. Numbers say in which order a client goes: by solid arrows when all is well, by dotted ones when those before fail; a crossed arrow is a way where nothing answers. Ports do not differ in their ways; the first one is drawn. It is computed from the objects that are planned, without a cluster.",
        )
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        answer(&arguments, Foreseen::diagram)
    }
}

fn schema(summary: &str, description: &str) -> FunctionSchema {
    FunctionSchema {
        summary: summary.to_owned(),
        description: description.to_owned(),
        parameters: vec![Parameter {
            name: "destination".to_owned(),
            description: "The resource: `gloo_virtual_destination.<name>`. What it computes is not looked at. As long as an argument that matters is not known, neither is the result.".to_owned(),
            ty: Type::Dynamic,
            allow_null: false,
            allow_unknown: true,
        }],
        variadic: None,
        returns: Type::String,
    }
}

fn answer(arguments: &[Value], text: impl FnOnce(&Foreseen) -> String) -> Result<Value, FunctionError> {
    let destination = arguments.first().unwrap_or(&Value::Null);
    match foresee(destination) {
        Ok(Some(foreseen)) => Ok(Value::string(text(&foreseen))),
        Ok(None) => Ok(Value::unknown()),
        Err(refusal) => {
            let paragraphs = std::iter::once(format!("{}.", refusal.summary)).chain(refusal.details);
            Err(FunctionError { text: paragraphs.collect::<Vec<_>>().join("\n\n"), argument: Some(0) })
        }
    }
}
