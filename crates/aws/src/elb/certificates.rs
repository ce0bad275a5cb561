//! The certificates that a listener may show. It only reads.

use mlops_core::Result;

use super::Balancers;
use super::calls::{Blame, about, run};

impl Balancers {
    /// The ARNs of a listener's certificates, its default one among them.
    pub(crate) async fn certificates(&self, listener: &str) -> Result<Vec<String>> {
        let about = about(
            "DescribeListenerCertificates",
            format!("listener {listener}"),
            Blame::Listener,
        );
        let mut all = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let sent = run(&self.clients, &about, |client| {
                let request = client
                    .describe_listener_certificates()
                    .listener_arn(listener);
                Box::pin(request.set_marker(marker.clone()).send())
            });
            let page = sent.await?;
            let told = page.certificates.unwrap_or_default().into_iter();
            all.extend(told.filter_map(|certificate| certificate.certificate_arn));
            marker = page.next_marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Ok(all);
            }
        }
    }
}
