//! `registered-models/search` and `model-versions/search`.

use std::sync::Arc;

use axum::extract::State;
use mlops_core::names::ModelName;
use mlops_core::registry::Registry;

use super::filter::{Attributes, Filter, Row};
use super::order::{Order, Sortable};
use super::page;
use super::shelf::{Entry, Shelf};
use super::tags::METRIC;
use super::wire::{ModelVersionsAnswer, RegisteredModelsAnswer, changed, run_id};
use crate::answer::{Answer, Json, Refusal};
use crate::api::Inner;
use crate::input::Input;

/// Models that are read from the registry at once.
const PAGE: usize = 500;

const OF_MODELS: Attributes = Attributes {
    text: &["name"],
    numbers: &[],
    lists: &["name"],
};
const OF_VERSIONS: Attributes = Attributes {
    text: &["name", "run_id", "source_path"],
    numbers: &["version_number"],
    lists: &["name", "run_id"],
};

const NAME: Sortable = Sortable {
    attribute: "name",
    is_number: false,
    names: &["name"],
};
const CREATED: Sortable = Sortable {
    attribute: "creation_timestamp",
    is_number: true,
    names: &["creation_timestamp"],
};
const UPDATED: Sortable = Sortable {
    attribute: "last_updated_timestamp",
    is_number: true,
    names: &["last_updated_timestamp", "timestamp"],
};
const NUMBER: Sortable = Sortable {
    attribute: "version_number",
    is_number: true,
    names: &["version_number"],
};

impl Row for Shelf {
    fn text(&self, _: &str) -> String {
        self.model.name.to_string()
    }

    fn number(&self, attribute: &str) -> i64 {
        match attribute {
            "creation_timestamp" => self.model.created_at.as_millisecond(),
            _ => changed(self.model.updated_at, self.model.created_at),
        }
    }

    fn tag(&self, key: &str) -> Option<String> {
        self.model.spec.tags.get(key).cloned()
    }
}

/// A version with the shelf it lies on.
struct OnShelf {
    shelf: Arc<Shelf>,
    entry: Entry,
}

impl Row for OnShelf {
    fn text(&self, attribute: &str) -> String {
        let (origin, uri, lineage) = match &self.entry {
            Entry::Ready(version) => (
                version.origin.as_ref(),
                version.artifact_uri.as_str(),
                version.spec.lineage.as_ref(),
            ),
            Entry::Pending(pending) => (Some(&pending.origin), "", pending.lineage.as_ref()),
        };
        match attribute {
            "name" => self.entry.id().model.to_string(),
            "run_id" => run_id(lineage),
            _ => origin.map_or(uri, |origin| &origin.source).to_owned(),
        }
    }

    fn number(&self, attribute: &str) -> i64 {
        let (created, updated) = match &self.entry {
            Entry::Ready(version) => (version.created_at, version.updated_at),
            Entry::Pending(pending) => (pending.created_at, pending.updated_at),
        };
        match attribute {
            "version_number" => i64::try_from(self.entry.id().version).unwrap_or(i64::MAX),
            "creation_timestamp" => created.as_millisecond(),
            _ => changed(updated, created),
        }
    }

    fn tag(&self, key: &str) -> Option<String> {
        let (tags, metrics) = match &self.entry {
            Entry::Ready(version) => (&version.tags, &version.metrics),
            Entry::Pending(pending) => (&pending.tags, &pending.metrics),
        };
        match key.strip_prefix(METRIC) {
            None => tags.get(key).cloned(),
            Some(metric) => metrics.get(metric).map(f64::to_string),
        }
    }
}

/// By name, unless another order is asked for.
pub(super) async fn models(State(api): State<Arc<Inner>>, input: Input) -> Answer {
    let filter_text = input.text("filter")?.unwrap_or_default();
    let asked = input.list("order_by")?;
    let most = input.count("max_results", 100, 1000)?;
    let filter = Filter::parse(filter_text, &OF_MODELS)?;
    let order = Order::parse(&asked, &[NAME, CREATED, UPDATED], &[("name", true)])?;
    let mut rows = shelves(&api.registry, &filter).await?;
    rows.retain(|shelf| filter.matches(shelf));
    let token = input.text("page_token")?.filter(|token| !token.is_empty());
    let (rows, next_page_token) = page::cut(rows, &order, (filter_text, &asked), most, token)?;
    Json::of(&RegisteredModelsAnswer {
        registered_models: rows.iter().map(Shelf::wire).collect(),
        next_page_token,
    })
}

/// The last updated first, unless another order is asked for.
pub(super) async fn versions(State(api): State<Arc<Inner>>, input: Input) -> Answer {
    let filter_text = input.text("filter")?.unwrap_or_default();
    let asked = input.list("order_by")?;
    let most = input.count("max_results", 10_000, 200_000)?;
    let filter = Filter::parse(filter_text, &OF_VERSIONS)?;
    let last: &[_] = match asked.is_empty() {
        true => &[
            ("last_updated_timestamp", false),
            ("name", true),
            ("version_number", false),
        ],
        false => &[("name", true), ("version_number", false)],
    };
    let order = Order::parse(&asked, &[NAME, NUMBER, CREATED, UPDATED], last)?;
    let mut rows = Vec::new();
    for shelf in shelves(&api.registry, &filter).await? {
        let shelf = Arc::new(shelf);
        let on = |entry: &Entry| OnShelf {
            shelf: shelf.clone(),
            entry: entry.clone(),
        };
        rows.extend(
            shelf
                .entries
                .iter()
                .map(on)
                .filter(|row| filter.matches(row)),
        );
    }
    let token = input.text("page_token")?.filter(|token| !token.is_empty());
    let (rows, next_page_token) = page::cut(rows, &order, (filter_text, &asked), most, token)?;
    Json::of(&ModelVersionsAnswer {
        model_versions: rows
            .iter()
            .map(|row| row.entry.wire(&row.shelf.aliases))
            .collect(),
        next_page_token,
    })
}

/// The models that the filter can let through, with all that hangs on them.
async fn shelves(registry: &Registry, filter: &Filter) -> Result<Vec<Shelf>, Refusal> {
    let mut models = Vec::new();
    if let Some(names) = filter.only("name") {
        // What is no legal name is no model's.
        let mut names: Vec<ModelName> = names.iter().filter_map(|name| name.parse().ok()).collect();
        names.sort();
        names.dedup();
        models.extend(registry.models(&names).await?.into_iter().flatten());
    } else {
        let mut after: Option<ModelName> = None;
        loop {
            let (page, more) = registry.list_models(after.as_ref(), PAGE).await?;
            let last = page.last().map(|model| model.name.clone());
            models.extend(page);
            match last {
                Some(last) if more => after = Some(last),
                _ => break,
            }
        }
    }
    let mut shelves = Vec::with_capacity(models.len());
    for model in models {
        shelves.push(Shelf::of(registry, model).await?);
    }
    Ok(shelves)
}
