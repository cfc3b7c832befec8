//! Writers and events for the tests of this room.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use crate::event::{EndCount, Event, JobEvent, NeedsPerson, RunEnded};
use crate::l402::{Network, PaymentHash};
use crate::ledger::{ByKind, ReceiptKind, ReceiptRow, RefundInvoiceRow, RefundRow, RefundStanding};
use crate::money::Msat;
use crate::purchase::{JobState, Next, Reason};
use crate::time::UnixMs;

use super::sink::locked;

/// A writer whose content can be read while it is written.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    pub(super) fn text(&self) -> String {
        String::from_utf8(locked(&self.0).clone()).unwrap()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        locked(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A writer that takes some writes, and then none.
pub(super) struct Breaking {
    left: usize,
    kind: io::ErrorKind,
    inner: Shared,
}

impl Breaking {
    pub(super) fn after(writes: usize, kind: io::ErrorKind, inner: Shared) -> Self {
        Self { left: writes, kind, inner }
    }
}

impl Write for Breaking {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(1).ok_or(self.kind)?;
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A job's event with the next step that belongs to its state and reason.
pub(super) fn job(id: &str, from: JobState, state: JobState, reason: Reason) -> JobEvent {
    JobEvent {
        id: id.into(),
        take: 1,
        endpoint: "generate-video".into(),
        from,
        state,
        reason,
        next: Next::of(state, reason),
        price_msat: Msat::new(550_000),
        price_is_cap: false,
        amount_msat: None,
        fee_msat: None,
        refunded_msat: None,
        url: None,
        file: None,
        further: None,
        error: None,
        at: UnixMs(1_790_000_000_123),
    }
}

/// A refund that stands so.
pub(super) fn refund(standing: RefundStanding) -> RefundRow {
    let settled = standing == RefundStanding::Settled;
    let invoice = RefundInvoiceRow {
        hash: PaymentHash([0xcd; 32]),
        amount: Msat::new(548_000),
        invoice: "lnbc5480n1ours".into(),
        node: "03bb".into(),
        made_at: UnixMs(1_790_000_001_000),
        expires_at: UnixMs(1_790_600_001_000),
        handovers: 2,
    };
    let (state, reason) = match standing {
        RefundStanding::Offered => (JobState::RefundOffered, Reason::RefundOffered),
        RefundStanding::Invoiced => (JobState::RefundOffered, Reason::RefundPending),
        RefundStanding::Settled => (JobState::Refunded, Reason::RefundPartial),
        RefundStanding::Expired => (JobState::RefundOffered, Reason::RefundExpired),
    };
    RefundRow {
        batch: "june-trailers".into(),
        id: "shot-001".into(),
        take: 1,
        state,
        reason,
        standing,
        paid: Msat::new(550_000),
        payment_hash: PaymentHash([0xab; 32]),
        seller: "https://sats4ai.com/api/l402/generate-video".into(),
        link: Some("LNURL1SECRET".into()),
        offered_at: UnixMs(1_790_000_000_123),
        invoice: (standing != RefundStanding::Offered).then_some(invoice),
        received: settled.then_some(Msat::new(548_000)),
        settled_at: settled.then_some(UnixMs(1_790_000_002_000)),
        words: Some("pay.example has taken the invoice, and has not paid it so far".into()),
        words_at: Some(UnixMs(1_790_000_003_000)),
    }
}

/// A run of ten jobs, as its listeners hear it.
pub(super) fn story() -> Vec<Event> {
    use JobState::{Delivered, Failed, InDoubt, Paid, Pending, Refused, Running};
    let mut delivered = job("shot-001", Paid, Delivered, Reason::None);
    delivered.url = Some("https://cdn.example/one.mp4".into());
    delivered.fee_msat = Some(Msat::new(1_500));
    let mut refused = job("shot-002", Pending, Refused, Reason::PriceChanged);
    refused.error = Some("the origin asks 600 sats, the plan says 550 sats".into());
    let mut failed = job("shot-003", Running, Failed, Reason::NoRoute);
    failed.error = Some("no route\r\nwithin \u{1b}[31m6 sats".into());
    let doubt = job("shot-004", Running, InDoubt, Reason::PaymentUnknown);
    vec![
        Event::RunStarted {
            batch: "june-trailers".into(),
            ledger: "/home/ada/ledger.db".into(),
            new_batch: true,
            new_ledger: false,
            tool_version: "0.1.0".into(),
        },
        Event::Planned {
            job_count: 10,
            to_buy_count: 6,
            to_buy_msat: Msat::new(3_300_000),
            to_buy_capped_msat: Msat::ZERO,
            has_caps: false,
            fee_ceiling_msat: Msat::new(30_500),
            delivered_count: 2,
            delivered_msat: Msat::new(1_100_000),
            open_count: 1,
            open_msat: Msat::new(550_000),
            in_doubt_count: 0,
            in_doubt_msat: Msat::ZERO,
            changed_count: 1,
            gone_count: 1,
            download: None,
            to_download_count: 0,
        },
        Event::Job(job("shot-001", Pending, Running, Reason::None)),
        Event::Job(job("shot-001", Running, Paid, Reason::None)),
        Event::Job(delivered),
        Event::Job(refused),
        Event::Job(job("shot-003", Pending, Running, Reason::None)),
        Event::Job(failed),
        Event::Paused { cause: "the node's wallet is locked; unlock it with lncli unlock".into() },
        Event::Resumed,
        Event::Job(job("shot-004", Pending, Running, Reason::None)),
        Event::Job(doubt),
        Event::Warning { message: "results.csv cannot be replaced: read-only file system".into() },
        Event::Draining { cause: "interrupted".into() },
    ]
}

/// An end with something of everything.
pub(super) fn ended() -> RunEnded {
    let count = |state, reason, jobs| EndCount { state, reason, jobs };
    RunEnded {
        sums: None,
        exit_code: 5,
        batch: "june-trailers".into(),
        counts: vec![
            count(JobState::Pending, Reason::None, 1_200),
            count(JobState::InDoubt, Reason::PaymentUnknown, 1),
            count(JobState::Delivered, Reason::None, 5),
            count(JobState::Downloaded, Reason::None, 1),
            count(JobState::Delivered, Reason::Changed, 1),
            count(JobState::Refused, Reason::PriceChanged, 1),
            count(JobState::Refused, Reason::Withdrawn, 2),
            count(JobState::Failed, Reason::NoRoute, 1),
            count(JobState::Lost, Reason::ContentFiltered, 1),
        ],
        planned_msat: Msat::new(11_450_000),
        spent_msat: Msat::new(8_250_000),
        fees_msat: Msat::new(8_001),
        planned_capped_msat: Msat::ZERO,
        below_cap_count: 0,
        served_count: 0,
        below_cap_msat: Msat::ZERO,
        cheaper_count: 3,
        saved_msat: Msat::new(1_400_000),
        run_spent_msat: Some(Msat::new(2_750_000)),
        run_fees_msat: Some(Msat::new(3_001)),
        refunded_msat: Msat::new(550_000),
        held_msat: Msat::new(553_250),
        elapsed_ms: 192_400,
        needs_person: vec![
            NeedsPerson {
                job: "shot-009".into(),
                reason: Reason::ContentFiltered,
                command: "l402-batch resolve --batch june-trailers --job shot-009".into(),
            },
            NeedsPerson {
                job: "shot-002".into(),
                reason: Reason::PriceChanged,
                command: "l402-batch plan jobs.toml".into(),
            },
        ],
        advice: vec!["run the same command again once the node is reachable".into()],
        error: None,
        outputs: ByKind::of(|kind| Some(format!("/jobs/june.{kind}.csv"))),
    }
}

/// A payment with all that is known of it.
pub(super) fn receipt() -> ReceiptRow {
    ReceiptRow {
        batch: "june-trailers".into(),
        id: "shot-001".into(),
        take: 1,
        kind: ReceiptKind::Payment,
        paid_at: UnixMs(1_790_000_000_123),
        seller: "sats4ai.com".into(),
        endpoint: "generate-video".into(),
        network: Some(Network::Mainnet),
        amount: Msat::new(2_750_000),
        fee: Some(Msat::new(1_500)),
        hash: PaymentHash([0xab; 32]),
        preimage: "cd".repeat(32),
        invoice: "lnbc27500n1example".into(),
        payee_node: "02aa".into(),
        payer_node: "03bb".into(),
        url: Some("https://cdn.example/one.mp4".into()),
        extra: vec![("x_scene".into(), "=1+1".into())],
    }
}
