//! XML, read with care: no document type, no entities of its own, no processing instructions, bounded in size and depth.

use uppsala::{Document, NodeId, NodeKind, Parser};

use crate::{Error, federation::refused};

/// Longest message, in bytes.
pub(super) const LONGEST: usize = 262_144;
/// Longest metadata: federations publish many providers in one document.
pub(super) const LONGEST_METADATA: usize = 1 << 20;
/// Deepest nesting.
const DEEPEST: u32 = 64;
/// Most elements of a message; canonical forms and searches grow with them.
const MOST_NODES: usize = 20_000;

/// Parses a message.
pub(super) fn parse(text: &str, longest: usize) -> Result<Document<'_>, Error> {
    if text.len() > longest {
        return Err(refused(format!("the message is longer than {longest} bytes")));
    }
    let parser = Parser::new().with_max_depth(DEEPEST).with_forbid_dtd(true).with_forbid_entities(true);
    let document = parser.parse(text).map_err(|e| refused(format!("the message is not well-formed XML: {e}")))?;
    let nodes = document.descendants(document.root());
    if nodes.len() > MOST_NODES && longest == LONGEST {
        return Err(refused("the message has more than 20,000 nodes"));
    }
    if nodes.iter().any(|node| matches!(document.node_kind(*node), Some(NodeKind::ProcessingInstruction(_)))) {
        return Err(refused("the message has processing instructions"));
    }
    Ok(document)
}

/// The one element at the top, if it is this one.
pub(super) fn top(document: &Document<'_>, namespace: &str, name: &str) -> Result<NodeId, Error> {
    let element = document.document_element().filter(|id| is(document, *id, namespace, name));
    element.ok_or_else(|| refused(format!("the message is no `{name}`")))
}

/// Whether an element has this name.
pub(super) fn is(document: &Document<'_>, id: NodeId, namespace: &str, name: &str) -> bool {
    document.element(id).is_some_and(|element| element.matches_name_ns(namespace, name))
}

/// Direct children of this name.
pub(super) fn children(document: &Document<'_>, of: NodeId, namespace: &str, name: &str) -> Vec<NodeId> {
    document.children(of).into_iter().filter(|id| is(document, *id, namespace, name)).collect()
}

/// The one direct child of this name; more than one is refused.
pub(super) fn child(document: &Document<'_>, of: NodeId, namespace: &str, name: &str) -> Result<Option<NodeId>, Error> {
    let found = children(document, of, namespace, name);
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        _ => Err(refused(format!("there is more than one `{name}` where one belongs"))),
    }
}

/// As [`child`], where there has to be one.
pub(super) fn one(document: &Document<'_>, of: NodeId, namespace: &str, name: &str) -> Result<NodeId, Error> {
    child(document, of, namespace, name)?.ok_or_else(|| refused(format!("there is no `{name}`")))
}

/// An attribute without a namespace.
pub(super) fn attribute<'d>(document: &'d Document<'_>, of: NodeId, name: &str) -> Option<&'d str> {
    let element = document.element(of)?;
    element.attributes.iter().find(|attribute| attribute.name.matches(None, name)).map(|attribute| attribute.value.as_ref())
}

/// The text of an element that has nothing but text in it.
pub(super) fn text(document: &Document<'_>, of: NodeId) -> Result<String, Error> {
    let plain = |id: &NodeId| matches!(document.node_kind(*id), Some(NodeKind::Text(_) | NodeKind::CData(_)));
    if !document.children(of).iter().all(plain) {
        return Err(refused("there is markup where a text belongs"));
    }
    Ok(document.text_content_deep(of).trim().to_owned())
}

/// Every element below and including one.
pub(super) fn elements(document: &Document<'_>, from: NodeId) -> Vec<NodeId> {
    std::iter::once(from).chain(document.descendants(from)).filter(|id| document.element(*id).is_some()).collect()
}

/// A text for an element or an attribute.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push(' '),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}
