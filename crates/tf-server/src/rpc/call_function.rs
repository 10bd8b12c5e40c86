//! `CallFunction`: computes the result of a function, or says which argument is wrong.

use std::sync::Arc;

use tf_value::Value;
use tf_value::schema::{FunctionSchema, Parameter};

use crate::wire::Wire;
use crate::{FunctionError, Server};

pub(crate) struct Request {
    pub(crate) name: String,
    pub(crate) arguments: Vec<Wire>,
}

pub(crate) struct Response {
    pub(crate) result: Result<Wire, FunctionError>,
}

pub(crate) async fn call(server: &Server, request: Request) -> Response {
    Response { result: compute(server, request).await }
}

async fn compute(server: &Server, request: Request) -> Result<Wire, FunctionError> {
    let Request { name, arguments } = request;
    let Some((function, schema)) = server.shared.functions.get(name.as_str()) else {
        return Err(general(format!("This provider has no function \"{name}\".")));
    };
    let arguments = decode_arguments(schema, &arguments)?;
    let function = Arc::clone(function);
    let result = server.guarded("CallFunction", &name, async move { function.call(arguments) }).await;
    let value = result.map_err(|panic| general(panic.detail))??;
    Wire::encode(&schema.returns, &value).map_err(|error| general(error.detail))
}

fn decode_arguments(schema: &FunctionSchema, arguments: &[Wire]) -> Result<Vec<Value>, FunctionError> {
    let (given, wanted) = (arguments.len(), schema.parameters.len());
    if given < wanted || (given > wanted && schema.variadic.is_none()) {
        return Err(general(format!("{wanted} arguments are needed, but {given} are given.")));
    }
    let parameters = schema.parameters.iter().chain(std::iter::repeat(schema.variadic.as_ref()).flatten());
    let arguments = arguments.iter().zip(parameters).enumerate();
    arguments.map(|(position, (argument, parameter))| decode_argument(position, argument, parameter)).collect()
}

fn decode_argument(position: usize, argument: &Wire, parameter: &Parameter) -> Result<Value, FunctionError> {
    let Parameter { name, description: _, ty, allow_null, allow_unknown } = parameter;
    let at = |text: String| FunctionError { text, argument: i64::try_from(position).ok() };
    let value = argument.decode(ty).map_err(|error| at(error.detail))?;
    if value.is_null() && !allow_null {
        return Err(at(format!("The argument \"{name}\" must not be null.")));
    }
    if !value.is_wholly_known() && !allow_unknown {
        return Err(at(format!("The argument \"{name}\" must be known.")));
    }
    Ok(value)
}

fn general(text: String) -> FunctionError {
    FunctionError { text, argument: None }
}
