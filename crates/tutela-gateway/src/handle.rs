//! One request, from stage to stage: front, firewall, who asks, whether they may, the application, and back.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use tokio::time::Instant;
use tutela_core::{
    Actor, RequestId, Timestamp,
    seam::{Caller, Stage},
};
use tutela_waf::Verdict;

use crate::{
    Body, Error, Gateway, banner,
    client::Client,
    front::{LONGEST_METHOD, MOST_FIELDS},
    headers,
    held::Held,
    identity::{self, Door, OWN_PREFIX, Seen},
    leash::Credential,
    limits::Counted,
    mask,
    pages::{answer, blocked, json, wants_page},
    path,
    redirect::over_tls,
    routes::Route,
    serve::Connection,
    snapshot::Snapshot,
    trail::Trail,
    tunnel,
    waf::{self, Inspection},
};

/// How long a client may go on sending what is refused already.
const LINGER: Duration = Duration::from_secs(5);

/// Where an application, and a client, find the id of a request.
pub(crate) const REQUEST_ID: http::HeaderName = http::HeaderName::from_static("tutela-request");

/// Where Global Privacy Control is spoken of (W3C, "GPC Support Resource").
const GPC: &str = "/.well-known/gpc.json";

/// Who answers a request.
enum Place {
    /// The way back from signing in, on a guarded host.
    Door { host: String },
    /// What is said of Global Privacy Control, on every host.
    Gpc,
    /// Our own pages.
    Own,
    /// An application.
    Route { host: String, route: Arc<Route> },
}

impl Place {
    /// As whom records and rules know it.
    fn name(&self) -> Arc<str> {
        self.route().map_or_else(|| "tutela".into(), |route| Arc::clone(&route.name))
    }

    fn route(&self) -> Option<&Arc<Route>> {
        match self {
            Self::Route { route, .. } => Some(route),
            Self::Door { .. } | Self::Gpc | Self::Own => None,
        }
    }
}

/// A request on its way: what it came over, who sends it, with which settings, and when it began.
#[derive(Clone, Copy)]
pub(crate) struct Way<'a> {
    pub connection: &'a Connection,
    pub client: Client,
    pub current: &'a Snapshot,
    pub now: Timestamp,
    pub began: Instant,
    pub id: RequestId,
}

/// Who asks an application, and by what they were let in.
#[derive(Default)]
pub(crate) struct Admitted {
    pub caller: Option<Caller>,
    pub credential: Option<Credential>,
}

