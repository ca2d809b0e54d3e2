//! How we speak with a search cluster: bounded calls, and what its answers mean.
//!
//! Both products quote the values that they refuse ("Preview of field's value: …"). An audit log's values
//! are personal data, so what they say is cut before that.

use std::time::Duration;

use reqwest::{RequestBuilder, StatusCode};
use serde_json::Value;
use tutela_app::port::ClusterError;

/// How long one call may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// Longest answer that is read.
const MAX_ANSWER: usize = 64 << 20;
/// Longest part of a message of theirs, in characters.
const MAX_SAID: usize = 300;
/// What comes before a value of a document in a message.
const VALUES: [&str; 3] = ["Preview of field's value", "The prefix of the first immense term", "original message"];

/// An answer: its status, and its JSON where it has any.
pub(super) struct Reply {
    pub status: StatusCode,
    pub json: Value,
}

/// Sends a request. No answer, and one that says "not now", is `Unavailable`.
pub(super) async fn send(request: RequestBuilder, patience: Duration) -> Result<Reply, ClusterError> {
    let mut response = request.timeout(patience).send().await.map_err(|e| lost(&e, patience))?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| lost(&e, patience))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(ClusterError::Refused("its answer is longer than 64 MiB; ask for fewer documents at once".into()));
        }
        body.extend_from_slice(&chunk);
    }
    let reply = Reply { status, json: serde_json::from_slice(&body).unwrap_or(Value::Null) };
    let not_now = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::REQUEST_TIMEOUT;
    if not_now { Err(ClusterError::Unavailable(text(&reply))) } else { Ok(reply) }
}

/// The JSON of a call that worked.
pub(super) fn done(reply: Reply) -> Result<Value, ClusterError> {
    if !reply.status.is_success() {
        return Err(refusal(&reply));
    }
    if reply.json.is_null() { Err(ClusterError::Unavailable("its answer is not JSON".into())) } else { Ok(reply.json) }
}

/// Why a call did not work. A blocked cluster (read-only, or not formed yet) is one that may work later.
pub(super) fn refusal(reply: &Reply) -> ClusterError {
    let blocked = reply.json["error"]["type"].as_str() == Some("cluster_block_exception");
    if blocked { ClusterError::Unavailable(text(reply)) } else { ClusterError::Refused(text(reply)) }
}

/// Refuses an answer that some shards did not take part in: it would be silently incomplete.
pub(super) fn complete(json: Value) -> Result<Value, ClusterError> {
    let failed = json["_shards"]["failed"].as_u64().unwrap_or(0);
    if failed > 0 || json["timed_out"].as_bool() == Some(true) {
        return Err(ClusterError::Unavailable(format!("{failed} shards did not answer")));
    }
    Ok(json)
}

/// Type and reason of an error object, without values of documents.
pub(super) fn said(error: &Value) -> String {
    if let Some(text) = error.as_str() {
        return cut(text);
    }
    // "all shards failed" says nothing; its root cause does.
    let top = error.pointer("/root_cause/0").unwrap_or(error);
    let parts = [top["type"].as_str().map(str::to_owned), top["reason"].as_str().map(cut)];
    let text = parts.into_iter().flatten().collect::<Vec<_>>().join(": ");
    text.chars().take(MAX_SAID).collect()
}

fn text(reply: &Reply) -> String {
    let error = &reply.json["error"];
    let mut text = format!("it answered {}", reply.status);
    // What is wrong with a template stands at the bottom of its causes.
    let mut bottom = None;
    while let Some(inner) = bottom.unwrap_or(error).get("caused_by") {
        bottom = Some(inner);
    }
    for part in [said(error), bottom.and_then(|cause| cause["reason"].as_str()).map(cut).unwrap_or_default()] {
        if !part.is_empty() && !text.contains(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
    }
    text
}

fn cut(text: &str) -> String {
    let end = VALUES.iter().filter_map(|mark| text.find(mark)).min().unwrap_or(text.len());
    let shown = text.get(..end).unwrap_or_default().trim_end_matches([' ', '.', ';']);
    shown.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_SAID).collect()
}

/// The cause without the address.
fn lost(e: &reqwest::Error, patience: Duration) -> ClusterError {
    if e.is_timeout() {
        return ClusterError::Unavailable(format!("no answer within {} seconds", patience.as_secs_f32()));
    }
    let mut source: &dyn std::error::Error = e;
    while let Some(inner) = source.source() {
        source = inner;
    }
    ClusterError::Unavailable(source.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_of_documents_do_not_get_into_messages() {
        let told = said(&json!({"type": "mapper_parsing_exception", "reason": "failed to parse field [ip] of type [ip]. Preview of field's value: 'x'"}));
        assert_eq!(told, "mapper_parsing_exception: failed to parse field [ip] of type [ip]");
        let told = said(&json!({"type": "x", "reason": "one immense term in field=\"k\".  The prefix of the first immense term is: '[97, 97]...'"}));
        assert_eq!(told, "x: one immense term in field=\"k\"");
        assert_eq!(said(&json!({"type": "x", "reason": "r".repeat(1000)})).chars().count(), MAX_SAID);
    }

    #[test]
    fn the_cause_that_helps_is_named() {
        let shards = json!({"type": "search_phase_execution_exception", "reason": "all shards failed",
            "root_cause": [{"type": "query_shard_exception", "reason": "No mapping found for [nope] in order to sort on"}]});
        assert_eq!(said(&shards), "query_shard_exception: No mapping found for [nope] in order to sort on");
        let error = json!({"type": "illegal_argument_exception", "reason": "template is invalid",
            "caused_by": {"type": "invalid_alias_name_exception", "reason": "an index exists with the same name as the alias"}});
        let template = Reply { status: StatusCode::BAD_REQUEST, json: json!({"error": error, "status": 400}) };
        let told = "it answered 400 Bad Request: illegal_argument_exception: template is invalid: an index exists with the same name as the alias";
        assert_eq!(refusal(&template), ClusterError::Refused(told.into()));
        assert_eq!(said(&json!("no handler found")), "no handler found");
        assert_eq!(said(&Value::Null), "");
    }

    #[test]
    fn an_answer_without_some_of_its_shards_is_none() {
        assert!(complete(json!({"count": 1, "_shards": {"failed": 0}})).is_ok());
        assert!(matches!(complete(json!({"count": 1, "_shards": {"failed": 1}})), Err(ClusterError::Unavailable(_))));
    }
}
