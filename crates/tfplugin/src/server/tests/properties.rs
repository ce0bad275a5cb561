//! Random schemas, configurations and prior states against the framework's plan and a resource that
//! echoes: the contract, which debug builds check in the server, never breaks.

use async_trait::async_trait;
use proptest::prelude::*;

use super::*;
use crate::context::{ApplyContext, ReadContext};
use crate::contract;
use crate::diagnostics::Diagnostics;
use crate::msgpack::tests::{types, value_of};
use crate::resource::{
    Applied, ApplyFailed, CreateRequest, DeleteRequest, ReadRequest, Refreshed, Resource,
    UpdateRequest,
};
use crate::schema::{Attribute, AttributeType, Block, Nested, Nesting};

/// A resource of any schema that makes up what is unknown.
pub(super) struct Echo(Block);

impl Echo {
    pub(super) fn new(block: Block) -> Self {
        Self(block)
    }

    fn made(&self, planned: Value) -> Value {
        made_up(&self.0.object_type(), planned)
    }
}

fn made_up(of: &Type, planned: Value) -> Value {
    match (of, planned) {
        (of, Value::Unknown) => match of {
            Type::Bool => true.into(),
            Type::Number => 42_i64.into(),
            Type::String => "made up".into(),
            Type::List(_) => Value::List(vec![]),
            Type::Set(_) => Value::Set(vec![]),
            Type::Map(_) => Value::Map(Default::default()),
            Type::Object(attributes) => Value::object(
                attributes
                    .iter()
                    .map(|(name, of)| (name.as_str(), made_up(of, Value::Unknown))),
            ),
            Type::Tuple(types) => {
                Value::Tuple(types.iter().map(|of| made_up(of, Value::Unknown)).collect())
            }
            Type::Dynamic => Value::Null,
        },
        (Type::List(of), Value::List(elements)) => Value::List(
            elements
                .into_iter()
                .map(|element| made_up(of, element))
                .collect(),
        ),
        (Type::Set(of), Value::Set(elements)) => {
            Value::set(elements.into_iter().map(|element| made_up(of, element)))
        }
        (Type::Map(of), Value::Map(elements)) => Value::map(
            elements
                .into_iter()
                .map(|(key, element)| (key, made_up(of, element))),
        ),
        (Type::Object(attributes), Value::Object(fields)) => {
            Value::object(fields.into_iter().map(|(name, field)| {
                let made = made_up(&attributes[&name], field);
                (name, made)
            }))
        }
        (Type::Tuple(types), Value::Tuple(elements)) => Value::Tuple(
            types
                .iter()
                .zip(elements)
                .map(|(of, element)| made_up(of, element))
                .collect(),
        ),
        (_, known) => known,
    }
}

#[async_trait]
impl Resource<()> for Echo {
    type State = Value;
    const TYPE: &'static str = "test_echo";

    fn schema(&self) -> Schema {
        Schema::new(self.0.clone())
    }

    async fn create(
        &self,
        _: &ApplyContext<()>,
        request: CreateRequest<Value>,
    ) -> Result<Applied<Value>, ApplyFailed<Value>> {
        Ok(Applied::new(self.made(request.planned)))
    }

    async fn read(
        &self,
        _: &ReadContext<()>,
        request: ReadRequest<Value>,
    ) -> Result<Option<Refreshed<Value>>, Diagnostics> {
        Ok(Some(request.state.into()))
    }

    async fn update(
        &self,
        _: &ApplyContext<()>,
        request: UpdateRequest<Value>,
    ) -> Result<Applied<Value>, ApplyFailed<Value>> {
        Ok(Applied::new(self.made(request.planned)))
    }

    async fn delete(
        &self,
        _: &ApplyContext<()>,
        _: DeleteRequest<Value>,
    ) -> Result<(), ApplyFailed<Value>> {
        Ok(())
    }
}

/// What an attribute is declared as.
fn declared(
    attribute: Attribute,
    of: Type,
    mode: u8,
    keep: bool,
    replace: bool,
) -> BoxedStrategy<Attribute> {
    let attribute = if keep {
        attribute.use_state_for_unknown()
    } else {
        attribute
    };
    let attribute = if replace {
        attribute.requires_replace()
    } else {
        attribute
    };
    match mode {
        0 => Just(attribute.required()).boxed(),
        1 => Just(attribute.optional()).boxed(),
        2 => Just(attribute.optional().computed()).boxed(),
        3 => Just(attribute.computed()).boxed(),
        4 => Just(attribute.optional().write_only()).boxed(),
        _ => known(&of)
            .prop_map(move |default| attribute.clone().default(default))
            .boxed(),
    }
}

