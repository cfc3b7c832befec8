//! How the bytes are encoded, on the way and as they are stored.

use super::*;

#[tokio::test]
async fn a_coding_on_the_way_whose_end_is_the_connections_marks_no_end() {
    for coding in ["identity", "gzip", "chunked, gzip"] {
        local(async {
            let place = Fixture::of(async move |_, _, mut stream: TcpStream| {
                send(&mut stream, &format!("HTTP/1.1 200 x\nTransfer-Encoding: {coding}"), b"half of").await;
                hang_up(stream).await;
            })
            .await;
            place.fetch().await;
            place.failed_with(Reason::NotDownloaded, "");
        })
        .await;
    }
}

#[tokio::test]
async fn a_coding_on_the_way_is_not_taken_for_the_content() {
    local(async {
        let place = Fixture::of(async |_, _, mut stream: TcpStream| {
            let body = b"6\r\nsecret\r\n0\r\n\r\n";
            send(&mut stream, "HTTP/1.1 200 x\nTransfer-Encoding: gzip, chunked\nConnection: close", body).await;
        })
        .await;
        place.fetch().await;
        place.failed_with(Reason::NotDownloaded, "gzip");
    })
    .await;
}

#[tokio::test]
async fn what_is_stored_as_gzip_is_unpacked() {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&video(300_000)).unwrap();
    let packed = encoder.finish().unwrap();
    // The first transfer breaks in its middle: what was packed cannot be gone on with, and is fetched anew.
    for until in [packed.len(), packed.len() / 2] {
        let packed = packed.clone();
        local(async {
            let place = Fixture::of(async move |n, request: String, mut stream: TcpStream| {
                assert_eq!(from_of(&request), 0, "{request}");
                let head =
                    format!("HTTP/1.1 200 x\nContent-Encoding: gzip\nETag: \"v\"\nContent-Length: {}", packed.len());
                send(&mut stream, &head, if n == 0 { &packed[..until] } else { &packed }).await;
                hang_up(stream).await;
            })
            .await;
            place.fetch().await;
            assert_eq!(place.content(), Some(video(300_000)));
        })
        .await;
    }
}

/// A host that calls these bytes encoded in that way. The first transfer breaks off where `cut` says so.
async fn encoded(label: &'static str, body: Vec<u8>, cut: bool) -> Fixture {
    Fixture::of(async move |n, _, mut stream: TcpStream| {
        let head = format!("HTTP/1.1 200 x\nContent-Encoding: {label}\nContent-Length: {}", body.len());
        send(&mut stream, &head, if cut && n == 0 { &body[..body.len() / 2] } else { &body }).await;
        hang_up(stream).await;
    })
    .await
}

#[tokio::test]
async fn a_label_that_means_nothing_is_no_coding() {
    for label in ["none", "utf-8", "binary", "aws-chunked", "8bit", "identity, UTF-8", "\u{e4}", ","] {
        local(async {
            let place = encoded(label, video(3_000), false).await;
            place.fetch().await;
            assert!(place.content() == Some(video(3_000)), "{label}");
        })
        .await;
    }
}

#[tokio::test]
async fn what_is_deflated_is_inflated() {
    use std::io::Write as _;
    let level = flate2::Compression::default();
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), level);
    zlib.write_all(&video(300_000)).unwrap();
    let mut raw = flate2::write::DeflateEncoder::new(Vec::new(), level);
    raw.write_all(&video(300_000)).unwrap();
    for packed in [zlib.finish().unwrap(), raw.finish().unwrap()] {
        for label in ["deflate", "Deflate, aws-chunked"] {
            for cut in [false, true] {
                local(async {
                    let place = encoded(label, packed.clone(), cut).await;
                    place.fetch().await;
                    assert!(place.content() == Some(video(300_000)), "{label}, cut: {cut}");
                })
                .await;
            }
        }
    }
    // Half of it, called the whole, is none.
    local(async {
        let place = encoded("deflate", b"x\x9c\x4b".to_vec(), false).await;
        place.fetch().await;
        place.failed_with(Reason::NotDownloaded, "its deflate cannot be undone");
    })
    .await;
}

#[tokio::test]
async fn what_is_called_packed_and_is_none_is_taken_for_what_it_is() {
    // A film is seen to be one; of other bytes a person has to say that they are the result.
    let film = [b"\x00\x00\x00\x18ftypmp42".as_slice(), &video(3_000)].concat();
    local(async {
        for label in ["gzip", "deflate"] {
            let place = encoded(label, film.clone(), false).await;
            place.fetch().await;
            assert!(place.content().as_ref() == Some(&film), "{label}");
        }
        let place = encoded("gzip", video(3_000), false).await;
        place.fetch().await;
        place.failed_with(Reason::UrlGone, "it is called gzip and is none: `resolve --as delivered`");
        assert_eq!(std::fs::read_dir(place.folder.path()).unwrap().count(), 0);
        place.ledger.job.borrow_mut().is_taken = true;
        place.fetch().await;
        assert!(place.content() == Some(video(3_000)), "by a person's word");
    })
    .await;
}

#[tokio::test]
async fn what_is_not_undone_here_is_kept_as_it_comes_by_a_persons_word() {
    for label in ["br", "zstd", "compress", "gzip, br", "deflate, gzip"] {
        local(async {
            let place = encoded(label, video(3_000), false).await;
            place.fetch().await;
            place.failed_with(Reason::UrlGone, label);
            place.failed_with(Reason::UrlGone, "--as delivered");
            place.ledger.job.borrow_mut().is_taken = true;
            place.fetch().await;
            assert!(place.content() == Some(video(3_000)), "{label}, by a person's word");
        })
        .await;
    }
}
