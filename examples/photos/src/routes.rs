//! Every address of the app, and what answers there.
//!
//! A form may only be sent from the app's own pages: browsers name the page's origin with every POST, and
//! another one is refused. Programs that name none are let through; they hold no cookie of a person.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Form, FromRequest, Multipart, Path, Request, State};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::{Next, from_fn_with_state, map_response_with_state};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use tokio::fs::File;
use tokio_util::io::ReaderStream;

use crate::identity::{Person, SignedIn, Visitor};
use crate::store::NewPhoto;
use crate::upload::Arrived;
use crate::{App, Error, pages, upload};

/// The whole app.
pub(crate) fn router(app: Arc<App>) -> Router {
    let photos = get(photos).post(photo_add).layer(DefaultBodyLimit::max(LARGEST_FORM));
    Router::new()
        .route("/", get(gallery))
        .route("/profile", get(profile).post(profile_save))
        .route("/photos", photos)
        .route("/photos/raw/{name}", put(photo_raw))
        .route("/photos/{id}/file", get(photo_file))
        .route("/photos/{id}/delete", post(photo_delete))
        .route("/admin", get(admin))
        .route("/whoami", get(whoami))
        .route("/style.css", get(style))
        .route("/suggest.js", get(suggest))
        .route("/tour", get(tour))
        .fallback(|| async { Error::NotFound })
        .layer(from_fn_with_state(Arc::clone(&app), same_origin))
        .layer(map_response_with_state(Arc::clone(&app), shield))
        .with_state(app)
}

// === Pages ===

async fn gallery(State(app): State<Arc<App>>, Visitor(person): Visitor) -> Result<Html<String>, Error> {
    let photos = app.store.photo_gallery().await?;
    Ok(pages::gallery(person.as_ref(), &photos))
}

async fn profile(State(app): State<Arc<App>>, SignedIn(person): SignedIn) -> Result<Html<String>, Error> {
    let user = app.store.user_of(&person).await?;
    Ok(pages::profile(&person, &user))
}

#[derive(Deserialize)]
struct Profile {
    bio: String,
}

async fn profile_save(State(app): State<Arc<App>>, SignedIn(person): SignedIn, Form(form): Form<Profile>) -> Result<Redirect, Error> {
    if form.bio.chars().count() > LONGEST_BIO {
        return Err(Error::Invalid("the text about you may have 500 characters at most"));
    }
    let user = app.store.user_of(&person).await?;
    app.store.bio_set(user.id, form.bio).await?;
    Ok(Redirect::to("/profile"))
}

async fn photos(State(app): State<Arc<App>>, SignedIn(person): SignedIn) -> Result<Html<String>, Error> {
    let user = app.store.user_of(&person).await?;
    let photos = app.store.photo_list_by_user(user.id).await?;
    Ok(pages::photos(&person, &photos))
}

async fn admin(State(app): State<Arc<App>>, SignedIn(person): SignedIn) -> Result<Html<String>, Error> {
    if !person.is_admin() {
        return Err(Error::Forbidden("this page is for administrators"));
    }
    let users = app.store.user_list().await?;
    Ok(pages::admin(&person, &users))
}

/// What the app does, for whoever has no account yet.
async fn tour(Visitor(person): Visitor) -> Html<String> {
    pages::tour(person.as_ref())
}

async fn suggest() -> impl IntoResponse {
    let headers = [(CONTENT_TYPE, "text/javascript; charset=utf-8"), (CACHE_CONTROL, "max-age=3600")];
    (headers, include_str!("suggest.js"))
}

async fn style() -> impl IntoResponse {
    let headers = [(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "max-age=3600")];
    (headers, include_str!("style.css"))
}

async fn whoami(visitor: Result<Visitor, Error>) -> Response {
    match visitor {
        Ok(Visitor(Some(person))) => Json(person).into_response(),
        Ok(Visitor(None)) => as_json(&Error::Unauthenticated("nobody is signed in")),
        Err(error) => as_json(&error),
    }
}

// === Photos ===