fn known(of: &Type) -> BoxedStrategy<Value> {
    let of = of.clone();
    value_of(&of)
        .prop_map(move |value| {
            made_up(
                &of,
                if value.is_null() {
                    Value::Unknown
                } else {
                    value
                },
            )
        })
        .boxed()
}

fn plain() -> BoxedStrategy<Attribute> {
    (types(), 0..6_u8, any::<bool>(), prop::bool::weighted(0.2))
        .prop_flat_map(|(of, mode, keep, replace)| {
            declared(Attribute::of_type(of.clone()), of, mode, keep, replace)
        })
        .boxed()
}

/// Attributes for a nested object. In a set they are not computed and not write-only: an element without a
/// name cannot be found again once its content changes, which [`Attribute::set_nested`] says.
fn inner(in_set: bool) -> BoxedStrategy<Nested> {
    let leaf = (
        prop_oneof![Just(Type::String), Just(Type::Number)],
        0..6_u8,
        any::<bool>(),
    );
    let leaf = leaf.prop_flat_map(move |(of, mode, keep)| {
        let mode = if in_set { mode % 2 } else { mode };
        declared(Attribute::of_type(of.clone()), of, mode, keep, false)
    });
    prop::collection::btree_map("[a-c]", leaf, 1..3)
        .prop_map(|attributes| {
            attributes
                .into_iter()
                .fold(Nested::new(), |nested, (name, of)| {
                    nested.attribute(name, of)
                })
        })
        .boxed()
}

fn nested() -> BoxedStrategy<Attribute> {
    (0..4_u8, 0..3_u8)
        .prop_flat_map(|(nesting, mode)| {
            inner(nesting == 2).prop_map(move |nested| {
                let attribute = match nesting {
                    0 => Attribute::single_nested(nested),
                    1 => Attribute::list_nested(nested),
                    2 => Attribute::set_nested(nested),
                    _ => Attribute::map_nested(nested),
                };
                match mode {
                    0 => attribute.required(),
                    1 => attribute.optional(),
                    _ => attribute.optional().computed(),
                }
            })
        })
        .boxed()
}

fn blocks() -> impl Strategy<Value = Block> {
    let attributes =
        || prop::collection::btree_map("[a-f]", prop_oneof![2 => plain(), 1 => nested()], 1..5);
    let simple = prop::collection::btree_map("[a-c]", plain(), 0..3);
    (
        attributes(),
        prop::collection::btree_map("[x-z]", simple, 0..2),
    )
        .prop_map(|(attributes, singles)| {
            let fill = |block: Block, attributes: std::collections::BTreeMap<String, Attribute>| {
                attributes
                    .into_iter()
                    .fold(block, |block, (name, of)| block.attribute(name, of))
            };
            singles
                .into_iter()
                .fold(fill(Block::new(), attributes), |block, (name, inner)| {
                    block.single(name, fill(Block::new(), inner))
                })
        })
}

/// A configuration that core would accept: required values set, computed ones not.
fn config_of(block: &Block, unknown: bool) -> BoxedStrategy<Value> {
    let mut fields: Vec<BoxedStrategy<(String, Value)>> = Vec::new();
    for (name, attribute) in block.attributes() {
        let name = name.to_owned();
        fields.push(
            configured(attribute, unknown)
                .prop_map(move |value| (name.clone(), value))
                .boxed(),
        );
    }
    for (name, nested) in block.blocks() {
        let name = name.to_owned();
        let some = config_of(nested.block(), unknown);
        fields.push(
            prop_oneof![Just(Value::Null), some]
                .prop_map(move |value| (name.clone(), value))
                .boxed(),
        );
    }
    fields.prop_map(Value::object).boxed()
}

