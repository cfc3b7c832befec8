//! What is found of a manifest and a command before anything is written or bought. A dry run tells what follows from it, a run acts
//! on it: both from this one value.

use crate::cli::Failure;
use crate::ledger::{ChosenRows, DownloadTo, Retake};
use crate::manifest::Limits;
use crate::money::Msat;
use crate::plan::Plan;
use crate::plan::view::LeftToBuy;

use crate::cli::commands::run::Runner;
use crate::cli::money::Fitting;
use crate::cli::preflight::ground::{Ground, check_room};
use crate::cli::preflight::planned::Planned;
use crate::cli::preflight::questions::{self, Answered, Ready};

/// What was found sound.
pub(super) struct Preflight {
    pub(super) plan: Plan,
    /// What may be spent.
    pub(super) limits: Limits,
    /// What a results file chooses.
    pub(super) rows: Option<ChosenRows>,
    /// The ids that alone are chosen, where any are.
    pub(super) only: Vec<String>,
    /// The takes that a person's words buy once more.
    pub(super) retake: Retake,
    /// Where files go.
    pub(super) to: Option<DownloadTo>,
}

impl Runner<'_> {
    /// Checks the plan, the command's words, and the names of files.
    ///
    /// # Errors
    /// The first of them that is wrong; nothing was written.
    pub(super) fn preflight(&self, ground: &Ground<'_>, planned: Planned<'_>) -> Result<Preflight, Failure> {
        self.counterparties.check_endpoints(&planned.plan)?;
        self.saved.map_or(Ok(()), |saved| saved.check(ground.manifest, &planned.plan, ground.known))?;
        let (buying, retake) = ground.chosen(&self.options.buying, &planned)?;
        let to = ground.folder(&self.options.buying, &planned)?;
        let Planned { plan, limits, rows, .. } = planned;
        Ok(Preflight { plan, limits, rows, only: buying.choice.only, retake, to })
    }

    /// What may be spent on the batch over all its runs.
    ///
    /// # Errors
    /// Where the ledger's disk or the batch's limit does not hold what is left to buy.
    pub(super) fn cap(
        &self,
        limits: &Limits,
        used: Msat,
        (left, fitting): (&LeftToBuy, &Fitting),
    ) -> Result<Msat, Failure> {
        check_room(&self.counterparties.ledger, left.jobs)?;
        questions::batch_cap(self.options.buying.choice.partial, limits, used, (left, fitting))
    }

    /// The same, and the node that would pay for what is left to buy, which is asked now where it has not `answered` before.
    ///
    /// # Errors
    /// As [`Self::cap`], or where the node cannot pay it.
    pub(super) async fn ready(
        &self,
        limits: &Limits,
        used: Msat,
        to_buy: (&LeftToBuy, &Fitting),
        answered: Option<Result<Answered, Failure>>,
    ) -> Result<(Msat, Ready), Failure> {
        let cap = self.cap(limits, used, to_buy)?;
        let answered = match answered {
            Some(answered) => answered?,
            None => questions::ask_node(self.counterparties).await?,
        };
        let ready = answered.ready(to_buy, self.options.buying.choice.partial)?;
        ready.tell(&self.reporter);
        Ok((cap, ready))
    }
}
