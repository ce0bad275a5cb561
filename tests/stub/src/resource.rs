//! A resource of any type that the facts know.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use tfplugin::resource::{
    Applied, ApplyFailed, CreateRequest, DeleteRequest, ImportRequest, ImportState, Imported,
    PlanRequest, Planned, RawState, ReadRequest, Refreshed, Resource, UpdateRequest, UpgradeState,
};
use tfplugin::schema::Schema;
use tfplugin::value::Value;
use tfplugin::{ApplyContext, Diagnostic, Diagnostics, PlanContext, ReadContext, async_trait};

use crate::account::Account;
use crate::facts::Facts;
use crate::fake::Faker;
use crate::realize::Realizer;

/// A resource that is nothing but its state.
pub(crate) struct StubResource {
    name: &'static str,
    facts: Arc<Facts>,
    schema: OnceLock<Schema>,
}

impl StubResource {
    /// The resource of this type.
    pub(crate) fn new(name: &str, facts: Arc<Facts>) -> Self {
        Self {
            // A process serves one provider and names each of its types once, so this is never given back.
            name: Box::leak(name.to_owned().into_boxed_str()),
            facts,
            schema: OnceLock::new(),
        }
    }

    fn schema(&self) -> &Schema {
        self.schema.get_or_init(|| {
            let entry = &self.facts.resource_schemas[self.name];
            // What makes no schema is a mistake in a file of this crate; the framework tells Terraform.
            crate::schema::schema(self.name, entry).unwrap_or_else(|error| panic!("{error}"))
        })
    }

    fn record(
        &self,
        account: &Account,
        event: &str,
        object: &Value,
        realized: bool,
    ) -> Result<(), Diagnostics> {
        let realized = account.realizer.as_ref().map(|_| realized);
        let block = self.schema().block();
        let recorded = account
            .transcript
            .record(event, self.name, block, object, realized);
        recorded.map_err(|error| unwritten(&error))
    }

    /// The emulator, if things of this type are made in it.
    fn realizer<'a>(&self, account: &'a Account) -> Option<&'a Realizer> {
        account
            .realizer
            .as_ref()
            .filter(|realizer| realizer.knows(self.name))
    }

    /// The region that an object is in.
    fn region<'a>(account: &'a Account, object: &'a Value) -> &'a str {
        object.field("region").as_str().unwrap_or(&account.region)
    }

    /// The object with nothing unknown in it, and around what the emulator decided if it is made there.
    async fn made(
        &self,
        account: &Account,
        event: &str,
        mut planned: Value,
        real: bool,
    ) -> Result<Value, Diagnostics> {
        let block = self.schema().block();
        let faker = Faker::new(account, self.name, &planned);
        let mut state = faker.fill(block, planned.clone());
        let realizer = self.realizer(account).filter(|_| real);
        if let Some(realizer) = realizer {
            let decided = realizer
                .create(self.name, Self::region(account, &state), &state)
                .await?;
            if let Value::Object(fields) = &mut planned {
                for (name, value) in decided {
                    if fields.get(&name) == Some(&Value::Unknown) {
                        fields.insert(name, value);
                    }
                }
            }
            // Again, because fakes hold the ids that they are told.
            state = faker.fill(block, planned);
        }
        self.record(account, event, &state, realizer.is_some())?;
        Ok(state)
    }
}

/// The error for a transcript that cannot be written.
pub(crate) fn unwritten(error: &std::io::Error) -> Diagnostics {
    Diagnostics::error(
        "Transcript not written",
        format!(
            "The file that TFPLUGIN_STUB_TRANSCRIPT names cannot be appended to: {error}. Name one in a directory that exists."
        ),
    )
}

#[async_trait]
impl Resource<Account> for StubResource {
    type State = Value;
    const TYPE: &'static str = "";

