use std::collections::BTreeMap;

use crate::error::Error;
use crate::path::Step;
use crate::types::Type;
use crate::value::{Number, Value};

/// How deep a value may nest.
pub const MAX_DEPTH: usize = 128;

/// How many values one message may hold, those inside others included. A value in memory is larger
/// than on the wire; the bound keeps a message of the largest size from growing to gigabytes.
pub const MAX_VALUES: usize = 4_000_000;

/// The extension that stands for an unknown value.
const UNKNOWN: i8 = 0;
/// The extension that stands for an unknown value with what core knows about it.
const REFINED_UNKNOWN: i8 = 12;

/// Reads one value of a type that fills all of `bytes`.
///
/// # Errors
/// [`Error::MsgPack`] for malformed bytes or values beyond [`MAX_DEPTH`] and [`MAX_VALUES`],
/// [`Error::Type`] for a value of another type. It never panics, whatever the bytes.
pub fn decode(bytes: &[u8], of: &Type) -> Result<Value, Error> {
    let mut reader = Reader {
        bytes,
        at: 0,
        values: MAX_VALUES,
    };
    let value = reader.value(of, MAX_DEPTH)?;
    if reader.at < bytes.len() {
        return Err(reader.malformed("there are bytes after the value"));
    }
    Ok(value)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    values: usize,
}

/// What a marker byte announces; lengths are read.
enum Token<'a> {
    Nil,
    Bool(bool),
    Number(Number),
    Bytes(&'a [u8]),
    Array(usize),
    Map(usize),
    Unknown,
}

impl Token<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "null",
            Self::Bool(_) => "a bool",
            Self::Number(_) => "a number",
            Self::Bytes(_) => "a string",
            Self::Array(_) => "a list",
            Self::Map(_) => "a map",
            Self::Unknown => "an unknown value",
        }
    }
}

impl<'a> Reader<'a> {
    fn malformed(&self, reason: &'static str) -> Error {
        Error::MsgPack {
            offset: self.at,
            reason,
        }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let taken = self.bytes[self.at..]
            .get(..count)
            .ok_or_else(|| self.malformed("the value is cut off"))?;
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let taken = self.take(N)?;
        Ok(taken
            .try_into()
            .expect("as many bytes as asked for were taken"))
    }

