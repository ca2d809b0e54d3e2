//! Six pictures to begin with, drawn here, so that the gallery is not empty on the first day.

use std::path::Path;

use crate::Error;
use crate::identity::Person;
use crate::store::{NewPhoto, Store};

/// Put the samples into an app that nobody has used yet.
pub(crate) async fn plant(store: &Store, pictures: &Path) -> Result<(), Error> {
    if !store.user_list().await?.is_empty() {
        return Ok(());
    }
    for (number, scene) in SCENES.iter().enumerate() {
        let drawing = scene.draw();
        let file = format!("sample-{}.svg", number + 1);
        tokio::fs::write(pictures.join(&file), &drawing).await?;
        let house = store.user_of(&house()).await?;
        let new = NewPhoto { title: scene.title.to_owned(), file, bytes: i64::try_from(drawing.len()).unwrap_or(i64::MAX) };
        store.photo_add(house.id, new).await?;
    }
    Ok(())
}

/// The samples' owner: no account of a person can have this id.
fn house() -> Person {
    Person {
        account: "samples".to_owned(),
        name: "The house".to_owned(),
        email: "samples@photos.example".to_owned(),
        roles: Vec::new(),
        permissions: Vec::new(),
        session: String::new(),
    }
}

/// A landscape: sky from top to horizon, a sun or moon, three ranges of hills from far to near.
struct Scene {
    title: &'static str,
    sky: [&'static str; 2],
    /// Colour, x, y, radius.
    sun: (&'static str, i32, i32, i32),
    hills: [&'static str; 3],
    /// How high the hills rise.
    swell: i32,
}

impl Scene {
    fn draw(&self) -> String {
        let [top, horizon] = self.sky;
        let (colour, x, y, radius) = self.sun;
        let hills: String = self.hills.iter().zip(0..).map(|(fill, n)| self.range(fill, n)).collect();
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 600" width="800" height="600">
<defs><linearGradient id="sky" x1="0" y1="0" x2="0" y2="1">
<stop offset="0" stop-color="{top}"/><stop offset="0.75" stop-color="{horizon}"/></linearGradient></defs>
<rect width="800" height="600" fill="url(#sky)"/>
<circle cx="{x}" cy="{y}" r="{halo}" fill="{colour}" opacity="0.18"/>
<circle cx="{x}" cy="{y}" r="{radius}" fill="{colour}"/>
{hills}</svg>
"#,
            halo = radius * 2,
        )
    }

    fn range(&self, fill: &str, n: i32) -> String {
        let (base, rise) = (330 + 85 * n, self.swell - 12 * n);
        // Each range begins a little further to the left, so that the crests do not line up.
        let from = -140 * n;
        format!(
            "<path fill=\"{fill}\" d=\"M{from} {base} c140 {up} 220 {down} 380 {half} s240 {up} 420 {half} s260 {down} 420 0 V600 H{from} Z\"/>\n",
            up = -rise,
            down = rise / 2,
            half = -rise / 2,
        )
    }
}

static SCENES: [Scene; 6] = [
    Scene {
        title: "Morning over the fells",
        sky: ["#f3b98f", "#fde9cf"],
        sun: ("#fff4d6", 330, 210, 46),
        hills: ["#b58a8f", "#7d6479", "#3f3a52"],
        swell: 120,
    },
    Scene { title: "Salt flats at noon", sky: ["#5aa9d6", "#d8eef5"], sun: ("#ffffff", 240, 120, 38), hills: ["#c9d6da", "#e6e3d8", "#f6f2e7"], swell: 30 },
    Scene { title: "First snow", sky: ["#8fa3b8", "#e3e9ee"], sun: ("#f7fafc", 250, 150, 34), hills: ["#b9c6d2", "#d9e1e8", "#f8fafb"], swell: 150 },
    Scene { title: "Night ferry", sky: ["#0c1330", "#2b3a67"], sun: ("#f1e9c9", 180, 140, 40), hills: ["#24305a", "#18224a", "#0a1026"], swell: 60 },
    Scene { title: "Beeches in October", sky: ["#d9a441", "#f6e3b0"], sun: ("#fff0c2", 420, 220, 52), hills: ["#b5602a", "#8a3f1f", "#4c2416"], swell: 100 },
    Scene { title: "Low tide", sky: ["#2f6f7e", "#f0cfa8"], sun: ("#ff9d6c", 400, 320, 60), hills: ["#5b8f91", "#38686d", "#173b41"], swell: 40 },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_a_whole_drawing() {
        for scene in &SCENES {
            let drawing = scene.draw();
            assert!(drawing.starts_with("<svg ") && drawing.ends_with("</svg>\n"), "{}", scene.title);
            assert_eq!(drawing.matches("<path").count(), 3);
        }
    }
}
