//! What is kept is the whole, and of one version.

use super::*;

#[tokio::test]
async fn the_rest_of_another_version_is_not_taken() {
    // It ignores If-Range; in one case it hides, too, that what it has is another one.
    for tell in [true, false] {
        local(async {
            let (old, new) = (vec![1; 60_000], vec![2; 60_000]);
            let place = Fixture::of(async move |n, request: String, mut stream: TcpStream| {
                let from = from_of(&request);
                let (content, tag) = if n == 0 { (&old, "a") } else { (&new, "b") };
                let head = if from > 0 {
                    let tag = if tell { format!("ETag: \"{tag}\"\n") } else { String::new() };
                    format!(
                        "HTTP/1.1 206 x\n{tag}Content-Range: bytes {from}-59999/60000\nContent-Length: {}",
                        60_000 - from
                    )
                } else {
                    format!("HTTP/1.1 200 x\nETag: \"{tag}\"\nContent-Length: 60000")
                };
                let until = if n == 0 { 30_000 } else { 60_000 };
                send(&mut stream, &head, &content[from..until]).await;
                hang_up(stream).await;
            })
            .await;
            place.fetch().await;
            assert!(place.content().is_some_and(|bytes| bytes == vec![2; 60_000]), "of two versions: {tell}");
        })
        .await;
    }
}

/// As it was seen: the first transfer breaks, and what follows comes as 200 with the rest alone.
#[tokio::test]
async fn the_rest_that_is_called_the_whole_is_not_taken_for_it() {
    for says_so in [true, false] {
        local(async {
            let whole = video(200_012);
            let sold = whole.clone();
            let place = Fixture::of(async move |_, request: String, mut stream: TcpStream| {
                let (from, total) = (from_of(&request), sold.len());
                let range = if says_so && from > 0 {
                    format!("Content-Range: bytes {from}-{}/{total}\n", total - 1)
                } else {
                    String::new()
                };
                let head = format!("HTTP/1.1 200 x\n{range}ETag: \"v\"\nContent-Length: {}", total - from);
                let until = if from > 0 { total } else { 100_000 };
                send(&mut stream, &head, &sold[from..until]).await;
                hang_up(stream).await;
            })
            .await;
            place.fetch().await;
            assert!(place.content().is_none_or(|bytes| bytes == whole), "a part was called the whole");
            place.failed_with(Reason::NotDownloaded, "");
        })
        .await;
    }
}

/// As it was seen: the first transfer breaks, and the rest comes as a 200 that says neither that it is a rest nor of what
/// version.
#[tokio::test]
async fn a_rest_that_names_no_version_is_not_the_whole() {
    for chunked in [false, true] {
        local(async {
            let place = Fixture::of(async move |n, request: String, mut stream: TcpStream| {
                let (whole, from) = (video(60_000), from_of(&request));
                if n == 0 {
                    send(&mut stream, "HTTP/1.1 200 x\nETag: \"v\"\nContent-Length: 60000", &whole[..30_000]).await;
                    return hang_up(stream).await;
                }
                let rest = &whole[from..];
                if chunked {
                    let body = [format!("{:x}\r\n", rest.len()).as_bytes(), rest, b"\r\n0\r\n\r\n"].concat();
                    send(&mut stream, "HTTP/1.1 200 x\nTransfer-Encoding: chunked\nConnection: close", &body).await;
                } else {
                    let head = format!("HTTP/1.1 200 x\nConnection: close\nContent-Length: {}", rest.len());
                    send(&mut stream, &head, rest).await;
                }
            })
            .await;
            place.fetch().await;
            assert!(place.heard.borrow()[1].contains("range: bytes=30000-"), "{:?}", place.heard.borrow());
            assert_eq!(place.content().map(|bytes| bytes.len()), Some(60_000), "chunked: {chunked}");
            assert_eq!(place.content(), Some(video(60_000)));
        })
        .await;
    }
}

/// A host that tells these lengths, one a try, and breaks off the first one, which alone is of that version.
async fn telling(answers: &'static [usize], chunked: bool, version: &'static str) -> Fixture {
    Fixture::of(async move |n, _, mut stream: TcpStream| {
        let length = answers.get(n).or(answers.last()).copied().unwrap_or_default();
        let (content, head) = (video(60_000), "HTTP/1.1 200 x\nConnection: close");
        if n > 0 && chunked {
            let body = [format!("{length:x}\r\n").as_bytes(), &content[..length], b"\r\n0\r\n\r\n"].concat();
            send(&mut stream, &format!("{head}\nTransfer-Encoding: chunked"), &body).await;
        } else {
            let sent = if n == 0 { 20_000 } else { length };
            let version = if n == 0 { version } else { "" };
            send(&mut stream, &format!("{head}{version}\nContent-Length: {length}"), &content[..sent]).await;
        }
        hang_up(stream).await;
    })
    .await
}

