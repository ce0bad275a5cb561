//! Pages of a search. A token says where the page before ended, not how far: what is added or
//! deleted meanwhile makes nobody see a row twice, or miss one.

use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mlops_core::artifacts::Digest;
use serde::{Deserialize, Serialize};

use super::filter::Row;
use super::order::{Order, Place};
use crate::answer::Refusal;

#[derive(Debug, Serialize, Deserialize)]
struct Token {
    /// Of filter and order: a token continues its own search only.
    search: String,
    after: Vec<Place>,
}

/// A search's question, for its tokens.
fn search(filter: &str, order: &[&str]) -> String {
    Digest::of(format!("{filter}\n{}", order.join("\n")).as_bytes()).hex()[..16].to_owned()
}

/// The rows of one page in order, and the token of the next page.
pub(super) fn cut<R: Row>(
    rows: Vec<R>,
    order: &Order,
    (filter, asked): (&str, &[&str]),
    most: usize,
    token: Option<&str>,
) -> Result<(Vec<R>, Option<String>), Refusal> {
    let search = search(filter, asked);
    let after = token.map(|token| read(token, &search)).transpose()?;
    let mut placed: Vec<(Vec<Place>, R)> = rows
        .into_iter()
        .map(|row| (order.place(&row), row))
        .collect();
    if let Some(after) = &after {
        if order.compare(after, after).is_none() {
            return Err(wrong());
        }
        placed.retain(|(place, _)| order.compare(place, after) == Some(Ordering::Greater));
    }
    // All places are of this order.
    placed.sort_by(|(a, _), (b, _)| order.compare(a, b).unwrap_or(Ordering::Equal));
    let more = placed.len() > most;
    placed.truncate(most);
    let next = placed.last().filter(|_| more).map(|(place, _)| {
        let token = Token {
            search,
            after: place.clone(),
        };
        // Strings and numbers: it can be written.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(&token).unwrap_or_default())
    });
    Ok((placed.into_iter().map(|(_, row)| row).collect(), next))
}

fn read(token: &str, search: &str) -> Result<Vec<Place>, Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| wrong())?;
    let token: Token = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
    if token.search != search {
        return Err(wrong());
    }
    Ok(token.after)
}

fn wrong() -> Refusal {
    Refusal::invalid(
        "Invalid page token: it is not one of this search; repeat filter and order_by, or begin anew without a token",
    )
}
