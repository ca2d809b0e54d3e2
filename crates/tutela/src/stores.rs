//! The stores of `[privacy.stores]` with their maps, from the configuration.

use tutela_app::{PrivacyConfig, privacy::places::DataStores};
use tutela_connect::data_store;

/// All that are configured. None is asked yet: one that does not answer keeps nobody from starting.
pub fn all(config: &PrivacyConfig) -> Result<DataStores, String> {
    let mut stores = DataStores::default();
    for (name, section) in &config.stores {
        let wrong = |e: String| format!("privacy.stores.{name}: {e}");
        let map = match &section.map {
            Some(file) => Some(std::fs::read_to_string(file).map_err(|e| wrong(format!("map: `{}`: {e}", file.display())))?),
            None => None,
        };
        stores.add(name, data_store(section).map_err(wrong)?, map.as_deref()).map_err(|e| wrong(format!("map: {e}")))?;
    }
    Ok(stores)
}
