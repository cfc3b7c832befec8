//! What can be set on the sandbox from the command line: its times, its money, and the faults it commits on demand.

const SECONDS_10_MIN: u64 = 600;
const DEDUP_S: u64 = 30;
const BALANCE_SATS: u64 = 10_000_000;
const PAY_MS: u64 = 50;
const ACCEPT_MS: u64 = 1_000;
const VIDEO_KIB: u32 = 64;

/// What is wrong with the stand-in node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum NodeFault {
    /// Its wallet is locked.
    Locked,
    /// It is starting up.
    Starting,
    /// It does not follow the chain.
    Unsynced,
    /// It says that it is on mainnet, while the API's invoices are for regtest.
    Mainnet,
    /// It is of a version before those that are supported.
    Old,
    /// Its clock is ten minutes late.
    Late,
    /// It has no active channel.
    NoChannels,
    /// Its balance is spread over eight channels.
    ManyChannels,
    /// Its macaroons let nobody make or look up invoices, so that no refund can be received.
    NoInvoices,
    /// It has never paid for anybody; else somebody has paid with it before.
    NoHistory,
}

/// What goes wrong with a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum RefundFault {
    /// It is two sats less than was paid.
    Less,
    /// It has expired when it is claimed.
    Expired,
    /// Its callback takes no invoice.
    Refused,
    /// Its callback says ERROR, and pays all the same.
    ErrorButPaid,
    /// Its callback says OK, and never pays.
    NeverPaid,
    /// It is paid twice, as far as the node lets it.
    Twice,
    /// Its callback answers after three seconds.
    Slow,
    /// Its callback pays and does not answer.
    Unanswered,
}

/// An error code of the service's own catalogue, or one that it does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    /// It took too long.
    Timeout,
    /// Too many requests.
    RateLimited,
    /// Something went wrong.
    ServiceError,
    /// The content is not allowed.
    ContentFiltered,
    /// The request is wrong.
    InvalidInput,
    /// The request is wrong, and nothing was charged.
    L402InvalidParams,
    /// The model failed; after a payment with a refund.
    L402UpstreamFailed,
    /// After a payment: the money is given back.
    L402RefundIssued,
    /// Answered from the cache of identical requests, without what it holds.
    L402DedupHit,
    /// Only an estimate is to be had.
    L402EstimateOnly,
    /// A code that nobody has heard of.
    Novelty,
    /// 404 without a code.
    NotFound,
    /// 400 without a code: not completed yet.
    NotReady,
    /// 403 with a page.
    Forbidden,
    /// 200 with the word that it failed.
    Failed,
}

/// How a paid request is answered instead, once its video is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum AnswerShape {
    /// 200 with the video's address under a name of its own.
    Unknown,
    /// 200 with nothing of the video.
    Nothing,
    /// 200 with a page.
    Page,
    /// 200 with the word that it failed.
    Failed,
    /// 202 without an address to poll.
    Unaddressed,
    /// 200, and the connection closes half way through the body.
    Cut,
    /// 500; a charge of the Payment scheme is consumed by that.
    Consumed,
}

/// What stands behind the same gate as the purchase itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Gate {
    /// The addresses to poll.
    Polls,
    /// Requests for videos.
    Videos,
}

/// What goes wrong on the way to a video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum DownloadFault {
    /// Connections break halfway, again and again; whoever goes on where it broke comes to the end.
    Dropped,
    /// The first connection is closed without an answer.
    HungUp,
    /// A byte at a time, for ever.
    Slow,
    /// No answer at all.
    Silent,
    /// The server answers 404: there is no such file.
    Gone,
    /// 403, as a signed address that has expired.
    Expired,
    /// Fewer bytes come than were announced.
    WrongLength,
    /// The length is not announced.
    Unsized,
    /// 200 with a page in HTML.
    Html,
    /// 200 with a page that is said to be a video.
    HiddenHtml,
    /// 200 with nothing.
    Empty,
    /// The first requests are turned away with 503 and Retry-After.
    Busy,
    /// 302 to where the video is.
    Redirect,
    /// 302 without end.
    RedirectLoop,
    /// 302 to a place that is none of the web.
    RedirectAway,
    /// Ranges are not served.
    Unranged,
    /// The first connection breaks, and then the video is another one.
    Changed,
}

/// How a video stands in the answer itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum InAnswer {
    /// As a data URI.
    DataUri,
    /// As base64 alone.
    Base64,
}

/// In which schemes the stand-in API asks for payment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum OfferedScheme {
    /// The L402 scheme alone.
    #[default]
    L402,
    /// The Payment scheme (MPP) alone.
    Payment,
    /// Both, the Payment scheme first.
    Both,
    /// L402, LSAT and Payment, of which it takes the last alone.
    Mpp,
}

