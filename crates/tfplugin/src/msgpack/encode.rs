use crate::error::Error;
use crate::path::Step;
use crate::types::Type;
use crate::value::{Number, Value};

/// Writes a value of a type. Attributes that an object lacks are written as null.
///
/// # Errors
/// [`Error::Type`] if the value is not of the type.
pub fn encode(value: &Value, of: &Type) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(256);
    write(&mut bytes, value, of)?;
    Ok(bytes)
}

fn write(out: &mut Vec<u8>, value: &Value, of: &Type) -> Result<(), Error> {
    match (value, of) {
        (Value::Null, _) => out.push(0xc0),
        (Value::Unknown, _) => out.extend_from_slice(&[0xd4, 0, 0]),
        (value, Type::Dynamic) => {
            let concrete = Type::of(value);
            write_length(out, 2, Markers::ARRAY);
            write_bytes(out, &concrete.to_json());
            write(out, value, &concrete)?;
        }
        (Value::Bool(value), Type::Bool) => out.push(if *value { 0xc3 } else { 0xc2 }),
        (Value::Number(number), Type::Number) => write_number(out, number),
        (Value::String(text), Type::String) => write_text(out, text),
        (Value::List(elements), Type::List(of)) => {
            write_length(out, elements.len(), Markers::ARRAY);
            for (index, element) in elements.iter().enumerate() {
                write(out, element, of).map_err(|error| error.within(Step::Index(index as u64)))?;
            }
        }
        (Value::Set(elements), Type::Set(of)) => {
            write_length(out, elements.len(), Markers::ARRAY);
            for element in elements {
                write(out, element, of).map_err(|error| error.within(Step::Element))?;
            }
        }
        (Value::Tuple(elements), Type::Tuple(types)) if elements.len() == types.len() => {
            write_length(out, elements.len(), Markers::ARRAY);
            for (index, (element, of)) in elements.iter().zip(types).enumerate() {
                write(out, element, of).map_err(|error| error.within(Step::Index(index as u64)))?;
            }
        }
        (Value::Map(elements), Type::Map(of)) => {
            write_length(out, elements.len(), Markers::MAP);
            for (key, element) in elements {
                write_text(out, key);
                write(out, element, of).map_err(|error| error.within(Step::Key(key.clone())))?;
            }
        }
        (Value::Object(fields), Type::Object(attributes)) => {
            if let Some(name) = fields.keys().find(|name| !attributes.contains_key(*name)) {
                return Err(of
                    .mismatch("an object with another attribute")
                    .within(name.as_str()));
            }
            write_length(out, attributes.len(), Markers::MAP);
            for (name, of) in attributes {
                write_text(out, name);
                let field = fields.get(name).unwrap_or(&Value::Null);
                write(out, field, of).map_err(|error| error.within(name.as_str()))?;
            }
        }
        (value, of) => return Err(of.mismatch(value.kind())),
    }
    Ok(())
}

/// The markers of one kind of length-prefixed value.
struct Markers {
    fixed: u8,
    fixed_limit: usize,
    eight: Option<u8>,
    sixteen: u8,
    thirty_two: u8,
}

impl Markers {
    const TEXT: Self = Self {
        fixed: 0xa0,
        fixed_limit: 32,
        eight: Some(0xd9),
        sixteen: 0xda,
        thirty_two: 0xdb,
    };
    const BYTES: Self = Self {
        fixed: 0,
        fixed_limit: 0,
        eight: Some(0xc4),
        sixteen: 0xc5,
        thirty_two: 0xc6,
    };
    const ARRAY: Self = Self {
        fixed: 0x90,
        fixed_limit: 16,
        eight: None,
        sixteen: 0xdc,
        thirty_two: 0xdd,
    };
    const MAP: Self = Self {
        fixed: 0x80,
        fixed_limit: 16,
        eight: None,
        sixteen: 0xde,
        thirty_two: 0xdf,
    };
}

fn write_length(out: &mut Vec<u8>, length: usize, markers: Markers) {
    // Truncation: each branch has checked that the length fits, and no message reaches 4 GiB.
    match (length, markers.eight) {
        (length, _) if length < markers.fixed_limit => out.push(markers.fixed | length as u8),
        (length @ ..=0xff, Some(marker)) => out.extend_from_slice(&[marker, length as u8]),
        (length @ ..=0xffff, _) => {
            out.push(markers.sixteen);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        (length, _) => {
            out.push(markers.thirty_two);
            out.extend_from_slice(&(length as u32).to_be_bytes());
        }
    }
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    write_length(out, text.len(), Markers::TEXT);
    out.extend_from_slice(text.as_bytes());
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_length(out, bytes.len(), Markers::BYTES);
    out.extend_from_slice(bytes);
}

fn write_number(out: &mut Vec<u8>, number: &Number) {
    if let Some(value) = number.as_i64() {
        write_integer(out, value);
    } else if let Some(value) = number.as_u64() {
        out.push(0xcf);
        out.extend_from_slice(&value.to_be_bytes());
    } else if let Some(value) = number.as_exact_f64() {
        out.push(0xcb);
        out.extend_from_slice(&value.to_be_bytes());
    } else {
        write_text(out, &number.to_string());
    }
}

fn write_integer(out: &mut Vec<u8>, value: i64) {
    match value {
        -32..=0x7f => out.push(value as u8),
        0x80..=0xff => out.extend_from_slice(&[0xcc, value as u8]),
        0x100..=0xffff => {
            out.push(0xcd);
            out.extend_from_slice(&(value as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(0xce);
            out.extend_from_slice(&(value as u32).to_be_bytes());
        }
        -0x80..=-33 => out.extend_from_slice(&[0xd0, value as u8]),
        -0x8000..=-0x81 => {
            out.push(0xd1);
            out.extend_from_slice(&(value as i16).to_be_bytes());
        }
        -0x8000_0000..=-0x8001 => {
            out.push(0xd2);
            out.extend_from_slice(&(value as i32).to_be_bytes());
        }
        _ => {
            out.push(0xd3);
            out.extend_from_slice(&value.to_be_bytes());
        }
    }
}
