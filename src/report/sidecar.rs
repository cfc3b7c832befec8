//! What stands beside a file: what was asked for and what it cost, for programs that take the file on. Whoever gets the file gets this
//! with it: no preimage, no credential, no invoice, and no result in an address.

use serde_json::{Map, Value, json};

use crate::ledger::{FurtherResult, Standing, TakeRecord};
use crate::purchase::JobState;
use crate::time::UnixMs;

use super::format::FORMAT_VERSION;
use super::status::value_json;

/// By what a sidecar is known to be one.
const TYPE: &str = "sidecar";

/// The sidecar of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sidecar {
    /// The file beside which it stands: its absolute path.
    pub file: String,
    /// Nothing of it will change.
    pub is_final: bool,
    json: Value,
}

impl Sidecar {
    /// Those of a purchase of that batch; none where its files are not here.
    #[must_use]
    pub fn of(batch: &str, take: &TakeRecord) -> Vec<Self> {
        let row = &take.row;
        let Some(first) = row.file.as_deref().filter(|_| row.state == JobState::Downloaded) else { return Vec::new() };
        let more = row.more.iter().filter_map(further);
        let files = std::iter::once((first, row.url.as_deref(), row.sha256.clone())).chain(more);
        let is_final =
            take.payments.iter().all(|payment| matches!(payment.row.standing, Standing::Posted | Standing::Dead));
        files
            .enumerate()
            .map(|(at, (file, url, sha256))| {
                let mut json = of_purchase(batch, take);
                json.insert("result".to_owned(), json!(at + 1));
                // Where the file lies may be another place tomorrow.
                json.insert("file".to_owned(), json!(file.rsplit('/').next()));
                json.insert("sha256".to_owned(), json!(sha256));
                json.insert("url".to_owned(), json!(url.filter(|url| url.starts_with("http"))));
                Self { file: file.to_owned(), is_final, json: json.into() }
            })
            .collect()
    }

    /// Where it stands.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}.json", self.file)
    }

    /// The whole file's text.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{:#}\n", self.json)
    }

    /// Whether what stands there is a sidecar of the same result, as it was written earlier.
    #[must_use]
    pub fn is_earlier(&self, there: &[u8]) -> bool {
        let there: Value = serde_json::from_slice(there).unwrap_or_default();
        ["type", "batch", "id", "take", "result"].iter().all(|name| there.get(name) == self.json.get(name))
    }
}

fn further(one: &FurtherResult) -> Option<(&str, Option<&str>, Option<String>)> {
    let mark = one.mark.as_ref()?;
    let sha256 = mark.sha256.map(|sha256| data_encoding::HEXLOWER.encode(&sha256));
    Some((&mark.file, Some(&one.url), sha256))
}

/// What all files of a purchase have in common.
fn of_purchase(batch: &str, take: &TakeRecord) -> Map<String, Value> {
    let row = &take.row;
    let paid = take.payments.iter().map(|payment| &payment.row).find(|payment| payment.standing != Standing::Dead);
    let when =
        |state| take.transitions.iter().rev().find(|change| change.to == state).map(|change| change.at.rfc3339());
    let params: Map<String, Value> = row.params.iter().map(|(name, value)| (name.clone(), value_json(value))).collect();
    let extra: Map<String, Value> = row.extra.iter().map(|(name, text)| (name.clone(), json!(text))).collect();
    let all = json!({
        "format_version": FORMAT_VERSION,
        "type": TYPE,
        "batch": batch,
        "id": row.id,
        "take": row.take,
        "endpoint": row.endpoint,
        "params": params,
        "extra": extra,
        "price_sats": row.price.sats_ceil().get(),
        "price_msat": row.price,
        "amount_msat": paid.map(|payment| payment.amount),
        "fee_msat": row.fee,
        "payment_hash": paid.map(|payment| payment.hash.hex()),
        "started_at": row.started_at.map(UnixMs::rfc3339),
        "paid_at": paid.and_then(|payment| payment.paid_at).map(UnixMs::rfc3339),
        "delivered_at": when(JobState::Delivered),
        "downloaded_at": when(JobState::Downloaded),
    });
    if let Value::Object(all) = all { all } else { Map::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog;
    use crate::catalog::{ImageKind, ImageRef, ImageSource};
    use crate::ledger::{FetchMark, TransitionRow};
    use crate::purchase::Reason;
    use crate::report::status::tests::lost;

    /// One that was paid for, with two results that are here.
    fn downloaded() -> TakeRecord {
        let mut take = lost().remove(0);
        let file = FetchMark { file: "/v/a-2.png".to_owned(), resume: None, sha256: Some([0xcd; 32]) };
        take.row.more = vec![FurtherResult { url: "https://cdn.example/2".to_owned(), mark: Some(file) }];
        take.row.url = Some("https://cdn.example/1?signed".to_owned());
        take.row.file = Some("/v/a.mp4".to_owned());
        take.row.sha256 = Some("ab".repeat(32));
        take.row.state = JobState::Downloaded;
        take.row.extra = vec![("x_scene".to_owned(), "7".to_owned())];
        let change = |at, from, to| TransitionRow { at: UnixMs(at), from, to, reason: Reason::None };
        take.transitions = vec![
            change(1_790_000_002_000, JobState::Paid, JobState::Delivered),
            change(1_790_000_003_000, JobState::Delivered, JobState::Downloaded),
        ];
        take
    }

    #[test]
    fn a_sidecar_tells_what_was_bought_and_nothing_that_proves_it() {
        let mut take = downloaded();
        let image = ImageRef {
            source: ImageSource::Inline("aGVsbG8=".to_owned()),
            sha256: "ab".repeat(32),
            kind: ImageKind::Png,
        };
        take.row.params.push(("image".to_owned(), catalog::Value::Image(Box::new(image))));
        let [first, second] = <[Sidecar; 2]>::try_from(Sidecar::of("june", &take)).unwrap();
        assert_eq!((first.path(), second.path()), ("/v/a.mp4.json".to_owned(), "/v/a-2.png.json".to_owned()));
        insta::assert_snapshot!(first.text() + &second.text());
        for secret in [take.payments[1].preimage.as_deref().unwrap(), &take.payments[1].invoice, "aGVsbG8="] {
            assert!(!first.text().contains(secret), "{secret}");
        }
        assert!(first.is_earlier(first.text().as_bytes()) && !first.is_earlier(second.text().as_bytes()));
        assert!(!first.is_earlier(b"{}") && !first.is_earlier(b"no JSON"));
        take.row.url = Some("data:video/mp4;base64,AAAA".to_owned());
        assert!(!Sidecar::of("june", &take)[0].text().contains("data:"));
        take.row.state = JobState::Delivered;
        assert!(Sidecar::of("june", &take).is_empty());
    }
}