fn configured(attribute: &Attribute, unknown: bool) -> BoxedStrategy<Value> {
    if !attribute.is_required() && !attribute.is_optional() {
        return Just(Value::Null).boxed();
    }
    let set: BoxedStrategy<Value> = match attribute.of() {
        AttributeType::Plain(of) => {
            let of = of.clone();
            let any = value_of(&of);
            any.prop_map(move |value| match value {
                value if value.is_null() || !unknown && !value.is_wholly_known() => made_up(
                    &of,
                    if value.is_null() {
                        Value::Unknown
                    } else {
                        value
                    },
                ),
                value => value,
            })
            .boxed()
        }
        AttributeType::Nested(nesting, nested) => {
            let fields: Vec<_> = nested
                .attributes()
                .map(|(name, attribute)| {
                    let name = name.to_owned();
                    configured(attribute, unknown)
                        .prop_map(move |value| (name.clone(), value))
                        .boxed()
                })
                .collect();
            let object = fields.prop_map(Value::object).boxed();
            match nesting {
                Nesting::Single => object,
                Nesting::List => prop::collection::vec(object, 0..3)
                    .prop_map(Value::List)
                    .boxed(),
                Nesting::Set => prop::collection::vec(object, 0..3)
                    .prop_map(Value::set)
                    .boxed(),
                Nesting::Map => prop::collection::btree_map("[k-m]", object, 0..3)
                    .prop_map(Value::Map)
                    .boxed(),
            }
        }
    };
    match (attribute.is_required(), unknown) {
        (true, false) => set,
        (true, true) => prop_oneof![1 => Just(Value::Unknown), 5 => set].boxed(),
        (false, false) => prop_oneof![1 => Just(Value::Null), 2 => set].boxed(),
        (false, true) => {
            prop_oneof![1 => Just(Value::Null), 1 => Just(Value::Unknown), 3 => set].boxed()
        }
    }
}

/// A schema, a configuration to create with, and one to update to, which may hold unknowns.
fn cases() -> impl Strategy<Value = (Block, Value, Value)> {
    blocks().prop_flat_map(|block| {
        let (first, second) = (config_of(&block, false), config_of(&block, true));
        (Just(block), first, second)
    })
}

fn run(block: Block, first: Value, second: Value) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let echo = Echo::new(block.clone());
        let schema = echo.schema();
        let of = schema.object_type().clone();
        let bench = Bench::of(Echo::TYPE, schema, Some(crate::resource(echo)))
            .configured()
            .await;

        // Create, read, and a second plan that must be empty.
        let planned = bench.plan(&first, &Value::Null).await;
        prop_assert!(
            planned.errors().is_empty(),
            "create plan: {:?}",
            planned.errors()
        );
        let made = bench.apply(&first, &Value::Null, &planned).await;
        prop_assert!(made.errors().is_empty(), "create: {:?}", made.errors());
        let read = bench.read(&made.state, &made.private).await;
        prop_assert_eq!(&read.state, &made.state);
        let again = bench.plan(&first, &made.state).await;
        prop_assert!(
            again.errors().is_empty(),
            "second plan: {:?}",
            again.errors()
        );
        prop_assert_eq!(&again.state, &made.state, "the second plan is not empty");
        prop_assert!(again.requires_replace.is_empty());

        // Plan an update with unknowns, then again as core does in the apply walk, with values.
        let planned = bench.plan(&second, &made.state).await;
        prop_assert!(
            planned.errors().is_empty(),
            "update plan: {:?}",
            planned.errors()
        );
        let resolved = made_up(&of, second.clone());
        let replanned = bench.plan(&resolved, &made.state).await;
        prop_assert!(
            replanned.errors().is_empty(),
            "update plan in apply: {:?}",
            replanned.errors()
        );
        let broken = contract::completes(&planned.state, &replanned.state);
        prop_assert!(broken.is_empty(), "inconsistent final plan: {:?}", broken);
        let updated = bench.apply(&resolved, &made.state, &replanned).await;
        prop_assert!(
            updated.errors().is_empty(),
            "update: {:?}",
            updated.errors()
        );

        // Destroy.
        let planned = bench.plan(&Value::Null, &updated.state).await;
        prop_assert_eq!(&planned.state, &Value::Null);
        let gone = bench.apply(&Value::Null, &updated.state, &planned).await;
        prop_assert_eq!(&gone.state, &Value::Null);
        Ok(())
    })
}

proptest! {
    #[test]
    fn no_schema_and_no_configuration_breaks_the_contract((block, first, second) in cases()) {
        run(block, first, second)?;
    }
}
