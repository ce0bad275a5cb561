//! go-plugin's handshake: what Terraform leaves in the environment, and the line it reads in return.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::error::ServeError;
use super::options::ServeOptions;

const COOKIE_KEY: &str = "TF_PLUGIN_MAGIC_COOKIE";
// Not a secret: every Terraform provider carries it. It tells "started by Terraform" from "by hand".
const COOKIE_VALUE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/// What Terraform left in the environment of a provider it starts.
#[derive(Debug)]
pub(super) struct Invitation {
    /// The one certificate that the client will present.
    pub(super) client_certificate: CertificateDer<'static>,
    /// Where the socket belongs, if Terraform says so.
    pub(super) socket_dir: Option<PathBuf>,
    /// Whether Terraform reads a seventh field in the handshake line.
    asks_for_multiplexing: bool,
}

impl Invitation {
    /// Reads the environment through `var`.
    pub(super) fn read(
        options: &ServeOptions,
        var: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ServeError> {
        if var(COOKIE_KEY).is_none_or(|value| value != COOKIE_VALUE) {
            return Err(ServeError::StartedByHand {
                page: page(options),
            });
        }
        let filled = |name: &str| var(name).filter(|value| !value.is_empty());
        let pem = filled("PLUGIN_CLIENT_CERT").ok_or(ServeError::NoClientCertificate)?;
        let client_certificate = CertificateDer::from_pem_slice(pem.as_encoded_bytes())
            .map_err(ServeError::ClientCertificate)?;
        Ok(Self {
            client_certificate,
            socket_dir: filled("PLUGIN_UNIX_SOCKET_DIR").map(PathBuf::from),
            asks_for_multiplexing: filled("PLUGIN_MULTIPLEX_GRPC").is_some(),
        })
    }

    /// The handshake line, without its end: core protocol 1, Terraform protocol 6, where to connect, and
    /// the certificate this process will present.
    pub(super) fn line(&self, socket: &Path, certificate: &CertificateDer<'_>) -> String {
        let mut line = format!(
            "1|6|unix|{}|grpc|{}",
            socket.display(),
            base64_unpadded(certificate)
        );
        if self.asks_for_multiplexing {
            line.push_str("|false");
        }
        line
    }
}

/// Writes a text and a line end to standard output, in one piece, and flushes it: Terraform waits for it.
pub(super) fn announce(text: &str) -> Result<(), ServeError> {
    let mut out = io::stdout().lock();
    out.write_all(format!("{text}\n").as_bytes())
        .and_then(|()| out.flush())
        .map_err(ServeError::Handshake)
}

/// The value of TF_REATTACH_PROVIDERS that makes Terraform or OpenTofu use the running process `pid` for the provider
/// with this source.
pub(super) fn reattach_value(source: &str, pid: u32, socket: &Path) -> String {
    serde_json::json!({
        source: {
            "Protocol": "grpc",
            "ProtocolVersion": 6,
            "Pid": pid,
            "Test": true,
            "Addr": { "Network": "unix", "String": socket.to_string_lossy() },
        }
    })
    .to_string()
}

fn page(options: &ServeOptions) -> String {
    let (name, version, source) = (options.name(), options.version(), options.source());
    format!(
        "This is the Terraform provider \"{name}\", version {version}.\n\
         \n\
         It is not meant to be run by hand: Terraform and OpenTofu start it when a configuration says\n\
         \n\
         \x20   terraform {{\n\
         \x20     required_providers {{\n\
         \x20       {name} = {{\n\
         \x20         source = \"{source}\"\n\
         \x20       }}\n\
         \x20     }}\n\
         \x20   }}\n\
         \n\
         To work on the provider itself, start it with --debug: it then prints the value of\n\
         TF_REATTACH_PROVIDERS that makes Terraform or OpenTofu use the running process."
    )
}

/// Standard base64 without padding, as go-plugin decodes it.
fn base64_unpadded(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk
            .iter()
            .chain(std::iter::repeat(&0))
            .take(3)
            .fold(0u32, |group, byte| group << 8 | u32::from(*byte));
        for place in 0..=chunk.len() {
            let index = (group >> (18 - 6 * place)) & 0x3f;
            text.push(char::from(ALPHABET[index as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &str = include_str!("../../tests/fixtures/client.crt");

    fn options() -> ServeOptions {
        ServeOptions::new("registry.terraform.io/mlops-rs/mlops", "0.1.0")
    }

    fn read(vars: &[(&str, &str)]) -> Result<Invitation, ServeError> {
        Invitation::read(&options(), |name| {
            vars.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn base64_agrees_with_the_vectors_of_rfc_4648() {
        let encoded = ["", "f", "fo", "foo", "foob", "fooba", "foobar"]
            .map(|text| base64_unpadded(text.as_bytes()));
        assert_eq!(
            encoded,
            ["", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE", "Zm9vYmFy"]
        );
        assert_eq!(base64_unpadded(&[0xfb, 0xff]), "+/8");
    }

    #[test]
    fn a_missing_or_wrong_cookie_gets_the_page_for_humans() {
        for vars in [&[][..], &[("TF_PLUGIN_MAGIC_COOKIE", "no")]] {
            let error = read(vars).expect_err("no cookie");
            assert!(error.started_by_hand());
            let page = error.to_string();
            assert!(page.contains("source = \"mlops-rs/mlops\""), "{page}");
            assert!(page.contains("--debug"), "{page}");
        }
    }

    #[test]
    fn a_cookie_without_a_certificate_is_refused_with_the_way_out() {
        let error = read(&[(COOKIE_KEY, COOKIE_VALUE), ("PLUGIN_CLIENT_CERT", "")]);
        let text = error.expect_err("no certificate").to_string();
        assert!(text.contains("TF_DISABLE_PLUGIN_TLS"), "{text}");
    }

    #[test]
    fn a_certificate_that_is_none_is_refused() {
        let error = read(&[(COOKIE_KEY, COOKIE_VALUE), ("PLUGIN_CLIENT_CERT", "x")]);
        assert!(matches!(error, Err(ServeError::ClientCertificate(_))));
    }

    #[test]
    fn the_line_has_six_fields_and_a_seventh_only_for_a_client_that_asks() {
        let mut vars = vec![
            (COOKIE_KEY, COOKIE_VALUE),
            ("PLUGIN_CLIENT_CERT", CERTIFICATE),
        ];
        let certificate = CertificateDer::from(vec![0xfb, 0xff]);
        let line = |vars: &[(&str, &str)]| {
            read(vars)
                .expect("a good environment")
                .line(Path::new("/tmp/s"), &certificate)
        };
        assert_eq!(line(&vars), "1|6|unix|/tmp/s|grpc|+/8");
        vars.push(("PLUGIN_MULTIPLEX_GRPC", "true"));
        assert_eq!(line(&vars), "1|6|unix|/tmp/s|grpc|+/8|false");
    }

    #[test]
    fn the_reattach_value_is_what_both_engines_parse() {
        let value = reattach_value("a/b", 7, Path::new("/tmp/s"));
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&value).expect("JSON"),
            serde_json::json!({"a/b": {
                "Protocol": "grpc", "ProtocolVersion": 6, "Pid": 7, "Test": true,
                "Addr": {"Network": "unix", "String": "/tmp/s"},
            }}),
        );
    }
}
