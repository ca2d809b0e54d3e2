//! `_bulk`: documents as lines, cut into requests; and what each item's answer means.

use serde_json::{Value, json};
use tutela_app::port::{ClusterDocument, ClusterError, PutAnswer};

use super::wire::said;

/// Longest body of one request, but for a single document that is longer alone.
const MAX_REQUEST: usize = 8 << 20;
/// Longest `_id` that both products take, in bytes. A longer one would have the whole request refused.
const MAX_ID: usize = 512;
/// Faults of an index or of a whole cluster that come as an item's 400: the next document would not fare better.
const NOT_OF_THE_DOCUMENT: [&str; 5] =
    ["cluster_block_exception", "index_closed_exception", "invalid_alias_name_exception", "invalid_index_name_exception", "validation_exception"];

/// One request, and what is known already of the documents that it covers.
pub(super) struct Request {
    /// Its body; empty where no document is fit to be sent.
    pub lines: Vec<u8>,
    /// One for each document it covers: `None` for those that are in `lines`.
    pub known: Vec<Option<PutAnswer>>,
}

impl Request {
    /// Takes as many documents from the front as fit into one request, at least one.
    pub(super) fn of(index: &str, documents: &[ClusterDocument]) -> Self {
        let mut request = Self { lines: Vec::new(), known: Vec::new() };
        for document in documents {
            let refused = unfit(document);
            if refused.is_none() {
                let action = json!({"create": {"_index": super::month::name(index, document.month), "_id": document.id}}).to_string();
                let longer = request.lines.len() + action.len() + document.source.len() + 2;
                if longer > MAX_REQUEST && !request.lines.is_empty() {
                    break;
                }
                for line in [action.as_bytes(), document.source.as_slice()] {
                    request.lines.extend_from_slice(line);
                    request.lines.push(b'\n');
                }
            }
            request.known.push(refused);
        }
        request
    }

    /// How many documents are in it.
    pub(super) fn sent(&self) -> usize {
        self.known.iter().filter(|known| known.is_none()).count()
    }

    /// One answer for each document, in order.
    pub(super) fn answers(self, json: &Value) -> Result<Vec<PutAnswer>, ClusterError> {
        let items = json["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        if items.len() != self.sent() {
            return Err(ClusterError::Unavailable(format!("it answered for {} of {} documents", items.len(), self.sent())));
        }
        let mut items = items.iter();
        let one = |known: Option<PutAnswer>| known.or_else(|| items.next().map(answer)).unwrap_or_else(|| PutAnswer::Busy("no answer".into()));
        Ok(self.known.into_iter().map(one).collect())
    }

    /// The same answer for each document that was sent.
    pub(super) fn all(self, answer: &PutAnswer) -> Vec<PutAnswer> {
        self.known.into_iter().map(|known| known.unwrap_or_else(|| answer.clone())).collect()
    }
}

/// What cannot be sent without harm to its neighbours: a line feed would be read as the next action.
fn unfit(document: &ClusterDocument) -> Option<PutAnswer> {
    let why = if document.id.is_empty() || document.id.len() > MAX_ID {
        format!("an id has 1 to {MAX_ID} bytes")
    } else if document.source.is_empty() || document.source.contains(&b'\n') {
        "a document is one line".into()
    } else {
        return None;
    };
    Some(PutAnswer::Refused(why))
}

fn answer(item: &Value) -> PutAnswer {
    let create = &item["create"];
    let status = create["status"].as_u64().unwrap_or(0);
    let error = &create["error"];
    let elsewhere = error["type"].as_str().is_some_and(|kind| NOT_OF_THE_DOCUMENT.contains(&kind));
    match status {
        200..=299 if error.is_null() => PutAnswer::Stored,
        409 => PutAnswer::Already,
        // Rights, a missing index and overload are the cluster's: a document is not at fault for them.
        400..=499 if !elsewhere && ![401, 403, 404, 408, 429].contains(&status) => PutAnswer::Refused(said(error)),
        _ => PutAnswer::Busy(format!("{status}: {}", said(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(id: &str, source: &str) -> ClusterDocument {
        ClusterDocument { id: id.into(), month: 202_611, source: source.into() }
    }

    #[test]
    fn a_request_holds_whole_documents_and_no_more_than_8_mib() {
        let long = format!("\"{}\"", "x".repeat(3 << 20));
        let documents = [document("1", &long), document("2", &long), document("3", &long), document("4", "{}")];
        let first = Request::of("a", &documents);
        assert_eq!((first.sent(), first.lines.len() <= MAX_REQUEST), (2, true));
        assert_eq!(Request::of("a", &documents[2..]).sent(), 2);
        let huge = format!("\"{}\"", "x".repeat(9 << 20));
        assert_eq!(Request::of("a", &[document("1", &huge), document("2", "{}")]).sent(), 1, "alone where it is longer");
        let text = String::from_utf8(Request::of("a", &documents[3..]).lines).unwrap();
        let (action, source) = text.split_once('\n').unwrap();
        let action: Value = serde_json::from_str(action).unwrap();
        assert_eq!((action, source), (json!({"create": {"_index": "a-202611", "_id": "4"}}), "{}\n"));
    }

    #[test]
    fn a_document_that_would_break_the_request_is_refused_before_it() {
        let documents = [document("1", "{}"), document("2", "{}\n{\"delete\":{}}"), document(&"i".repeat(513), "{}"), document("4", "{}")];
        let request = Request::of("a", &documents);
        assert_eq!(request.sent(), 2);
        let answers = request.answers(&json!({"items": [{"create": {"status": 201}}, {"create": {"status": 409}}]})).unwrap();
        assert!(matches!(answers.as_slice(), [PutAnswer::Stored, PutAnswer::Refused(_), PutAnswer::Refused(_), PutAnswer::Already]));
    }

    #[test]
    fn only_what_is_the_documents_fault_is_refused() {
        let of = |status: u64, kind: &str| answer(&json!({"create": {"status": status, "error": {"type": kind, "reason": "r"}}}));
        for (status, kind) in [(400, "mapper_parsing_exception"), (400, "document_parsing_exception"), (400, "strict_dynamic_mapping_exception")] {
            assert!(matches!(of(status, kind), PutAnswer::Refused(_)), "{kind}");
        }
        let others = [
            (429, "es_rejected_execution_exception"),
            (429, "cluster_block_exception"),
            (403, "cluster_block_exception"),
            (403, "security_exception"),
            (404, "index_not_found_exception"),
            (400, "index_closed_exception"),
            (400, "validation_exception"),
            (503, "unavailable_shards_exception"),
        ];
        for (status, kind) in others {
            assert!(matches!(of(status, kind), PutAnswer::Busy(_)), "{status} {kind}");
        }
        assert!(matches!(of(409, "version_conflict_engine_exception"), PutAnswer::Already));
    }

    #[test]
    fn an_answer_for_too_few_documents_counts_for_none() {
        let request = Request::of("a", &[document("1", "{}"), document("2", "{}")]);
        assert!(matches!(request.answers(&json!({"items": [{"create": {"status": 201}}]})), Err(ClusterError::Unavailable(_))));
    }
}