/// Without a version nothing is gone on with, and what was said of the length counts all the same, in later runs too.
#[tokio::test]
async fn a_result_that_shrinks_between_two_tries_is_not_the_whole() {
    for (answers, whole) in [(&[60_000, 30_000, 60_000], Some(60_000)), (&[60_000, 30_000, 30_000], None)] {
        local(async {
            let place = telling(answers, false, "").await;
            place.fetch().await;
            assert_eq!(place.content().map(|bytes| bytes.len()), whole, "{answers:?}");
            assert!(place.requests() > 2, "{answers:?}");
            if whole.is_some() {
                return;
            }
            place.failed_with(Reason::UrlGone, "60000 bytes long, and to be 30000 now");
            place.fetch().await;
            assert_eq!(place.content(), None, "another run");
            place.ledger.job.borrow_mut().is_taken = true;
            place.fetch().await;
            assert_eq!(place.content().map(|bytes| bytes.len()), Some(30_000), "by a person's word");
        })
        .await;
    }
    for version in ["", "\nETag: \"v\""] {
        local(async {
            let place = telling(&[60_000, 30_000], true, version).await;
            place.fetch().await;
            place.failed_with(Reason::NotDownloaded, "30000 of 60000 bytes");
            place.ledger.job.borrow_mut().is_taken = true;
            place.fetch().await;
            assert_eq!(place.content().map(|bytes| bytes.len()), Some(30_000), "by a person's word: {version}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_result_that_grows_has_to_say_so_twice() {
    local(async {
        let place = telling(&[30_000, 60_000], false, "").await;
        place.fetch().await;
        assert_eq!((place.content().map(|bytes| bytes.len()), place.requests()), (Some(60_000), 3));
    })
    .await;
}

/// What was said of a message's length is not said of the result.
#[tokio::test]
async fn a_message_that_was_longer_than_the_result_is_forgotten() {
    local(async {
        let place = Fixture::of(async move |n, _, mut stream: TcpStream| {
            let body = if n == 0 { "not ready yet ".repeat(5_000).into_bytes() } else { video(6_000) };
            let head = format!("HTTP/1.1 200 x\nConnection: close\nContent-Length: {}", body.len());
            send(&mut stream, &head, &body).await;
        })
        .await;
        place.fetch().await;
        assert_eq!(place.content(), Some(video(6_000)));
    })
    .await;
}

/// And what was told of the result before, in this run or an earlier one, is not forgotten for a message.
#[tokio::test]
async fn what_was_told_of_the_result_outlives_a_message() {
    let long: &str = &"not ready yet ".repeat(5_000);
    let messages = [
        ("Transfer-Encoding: chunked", "10\r\nlink has expired\r\n0\r\n\r\n"),
        ("ETag: \"m\"\nContent-Length: 16", "link has expired"),
        ("Content-Length: 70000", long),
    ];
    for (n, version) in (0..messages.len()).flat_map(|n| ["", "ETag: \"v\"\n"].map(|version| (n, version))) {
        let (said, message) = (messages[n].0, messages[n].1.to_owned());
        local(async {
            let place = Fixture::of(async move |n, _, mut stream: TcpStream| {
                let film = video(60_000);
                let (head, body) = match n {
                    0 => (format!("{version}Content-Length: 60000"), &film[..20_000]),
                    1..=3 => (said.to_owned(), message.as_bytes()),
                    _ => ("Content-Length: 30000".to_owned(), &film[..30_000]),
                };
                send(&mut stream, &format!("HTTP/1.1 200 x\nConnection: close\n{head}"), body).await;
                hang_up(stream).await;
            })
            .await;
            for run in 0..2 {
                place.fetch().await;
                assert_eq!(place.content().map(|bytes| bytes.len()), None, "{said}, {version}, run {run}");
                place.failed_with(Reason::UrlGone, "");
            }
            place.failed_with(Reason::UrlGone, "60000 bytes long, and to be 30000 now");
        })
        .await;
    }
}
