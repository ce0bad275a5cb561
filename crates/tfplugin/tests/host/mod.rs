//! The host's side of go-plugin, as far as the tests of the transport need it: starts a provider, reads
//! its handshake line, and connects with a P-521 certificate over mutual TLS, as Terraform does.

use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hyper_util::rt::TokioIo;
use p521::ecdsa::signature::Signer as _;
use rustix::process::{Pid, Signal, kill_process};
use rustls::client::ResolvesClientCert;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore, SignatureAlgorithm, SignatureScheme};
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

/// The certificate that every test announces.
pub(crate) const CLIENT: &str = include_str!("../fixtures/client.crt");
/// Its key.
pub(crate) const CLIENT_KEY: &[u8] = include_bytes!("../fixtures/client.scalar");
/// A certificate of the same shape that nobody announced.
pub(crate) const STRANGER: &str = include_str!("../fixtures/stranger.crt");
/// The stranger's key.
pub(crate) const STRANGER_KEY: &[u8] = include_bytes!("../fixtures/stranger.scalar");

const COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";
/// Far above what anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The example binary that is the provider under test. `cargo test` builds it with the tests.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let path = test
        .ancestors()
        .nth(2)
        .expect("tests lie in target/<profile>/deps")
        .join("examples")
        .join(name);
    assert!(
        path.exists(),
        "the example {name} is not built; run cargo build -p tfplugin --examples"
    );
    path
}

