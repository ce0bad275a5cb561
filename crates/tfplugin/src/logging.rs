//! The log, in the form that Terraform merges into its own: one JSON object a line on standard error.
//!
//! The fields are those of HashiCorp's hclog: `@level`, `@message`, `@module`, `@timestamp`, and whatever
//! the event and the spans around it carry. Which levels are written follows Terraform's variables, the
//! more particular one winning: `TF_LOG_PROVIDER_<NAME>`, `TF_LOG_PROVIDER`, `TF_LOG`; nothing is written
//! when none is set.

use std::fmt;
use std::io::{self, Write};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Crates whose debug lines drown everything else; they are shown from TRACE on.
const CHATTY: [&str; 6] = ["h2", "hyper", "hyper_util", "rustls", "tokio_util", "tonic"];

/// Sends what this process traces to standard error, at the levels that Terraform's variables ask of the
/// provider `name`. Later calls, and calls where a subscriber is set already, change nothing.
pub fn init(name: &str) {
    let level = level(name, |variable| std::env::var(variable).ok());
    if level == LevelFilter::OFF {
        return;
    }
    // An error means that a subscriber is there, which a test or an embedding program wanted.
    let _ = tracing_subscriber::registry()
        .with(JsonLines::new(io::stderr).with_filter(targets(level)))
        .try_init();
}

/// The level that Terraform's variables, read through `var`, ask of the provider `name`.
fn level(name: &str, var: impl Fn(&str) -> Option<String>) -> LevelFilter {
    let own = format!("TF_LOG_PROVIDER_{}", name.to_uppercase().replace('-', "_"));
    [own.as_str(), "TF_LOG_PROVIDER", "TF_LOG"]
        .into_iter()
        .find_map(|variable| var(variable).filter(|value| !value.is_empty()))
        .map_or(LevelFilter::OFF, |value| parse_level(&value))
}

fn parse_level(value: &str) -> LevelFilter {
    match value.to_ascii_uppercase().as_str() {
        "OFF" | "NONE" => LevelFilter::OFF,
        "ERROR" => LevelFilter::ERROR,
        "WARN" => LevelFilter::WARN,
        "INFO" => LevelFilter::INFO,
        "DEBUG" => LevelFilter::DEBUG,
        // "TRACE", "JSON", and whatever else: Terraform takes it for TRACE too.
        _ => LevelFilter::TRACE,
    }
}

fn targets(level: LevelFilter) -> Targets {
    let chatty = match level {
        LevelFilter::TRACE => LevelFilter::TRACE,
        other => other.min(LevelFilter::WARN),
    };
    Targets::new()
        .with_default(level)
        .with_targets(CHATTY.map(|target| (target, chatty)))
}

/// A layer that writes each event as one hclog line, in one piece.
#[derive(Debug)]
struct JsonLines<W> {
    make_writer: W,
}

impl<W, O> JsonLines<W>
where
    W: Fn() -> O,
    O: Write,
{
    fn new(make_writer: W) -> Self {
        Self { make_writer }
    }
}

/// What a span carries, kept in its extensions.
struct SpanFields(Map<String, Value>);

impl<S, W, O> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    W: Fn() -> O + 'static,
    O: Write,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(SpanFields(fields.map));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(SpanFields(map)) = span.extensions_mut().get_mut()
        {
            let mut fields = Fields {
                map: std::mem::take(map),
                message: None,
            };
            values.record(&mut fields);
            *map = fields.map;
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context
            .event_scope(event)
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .iter()
            .rev()
        {
            if let Some(SpanFields(map)) = span.extensions().get() {
                fields
                    .map
                    .extend(map.iter().map(|(key, value)| (key.clone(), value.clone())));
            }
        }
        event.record(&mut fields);
        let mut line = line(event.metadata(), &jiff::Timestamp::now(), fields);
        line.push('\n');
        // Where Terraform is gone nobody reads the log, and there is no other place to complain.
        let _ = (self.make_writer)().write_all(line.as_bytes());
    }
}

