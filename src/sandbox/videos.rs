//! The stand-in API's videos, each with bytes of its own, and everything that goes wrong on the way to them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::ops::Range;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_RANGE, LOCATION, RANGE, RETRY_AFTER,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use data_encoding::BASE64;
use futures::{Stream, StreamExt, stream};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::World;
use super::options::{DownloadFault, Gate, InAnswer};
use super::serve::HangUp;

/// A real video; what makes each one different follows in a box that players skip.
const VIDEO: &[u8] = include_bytes!("video.mp4");
const BOX_HEAD_BYTES: usize = 8;
/// A connection that breaks lets at least so much through, so that a client which goes on comes to the end.
const LET_THROUGH_MIN: usize = 4 * 1024;
/// A drip: a byte at a time.
const DRIP_PAUSE: Duration = Duration::from_millis(40);
/// Between what is let through and the end of the connection.
const BREATH: Duration = Duration::from_millis(20);
/// Requests for one video that a busy host turns away.
const BUSY_TIMES: u32 = 2;
const PAGE: &str = "<!DOCTYPE html><title>This link has expired</title><p>Please log in to see your video.";
const EXPIRED: &str =
    "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>";

/// How often each video was asked for, and how often it was sent to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Fetches {
    /// Requests for it.
    pub requests: u32,
    /// Of those, the ones that were answered with a part.
    pub ranged: u32,
    /// Of those, the ones that were answered up to its last byte.
    pub to_the_end: u32,
}

/// The fetches of every video.
pub(super) type FetchBook = BTreeMap<String, Fetches>;

/// The route of the videos.
pub(super) fn router(world: Arc<World>) -> Router {
    Router::new().route("/videos/{file}", get(video)).with_state(world)
}

/// Where a redirect has led.
#[derive(Deserialize)]
struct Way {
    moved: Option<u32>,
}

/// One request for a video.
struct Wish {
    id: String,
    /// How many there were before it.
    nth: u32,
    headers: HeaderMap,
    moved: bool,
    fault: Option<DownloadFault>,
}

async fn video(
    State(world): State<Arc<World>>,
    Path(file): Path<String>,
    Query(way): Query<Way>,
    headers: HeaderMap,
) -> Response {
    let Some(id) = file.strip_suffix(".mp4").filter(|id| world.books().state.has_video(id)) else {
        return (StatusCode::NOT_FOUND, "no such video").into_response();
    };
    if world.options.gates.contains(&Gate::Videos) && !world.shows_for(&headers, id) {
        return (StatusCode::UNAUTHORIZED, "show the credential").into_response();
    }
    let fault = world.faults.of_download(id.as_bytes());
    let nth = world.note_fetch(id, |fetches| fetches.requests += 1).saturating_sub(1);
    let wish = Wish { id: id.to_owned(), nth, headers, moved: way.moved.is_some(), fault };
    if wish.fault == Some(DownloadFault::Silent) {
        std::future::pending::<()>().await;
    }
    answer(&world, &wish)
}

fn answer(world: &Arc<World>, wish: &Wish) -> Response {
    let page = |status: StatusCode, kind, text| (status, [(CONTENT_TYPE, kind)], text).into_response();
    match wish.fault {
        Some(DownloadFault::Gone) => page(StatusCode::NOT_FOUND, "text/html", PAGE),
        Some(DownloadFault::Expired) => page(StatusCode::FORBIDDEN, "application/xml", EXPIRED),
        Some(DownloadFault::Html) => page(StatusCode::OK, "text/html; charset=utf-8", PAGE),
        Some(DownloadFault::HiddenHtml) => page(StatusCode::OK, "video/mp4", PAGE),
        Some(DownloadFault::Empty) => page(StatusCode::OK, "video/mp4", ""),
        Some(DownloadFault::HungUp) if wish.nth == 0 => HangUp.into_response(),
        Some(DownloadFault::Busy) if wish.nth < BUSY_TIMES => {
            (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")], "busy").into_response()
        }
        Some(DownloadFault::Redirect) if !wish.moved => moved(&format!("/videos/{}.mp4?moved=1", wish.id)),
        Some(DownloadFault::RedirectLoop) => moved(&format!("/videos/{}.mp4?moved={}", wish.id, wish.nth)),
        Some(DownloadFault::RedirectAway) => moved("file:///etc/passwd"),
        _ => content_of(world, wish),
    }
}

fn moved(to: &str) -> Response {
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::FOUND, [(LOCATION, to)]).into_response()
}

