//! What detection was started with, and the rules that run.

use std::{collections::HashMap, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use ipnet::IpNet;
use tutela_core::Secret;
use tutela_detection::{Bounded, Playbooks, Rules};

use crate::{AlertsConfig, DetectionConfig, Error, port::PlaceFinder};

/// Blocks of an address within so long make the next one longer.
pub(crate) const AGAIN: Duration = Duration::from_hours(24);

/// What the ledger is watched for, and with what.
#[derive(Default)]
pub struct DetectionParts {
    /// `[detection]`.
    pub config: DetectionConfig,
    /// `[alerts]`.
    pub alerts: AlertsConfig,
    /// The rules of the configuration.
    pub rules: Rules,
    /// What is done about incidents.
    pub playbooks: Playbooks,
    /// Knows where addresses are.
    pub places: Option<Arc<dyn PlaceFinder>>,
}

/// What detection was started with, and what runs now.
pub(crate) struct Detection {
    parts: DetectionParts,
    /// What nobody blocks.
    pub spared: Vec<IpNet>,
    /// Makes what rules remember worthless elsewhere.
    pub secret: Secret<[u8; 16]>,
    running: ArcSwap<Running>,
}

/// Rules that run, until some are changed.
#[derive(Default)]
pub(crate) struct Running {
    pub rules: Rules,
    /// Rules that block in the commit of the offence, by the type of event that they count.
    at_once: HashMap<String, Vec<Arc<Bounded>>>,
}

impl Running {
    /// Rules that count events of a type in their own commit.
    pub(crate) fn at_once(&self, kind: &str) -> &[Arc<Bounded>] {
        self.at_once.get(kind).map_or(&[], Vec::as_slice)
    }

    /// Whether anything blocks in the commit of an offence.
    pub(crate) fn blocks_at_once(&self) -> bool {
        !self.at_once.is_empty()
    }
}

impl std::ops::Deref for Detection {
    type Target = DetectionParts;
    fn deref(&self) -> &DetectionParts {
        &self.parts
    }
}

impl Detection {
    pub(crate) fn new(parts: DetectionParts, secret: Secret<[u8; 32]>) -> Result<Self, Error> {
        let spared = parts.config.spared().map_err(|e| Error::invalid("detection", e))?;
        Ok(Self { parts, spared, secret: half(&secret), running: ArcSwap::default() })
    }

    /// The rules that run now.
    pub(crate) fn running(&self) -> Arc<Running> {
        self.running.load_full()
    }

    /// Has these rules run from now on.
    pub(crate) fn run(&self, rules: Rules) {
        let mut at_once: HashMap<String, Vec<Arc<Bounded>>> = HashMap::new();
        for bounded in rules.iter().filter_map(|rule| rule.bounded()).map(Arc::new) {
            for kind in &bounded.types {
                at_once.entry(kind.clone()).or_default().push(Arc::clone(&bounded));
            }
        }
        self.running.store(Arc::new(Running { rules, at_once }));
    }

    /// How long an address is blocked: the first time within a day, the second time, and every further time.
    pub(crate) fn lengths(&self) -> [Duration; 3] {
        let first = self.config.block_for.duration();
        [first, first * 4, (first * 4).max(AGAIN)]
    }
}

/// Sixteen of the bytes of a derived secret.
fn half(secret: &Secret<[u8; 32]>) -> Secret<[u8; 16]> {
    let [first, ..] = *secret.open().as_chunks::<16>().0 else { return Secret::new([0; 16]) };
    Secret::new(first)
}