/// The settings of a sandbox. Each flag stands for itself, so that `sandbox` and `run --sandbox` take the same ones.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Sandbox")]
pub struct SandboxOptions {
    /// Milliseconds that the stand-in API waits before it handles a request.
    #[arg(id = "sandbox-latency-ms", long = "sandbox-latency-ms", value_name = "MS", default_value_t = 0)]
    pub latency_ms: u64,
    /// Milliseconds that a payment takes at the stand-in node.
    #[arg(id = "sandbox-pay-ms", long = "sandbox-pay-ms", value_name = "MS", default_value_t = PAY_MS)]
    pub pay_ms: u64,
    /// Answer paid requests with 202 and a poll address instead of the video.
    #[arg(id = "sandbox-accept", long = "sandbox-accept")]
    pub accept: bool,
    /// Milliseconds until an accepted video is ready.
    #[arg(id = "sandbox-accept-ms", long = "sandbox-accept-ms", value_name = "MS", default_value_t = ACCEPT_MS)]
    pub accept_ms: u64,
    /// In which schemes the stand-in API asks for payment.
    #[arg(id = "sandbox-scheme", long = "sandbox-scheme", value_name = "SCHEME", value_enum,
        default_value_t = OfferedScheme::L402)]
    pub scheme: OfferedScheme,
    /// Percent of payments that end as FAILED.
    #[arg(id = "sandbox-fail-pay-percent", long = "sandbox-fail-pay-percent", value_name = "PERCENT",
        default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub fail_pay_percent: u8,
    /// Percent of requests for a video that the API answers with 500 or 503, having done nothing.
    #[arg(id = "sandbox-fail-origin-percent", long = "sandbox-fail-origin-percent", value_name = "PERCENT",
        default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub fail_origin_percent: u8,
    /// Percent of requests, to the API and of payments to the node, that are acted on and never answered.
    #[arg(id = "sandbox-drop-percent", long = "sandbox-drop-percent", value_name = "PERCENT",
        default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub drop_percent: u8,
    /// Percent of requests for a video that the API answers with 429 and a Retry-After of a second.
    #[arg(id = "sandbox-rate-limit-percent", long = "sandbox-rate-limit-percent", value_name = "PERCENT",
        default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub rate_limit_percent: u8,
    /// Answer requests without payment with that error code.
    #[arg(id = "sandbox-ask-error", long = "sandbox-ask-error", value_name = "CODE", ignore_case = true)]
    pub ask_error: Option<ErrorCode>,
    /// Answer paid requests with that error code.
    #[arg(id = "sandbox-redeem-error", long = "sandbox-redeem-error", value_name = "CODE", ignore_case = true)]
    pub redeem_error: Option<ErrorCode>,
    /// Answer polls with that error code.
    #[arg(id = "sandbox-poll-error", long = "sandbox-poll-error", value_name = "CODE", ignore_case = true)]
    pub poll_error: Option<ErrorCode>,
    /// How often each request is answered with its error code before it is served; without it for ever.
    #[arg(id = "sandbox-errors", long = "sandbox-errors", value_name = "NUMBER")]
    pub errors: Option<u32>,
    /// How a paid request is answered instead, once its video is made.
    #[arg(id = "sandbox-answer", long = "sandbox-answer", value_name = "SHAPE")]
    pub answer: Option<AnswerShape>,
    /// How many answers to each purchase have that shape; without it all.
    #[arg(id = "sandbox-answers", long = "sandbox-answers", value_name = "NUMBER")]
    pub answers: Option<u64>,
    /// Take each credential once: whoever shows it again is turned away.
    #[arg(id = "sandbox-single-use", long = "sandbox-single-use")]
    pub single_use: bool,
    /// Let each credential serve so many requests to its endpoint, whatever they ask for; then ask for payment again.
    #[arg(id = "sandbox-reusable", long = "sandbox-reusable", value_name = "NUMBER",
        value_parser = clap::value_parser!(u64).range(1..))]
    pub reusable: Option<u64>,
    /// What stands behind the same gate as the purchase itself.
    #[arg(id = "sandbox-gate", long = "sandbox-gate", value_name = "WHAT,…", value_delimiter = ',')]
    pub gates: Vec<Gate>,
    /// Percent of paid requests that are answered with a refund instead of the video.
    #[arg(id = "sandbox-refund-percent", long = "sandbox-refund-percent", value_name = "PERCENT",
        default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub refund_percent: u8,
    /// What goes wrong with each refund.
    #[arg(id = "sandbox-refund", long = "sandbox-refund", value_name = "FAULT,…", value_delimiter = ',')]
    pub refund_faults: Vec<RefundFault>,
    /// Percent by which prices stand above what is documented; may be negative.
    #[arg(id = "sandbox-price-drift-percent", long = "sandbox-price-drift-percent", value_name = "PERCENT",
        default_value_t = 0, allow_hyphen_values = true, value_parser = clap::value_parser!(i64).range(-99..=1_000))]
    pub price_drift_percent: i64,
    /// Percent of jobs whose price drifts.
    #[arg(id = "sandbox-drift-jobs-percent", long = "sandbox-drift-jobs-percent", value_name = "PERCENT",
        default_value_t = 100, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub drift_jobs_percent: u8,
    /// Percent by which the prices of the API's free listing stand above what is documented; may be negative.
    #[arg(id = "sandbox-listing-drift-percent", long = "sandbox-listing-drift-percent", value_name = "PERCENT",
        default_value_t = 0, allow_hyphen_values = true, value_parser = clap::value_parser!(i64).range(-99..=1_000))]
    pub listing_drift_percent: i64,
    /// Seconds until an invoice expires.
    #[arg(id = "sandbox-invoice-expiry-s", long = "sandbox-invoice-expiry-s", value_name = "S",
        default_value_t = SECONDS_10_MIN)]
    pub invoice_expiry_s: u64,
    /// Seconds, from the challenge on, that a credential is accepted.
    #[arg(id = "sandbox-credential-s", long = "sandbox-credential-s", value_name = "S",
        default_value_t = SECONDS_10_MIN)]
    pub credential_s: u64,
    /// Seconds for which an identical paid request is answered with the same video; 0 turns that off.
    #[arg(id = "sandbox-dedup-s", long = "sandbox-dedup-s", value_name = "S", default_value_t = DEDUP_S)]
    pub dedup_s: u64,
    /// Sats that a new stand-in node owns.
    #[arg(id = "sandbox-balance-sats", long = "sandbox-balance-sats", value_name = "SATS",
        default_value_t = BALANCE_SATS)]
    pub balance_sats: u64,
    /// Routing fee of every payment in msat; without it a sat and 100 parts per million.
    #[arg(id = "sandbox-fee-msat", long = "sandbox-fee-msat", value_name = "MSAT")]
    pub fee_msat: Option<u64>,
    /// What is wrong with the stand-in node, for practice with `doctor`.
    #[arg(id = "sandbox-node", long = "sandbox-node", value_name = "FAULT,…", value_delimiter = ',')]
    pub node_faults: Vec<NodeFault>,
    /// KiB that each video has beside its picture.
    #[arg(id = "sandbox-video-kib", long = "sandbox-video-kib", value_name = "KIB", default_value_t = VIDEO_KIB,
        value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub video_kib: u32,
    /// What goes wrong on the way to a video; of several, each video has one.
    #[arg(id = "sandbox-downloads", long = "sandbox-downloads", value_name = "FAULT,…", value_delimiter = ',')]
    pub download_faults: Vec<DownloadFault>,
    /// Hand the video over in the answer itself, not by its address.
    #[arg(id = "sandbox-in-answer", long = "sandbox-in-answer", value_name = "HOW")]
    pub in_answer: Option<InAnswer>,
    /// Seed from which faults are drawn: the same seed and requests give the same faults.
    #[arg(id = "sandbox-seed", long = "sandbox-seed", value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,
    /// Port of the stand-in API; without it the last one, else a free one.
    #[arg(id = "sandbox-origin-port", long = "sandbox-origin-port", value_name = "PORT")]
    pub origin_port: Option<u16>,
    /// Port of the stand-in node; without it the last one, else a free one.
    #[arg(id = "sandbox-node-port", long = "sandbox-node-port", value_name = "PORT")]
    pub node_port: Option<u16>,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self {
            latency_ms: 0,
            pay_ms: PAY_MS,
            accept: false,
            accept_ms: ACCEPT_MS,
            scheme: OfferedScheme::L402,
            fail_pay_percent: 0,
            fail_origin_percent: 0,
            drop_percent: 0,
            rate_limit_percent: 0,
            ask_error: None,
            redeem_error: None,
            poll_error: None,
            errors: None,
            answer: None,
            answers: None,
            single_use: false,
            reusable: None,
            gates: Vec::new(),
            refund_percent: 0,
            refund_faults: Vec::new(),
            price_drift_percent: 0,
            drift_jobs_percent: 100,
            listing_drift_percent: 0,
            invoice_expiry_s: SECONDS_10_MIN,
            credential_s: SECONDS_10_MIN,
            dedup_s: DEDUP_S,
            balance_sats: BALANCE_SATS,
            fee_msat: None,
            node_faults: Vec::new(),
            video_kib: VIDEO_KIB,
            download_faults: Vec::new(),
            in_answer: None,
            seed: 0,
            origin_port: None,
            node_port: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: SandboxOptions,
    }

    #[test]
    fn no_flag_is_the_default() {
        assert_eq!(Line::try_parse_from(["sandbox"]).unwrap().options, SandboxOptions::default());
    }

    #[test]
    fn flags_are_read_and_bounded() {
        let line = ["sandbox", "--sandbox-price-drift-percent", "-10", "--sandbox-accept", "--sandbox-drop-percent=5"];
        let options = Line::try_parse_from(line).unwrap().options;
        assert_eq!((options.price_drift_percent, options.accept, options.drop_percent), (-10, true, 5));
        assert!(Line::try_parse_from(["sandbox", "--sandbox-drop-percent=101"]).is_err());
    }
}
