//! The port to the origin, over the simulated network; and an adapter that lies.

use std::rc::Rc;

use l402_batch::catalog::Header;
use l402_batch::l402::{PaymentHash, Scheme};
use l402_batch::origin::{HttpFailure, Origin};
use l402_batch::purchase::{Credential, HttpAnswer, Request};
use url::Url;

use super::network::{Kind, Lost, exchange};
use super::timeline::sleep;
use super::world::World;
use super::{bank, node, shop};

const ASK_MS: i64 = 60_000;
const REDEEM_MS: i64 = 1_800_000;

/// Who sells: the simulated shop behind the simulated network.
pub struct SimOrigin {
    pub world: Rc<World>,
    /// As some client libraries do, it reads a 402 on redeeming as a reason to pay again, by itself.
    pub pays_again: bool,
    /// It posts again by itself what was answered with success in a shape that nobody understands.
    pub posts_again: bool,
    /// It shows a credential again by itself that is used up.
    pub shows_again: bool,
}

impl Origin for SimOrigin {
    async fn ask(&self, request: &Request, _scheme: Scheme) -> Result<HttpAnswer, HttpFailure> {
        self.world.point("before an ask").await;
        // Judged as it leaves: a request that stands in line on the way may arrive after a later one was paid.
        let broken = self.world.auditor.borrow_mut().asked(&request.digest());
        if let Some(broken) = broken {
            self.world.violated(broken);
        }
        let request = request.clone();
        let answer = exchange(&self.world, Kind::Other, ASK_MS, move |world| shop::ask(world, &request)).await;
        self.world.point("after an ask").await;
        answer.map_err(failure)
    }

    async fn redeem(&self, request: &Request, credential: &Credential) -> Result<HttpAnswer, HttpFailure> {
        self.world.point("before a redeem").await;
        let (sold, token) = (request.clone(), credential.token.reveal().to_owned());
        let bypassed = request.bypass.is_some();
        if bypassed && !self.world.auditor.borrow_mut().bypasses(&token) {
            self.world.violated("a repeated redeem bypasses the cache, and is made a second time".to_owned());
        }
        let hash = self.world.shop.borrow().sold_by(&token);
        let sent = token.clone();
        let preimage = *credential.preimage.reveal();
        let post = || self.post(hash, sold.clone(), token.clone(), preimage);
        let mut answer = post().await;
        if self.posts_again && answer.as_ref().is_ok_and(is_strange) {
            answer = post().await;
        }
        if self.shows_again && answer.as_ref().is_ok_and(shop::is_spent) {
            answer = post().await;
        }
        if let Some(hash) = hash.filter(|_| matches!(answer, Err(Lost::NotSent))) {
            self.world.auditor.borrow_mut().redeems.never_left(hash);
        }
        if bypassed && matches!(answer, Err(Lost::NotSent)) {
            self.world.auditor.borrow_mut().never_left(&sent);
        }
        self.world.point("after a redeem").await;
        match answer {
            Ok(answer) if self.pays_again && answer.status == 402 => Ok(self.pay_again(request, answer).await),
            answer => answer.map_err(failure),
        }
    }

    async fn poll(
        &self,
        url: &Url,
        _headers: &[Header],
        credential: Option<&Credential>,
    ) -> Result<HttpAnswer, HttpFailure> {
        self.world.point("before a poll").await;
        let (url, token) = (url.clone(), credential.map(|credential| credential.token.reveal().to_owned()));
        let polled = move |world: &Rc<World>| shop::poll(world, &url, token.as_deref());
        let answer = exchange(&self.world, Kind::Other, ASK_MS, polled).await;
        self.world.point("after a poll").await;
        answer.map_err(failure)
    }

    async fn withdraw(&self, url: &Url, _seller: &Url) -> Result<HttpAnswer, HttpFailure> {
        self.world.point("before a withdraw").await;
        let url = url.clone();
        let answer = exchange(&self.world, Kind::Other, ASK_MS, move |world| bank::answer(world, &url)).await;
        self.world.point("after a withdraw").await;
        answer.map_err(failure)
    }
}

impl SimOrigin {
    /// One POST with the credential.
    async fn post(
        &self,
        hash: Option<PaymentHash>,
        sold: Request,
        token: String,
        preimage: [u8; 32],
    ) -> Result<HttpAnswer, Lost> {
        let world = &self.world;
        // A token that serves several jobs is shown again and again.
        if hash.is_some_and(|hash| world.shop.borrow().is_token(&hash)) {
            return exchange(world, Kind::Other, REDEEM_MS, move |world| shop::redeem(world, &sold, &token, &preimage))
                .await;
        }
        let replays = hash.is_some_and(|hash| world.shop.borrow().replays(&hash));
        let broken = hash.and_then(|hash| world.auditor.borrow_mut().redeems.goes_out(hash, replays));
        if let Some(broken) = broken {
            world.violated(broken);
        }
        let answer =
            exchange(world, Kind::Other, REDEEM_MS, move |world| shop::redeem(world, &sold, &token, &preimage)).await;
        if let (Some(hash), Ok(answer)) = (hash, &answer)
            && (200..=299).contains(&answer.status)
            && !world.shop.borrow().is_of_another(&hash, answer)
        {
            world.auditor.borrow_mut().redeems.heard(hash);
        }
        if let (Some(hash), Ok(answer)) = (hash, &answer) {
            world.auditor.borrow_mut().redeems.answered_with(hash, answer);
        }
        answer
    }

    /// Asks for a new challenge and pays it at the node, without a word to anybody.
    async fn pay_again(&self, request: &Request, answer: HttpAnswer) -> HttpAnswer {
        let challenge = shop::ask(&self.world, request);
        let invoice = challenge.header("www-authenticate").and_then(|value| value.split("invoice=\"").nth(1));
        let invoice = invoice.and_then(|rest| rest.split('"').next()).unwrap_or_default();
        if let Ok(invoice) = l402_batch::l402::Invoice::read(invoice) {
            let hash: PaymentHash = invoice.hash;
            let (fee_limit, begun_at) = (l402_batch::money::Msat::new(1_000), self.world.now());
            let abandoned = std::rc::Rc::default();
            let macaroon_of = self.world.answering.get();
            let send = node::Send { hash, fee_limit, begun_at, macaroon_of, abandoned };
            node::post(&self.world, macaroon_of, send);
            sleep(&self.world, 5_000).await;
        }
        answer
    }
}

fn is_strange(answer: &HttpAnswer) -> bool {
    String::from_utf8_lossy(&answer.body).contains(shop::STRANGE)
}

fn failure(lost: Lost) -> HttpFailure {
    match lost {
        Lost::NotSent => HttpFailure::NotSent("connection refused".to_owned()),
        Lost::Reset => HttpFailure::NoAnswer("connection reset".to_owned()),
        Lost::TooLate => HttpFailure::NoAnswer("it took too long".to_owned()),
        Lost::Truncated => HttpFailure::NoAnswer("the body broke off".to_owned()),
        Lost::Proxy => HttpFailure::Redirect("a captive portal".to_owned()),
    }
}
