//! What really happened in a world. A fault that is drawn may come to nothing: here it counts only once it has acted.

macro_rules! sights {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Something that happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Sight { $($(#[$doc])* $name,)* }

        /// Every kind.
        pub const SIGHTS: &[Sight] = &[$(Sight::$name,)*];
    };
}

sights! {
    // The node.
    /// A send is told that the payment is in transition.
    InTransition,
    /// A send is told that the invoice is already paid.
    AlreadyPaid,
    /// A payment settled after the process that sent it had given its stream up, or was gone.
    SettledUnheard,
    /// It settled more than a day after it had begun.
    SettledDaysLater,
    /// A send arrived after whoever sent it had given it up.
    ArrivedLate,
    /// It arrived after a later send of the same payment had failed.
    ArrivedLateAfterFailure,
    /// A process ended with a payment in flight.
    LeftInFlight,
    /// The preimage was known while parts were in flight.
    PreimageFirst,
    PostedAtCeiling,
    PostedAboveCeiling,
    NodeDown,
    NodeStarting,
    NodeLocked,
    NodeRestored,
    /// It was restored to before the first payment that the ledger could know to have settled there.
    NodeForgotAll,
    /// Nothing that it must still know was known of a node, and a person had to decide.
    NoWitness,
    HistoryGone,
    /// An unfinished payment's record was lost, and the payment settled nevertheless.
    SettledForgotten,
    /// Another node answered in a whole run, and for a while in the middle of one.
    OtherNodeAnswered,
    OtherNodeInBetween,

    // The origin.
    SoldAtOtherPrice,
    /// A payment settled that was cheaper than planned.
    BoughtCheaper,
    /// A payment settled for less than the cap of its price.
    BoughtBelowCap,
    SoldOnOtherNetwork,
    SoldExpired,
    SoldAmountless,
    SoldOtherToken,
    SoldTwice,
    AskedIdenticalFromCache,
    RedeemedIdenticalFromCache,
    /// 402 again after the payment: for a moment, for most of an hour, for ever.
    Late402,
    VeryLate402,
    Ever402,
    Ever401,
    CredentialEnded,
    UnknownAnswer,
    StillProcessing,
    PollWasGone,
    PollAtGate,
    PollThroughGate,
    PollStumbled,
    TokenBurned,
    /// A token that serves several jobs served another than its own; and was refused to one.
    ServedByToken,
    TokenRefused,
    ChargedByPayment,
    ConsumedInVain,
    ChargeSpent,
    FailedAfter202,
    RefundOffered,
    InvoiceMade,
    InvoicesNotPermitted,
    RefundLess,
    RefundExpired,
    RefundRefused,
    RefundDenied,
    RefundNeverPaid,
    /// The node has received one; hours or days after it was claimed; and somebody tried to pay it once more.
    RefundReceived,
    RefundReceivedLate,
    RefundPaidAgain,
    /// The same invoice was handed over again, and one was made that was never handed over.
    HandedOverAgain,
    RefundSettled,
    InvoiceExpired,
    /// A Retry-After of an hour or more.
    LongRetryAfter,
    RetryAfterToPaid,

    // The clocks, while a process lives.
    OurClockForward,
    OurClockBack,
    NodeClockForward,
    NodeClockBack,

    // The disk and the process.
    DiskFailedBefore,
    DiskFailedAfter,
    DiskWasFull,
    /// A result did not fit the tables: its answer was kept, and is the result's once it is read.
    DeliveryRefused,
    /// Somebody read the ledger's file, and copied it, beside a run.
    ViewedMeanwhile,
    BackedUpMeanwhile,
    /// Yesterday's copy of the ledger was put back; it was deleted under a run; that something is missing was noticed; and
    /// what was missing was merged.
    LedgerRestored,
    LedgerDeleted,
    GapNoticed,
    LedgerMerged,
    StoppedIdle,
    /// It stopped with a payment open; and while a payment's POST was on its way.
    StoppedOpen,
    StoppedOnTheWay,
    Interrupted,
    LeftAtOnce,
    TwoProcesses,
    KilledBesideAnother,

    // What the user did.
    ManifestEdited,
    RecoveredWithoutManifest,
    RecoveredWithoutNode,
    RecoveredAll,
    BoughtOnceMore,
    RefundedBoughtOnceMore,
    RejectedBoughtOnceMore,
    /// The same command again: after it was killed, and with words that were said before.
    SaidAgainAfterKill,
    WordSaidAgain,
    /// The answer to the question was no.
    SaidNo,
    /// A manifest was copied under another name: as it is, with other ids, with row numbers, with ids in another form of
    /// Unicode, without ids; and the copy grew, or was filtered.
    ManifestRenamed,
    CopiedWithOtherIds,
    CopiedWithRowNumbers,
    CopiedDecomposed,
    CopiedWithoutIds,
    CopyGrew,
    CopyFiltered,
    /// A row was put on top; ids came in another form of Unicode; a column of ids was added or taken away; the catalogue
    /// got one more default.
    RowPutOnTop,
    IdsInOtherForm,
    IdsAddedOrGone,
    DefaultAdded,
    /// More takes of a job were planned, and fewer; and an endpoint told them apart from then on.
    RepeatRaised,
    RepeatLowered,
    NonceAdded,
    /// A planned take after the first was bought: by the same request as the first, by one of its own, and once more by another; it was left
    /// out, as one that has gone is bought; and so was a row that writes out what another row's take sends.
    FurtherTakeBought,
    MovedTakeBought,
    MovedTakeBoughtAgain,
    FurtherTakeLeftOut,
    SameAsTakeBought,
    /// Two batches of the same contents began together.
    CopiesTogether,
    /// Duplicates were left out at loading, found at the intent, and meant.
    DuplicatesSetAside,
    DuplicateAtIntent,
    DuplicateMeant,
    DecidedUnpaid,
    DecidedLost,
    DecidedRebuy,
    /// A decision was refused: by the node's word, as a POST may still arrive, as the job's state is another.
    RefusedByNode,
    RefusedTooEarly,
    RefusedByState,
    /// A decision was taken without the node, or with another one.
    DecidedWithoutNode,

    /// Results were run as a manifest: all in all, a file that was kept, filtered, edited, with a row of somebody's own, to buy
    /// something; and results of a batch that the ledger does not know.
    ResultsRun,
    ResultsKept,
    ResultsFiltered,
    ResultsEdited,
    ResultsOfOtherJobs,
    ResultsBought,
    ResultsElsewhere,
    /// A person had what was paid for asked for again: a first time, once more, of an earlier take, in the place of what was to
    /// replace it, with success; took an answer for the result; and was refused.
    Retried,
    RetriedAlready,
    ReopenedEarlierTake,
    ReplacementTakenBack,
    RetryDelivered,
    TakenAsDelivered,
    ReopeningRefused,

    // Files.
    Downloaded,
    FetchBroke,
    FetchResumed,
    /// What a part belonged to is not what the server has now.
    FetchedAnew,
    /// A result was given up, as its address did not serve it.
    FileGone,
    FileFailed,
    /// A process had stopped between a file's name and its record.
    RecordedAfterCrash,
    PowerCut,
    FolderWasFull,
    FolderFailed,
    NameTaken,
    FileMoved,
    PartSpoiled,
    NamedOtherwise,
    /// One batch has files and money that came back; and a job whose money came back was bought anew and has its file.
    RefundedBesideFiles,
    DownloadedAfterRefund,

    // Limits.
    BatchLimitReached,
    DayLimitReached,
    MonthLimitReached,
    OriginLimitReached,
    NewOriginLimitReached,
    BreakerOpened,
    Trusted,
    DoubtPaused,
}
