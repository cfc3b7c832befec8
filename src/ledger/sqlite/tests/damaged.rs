//! What of a ledger cannot be read any more, once it is merged: it stands in the way of nothing else.

use super::merging::Two;
use super::support::*;
use crate::l402::Network;
use crate::ledger::sqlite::SqliteLedger;
use crate::ledger::{
    BatchKey, ChosenRows, Committed, Compared, IntentRefusal, NewIntent, OpenJob, OpenStage, Record, ResultRow, Retake,
    Reuse, TokenAt,
};
use crate::money::Msat;
use crate::purchase::Reason;

fn results_of(ledger: &SqliteLedger, batch: BatchKey) -> Vec<ResultRow> {
    let mut rows = Vec::new();
    let read = ledger.results(batch, &mut |row| {
        rows.push(row);
        Ok(())
    });
    read.unwrap().unwrap();
    rows
}

/// What somebody said, and where: the first byte of each is none that a text may have.
const DAMAGE: &str = "
    UPDATE payments SET node_said = CAST(x'ff' AS TEXT), node_said_at = 1, poll_url = CAST(x'ff' AS TEXT), poll_interval_ms = 1;
    UPDATE jobs SET error = CAST(x'ff' AS TEXT), url = CAST(x'ff' AS TEXT), edition = CAST(x'ff' AS TEXT);";

#[test]
fn damaged_words_and_addresses_keep_nothing_that_was_paid_from_being_brought_in() {
    for (here, there) in [(true, false), (false, true), (true, true)] {
        let mut two = Two::of(&["a", "b"], |ledger, jobs| {
            deliver(ledger, &jobs[0], 1);
        });
        let june = two.one.batch("june").unwrap().unwrap().key;
        let b = pending(&two.one, june).remove(0);
        deliver(&mut two.one, &b, 2);
        two.elsewhere(|ledger| {
            deliver(ledger, &b, 3);
            ledger.conn.execute_batch(if there { DAMAGE } else { "" }).unwrap();
        });
        two.one.conn.execute_batch(if here { DAMAGE } else { "" }).unwrap();
        let merged = two.merge();
        assert_eq!((merged.payments, merged.doubled.len()), (1, 1), "damaged here: {here}, there: {there}");
        assert_eq!(two.one.counts(june).unwrap().spent.get(), 3 * PRICE.get());
        // All is shown, and a plan is loaded: what is bought is not bought once more, whatever its edition was.
        assert_eq!(results_of(&two.one, june).len(), 2);
        assert_eq!(two.one.takes(june, "b").unwrap().len(), 2);
        assert_eq!(two.receipts().len(), 3);
        load_ids(&mut two.one, june, &["a", "b"]);
        let july = begin(&mut two.one, "july");
        load_ids(&mut two.one, july, &["a", "b"]);
        let edition = Some("another".to_owned()).filter(|_| here && there);
        let compared = Compared { edition, ..Compared::default() };
        assert_eq!(two.one.set_duplicates_aside(july, NOW, &compared).unwrap().count, 2);
    }
}

#[test]
fn a_damaged_job_is_shown_as_such_beside_the_others() {
    let mut two = Two::of(&["a", "b"], |_, _| ());
    two.elsewhere(|ledger| {
        let june = ledger.batch("june").unwrap().unwrap().key;
        for (n, job) in (1..).zip(pending(ledger, june)) {
            deliver(ledger, &job, n);
        }
        ledger.conn.execute("UPDATE jobs SET url = CAST(x'ff' AS TEXT) WHERE job = 'a'", []).unwrap();
    });
    two.merge();
    let june = two.one.batch("june").unwrap().unwrap().key;
    let told = results_of(&two.one, june).into_iter().map(|row| (row.reason, row.url)).collect::<Vec<_>>();
    let sound = two.receipts()[1].url.clone();
    assert!(sound.is_some());
    assert_eq!(told, [(Reason::RowDamaged, None), (Reason::None, sound)]);
    assert_eq!(two.receipts()[0].url, None, "the proof of its payment is whole");
    // The latest take, which tells how it stands beside what is shown.
    two.one.conn.execute("UPDATE jobs SET url = 'u' WHERE job = 'a'", []).unwrap();
    let key = two.one.conn.query_row("SELECT id FROM jobs WHERE job = 'a'", [], |row| row.get(0)).unwrap();
    further_take(&two.one, key);
    two.one.conn.execute("UPDATE jobs SET error = CAST(x'ff' AS TEXT) WHERE job = 'a' AND take = 2", []).unwrap();
    let row = results_of(&two.one, june).remove(0);
    assert_eq!(row.error.as_deref(), Some("take 2 is pending (row_damaged)"));
}

#[test]
fn of_two_addresses_to_poll_the_one_that_is_whole_is_kept() {
    for (here, there) in [
        ("'https://seller.example/poll'", "CAST(x'ff' AS TEXT)"),
        ("CAST(x'ff' AS TEXT)", "'https://seller.example/poll'"),
    ] {
        let set = |url| format!("UPDATE payments SET poll_url = {url}, poll_interval_ms = 7");
        let mut two = Two::of(&["a"], |ledger, jobs| {
            let payment = intend(ledger, new_intent(&jobs[0], 1)).payment();
            ledger.apply(NOW, paid(payment, 1, Some(posted()))).unwrap();
        });
        two.one.conn.execute(&set(here), []).unwrap();
        two.elsewhere(|ledger| ledger.conn.execute(&set(there), []).unwrap());
        two.merge();
        let open = two.one.open_jobs(None).unwrap();
        let [OpenJob { stage: OpenStage::Accepted(_, poll), .. }] = open.as_slice() else { panic!("{open:?}") };
        assert_eq!((poll.url.as_str(), poll.interval_ms), ("https://seller.example/poll", 7), "here: {here}");
    }
}

