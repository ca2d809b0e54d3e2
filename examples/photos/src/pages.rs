//! The pages, as plain HTML: no script, one stylesheet, forms that work everywhere.
//!
//! Text from outside goes through [`escape`] before it meets a page; nothing else may be put into one.

use axum::http::StatusCode;
use axum::response::Html;

use crate::identity::Person;
use crate::store::{Photo, User};

/// The public start page: the newest pictures of everybody.
pub(crate) fn gallery(person: Option<&Person>, photos: &[Photo]) -> Html<String> {
    let cards: String = photos.iter().map(|photo| card(photo, "")).collect();
    let body = format!(
        "<h1>Seen lately</h1>
         <p class=\"lead\">Pictures from everybody, newest first.</p>
         <div class=\"grid\">{cards}</div>"
    );
    page("Gallery", person, &body)
}

/// The profile with its one form.
pub(crate) fn profile(person: &Person, user: &User) -> Html<String> {
    let body = format!(
        "<h1>{name}</h1>
         <dl>
           <dt>Mail</dt><dd>{email}</dd>
           <dt>Plan</dt><dd>{plan}</dd>
           <dt>Photos</dt><dd><a href=\"/photos\">{photos}</a></dd>
         </dl>
         <form method=\"post\" action=\"/profile\">
           <label for=\"bio\">About you</label>
           <textarea id=\"bio\" name=\"bio\" rows=\"5\" maxlength=\"500\">\n{bio}</textarea>
           <button>Save profile</button>
         </form>",
        name = escape(&user.name),
        email = escape(&user.email),
        plan = escape(&user.plan),
        photos = user.photos,
        bio = escape(&user.bio),
    );
    page("Profile", Some(person), &body)
}

/// One's own photos, with a form to add one.
pub(crate) fn photos(person: &Person, photos: &[Photo]) -> Html<String> {
    let cards: String = photos
        .iter()
        .map(|photo| {
            let delete = format!("<form method=\"post\" action=\"/photos/{}/delete\"><button class=\"quiet\">Delete photo</button></form>", photo.id);
            card(photo, &delete)
        })
        .collect();
    let list = if cards.is_empty() {
        "<p class=\"lead\">Nothing here yet. The first photo you add appears here and in the gallery.</p>".to_owned()
    } else {
        format!("<div class=\"grid\">{cards}</div>")
    };
    let body = format!(
        "<h1>Your photos</h1>
         <form class=\"add\" method=\"post\" action=\"/photos\" enctype=\"multipart/form-data\">
           <div><label for=\"title\">Title</label><input id=\"title\" name=\"title\" maxlength=\"100\"></div>
           <div><label for=\"photo\">JPEG, PNG, GIF or WebP, up to 100 MB</label>
             <input id=\"photo\" type=\"file\" name=\"photo\" accept=\"image/jpeg,image/png,image/gif,image/webp\" required></div>
           <button>Add photo</button>
         </form>
         {list}"
    );
    page("Your photos", Some(person), &body)
}

/// Who uses the app.
pub(crate) fn admin(person: &Person, users: &[User]) -> Html<String> {
    let rows: String = users
        .iter()
        .map(|user| {
            format!(
                "<tr><td class=\"number\">{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"number\">{}</td></tr>",
                user.id,
                escape(&user.name),
                escape(&user.email),
                escape(&user.plan),
                user.photos
            )
        })
        .collect();
    let body = format!(
        "<h1>People</h1>
         <p class=\"lead\">Everybody who has opened the app once.</p>
         <table>
           <thead><tr><th class=\"number\">Number</th><th>Name</th><th>Mail</th><th>Plan</th>
             <th class=\"number\">Photos</th></tr></thead>
           <tbody>{rows}</tbody>
         </table>"
    );
    page("People", Some(person), &body)
}

