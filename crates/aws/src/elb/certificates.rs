//! The certificates that a listener may show. It only reads.

use mlops_core::Result;

use super::calls::{Blame, about, run};
use super::{Balancers, pages};

impl Balancers {
    /// The ARNs of a listener's certificates, its default one among them.
    pub(crate) async fn certificates(&self, listener: &str) -> Result<Vec<String>> {
        let about = &about(
            "DescribeListenerCertificates",
            format!("listener {listener}"),
            Blame::Listener,
        );
        let all = pages::all(|marker| async move {
            let sent = run(&self.clients, about, |client| {
                let request = client
                    .describe_listener_certificates()
                    .listener_arn(listener);
                Box::pin(request.set_marker(marker.clone()).send())
            });
            let page = sent.await?;
            Ok((page.certificates, page.next_marker))
        });
        let arns = all.await?.into_iter();
        Ok(arns.filter_map(|one| one.certificate_arn).collect())
    }
}
