//! The contract of every payer, kept by lnd: as real nodes answered, and as the sandbox's node does.

use crate::ledger::fixtures;
use crate::payer::contract::{Course, Subject, holds};

use super::recorded::{Recording, recordings};
use super::*;

/// Answers of a real node, given to whoever asks what they answer.
struct Recorded {
    payer: LndPayer,
    settles: PaymentHash,
    other: PaymentHash,
    course: Course,
    begun: Instant,
}

impl Recorded {
    /// One payment of the recording settles; the other one takes that course.
    async fn of(recording: Recording, course: Course) -> Self {
        let settles = recording.named("send settles").payment_hash();
        let other = recording.named("send what the recipient cancelled").payment_hash();
        let server = Replay::answering(move |_, request| answer(&recording, course, request)).await;
        Self { payer: payer_at(&server.url), settles, other, course, begun: Instant::now() }
    }
}

/// The recorded answer to a request. An invoice is its hash in hex here; which send of it this is, the fee limit tells.
fn answer(recording: &Recording, course: Course, request: &str) -> Vec<Act> {
    let line = request.lines().next().unwrap_or_default();
    let is_about = |name: &str| {
        let hash = recording.named(name).payment_hash();
        request.contains(&hash.hex()) || line.contains(&BASE64URL.encode(&hash.0).to_lowercase())
    };
    let (settles, other) = (is_about("send settles"), is_about("track cancelled"));
    let name = match (line.starts_with("post /v2/router/send"), course) {
        (true, _) if settles => "send settles",
        (true, Course::Stays) => return on_its_way(recording),
        (true, Course::Settles | Course::Fails) => "send what the recipient cancelled",
        (false, _) if settles => "track settled",
        (false, Course::Stays) if other => return still_on_its_way(recording),
        (false, _) if other => "track cancelled",
        (false, _) if line.contains("/v2/router/track/") => "track unknown",
        (false, _) if line.contains("/v1/state") => "state",
        (false, _) => "getinfo",
    };
    recording.named(name).acts()
}

/// The beginning of a payment's stream, without its end.
fn on_its_way(recording: &Recording) -> Vec<Act> {
    let mut acts = recording.named("send what the recipient cancelled").acts();
    acts.truncate(3);
    acts.push(Act::Hang);
    acts
}

fn still_on_its_way(recording: &Recording) -> Vec<Act> {
    let mut acts = recording.named("track in flight").acts();
    acts.pop();
    acts.push(Act::Hang);
    acts
}

impl Subject for Recorded {
    type Payer = LndPayer;

    fn payer(&self) -> &LndPayer {
        &self.payer
    }

    async fn intent(&self, course: Course) -> Option<DurableIntent> {
        let hash = match course {
            Course::Settles => self.settles,
            Course::Fails | Course::Stays if course == self.course => self.other,
            Course::Fails | Course::Stays => return None,
        };
        Some(fixtures::intent_of_hash(hash, Msat::new(50_000)))
    }

    fn received(&self, _: &PaymentHash) -> Option<usize> {
        None
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap()
    }

    fn is_whole(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn recorded_nodes_keep_the_contract() {
    for course in [Course::Fails, Course::Stays] {
        for recording in recordings() {
            let release = recording.release;
            assert_eq!(holds(&mut Recorded::of(recording, course).await).await, Ok(()), "{release}, {course:?}");
        }
    }
}

#[cfg(feature = "sandbox")]
mod sandbox {
    use super::*;
    use crate::sandbox::{Sandbox, SandboxOptions, start};

    struct Sandboxed {
        payer: LndPayer,
        sandbox: Sandbox,
        begun: Instant,
        pays_at_once: bool,
    }

    impl Sandboxed {
        async fn new(pays_at_once: bool) -> Self {
            let pay_ms = if pays_at_once { 1 } else { 60_000 };
            let sandbox =
                start(&SandboxOptions { pay_ms, latency_ms: 0, ..SandboxOptions::default() }, None).await.unwrap();
            let node = sandbox.node.as_ref().unwrap();
            let payer = LndPayer::new(&LndOptions {
                url: node.url.to_string(),
                macaroon: Macaroon::from_text(&node.macaroon, "the sandbox").unwrap(),
                certificate_pem: Some(node.certificate_pem.clone().into_bytes()),
            });
            Self { payer: payer.unwrap(), sandbox, begun: Instant::now(), pays_at_once }
        }

        /// An invoice of the sandbox's API.
        async fn invoice(&self) -> String {
            let url = self.sandbox.origin.join("/api/l402/generate-video").unwrap();
            let body = r#"{"prompt":"a kite","duration":5,"mode":"pro","generate_audio":true}"#;
            // An error says that the process already has a provider, which serves as well.
            drop(rustls::crypto::ring::default_provider().install_default());
            let http = reqwest::Client::builder().no_proxy().build().unwrap();
            let request = http.post(url).header("content-type", "application/json").body(body);
            let answer =
                tokio::time::timeout(std::time::Duration::from_secs(10), request.send()).await.unwrap().unwrap();
            let challenge = answer.headers()["www-authenticate"].to_str().unwrap();
            challenge.split("invoice=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
        }
    }

    impl Subject for Sandboxed {
        type Payer = LndPayer;

        fn payer(&self) -> &LndPayer {
            &self.payer
        }

        async fn intent(&self, course: Course) -> Option<DurableIntent> {
            let fee_limit = match (course, self.pays_at_once) {
                (Course::Settles, true) | (Course::Stays, false) => 50_000,
                // Nobody routes it for nothing.
                (Course::Fails, true) => 0,
                (Course::Settles | Course::Fails, false) | (Course::Stays, true) => return None,
            };
            let node = self.payer.node().await.unwrap().id;
            Some(fixtures::intent_of(&self.invoice().await, Msat::new(fee_limit), &node))
        }

        fn received(&self, hash: &PaymentHash) -> Option<usize> {
            let payments = self.sandbox.books().payments;
            Some(payments.iter().filter(|row| row.hash == hash.hex() && row.status == "SUCCEEDED").count())
        }

        fn now_ms(&self) -> u64 {
            u64::try_from(self.begun.elapsed().as_millis()).unwrap()
        }
    }

    #[tokio::test]
    async fn the_sandboxs_node_keeps_the_contract() {
        for pays_at_once in [true, false] {
            let mut subject = Sandboxed::new(pays_at_once).await;
            assert_eq!(holds(&mut subject).await, Ok(()), "pays at once: {pays_at_once}");
        }
    }
}
