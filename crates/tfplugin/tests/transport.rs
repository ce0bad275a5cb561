//! The transport, from outside: a provider process that is started, trusted, used and ended as Terraform
//! does it.

mod host;

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use futures::StreamExt as _;
use rustix::process::Signal;
use serde_json::Value;
use tfplugin_proto::plugin::grpc_broker_client::GrpcBrokerClient;
use tfplugin_proto::plugin::grpc_controller_client::GrpcControllerClient;
use tfplugin_proto::plugin::grpc_stdio_client::GrpcStdioClient;
use tfplugin_proto::plugin::{ConnInfo, Empty};
use tfplugin_proto::tfplugin6::provider_client::ProviderClient;
use tfplugin_proto::tfplugin6::{
    DynamicValue, apply_resource_change, diagnostic::Severity, get_metadata, list_resource,
    read_resource, stop_provider,
};
use tonic::Code;
use tonic::transport::Channel;

use host::{CLIENT, Identity, Provider, STRANGER, STRANGER_KEY, by_hand, connect_plain};

fn read(type_name: &str) -> read_resource::Request {
    read_resource::Request {
        type_name: type_name.to_owned(),
        ..Default::default()
    }
}

/// Starts a provider that logs its warnings, and checks that it turns `identity` away, and why. The
/// reason is read from its log: a client that is still writing sees no more than a broken pipe.
async fn assert_refused(identity: Option<Identity>, reason: &str) {
    let mut provider = Provider::start_with(|command| {
        command.env("TF_LOG", "WARN");
    });
    let handshake = provider.handshake();
    handshake
        .connect_as(identity)
        .await
        .expect_err("the provider refuses");
    provider.logged("refused a connection").await;
    provider.logged(reason).await;
    // The refusal is for that peer only.
    handshake.connect().await;
}

/// Starts an apply that waits until it is asked to stop, and returns once it does.
async fn begin_apply(
    provider: &Provider,
    channel: Channel,
) -> tokio::task::JoinHandle<Result<tonic::Response<apply_resource_change::Response>, tonic::Status>>
{
    let request = apply_resource_change::Request {
        type_name: "waits".to_owned(),
        ..Default::default()
    };
    let apply = tokio::spawn(async move {
        ProviderClient::new(channel)
            .apply_resource_change(request)
            .await
    });
    provider.traced("applying").await;
    apply
}

#[tokio::test]
async fn the_handshake_line_names_a_private_socket_in_the_wanted_directory() {
    let mut provider = Provider::start();
    let handshake = provider.handshake();
    assert!(handshake.socket.starts_with(provider.dir.path()));
    for (path, mode) in [
        (handshake.socket.as_path(), 0o600),
        (handshake.socket.parent().expect("a directory"), 0o700),
    ] {
        let have = path.metadata().expect("it exists").permissions().mode();
        assert_eq!(have & 0o777, mode, "{}", path.display());
    }
}

#[tokio::test]
async fn a_host_that_asks_for_multiplexing_is_told_no() {
    let mut provider = Provider::start_with(|command| {
        command.env("PLUGIN_MULTIPLEX_GRPC", "true");
    });
    let line = provider.line();
    assert_eq!(line.split('|').count(), 7, "{line}");
    assert!(line.ends_with("|false"), "{line}");
}

#[tokio::test]
async fn the_announced_certificate_is_let_in() {
    let mut provider = Provider::start();
    let channel = provider.handshake().connect().await;
    ProviderClient::new(channel)
        .get_metadata(get_metadata::Request {})
        .await
        .expect("an answer");
}

#[tokio::test]
async fn a_client_without_a_certificate_is_refused() {
    assert_refused(None, "peer sent no certificates").await;
}

#[tokio::test]
async fn a_certificate_that_was_not_announced_is_refused() {
    let stranger = Identity::new(STRANGER, STRANGER_KEY);
    assert_refused(stranger, "ApplicationVerificationFailure").await;
}

#[tokio::test]
async fn the_announced_certificate_with_another_key_is_refused() {
    let thief = Identity::new(CLIENT, STRANGER_KEY);
    assert_refused(thief, "BadSignature").await;
}

#[tokio::test]
async fn a_client_without_tls_is_refused() {
    let mut provider = Provider::start();
    let handshake = provider.handshake();
    connect_plain(&handshake.socket).await.expect_err("refused");
    handshake.connect().await;
}

#[test]
fn started_by_hand_it_explains_itself_and_fails() {
    let output = by_hand().output().expect("it runs");
    let page = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert!(
        page.contains("Terraform provider \"bare\", version 1.2.3"),
        "{page}"
    );
    assert!(page.contains("source = \"example/bare\""), "{page}");
}