fn line(metadata: &Metadata<'_>, now: &jiff::Timestamp, fields: Fields) -> String {
    let level = match *metadata.level() {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    };
    let mut object = fields.map;
    object.insert("@level".to_owned(), level.into());
    object.insert(
        "@message".to_owned(),
        fields.message.unwrap_or_default().into(),
    );
    object.insert(
        "@module".to_owned(),
        metadata.target().replace("::", ".").into(),
    );
    object.insert("@timestamp".to_owned(), format!("{now:.6}").into());
    Value::Object(object).to_string()
}

/// Collects the fields of an event or span.
#[derive(Default)]
struct Fields {
    map: Map<String, Value>,
    message: Option<String>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = Some(text),
            ("message", other) => self.message = Some(other.to_string()),
            (name, value) => {
                self.map.insert(name.to_owned(), value);
            }
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        self.put(field, text.into());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0
                .lock()
                .expect("not poisoned")
                .extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(level: LevelFilter, work: impl FnOnce()) -> Vec<Value> {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let layer = JsonLines::new(move || writer.clone()).with_filter(targets(level));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
        let bytes = buffer.0.lock().expect("not poisoned").clone();
        String::from_utf8(bytes)
            .expect("UTF-8")
            .lines()
            .map(|line| serde_json::from_str(line).expect("each line is JSON"))
            .collect()
    }

    #[test]
    fn a_line_carries_level_message_module_timestamp_and_all_fields() {
        let lines = logged(LevelFilter::INFO, || {
            let span = tracing::info_span!("apply", resource = "mlops_model", attempt = 1);
            let _in = span.enter();
            tracing::warn!(target: "mlops::registry", attempt = 2, ok = false, "two\nlines");
        });
        assert_eq!(lines.len(), 1);
        let line = &lines[0];
        assert_eq!(line["@level"], "warn");
        assert_eq!(line["@message"], "two\nlines");
        assert_eq!(line["@module"], "mlops.registry");
        assert_eq!(line["resource"], "mlops_model");
        assert_eq!(line["attempt"], 2);
        assert_eq!(line["ok"], false);
        let timestamp = line["@timestamp"].as_str().expect("a string");
        // go-plugin parses 2006-01-02T15:04:05.000000Z07:00.
        assert_eq!(
            timestamp.len(),
            "2006-01-02T15:04:05.000000Z".len(),
            "{timestamp}"
        );
        assert!(timestamp.parse::<jiff::Timestamp>().is_ok(), "{timestamp}");
    }

    #[test]
    fn levels_below_the_wanted_one_are_not_written() {
        let lines = logged(LevelFilter::WARN, || {
            tracing::info!("no");
            tracing::error!("yes");
        });
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["@message"], "yes");
    }

    #[test]
    fn the_transport_is_quiet_until_trace_is_wanted() {
        let work = || tracing::debug!(target: "h2::frame", "sent");
        assert_eq!(logged(LevelFilter::DEBUG, work).len(), 0);
        assert_eq!(logged(LevelFilter::TRACE, work).len(), 1);
    }

    #[test]
    fn the_more_particular_variable_wins() {
        let level = |vars: &[(&str, &str)]| {
            super::level("my-cloud", |name| {
                vars.iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(level(&[]), LevelFilter::OFF);
        assert_eq!(level(&[("TF_LOG", "info")]), LevelFilter::INFO);
        assert_eq!(level(&[("TF_LOG", "JSON")]), LevelFilter::TRACE);
        assert_eq!(
            level(&[("TF_LOG", "TRACE"), ("TF_LOG_PROVIDER", "warn")]),
            LevelFilter::WARN
        );
        assert_eq!(
            level(&[
                ("TF_LOG_PROVIDER", "warn"),
                ("TF_LOG_PROVIDER_MY_CLOUD", "off")
            ]),
            LevelFilter::OFF
        );
        assert_eq!(
            level(&[("TF_LOG_PROVIDER", ""), ("TF_LOG", "ERROR")]),
            LevelFilter::ERROR
        );
    }
}
