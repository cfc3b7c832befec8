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
use crate::cli::preflight::questions::{self, Ready};

/// What was found sound.
pub(super) struct Preflight {
    pub(super) plan: Plan,
    /// What may be spent.
    pub(super) limits: Limits,
    /// What a results file chooses.
    pub(super) rows: Option<ChosenRows>,
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
        let retake = ground.retake(&self.options.buying, &planned)?;
        let to = ground.folder(&self.options.buying, &planned)?;
        let Planned { plan, limits, rows, .. } = planned;
        Ok(Preflight { plan, limits, rows, retake, to })
    }

    /// What may be spent on the batch over all its runs, and the node that would pay for what is left to buy.
    ///
    /// # Errors
    /// Where the ledger's disk or the batch's limit does not hold that, or the node cannot pay it.
    pub(super) async fn ready(
        &self,
        limits: &Limits,
        used: Msat,
        to_buy: (&LeftToBuy, &Fitting),
    ) -> Result<(Msat, Ready), Failure> {
        let partial = self.options.buying.choice.partial;
        check_room(&self.counterparties.ledger, to_buy.0.jobs)?;
        let cap = questions::batch_cap(partial, limits, used, to_buy)?;
        Ok((cap, questions::ready_node(self.counterparties, to_buy, partial, &self.reporter).await?))
    }
}
