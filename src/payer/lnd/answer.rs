//! What LND's messages mean. Pure: from what was heard to what the port tells apart.

use crate::error::Hinted;
use crate::l402::{PaymentHash, Preimage};
use crate::money::Msat;
use crate::payer::{Found, NodeProblem, PayFailure, PayRefusal, ProblemKind, SendOutcome, Settled};

use super::hint::{self, advised};
use super::stream::{ErrorMessage, Message, Payment};

/// One thing heard while asking about a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It is on its way (INITIATED, IN_FLIGHT).
    Going,
    /// Its preimage is out, and it has not succeeded as a whole yet.
    PreimageKnown(Preimage),
    /// The payment is settled: the preimage has come.
    Settled(Settled),
    /// The payment has failed: nothing was spent.
    Failed(PayFailure),
    /// A message about this payment that cannot be believed or understood.
    Unclear(String),
    /// An error that LND formed.
    Error(LndError),
    /// Bytes that LND did not form.
    Foreign(NodeProblem),
    /// The connection failed.
    Broken(NodeProblem),
    /// The stream ended as streams do.
    Ended,
    /// Nothing came in the time that we give.
    Late,
}

/// An error in LND's form, with the HTTP status that carried it (200 inside a stream).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LndError {
    pub(super) status: u16,
    pub(super) error: ErrorMessage,
}

/// The status of every answer that is no error; a stream begins with it.
pub(super) const HTTP_OK: u16 = 200;

/// What one line of a stream says of a payment.
pub(super) fn hear_line(line: &[u8], hash: &PaymentHash) -> Heard {
    match Message::parse(line) {
        Some(Message::Payment(payment)) => hear_payment(&payment, hash),
        Some(Message::Error(error)) => Heard::Error(LndError { status: HTTP_OK, error }),
        None => Heard::Foreign(hint::other("a message that is not in lnd's form".to_owned())),
    }
}

/// What an answer with another status than 200 says. LND's gateway derives the status from the gRPC code; an answer
/// whose two differ was formed, or changed, by someone else.
pub(super) fn hear_error(status: u16, body: &[u8]) -> Heard {
    match Message::parse(body) {
        Some(Message::Error(error)) if http_status(error.code) == Some(status) => {
            Heard::Error(LndError { status, error })
        }
        Some(Message::Error(_) | Message::Payment(_)) | None
            if body.starts_with(b"Client sent an HTTP request to an HTTPS server") =>
        {
            Heard::Foreign(hint::other_with("it speaks https only".to_owned(), "write https:// in the URL"))
        }
        Some(Message::Error(_) | Message::Payment(_)) | None => {
            let words = format!("HTTP {status} in a form that is not lnd's");
            Heard::Foreign(hint::other_with(words, "is a proxy before it?"))
        }
    }
}

/// Judged by `status`, never by `failure_reason`; and a preimage that verifies is proof, whatever the status.
fn hear_payment(payment: &Payment<'_>, hash: &PaymentHash) -> Heard {
    let preimage = Preimage::verify_hex(payment.payment_preimage.text(), hash).ok();
    let (status, succeeded) = (payment.status.text(), payment.status.text() == "SUCCEEDED");
    // Zeros stand for "none yet". Whoever sells an invoice with the hash of zeros must not pass for paid by that.
    if let Some(preimage) = preimage.filter(|preimage| succeeded || *preimage.reveal() != [0; 32]) {
        return match (succeeded, payment.fee_msat.unsigned()) {
            (true, Some(fee)) => Heard::Settled(Settled {
                preimage,
                fee: Msat::new(fee),
                payment_index: payment.payment_index.unsigned().filter(|index| *index > 0),
            }),
            // Paid for certain, but what it cost is not known: it is not posted.
            (true, None) | (false, _) => Heard::PreimageKnown(preimage),
        };
    }
    if PaymentHash::from_hex(payment.payment_hash.text()) != Some(*hash) {
        return Heard::Foreign(hint::other("a message that is not about this payment".to_owned()));
    }
    match status {
        "INITIATED" | "IN_FLIGHT" => Heard::Going,
        "FAILED" => Heard::Failed(failure(payment.failure_reason.text())),
        "SUCCEEDED" => Heard::Unclear("the node says SUCCEEDED with a preimage that does not verify".to_owned()),
        _ => Heard::Unclear("the node gives a payment status that is not known".to_owned()),
    }
}