/// The bytes that were asked for, as far as the fault lets them.
fn content_of(world: &Arc<World>, wish: &Wish) -> Response {
    let fault = wish.fault;
    // Whoever comes back finds another version, from the second time on always the same.
    let version = u32::from(fault == Some(DownloadFault::Changed) && wish.nth > 0);
    let whole = content(&wish.id, version, world.options.video_kib);
    let etag = format!("\"{}-{version}\"", wish.id);
    let ranged = fault != Some(DownloadFault::Unranged);
    let told = |name: HeaderName| wish.headers.get(name).and_then(|value| value.to_str().ok());
    let fresh = told(IF_RANGE).is_none_or(|known| known == etag);
    let range = told(RANGE).filter(|_| ranged && fresh).and_then(|range| one_range(range, whole.len()));
    let total = whole.len();
    let (status, range) = match range {
        None => (StatusCode::OK, 0..total),
        Some(range) if range.is_empty() => {
            let place = format!("bytes */{total}");
            return (StatusCode::RANGE_NOT_SATISFIABLE, [(CONTENT_RANGE, place)]).into_response();
        }
        Some(range) => (StatusCode::PARTIAL_CONTENT, range),
    };
    let bytes = Bytes::from(whole).slice(range.clone());
    let mut response = Response::new(sent(world, wish, bytes, range.end == total));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("video/mp4"));
    if fault != Some(DownloadFault::Unsized) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(range.len()));
    }
    if ranged {
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        insert(headers, ETAG, &etag);
    }
    if status == StatusCode::PARTIAL_CONTENT {
        world.note_fetch(&wish.id, |fetches| fetches.ranged += 1);
        insert(headers, CONTENT_RANGE, &format!("bytes {}-{}/{total}", range.start, range.end.saturating_sub(1)));
    }
    response
}

fn insert(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

/// The body, as far as the fault lets it through.
fn sent(world: &Arc<World>, wish: &Wish, bytes: Bytes, to_the_end: bool) -> Body {
    let half = bytes.len() / 2;
    let breaks_after = match wish.fault {
        Some(DownloadFault::Dropped) if half >= LET_THROUGH_MIN => Some(half),
        Some(DownloadFault::Changed) if wish.nth == 0 => Some(half),
        Some(DownloadFault::WrongLength) => Some(bytes.len().saturating_sub(1)),
        _ => None,
    };
    if wish.fault == Some(DownloadFault::Slow) {
        return Body::from_stream(drip(bytes));
    }
    match breaks_after {
        Some(length) => {
            let broken = stream::once(async {
                // What was let through leaves before the connection does.
                tokio::time::sleep(BREATH).await;
                Err(io::Error::other(HangUp))
            });
            Body::from_stream(stream::once(async move { Ok(bytes.slice(..length)) }).chain(broken))
        }
        None => {
            let (world, id) = (Arc::clone(world), wish.id.clone());
            Body::from_stream(pieces(bytes, move || {
                if to_the_end {
                    world.note_fetch(&id, |fetches| fetches.to_the_end += 1);
                }
            }))
        }
    }
}

/// Piece by piece; `at_end` is told of the last one.
fn pieces(bytes: Bytes, at_end: impl Fn()) -> impl Stream<Item = Result<Bytes, Infallible>> {
    const PIECE_BYTES: usize = 16 * 1024;
    stream::unfold((bytes, at_end), |(mut rest, at_end)| async move {
        let next = rest.split_to(rest.len().min(PIECE_BYTES));
        if rest.is_empty() && !next.is_empty() {
            at_end();
        }
        (!next.is_empty()).then_some((Ok(next), (rest, at_end)))
    })
}

fn drip(bytes: Bytes) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(bytes, |mut rest| async move {
        tokio::time::sleep(DRIP_PAUSE).await;
        let next = rest.split_to(rest.len().min(1));
        (!next.is_empty()).then_some((Ok(next), rest))
    })
}

/// A video's bytes: the same for the same id and version, and others for others.
pub(super) fn content(id: &str, version: u32, kib: u32) -> Vec<u8> {
    let filling = (kib as usize).saturating_mul(1_024);
    let mut bytes = Vec::with_capacity(VIDEO.len() + BOX_HEAD_BYTES + filling);
    bytes.extend_from_slice(VIDEO);
    let length = u32::try_from(filling + BOX_HEAD_BYTES).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(b"free");
    let end = bytes.len() + filling;
    for block in 0_u64.. {
        if bytes.len() >= end {
            break;
        }
        let block =
            Sha256::new().chain_update(id).chain_update(version.to_be_bytes()).chain_update(block.to_be_bytes());
        bytes.extend_from_slice(&block.finalize());
    }
    bytes.truncate(end);
    bytes
}

/// The video in the answer itself.
pub(super) fn in_answer(id: &str, how: InAnswer, kib: u32) -> String {
    let base64 = BASE64.encode(&content(id, 0, kib));
    match how {
        InAnswer::DataUri => format!("data:video/mp4;base64,{base64}"),
        InAnswer::Base64 => base64,
    }
}

/// `bytes=FIRST-LAST` or `bytes=FIRST-`; any other form is answered with the whole (RFC 9110 14.2 allows that).
fn one_range(range: &str, total: usize) -> Option<Range<usize>> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let first: usize = first.parse().ok()?;
    let end = if last.is_empty() { total } else { last.parse::<usize>().ok()?.checked_add(1)?.min(total) };
    (last.is_empty() || end > first || first >= total).then_some(first.min(total)..end.max(first.min(total)))
}

impl World {
    /// Notes something about the fetches of a video, and gives how many requests there were.
    fn note_fetch(&self, id: &str, note: impl FnOnce(&mut Fetches)) -> u32 {
        let mut book = self.fetches.lock().unwrap_or_else(PoisonError::into_inner);
        let fetches = book.entry(id.to_owned()).or_default();
        note(fetches);
        fetches.requests
    }
}
