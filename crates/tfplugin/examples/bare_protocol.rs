//! A provider without the framework: the generated `Provider` trait, implemented by hand, and served.
//!
//! It manages nothing. The tests of the transport start it as Terraform would and provoke it through the
//! type names of requests: `panics`, `waits` (until it is asked to stop), `echoes`. It leaves traces of
//! what happened to it in the directory named by BARE_PROTOCOL_DIR.

use std::path::PathBuf;
use std::process::ExitCode;

use tfplugin::{ServeOptions, StopSignal};
use tfplugin_proto::tfplugin6::provider_server::Provider;
use tfplugin_proto::tfplugin6::{
    apply_resource_change, get_metadata, get_provider_schema, read_resource, stop_provider,
};
use tonic::{Request, Response, Status};

struct Bare {
    stop: StopSignal,
}

#[tonic::async_trait]
impl Provider for Bare {
    async fn get_metadata(
        &self,
        _: Request<get_metadata::Request>,
    ) -> Result<Response<get_metadata::Response>, Status> {
        tracing::info!(answer = 42, "asked for metadata");
        tracing::debug!("a detail");
        Ok(Response::new(Default::default()))
    }

    async fn get_provider_schema(
        &self,
        _: Request<get_provider_schema::Request>,
    ) -> Result<Response<get_provider_schema::Response>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn read_resource(
        &self,
        request: Request<read_resource::Request>,
    ) -> Result<Response<read_resource::Response>, Status> {
        let request = request.into_inner();
        assert_ne!(request.type_name, "panics", "asked to panic");
        Ok(Response::new(read_resource::Response {
            new_state: request.current_state,
            ..Default::default()
        }))
    }

    async fn apply_resource_change(
        &self,
        request: Request<apply_resource_change::Request>,
    ) -> Result<Response<apply_resource_change::Response>, Status> {
        if request.get_ref().type_name == "waits" {
            let token = self.stop.token();
            trace("applying");
            token.cancelled().await;
            // An undo takes a moment too, and must not be cut off.
            tokio::task::yield_now().await;
            trace("undone");
        }
        Ok(Response::new(Default::default()))
    }

    async fn stop_provider(
        &self,
        _: Request<stop_provider::Request>,
    ) -> Result<Response<stop_provider::Response>, Status> {
        self.stop.stop();
        Ok(Response::new(Default::default()))
    }
}

/// Leaves a file behind for the test that watches.
fn trace(what: &str) {
    if let Some(dir) = std::env::var_os("BARE_PROTOCOL_DIR") {
        std::fs::write(PathBuf::from(dir).join(what), "")
            .expect("the test's directory is writable");
    }
}

fn main() -> ExitCode {
    let options = ServeOptions::new("registry.terraform.io/example/bare", "1.2.3")
        .debug(std::env::args().any(|argument| argument == "--debug"))
        .on_shutdown(async || trace("acknowledged"));
    tfplugin::transport::run(options, |stop| Bare { stop })
}
