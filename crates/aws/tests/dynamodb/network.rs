//! How calls get to the service: proxies, certificates, endpoints, clocks.

use std::sync::Arc;
use std::time::Duration;

use mlops_aws::dynamodb::DynamoRecords;
use mlops_aws::{AwsClients, AwsSettings, Endpoints, Patience};
use mlops_core::Class;
use mlops_core::records::Records as _;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::support::proxy::{Fault, Proxy};
use crate::support::{part, table};

fn store(settings: AwsSettings) -> DynamoRecords {
    let patience = Patience {
        total: Duration::from_secs(2),
        unreachable: Duration::ZERO,
        ..table::patience()
    };
    let clients = AwsClients::with_patience(settings, patience).expect("settings");
    DynamoRecords::new(clients, "registry").expect("a name")
}

/// A proxy that lets nothing through.
async fn closed() -> Proxy {
    let proxy = Proxy::before("http://127.0.0.1:1").await;
    proxy.fail_always(Fault::Refused("AccessDeniedException"));
    proxy
}

/// Settings that lead to AWS itself.
fn real() -> AwsSettings {
    AwsSettings {
        endpoints: Endpoints::default(),
        no_proxy: Some("nothing.invalid".to_owned()),
        ..table::settings("")
    }
}

#[tokio::test]
async fn https_goes_through_its_proxy_to_the_endpoint_of_the_settings() {
    let proxy = closed().await;
    let through = |settings: AwsSettings| AwsSettings {
        https_proxy: Some(proxy.url.clone()),
        ..settings
    };
    let fips = AwsSettings {
        use_fips_endpoint: true,
        ..real()
    };
    let dualstack = AwsSettings {
        use_dualstack_endpoint: true,
        ..real()
    };
    let elsewhere = AwsSettings {
        region: Some("cn-north-1".to_owned()),
        ..real()
    };
    for (settings, host) in [
        (real(), "dynamodb.eu-west-1.amazonaws.com:443"),
        (fips, "dynamodb-fips.eu-west-1.amazonaws.com:443"),
        (dualstack, "dynamodb.eu-west-1.api.aws:443"),
        (elsewhere, "dynamodb.cn-north-1.amazonaws.com.cn:443"),
    ] {
        proxy.reset();
        proxy.fail_always(Fault::Refused("AccessDeniedException"));
        let error = store(through(settings))
            .identity()
            .await
            .expect_err("closed");
        assert_eq!(error.class(), Class::Unavailable, "{}", error.chain());
        assert_eq!(proxy.calls(), ["CONNECT"]);
        assert_eq!(proxy.targets(), [host]);
    }
}

#[tokio::test]
async fn the_proxy_of_http_serves_https_too_unless_that_has_its_own_or_none() {
    let (proxy, other) = (closed().await, closed().await);
    let of = |https_proxy: Option<&str>, endpoint: &str| AwsSettings {
        http_proxy: Some(proxy.url.clone()),
        https_proxy: https_proxy.map(str::to_owned),
        endpoints: Endpoints {
            dynamodb: Some(endpoint.to_owned()),
            ..Endpoints::default()
        },
        ..real()
    };
    let host = "https://registry.invalid";
    let seen = async |settings: AwsSettings| {
        proxy.reset();
        other.reset();
        for closed in [&proxy, &other] {
            closed.fail_always(Fault::Refused("AccessDeniedException"));
        }
        store(settings).identity().await.expect_err("closed");
        (proxy.targets(), other.targets())
    };
    let none = || Vec::<String>::new();
    let connect = || vec!["registry.invalid:443".to_owned()];
    assert_eq!(seen(of(None, host)).await, (connect(), none()));
    assert_eq!(seen(of(Some(&other.url), host)).await, (none(), connect()));
    // Nothing listens there, and nobody else is asked.
    assert_eq!(
        seen(of(Some(""), "https://127.0.0.1:1")).await,
        (none(), none())
    );
    let plain = "http://registry.invalid/";
    let asked = vec![plain.to_owned()];
    assert_eq!(seen(of(Some(&other.url), plain)).await, (asked, none()));
    let direct = AwsSettings {
        no_proxy: Some("127.0.0.1".to_owned()),
        ..of(None, "https://127.0.0.1:1")
    };
    assert_eq!(seen(direct).await, (none(), none()));
}

#[tokio::test]
async fn a_service_is_trusted_by_the_users_own_certificates() {
    let Some(part) = part::dynamodb_local() else {
        return;
    };
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("made");
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(
        tokio_rustls::rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .expect("versions")
    .with_no_client_auth()
    .with_single_cert(vec![made.cert.der().clone()], PrivateKeyDer::from(key))
    .expect("a certificate");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let to = part.url.trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, to) = (acceptor.clone(), to.clone());
            tokio::spawn(async move {
                let mut secure = acceptor.accept(stream).await.ok()?;
                let mut plain = tokio::net::TcpStream::connect(to).await.ok()?;
                tokio::io::copy_bidirectional(&mut secure, &mut plain)
                    .await
                    .ok()
            });
        }
    });
    let directory = tempfile::tempdir().expect("directory");
    let bundle = directory.path().join("ca.pem");
    let text = aws_smithy_types::base64::encode(made.cert.der());
    let pem = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
    std::fs::write(&bundle, pem).expect("file");
    let of = |bundle| AwsSettings {
        custom_ca_bundle: bundle,
        no_proxy: Some("localhost".to_owned()),
        http_proxy: None,
        ..table::settings(&format!("https://localhost:{port}"))
    };
    let error = store(of(None)).identity().await.expect_err("not trusted");
    assert_eq!(error.class(), Class::Unavailable, "{}", error.chain());
    // Trusted, the service answers that there is no such table.
    let error = store(of(Some(bundle)))
        .identity()
        .await
        .expect_err("no table");
    assert_eq!(
        error.attribute(),
        Some("registry.table"),
        "{}",
        error.chain()
    );
}

#[tokio::test]
async fn a_machine_whose_clock_is_wrong_learns_the_time_from_the_refusal() {
    let Some(part) = part::dynamodb_local() else {
        return;
    };
    let proxy = Proxy::before(&part.url).await;
    proxy.fail(0, Fault::Skewed);
    let name = table::create(&part.url).await;
    let store = table::records(&proxy.url, &name);
    assert!(store.identity().await.expect("answered").is_none());
    let times = proxy.times();
    assert_eq!(times.len(), 2);
    assert!(times[1].starts_with("20400101T12"), "{times:?}");

    proxy.reset();
    proxy.fail_always(Fault::Skewed);
    let clients = AwsClients::with_patience(
        AwsSettings {
            max_retries: Some(2),
            ..table::settings(&proxy.url)
        },
        table::patience(),
    );
    let store = DynamoRecords::new(clients.expect("settings"), &name).expect("a name");
    let error = store.identity().await.expect_err("always too old");
    assert_eq!(error.class(), Class::Denied);
    assert!(
        error.to_string().contains("set this machine's clock"),
        "{error}"
    );
    assert_eq!(proxy.calls().len(), 3);
}