/// What both copies say alike is damaged here, and is not to be seen in what differs between them.
#[test]
fn what_is_damaged_of_a_payment_keeps_its_books_open_no_longer_than_until_it_is_merged() {
    let poll = "poll_url = CAST(x'ff' AS TEXT), poll_interval_ms = 1";
    let said = "node_said = CAST(x'ff' AS TEXT), node_said_at = 1";
    for (here, there, is_delivered) in [(poll, "job = job", true), (said, "node_said = 'so', node_said_at = 1", false)]
    {
        let mut two = Two::of(&["a"], |ledger, jobs| {
            let payment = intend(ledger, new_intent(&jobs[0], 1)).payment();
            ledger.apply(NOW, paid(payment, 1, None)).unwrap();
        });
        let set = |columns| format!("UPDATE payments SET {columns}");
        let payment = two.one.conn.query_row("SELECT id FROM payments", [], |row| row.get(0)).unwrap();
        two.one.conn.execute(&set(here), []).unwrap();
        two.elsewhere(|ledger| {
            ledger.conn.execute(&set(there), []).unwrap();
            if is_delivered {
                let (answer, url) = (answer(ledger, payment, 200), "https://seller.example/v/1".to_owned());
                ledger.apply(NOW, Record::Delivered { payment, answer, url, more: Vec::new(), own: false }).unwrap();
            } else {
                ledger.conn.execute("UPDATE payments SET sends_begun = sends_begun + 1", []).unwrap();
            }
        });
        two.merge();
        two.one.apply(NOW, Record::Posted(payment, posted())).unwrap();
        let june = two.one.batch("june").unwrap().unwrap().key;
        assert_eq!(two.one.counts(june).unwrap().held.get(), 0, "{here}");
    }
}

/// Every question that asks which prices are caps reads all endpoints.
#[test]
fn an_endpoint_that_cannot_be_read_stands_in_the_way_of_its_own_jobs_alone() {
    let mut ledger = SqliteLedger::in_memory().unwrap();
    let (june, july) = (begin(&mut ledger, "june"), begin(&mut ledger, "july"));
    let endpoint_of = |name: &str| {
        let mut other = crate::catalog::Endpoint::clone(&endpoint());
        (other.name, other.price.is_cap) = (name.to_owned(), true);
        std::sync::Arc::new(other)
    };
    let jobs = || ["a", "b"].map(|id| planned(&endpoint_of("sound"), id, id)).to_vec();
    load(&mut ledger, june, &Retake::default(), jobs());
    load(&mut ledger, july, &Retake::default(), vec![planned(&endpoint_of("spoilt"), "c", "c")]);
    for damage in ["'{'", "CAST(x'ff' AS TEXT)", "''"] {
        let spoil =
            format!("UPDATE endpoints SET json = {damage} WHERE id = (SELECT endpoint FROM jobs WHERE job = 'c')");
        assert_eq!(ledger.conn.execute(&spoil, []).unwrap(), 1);
        let counts = ledger.counts(june).unwrap();
        assert_eq!((counts.planned, counts.planned_capped), (counts.planned_capped, Msat::new(2 * PRICE.get())));
        assert_eq!(ledger.counts(july).unwrap().planned, PRICE, "{damage}");
        load(&mut ledger, june, &Retake::default(), jobs());
        assert_eq!(ledger.set_duplicates_aside(june, NOW, &Compared::default()).unwrap().count, 0);
        ledger.mean_duplicates(june, NOW, &[]).unwrap();
        assert_eq!(to_buy(&ledger.foresee_rows(june, &ChosenRows::default()).unwrap()), ["a", "b"]);
    }
}

/// What is damaged of a token, or of the job that bought it, closes its endpoint to nobody.
#[test]
fn a_damaged_token_is_bought_anew() {
    for (damage, is_in_use) in [
        ("UPDATE payments SET preimage = zeroblob(32)", false),
        ("UPDATE intents SET headers = '{'", false),
        ("UPDATE jobs SET error = CAST(x'ff' AS TEXT) WHERE job = 'a'", false),
        ("UPDATE batches SET name = CAST(x'ff' AS TEXT)", true),
    ] {
        let (mut ledger, batch) = in_memory(&["a", "b"]);
        let jobs = pending(&ledger, batch);
        let buys = |job, n, after| NewIntent { reuse: Some(Reuse { after }), ..new_intent(job, n) };
        let first = intend(&mut ledger, buys(&jobs[0], 1, None)).payment();
        ledger.apply(NOW, paid(first, 1, Some(posted()))).unwrap();
        let answer = answer(&mut ledger, first, 200);
        let url = "https://seller.example/v/1".to_owned();
        ledger.apply(NOW, Record::Delivered { payment: first, answer, url, more: Vec::new(), own: false }).unwrap();
        ledger.conn.execute(damage, []).unwrap();
        let at = |ledger: &SqliteLedger| ledger.token(jobs[1].key, &jobs[1].endpoint.url, Network::Regtest).unwrap();
        assert_eq!(matches!(at(&ledger), TokenAt::Unusable(payment) if payment == first), !is_in_use, "{damage}");
        let refused = ledger.apply(NOW, Record::Intend(Box::new(buys(&jobs[1], 2, None)))).unwrap();
        assert!(matches!(refused, Committed::IntentRefused(IntentRefusal::TokenKnown)), "{damage}");
        intend(&mut ledger, buys(&jobs[1], 2, Some(first)));
        assert!(matches!(at(&ledger), TokenAt::Open(_)), "{damage}");
    }
}
