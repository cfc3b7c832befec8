//! The stand-in node: the calls of lnd's REST API that a payer needs, with lnd's shapes, codes and words.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::header::{CONTENT_TYPE, DATE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use data_encoding::{BASE64, BASE64URL, HEXLOWER_PERMISSIVE};
use futures::stream;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::books::{self, Begin, End, Order, OwnInvoice, Payment, Standing};
use super::faults::{FaultPoint, Luck};
use super::keys::{Denied, Guarded, hex};
use super::lnd_error::{Code, JSON, LndError, answer};
use super::options::NodeFault;
use super::pay::{Read, SendRequest, read_invoice};
use super::refund::InvoiceRequest;
use super::serve::HangUp;
use super::{World, now};
use crate::l402::PaymentHash;
use crate::money::Msat;

const BODY_BYTES_MAX: usize = 64 << 10;
const MACAROON: &str = "grpc-metadata-macaroon";
/// A page of payments where none is asked for, as lnd has it from 0.20.
const PAGE: usize = 100;
const NO_PREIMAGE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

const fn guarded(uri: &'static str, entity: &'static str, action: &'static str) -> Guarded {
    Guarded { uri, entity, action }
}

const INFO: Guarded = guarded("/lnrpc.Lightning/GetInfo", "info", "read");
const BALANCE: Guarded = guarded("/lnrpc.Lightning/ChannelBalance", "offchain", "read");
const CHANNELS: Guarded = guarded("/lnrpc.Lightning/ListChannels", "offchain", "read");
const PAYMENTS: Guarded = guarded("/lnrpc.Lightning/ListPayments", "offchain", "read");
const DECODE: Guarded = guarded("/lnrpc.Lightning/DecodePayReq", "offchain", "read");
const ADD_INVOICE: Guarded = guarded("/lnrpc.Lightning/AddInvoice", "invoices", "write");
const LOOK_UP_INVOICE: Guarded = guarded("/lnrpc.Lightning/LookupInvoice", "invoices", "read");
const SEND: Guarded = guarded("/routerrpc.Router/SendPaymentV2", "offchain", "write");
const TRACK: Guarded = guarded("/routerrpc.Router/TrackPaymentV2", "offchain", "read");

/// Every route of the node.
pub(super) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/v1/state", get(state))
        .route("/v1/getinfo", get(info))
        .route("/v1/channels", get(channels))
        .route("/v1/balance/channels", get(balance))
        .route("/v1/payments", get(payments))
        .route("/v1/invoices", post(add_invoice))
        .route("/v1/invoice/{hash}", get(invoice))
        .route("/v1/payreq/{invoice}", get(decode))
        .route("/v2/router/send", post(send))
        .route("/v2/router/track/{hash}", get(track))
        .fallback(async || LndError::new(Code::NotFound, "Not Found").unwrapped())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::map_response_with_state(Arc::clone(&world), dated))
        .with_state(world)
}

/// The node's clock is what its answers are dated with.
async fn dated(State(world): State<Arc<World>>, mut response: Response) -> Response {
    const LATE_MS: i64 = 10 * 60 * 1_000;
    if world.has(NodeFault::Late) {
        let late = jiff::Timestamp::from_millisecond(now().plus_ms(-LATE_MS).0).ok();
        let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
        let date = late.and_then(|at| printer.timestamp_to_rfc9110_string(&at).ok()?.parse().ok());
        date.map(|date| response.headers_mut().insert(DATE, date));
    }
    response
}

async fn state(State(world): State<Arc<World>>) -> Response {
    let faults = [(NodeFault::Locked, "LOCKED"), (NodeFault::Starting, "UNLOCKED")];
    let fault = faults.iter().find(|(fault, _)| world.has(*fault));
    answer(StatusCode::OK, &json!({ "state": fault.map_or("SERVER_ACTIVE", |(_, word)| word) }))
}

