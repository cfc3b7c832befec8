//! A host that breaks off, drips, never ends, or answers in words.

use super::*;

#[tokio::test]
async fn a_host_that_always_breaks_off_and_never_goes_on_is_given_up_soon() {
    for version in ["", "ETag: \"v\"\n"] {
        local(async {
            let whole = video(200_000);
            let place = Fixture::of(async move |_, _, mut stream: TcpStream| {
                let head = format!("HTTP/1.1 200 x\n{version}Content-Length: {}", whole.len());
                send(&mut stream, &head, &whole[..150_000]).await;
                hang_up(stream).await;
            })
            .await;
            place.fetch().await;
            place.failed_with(Reason::NotDownloaded, "");
            assert!(place.requests() < 10, "{} times the same bytes", place.requests());
        })
        .await;
    }
}

#[tokio::test]
async fn a_host_that_lets_a_little_more_through_each_time_is_gone_on_with_to_the_end() {
    local(async {
        let whole = video(400_000);
        let sold = whole.clone();
        let place = Fixture::of(async move |_, request: String, mut stream: TcpStream| {
            let (from, total) = (from_of(&request), sold.len());
            let line = if from == 0 {
                "HTTP/1.1 200 x".to_owned()
            } else {
                format!("HTTP/1.1 206 x\nContent-Range: bytes {from}-{}/{total}", total - 1)
            };
            let head = format!("{line}\nETag: \"v\"\nContent-Length: {}", total - from);
            send(&mut stream, &head, &sold[from..total.min(from + 40_000)]).await;
            hang_up(stream).await;
        })
        .await;
        place.fetch().await;
        assert_eq!(place.content(), Some(whole));
    })
    .await;
}

#[tokio::test]
async fn a_slow_host_does_not_hold_a_run_for_days() {
    local(async {
        let place = Fixture::of(async |_, _, mut stream: TcpStream| {
            send(&mut stream, "HTTP/1.1 200 x\nETag: \"v\"\nContent-Length: 1000000", b"").await;
            tokio::task::spawn_local(async move {
                // Enough to be a flow, and at that pace a large file takes days.
                while stream.write_all(&[7; 16_500]).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(150)).await;
                }
            });
        })
        .await;
        place.fetch().await;
        place.failed_with(Reason::NotDownloaded, "not whole after");
        assert_eq!(place.requests(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_endless_body_stops_at_the_limit_and_leaves_nothing() {
    local(async {
        let place = Fixture::of(async |_, _, mut stream: TcpStream| {
            send(&mut stream, "HTTP/1.1 200 x\nTransfer-Encoding: chunked", b"").await;
            let chunk = [b"4000\r\n".as_slice(), &[7; 0x4000], b"\r\n"].concat();
            while stream.write_all(&chunk).await.is_ok() {}
        })
        .await;
        place.fetch().await;
        place.failed_with(Reason::NotDownloaded, "larger than 1 MiB");
        assert_eq!(std::fs::read_dir(place.folder.path()).unwrap().count(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_message_in_plain_words_is_no_result() {
    for kind in
        ["Content-Type: text/plain\n", "", "Content-Type: application/octet-stream\n", "Content-Type: video/mp4\n"]
    {
        local(async {
            let place = Fixture::of(async move |_, _, mut stream: TcpStream| {
                let head = format!("HTTP/1.1 200 x\n{kind}Content-Length: 17\nConnection: close");
                send(&mut stream, &head, b"link has expired\n").await;
            })
            .await;
            place.fetch().await;
            place.failed_with(Reason::UrlGone, "a message");
            assert_eq!(std::fs::read_dir(place.folder.path()).unwrap().count(), 0);
        })
        .await;
    }
}
