//! What detection was started with.

use std::{collections::HashMap, sync::Arc, time::Duration};

use ipnet::IpNet;
use tutela_core::Secret;
use tutela_detection::{Bounded, Rules};

use crate::{DetectionConfig, Error};

/// The settings and rules of `[detection]`.
pub(crate) struct Detection {
    /// `[detection]`.
    pub config: DetectionConfig,
    /// The rules that run.
    pub rules: Arc<Rules>,
    /// What nobody blocks.
    pub spared: Vec<IpNet>,
    /// Makes what rules remember worthless elsewhere.
    pub secret: Secret<[u8; 16]>,
    /// Rules that block in the commit of the offence, by the type of event that they count.
    at_once: HashMap<String, Vec<Arc<Bounded>>>,
}

impl Detection {
    pub(crate) fn new(config: DetectionConfig, rules: Rules, secret: Secret<[u8; 32]>) -> Result<Self, Error> {
        let spared = config.spared().map_err(|e| Error::invalid("detection", e))?;
        let mut at_once: HashMap<String, Vec<Arc<Bounded>>> = HashMap::new();
        for bounded in rules.iter().filter_map(|rule| rule.bounded()).map(Arc::new) {
            for kind in &bounded.types {
                at_once.entry(kind.clone()).or_default().push(Arc::clone(&bounded));
            }
        }
        Ok(Self { config, rules: Arc::new(rules), spared, secret: half(&secret), at_once })
    }

    /// Rules that count events of a type in their own commit.
    pub(crate) fn at_once(&self, kind: &str) -> &[Arc<Bounded>] {
        self.at_once.get(kind).map_or(&[], Vec::as_slice)
    }

    /// Whether anything blocks in the commit of an offence.
    pub(crate) fn blocks_at_once(&self) -> bool {
        !self.at_once.is_empty()
    }

    /// How long an address is blocked: the first time within a day, the second time, and every further time.
    pub(crate) fn lengths(&self) -> [Duration; 3] {
        let first = self.config.block_for.duration();
        [first, first * 4, (first * 4).max(AGAIN)]
    }
}

/// Blocks of an address within so long make the next one longer.
pub(crate) const AGAIN: Duration = Duration::from_hours(24);

/// Sixteen of the bytes of a derived secret.
fn half(secret: &Secret<[u8; 32]>) -> Secret<[u8; 16]> {
    let [first, ..] = *secret.open().as_chunks::<16>().0 else { return Secret::new([0; 16]) };
    Secret::new(first)
}
