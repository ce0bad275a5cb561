//! Values from the wire: no bytes make the decoder panic, and what it reads it can write and read again.
//!
//! An input is a type in JSON, a zero byte, and MessagePack; without a zero byte it is a dynamic value.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tfplugin::msgpack::{decode, encode};
use tfplugin::types::Type;

fuzz_target!(|input: &[u8]| {
    let (of, bytes) = match input.iter().position(|byte| *byte == 0) {
        Some(at) => match Type::from_json(&input[..at]) {
            Ok(of) => (of, &input[at + 1..]),
            Err(_) => return,
        },
        None => (Type::Dynamic, input),
    };
    if let Ok(value) = decode(bytes, &of)
        // The type of a dynamic value is made up anew, and may be a wider one.
        && !format!("{of:?}").contains("Dynamic")
    {
        let written = encode(&value, &of).expect("a value that was read has its type");
        assert_eq!(decode(&written, &of).expect("what was written can be read"), value);
    }
});
