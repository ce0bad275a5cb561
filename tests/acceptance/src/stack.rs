//! The configuration that most endpoint tests start from: a model, a version of it, and an endpoint that serves it.

use std::collections::BTreeMap;

use crate::digits::{self, Digits};
use crate::http::Client;
use crate::workspace::{Workspace, free_port};

/// A model `digits`, one version of it from `model.onnx`, and an endpoint `digits` on a port of its own.
#[derive(Clone, Debug)]
pub struct Stack {
    /// The endpoint's port.
    pub port: u16,
    /// Further attributes of the version.
    pub version: String,
    /// Further attributes of the variant `main`.
    pub variant: String,
    /// Further attributes and blocks of the endpoint.
    pub endpoint: String,
    /// Further blocks of the configuration.
    pub more: String,
}

/// A canary that is quick, and stops at the first errors.
pub const CANARY: &str = r#"
  rollout {
    strategy = "CANARY"
    steps    = [{ traffic = 10, bake = "2s" }, { traffic = 50, bake = "1s" }, { traffic = 100 }]
    analysis = { errors = { source = "server", query = "error_rate", condition = "result < 0.02" } }
  }
"#;

/// A canary that stays at its first step longer than any test.
pub const SLOW_CANARY: &str = r#"
  rollout {
    strategy = "CANARY"
    steps    = [{ traffic = 10, bake = "10m" }, { traffic = 100 }]
  }
"#;

/// The endpoint's address in the configuration.
pub const ENDPOINT: &str = "mlops_endpoint.digits";
/// The version's.
pub const VERSION: &str = "mlops_model_version.digits";

impl Default for Stack {
    fn default() -> Self {
        Self {
            port: free_port(),
            version: String::new(),
            variant: String::new(),
            endpoint: String::new(),
            more: String::new(),
        }
    }
}

impl Stack {
    /// The stack with this block in the endpoint.
    pub fn rolling_out(endpoint: &str) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            ..Self::default()
        }
    }

    /// A workspace with this configuration and one of the quickstart's models as `model.onnx`, not applied yet.
    pub fn workspace(&self, model: &str) -> Workspace {
        let mut work = Workspace::new();
        work.copy_model(model, "model.onnx");
        self.configure(&mut work);
        work
    }

    /// Writes this configuration into a workspace.
    pub fn configure(&self, work: &mut Workspace) {
        work.config(&self.text());
    }

    /// The configuration.
    pub fn text(&self) -> String {
        let Self {
            port,
            version,
            variant,
            endpoint,
            more,
        } = self;
        format!(
            r#"
resource "mlops_model" "digits" {{
  name = "digits"
}}

resource "mlops_model_version" "digits" {{
  model  = mlops_model.digits.name
  source = "model.onnx"
  {version}
  lifecycle {{
    create_before_destroy = true
  }}
}}

resource "mlops_endpoint" "digits" {{
  name = "digits"
  variants = {{
    main = {{
      model         = mlops_model.digits.name
      model_version = mlops_model_version.digits.version
      traffic       = 100
      {variant}
    }}
  }}
  local {{
    port = {port}
  }}
  {endpoint}
}}
{more}
"#
        )
    }

    /// Where the endpoint answers.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Asks about `n` held-out images over one connection, and counts who answered, errors as well.
    ///
    /// # Panics
    /// If a request gets no answer.
    #[track_caller]
    pub fn who_answers(&self, n: usize) -> BTreeMap<u64, usize> {
        who_answers(&self.url(), n)
    }

    /// Whether anything listens on the port.
    pub fn listens(&self) -> bool {
        std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok()
    }
}

/// Asks the endpoint at `url` about `n` held-out images over one connection, and counts who answered, errors as well.
///
/// # Panics
/// If a request gets no answer.
#[track_caller]
pub fn who_answers(url: &str, n: usize) -> BTreeMap<u64, usize> {
    let (digits, mut client, path) = (
        Digits::committed(),
        Client::new(url),
        digits::infer_path("digits"),
    );
    let mut who = BTreeMap::new();
    for i in 0..n {
        let answer = client.post(&path, &digits.request(i).body);
        let answer = answer.unwrap_or_else(|error| panic!("{url} does not answer: {error}"));
        let version = answer.header("mlops-version").and_then(|v| v.parse().ok());
        *who.entry(version.unwrap_or_else(|| panic!("nobody answers: {}", answer.text())))
            .or_default() += 1;
    }
    who
}
