//! What a run is told of what is delivered, and of what is still to come.

use super::*;

/// What the run delivers last is fetched too, whatever else ends in that moment.
#[tokio::test]
async fn what_is_delivered_last_is_fetched() {
    local(async {
        let film = video(3_000);
        let fixture = Fixture::of(async move |_, _, mut stream| {
            let head = format!("HTTP/1.1 200 OK\ncontent-length: {}\nconnection: close", film.len());
            send(&mut stream, &head, &film).await;
        })
        .await;
        let last = DeliveredJob { key: JobKey(99), id: "boat".to_owned(), ..fixture.ledger.job.borrow().clone() };
        *fixture.ledger.last.borrow_mut() = Some(last);
        fixture.fetch_wanted(Wanted::OfRun).await;
        assert_eq!(fixture.content().map(|bytes| bytes.len()), Some(3_000));
        assert!(fixture.path("kite.mp4").exists() && fixture.path("boat.mp4").exists());
    })
    .await;
}

/// What a run still buys, and of which of it nobody knows how long its file is.
#[test]
fn what_is_bought_counts_until_its_length_is_known() {
    let feed = Feed::default();
    let hear = |id: &str, from, state| {
        let to = Transition {
            state,
            reason: Reason::None,
            amount: None,
            fee: None,
            refunded: None,
            url: None,
            file: None,
            more_urls: Vec::new(),
            more_files: Vec::new(),
            error: None,
        };
        let job =
            Changing { id, take: 1, endpoint: "e", from, price: Msat::ZERO, is_capped: false, amount: None, fee: None };
        feed.hear(&Event::Job(JobEvent::of(&job, to, UnixMs(0))));
        (feed.has_left(), feed.unmeasured())
    };
    feed.begin_buying(2);
    assert_eq!(hear("a", JobState::Pending, JobState::Running), (true, 1));
    assert_eq!(hear("b", JobState::Pending, JobState::Running), (false, 2), "nothing is left to hold back");
    assert_eq!(hear("b", JobState::Running, JobState::Pending), (true, 1), "it is bought later");
    assert_eq!(hear("b", JobState::Pending, JobState::Running), (false, 2));
    assert_eq!(hear("a", JobState::Paid, JobState::Delivered), (false, 2));
    feed.measured("a", 1, 7);
    assert_eq!((feed.unmeasured(), feed.longest()), (1, 7));
    // The ledger is asked again after it was told something, and only then.
    assert!(!feed.take_recorded());
    feed.recorded();
    assert!(feed.take_recorded() && !feed.take_recorded());
}
