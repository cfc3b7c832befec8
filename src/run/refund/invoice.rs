//! The one invoice of a refund: made, looked at, and handed over again; all of it at our own node and in our own ledger.

use crate::error::Hinted;
use crate::l402::Invoice;
use crate::ledger::{DurableInvoice, Ledger, LedgerError, Record, RefundInvoice, RefundRecord};
use crate::money::Msat;
use crate::origin::Origin;
use crate::origin::lnurl::Withdraw;
use crate::payer::{InvoiceOrder, InvoiceState, MadeInvoice, NodeProblem, Payer, ProblemKind, Receiver};
use crate::purchase::Reason;
use crate::time::UnixMs;

use super::Claim;
use crate::run::Clock;

/// How long an invoice can be paid. There is no second one, so that it has to live longer than anybody is away.
const EXPIRY_S: u64 = 30 * 24 * 3_600;
/// What has not come for so long is a person's matter: it is looked for all the same.
const OVERDUE_MS: i64 = 24 * 3_600_000;
/// A node that cancels what has expired gets so long for it.
const EXPIRY_MARGIN_MS: i64 = 600_000;

/// What a look at the invoice showed.
pub(super) enum Looked {
    /// Its end is recorded.
    Over,
    /// It is not paid, and can be.
    Open,
    /// Nothing can be done now.
    Waits(Reason, String),
}

