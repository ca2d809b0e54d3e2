//! Where an address is, from a file in MaxMind's format that the operator names.

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Instant, SystemTime},
};

use maxminddb::{LookupResult, PathElement, Reader};
use serde::{Deserialize, Serialize};
use tutela_app::port::{Coordinates, Place, PlaceFinder};

/// How often a file is looked at for a newer one in its place, in seconds.
const LOOK_AGAIN: u64 = 60;

/// `[geo]`: where addresses are. Rules of detection see it as `country`, `network` and `place`; without a file none of them is known and no rule fires for them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GeoConfig {
    /// A file in MaxMind's format (`.mmdb`) with countries, better with cities and coordinates: GeoLite2-City, DB-IP City Lite, or one of your own.
    /// It is read into memory, and again within a minute when another takes its place.
    pub database: Option<PathBuf>,
    /// One with networks (GeoLite2-ASN and the like), where `database` does not have them.
    pub asn_database: Option<PathBuf>,
    /// Numbers of networks (AS) whose addresses say nothing of where people are: your VPN, relays, mobile carriers. Countries and journeys are not looked at for them.
    pub relays: Vec<u32>,
}

impl GeoConfig {
    /// The files that it names.
    pub fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.database.iter_mut().chain(&mut self.asn_database)
    }

    /// Opens the files; nothing where none is named.
    pub fn finder(&self) -> Result<Option<Arc<dyn PlaceFinder>>, String> {
        let open = |key: &str, path: &Option<PathBuf>| -> Result<Option<Database>, String> {
            let open = |path: &PathBuf| Database::open(path).map_err(|e| format!("geo.{key}: {}: {e}", path.display()));
            path.as_ref().map(open).transpose()
        };
        let (places, networks) = (open("database", &self.database)?, open("asn_database", &self.asn_database)?);
        if places.is_none() && networks.is_none() {
            return Ok(None);
        }
        Ok(Some(Arc::new(Files { places, networks, relays: self.relays.clone() })))
    }
}

/// The files that are named.
struct Files {
    places: Option<Database>,
    networks: Option<Database>,
    relays: Vec<u32>,
}

impl PlaceFinder for Files {
    fn find(&self, address: IpAddr) -> Option<Place> {
        let mut place = Place::default();
        let mut number = None;
        for database in [&self.places, &self.networks].into_iter().flatten() {
            let reader = database.reader();
            let Ok(found) = reader.lookup(address) else { continue };
            let text = |ways: &[&[&str]]| ways.iter().find_map(|way| at::<&str>(&found, way)).filter(|text| !text.is_empty()).map(str::to_owned);
            let float = |ways: &[&[&str]]| ways.iter().find_map(|way| at::<f64>(&found, way));
            place.country = place.country.or_else(|| text(COUNTRY));
            place.city = place.city.or_else(|| text(CITY));
            place.coordinates = place.coordinates.or_else(|| {
                let radius_km = at::<u16>(&found, &["location", "accuracy_radius"]).map_or(0.0, f64::from);
                Some(Coordinates { latitude: float(LATITUDE)?, longitude: float(LONGITUDE)?, radius_km })
            });
            number = number.or_else(|| system(&found));
            if place.network.is_none()
                && let Some(number) = number
            {
                place.network = Some(text(OPERATOR).map_or_else(|| format!("AS{number}"), |name| format!("AS{number} {name}")));
            }
        }
        if number.is_some_and(|number| self.relays.contains(&number)) {
            // Who comes through a relay can be anywhere.
            place = Place { network: place.network, ..Place::default() };
        }
        (place != Place::default()).then_some(place)
    }
}

/// Where the makers of such files put the same things: MaxMind's and DB-IP's trees, and flat rows.
const COUNTRY: &[&[&str]] = &[&["country", "iso_code"], &["country_code"], &["country"]];
const CITY: &[&[&str]] = &[&["city", "names", "en"], &["city"]];
const LATITUDE: &[&[&str]] = &[&["location", "latitude"], &["latitude"]];
const LONGITUDE: &[&[&str]] = &[&["location", "longitude"], &["longitude"]];
const OPERATOR: &[&[&str]] = &[&["autonomous_system_organization"], &["as_name"]];

/// The number of an autonomous system, which some write as `AS1221`.
fn system(found: &Found<'_>) -> Option<u32> {
    let written = || at::<&str>(found, &["asn"])?.trim_start_matches("AS").parse().ok();
    at::<u32>(found, &["autonomous_system_number"]).or_else(|| at::<u32>(found, &["asn"])).or_else(written)
}

type Found<'a> = LookupResult<'a, Vec<u8>>;

/// What stands at a path, where it is of that kind.
fn at<'a, T: Deserialize<'a>>(found: &Found<'a>, path: &[&str]) -> Option<T> {
    let path: Vec<PathElement<'_>> = path.iter().map(|part| PathElement::Key(part)).collect();
    found.decode_path(&path).ok().flatten()
}

/// A file, and what was read of it.
struct Database {
    path: PathBuf,
    read: arc_swap::ArcSwap<(Option<SystemTime>, Reader<Vec<u8>>)>,
    opened: Instant,
    /// When it was looked at last, in seconds after it was opened.
    looked: AtomicU64,
}