    fn u8(&mut self) -> Result<u8, Error> {
        self.array().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Result<u16, Error> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_be_bytes)
    }

    fn length_u32(&mut self) -> Result<usize, Error> {
        let length = self.u32()?;
        usize::try_from(length).map_err(|_| self.malformed("the length is out of range"))
    }

    fn token(&mut self) -> Result<Token<'a>, Error> {
        let marker = self.u8()?;
        Ok(match marker {
            0x00..=0x7f => Token::Number(Number::from(marker)),
            0x80..=0x8f => self.map(usize::from(marker & 0x0f))?,
            0x90..=0x9f => self.list(usize::from(marker & 0x0f))?,
            0xa0..=0xbf => Token::Bytes(self.take(usize::from(marker & 0x1f))?),
            0xc0 => Token::Nil,
            0xc2 => Token::Bool(false),
            0xc3 => Token::Bool(true),
            0xc4 | 0xd9 => {
                let length = self.u8()?;
                Token::Bytes(self.take(length.into())?)
            }
            0xc5 | 0xda => {
                let length = self.u16()?;
                Token::Bytes(self.take(length.into())?)
            }
            0xc6 | 0xdb => {
                let length = self.length_u32()?;
                Token::Bytes(self.take(length)?)
            }
            0xc7 => {
                let length = self.u8()?;
                self.extension(length.into())?
            }
            0xc8 => {
                let length = self.u16()?;
                self.extension(length.into())?
            }
            0xc9 => {
                let length = self.length_u32()?;
                self.extension(length)?
            }
            0xca => self.double(|reader| reader.array().map(f32::from_be_bytes).map(f64::from))?,
            0xcb => self.double(|reader| reader.array().map(f64::from_be_bytes))?,
            0xcc => Token::Number(self.u8()?.into()),
            0xcd => Token::Number(self.u16()?.into()),
            0xce => Token::Number(self.u32()?.into()),
            0xcf => Token::Number(self.array().map(u64::from_be_bytes)?.into()),
            0xd0 => Token::Number(self.array().map(i8::from_be_bytes)?.into()),
            0xd1 => Token::Number(self.array().map(i16::from_be_bytes)?.into()),
            0xd2 => Token::Number(self.array().map(i32::from_be_bytes)?.into()),
            0xd3 => Token::Number(self.array().map(i64::from_be_bytes)?.into()),
            0xd4..=0xd8 => self.extension(1 << (marker - 0xd4))?,
            0xdc => {
                let length = self.u16()?;
                self.list(length.into())?
            }
            0xdd => {
                let length = self.length_u32()?;
                self.list(length)?
            }
            0xde => {
                let length = self.u16()?;
                self.map(length.into())?
            }
            0xdf => {
                let length = self.length_u32()?;
                self.map(length)?
            }
            0xe0..=0xff => Token::Number(Number::from(marker as i8)),
            0xc1 => return Err(self.malformed("the marker c1 is never used")),
        })
    }

    /// A claimed number of elements, each of which takes at least one byte.
    fn list(&self, length: usize) -> Result<Token<'a>, Error> {
        if length > self.bytes.len() - self.at {
            return Err(self.malformed("the list is cut off"));
        }
        Ok(Token::Array(length))
    }

    fn map(&self, length: usize) -> Result<Token<'a>, Error> {
        if length > (self.bytes.len() - self.at) / 2 {
            return Err(self.malformed("the map is cut off"));
        }
        Ok(Token::Map(length))
    }

    fn double(
        &mut self,
        read: impl Fn(&mut Self) -> Result<f64, Error>,
    ) -> Result<Token<'a>, Error> {
        let number = Number::from_f64_exact(read(self)?);
        number
            .map(Token::Number)
            .ok_or_else(|| self.malformed("the number is not finite"))
    }

    fn extension(&mut self, length: usize) -> Result<Token<'a>, Error> {
        let kind: i8 = self.array().map(i8::from_be_bytes)?;
        self.take(length)?;
        match kind {
            UNKNOWN | REFINED_UNKNOWN => Ok(Token::Unknown),
            _ => Err(self.malformed("the extension is none of the protocol's")),
        }
    }

    fn text(&self, bytes: &'a [u8]) -> Result<&'a str, Error> {
        std::str::from_utf8(bytes).map_err(|_| self.malformed("the string is not UTF-8"))
    }

    fn key(&mut self) -> Result<&'a str, Error> {
        match self.token()? {
            Token::Bytes(bytes) => self.text(bytes),
            _ => Err(self.malformed("the key is not a string")),
        }
    }

    fn value(&mut self, of: &Type, depth: usize) -> Result<Value, Error> {
        let depth = depth
            .checked_sub(1)
            .ok_or_else(|| self.malformed("the value nests too deep"))?;
        self.values = self
            .values
            .checked_sub(1)
            .ok_or_else(|| self.malformed("there are too many values"))?;
        match (self.token()?, of) {
            (Token::Nil, _) => Ok(Value::Null),
            (Token::Unknown, _) => Ok(Value::Unknown),
            (Token::Bool(value), Type::Bool) => Ok(Value::Bool(value)),
            (Token::Number(number), Type::Number) => Ok(Value::Number(number)),
            (Token::Bytes(bytes), Type::Number) => {
                let text = self.text(bytes)?;
                text.parse()
                    .map(Value::Number)
                    .map_err(|_| of.mismatch("a string that is no number"))
            }
            (Token::Bytes(bytes), Type::String) => Ok(Value::from(self.text(bytes)?)),
            (Token::Array(length), Type::List(element)) => self
                .elements(length, element, depth, |index| Step::Index(index as u64))
                .map(Value::List),
            (Token::Array(length), Type::Set(element)) => self
                .elements(length, element, depth, |_| Step::Element)
                .map(Value::set),
            (Token::Array(length), Type::Tuple(types)) if length == types.len() => {
                let mut elements = Vec::with_capacity(length);
                for (index, of) in types.iter().enumerate() {
                    elements.push(
                        self.value(of, depth)
                            .map_err(|error| error.within(Step::Index(index as u64)))?,
                    );
                }
                Ok(Value::Tuple(elements))
            }
            (Token::Array(2), Type::Dynamic) => {
                let Token::Bytes(bytes) = self.token()? else {
                    return Err(self.malformed("a dynamic value begins with its type"));
                };
                match Type::from_json(bytes)? {
                    Type::Dynamic => {
                        Err(self.malformed("a dynamic value cannot be of dynamic type"))
                    }
                    of => self.value(&of, depth),
                }
            }
            (Token::Map(length), Type::Map(element)) => {
                let mut elements = BTreeMap::new();
                for _ in 0..length {
                    let key = self.key()?;
                    let value = self
                        .value(element, depth)
                        .map_err(|error| error.within(Step::Key(key.to_owned())))?;
                    elements.insert(key.to_owned(), value);
                }
                Ok(Value::Map(elements))
            }
            (Token::Map(length), Type::Object(attributes)) => {
                self.object(length, attributes, depth)
            }
            (token, of) => Err(of.mismatch(token.kind())),
        }
    }

    fn elements(
        &mut self,
        length: usize,
        of: &Type,
        depth: usize,
        step: impl Fn(usize) -> Step,
    ) -> Result<Vec<Value>, Error> {
        // The claim was checked against the bytes that are left, but a value is larger than a byte.
        let mut elements = Vec::with_capacity(length.min(1024));
        for index in 0..length {
            elements.push(
                self.value(of, depth)
                    .map_err(|error| error.within(step(index)))?,
            );
        }
        Ok(elements)
    }

    fn object(
        &mut self,
        length: usize,
        attributes: &BTreeMap<String, Type>,
        depth: usize,
    ) -> Result<Value, Error> {
        let mut fields = BTreeMap::new();
        for _ in 0..length {
            let name = self.key()?;
            let Some(of) = attributes.get(name) else {
                let error = Error::Type {
                    path: crate::path::Path::root(),
                    expected: "no such attribute".to_owned(),
                    found: "one".to_owned(),
                };
                return Err(error.within(name));
            };
            let value = self.value(of, depth).map_err(|error| error.within(name))?;
            fields.insert(name.to_owned(), value);
        }
        if fields.len() < attributes.len() {
            for name in attributes.keys() {
                if !fields.contains_key(name) {
                    fields.insert(name.clone(), Value::Null);
                }
            }
        }
        Ok(Value::Object(fields))
    }
}
