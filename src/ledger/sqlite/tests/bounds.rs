//! What endpoints hold in a ledger that an older version wrote; whatever else is counted stands in the contract suite.

use url::Url;

use super::support::*;
use crate::ledger::sqlite::SqliteLedger;
use crate::ledger::{Asking, Caps, HeldBack, IntentBounds, Prospect};
use crate::money::Msat;
use crate::purchase::WalletId;
use crate::time::UnixMs;

const HOUR: i64 = 3_600_000;
/// Three in a row, three at once until it delivers; four in doubt, six held.
const BOUNDS: IntentBounds = IntentBounds {
    max_undelivered: 3,
    max_doubt: 4,
    payments_in_flight: 6,
    run_began: UnixMs(NOW.0 - HOUR),
    is_play: false,
};

#[test]
fn what_version_1_left_undelivered_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    super::v1::write_old(&path);
    let ledger = SqliteLedger::open(&path, crate::ledger::OpenMode::Write).unwrap();
    let batch = ledger.batch("plain").unwrap().unwrap().key;
    let url = Url::parse("http://127.0.0.1:21737/api/l402/generate-video").unwrap();
    let node = WalletId("03another".to_owned());
    let prospect = Prospect {
        batch,
        url,
        node,
        bounds: BOUNDS,
        asking: Asking::default(),
        cost: Msat::ZERO,
        caps: Caps::default(),
    };
    let held = ledger.held_back(UnixMs(1_795_862_200_000), &prospect).unwrap();
    let Some(HeldBack::Undelivered { count, word: Some(1), .. }) = held else { panic!("{held:?}") };
    // Two lost, one refunded, one owed; one in doubt and one of a run that was killed.
    assert_eq!((count.undelivered, count.begun, count.open), (4, 6, 3));
    assert_eq!(count.delivered_at, Some(UnixMs(1_795_862_151_098)));
}
