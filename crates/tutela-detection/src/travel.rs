//! Two places that nobody gets from one to the other in that time.

use serde::{Deserialize, Serialize};

use crate::{
    event::Event,
    state::{DAY, Fired, HOUR, plural},
    window::Seen,
};

/// Faster than this nobody travels, and nearer than this nobody has travelled.
const KM_PER_HOUR: f64 = 900.0;
const NEAR_KM: f64 = 100.0;
/// A place where somebody was on so many days is one of theirs: a journey there is a remote desktop or a carrier's address, not a thief.
const DAYS: u8 = 3;
/// Places that are remembered of one key.
const MOST: usize = 8;

/// Where somebody was last, and where they often are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Travels {
    last: Option<Place>,
    known: Vec<Known>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    time: i64,
    position: u64,
    latitude: f64,
    longitude: f64,
    radius_km: f64,
    name: String,
}

/// A place, the last day that somebody was seen there, and on how many days they were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    place: u64,
    day: i64,
    days: u8,
}

impl Travels {
    /// Bytes beyond itself, about.
    pub(crate) fn bytes(&self) -> usize {
        self.last.as_ref().map_or(0, |place| place.name.len() + 64) + self.known.len() * 24
    }

    pub(crate) fn take(&mut self, event: &Event<'_>, seen: Seen, hash: &dyn Fn(&str) -> u64) -> Option<Fired> {
        let here = Place::of(event, seen)?;
        let often = self.was_often_at(hash(&here.name), seen.time.div_euclid(DAY));
        let fired = self.last.as_ref().filter(|_| !often).and_then(|before| before.too_far_from(&here));
        if self.last.as_ref().is_none_or(|before| here.time >= before.time) {
            self.last = Some(here);
        }
        fired
    }

    /// Whether somebody was on enough days before at a place, at which they now are.
    fn was_often_at(&mut self, place: u64, day: i64) -> bool {
        if let Some(known) = self.known.iter_mut().find(|known| known.place == place) {
            let often = known.days >= DAYS;
            if day > known.day {
                (known.day, known.days) = (day, known.days.saturating_add(1));
            }
            return often;
        }
        if self.known.len() >= MOST
            && let Some(oldest) = self.known.iter().enumerate().min_by_key(|(_, known)| known.day).map(|(at, _)| at)
        {
            self.known.swap_remove(oldest);
        }
        self.known.push(Known { place, day, days: 1 });
        false
    }
}

impl Place {
    fn of(event: &Event<'_>, seen: Seen) -> Option<Self> {
        let number = |name: &str| event.body.pointer(name).and_then(serde_json::Value::as_f64);
        let (latitude, longitude) = (number("/place/latitude")?, number("/place/longitude")?);
        let name = event.body.pointer("/place/name").and_then(serde_json::Value::as_str);
        Some(Self {
            time: seen.time,
            position: seen.position,
            latitude,
            longitude,
            radius_km: number("/place/radius_km").unwrap_or(0.0),
            name: name.map_or_else(|| format!("{latitude:.0}, {longitude:.0}"), str::to_owned),
        })
    }

    fn too_far_from(&self, here: &Self) -> Option<Fired> {
        let km = self.km_to(here);
        let hours = (here.time - self.time).unsigned_abs() as f64 / HOUR as f64;
        let far = km > NEAR_KM + self.radius_km + here.radius_km && km > KM_PER_HOUR * hours;
        far.then(|| Fired {
            count: 2,
            evidence: vec![self.position, here.position],
            reasons: vec![format!("{} and {}, {km:.0} km apart, within {}", self.name, here.name, minutes(hours))],
        })
    }

    /// Great circle, on a sphere.
    fn km_to(&self, other: &Self) -> f64 {
        let (here, there) = (self.latitude.to_radians(), other.latitude.to_radians());
        let (north, east) = (there - here, (other.longitude - self.longitude).to_radians());
        let h = (north / 2.0).sin().powi(2) + here.cos() * there.cos() * (east / 2.0).sin().powi(2);
        2.0 * 6_371.0 * h.sqrt().min(1.0).asin()
    }
}

fn minutes(hours: f64) -> String {
    if hours < 2.0 { plural((hours * 60.0).round() as i64, "minute") } else { plural(hours.round() as i64, "hour") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tutela_core::Timestamp;

    use super::*;

    /// Whether each of these journeys is one that nobody can make: hour, latitude, longitude, name.
    fn made(journey: &[(i64, f64, f64, &str)]) -> Vec<bool> {
        let mut travels = Travels::default();
        let hash = |text: &str| text.bytes().fold(7, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let mut position = 0;
        let mut take = |&(hour, latitude, longitude, name): &(i64, f64, f64, &str)| {
            position += 1;
            let body = json!({"place": {"latitude": latitude, "longitude": longitude, "name": name, "radius_km": 20}});
            let time = Timestamp::from_micros(hour * HOUR);
            let event = Event { body: &body, time, position };
            travels.take(&event, Seen { time: time.micros(), position }, &hash).is_some()
        };
        journey.iter().map(&mut take).collect()
    }

    const ZURICH: (f64, f64, &str) = (47.4, 8.5, "Zurich");
    const TOKYO: (f64, f64, &str) = (35.7, 139.7, "Tokyo");
    const BASEL: (f64, f64, &str) = (47.6, 7.6, "Basel");

    fn at(hour: i64, place: (f64, f64, &'static str)) -> (i64, f64, f64, &'static str) {
        (hour, place.0, place.1, place.2)
    }

    #[test]
    fn a_flight_is_possible_and_a_leap_is_not() {
        assert_eq!(made(&[at(0, ZURICH), at(14, TOKYO)]), [false, false], "9,600 km in 14 hours");
        assert_eq!(made(&[at(0, ZURICH), at(1, TOKYO)]), [false, true]);
        assert_eq!(made(&[at(1, TOKYO), at(0, ZURICH)]), [false, true], "whichever comes first");
        assert_eq!(made(&[at(0, ZURICH), at(0, BASEL)]), [false, false], "80 km are what a carrier's addresses are off by");
    }

    #[test]
    fn where_somebody_was_on_three_days_they_may_be_again() {
        let days: Vec<_> = (0..3).flat_map(|day| [at(24 * day, ZURICH), at(24 * day + 1, TOKYO)]).collect();
        assert_eq!(made(&days), [false, true, false, true, false, true], "there within an hour, and back by plane");
        let more: Vec<_> = (0..4).flat_map(|day| [at(24 * day, ZURICH), at(24 * day + 1, TOKYO)]).collect();
        assert_eq!(made(&more)[6..], [false, false]);
    }
}