#[tokio::test]
async fn without_a_certificate_to_check_nothing_is_served() {
    let mut provider = Provider::start_with(|command| {
        command.env_remove("PLUGIN_CLIENT_CERT");
    });
    let (status, _) = provider.end().await;
    assert_eq!(status.code(), Some(1));
    assert_eq!(provider.line(), "");
    let text = provider.stderr();
    assert!(text.contains("TF_DISABLE_PLUGIN_TLS"), "{text}");
}

#[tokio::test]
async fn shutdown_runs_the_hooks_answers_and_ends_the_process_within_a_second() {
    let mut provider = Provider::start();
    let handshake = provider.handshake();
    let channel = handshake.connect().await;
    // As Terraform holds them.
    let _stdio = GrpcStdioClient::new(channel.clone())
        .stream_stdio(Empty {})
        .await
        .expect("a stream");
    GrpcControllerClient::new(channel.clone())
        .shutdown(Empty {})
        .await
        .expect("an answer");
    assert!(provider.has_traced("acknowledged"));
    let (status, took) = provider.end().await;
    assert!(status.success());
    assert!(took < Duration::from_secs(1), "took {took:?}");
    assert!(!handshake.socket.exists());
}

#[tokio::test]
async fn an_interrupt_is_ignored_and_a_termination_ends_the_process_without_hooks() {
    let mut provider = Provider::start();
    let channel = provider.handshake().connect().await;
    provider.signal(Signal::INT);
    provider.signal(Signal::INT);
    // Signals are handled in order of arrival at the latest when the second answer is there.
    for _ in 0..2 {
        ProviderClient::new(channel.clone())
            .get_metadata(get_metadata::Request {})
            .await
            .expect("it still answers");
    }
    assert!(provider.runs());
    provider.signal(Signal::TERM);
    let (status, _) = provider.end().await;
    assert!(status.success());
    assert!(!provider.has_traced("acknowledged"));
}

#[tokio::test]
async fn an_interrupt_does_not_stop_a_running_apply() {
    let mut provider = Provider::start();
    let channel = provider.handshake().connect().await;
    let apply = begin_apply(&provider, channel.clone()).await;
    provider.signal(Signal::INT);
    ProviderClient::new(channel.clone())
        .get_metadata(get_metadata::Request {})
        .await
        .expect("it still answers");
    assert!(!apply.is_finished());
    assert!(!provider.has_traced("undone"));
}

#[tokio::test]
async fn stop_provider_reaches_a_running_apply_and_the_process_stays() {
    let mut provider = Provider::start();
    let channel = provider.handshake().connect().await;
    let apply = begin_apply(&provider, channel.clone()).await;
    ProviderClient::new(channel.clone())
        .stop_provider(stop_provider::Request {})
        .await
        .expect("an answer");
    apply.await.expect("no panic").expect("the apply answers");
    assert!(provider.has_traced("undone"));
    assert!(provider.runs());
}

#[tokio::test]
async fn a_termination_lets_a_running_apply_undo_and_answer() {
    let mut provider = Provider::start();
    let channel = provider.handshake().connect().await;
    let apply = begin_apply(&provider, channel).await;
    provider.signal(Signal::TERM);
    apply.await.expect("no panic").expect("the apply answers");
    assert!(provider.has_traced("undone"));
    provider.end().await;
}

#[tokio::test]
async fn a_lost_connection_stops_a_running_apply_which_still_undoes_and_no_hook_runs() {
    let mut provider = Provider::start();
    let channel = provider.handshake().connect().await;
    let apply = begin_apply(&provider, channel.clone()).await;
    apply.abort();
    drop((apply, channel));
    provider.traced("undone").await;
    let (status, _) = provider.end().await;
    assert!(status.success());
    assert!(!provider.has_traced("acknowledged"));
}

#[tokio::test]
async fn a_panic_becomes_a_diagnostic_and_the_provider_lives_on() {
    let mut provider = Provider::start();
    let channel = provider.handshake().connect().await;
    let mut client = ProviderClient::new(channel);
    let response = client
        .read_resource(read("panics"))
        .await
        .expect("an answer, not a failed call")
        .into_inner();
    let [diagnostic] = &response.diagnostics[..] else {
        panic!("one diagnostic expected: {response:?}");
    };
    assert_eq!(diagnostic.severity(), Severity::Error);
    assert_eq!(
        diagnostic.summary,
        "The provider failed in ReadResource for panics"
    );
    for part in [
        "asked to panic",
        "bare_protocol.rs:",
        "This is a bug in the provider bare 1.2.3",
    ] {
        assert!(diagnostic.detail.contains(part), "{}", diagnostic.detail);
    }
    client.read_resource(read("fine")).await.expect("an answer");
}

