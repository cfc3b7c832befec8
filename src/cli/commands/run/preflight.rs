//! What is found of a manifest and a command before anything is written or bought. A dry run tells what follows from it, a run acts
//! on it: both from this one value.

use crate::cli::Failure;
use crate::ledger::{Batch, ChosenRows, DownloadTo, OpenLedger, Retake};
use crate::manifest::{Limits, Manifest};
use crate::money::Msat;
use crate::payer::NodeInfo;
use crate::plan::Plan;
use crate::plan::view::LeftToBuy;

use crate::cli::batch::download_setup::{check_template, destination};
use crate::cli::commands::run::Runner;
use crate::cli::money::Fitting;
use crate::cli::preflight::planned::Planned;
use crate::cli::preflight::{questions, trust, words};

/// What a run builds on.
pub(super) struct Ground<'a> {
    pub(super) manifest: &'a Manifest,
    /// The ledger, where there is one.
    pub(super) ledger: Option<&'a OpenLedger>,
    /// The batch, where the ledger knows it.
    pub(super) known: Option<&'a Batch>,
    /// The manifest holds that batch's results.
    pub(super) of_results: bool,
}

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
        let &Ground { manifest, ledger, known, of_results } = ground;
        let choice = &self.options.choice;
        let plan = &planned.plan;
        self.world.check_endpoints(plan)?;
        let retake = match of_results {
            true => words::of_results(choice, &planned)?,
            false => words::read(choice, manifest, plan, ledger.zip(known))?,
        };
        trust::check(&choice.trust, plan)?;
        // What a results file goes on with has its folder; what is run anew names its own.
        let before = known.filter(|_| of_results).and_then(|batch| batch.remembered.download.as_ref());
        let to = destination(&self.options.downloads, before)?;
        if let Some(to) = &to {
            check_template(to, planned.source(), plan)?;
        }
        let Planned { plan, limits, rows, .. } = planned;
        Ok(Preflight { plan, limits, rows, retake, to })
    }

    /// What may be spent on the batch over all its runs, and the node that would pay for what is left to buy.
    ///
    /// # Errors
    /// Where its limit does not hold that, or the node cannot pay it.
    pub(super) async fn ready(
        &self,
        limits: &Limits,
        used: Msat,
        to_buy: (&LeftToBuy, &Fitting),
    ) -> Result<(Msat, NodeInfo), Failure> {
        let partial = self.options.choice.partial;
        let cap = questions::batch_cap(partial, limits, used, to_buy)?;
        Ok((cap, questions::ready_node(self.world, to_buy, partial, &self.reporter).await?))
    }
}