impl Gateway {
    /// Answers a request, and hands its record over.
    pub(crate) async fn handle(&self, request: Request<Incoming>, connection: &Connection) -> Response<Body> {
        let inner = &*self.0;
        let current = inner.current.load_full();
        let now = inner.env.now();
        let id = RequestId::new(now, &mut { &*inner.env });
        let client = Client::of(connection, request.headers(), &current);
        let mut trail = Trail::new(&request, client.address.ip(), id, now);
        let way = Way { connection, client, current: &current, now, began: Instant::now(), id };
        let mut response = self.route(request.map(Held::new), &way, &mut trail).await;
        trail.tally.tell(response.headers_mut());
        number(response.headers_mut(), id);
        if let Some(hsts) = &inner.hsts {
            response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
        let bytes = response.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
        let record = trail.end(response.status().as_u16(), bytes);
        metrics::counter!("tutela_gateway_requests_total", "status" => class_of(record.status)).increment(1);
        if let Some(stage) = record.refused_by {
            metrics::counter!("tutela_gateway_refused_total", "stage" => stage.as_str()).increment(1);
        }
        inner.sink.record(record);
        response
    }

    /// Front, firewall, and on to whoever answers.
    async fn route(&self, mut request: Request<Held>, way: &Way<'_>, trail: &mut Trail) -> Response<Body> {
        let inner = &*self.0;
        let page = wants_page(request.headers());
        let place = match self.place(&request, way) {
            Ok(place) => place,
            Err((status, kind, title, detail)) => {
                trail.refused(Stage::Front);
                return answer(page, status, kind, title, detail);
            }
        };
        if way.client.plain && inner.scheme == "https" {
            trail.refused(Stage::Front);
            let host = host_of(&request).unwrap_or_default();
            return over_tls(&request, &self.origin(&host), page);
        }
        let name = place.name();
        trail.record.route = Some(Arc::clone(&name));
        if matches!(place, Place::Own) {
            // Paths of our own pages may hold one-time links.
            trail.record.path = own_page_path(&trail.record.path);
        }
        trail.passed(Stage::Front);
        if let Some(until) = inner.policy.blocked(way.client.address.ip(), way.now) {
            trail.refused(Stage::Block);
            return blocked(page, until.since(way.now));
        }
        let waf = &way.current.waf;
        let mut inspection = waf.begin(waf.mode(place.route().and_then(|route| route.config.waf())), &name, way, &*inner.policy);
        let verdict = inspection.as_mut().map_or(Verdict::Pass, |inspection| inspection.head(&request));
        if let Some(refused) = waf::refusal(page, &verdict, way.id) {
            trail.record.inspection = inspection.map(Inspection::finish);
            trail.refused(Stage::Waf);
            return refused;
        }
        trail.passed(Stage::Waf);
        let admitted = match &place {
            Place::Own | Place::Gpc | Place::Door { .. } => Admitted::default(),
            Place::Route { host, route } => match self.admit(&mut request, host, route, way, trail).await {
                Ok(admitted) => admitted,
                Err(refused) => {
                    trail.record.inspection = inspection.map(Inspection::finish);
                    return refused;
                }
            },
        };
        if let Some(begun) = inspection.take() {
            let (judged, verdict) = match begun.body(request.body_mut(), way).await {
                Ok(judged) => judged,
                Err(e) => {
                    trail.refused(Stage::Waf);
                    return failed(page, &e);
                }
            };
            trail.passed(Stage::Waf);
            if let Some(refused) = waf::refusal(page, &verdict, way.id) {
                trail.record.inspection = Some(judged.finish());
                trail.refused(Stage::Waf);
                request.body_mut().drain(LINGER).await;
                return refused;
            }
            inspection = Some(judged);
        }
        let mut response = match &place {
            Place::Gpc => json(inner.gpc.as_deref().unwrap_or_default()),
            Place::Own => {
                request.extensions_mut().insert(way.client.address);
                request.extensions_mut().insert(way.id);
                (inner.pages)(request).await
            }
            Place::Door { host } => {
                let (door, origin) = (self.door(), self.origin(host));
                match banner::wanted(door, request.uri().path()) {
                    Some(wanted) => {
                        let from = banner::From { host, origin: &origin, address: way.client.address.ip(), now: way.now, env: &*inner.env };
                        banner::serve(door, wanted, request, &from).await
                    }
                    None => identity::own_path(door, &request, host, &origin, &inner.own_origin, way.now).await,
                }
            }
            Place::Route { host, route } => match self.forward(request, host, route, way, admitted).await {
                Ok(response) => response,
                Err(e) => {
                    tracing::warn!(route = &*route.name, error = %e, "a request was not answered by its upstream");
                    failed(page, &e)
                }
            },
        };
        trail.passed(Stage::Upstream);
        if let Some(mut inspection) = inspection {
            if matches!(place, Place::Route { .. }) {
                let verdict;
                (response, verdict) = inspection.answer(response).await;
                trail.passed(Stage::Waf);
                if let Some(refused) = waf::refusal(page, &verdict, way.id) {
                    trail.refused(Stage::Waf);
                    response = refused;
                }
            }
            trail.record.inspection = Some(inspection.finish());
        }
        response
    }

    /// Who is to answer; an address that can be read in two ways is nobody's.
    fn place(&self, request: &Request<Held>, way: &Way<'_>) -> Result<Place, (StatusCode, &'static str, &'static str, &'static str)> {
        let inner = &*self.0;
        let Some(host) = host_of(request) else {
            return Err((StatusCode::BAD_REQUEST, "invalid", "The request names no host, or several", "Send exactly one Host header."));
        };
        // HTTP/1 has met the strict front; HTTP/2 comes in frames, and is held to the same.
        let twice = |name: header::HeaderName| request.headers().get_all(name).iter().nth(1).is_some();
        if headers::names_content(request.headers())
            || request.headers().len() > MOST_FIELDS as usize
            || twice(header::CONTENT_TYPE)
            || twice(header::CONTENT_LENGTH)
            || request.method().as_str().len() > LONGEST_METHOD
        {
            return Err((StatusCode::BAD_REQUEST, "invalid", "The request cannot be read", "Its header has too many fields, or says one thing twice."));
        }
        let routes = &way.current.routes;
        let known = host == inner.own_host || routes.has_host(&host);
        if known && inner.gpc.is_some() && request.uri().path() == GPC {
            return Ok(Place::Gpc);
        }
        if host == inner.own_host {
            return Ok(Place::Own);
        }
        if !known {
            return Err((StatusCode::MISDIRECTED_REQUEST, "not-found", "This server does not answer for this host name", "Check the address."));
        }
        let Some(path) = path::canonical(request.uri().path()) else {
            let detail = "Write the path without dot segments, empty segments and encoded slashes.";
            return Err((StatusCode::BAD_REQUEST, "invalid", "The address is ambiguous", detail));
        };
        if path.starts_with(OWN_PREFIX) {
            return Ok(Place::Door { host });
        }
        match routes.find(&host, &path).cloned() {
            Some(route) => Ok(Place::Route { host, route }),
            None => Err((StatusCode::NOT_FOUND, "not-found", "There is no such page", "No route of this host leads there.")),
        }
    }

    pub(crate) fn door(&self) -> Door<'_> {
        Door { policy: &*self.0.policy, cookies: self.0.cookies, banner: self.0.banner }
    }