#[tokio::test]
async fn rpcs_that_are_not_served_answer_unimplemented() {
    let mut provider = Provider::start();
    let channel = provider.handshake().connect().await;
    let status = ProviderClient::new(channel)
        .list_resource(list_resource::Request::default())
        .await
        .expect_err("not served");
    assert_eq!(status.code(), Code::Unimplemented);
}

#[tokio::test]
async fn a_value_of_thirty_megabytes_passes_both_ways() {
    let mut provider = Provider::start();
    let channel = provider.handshake().connect().await;
    let msgpack = vec![7; 30 << 20];
    let response = ProviderClient::new(channel)
        .max_decoding_message_size(tfplugin::transport::MAX_MESSAGE_SIZE)
        .max_encoding_message_size(tfplugin::transport::MAX_MESSAGE_SIZE)
        .read_resource(read_resource::Request {
            current_state: Some(DynamicValue {
                msgpack: msgpack.clone(),
                json: Vec::new(),
            }),
            ..read("echoes")
        })
        .await
        .expect("an answer");
    let state = response.into_inner().new_state.expect("a state");
    assert!(state.msgpack == msgpack);
}

#[tokio::test]
async fn stdio_and_broker_streams_stay_open_until_the_end() {
    let mut provider = Provider::start();
    let channel = provider.handshake().connect().await;
    let mut stdio = GrpcStdioClient::new(channel.clone())
        .stream_stdio(Empty {})
        .await
        .expect("a stream")
        .into_inner();
    let mut broker = GrpcBrokerClient::new(channel.clone())
        .start_stream(futures::stream::pending::<ConnInfo>())
        .await
        .expect("a stream")
        .into_inner();
    ProviderClient::new(channel.clone())
        .get_metadata(get_metadata::Request {})
        .await
        .expect("an answer");
    assert!(futures::poll!(stdio.next()).is_pending());
    assert!(futures::poll!(broker.next()).is_pending());
    GrpcControllerClient::new(channel)
        .shutdown(Empty {})
        .await
        .expect("an answer");
    assert!(stdio.next().await.is_none());
    assert!(broker.next().await.is_none());
}

#[tokio::test]
async fn the_log_is_json_lines_at_the_wanted_level() {
    let mut provider = Provider::start_with(|command| {
        command
            .env("TF_LOG", "TRACE")
            .env("TF_LOG_PROVIDER_BARE", "INFO");
    });
    let channel = provider.handshake().connect().await;
    ProviderClient::new(channel.clone())
        .get_metadata(get_metadata::Request {})
        .await
        .expect("an answer");
    drop(channel);
    provider.end().await;
    let lines: Vec<Value> = provider
        .stderr()
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect();
    let line = lines
        .iter()
        .find(|line| line["@message"] == "asked for metadata")
        .expect("the line of the provider");
    assert_eq!(line["@level"], "info");
    assert_eq!(line["@module"], "bare_protocol");
    assert_eq!(line["answer"], 42);
    assert!(lines.iter().all(|line| line["@level"] != "debug"));
}

#[tokio::test]
async fn nothing_is_logged_unless_terraform_asks() {
    let mut provider = Provider::start();
    let channel = provider.handshake().connect().await;
    ProviderClient::new(channel.clone())
        .get_metadata(get_metadata::Request {})
        .await
        .expect("an answer");
    drop(channel);
    provider.end().await;
    assert_eq!(provider.stderr(), "");
}

#[tokio::test]
async fn debug_mode_prints_how_to_attach_and_outlives_its_hosts() {
    let mut provider = Provider::start_with(|command| {
        command.arg("--debug").env_remove("TF_PLUGIN_MAGIC_COOKIE");
    });
    let value = loop {
        let line = provider.line();
        if let Some((_, value)) = line.split_once("TF_REATTACH_PROVIDERS=") {
            break serde_json::from_str::<Value>(value.trim_matches('\'')).expect("JSON");
        }
    };
    let config = &value["example/bare"];
    assert_eq!(config["ProtocolVersion"], 6);
    assert_eq!(config["Test"], true);
    let socket = config["Addr"]["String"]
        .as_str()
        .expect("a path")
        .to_owned();

    for _ in 0..2 {
        let channel = connect_plain(socket.as_ref()).await.expect("let in");
        let apply = begin_apply(&provider, channel.clone()).await;
        assert!(!provider.has_traced("undone"));
        apply.abort();
        drop((apply, channel));
        provider.traced("undone").await;
        for trace in ["applying", "undone"] {
            std::fs::remove_file(provider.dir.path().join(trace)).expect("it is there");
        }
    }
    assert!(provider.runs());
    provider.signal(Signal::INT);
    let (status, _) = provider.end().await;
    assert!(status.success());
}
