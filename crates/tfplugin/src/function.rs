//! Provider functions: pure computations that HCL can call.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::context::Context;
use crate::convert::{ConvertError, FromValue};
use crate::types::Type;
use crate::value::Value;

/// A function. It has no client: Terraform may call it before the provider is configured.
#[async_trait]
pub trait Function: Send + Sync + 'static {
    /// The name that follows `provider::<name>::`.
    const NAME: &'static str;

    /// Parameters and result.
    fn signature(&self) -> Signature;

    /// Computes the result from the arguments alone.
    ///
    /// # Errors
    /// What is wrong, and with which argument.
    async fn call(&self, cx: &Context, arguments: Arguments) -> Result<Value, FunctionError>;
}

/// Parameters and result of a function.
#[derive(Clone, Debug)]
pub struct Signature {
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) variadic: Option<Parameter>,
    pub(crate) returns: Type,
    pub(crate) summary: String,
    pub(crate) description: String,
}

impl Signature {
    /// A function without parameters that returns this type.
    pub fn returning(returns: Type) -> Self {
        Self {
            parameters: Vec::new(),
            variadic: None,
            returns,
            summary: String::new(),
            description: String::new(),
        }
    }

    /// Adds a parameter.
    #[must_use]
    pub fn parameter(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// Any number of further arguments.
    #[must_use]
    pub fn variadic(mut self, parameter: Parameter) -> Self {
        self.variadic = Some(parameter);
        self
    }

    /// Says what the function does: in one line, and in Markdown.
    #[must_use]
    pub fn describe(mut self, summary: impl Into<String>, description: impl Into<String>) -> Self {
        self.summary = summary.into();
        self.description = description.into();
        self
    }

    /// The parameter that takes the argument at `index`.
    pub(crate) fn parameter_at(&self, index: usize) -> Option<&Parameter> {
        self.parameters.get(index).or(self.variadic.as_ref())
    }
}

/// A parameter of a function.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub(crate) name: String,
    pub(crate) of: Type,
    pub(crate) allow_null: bool,
    pub(crate) allow_unknown: bool,
    pub(crate) description: String,
}

impl Parameter {
    /// A parameter that takes known, non-null values. With an unknown argument Terraform does not call
    /// the function; its result is unknown then.
    pub fn new(name: impl Into<String>, of: Type, description: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            of,
            allow_null: false,
            allow_unknown: false,
            description: description.into(),
        }
    }

    /// The argument may be null.
    #[must_use]
    pub fn allow_null(mut self) -> Self {
        self.allow_null = true;
        self
    }

    /// The argument may be unknown.
    #[must_use]
    pub fn allow_unknown(mut self) -> Self {
        self.allow_unknown = true;
        self
    }
}

/// The arguments of a call, in order.
#[derive(Clone, Debug)]
pub struct Arguments {
    values: std::vec::IntoIter<Value>,
    taken: i64,
}

impl Arguments {
    /// Arguments for a call, as a test makes them.
    pub fn new(values: Vec<Value>) -> Self {
        Self {
            values: values.into_iter(),
            taken: 0,
        }
    }

    /// The next argument.
    ///
    /// # Errors
    /// If it does not fit `T`; the error names the argument.
    pub fn take<T: FromValue>(&mut self) -> Result<T, FunctionError> {
        let index = self.taken;
        self.taken += 1;
        let value = self.values.next().unwrap_or(Value::Null);
        T::from_value(value).map_err(|error| FunctionError::convert(&error).argument(index))
    }

    /// All further arguments.
    ///
    /// # Errors
    /// If one of them does not fit `T`; the error names the argument.
    pub fn rest<T: FromValue>(&mut self) -> Result<Vec<T>, FunctionError> {
        (0..self.values.len()).map(|_| self.take()).collect()
    }
}

/// Why a function has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionError {
    pub(crate) text: String,
    pub(crate) argument: Option<i64>,
}

impl FunctionError {
    /// What is wrong, and what would be right.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            argument: None,
        }
    }

    /// Blames the argument at `index`, counted from 0.
    #[must_use]
    pub fn argument(mut self, index: i64) -> Self {
        self.argument = Some(index);
        self
    }

    fn convert(error: &ConvertError) -> Self {
        if error.path().is_root() {
            Self::new(error.problem())
        } else {
            Self::new(error.to_string())
        }
    }
}

impl fmt::Display for FunctionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for FunctionError {}

/// A function as [`Provider::functions`](crate::Provider::functions) lists it.
pub fn function<F: Function>(function: F) -> Arc<dyn AnyFunction> {
    Arc::new(Named(function))
}

/// A function as the server holds it.
///
/// Made by [`function`]; not meant to be implemented by hand.
#[async_trait]
#[allow(missing_docs)]
pub trait AnyFunction: Send + Sync {
    fn name(&self) -> &'static str;
    fn signature(&self) -> Signature;
    async fn call(&self, cx: &Context, arguments: Arguments) -> Result<Value, FunctionError>;
}

struct Named<F>(F);

#[async_trait]
impl<F: Function> AnyFunction for Named<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn signature(&self) -> Signature {
        self.0.signature()
    }

    async fn call(&self, cx: &Context, arguments: Arguments) -> Result<Value, FunctionError> {
        self.0.call(cx, arguments).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_that_does_not_fit_is_named_by_its_position() {
        let mut arguments = Arguments::new(vec!["a".into(), 1_i64.into(), "c".into()]);
        assert_eq!(arguments.take::<String>().unwrap(), "a");
        let error = arguments.rest::<i64>().unwrap_err();
        assert_eq!(
            error,
            FunctionError::new("must be a number, but is a string").argument(2)
        );
    }
}
