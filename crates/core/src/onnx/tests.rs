use super::*;

/// Writes protobuf messages: the opposite of [`Fields`].
#[derive(Clone, Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(mut self, field: u64, value: u64) -> Self {
        self.push(field << 3);
        self.push(value);
        self
    }

    fn bytes(mut self, field: u64, value: impl AsRef<[u8]>) -> Self {
        self.push(field << 3 | 2);
        self.push(value.as_ref().len() as u64);
        self.0.extend_from_slice(value.as_ref());
        self
    }

    fn message(self, field: u64, value: Message) -> Self {
        self.bytes(field, value.0)
    }

    fn push(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

fn tensor(name: &str, element: u64, shape: &[i64]) -> Message {
    let dims = shape.iter().fold(Message::default(), |dims, size| {
        let dim = match size {
            -1 => Message::default().bytes(2, "N"),
            size => Message::default().varint(1, *size as u64),
        };
        dims.message(1, dim)
    });
    let type_ = Message::default().varint(1, element).message(2, dims);
    Message::default()
        .bytes(1, name)
        .message(2, Message::default().message(1, type_))
}

fn node(op: &str, input: &str, output: &str) -> Message {
    Message::default()
        .bytes(1, input)
        .bytes(2, output)
        .bytes(3, format!("{op}_node"))
        .bytes(4, op)
}

fn model(graph: Message) -> Vec<u8> {
    let opset = Message::default().varint(2, 17);
    Message::default()
        .varint(1, 8)
        .bytes(2, "test")
        .message(8, opset)
        .message(7, graph)
        .0
}

/// A model with an initializer of so many bytes.
pub(super) fn model_with_weights(size: usize) -> Vec<u8> {
    let weights = Message::default()
        .varint(2, 1)
        .bytes(8, "w")
        .bytes(9, vec![7; size]);
    model(relu().message(5, weights))
}

fn relu() -> Message {
    Message::default()
        .message(1, node("Relu", "x", "y"))
        .bytes(2, "graph")
        .message(11, tensor("x", 1, &[-1, 4]))
        .message(12, tensor("y", 1, &[-1, 4]))
}

#[test]
fn signature_names_types_and_dynamic_dimensions() {
    let signature = inspect(&model(relu())).unwrap();
    assert_eq!(
        serde_json::to_value(&signature).unwrap(),
        serde_json::json!({
            "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}],
            "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 4]}],
        })
    );
}

#[test]
fn an_initializer_is_no_input() {
    let weights = Message::default()
        .varint(1, 4)
        .varint(2, 1)
        .bytes(8, "w")
        .bytes(9, [0; 16]);
    let graph = relu().message(11, tensor("w", 1, &[4])).message(5, weights);
    let names: Vec<_> = inspect(&model(graph))
        .unwrap()
        .inputs
        .into_iter()
        .map(|i| i.name)
        .collect();
    assert_eq!(names, ["x"]);
}

#[test]
fn a_map_of_probabilities_is_reported_as_the_tensor_that_is_answered() {
    let labels = (0..3).fold(Message::default().bytes(1, "classlabels_int64s"), |a, i| {
        a.varint(8, i)
    });
    let zip = node("ZipMap", "y", "probability").message(5, labels);
    let sequence = Message::default().message(4, Message::default());
    let output = Message::default()
        .bytes(1, "probability")
        .message(2, sequence);
    let signature = inspect(&model(relu().message(1, zip).message(12, output))).unwrap();
    assert_eq!(
        signature.outputs[1],
        Tensor {
            name: "probability".into(),
            datatype: Datatype::Fp32,
            shape: vec![-1, 3]
        }
    );
}

#[test]
fn an_operator_without_implementation_is_refused_by_name() {
    let error = inspect(&model(relu().message(1, node("FancyAttention", "y", "z")))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "operator \"FancyAttention\" (domain \"\", node \"FancyAttention_node\") is not supported by the model server"
    );
}

#[test]
fn an_operator_inside_a_subgraph_is_seen() {
    let branch = Message::default().message(1, node("Hidden", "a", "b"));
    let attribute = Message::default()
        .bytes(1, "then_branch")
        .message(6, branch);
    let error = inspect(&model(
        relu().message(1, node("If", "c", "d").message(5, attribute)),
    ))
    .unwrap_err();
    assert!(matches!(error, InspectError::UnsupportedOperator { op, .. } if op == "Hidden"));
}

#[test]
fn subgraphs_nested_without_end_are_refused() {
    let mut graph = Message::default();
    for _ in 0..10_000 {
        let attribute = Message::default().message(6, graph);
        graph = Message::default().message(1, node("If", "c", "d").message(5, attribute));
    }
    assert_eq!(
        inspect(&model(graph)).unwrap_err().to_string(),
        "the ONNX model is corrupt: its subgraphs are nested too deeply"
    );
}

#[test]
fn weights_outside_the_file_are_refused() {
    let outside = Message::default().bytes(8, "w").varint(14, 1);
    assert_eq!(
        inspect(&model(relu().message(5, outside))).unwrap_err(),
        InspectError::ExternalData { tensor: "w".into() }
    );
}

#[test]
fn other_files_are_not_onnx() {
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice();
    for other in [
        b"hello, world\n".as_slice(),
        b"PK\x03\x04",
        b"\x80\x04\x95\x10",
        png,
        b"{}",
        b"\0\0\0\0",
    ] {
        assert_eq!(inspect(other), Err(InspectError::NotOnnx), "{other:?}");
    }
    assert_eq!(inspect(b""), Err(InspectError::Empty));
}

#[test]
fn a_model_cut_anywhere_is_an_error_and_mostly_called_truncated() {
    let whole = model(relu());
    let graph_begins = whole.len() - relu().0.len();
    for length in 0..whole.len() {
        let error = inspect(&whole[..length]).expect_err("a part is no model");
        if length >= graph_begins {
            assert_eq!(
                error,
                InspectError::Truncated,
                "{length} of {}",
                whole.len()
            );
        }
    }
}

#[test]
fn types_that_the_protocol_cannot_carry_are_refused() {
    let error = inspect(&model(relu().message(11, tensor("c", 14, &[1])))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "input \"c\" has a type that cannot be served: elements of ONNX type number 14"
    );
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..512)) {
        let _ = inspect(&bytes);
    }

    #[test]
    fn no_damage_makes_it_panic(at in 0usize..10_000, to in proptest::num::u8::ANY, cut in 0usize..10_000) {
        let mut bytes = model(relu());
        let length = bytes.len();
        bytes[at % length] = to;
        bytes.truncate(cut % (length + 1));
        let _ = inspect(&bytes);
    }
}