    pub(crate) fn origin(&self, host: &str) -> String {
        format!("{}://{host}{}", self.0.scheme, self.0.port)
    }

    /// Who asks, and whether they may.
    async fn admit(&self, request: &mut Request<Held>, host: &str, route: &Route, way: &Way<'_>, trail: &mut Trail) -> Result<Admitted, Response<Body>> {
        let now = way.now;
        let door = self.door();
        count(request, route, None, way, trail).await?;
        let admitted = identity::caller(door, request.headers_mut(), host, route, now).await.inspect_err(|_| trail.refused(Stage::Authentication))?;
        let caller = admitted.caller.as_ref();
        trail.record.actor = caller.map_or(Actor::Anonymous, Caller::actor);
        trail.passed(Stage::Authentication);
        count(request, route, Some(caller), way, trail).await?;
        let origin = self.origin(host);
        let path_and_query = request.uri().path_and_query().map_or("/", |p| p.as_str());
        let seen = Seen { method: request.method(), headers: request.headers(), origin: &origin, path_and_query, now };
        identity::check(door, route, caller, &seen).inspect_err(|_| trail.refused(Stage::Authorization))?;
        identity::consent(door, route, caller, request.headers(), path_and_query).await.inspect_err(|_| trail.refused(Stage::Consent))?;
        if tunnel::asks(request) && !tunnel::may_open(request.headers(), &origin, &route.config.websocket_origins) {
            trail.refused(Stage::Authorization);
            let detail = "Its page is of another site. Whoever runs this can allow that site with `websocket_origins`.";
            return Err(answer(false, StatusCode::FORBIDDEN, "forbidden", "This WebSocket may not be opened from there", detail));
        }
        if tunnel::asks(request) && mask::is_for(&route.config, caller) {
            trail.refused(Stage::Authorization);
            let detail = "Card numbers are masked here, and in a WebSocket they cannot be. Whoever runs this can say who may see them with `card_numbers`.";
            return Err(answer(false, StatusCode::FORBIDDEN, "forbidden", "No WebSocket opens here", detail));
        }
        trail.passed(Stage::Authorization);
        Ok(admitted)
    }
}

