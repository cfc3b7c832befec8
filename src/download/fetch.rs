//! From an address, or from the answer that delivered, into a part.

use url::Url;

use super::body::{self, Flow, Gathered, idle_words};
use super::disk::{Disk, PartFile};
use super::name::ending;
use super::response::{Verdict, read_response, too_large};
use super::transfer::{Again, RETRY_AFTER_MS_MAX, Transfer, Tried, Trouble, again};
use super::words::is_message;
use crate::error::chain;
use crate::first_bytes::MESSAGE_BYTES_MAX;
use crate::ledger::{Deliveries, Resume};
use crate::media;
use crate::origin::{Fetch, FetchBody, FetchFailure, FetchHead, inline_result, is_own_origin};
use crate::purchase::Credential;
use crate::run::{Class, Clock, Pace};
use crate::time::UnixMs;

/// A try that brings less brings nothing: a drip would go on for days.
const PROGRESS_BYTES_MIN: u64 = 16 * 1024;

impl<L: Deliveries, F: Fetch, D: Disk, C: Clock> Transfer<'_, L, F, D, C> {
    pub(super) async fn fetch(&mut self, url: &Url, mut part: Option<D::Part>) -> Result<Tried, Trouble> {
        // The second time for the whole, where the part is of no use.
        for _ in 0..2 {
            if let Some(words) = self.left_alone(url) {
                return Ok(Tried::Never(words));
            }
            let Some(()) = self.unless_stopped(self.pace(url).turn(self.run.clock, url, Class::Poll, None)).await
            else {
                return Ok(Tried::Stopped);
            };
            let resume = self.resumable(part.as_ref());
            let mut asked = self.ask(url, resume.as_ref(), None).await;
            if let Some(Ok((head, _))) = &asked
                && is_gate(head)
                && is_own_origin(url, &self.job.endpoint.url)
                && let Some(credential) = self.run.ledger.credential(self.key()).await?
            {
                let turn = self.pace(url).turn(self.run.clock, url, Class::Poll, None);
                let Some(()) = self.unless_stopped(turn).await else { return Ok(Tried::Stopped) };
                asked = self.ask(url, resume.as_ref(), Some(&credential)).await;
            }
            let (head, mut body) = match asked {
                Some(Ok(answer)) => answer,
                Some(Err(tried)) => return Ok(tried),
                None => return Ok(Tried::Stopped),
            };
            let from = resume.as_ref().map(|(from, _)| *from);
            self.known = self.known_so_far();
            // A person who has taken it takes it however long it is.
            let is_bound = !self.job.is_taken || from.is_some() || head.version.is_some();
            let known = self.known.as_ref().filter(|_| is_bound);
            let total = match read_response(&head, from, known, self.run.settings.bytes_max, self.job.is_taken) {
                Verdict::Rest => resume.map(|(_, resume)| resume.total),
                Verdict::Whole { total } => total,
                Verdict::Anew => {
                    if let Some(part) = &mut part {
                        part.begin_anew().await?;
                    }
                    continue;
                }
                Verdict::Again { words, slower } => return Ok(self.later(url, &head, words, slower)),
                Verdict::Gone(words) => return Ok(Tried::Gone(words)),
                Verdict::Never(words) => return Ok(Tried::Never(words)),
            };
            self.pace(url).well(url, self.run.clock.now());
            let is_rest = head.status == 206;
            let total = match if is_rest { Ok(total) } else { self.agreed(head.version.is_some(), total) } {
                Ok(total) => total,
                Err(tried) => return Ok(tried),
            };
            let mut ready = match self.ready_part(part, is_rest, &head, url, total).await? {
                Ok(ready) => ready,
                Err(tried) => return Ok(tried),
            };
            self.run.feed.tried(self.key());
            let kind = head.content_type.unwrap_or_default();
            return self.stream(url, &kind, &mut ready, &mut body, total).await;
        }
        Ok(again("what the server has changes all the time", true))
    }

    /// The length that a whole must have. Without a word of its version it may be of the one that was known: where it is longer
    /// than was told before, the server has to tell it twice, and what is shorter is not the whole, but by a person's word.
    fn agreed(&mut self, is_versioned: bool, total: Option<u64>) -> Result<Option<u64>, Tried> {
        if is_versioned {
            self.told = None;
            return Ok(total);
        }
        let known = || self.known.as_ref().map(|known| known.total);
        let before = self.told.or_else(known).filter(|_| !self.job.is_taken);
        let (Some(before), Some(total)) = (before, total) else {
            self.told = total.or(before);
            return Ok(self.told);
        };
        let words = format!("it was said to be {before} bytes long, and to be {total} now");
        if total < before {
            return Err(Tried::Gone(words));
        }
        self.told = Some(total);
        if total > before { Err(again(words, true)) } else { Ok(Some(total)) }
    }

    /// A seller's own host is a stranger's service; another one is there to serve files. What a person says is a ceiling for each,
    /// whatever it does besides.
    fn pace(&self, url: &Url) -> &Pace {
        let is_said = self.run.settings.per_second.is_some();
        if !is_said && is_own_origin(url, &self.job.endpoint.url) { &self.shared.sellers } else { &self.shared.pace }
    }

    /// That the host wants to be left alone for longer than a run waits for it.
    fn left_alone(&self, url: &Url) -> Option<String> {
        let now = self.run.clock.now();
        let until = self.pace(url).blocked_until(url, now)?;
        let ms = u64::try_from(until.since_ms(now)).unwrap_or(0);
        (ms > RETRY_AFTER_MS_MAX).then(|| format!("its host wants to be left alone until {until}"))
    }

    /// The answer's head; none where the transfer is stopped.
    async fn ask(
        &self,
        url: &Url,
        resume: Option<&(u64, Resume)>,
        credential: Option<&Credential>,
    ) -> Option<Result<(FetchHead, F::Body), Tried>> {
        let part = resume.map(|(from, resume)| (*from, resume.version.as_str()));
        let idle_ms = self.run.settings.idle_ms;
        let asked = async {
            tokio::select! {
                biased;
                answer = self.run.fetch.get(url, &self.job.endpoint.url, part, credential) => answer.map_err(|error| match error {
                    FetchFailure::Address(_) | FetchFailure::Redirect(_) | FetchFailure::NotPacked(_) => {
                        Tried::Gone(chain(&error))
                    }
                    FetchFailure::Broken(_) => again(chain(&error), true),
                }),
                () = self.run.clock.sleep_ms(idle_ms) => Err(again(idle_words(idle_ms), true)),
            }
        };
        self.unless_stopped(asked).await
    }

    fn later(&self, url: &Url, head: &FetchHead, words: String, slower: bool) -> Tried {
        if slower {
            self.pace(url).slow_down(url, self.run.clock.now(), head.retry_after_ms);
        }
        Tried::Again(Again { words, after_ms: head.retry_after_ms, silent: true, advanced: false })
    }

    /// From where a part can be gone on with, and by what.
    fn resumable(&self, part: Option<&D::Part>) -> Option<(u64, Resume)> {
        let from = part.map(PartFile::bytes).filter(|bytes| *bytes > 0)?;
        let resume = self.job.mark.as_ref()?.resume.clone();
        Some((from, resume.filter(|resume| from < resume.total && !resume.version.is_empty())?))
    }

    /// The part into which the answer is written: the one that is there, or a new one under a name of its own. What is
    /// needed to go on with it is durable once this returns.
    async fn ready_part(
        &mut self,
        part: Option<D::Part>,
        is_rest: bool,
        head: &FetchHead,
        url: &Url,
        total: Option<u64>,
    ) -> Result<Result<D::Part, Tried>, Trouble> {
        let has = part.as_ref().filter(|_| is_rest).map_or(0, PartFile::bytes);
        // Until the last of several results is on its way, it is not known how much is to come.
        if let Some(total) = total.filter(|_| self.number == self.job.more.len()) {
            self.run.feed.measured(&self.job.id, self.job.take, total);
        }
        let lacking = self.lacks_room(total.map(|total| total.saturating_sub(has))).await?;
        if is_rest && let Some(part) = part {
            return Ok(lacking.map_or(Ok(part), Err));
        }
        // Without a version nothing is gone on with; how long it was said to be counts all the same.
        let version = head.version.clone().unwrap_or_default();
        let resume = total.map(|total| Resume { version, total, synced: 0, sha256: None });
        let is_known = resume.is_some();
        let Some(tried) = lacking else {
            return self.fresh_part(part, ending(head.content_type.as_deref(), url, None), resume).await;
        };
        // What lacks room leaves word of how long it is, so that the next run is foretold.
        if is_known
            && let Ok(mut part) = self.fresh_part(part, ending(head.content_type.as_deref(), url, None), resume).await?
        {
            part.discard().await?;
        }
        Ok(Err(tried))
    }

    async fn stream(
        &mut self,
        url: &Url,
        kind: &str,
        part: &mut D::Part,
        body: &mut F::Body,
        total: Option<u64>,
    ) -> Result<Tried, Trouble> {
        body.accept(self.job.is_taken);
        let (mut synced, mut flow, began) = (part.bytes(), Flow::default(), self.run.clock.now());
        self.furthest = self.furthest.max(part.bytes());
        let settings = self.run.settings;
        let mut gathered = Gathered::default();
        loop {
            let mut next = self.unless_stopped(flow.next(body, self.run.clock, settings.idle_ms)).await;
            if let Some(body::Next::Piece(piece)) = &mut next {
                gathered.add(std::mem::take(piece));
                let has = part.bytes().saturating_add(gathered.len() as u64);
                if has > settings.bytes_max {
                    return self.unwanted(part, Tried::Never(too_large(settings.bytes_max))).await;
                }
                // Of less nobody can tell what it is.
                let enough = if part.bytes() == 0 { MESSAGE_BYTES_MAX } else { 1 };
                if gathered.len() < settings.gathered_bytes.max(enough) {
                    continue;
                }
            }
            let is_cut = matches!(next, None | Some(body::Next::Broken(_)));
            if let Some(tried) = self.begin(part, &mut gathered, is_cut, (kind, url)).await? {
                return Ok(tried);
            }
            self.keep(part, &mut gathered, total).await?;
            match next {
                Some(body::Next::Piece(_)) if self.streamed_since(began) > settings.file_ms_max => {
                    self.checkpoint(part).await?;
                    return Ok(self.too_slow());
                }
                Some(body::Next::Piece(_)) if part.bytes() - synced < settings.checkpoint_bytes => {}
                Some(body::Next::Piece(_)) => {
                    self.checkpoint(part).await?;
                    synced = part.bytes();
                    self.lacks_room(None).await?;
                }
                Some(body::Next::End) => return self.ended(part, total).await,
                // It is told by its first bytes: nothing is kept of it.
                Some(body::Next::Unfit(words)) => return self.unwanted(part, Tried::Gone(words)).await,
                Some(body::Next::Broken(words)) => {
                    self.checkpoint(part).await?;
                    return Ok(self.broken(part, words, began));
                }
                None => {
                    self.checkpoint(part).await?;
                    return Ok(Tried::Stopped);
                }
            }
        }
    }

    /// Writes what has been gathered, and takes account of what is still to come.
    async fn keep(&self, part: &mut D::Part, gathered: &mut Gathered, total: Option<u64>) -> Result<(), Trouble> {
        if gathered.len() > 0 {
            part.add(gathered.take()).await?;
            let more = total.map(|total| (self.key(), total.saturating_sub(part.bytes())));
            self.shared.coming.borrow_mut().extend(more);
        }
        Ok(())
    }

    fn broken(&mut self, part: &D::Part, words: String, began: UnixMs) -> Tried {
        // A server that cannot go on where it broke off sends the same bytes again and again.
        let advanced = part.bytes() >= self.furthest.saturating_add(PROGRESS_BYTES_MIN);
        self.furthest = self.furthest.max(part.bytes());
        self.streamed_ms = self.streamed_since(began);
        Tried::Again(Again { words, after_ms: None, advanced, silent: true })
    }

    /// Looks at the first bytes: whether they are a message, and what they are.
    async fn begin(
        &mut self,
        part: &mut D::Part,
        gathered: &mut Gathered,
        is_cut: bool,
        (kind, url): (&str, &Url),
    ) -> Result<Option<Tried>, Trouble> {
        if part.bytes() > 0 {
            return Ok(None);
        }
        let mut first = gathered.joined();
        if self.is_message(&first, kind, url) {
            if !(is_cut && first.len() < MESSAGE_BYTES_MAX) {
                let words = "the address answers with a page or a message and not with the result".to_owned();
                self.forget_message().await?;
                return self.unwanted(part, Tried::Gone(words)).await.map(Some);
            }
            // It may be more than that, and so little is no loss.
            gathered.take();
            first.clear();
        }
        self.named_as_it_is(part, ending(Some(kind), url, media::recognise(&first))).await
    }

    /// Whether what begins so is no result. A person who has taken it for one knows better.
    fn is_message(&self, bytes: &[u8], kind: &str, url: &Url) -> bool {
        !self.job.is_taken && is_message(bytes, kind, url, &self.job.endpoint.result)
    }

    fn streamed_since(&self, began: UnixMs) -> u64 {
        let ms = u64::try_from(self.run.clock.now().since_ms(began)).unwrap_or(0);
        self.streamed_ms.saturating_add(ms)
    }

    /// Its host sends just enough to count as a flow: a run would last for days.
    fn too_slow(&self) -> Tried {
        let words = format!("it was not whole after {} hours", self.run.settings.file_ms_max / 3_600_000);
        Tried::Again(Again { words, after_ms: Some(u64::MAX), advanced: false, silent: true })
    }

    /// The body is at its end.
    async fn ended(&mut self, part: &mut D::Part, total: Option<u64>) -> Result<Tried, Trouble> {
        let bytes = part.bytes();
        if let Some(total) = total.filter(|total| *total != bytes) {
            part.begin_anew().await?;
            return Ok(again(format!("it ended after {bytes} of {total} bytes"), true));
        }
        if bytes == 0 {
            return Ok(again("it is empty", false));
        }
        self.finish(part).await
    }

    /// The result stands in the answer that delivered it.
    pub(super) async fn take_from_answer(&mut self, url: &Url, part: Option<D::Part>) -> Result<Tried, Trouble> {
        let Some(answer) = self.run.ledger.delivery(self.job.key).await? else {
            return Ok(Tried::Gone("the ledger holds no answer of it".to_owned()));
        };
        let found = match inline_result(&answer, &self.job.endpoint.result, url, self.number) {
            Ok(found) => found,
            Err(none) => return Ok(Tried::Gone(chain(&none))),
        };
        // Of text in a data URI its type is all that is known.
        if media::is_media(&found.media_type) && self.is_message(&found.bytes, &found.media_type, url) {
            return Ok(Tried::Gone(
                "the answer that delivered it is a page or a message and not the result".to_owned(),
            ));
        }
        let bytes = found.bytes.len() as u64;
        if bytes > self.run.settings.bytes_max {
            return Ok(Tried::Never(too_large(self.run.settings.bytes_max)));
        }
        if let Some(tried) = self.lacks_room(Some(bytes)).await? {
            return Ok(tried);
        }
        let seen = media::recognise(&found.bytes);
        let mut part = match self.fresh_part(part, ending(Some(&found.media_type), url, seen), None).await? {
            Ok(part) => part,
            Err(tried) => return Ok(tried),
        };
        part.add(vec![found.bytes.into()]).await?;
        self.finish(&mut part).await
    }
}

/// Whether it stands behind the same gate as the purchase: then it is asked for with what was paid for. It is never paid for.
const fn is_gate(head: &FetchHead) -> bool {
    matches!(head.status, 401 | 402)
}