async fn send(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Response {
    let request = match SendRequest::from_json(&body) {
        Ok(request) => request,
        Err(error) => return error.unwrapped(),
    };
    match begin(&world, &headers, &request) {
        Ok((hash, waiting)) => {
            let luck = world.faults.next(FaultPoint::Pay, &hash.0);
            if luck.dropped && !luck.late {
                return HangUp.into_response();
            }
            follow(world, hash, Some(waiting), request.no_inflight_updates, luck).await
        }
        Err(error) => error.wrapped(),
    }
}

fn begin(
    world: &Arc<World>,
    headers: &HeaderMap,
    request: &SendRequest,
) -> Result<(PaymentHash, watch::Receiver<()>), LndError> {
    authorize(world, headers, &SEND)?;
    let now = now();
    let invoice = read_invoice(&request.payment_request)?;
    let amount = request.amount(&invoice)?;
    invoice.refuse_expired(now)?;
    let order = Order {
        hash: invoice.hash,
        amount,
        fee: world.fee(amount),
        fee_limit: request.fee_limit,
        invoice: request.payment_request.clone(),
        ours: world.keys.is_payee(&invoice.payee),
    };
    let begun = world.books().begin(order, |attempt| world.faults.fails_payment(&invoice.hash.0, attempt), now)?;
    match begun {
        Begin::Started(waiting) => {
            Arc::clone(world).execute(invoice.hash);
            Ok((invoice.hash, waiting))
        }
        Begin::AlreadyPaid => Err(LndError::new(Code::AlreadyExists, "invoice is already paid")),
        Begin::InTransition => Err(LndError::new(Code::AlreadyExists, "payment is in transition")),
    }
}

async fn track(
    State(world): State<Arc<World>>,
    Path(hash): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    let bytes = match BASE64URL.decode(hash.as_bytes()) {
        Ok(bytes) => bytes,
        Err(error) => {
            let why = format!(
                "type mismatch, parameter: payment_hash, error: illegal base64 data at input byte {}",
                error.position
            );
            return LndError::new(Code::InvalidArgument, why).unwrapped();
        }
    };
    if let Err(error) = authorize(&world, &headers, &TRACK) {
        return error.wrapped();
    }
    let Ok(hash) = <[u8; 32]>::try_from(bytes.as_slice()).map(PaymentHash) else {
        let why = format!("invalid hash length of {}, want 32", bytes.len());
        return LndError::new(Code::Unknown, why).wrapped();
    };
    let (known, waiting) = {
        let books = world.books();
        (books.state.payment(&hash).is_some(), books.waiting(&hash))
    };
    if !known {
        return LndError::new(Code::NotFound, "payment isn't initiated").wrapped();
    }
    let luck = Luck { refused: None, dropped: false, late: false };
    follow(world, hash, waiting, parameter(&query, "no_inflight_updates") == Some("true"), luck).await
}

/// What a stream does next.
enum Next {
    State,
    End,
    Cut,
    Over,
}

/// Streams a payment: what it is now, and, where that is not its end, its end. Without updates the answer itself,
/// headers and all, waits for the end, as lnd's does.
async fn follow(
    world: Arc<World>,
    hash: PaymentHash,
    mut waiting: Option<watch::Receiver<()>>,
    no_inflight_updates: bool,
    luck: Luck,
) -> Response {
    if no_inflight_updates && let Some(mut waiting) = waiting.take() {
        ended(&mut waiting).await;
    }
    let lines = stream::unfold((Next::State, waiting), move |(next, waiting)| {
        let world = Arc::clone(&world);
        async move {
            match (next, waiting) {
                (Next::State, waiting) => {
                    let then = match &waiting {
                        _ if luck.dropped => Next::Cut,
                        Some(_) => Next::End,
                        None => Next::Over,
                    };
                    // One that only just began is always seen on its way first, however quick it is.
                    let line = update(&world, &hash, waiting.is_some());
                    Some((Ok(line), (then, waiting)))
                }
                (Next::End, Some(mut waiting)) => {
                    ended(&mut waiting).await;
                    Some((Ok(update(&world, &hash, false)), (Next::Over, None)))
                }
                (Next::Cut, _) => Some((Err(HangUp), (Next::Over, None))),
                (Next::Over, _) | (Next::End, None) => None,
            }
        }
    });
    ([(CONTENT_TYPE, JSON)], Body::from_stream(lines)).into_response()
}

/// Waits for a payment's end: then its sender is dropped.
async fn ended(waiting: &mut watch::Receiver<()>) {
    while waiting.changed().await.is_ok() {}
}

fn update(world: &World, hash: &PaymentHash, on_its_way: bool) -> String {
    let payment = {
        let books = world.books();
        books.state.payment(hash).map(|payment| payment_json(world, &books.state, payment, on_its_way))
    };
    let mut line = json!({ "result": payment }).to_string();
    line.push('\n');
    line
}

/// A payment as lnd shows it, or showed it while it was on its way.
fn payment_json(world: &World, state: &books::State, payment: &Payment, on_its_way: bool) -> Value {
    let begun = &payment.begun;
    let end = payment.end.filter(|_| !on_its_way);
    let (status, reason, fee) = match end {
        None => ("IN_FLIGHT", json!("FAILURE_REASON_NONE"), Msat::ZERO),
        Some(End::Settled(_)) => ("SUCCEEDED", json!("FAILURE_REASON_NONE"), begun.fee_msat),
        Some(End::Failed(reason)) => ("FAILED", json!(reason), Msat::ZERO),
    };
    let sale = state.sale(&begun.hash).map(|sale| world.keys.preimage(sale.asked.number));
    let earlier = Some(world.keys.earlier()).filter(|(_, hash)| *hash == begun.hash).map(|(preimage, _)| preimage);
    let preimage = sale.or(earlier).filter(|_| matches!(end, Some(End::Settled(_))));
    let preimage = preimage.map_or_else(|| NO_PREIMAGE.to_owned(), |preimage| hex(&preimage));
    let created_s = begun.at.0.div_euclid(1_000);
    let sats = |amount: Msat| amount.sats_floor().get().to_string();
    json!({
        "payment_hash": begun.hash.hex(),
        "value": sats(begun.amount_msat),
        "creation_date": created_s.to_string(),
        "fee": sats(fee),
        "payment_preimage": preimage,
        "value_sat": sats(begun.amount_msat),
        "value_msat": begun.amount_msat.get().to_string(),
        "payment_request": begun.invoice,
        "status": status,
        "fee_sat": sats(fee),
        "fee_msat": fee.get().to_string(),
        "creation_time_ns": begun.at.0.saturating_mul(1_000_000).to_string(),
        "htlcs": [],
        "payment_index": begun.index.to_string(),
        "failure_reason": reason,
        "first_hop_custom_records": {},
    })
}

async fn info(State(world): State<Arc<World>>, headers: HeaderMap) -> Response {
    if let Err(error) = authorize(&world, &headers, &INFO) {
        return error.unwrapped();
    }
    let network = if world.has(NodeFault::Mainnet) { "mainnet" } else { "regtest" };
    answer(
        StatusCode::OK,
        &json!({
            "version": if world.has(NodeFault::Old) { "0.16.4-beta sandbox" } else { "0.21.2-beta sandbox" },
            "commit_hash": "",
            "identity_pubkey": world.keys.node_id(),
            "alias": "l402-batch sandbox",
            "color": "#3399ff",
            "num_pending_channels": 0,
            "num_active_channels": 1,
            "num_inactive_channels": 0,
            "num_peers": 1,
            "block_height": 456,
            "block_hash": NO_PREIMAGE,
            "best_header_timestamp": now().0.div_euclid(1_000).to_string(),
            "synced_to_chain": !world.has(NodeFault::Unsynced),
            "synced_to_graph": true,
            "testnet": false,
            "chains": [{ "chain": "bitcoin", "network": network }],
            "uris": [],
            "features": {},
            "require_htlc_interceptor": false,
            "store_final_htlc_resolutions": false,
        }),
    )
}

async fn balance(State(world): State<Arc<World>>, headers: HeaderMap) -> Response {
    if let Err(error) = authorize(&world, &headers, &BALANCE) {
        return error.unwrapped();
    }
    let (local, held) = {
        let books = world.books();
        (books.state.balance(), books.state.held())
    };
    let amount = |msat: Msat| json!({ "sat": msat.sats_floor().get().to_string(), "msat": msat.get().to_string() });
    answer(
        StatusCode::OK,
        &json!({
            "balance": local.sats_floor().get().to_string(),
            "pending_open_balance": "0",
            "local_balance": amount(local),
            "remote_balance": amount(Msat::ZERO),
            "unsettled_local_balance": amount(held),
            "unsettled_remote_balance": amount(Msat::ZERO),
            "pending_open_local_balance": amount(Msat::ZERO),
            "pending_open_remote_balance": amount(Msat::ZERO),
            "custom_channel_data": "",
        }),
    )
}

/// What the node owns in sats, channel by channel: all in one, or in eight alike. This node keeps no reserve.
async fn channels(State(world): State<Arc<World>>, headers: HeaderMap) -> Response {
    if let Err(error) = authorize(&world, &headers, &CHANNELS) {
        return error.unwrapped();
    }
    let count = match (world.has(NodeFault::NoChannels), world.has(NodeFault::ManyChannels)) {
        (true, _) => 0,
        (false, true) => 8,
        (false, false) => 1,
    };
    let sats = world.books().state.balance().sats_floor().get() / u64::max(count, 1);
    let channel = |number: u64| {
        json!({
            "active": true,
            "remote_pubkey": world.keys.node_id(),
            "chan_id": number.to_string(),
            "capacity": sats.to_string(),
            "local_balance": sats.to_string(),
            "remote_balance": "0",
            "unsettled_balance": "0",
            "pending_htlcs": [],
            "private": false,
            "initiator": true,
            "local_constraints": {
                "csv_delay": 144,
                "chan_reserve_sat": "0",
                "dust_limit_sat": "354",
                "max_pending_amt_msat": (sats * 1_000).to_string(),
                "min_htlc_msat": "1",
                "max_accepted_htlcs": 483,
            },
        })
    };
    answer(StatusCode::OK, &json!({ "channels": (1..=count).map(channel).collect::<Vec<_>>() }))
}

/// A page of payments in the order of their index; without `include_incomplete` those that succeeded. What was paid before there
/// were these books has the index 0, so that it stands in no page that goes forward.
async fn payments(
    State(world): State<Arc<World>>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    if let Err(error) = authorize(&world, &headers, &PAYMENTS) {
        return error.unwrapped();
    }
    let number = |name| parameter(&query, name).and_then(|value| value.parse::<u64>().ok()).unwrap_or(0);
    let is_true = |name| parameter(&query, name) == Some("true");
    let (offset, reversed) = (number("index_offset"), is_true("reversed"));
    let most = usize::try_from(number("max_payments")).ok().filter(|most| *most > 0).unwrap_or(PAGE);
    let books = world.books();
    let mut page: Vec<&Payment> = books
        .state
        .payments()
        .chain(books.state.earlier())
        .filter(|payment| is_true("include_incomplete") || matches!(payment.end, Some(End::Settled(_))))
        .filter(|payment| match (reversed, offset) {
            (true, 0) => true,
            (true, offset) => payment.begun.index < offset,
            (false, offset) => payment.begun.index > offset,
        })
        .collect();
    page.sort_unstable_by_key(|payment| payment.begun.index);
    let surplus = page.len().saturating_sub(most);
    let page = if reversed { page.split_off(surplus) } else { page.into_iter().take(most).collect() };
    let end = |payment: Option<&&Payment>| payment.map_or(0, |payment| payment.begun.index).to_string();
    let body = json!({
        "first_index_offset": end(page.first()),
        "last_index_offset": end(page.last()),
        "total_num_payments": "0",
        "payments": page.iter().map(|payment| payment_json(&world, &books.state, payment, false)).collect::<Vec<_>>(),
    });
    drop(books);
    answer(StatusCode::OK, &body)
}

async fn add_invoice(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Response {
    let made = InvoiceRequest::from_json(&body).and_then(|request| {
        authorize(&world, &headers, &ADD_INVOICE)?;
        world.make_invoice(&request)
    });
    match made {
        Ok((hash, invoice)) => answer(
            StatusCode::OK,
            &json!({ "r_hash": BASE64.encode(&hash.0), "payment_request": invoice, "add_index": "1", "payment_addr": "" }),
        ),
        Err(error) => error.unwrapped(),
    }
}

async fn invoice(State(world): State<Arc<World>>, Path(hash): Path<String>, headers: HeaderMap) -> Response {
    if let Err(error) = authorize(&world, &headers, &LOOK_UP_INVOICE) {
        return error.unwrapped();
    }
    let Some(hash) = PaymentHash::from_hex(&hash) else {
        return LndError::new(Code::Unknown, "encoding/hex: invalid byte").unwrapped();
    };
    let books = world.books();
    match books.state.invoice(&hash) {
        Some(invoice) => answer(StatusCode::OK, &invoice_json(&world, invoice)),
        None => LndError::new(Code::NotFound, "unable to locate invoice").unwrapped(),
    }
}

/// An invoice of the node's own as lnd shows it.
fn invoice_json(world: &World, invoice: &OwnInvoice) -> Value {
    let (made, standing) = (&invoice.made, invoice.standing(now()));
    let received = invoice.paid.map_or(Msat::ZERO, |(amount, _)| amount);
    let preimage = match standing {
        Standing::Settled => world.keys.own_preimage(made.number),
        Standing::Open | Standing::Canceled => [0; 32],
    };
    let sats = |amount: Msat| amount.sats_floor().get().to_string();
    json!({
        "memo": made.memo,
        "r_preimage": BASE64.encode(&preimage),
        "r_hash": BASE64.encode(&made.hash.0),
        "value": sats(made.amount_msat),
        "value_msat": made.amount_msat.get().to_string(),
        "settled": standing == Standing::Settled,
        "creation_date": made.at.0.div_euclid(1_000).to_string(),
        "settle_date": invoice.paid.map_or(0, |(_, at)| at.0.div_euclid(1_000)).to_string(),
        "payment_request": made.invoice,
        "expiry": made.expiry_s.to_string(),
        "state": standing.as_str(),
        "amt_paid": received.get().to_string(),
        "amt_paid_sat": sats(received),
        "amt_paid_msat": received.get().to_string(),
        "htlcs": [],
        "private": true,
        "is_keysend": false,
    })
}

async fn decode(State(world): State<Arc<World>>, Path(invoice): Path<String>, headers: HeaderMap) -> Response {
    let decoded = authorize(&world, &headers, &DECODE).and_then(|()| read_invoice(&invoice));
    match decoded {
        Ok(read) => answer(StatusCode::OK, &decoded_json(&read)),
        Err(error) => error.unwrapped(),
    }
}

fn decoded_json(read: &Read) -> Value {
    let amount = read.amount.unwrap_or(Msat::ZERO);
    json!({
        "destination": read.payee.to_string(),
        "payment_hash": read.hash.hex(),
        "num_satoshis": amount.sats_floor().get().to_string(),
        "timestamp": read.timestamp_s.to_string(),
        "expiry": read.expiry_s.to_string(),
        "description": read.description,
        "description_hash": "",
        "fallback_addr": "",
        "cltv_expiry": read.cltv_expiry.to_string(),
        "route_hints": [],
        "payment_addr": BASE64.encode(&read.payment_secret),
        "num_msat": amount.get().to_string(),
        "features": {},
        "blinded_paths": [],
    })
}

/// lnd's own words for a wallet that is not open yet, and for what is wrong with a macaroon.
fn authorize(world: &World, headers: &HeaderMap, call: &Guarded) -> Result<(), LndError> {
    let refuse = |why: &str| Err(LndError::new(Code::Unknown, why));
    if world.has(NodeFault::Locked) {
        return refuse("wallet locked, unlock it to enable full RPC access");
    }
    if world.has(NodeFault::Starting) {
        return refuse("the RPC server is in the process of starting up, but not yet ready to accept calls");
    }
    if call.entity == "invoices" && world.has(NodeFault::NoInvoices) {
        return refuse("permission denied");
    }
    let Some(header) = headers.get(MACAROON) else { return refuse("expected 1 macaroon, got 0") };
    match HEXLOWER_PERMISSIVE.decode(header.as_bytes()) {
        Ok(bytes) if bytes.first() == Some(&2) => match world.keys.admit(&bytes, call) {
            Ok(()) => Ok(()),
            Err(Denied::TooSmall) => refuse("permission denied"),
            Err(Denied::Foreign) => refuse("verification failed: signature mismatch after caveat verification"),
        },
        Ok(_) => refuse("cannot determine data format of binary-encoded macaroon"),
        Err(error) => {
            let byte = header.as_bytes().get(error.position).copied().unwrap_or(b'0');
            let shown = char::from(byte);
            match error.kind {
                data_encoding::DecodeKind::Length => refuse("encoding/hex: odd length hex string"),
                _ => refuse(&format!("encoding/hex: invalid byte: U+{byte:04X} '{shown}'")),
            }
        }
    }
}

fn parameter<'a>(query: &'a [(String, String)], name: &str) -> Option<&'a str> {
    query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}