impl<L: Ledger, P: Payer, O: Origin, C: Clock> Claim<'_, L, P, O, C> {
    /// Only the node that paid is asked to receive: it is the one whose books show both.
    pub(super) async fn is_payers_node(&self) -> Result<(), (Reason, String)> {
        let node = self.payer.node().await.map_err(|problem| (self.reason(), problem.told()))?;
        let invoice_node = self.refund.invoice.as_ref().map(DurableInvoice::node);
        if node.id != self.refund.node || invoice_node.is_some_and(|made| *made != node.id) {
            let words = format!("node {} has paid and is to receive the refund: name that one", self.refund.node.0);
            return Err((self.reason(), words));
        }
        if node.network == self.refund.network {
            Ok(())
        } else {
            Err((self.reason(), format!("it was paid on {}, and the node is on {}", self.refund.network, node.network)))
        }
    }

    /// How it stands where nothing new was learnt.
    const fn reason(&self) -> Reason {
        match self.refund.reason {
            Reason::RefundPending | Reason::RefundFailed => self.refund.reason,
            _ if self.refund.invoice.is_some() => Reason::RefundPending,
            _ => Reason::RefundOffered,
        }
    }

    /// How it stands while its invoice is not paid.
    pub(super) fn pending(&self) -> Reason {
        self.refund.invoice.as_ref().map_or(Reason::RefundPending, |invoice| pending(invoice, self.run.clock.now()))
    }

    /// Our own node's word on the invoice; what is final is recorded.
    pub(super) async fn look(&mut self, invoice: &DurableInvoice) -> Result<Looked, LedgerError> {
        let expired = self.run.clock.now() > invoice.expires_at().plus_ms(EXPIRY_MARGIN_MS);
        let pending = |words: &str| Looked::Waits(pending(invoice, self.run.clock.now()), words.to_owned());
        let Some(receiver) = self.payer.receiver() else {
            let (reason, words) = Self::receives_nothing();
            return Ok(Looked::Waits(reason, words));
        };
        Ok(match receiver.invoice(invoice.hash()).await {
            Ok(InvoiceState::Settled { received }) => {
                self.settled(received).await?;
                Looked::Over
            }
            Ok(InvoiceState::Canceled) => {
                self.expired("the invoice for it has expired unpaid, and there is never a second one").await?;
                Looked::Over
            }
            Ok(InvoiceState::Unknown) if expired => {
                self.expired("the node has forgotten the invoice for it, which has expired").await?;
                Looked::Over
            }
            Ok(InvoiceState::Open) if expired => pending("the invoice has expired, and the node has still to say so"),
            Ok(InvoiceState::Open) => Looked::Open,
            Ok(InvoiceState::Unknown) => pending("the node does not know the invoice that it made: was it restored?"),
            Err(problem) => {
                let (reason, words) = self.of_node(receiver, &problem);
                Looked::Waits(reason, words)
            }
        })
    }

    fn of_node(&self, receiver: &impl Receiver, problem: &NodeProblem) -> (Reason, String) {
        match &problem.kind {
            // What authorises us was good for the question who the wallet is.
            ProblemKind::Denied(_) => (Reason::RefundNotPermitted, receiver.when_denied(Some(self.refund.network))),
            ProblemKind::Unreachable(_)
            | ProblemKind::Certificate(_)
            | ProblemKind::Locked
            | ProblemKind::Starting
            | ProblemKind::NotSynced
            | ProblemKind::Other(_) => (self.reason(), problem.told()),
        }
    }

    /// The wallet that paid makes no invoices.
    pub(super) fn receives_nothing() -> (Reason, String) {
        let words = "the wallet that paid cannot receive here, so that the refund is not claimed: take its link to a wallet that can";
        (Reason::RefundNotPermitted, words.to_owned())
    }

    /// Makes the one invoice and makes it durable.
    pub(super) async fn first(
        &mut self,
        withdraw: &Withdraw,
    ) -> Result<Result<DurableInvoice, (Reason, String)>, LedgerError> {
        let amount = self.refund.paid.min(withdraw.most);
        if amount == Msat::ZERO || amount < withdraw.least {
            let words = format!(
                "the refund pays out between {} and {}, which does not fit the {} that were paid",
                withdraw.least, withdraw.most, self.refund.paid
            );
            return Ok(Err((Reason::RefundFailed, words)));
        }
        let memo = format!("refund of payment {}", self.refund.hash);
        let order = InvoiceOrder { amount, memo, expiry_s: EXPIRY_S };
        let Some(receiver) = self.payer.receiver() else { return Ok(Err(Self::receives_nothing())) };
        let made = match receiver.add_invoice(&order).await {
            Ok(made) => made,
            Err(problem) => return Ok(Err(self.of_node(receiver, &problem))),
        };
        // Behind one address another node may answer now: its invoice would be paid, and never found at this one.
        if let Err(why) = self.is_payers_node().await {
            return Ok(Err(why));
        }
        let read = match self.read(&made, amount) {
            Ok(read) => read,
            Err(why) => return Ok(Err((self.reason(), format!("the node's own invoice is not as ordered: {why}")))),
        };
        let invoice = RefundInvoice {
            invoice: made.invoice,
            hash: made.hash,
            amount,
            expires_at: read.expires_at,
            node: self.refund.node.clone(),
            callback: withdraw.callback.clone(),
            k1: withdraw.k1.clone(),
        };
        self.commit(RefundRecord::Invoiced(Box::new(invoice)), None).await?;
        // Only what the ledger hands back is handed over.
        self.refund.invoice = self.run.ledger.refund(self.refund.payment).await?.and_then(|refund| refund.invoice);
        let gone = || LedgerError::Contradiction("an invoice that was just recorded is not there".to_owned());
        Ok(Ok(self.refund.invoice.clone().ok_or_else(gone)?))
    }

    fn read(&self, made: &MadeInvoice, amount: Msat) -> Result<Invoice, String> {
        let read = Invoice::read(&made.invoice).map_err(|error| error.to_string())?;
        if read.hash != made.hash || read.amount != amount {
            return Err("it has another hash or amount".to_owned());
        }
        if read.network == self.refund.network { Ok(read) } else { Err(format!("it is on {}", read.network)) }
    }

    /// Records that the same invoice goes out once more.
    pub(super) async fn again(
        &mut self,
        invoice: DurableInvoice,
        withdraw: &Withdraw,
    ) -> Result<Result<DurableInvoice, (Reason, String)>, LedgerError> {
        if invoice.amount() > withdraw.most || invoice.amount() < withdraw.least {
            let words = format!(
                "the refund now pays out between {} and {}, and the invoice that was handed over is of {}",
                withdraw.least,
                withdraw.most,
                invoice.amount()
            );
            return Ok(Err((self.pending(), words)));
        }
        let record = RefundRecord::HandedOver { callback: withdraw.callback.clone(), k1: withdraw.k1.clone() };
        self.run.ledger.commit(self.run.clock.now(), Record::Refund(self.refund.payment, record)).await?;
        Ok(Ok(invoice))
    }
}

/// How a refund stands whose invoice is not paid.
const fn pending(invoice: &DurableInvoice, now: UnixMs) -> Reason {
    let overdue = now.since_ms(invoice.made_at()) > OVERDUE_MS;
    if overdue { Reason::RefundFailed } else { Reason::RefundPending }
}