fn failure(reason: &str) -> PayFailure {
    match reason {
        "FAILURE_REASON_TIMEOUT" => PayFailure::Timeout,
        "FAILURE_REASON_NO_ROUTE" => PayFailure::NoRoute,
        "FAILURE_REASON_INCORRECT_PAYMENT_DETAILS" => PayFailure::IncorrectPaymentDetails,
        "FAILURE_REASON_INSUFFICIENT_BALANCE" => PayFailure::InsufficientBalance,
        "FAILURE_REASON_CANCELED" => PayFailure::Canceled,
        _ => PayFailure::Error,
    }
}

/// The status that grpc-gateway gives a gRPC code (`runtime.HTTPStatusFromCode`).
const fn http_status(code: i64) -> Option<u16> {
    Some(match code {
        1 => 499,
        2 | 13 | 15 => 500,
        3 | 9 | 11 => 400,
        4 => 504,
        5 => 404,
        6 | 10 => 409,
        7 => 403,
        8 => 429,
        12 => 501,
        14 => 503,
        16 => 401,
        _ => return None,
    })
}

impl LndError {
    /// Whether it is about the way between gateway and service: cancelled, deadline, exhausted, internal, unavailable.
    /// LND's gateway says so while it shuts down, gRPC itself where a stream or a connection is reset, proxies that know
    /// gRPC say the same; and the call may have got through. Of its own refusals LND gives none of these codes.
    const fn is_of_transport(&self) -> bool {
        matches!(self.error.code, 1 | 4 | 8 | 13 | 14)
    }

    /// The stream's own "not found". A wrong path gives the same code and status, but unwrapped.
    const fn is_not_found(&self) -> bool {
        self.status == 404 && self.error.wrapped && self.error.code == 5
    }

    /// The cause that concerns the whole node, if it is one. Many come as code 2, so the words decide.
    fn node_problem(&self) -> Option<NodeProblem> {
        let message = &self.error.message;
        let says = |words: &str| message.contains(words);
        if says("wallet locked") {
            return Some(advised(ProblemKind::Locked));
        }
        if says("RPC server is in the process of starting up") || says("waiting to start") {
            return Some(advised(ProblemKind::Starting));
        }
        if says("wallet not created") {
            return Some(hint::no_wallet());
        }
        if self.error.code == 16
            || ["permission denied", "macaroon", "verification failed", "encoding/hex"].into_iter().any(says)
        {
            return Some(hint::denied(message));
        }
        if self.error.code == 5 && !self.error.wrapped {
            return Some(hint::other_with(format!("{message}: no such path"), "is the URL lnd's REST address?"));
        }
        None
    }

    /// The same as the cause of a call that brought nothing.
    pub(super) fn into_problem(self) -> NodeProblem {
        match self.node_problem() {
            Some(problem) => problem,
            None if self.is_of_transport() => hint::unreachable(self.error.message),
            None => hint::other(self.error.message),
        }
    }

    fn into_refusal(self) -> PayRefusal {
        if self.error.code == 6 {
            return PayRefusal::AlreadyKnown;
        }
        if self.error.message.starts_with("invoice expired") {
            return PayRefusal::InvoiceExpired;
        }
        match self.node_problem() {
            Some(problem) => PayRefusal::Node(problem),
            None => PayRefusal::Other(self.error.message),
        }
    }
}

impl Heard {
    /// Whether LND itself said it in answer to the call.
    pub(super) const fn is_lnds_answer(&self) -> bool {
        match self {
            Self::Going | Self::PreimageKnown(_) | Self::Settled(_) | Self::Failed(_) | Self::Unclear(_) => true,
            Self::Error(error) => !error.is_of_transport(),
            Self::Foreign(_) | Self::Broken(_) | Self::Ended | Self::Late => false,
        }
    }

    /// Whether LND ends the stream after it.
    pub(super) const fn is_last(&self) -> bool {
        matches!(self, Self::Settled(_) | Self::Failed(_))
    }

    /// What it means for a send. `answered` says whether LND had already answered this POST: an error after that is no
    /// refusal any more.
    pub(super) fn outcome(self, answered: bool) -> SendOutcome {
        match self {
            Self::Going => SendOutcome::InFlight,
            Self::PreimageKnown(preimage) => SendOutcome::PreimageKnown(preimage),
            Self::Settled(settled) => SendOutcome::Settled(settled),
            Self::Failed(why) => SendOutcome::Failed(why),
            Self::Error(error) if answered || error.is_of_transport() => SendOutcome::InDoubt(error.error.message),
            Self::Error(error) => SendOutcome::Refused(error.into_refusal()),
            Self::Unclear(words) => SendOutcome::InDoubt(words),
            Self::Foreign(problem) | Self::Broken(problem) => SendOutcome::InDoubt(problem.told()),
            Self::Ended => SendOutcome::InDoubt("the node's stream ended before the payment did".to_owned()),
            Self::Late if answered => SendOutcome::InFlight,
            Self::Late => SendOutcome::InDoubt("the node did not answer in time".to_owned()),
        }
    }

