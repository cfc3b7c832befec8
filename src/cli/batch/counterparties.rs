//! Who pays, who sells and where it is recorded: a configured node, or the sandbox inside this process.

use crate::ledger::LedgerAddress;
use std::path::PathBuf;

use crate::cli::node::Wallet;
use crate::cli::options::config::{NodeOptions, Payment};
use crate::cli::options::tables::Tables;
use crate::cli::{CommandError, Failure, secrets};
use crate::origin::{HttpOptions, HttpOrigin};
use crate::run::signals::Signals;

/// The other side of a run.
pub(in crate::cli) struct Counterparties {
    /// The node; none where a recovery has none.
    pub(in crate::cli) payer: Option<Wallet>,
    /// The way to every origin.
    pub(in crate::cli) origin: HttpOrigin,
    /// The ledger's path.
    pub(in crate::cli) ledger: LedgerAddress,
    /// The stand-ins of a run with play money; none where money is real.
    pub(in crate::cli) play: Option<Play>,
    /// What a person should know of the configuration.
    pub(in crate::cli) warnings: Vec<String>,
    /// What stops it.
    pub(in crate::cli) signals: Signals,
}

/// A sandbox inside this process.
pub(in crate::cli) struct Play {
    /// Points the catalogue's endpoints to the sandbox.
    pub(in crate::cli) catalog: PathBuf,
    #[cfg(feature = "sandbox")]
    sandbox: crate::sandbox::Sandbox,
}

impl Counterparties {
    /// The counterparties that the options ask for.
    pub(in crate::cli) async fn open(payment: &Payment, sandbox: &SandboxOptions) -> Result<Self, Failure> {
        match payment {
            Payment::Node(node, ledger) => Self::of_node(Some(node), ledger),
            Payment::Sandbox(ledger) => Self::of_sandbox(sandbox, ledger).await,
        }
    }

    /// A configured node, or none.
    pub(in crate::cli) fn of_node(node: Option<&NodeOptions>, ledger: &LedgerAddress) -> Result<Self, Failure> {
        let (mut payer, mut warnings) = (None, Vec::new());
        if let Some(node) = node {
            let connected = node.connect()?;
            warnings = connected.first_words(node);
            payer = Some(connected.payer);
        }
        let origin = HttpOrigin::new(HttpOptions::default())
            .map_err(|error| CommandError::internal("no client for the web").because(error))?;
        Ok(Self { payer, origin, ledger: ledger.clone(), play: None, warnings, signals: Signals::default() })
    }

    /// The same, with what the configuration says of secrets.
    #[must_use]
    pub(in crate::cli) fn bearing(mut self, tables: &Tables) -> Self {
        self.warnings.extend(secrets::warnings(tables));
        Self { origin: self.origin.bearing(secrets::of(tables)), ..self }
    }

    #[cfg(feature = "sandbox")]
    async fn of_sandbox(options: &SandboxOptions, ledger: &LedgerAddress) -> Result<Self, Failure> {
        let sandbox = crate::sandbox::start(options, None).await?;
        let node = sandbox.node.as_ref().ok_or_else(|| CommandError::internal("the sandbox has no node"))?;
        let payer = crate::cli::node::of_sandbox(node)?;
        let options = HttpOptions { proxy_from_env: false, ..HttpOptions::default() };
        Ok(Self {
            payer: Some(payer),
            origin: HttpOrigin::new(options)
                .map_err(|error| CommandError::internal("no client for the web").because(error))?,
            ledger: ledger.clone(),
            play: Some(Play { catalog: sandbox.catalog_file(), sandbox }),
            warnings: Vec::new(),
            signals: Signals::default(),
        })
    }

    #[cfg(not(feature = "sandbox"))]
    async fn of_sandbox(_: &SandboxOptions, _: &LedgerAddress) -> Result<Self, Failure> {
        Err(CommandError::usage("this build has no sandbox: build it with the default features").into())
    }

    /// Refuses an endpoint that a sandbox run would buy from anywhere else than from the sandbox.
    pub(in crate::cli) fn check_endpoints(&self, plan: &crate::plan::Plan) -> Result<(), Failure> {
        let Some(play) = &self.play else { return Ok(()) };
        let own = play.origin();
        match plan.endpoints().iter().find(|endpoint| endpoint.url.origin() != own) {
            None => Ok(()),
            Some(endpoint) => Err(CommandError::usage(format!(
                "the sandbox does not sell `{}`: it stands in for the built-in endpoints only",
                endpoint.name
            ))
            .hint("leave its jobs out with --only, or buy from the real one without --sandbox")
            .into()),
        }
    }

    /// Stops the sandbox, if there is one.
    pub(in crate::cli) async fn close(self) {
        #[cfg(feature = "sandbox")]
        if let Some(play) = self.play {
            play.sandbox.stop().await;
        }
    }
}

impl Play {
    #[cfg(feature = "sandbox")]
    fn origin(&self) -> url::Origin {
        self.sandbox.origin.origin()
    }

    #[cfg(not(feature = "sandbox"))]
    fn origin(&self) -> url::Origin {
        url::Origin::new_opaque()
    }
}

#[cfg(feature = "sandbox")]
pub(in crate::cli) use crate::sandbox::SandboxOptions;

/// Without the sandbox there is nothing to set.
#[cfg(not(feature = "sandbox"))]
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct SandboxOptions {}
