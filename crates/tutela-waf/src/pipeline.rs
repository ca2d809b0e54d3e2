//! Transformations in a row. Rows that begin alike share their beginning, and its result for a value is worked out once.

use crate::transform::Transformation;

/// A row of transformations: one more after another row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Node(pub u16);

/// All rows, as a tree.
#[derive(Debug, Default)]
pub(crate) struct Pipelines {
    nodes: Vec<(Node, Transformation)>,
}

impl Node {
    /// No transformation.
    pub(crate) const ROOT: Self = Self(0);
}

impl Pipelines {
    /// The row with one more at its end.
    pub(crate) fn then(&mut self, before: Node, transformation: Transformation) -> Result<Node, String> {
        let found = self.nodes.iter().position(|node| *node == (before, transformation));
        let index = found.unwrap_or_else(|| {
            self.nodes.push((before, transformation));
            self.nodes.len() - 1
        });
        u16::try_from(index + 1).map(Node).map_err(|_| "there are too many different rows of transformations".into())
    }

    /// The last transformation of a row, and the row before it.
    pub(crate) fn last(&self, node: Node) -> Option<(Node, Transformation)> {
        self.nodes.get(usize::from(node.0).checked_sub(1)?).copied()
    }

    /// How many rows there are, the empty one counted.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len() + 1
    }
}