/// A photo from a form (fields `title`, `photo`), or as the plain body of the request.
async fn photo_add(State(app): State<Arc<App>>, SignedIn(person): SignedIn, request: Request) -> Result<Redirect, Error> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let (arrived, title) = if kind.is_some_and(|kind| kind.starts_with("multipart/form-data")) {
        let form = Multipart::from_request(request, &()).await.map_err(|_| Error::Invalid("the form is not well made"))?;
        upload::receive_form(&app.pictures, form).await?
    } else {
        let arrived = upload::receive(&app.pictures, request.into_body()).await?;
        (arrived, String::new())
    };
    if !arrived.is_picture() {
        discard(&app, &arrived.file).await?;
        return Err(Error::Invalid("a photo is a JPEG, PNG, GIF or WebP file"));
    }
    list(&app, &person, &arrived, title).await?;
    Ok(Redirect::to("/photos"))
}

/// Any file, as the plain body of the request; answers what arrived as `{bytes, sha256}`.
async fn photo_raw(State(app): State<Arc<App>>, visitor: Result<SignedIn, Error>, Path(name): Path<String>, body: Body) -> Response {
    match take_raw(&app, visitor, name, body).await {
        Ok(arrived) => Json(json!({"bytes": arrived.bytes, "sha256": arrived.sha256})).into_response(),
        Err(error) => as_json(&error),
    }
}

async fn take_raw(app: &App, visitor: Result<SignedIn, Error>, name: String, body: Body) -> Result<Arrived, Error> {
    let SignedIn(person) = visitor?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.len() > 100 || !name.chars().all(plain) {
        return Err(Error::Invalid("a name has at most 100 letters, digits, `.`, `_` and `-`"));
    }
    let arrived = upload::receive(&app.pictures, body).await?;
    list(app, &person, &arrived, name).await?;
    Ok(arrived)
}

async fn photo_file(State(app): State<Arc<App>>, Path(id): Path<i64>) -> Result<Response, Error> {
    let photo = app.store.photo_get(id).await?.ok_or(Error::NotFound)?;
    let file = File::open(app.pictures.join(&photo.file)).await?;
    let length = file.metadata().await?.len();
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(upload::media_type(&photo.file))),
        (CONTENT_LENGTH, HeaderValue::from(length)),
        (CACHE_CONTROL, HeaderValue::from_static("private, max-age=60")),
        // A file is looked at, never run: opened by itself it has no origin and no script.
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox")),
    ];
    Ok((headers, Body::from_stream(ReaderStream::new(file))).into_response())
}

async fn photo_delete(State(app): State<Arc<App>>, SignedIn(person): SignedIn, Path(id): Path<i64>) -> Result<Redirect, Error> {
    let user = app.store.user_of(&person).await?;
    let photo = app.store.photo_get(id).await?.ok_or(Error::NotFound)?;
    if photo.user_id != user.id && !person.is_admin() {
        return Err(Error::Forbidden("this photo belongs to somebody else"));
    }
    app.store.photo_delete(id, user.id).await?;
    discard(&app, &photo.file).await?;
    Ok(Redirect::to("/photos"))
}

/// Put an arrived file on its owner's list; a file that cannot be listed does not stay.
async fn list(app: &App, person: &Person, arrived: &Arrived, title: String) -> Result<(), Error> {
    let title = title.trim();
    let new = NewPhoto {
        title: if title.is_empty() { "Untitled" } else { title }.to_owned(),
        file: arrived.file.clone(),
        bytes: i64::try_from(arrived.bytes).unwrap_or(i64::MAX),
    };
    let listed = match app.store.user_of(person).await {
        Ok(user) => app.store.photo_add(user.id, new).await,
        Err(error) => Err(error),
    };
    if listed.is_err() {
        discard(app, &arrived.file).await?;
    }
    listed.map(drop)
}

async fn discard(app: &App, file: &str) -> Result<(), Error> {
    match tokio::fs::remove_file(app.pictures.join(file)).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

// === Around every request ===

async fn same_origin(State(app): State<Arc<App>>, request: Request, next: Next) -> Result<Response, Error> {
    let origin = request.headers().get(ORIGIN);
    let foreign = origin.is_some_and(|origin| origin.as_bytes() != app.app_url.as_bytes());
    if foreign && !request.method().is_safe() {
        return Err(Error::Forbidden("this form was sent from another site"));
    }
    Ok(next.run(request).await)
}

async fn shield(State(app): State<Arc<App>>, mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(CONTENT_SECURITY_POLICY).or_insert_with(|| app.policy.clone());
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Not `no-referrer`: with it browsers send `Origin: null` along with our own forms.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

fn as_json(error: &Error) -> Response {
    (error.status(), Json(json!({"error": error.told()}))).into_response()
}

const LARGEST_FORM: usize = 101 * 1024 * 1024;
const LONGEST_BIO: usize = 500;
