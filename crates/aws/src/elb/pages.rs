//! Answers that come in pages.

use super::calls::Refusal;

/// What all pages have, one after the other. `page` asks for the one at a marker, and tells what it has and where the next one begins.
pub(super) async fn all<T, F>(page: impl Fn(Option<String>) -> F) -> Result<Vec<T>, Refusal>
where
    F: Future<Output = Result<(Option<Vec<T>>, Option<String>), Refusal>>,
{
    let (mut all, mut marker) = (Vec::new(), None);
    loop {
        let (some, next) = page(marker).await?;
        all.extend(some.unwrap_or_default());
        marker = next.filter(|marker| !marker.is_empty());
        if marker.is_none() {
            return Ok(all);
        }
    }
}
