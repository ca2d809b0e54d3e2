//! The firewall: rules that are loaded once, and one inspection for each request.
//!
//! ```text
//!   headers --> phase 1 --+--> limits, sign-in, permission --> body --> phase 2 --> upstream
//!                         |                                                            |
//!   refused (403) <-------+-- in `block`; in `detect` it is recorded and goes on       +--> phases 3, 4, 5
//! ```

mod budget;
mod config;
mod exclusions;
mod inspection;
mod room;
mod rules;

pub use config::{WafConfig, WafMode, WafSpent};
pub(crate) use inspection::{Inspection, refusal};
pub use rules::{RuleFiles, load_rules};

use std::{sync::Arc, time::Duration};

use tutela_core::{Env, seam::RequestPolicy};
use tutela_waf::{Connection, RuleSet, Spent, Transaction};

use self::{exclusions::Exclusions, room::Room};
use crate::handle::Way;

/// Rules, and how they are applied.
pub(crate) struct Waf {
    rules: Arc<RuleSet>,
    config: WafConfig,
    exclusions: Exclusions,
    room: Room,
    env: Arc<dyn Env>,
}

impl Waf {
    /// Loads the rules.
    pub(crate) fn new(config: &WafConfig, env: Arc<dyn Env>) -> Result<Self, String> {
        let rules = Arc::new(load_rules(config)?);
        // Nobody waits for an expression to be compiled, and the first requests not for all of them.
        let warm = Arc::clone(&rules);
        std::thread::spawn(move || {
            if let Err(e) = warm.warm() {
                tracing::error!(error = %e, "a rule of the firewall cannot be compiled; it counts as matched wherever it is asked");
            }
        });
        Ok(Self { rules, config: config.clone(), exclusions: Exclusions::default(), room: Room::new(config.max_held_mib), env })
    }

    /// How a route is guarded.
    pub(crate) fn mode(&self, of_route: Option<WafMode>) -> WafMode {
        of_route.unwrap_or(self.config.mode)
    }

    /// How many rules there are.
    pub(crate) fn rules(&self) -> usize {
        self.rules.len()
    }

    /// Whether rules look at what applications answer, which has to come uncompressed then.
    pub(crate) fn reads_answers(&self) -> bool {
        self.rules.settings().response_body
    }

    /// Begins the inspection of a request; none where the mode is off.
    pub(crate) fn begin(&self, mode: WafMode, route: &str, way: &Way<'_>, policy: &dyn RequestPolicy) -> Option<Inspection> {
        if mode == WafMode::Off {
            return None;
        }
        let (id, client, server) = (way.id.to_string(), way.client.address, way.connection.local);
        let connection =
            Connection { id: &id, client: client.ip(), client_port: client.port(), server: server.ip(), server_port: server.port(), now: way.now.secs() };
        let mut transaction = Transaction::new(Arc::clone(&self.rules), &connection);
        transaction.web_app(route);
        transaction.on_spent(match self.config.on_spent {
            WafSpent::Block => Spent::Block,
            WafSpent::Pass => Spent::Pass,
        });
        if mode == WafMode::Detect {
            transaction.detect_only();
        }
        let excluded = self.exclusions.of(route, policy.exclusions(), way.now);
        transaction.exclude(&excluded);
        let budget = Duration::from_millis(self.config.budget_ms.into());
        Some(Inspection::new(transaction, mode, budget, self.room.share(), Arc::clone(&self.env)))
    }
}