/// A command that starts the provider by hand: nothing of Terraform in its environment.
pub(crate) fn by_hand() -> Command {
    let mut command = Command::new(example("bare_protocol"));
    for variable in [
        "TF_PLUGIN_MAGIC_COOKIE",
        "PLUGIN_CLIENT_CERT",
        "PLUGIN_UNIX_SOCKET_DIR",
        "PLUGIN_MULTIPLEX_GRPC",
        "TF_LOG",
        "TF_LOG_PROVIDER",
    ] {
        command.env_remove(variable);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A running provider. Dropping it kills it.
pub(crate) struct Provider {
    child: Child,
    stdout: BufReader<ChildStdout>,
    log: Arc<Mutex<String>>,
    log_reader: Option<JoinHandle<()>>,
    /// Where the provider leaves traces and its socket.
    pub(crate) dir: TempDir,
}

impl Provider {
    /// Starts it as Terraform does.
    pub(crate) fn start() -> Self {
        Self::start_with(|_| ())
    }

    /// Starts it as Terraform does, changed by `change`.
    pub(crate) fn start_with(change: impl FnOnce(&mut Command)) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut command = by_hand();
        command
            .env("TF_PLUGIN_MAGIC_COOKIE", COOKIE)
            .env("PLUGIN_PROTOCOL_VERSIONS", "5,6")
            .env("PLUGIN_CLIENT_CERT", CLIENT)
            .env("PLUGIN_UNIX_SOCKET_DIR", dir.path())
            .env("BARE_PROTOCOL_DIR", dir.path());
        change(&mut command);
        let mut child = command.spawn().expect("the provider starts");
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let stderr = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let log = Arc::new(Mutex::new(String::new()));
        let collected = log.clone();
        let log_reader = std::thread::spawn(move || {
            for line in stderr.lines() {
                let mut log = collected.lock().expect("not poisoned");
                log.push_str(&line.expect("stderr is text"));
                log.push('\n');
            }
        });
        Self {
            child,
            stdout,
            log,
            log_reader: Some(log_reader),
            dir,
        }
    }

    /// The next line on standard output, without its end.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout
            .read_line(&mut line)
            .expect("stdout is readable");
        line.trim_end().to_owned()
    }

    /// Reads the handshake line.
    pub(crate) fn handshake(&mut self) -> Handshake {
        Handshake::parse(&self.line())
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the provider is there");
    }

    /// Waits for a trace that the provider leaves.
    pub(crate) async fn traced(&self, what: &str) {
        let path = self.dir.path().join(what);
        until(what, || path.exists()).await;
    }

    /// Whether the provider has left a trace.
    pub(crate) fn has_traced(&self, what: &str) -> bool {
        self.dir.path().join(what).exists()
    }

    /// Waits for its end and says how long that took.
    pub(crate) async fn end(&mut self) -> (ExitStatus, Duration) {
        let start = Instant::now();
        let mut status = None;
        until("the provider's end", || {
            status = self.child.try_wait().expect("a child can be waited for");
            status.is_some()
        })
        .await;
        (status.expect("it has ended"), start.elapsed())
    }

    /// True while it runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("a child can be waited for")
            .is_none()
    }

    /// All of standard error, once the provider has ended.
    pub(crate) fn stderr(&mut self) -> String {
        let reader = self.log_reader.take().expect("asked for once");
        reader.join().expect("stderr is readable");
        self.log.lock().expect("not poisoned").clone()
    }

    /// Waits for a text on standard error.
    pub(crate) async fn logged(&self, text: &str) {
        until(text, || {
            self.log.lock().expect("not poisoned").contains(text)
        })
        .await;
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        // It may have ended already, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for a condition.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// What a provider said in its handshake line.
#[derive(Clone, Debug)]
pub(crate) struct Handshake {
    pub(crate) socket: PathBuf,
    pub(crate) certificate: CertificateDer<'static>,
}

impl Handshake {
    /// Takes a line apart, as go-plugin does.
    pub(crate) fn parse(line: &str) -> Self {
        let fields: Vec<_> = line.split('|').collect();
        let ["1", "6", "unix", socket, "grpc", certificate] = fields[..] else {
            panic!("not a handshake line: {line:?}");
        };
        Self {
            socket: socket.into(),
            certificate: decode_base64(certificate).into(),
        }
    }

    /// Connects as Terraform does.
    pub(crate) async fn connect(&self) -> Channel {
        self.connect_as(Identity::new(CLIENT, CLIENT_KEY))
            .await
            .expect("the announced certificate is let in")
    }

    /// Connects with some identity, or none. Succeeds only after a first answer: under TLS 1.3 a client
    /// learns of its refusal when it reads.
    pub(crate) async fn connect_as(&self, identity: Option<Identity>) -> Result<Channel, String> {
        let mut roots = RootCertStore::empty();
        roots
            .add(self.certificate.clone())
            .expect("the provider's certificate is one");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has the default versions")
            .with_root_certificates(roots);
        let mut config = match identity {
            Some(identity) => builder.with_client_cert_resolver(identity.0),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        let connector = TlsConnector::from(Arc::new(config));
        let socket = self.socket.clone();
        let channel = Endpoint::from_static("http://localhost")
            .connect_with_connector(tower::service_fn(move |_| {
                let (connector, socket) = (connector.clone(), socket.clone());
                async move {
                    let stream = UnixStream::connect(socket).await?;
                    let name = ServerName::try_from("localhost").expect("a name");
                    Ok::<_, io::Error>(TokioIo::new(connector.connect(name, stream).await?))
                }
            }))
            .await
            .map_err(|error| format!("{error:?}"))?;
        first_answer(channel).await
    }
}

/// Connects without TLS.
pub(crate) async fn connect_plain(socket: &Path) -> Result<Channel, String> {
    let socket = socket.to_owned();
    let channel = Endpoint::from_static("http://localhost")
        .connect_with_connector(tower::service_fn(move |_| {
            let socket = socket.clone();
            async move { UnixStream::connect(socket).await.map(TokioIo::new) }
        }))
        .await
        .map_err(|error| format!("{error:?}"))?;
    first_answer(channel).await
}

async fn first_answer(channel: Channel) -> Result<Channel, String> {
    use tfplugin_proto::health::health_client::HealthClient;
    use tfplugin_proto::health::{HealthCheckRequest, health_check_response::ServingStatus};

    let answer = HealthClient::new(channel.clone())
        .check(HealthCheckRequest {
            service: "plugin".to_owned(),
        })
        .await
        .map_err(|status| format!("{status:?}"))?;
    assert_eq!(answer.get_ref().status(), ServingStatus::Serving);
    Ok(channel)
}

/// A certificate and the key that is to prove it.
#[derive(Debug)]
pub(crate) struct Identity(Arc<dyn ResolvesClientCert>);

impl Identity {
    /// From a certificate in PEM and a P-521 private key as a number.
    pub(crate) fn new(certificate: &str, key: &[u8]) -> Option<Self> {
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM");
        let key = p521::ecdsa::SigningKey::from_slice(key).expect("a P-521 key");
        let key = CertifiedKey::new(vec![certificate], Arc::new(Key(Arc::new(key))));
        Some(Self(Arc::new(SingleCertAndKey::from(key))))
    }
}

/// rustls with ring cannot sign with P-521 either.
struct Key(Arc<p521::ecdsa::SigningKey>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl SigningKey for Key {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn rustls::sign::Signer>> {
        offered
            .contains(&SignatureScheme::ECDSA_NISTP521_SHA512)
            .then(|| Box::new(Key(self.0.clone())) as Box<dyn rustls::sign::Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl rustls::sign::Signer for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        let signature: p521::ecdsa::Signature = self.0.sign(message);
        Ok(signature.to_der().as_bytes().to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_NISTP521_SHA512
    }
}

fn decode_base64(text: &str) -> Vec<u8> {
    assert!(
        !text.contains('='),
        "go-plugin decodes base64 without padding"
    );
    let mut bytes = Vec::new();
    let (mut group, mut bits) = (0u32, 0);
    for c in text.chars() {
        let digit = match c {
            'A'..='Z' => c as u32 - 'A' as u32,
            'a'..='z' => c as u32 - 'a' as u32 + 26,
            '0'..='9' => c as u32 - '0' as u32 + 52,
            '+' => 62,
            '/' => 63,
            _ => panic!("not base64: {c:?}"),
        };
        group = (group << 6 | digit) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(group >> bits & 0xff).expect("masked to a byte"));
        }
    }
    bytes
}