impl Database {
    fn open(path: &Path) -> Result<Self, String> {
        let read = arc_swap::ArcSwap::from_pointee((changed(path), read(path)?));
        Ok(Self { path: path.to_owned(), read, opened: Instant::now(), looked: AtomicU64::new(0) })
    }

    /// What was read last. A file that another has taken the place of is read again; one that cannot be read leaves the last.
    fn reader(&self) -> impl std::ops::Deref<Target = Reader<Vec<u8>>> {
        let now = self.opened.elapsed().as_secs();
        let last = self.looked.load(Ordering::Relaxed);
        if now >= last + LOOK_AGAIN && self.looked.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.look();
        }
        Now(self.read.load_full())
    }

    fn look(&self) {
        let time = changed(&self.path);
        if time.is_none() || time == self.read.load().0 {
            return;
        }
        match read(&self.path) {
            Ok(reader) => {
                tracing::info!(file = %self.path.display(), "places of addresses were read again");
                self.read.store(Arc::new((time, reader)));
            }
            Err(e) => {
                tracing::warn!(file = %self.path.display(), error = %e, "places of addresses could not be read again; those that were read before stay in use")
            }
        }
    }
}

struct Now(Arc<(Option<SystemTime>, Reader<Vec<u8>>)>);

impl std::ops::Deref for Now {
    type Target = Reader<Vec<u8>>;
    fn deref(&self) -> &Self::Target {
        &self.0.1
    }
}

fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

fn read(path: &Path) -> Result<Reader<Vec<u8>>, String> {
    Reader::open_readfile(path).map_err(|e| format!("is no file in MaxMind's format that can be read: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> Option<PathBuf> {
        Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/geo").join(name))
    }

    fn find(config: &GeoConfig, address: &str) -> Option<Place> {
        config.finder().unwrap().unwrap().find(address.parse().unwrap())
    }

    #[test]
    fn addresses_have_places_and_networks() {
        let config = GeoConfig { database: file("GeoLite2-City-Test.mmdb"), asn_database: file("GeoLite2-ASN-Test.mmdb"), relays: Vec::new() };
        let london = find(&config, "81.2.69.142").unwrap();
        assert_eq!((london.country.as_deref(), london.city.as_deref()), (Some("GB"), Some("London")));
        let at = london.coordinates.unwrap();
        assert!((at.latitude - 51.5).abs() < 0.1 && at.longitude.abs() < 0.2 && at.radius_km > 0.0, "{at:?}");
        assert_eq!(find(&config, "1.128.0.1").unwrap().network.as_deref(), Some("AS1221 Telstra Pty Ltd"));
        assert_eq!(find(&config, "2a02:cf40::1").unwrap().country.as_deref(), Some("NO"));
        for nowhere in ["127.0.0.1", "10.0.0.1", "::1"] {
            assert_eq!(find(&config, nowhere), None, "{nowhere}");
        }
        // A file of countries alone is enough for countries.
        let config = GeoConfig { database: file("GeoLite2-Country-Test.mmdb"), ..GeoConfig::default() };
        let place = find(&config, "81.2.69.142").unwrap();
        assert_eq!((place.country.as_deref(), place.coordinates), (Some("GB"), None));
        // One that is broken inside tells nothing, and does no harm.
        let config = GeoConfig { database: file("GeoIP2-City-Test-Broken-Double-Format.mmdb"), ..GeoConfig::default() };
        for address in ["81.2.69.142", "2.125.160.216", "::1"] {
            let _ = find(&config, address);
        }
    }

    #[test]
    fn who_comes_through_a_relay_can_be_anywhere() {
        let config = GeoConfig { asn_database: file("GeoLite2-ASN-Test.mmdb"), relays: vec![1221], ..GeoConfig::default() };
        let place = find(&config, "1.128.0.1").unwrap();
        assert_eq!(place, Place { network: Some("AS1221 Telstra Pty Ltd".into()), ..Place::default() });
    }

    #[test]
    fn a_file_that_is_none_is_told_with_its_setting_and_a_newer_one_is_taken() {
        let config = GeoConfig { database: file("README.md"), ..GeoConfig::default() };
        let error = config.finder().err().unwrap();
        assert!(error.starts_with("geo.database: ") && error.contains("README.md"), "{error}");
        assert!(GeoConfig::default().finder().unwrap().is_none());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("places.mmdb");
        fs::copy(file("GeoLite2-ASN-Test.mmdb").unwrap(), &path).unwrap();
        let database = Database::open(&path).unwrap();
        assert_eq!(database.reader().metadata().database_type, "GeoLite2-ASN");
        let put = |name: &str, later: u64| {
            let other = folder.path().join("other");
            fs::copy(file(name).unwrap(), &other).unwrap();
            fs::File::options().write(true).open(&other).unwrap().set_modified(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(later)).unwrap();
            fs::rename(&other, &path).unwrap();
            database.look();
            database.reader().metadata().database_type.clone()
        };
        assert_eq!(put("GeoLite2-City-Test.mmdb", 60), "GeoLite2-City");
        assert_eq!(put("README.md", 120), "GeoLite2-City", "what cannot be read leaves what was");
    }
}
