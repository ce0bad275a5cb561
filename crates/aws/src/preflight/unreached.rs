//! Services that nobody reaches, as from a network without a way to them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_sdk_ecs::config::{AsyncSleep, SharedAsyncSleep, Sleep};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns};
use mlops_core::Class;
use mlops_core::clock::Clock as _;
use mlops_core::memory::ManualClock;

use super::{PATIENCE, service_quotas};
use crate::clients::AwsClients;
use crate::support::table;

/// Finds no host, ever, and counts who looks for one.
#[derive(Debug, Clone, Default)]
struct Nowhere(Arc<AtomicUsize>);

impl ResolveDns for Nowhere {
    fn resolve_dns<'a>(&'a self, _name: &'a str) -> DnsFuture<'a> {
        self.0.fetch_add(1, Ordering::SeqCst);
        DnsFuture::new(std::future::pending())
    }
}

/// Lets whoever waits for a connection see the time pass at once.
#[derive(Clone, Default)]
struct Passing(Arc<ManualClock>);

impl fmt::Debug for Passing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passing")
    }
}

impl AsyncSleep for Passing {
    fn sleep(&self, duration: Duration) -> Sleep {
        self.0.advance(duration);
        Sleep::new(std::future::ready(()))
    }
}

#[tokio::test]
async fn whoever_is_not_reached_is_tried_once_and_named_with_what_to_do() {
    let (nowhere, passing) = (Nowhere::default(), Passing::default());
    let (resolver, sleep) = (nowhere.clone(), SharedAsyncSleep::new(passing.clone()));
    let http = Builder::new().build_with_connector_fn(move |settings, _| {
        let mut builder = Connector::builder();
        builder.set_connector_settings(settings.cloned());
        builder.set_sleep_impl(Some(sleep.clone()));
        builder
            .tls_provider(crate::transport::TLS)
            .build_with_resolver(resolver.clone())
    });
    let settings = table::settings("http://127.0.0.1:1");
    let clients = AwsClients::over(http, passing.0.clone(), settings).hurried(PATIENCE);

    let error = service_quotas::quotas(&clients, "ecs").await;
    let error = error.expect_err("nobody is there");

    assert_eq!(error.class(), Class::Unavailable, "{error}");
    let said = "ServiceQuotas ListServiceQuotas on service ecs failed; no connection could be made: check region, endpoints, proxy and network";
    assert_eq!(error.to_string(), said);
    assert_eq!(nowhere.0.load(Ordering::SeqCst), 1);
    let waited = passing.0.elapsed();
    assert!(waited <= Duration::from_secs(3), "{waited:?}");
}