/// Counts a request for the limits of its route: those that need no caller before one is known, the others after.
async fn count(request: &Request<Held>, route: &Route, caller: Option<Option<&Caller>>, way: &Way<'_>, trail: &mut Trail) -> Result<(), Response<Body>> {
    let counted = Counted { address: trail.record.ip, route: &route.name, headers: request.headers(), caller, now: way.now };
    if way.current.limits.count(&route.config.limits, &counted, &mut trail.tally).await {
        trail.passed(Stage::Limit);
        return Ok(());
    }
    trail.refused(Stage::Limit);
    Err(trail.tally.refusal(request.headers()))
}

/// Says which request it is.
pub(crate) fn number(headers: &mut HeaderMap, id: RequestId) {
    if let Ok(value) = http::HeaderValue::from_str(&id.to_string()) {
        headers.insert(REQUEST_ID, value);
    }
}

fn failed(page: bool, error: &Error) -> Response<Body> {
    match error {
        Error::BodyTooLarge => answer(page, StatusCode::PAYLOAD_TOO_LARGE, "invalid", "The upload is too large", "This application takes smaller files only."),
        Error::ClientBody => answer(page, StatusCode::REQUEST_TIMEOUT, "invalid", "The upload broke off", "Nothing came for too long. Try again."),
        Error::Crowded | Error::Inspection => answer(
            page,
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "A part of this server does not answer",
            "Your request was not passed on. Try again in a moment.",
        ),
        Error::Timeout => answer(page, StatusCode::GATEWAY_TIMEOUT, "unavailable", "The application did not answer in time", "Try again in a moment."),
        Error::TooSlow => answer(page, StatusCode::REQUEST_TIMEOUT, "invalid", "The upload took too long", "Send less at once, or faster."),
        Error::Ended => answer(page, StatusCode::UNAUTHORIZED, "unauthenticated", "The session has ended", "Sign in again."),
        Error::NoServer => {
            let mut response = answer(page, StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The application is not well", "Try again in a moment.");
            response.headers_mut().insert(header::RETRY_AFTER, 5.into());
            response
        }
        Error::Unmasked(_) => answer(
            page,
            StatusCode::BAD_GATEWAY,
            "unavailable",
            "The application's answer cannot be shown",
            "Card numbers in it could not be masked. Why stands in the log of this server.",
        ),
        Error::Connect(_) | Error::Upstream(_) => {
            answer(page, StatusCode::BAD_GATEWAY, "unavailable", "The application does not answer", "Try again in a moment.")
        }
    }
}

/// The one host name of a request, in lower case and without port. HTTP/1.1 has it in `Host`, HTTP/2 in the target; both may be there only if they agree.
pub(crate) fn host_of<B>(request: &Request<B>) -> Option<String> {
    let mut values = request.headers().get_all(header::HOST).iter();
    let named = match (values.next(), values.next()) {
        (Some(one), None) => Some(one.to_str().ok()?),
        (None, _) => None,
        (Some(_), Some(_)) => return None,
    };
    let target = request.uri().authority().map(http::uri::Authority::as_str);
    let authority = match (named, target) {
        (Some(a), Some(b)) if !a.eq_ignore_ascii_case(b) => return None,
        (Some(authority), _) | (None, Some(authority)) => authority,
        (None, None) => return None,
    };
    let host = authority.parse::<http::uri::Authority>().ok()?.host().trim_end_matches('.').to_ascii_lowercase();
    (!host.is_empty()).then_some(host)
}

/// The path of an own page without what must not be kept.
fn own_page_path(path: &str) -> String {
    const LINKS: [&str; 6] = ["/change-email/", "/not-me/", "/reset/", "/set-up/", "/unlock/", "/verify-email/"];
    LINKS.iter().find(|link| path.starts_with(**link)).map_or_else(|| path.to_owned(), |link| format!("{link}…"))
}

fn class_of(status: u16) -> &'static str {
    match status / 100 {
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        _ => "other",
    }
}
