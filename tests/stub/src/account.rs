//! What the provider block makes of an account: where things lie, and whose they are.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use tfplugin::value::Value;

use crate::realize::Realizer;
use crate::transcript::Transcript;

/// The account that everything is made in, with the process's memory.
#[derive(Debug)]
pub(crate) struct Account {
    /// Of the provider block, or of the environment, or `us-east-1`.
    pub(crate) region: String,
    /// Twelve digits: those of the role that is assumed, else `123456789012`, or an emulator's `000000000000`.
    pub(crate) id: String,
    /// `aws`, `aws-cn` or `aws-us-gov`, as the region has it.
    pub(crate) partition: &'static str,
    /// The provider's `default_tags`.
    pub(crate) default_tags: BTreeMap<String, Value>,
    /// Mixed into everything that is made up; of `TFPLUGIN_STUB_SEED`.
    pub(crate) seed: String,
    /// Where planned and applied objects are recorded.
    pub(crate) transcript: Transcript,
    /// The emulator that some types are made in, if there is one.
    pub(crate) realizer: Option<Realizer>,
    /// How often an object of equal content was created, so that two of a kind differ.
    twins: Mutex<HashMap<String, u32>>,
}

impl Account {
    /// The account that a configuration of the provider describes.
    pub(crate) fn of(config: &Value, transcript: Transcript) -> Self {
        let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let region = config.field("region").as_str().map(str::to_owned);
        let region = region
            .or_else(|| environment("AWS_REGION"))
            .or_else(|| environment("AWS_DEFAULT_REGION"))
            .unwrap_or_else(|| "us-east-1".to_owned());
        let role =
            first(config.field("assume_role")).and_then(|role| role.field("role_arn").as_str());
        let id = role
            .and_then(|arn| arn.split(':').nth(4))
            .filter(|id| !id.is_empty());
        let default_tags =
            first(config.field("default_tags")).map(|block| block.field("tags").clone());
        let realizer = Realizer::of_environment();
        let usual = if realizer.is_some() {
            "000000000000"
        } else {
            "123456789012"
        };
        Self {
            partition: partition(&region),
            region,
            id: id.unwrap_or(usual).to_owned(),
            default_tags: match default_tags {
                Some(Value::Map(tags)) => tags,
                _ => BTreeMap::new(),
            },
            seed: environment("TFPLUGIN_STUB_SEED").unwrap_or_default(),
            transcript,
            realizer,
            twins: Mutex::default(),
        }
    }

    /// How many objects of this content were made before, in this process.
    pub(crate) fn twin(&self, content: &str) -> u32 {
        // The map is whole at every moment, so a panic elsewhere leaves nothing broken behind.
        let mut twins = self.twins.lock().unwrap_or_else(PoisonError::into_inner);
        let count = twins.entry(content.to_owned()).or_default();
        let before = *count;
        *count += 1;
        before
    }
}

/// The partition that a region belongs to.
fn partition(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}

/// The first block of a list of blocks.
fn first(blocks: &Value) -> Option<&Value> {
    match blocks {
        Value::List(blocks) => blocks.first(),
        _ => None,
    }
}