    /// The largest time lock that the node allows, in blocks, where it refuses a larger one: `max-cltv-expiry` in its
    /// configuration.
    pub(super) fn cltv_limit_allowed(&self) -> Option<u32> {
        let Self::Error(error) = self else { return None };
        let (_, allowed) = error.error.message.split_once("exceeds max allowed ")?;
        allowed.parse().ok().filter(|blocks| *blocks > 0)
    }

    /// What it says where it is all that a node says of a hash.
    pub(super) fn found(self) -> Found {
        match self {
            Self::Going => Found::InFlight,
            Self::PreimageKnown(preimage) => Found::PreimageKnown(preimage),
            Self::Settled(settled) => Found::Settled(settled),
            Self::Failed(why) => Found::Failed(why),
            Self::Error(error) if error.is_not_found() => Found::NotFound,
            Self::Error(error) => Found::Unknown(error.into_problem()),
            Self::Unclear(words) => Found::Unknown(hint::other(words)),
            Self::Foreign(problem) | Self::Broken(problem) => Found::Unknown(problem),
            Self::Ended => Found::Unknown(hint::unreachable("the stream ended early".to_owned())),
            Self::Late => Found::Unknown(hint::unreachable("no answer in time".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    use super::*;

    const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

    fn hash_of(preimage: [u8; 32]) -> PaymentHash {
        PaymentHash(Sha256::digest(preimage).into())
    }

    fn line(hash: &PaymentHash, status: &str, preimage: &str, more: &str) -> Vec<u8> {
        format!(
            r#"{{"result":{{"payment_hash":"{hash}","status":"{status}","payment_preimage":"{preimage}","fee_msat":"7"{more}}}}}"#
        )
        .into_bytes()
    }

    fn error(status: u16, code: i64, message: &str, wrapped: bool) -> Heard {
        let error = ErrorMessage { code, message: message.to_owned(), wrapped };
        Heard::Error(LndError { status, error })
    }

    #[test]
    fn the_status_decides_and_not_the_reason() {
        let (hash, right) = (hash_of([7; 32]), HEXLOWER.encode(&[7; 32]));
        let reason = r#","failure_reason":"FAILURE_REASON_ERROR","payment_index":"3""#;
        let Heard::Settled(settled) = hear_line(&line(&hash, "SUCCEEDED", &right, reason), &hash) else { panic!() };
        assert_eq!((settled.fee, settled.payment_index), (Msat::new(7), Some(3)));
        assert_eq!(hear_line(&line(&hash, "IN_FLIGHT", ZEROS, reason), &hash), Heard::Going);
        assert_eq!(hear_line(&line(&hash, "INITIATED", ZEROS, ""), &hash), Heard::Going);
        assert_eq!(hear_line(&line(&hash, "FAILED", ZEROS, reason), &hash), Heard::Failed(PayFailure::Error));
        assert!(matches!(hear_line(&line(&hash, "UNKNOWN", ZEROS, ""), &hash), Heard::Unclear(_)));
    }

    #[test]
    fn a_preimage_that_verifies_is_proof_at_any_status() {
        let (hash, right) = (hash_of([7; 32]), HEXLOWER.encode(&[7; 32]));
        for status in ["IN_FLIGHT", "INITIATED", "FAILED", "SOMETHING_NEW"] {
            assert!(matches!(hear_line(&line(&hash, status, &right, ""), &hash), Heard::PreimageKnown(_)), "{status}");
        }
    }

    #[test]
    fn a_wrong_preimage_proves_nothing() {
        let (hash, wrong) = (hash_of([7; 32]), HEXLOWER.encode(&[8; 32]));
        assert_eq!(hear_line(&line(&hash, "IN_FLIGHT", &wrong, ""), &hash), Heard::Going);
        for preimage in [&wrong, ZEROS, "", "zz"] {
            assert!(
                matches!(hear_line(&line(&hash, "SUCCEEDED", preimage, ""), &hash), Heard::Unclear(_)),
                "{preimage}"
            );
        }
    }

    #[test]
    fn the_zeros_of_an_unset_preimage_never_count_as_paid() {
        let hash = hash_of([0; 32]);
        assert_eq!(hear_line(&line(&hash, "IN_FLIGHT", ZEROS, ""), &hash), Heard::Going);
        assert_eq!(hear_line(&line(&hash, "FAILED", ZEROS, ""), &hash), Heard::Failed(PayFailure::Error));
        assert!(matches!(hear_line(&line(&hash, "SUCCEEDED", ZEROS, ""), &hash), Heard::Settled(_)));
    }

    #[test]
    fn a_success_without_a_readable_fee_is_paid_and_not_posted() {
        let (hash, right) = (hash_of([7; 32]), HEXLOWER.encode(&[7; 32]));
        for fee in ["\"-1\"", "\"x\"", "null"] {
            let text =
                format!(r#"{{"result":{{"status":"SUCCEEDED","payment_preimage":"{right}","fee_msat":{fee}}}}}"#);
            assert!(matches!(hear_line(text.as_bytes(), &hash), Heard::PreimageKnown(_)), "{fee}");
        }
    }

    #[test]
    fn a_message_about_another_payment_is_not_believed() {
        let (hash, other) = (hash_of([7; 32]), hash_of([8; 32]));
        for status in ["FAILED", "IN_FLIGHT"] {
            assert!(matches!(hear_line(&line(&other, status, ZEROS, ""), &hash), Heard::Foreign(_)));
        }
        assert!(matches!(hear_line(br#"{"result":{"status":"FAILED"}}"#, &hash), Heard::Foreign(_)));
    }

    #[test]
    fn every_failure_reason_is_told_apart() {
        for (word, why) in [
            ("TIMEOUT", PayFailure::Timeout),
            ("NO_ROUTE", PayFailure::NoRoute),
            ("ERROR", PayFailure::Error),
            ("INCORRECT_PAYMENT_DETAILS", PayFailure::IncorrectPaymentDetails),
            ("INSUFFICIENT_BALANCE", PayFailure::InsufficientBalance),
            ("CANCELED", PayFailure::Canceled),
            ("NONE", PayFailure::Error),
        ] {
            assert_eq!(failure(&format!("FAILURE_REASON_{word}")), why);
        }
    }

    #[test]
    fn only_the_wrapped_404_is_not_found() {
        assert_eq!(error(404, 5, "payment isn't initiated", true).found(), Found::NotFound);
        for other in [
            error(404, 5, "Not Found", false),
            error(200, 5, "payment isn't initiated", true),
            error(404, 2, "payment isn't initiated", true),
            error(500, 2, "payment does not belong to this account", true),
        ] {
            assert!(
                matches!(other.clone().found(), Found::Unknown(NodeProblem { kind: ProblemKind::Other(_), .. })),
                "{other:?}"
            );
        }
    }

    #[test]
    fn an_error_after_the_first_message_is_no_refusal() {
        let late = error(200, 2, "router shutting down", true);
        assert_eq!(late.clone().outcome(true), SendOutcome::InDoubt("router shutting down".to_owned()));
        let first = SendOutcome::Refused(PayRefusal::Other("router shutting down".to_owned()));
        assert_eq!(late.outcome(false), first);
    }

    #[test]
    fn an_error_of_the_transport_is_no_answer() {
        for (status, code) in [(499, 1), (504, 4), (429, 8), (500, 13), (503, 14)] {
            let heard = error(status, code, "connection error", true);
            assert!(!heard.is_lnds_answer(), "{code}");
            assert_eq!(heard.clone().outcome(false), SendOutcome::InDoubt("connection error".to_owned()));
            assert_eq!(heard.found(), Found::Unknown(hint::unreachable("connection error".to_owned())));
        }
    }

    #[test]
    fn an_error_whose_status_and_code_differ_is_not_lnds() {
        let body = br#"{"code":5,"message":"Not Found","details":[]}"#;
        assert!(matches!(hear_error(404, body), Heard::Error(_)));
        assert!(matches!(hear_error(502, body), Heard::Foreign(_)));
        assert!(matches!(hear_error(502, b"<html>bad gateway</html>"), Heard::Foreign(_)));
    }

    proptest! {
        /// Whatever a stream says of a hash: settled only with the preimage, failed only in so many words.
        #[test]
        fn nothing_settles_without_its_preimage(status in "SUCCEEDED|FAILED|IN_FLIGHT|[A-Z]{0,9}", bytes in any::<[u8; 32]>(),
                                                right in any::<bool>()) {
            let hash = hash_of([7; 32]);
            let preimage = HEXLOWER.encode(if right { &[7; 32] } else { &bytes });
            let heard = hear_line(&line(&hash, &status, &preimage, ""), &hash);
            match &heard {
                Heard::Settled(_) => prop_assert!(right && status == "SUCCEEDED"),
                Heard::Failed(_) => prop_assert!(!right && status == "FAILED"),
                Heard::PreimageKnown(_) => prop_assert!(right && status != "SUCCEEDED"),
                _ => prop_assert!(!right),
            }
        }
    }
}
