//! The gate of the stand-in API: what it asks of whoever has not paid, and what it makes of what is shown.

use std::io;

use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER_PERMISSIVE;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::mpp::{self, Problem, Shown};
use super::options::{AnswerShape, OfferedScheme};
use super::shop::{IDEMPOTENCY_KEY, JSON, Proof, Shop, Wish, bad_credential};
use super::{World, now};
use crate::l402::PaymentHash;

impl Shop {
    /// 402 with a fresh challenge, which nobody may keep for others.
    pub(super) fn payment_required(&self, charge: &mpp::Charge<'_>, problem: Option<Problem>) -> io::Result<Response> {
        let scheme = self.world.options.scheme;
        let mut body = json!({
            "error": "Payment Required",
            "error_code": "L402_PAYMENT_REQUIRED",
            "price_sats": charge.price.sats_ceil(),
            "suggestion": "pay the invoice, then send the identical request with Authorization: L402 <macaroon>:<preimage>",
        });
        if problem.is_some() || scheme == OfferedScheme::Payment {
            body = json!({});
            mpp::problem(problem.unwrap_or(Problem::PaymentRequired), &mut body);
        }
        let headers = [(CONTENT_TYPE, JSON), (CACHE_CONTROL, "no-store")];
        let is_problem = body.get("type").is_some();
        let mut response = (StatusCode::PAYMENT_REQUIRED, headers, body.to_string()).into_response();
        if is_problem {
            mpp::is_problem(&mut response);
        }
        for challenge in mpp::challenges(scheme, &self.world.keys, charge) {
            let challenge = HeaderValue::from_str(&challenge).map_err(io::Error::other)?;
            response.headers_mut().append(WWW_AUTHENTICATE, challenge);
        }
        Ok(response)
    }

    /// A success that was paid for in the `Payment` scheme comes with its receipt.
    pub(super) async fn redeem_with_receipt(
        &self,
        wish: &Wish,
        proof: &Proof,
        headers: &HeaderMap,
    ) -> io::Result<Response> {
        let mut answer = self.redeem(wish, proof, headers).await?;
        if let Some(id) = proof.charge.as_ref().filter(|_| answer.status().is_success()) {
            mpp::add_receipt(&mut answer, id, &proof.hash, now());
        }
        Ok(answer)
    }

    /// What is wrong with a credential that holds: in the scheme in which it was shown.
    pub(super) async fn turned_away(
        &self,
        (wish, proof, headers): (&Wish, &Proof, &HeaderMap),
        problem: Problem,
        why: &str,
    ) -> io::Result<Response> {
        match proof.charge {
            Some(_) => self.ask(wish, headers, Some(problem)).await,
            None => Ok(bad_credential(why)),
        }
    }

    /// Whether nothing more is given for what was shown before: a charge of the `Payment` scheme is consumed once, but for whoever
    /// repeats its request by the same key.
    pub(super) fn is_used_up(&self, proof: &Proof, headers: &HeaderMap) -> bool {
        let options = &self.world.options;
        let key = headers.get(IDEMPOTENCY_KEY).map(HeaderValue::as_bytes);
        let is_another = proof.charge.is_some() && !self.world.handled.is_by(&proof.hash, key);
        let in_vain = proof.charge.is_some() && options.answer == Some(AnswerShape::Consumed);
        self.world.handled.count(&proof.hash) > 0 && (options.single_use || is_another || in_vain)
    }
}

impl World {
    /// The credential in an Authorization header, for a request with that body, where macaroon and preimage hold; else what is
    /// wrong with it, where it is one of the `Payment` scheme.
    pub(super) fn proof(&self, header: &[u8], body: Option<&[u8]>) -> Result<Proof, Option<Problem>> {
        let (scheme, credential) =
            std::str::from_utf8(header).ok().and_then(|text| text.split_once(' ')).ok_or(None)?;
        if scheme.eq_ignore_ascii_case("Payment") {
            let shown = mpp::read_credential(&self.keys, credential.trim(), body)?;
            return self.proof_of(shown).ok_or(Some(Problem::VerificationFailed));
        }
        if self.options.scheme == OfferedScheme::Mpp
            || !["L402", "LSAT"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
        {
            return Err(None);
        }
        let (token, preimage) = credential.trim().rsplit_once(':').ok_or(None)?;
        let shown = Shown { token: token.to_owned(), preimage: preimage.to_owned(), id: None };
        self.proof_of(shown).ok_or(None)
    }

    fn proof_of(&self, shown: Shown) -> Option<Proof> {
        let preimage: [u8; 32] = HEXLOWER_PERMISSIVE.decode(shown.preimage.as_bytes()).ok()?.try_into().ok()?;
        let hash = self.keys.verify(&shown.token)?;
        (<[u8; 32]>::from(Sha256::digest(preimage)) == hash.0).then_some(Proof { hash, charge: shown.id })
    }

    /// Whether a credential of that purchase is shown.
    pub(super) fn shows(&self, headers: &HeaderMap, hash: &PaymentHash) -> bool {
        let shown = headers.get(AUTHORIZATION).and_then(|value| self.proof(value.as_bytes(), None).ok());
        shown.is_some_and(|proof| proof.hash == *hash)
    }

    /// Whether the credential of the purchase of that video is shown.
    pub(super) fn shows_for(&self, headers: &HeaderMap, video: &str) -> bool {
        let shown = headers.get(AUTHORIZATION).and_then(|value| self.proof(value.as_bytes(), None).ok());
        let books = self.books();
        let bought = shown.and_then(|proof| books.state.sale(&proof.hash)?.bought.as_ref());
        bought.is_some_and(|bought| bought.video == video)
    }
}
