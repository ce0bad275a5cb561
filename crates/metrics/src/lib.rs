//! The sources of analyses that are asked over HTTP, from the process that deploys: Prometheus, and anything that answers with JSON.
//!
//! A question is one `GET` on a connection of its own. Redirects are not followed and no proxy is used. A bearer token is read from the
//! environment when it is needed, and kept nowhere.

mod exchange;
mod json;
mod prometheus;
mod trust;

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use mlops_core::rollout::{Answer, Dialect, HttpSource, Meter, Question};
use mlops_core::{Error, Result};

use self::exchange::Token;
use self::trust::Trust;

/// Asks sources over HTTP.
pub struct HttpMeter {
    trust: Trust,
    environment: fn(&str) -> Option<String>,
}

impl std::fmt::Debug for HttpMeter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpMeter").finish_non_exhaustive()
    }
}

impl Default for HttpMeter {
    fn default() -> Self {
        Self {
            trust: Trust::of_this_machine(),
            environment: |name| std::env::var(name).ok(),
        }
    }
}

impl HttpMeter {
    fn token(&self, variable: Option<&str>) -> Result<Option<Token>> {
        let Some(name) = variable else {
            return Ok(None);
        };
        let token = (self.environment)(name).filter(|token| !token.trim().is_empty());
        let token = token.ok_or_else(|| {
            Error::invalid(format!(
                "the environment variable {name} is not set here; set it to the token, or leave bearer_token_env out"
            ))
            .at("bearer_token_env")
        })?;
        let token = Token::new(&token).ok_or_else(|| {
            Error::invalid(format!(
                "the environment variable {name} holds no bearer token: there is a character in it that a header cannot have"
            ))
            .at("bearer_token_env")
        })?;
        Ok(Some(token))
    }
}

#[async_trait]
impl Meter for HttpMeter {
    fn check(&self, source: &HttpSource) -> Result<()> {
        self.token(source.bearer_token_env.as_deref()).map(drop)
    }

    async fn ask(&self, question: &Question) -> Result<Answer> {
        let token = self.token(question.bearer_token_env.as_deref())?;
        match question.dialect {
            Dialect::Prometheus => {
                prometheus::ask(&self.trust, &question.address, &question.query, token).await
            }
            Dialect::Json => {
                json::ask(&self.trust, &question.address, &question.query, token).await
            }
        }
    }
}
