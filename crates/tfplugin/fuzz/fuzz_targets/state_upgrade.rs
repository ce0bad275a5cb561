//! Stored states, as UpgradeResourceState gets them: no bytes make the decoder panic, and what it reads
//! is wholly known and of the asked type.
//!
//! An input is a type in JSON, a zero byte, and a state in JSON.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tfplugin::msgpack::encode;
use tfplugin::resource::RawState;
use tfplugin::types::Type;

fuzz_target!(|input: &[u8]| {
    let Some(at) = input.iter().position(|byte| *byte == 0) else { return };
    let Ok(of) = Type::from_json(&input[..at]) else { return };
    let state = RawState::new(&input[at + 1..]);
    let _ = state.to_json();
    if let Ok(value) = state.decode(&of) {
        assert!(value.is_wholly_known());
        encode(&value, &of).expect("a state that was read has its type");
        assert_eq!(of.conform(value.clone()).expect("a state that was read has its type"), value);
    }
});
