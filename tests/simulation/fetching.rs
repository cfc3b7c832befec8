//! The servers at which results stand, and the way to them.

use std::rc::Rc;

use bytes::Bytes;
use l402_batch::error::SharedError;
use l402_batch::origin::{Fetch, FetchBody, FetchFailure, FetchHead};
use l402_batch::purchase::Credential;
use url::Url;

use super::coverage::Sight;
use super::files::Flaw;
use super::timeline::sleep;
use super::world::World;

/// The way to the results.
pub struct SimFetch(pub Rc<World>);

/// How a body comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Whole,
    /// The connection breaks after so many bytes.
    Breaks(usize),
    /// It ends after so many bytes, as if it were the end.
    Ends(usize),
    /// A byte at a time, each after a long while.
    Drips,
}

pub struct SimBody {
    world: Rc<World>,
    rest: Vec<u8>,
    sent: usize,
    manner: Manner,
}

impl Fetch for SimFetch {
    type Body = SimBody;

    async fn get(
        &self,
        url: &Url,
        _: &Url,
        part: Option<(u64, &str)>,
        _: Option<&Credential>,
    ) -> Result<(FetchHead, SimBody), FetchFailure> {
        let (world, files) = (&self.0, &self.0.files);
        world.point("before a fetch").await;
        sleep(world, files.between(1, 200)).await;
        if files.strikes(world, Flaw::Refused) {
            return Err(FetchFailure::Broken(SharedError::new("connection refused")));
        }
        world.point("a fetch is answered").await;
        Ok(self.answer(url.as_str(), part))
    }
}

impl SimFetch {
    fn answer(&self, url: &str, part: Option<(u64, &str)>) -> (FetchHead, SimBody) {
        let (world, files) = (&self.0, &self.0.files);
        let mut served = files.served.borrow().get(url).copied().unwrap_or_default();
        served.gone |= files.strikes(world, Flaw::GoneForGood);
        let gone = served.gone || files.strikes(world, Flaw::GoneForNow);
        let page = !gone && files.strikes(world, Flaw::Page);
        served.missed |= gone || page;
        let changes = files.strikes(world, Flaw::Changes);
        served.version += u32::from(changes);
        files.served.borrow_mut().insert(url.to_owned(), served);
        if gone || page {
            let (status, kind) = if gone { (404, "text/plain") } else { (200, "text/html") };
            return self.said(status, kind, None);
        }
        if files.strikes(world, Flaw::TurnedAway) {
            let retry_after_ms = (files.between(0, 1) == 0).then(|| 1_000 * files.between(1, 900) as u64);
            return self.said(503, "text/plain", retry_after_ms);
        }
        let (head, body) = self.content(&files.content(url, served.version), served.version, part);
        // What it has now may be shorter than what it had, and nothing tells that it is another version.
        served.missed |= head.version.is_none() && served.version > 0;
        files.served.borrow_mut().insert(url.to_owned(), served);
        (head, body)
    }

    fn said(&self, status: u16, kind: &str, retry_after_ms: Option<u64>) -> (FetchHead, SimBody) {
        let rest = b"<html>not here</html>".to_vec();
        let head = FetchHead {
            status,
            content_type: Some(kind.to_owned()),
            length: Some(rest.len() as u64),
            ends_marked: true,
            retry_after_ms,
            ..FetchHead::default()
        };
        (head, SimBody { world: Rc::clone(&self.0), rest, sent: 0, manner: Manner::Whole })
    }

    fn content(&self, whole: &[u8], version: u32, part: Option<(u64, &str)>) -> (FetchHead, SimBody) {
        let (world, files) = (&self.0, &self.0.files);
        let (total, word) = (whole.len() as u64, format!("\"{version}\""));
        let mut from = part.filter(|(_, known)| *known == word).map(|(from, _)| from);
        world.saw_if(part.is_some() && from.is_none(), Sight::FetchedAnew);
        if files.strikes(world, Flaw::NoRange) {
            from = None;
        }
        world.saw_if(from.is_some(), Sight::FetchResumed);
        let off = if from.is_some() && files.strikes(world, Flaw::WrongRange) { files.between(-2, 2) } else { 0 };
        let begins = from.map_or(0, |from| from.saturating_add_signed(off).min(total));
        let rest = whole[usize::try_from(begins).unwrap_or(0)..].to_vec();
        let is_sized = from.is_some() || !files.strikes(world, Flaw::Unsized);
        let head = FetchHead {
            status: if from.is_some() { 206 } else { 200 },
            content_type: Some("video/mp4".to_owned()),
            length: is_sized.then_some(rest.len() as u64),
            range: from.map(|_| (begins, total)),
            version: (!files.strikes(world, Flaw::NoVersion)).then_some(word),
            ends_marked: true,
            ..FetchHead::default()
        };
        let somewhere = usize::try_from(files.between(0, rest.len() as i64)).unwrap_or(0);
        let manner = if files.strikes(world, Flaw::Breaks) {
            Manner::Breaks(somewhere)
        } else if is_sized && files.strikes(world, Flaw::EndsEarly) {
            Manner::Ends(somewhere)
        } else if files.strikes(world, Flaw::Drips) {
            Manner::Drips
        } else {
            Manner::Whole
        };
        (head, SimBody { world: Rc::clone(&self.0), rest, sent: 0, manner })
    }
}

impl FetchBody for SimBody {
    async fn piece(&mut self) -> Result<Option<Bytes>, FetchFailure> {
        let world = Rc::clone(&self.world);
        let drips = self.manner == Manner::Drips && !world.is_calm();
        sleep(&world, if drips { 20_000 } else { world.files.between(1, 50) }).await;
        let most = match self.manner {
            Manner::Breaks(at) | Manner::Ends(at) => at,
            Manner::Whole | Manner::Drips => self.rest.len(),
        };
        let left = most.saturating_sub(self.sent);
        if left == 0 && matches!(self.manner, Manner::Breaks(_)) {
            world.saw(Sight::FetchBroke);
            return Err(FetchFailure::Broken(SharedError::new("connection reset")));
        }
        if left == 0 {
            return Ok(None);
        }
        let length = if drips { 1 } else { left.min(left / 2 + 1) };
        let piece = Bytes::copy_from_slice(&self.rest[self.sent..self.sent + length]);
        self.sent += length;
        Ok(Some(piece))
    }
}
