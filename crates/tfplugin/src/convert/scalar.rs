use super::{ConvertError, FromValue, IntoValue, Leaf, Shape};
use crate::value::{Number, Value};

impl FromValue for bool {
    fn from_value(value: Value) -> Result<Self, ConvertError> {
        match value {
            Value::Bool(value) => Ok(value),
            other => Err(ConvertError::expected("a bool", &other)),
        }
    }

    fn shape() -> Shape {
        Shape::Leaf(Leaf::Bool)
    }
}

impl IntoValue for bool {
    fn into_value(self) -> Value {
        Value::Bool(self)
    }
}

impl FromValue for String {
    fn from_value(value: Value) -> Result<Self, ConvertError> {
        match value {
            Value::String(value) => Ok(value),
            other => Err(ConvertError::expected("a string", &other)),
        }
    }

    fn shape() -> Shape {
        Shape::Leaf(Leaf::String)
    }
}

impl IntoValue for String {
    fn into_value(self) -> Value {
        Value::String(self)
    }
}

impl IntoValue for &str {
    fn into_value(self) -> Value {
        Value::from(self)
    }
}

impl FromValue for Number {
    fn from_value(value: Value) -> Result<Self, ConvertError> {
        match value {
            Value::Number(value) => Ok(value),
            other => Err(ConvertError::expected("a number", &other)),
        }
    }

    fn shape() -> Shape {
        Shape::Leaf(Leaf::Number)
    }
}

impl IntoValue for Number {
    fn into_value(self) -> Value {
        Value::Number(self)
    }
}

/// The nearest double. Writing it back gives the shortest decimal that reads as the same double, which
/// is what a person wrote; where exactness matters beyond that, hold a [`Number`].
impl FromValue for f64 {
    fn from_value(value: Value) -> Result<Self, ConvertError> {
        let nearest = Number::from_value(value)?.to_f64();
        if nearest.is_finite() {
            Ok(nearest)
        } else {
            Err(ConvertError::new("is too large a number"))
        }
    }

    fn shape() -> Shape {
        Shape::Leaf(Leaf::Number)
    }
}

/// What is not a number (NaN, infinity) is null.
impl IntoValue for f64 {
    fn into_value(self) -> Value {
        Number::from_f64(self).map_or(Value::Null, Value::Number)
    }
}

macro_rules! integers {
    ($($integer:ty: $read:ident, $range:literal;)*) => { $(
        impl FromValue for $integer {
            fn from_value(value: Value) -> Result<Self, ConvertError> {
                Number::from_value(value)?
                    .$read()
                    .and_then(|value| <$integer>::try_from(value).ok())
                    .ok_or_else(|| ConvertError::new(concat!("must be a whole number ", $range)))
            }

            fn shape() -> Shape {
                Shape::Leaf(Leaf::Number)
            }
        }

        impl IntoValue for $integer {
            fn into_value(self) -> Value {
                Value::Number(self.into())
            }
        }
    )* };
}
integers! {
    i64: as_i64, "of at most 64 bits";
    i32: as_i64, "of at most 32 bits";
    u64: as_u64, "from 0 to 18446744073709551615";
    u32: as_u64, "from 0 to 4294967295";
    u16: as_u64, "from 0 to 65535";
    u8: as_u64, "from 0 to 255";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_is_no_integer_and_says_so() {
        let half: Number = "0.5".parse().unwrap();
        let error = u16::from_value(Value::Number(half))
            .unwrap_err()
            .within("port");
        assert_eq!(
            error.to_string(),
            "port must be a whole number from 0 to 65535"
        );
        assert!(u16::from_value(Value::from(65536_i64)).is_err());
        assert_eq!(u16::from_value(Value::from(65535_i64)), Ok(65535));
    }

    #[test]
    fn a_double_is_written_as_the_decimal_that_a_person_means() {
        assert_eq!(0.1_f64.into_value(), Value::Number("0.1".parse().unwrap()));
        assert_eq!(f64::NAN.into_value(), Value::Null);
    }

    #[test]
    fn a_null_where_a_value_must_be_is_told_from_a_wrong_one() {
        assert_eq!(
            String::from_value(Value::Null)
                .unwrap_err()
                .within("a")
                .to_string(),
            "a must be a string, but is not set"
        );
        assert_eq!(
            String::from_value(Value::Unknown)
                .unwrap_err()
                .within("a")
                .to_string(),
            "a must be a string, but is not known yet"
        );
        assert_eq!(
            String::from_value(Value::Bool(true))
                .unwrap_err()
                .within("a")
                .to_string(),
            "a must be a string, but is a bool"
        );
    }
}