    fn type_name(&self) -> &'static str {
        self.name
    }

    fn schema(&self) -> Schema {
        self.schema().clone()
    }

    async fn plan(
        &self,
        cx: &PlanContext<Account>,
        request: PlanRequest<Value>,
    ) -> Result<Planned<Value>, Diagnostics> {
        let account = cx.client();
        let mut planned = request.proposed;
        if let Value::Object(fields) = &mut planned {
            foretell(account, self.name, fields);
        }
        let event = match &request.prior {
            None => Some("plan_create"),
            Some(prior) if *prior != planned => Some("plan_update"),
            Some(_) => None,
        };
        if let Some(event) = event {
            self.record(account, event, &planned, self.realizer(account).is_some())?;
        }
        Ok(Planned::new(planned))
    }

    async fn create(
        &self,
        cx: &ApplyContext<Account>,
        request: CreateRequest<Value>,
    ) -> Result<Applied<Value>, ApplyFailed<Value>> {
        let made = self
            .made(cx.client(), "create", request.planned, true)
            .await?;
        Ok(Applied::new(made))
    }

    async fn read(
        &self,
        cx: &ReadContext<Account>,
        request: ReadRequest<Value>,
    ) -> Result<Option<Refreshed<Value>>, Diagnostics> {
        let (account, state) = (cx.client(), request.state);
        if let Some(realizer) = self.realizer(account)
            && !realizer
                .exists(self.name, Self::region(account, &state), &state)
                .await?
        {
            return Ok(None);
        }
        Ok(Some(state.into()))
    }

    async fn update(
        &self,
        cx: &ApplyContext<Account>,
        request: UpdateRequest<Value>,
    ) -> Result<Applied<Value>, ApplyFailed<Value>> {
        let account = cx.client();
        let mut request = request;
        if let (Value::Object(fields), Value::Number(version)) =
            (&mut request.planned, request.prior.field("latest_version"))
            && fields.get("latest_version") == Some(&Value::Unknown)
            && let Some(version) = version.as_i64()
        {
            fields.insert("latest_version".into(), (version + 1).into());
        }
        let realizer = self.realizer(account);
        let put = realizer.is_some_and(|realizer| realizer.puts(self.name));
        let applied = Applied::new(self.made(account, "update", request.planned, put).await?);
        Ok(if realizer.is_some() && !put {
            let detail = format!(
                "The stub makes, reads and deletes things of the type {}, and does not change them: the one in the emulator stays as it was.",
                self.name
            );
            applied.warning(Diagnostic::warning("Changed in the state only", detail))
        } else {
            applied
        })
    }

    async fn delete(
        &self,
        cx: &ApplyContext<Account>,
        request: DeleteRequest<Value>,
    ) -> Result<(), ApplyFailed<Value>> {
        let account = cx.client();
        let realizer = self.realizer(account);
        if let Some(realizer) = realizer {
            let region = Self::region(account, &request.prior);
            realizer.delete(self.name, region, &request.prior).await?;
        }
        Ok(self.record(account, "delete", &request.prior, realizer.is_some())?)
    }

    fn import(&self) -> Option<&dyn ImportState<Account, Value>> {
        Some(self)
    }

    fn upgrade(&self) -> Option<&dyn UpgradeState<Value>> {
        Some(self)
    }
}

#[async_trait]
impl ImportState<Account, Value> for StubResource {
    /// What is imported has the id that was asked for, and fakes for what the provider computes.
    async fn import_state(
        &self,
        cx: &ReadContext<Account>,
        request: ImportRequest,
    ) -> Result<Imported<Value>, Diagnostics> {
        let Some(id) = request.id() else {
            return Err(Diagnostic::error(
                "Import by id only",
                "The stub knows no identities. Import by id.",
            )
            .into());
        };
        let block = self.schema().block();
        let attributes = block.attributes().map(|(name, attribute)| {
            let value = match name {
                "id" => id.into(),
                _ if attribute.is_computed() => Value::Unknown,
                _ => Value::Null,
            };
            (name.to_owned(), value)
        });
        let blocks = block
            .blocks()
            .map(|(name, _)| (name.to_owned(), Value::Null));
        let object = Value::Object(attributes.chain(blocks).collect());
        let state = Faker::new(cx.client(), self.name, &object).fill(block, object);
        self.record(cx.client(), "import", &state, false)?;
        Ok(Imported::new(state))
    }
}

impl UpgradeState<Value> for StubResource {
    /// A state of any older version is taken as it is: what the schema does not name goes, what is missing is null.
    fn upgrade_state(&self, _: u64, state: &RawState) -> Result<Value, Diagnostics> {
        state.decode(self.schema().object_type()).map_err(|error| {
            Diagnostics::error(
                "Unreadable state",
                format!("The state of {} is not of its schema: {error}.", self.name),
            )
        })
    }
}

/// What the real provider knows at plan already, although it is computed.
fn foretell(account: &Account, type_name: &str, fields: &mut BTreeMap<String, Value>) {
    if fields.get("region") == Some(&Value::Unknown) && type_name.starts_with("aws_") {
        fields.insert("region".into(), account.region.as_str().into());
    }
    if fields.contains_key("tags_all") {
        let all = match fields.get("tags") {
            Some(Value::Null) | None => Value::Map(account.default_tags.clone()),
            Some(Value::Map(tags)) => {
                let mut all = account.default_tags.clone();
                all.extend(tags.clone());
                Value::Map(all)
            }
            Some(_) => Value::Unknown,
        };
        fields.insert("tags_all".into(), all);
    }
    if type_name == "aws_acm_certificate"
        && fields.get("domain_validation_options") == Some(&Value::Unknown)
    {
        let names = crate::fake::certificate_names(fields);
        if let Some(names) = names {
            let options = names.into_iter().map(|name| {
                Value::object([
                    ("domain_name", name.into()),
                    ("resource_record_name", Value::Unknown),
                    ("resource_record_type", Value::Unknown),
                    ("resource_record_value", Value::Unknown),
                ])
            });
            let options = Value::set(options);
            fields.insert("domain_validation_options".into(), options);
        }
    }
}