/// What did not work, and where to go from here.
/// The banner asks; until somebody allows suggestions, the script that looks at what they open does not run.
pub(crate) fn tour(person: Option<&Person>) -> Html<String> {
    let body = "<h1>What Photos does</h1>
         <p class=\"lead\">You upload pictures, and show them to whom you like.</p>
         <p id=\"suggestion\">We suggest pictures by what you open, if you allow it.</p>
         <p><button type=\"button\" data-consent>Privacy choices</button>
            <noscript><a href=\"/_tutela/consent?return=%2Ftour\">Privacy choices</a></noscript></p>
         <script src=\"/_tutela/consent.js\" defer></script>
         <script type=\"text/plain\" data-purpose=\"personalize\" src=\"/suggest.js\"></script>";
    page("Tour", person, body)
}

pub(crate) fn error(status: StatusCode, told: &str) -> Html<String> {
    let title = status.canonical_reason().unwrap_or("Error");
    let body = format!(
        "<p class=\"code\">{code}</p>
         <h1>{title}</h1>
         <p class=\"lead\">Here is why: {told}.</p>
         <p><a href=\"/\">Back to the gallery</a></p>",
        code = status.as_u16(),
        told = escape(told),
    );
    page(title, None, &body)
}

fn card(photo: &Photo, more: &str) -> String {
    let title = escape(&photo.title);
    let picture = if photo.file.ends_with(".bin") {
        "<div class=\"blank\">no preview</div>".to_owned()
    } else {
        format!("<img src=\"/photos/{}/file\" alt=\"{title}\" loading=\"lazy\">", photo.id)
    };
    let day = photo.created_at.split('T').next().unwrap_or_default();
    format!(
        "<figure><a href=\"/photos/{id}/file\">{picture}</a>
           <figcaption><b>{title}</b><span>{owner}, <time datetime=\"{at}\">{day}</time>, {size}</span>{more}</figcaption>
         </figure>",
        id = photo.id,
        owner = escape(&photo.owner),
        at = escape(&photo.created_at),
        size = size(photo.bytes),
    )
}

fn page(title: &str, person: Option<&Person>, body: &str) -> Html<String> {
    let who = match person {
        None => "<a class=\"button\" href=\"/profile\">Sign in</a>".to_owned(),
        Some(person) => {
            let admin = if person.is_admin() { "<a href=\"/admin\">People</a>" } else { "" };
            format!(
                "{admin}<a href=\"/photos\">Your photos</a><a href=\"/profile\">{name}</a>
                 <form method=\"post\" action=\"/_tutela/sign-out\"><button class=\"quiet\">Sign out</button></form>",
                name = escape(if person.name.is_empty() { "Profile" } else { &person.name }),
            )
        }
    };
    Html(format!(
        "<!doctype html>
<html lang=\"en\">
<head>
  <meta charset=\"utf-8\">
  <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
  <meta name=\"color-scheme\" content=\"light dark\">
  <title>{title} \u{b7} Photos</title>
  <link rel=\"stylesheet\" href=\"/style.css\">
</head>
<body>
  <header><a class=\"mark\" href=\"/\">Photos</a><nav>{who}</nav></header>
  <main>{body}</main>
</body>
</html>
",
        title = escape(title),
    ))
}

/// Bytes as people read them.
fn size(bytes: i64) -> String {
    match bytes {
        ..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        1_000_000.. => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

/// Make text safe inside an element and inside a quoted attribute.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_stays_text() {
        let photo = Photo {
            id: 7,
            user_id: 1,
            owner: "<script>".to_owned(),
            title: "\" onerror='x' & more".to_owned(),
            file: "a.png".to_owned(),
            bytes: 2_340_000,
            created_at: "2026-01-02T03:04:05Z".to_owned(),
        };
        let Html(text) = gallery(None, &[photo]);
        assert!(!text.contains("<script>"));
        assert!(text.contains("alt=\"&quot; onerror=&#39;x&#39; &amp; more\""));
        assert!(text.contains("2.3 MB"));
    }
}
