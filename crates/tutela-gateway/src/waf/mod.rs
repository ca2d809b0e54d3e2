//! The firewall: rules that are loaded once, and one inspection for each request.
//!
//! ```text
//!   headers --> phase 1 --+--> limits, sign-in, permission --> body --> phase 2 --> upstream
//!                         |                                                            |
//!   refused (403) <-------+-- in `block`; in `detect` it is recorded and goes on       +--> phases 3, 4, 5
//! ```

mod config;
mod inspection;
mod rules;

pub use config::{WafConfig, WafMode, WafSpent};
pub(crate) use inspection::{Inspection, refusal};
pub use rules::{RuleFiles, load_rules};

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tutela_core::{Env, RequestId, Timestamp};
use tutela_waf::{Connection, RuleSet, Spent, Transaction};

/// Rules, and how they are applied.
pub(crate) struct Waf {
    rules: Arc<RuleSet>,
    config: WafConfig,
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
        Ok(Self { rules, config: config.clone(), env })
    }

    /// How a route is guarded.
    pub(crate) fn mode(&self, of_route: Option<WafMode>) -> WafMode {
        of_route.unwrap_or(self.config.mode)
    }

    /// Whether rules look at what applications answer, which has to come uncompressed then.
    pub(crate) fn reads_answers(&self) -> bool {
        self.rules.settings().response_body
    }

    /// Begins the inspection of a request; none where the mode is off.
    pub(crate) fn begin(&self, mode: WafMode, route: &str, id: RequestId, peer: SocketAddr, now: Timestamp) -> Option<Inspection> {
        if mode == WafMode::Off {
            return None;
        }
        let connection = Connection { id: &id.to_string(), client: peer.ip(), client_port: peer.port(), server: peer.ip(), server_port: 0, now: now.secs() };
        let mut transaction = Transaction::new(Arc::clone(&self.rules), &connection);
        transaction.web_app(route);
        transaction.on_spent(match self.config.on_spent {
            WafSpent::Block => Spent::Block,
            WafSpent::Pass => Spent::Pass,
        });
        if mode == WafMode::Detect {
            transaction.detect_only();
        }
        Some(Inspection::new(transaction, mode, Duration::from_millis(self.config.budget_ms.into()), Arc::clone(&self.env)))
    }
}
