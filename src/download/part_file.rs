//! A file's name, its part, and what of both is durable.

use std::io;

use super::disk::{Disk, PartFile};
use super::name::candidate;
use super::transfer::{Transfer, Tried, Trouble, again};
use crate::ledger::{Deliveries, DownloadedFile, FetchMark, Record, Resume};
use crate::origin::Fetch;
use crate::run::Clock;

/// Names that are tried where the first ones are taken.
const NAMES_MAX: u32 = 100_000;

/// What an earlier try left of a file.
pub(super) enum Left<P> {
    Whole,
    Part(P),
    Nothing,
}

impl<L: Deliveries, F: Fetch, D: Disk, C: Clock> Transfer<'_, L, F, D, C> {
    /// What an earlier try or run left. A whole file that only lacked its name gets it here.
    pub(super) async fn left_part(&mut self) -> Result<Left<D::Part>, Trouble> {
        let folder = self.folder();
        let Some(mark) = self.job.mark.clone().filter(|mark| path_below(folder, &mark.file).is_some()) else {
            self.job.mark = None;
            return Ok(Left::Nothing);
        };
        let disk = self.run.disk;
        let Some(sha256) = mark.sha256 else {
            let (synced, known) = mark.resume.map_or((0, None), |resume| (resume.synced, resume.sha256));
            let Some(mut part) = disk.go_on(&mark.file, synced).await? else { return Ok(Left::Nothing) };
            // Somebody has written into it, or the disk has lost some of it: the rest would not belong to it.
            if part.bytes() > 0 && Some(part.sha256()) != known {
                part.begin_anew().await?;
            }
            return Ok(Left::Part(part));
        };
        if let Some(mut part) = disk.go_on(&mark.file, u64::MAX).await? {
            if part.sha256() == sha256 && self.publish(&mut part).await? {
                return Ok(Left::Whole);
            }
            part.discard().await?;
            return Ok(Left::Nothing);
        }
        Ok(if disk.is_whole(&mark.file, sha256).await? { Left::Whole } else { Left::Nothing })
    }

    /// An empty part under a name of its own, and its durable mark.
    pub(super) async fn fresh_part(
        &mut self,
        part: Option<D::Part>,
        ending: &str,
        resume: Option<Resume>,
    ) -> Result<Result<D::Part, Tried>, Trouble> {
        let known = self.job.mark.as_ref().map(|mark| mark.file.clone());
        let shared = self.shared;
        let _naming = shared.naming.lock().await;
        let (file, part) = match (part, known) {
            (Some(mut part), Some(file)) => {
                if part.bytes() > 0 {
                    part.begin_anew().await?;
                }
                (file, part)
            }
            (_, _) => match self.claim(ending).await? {
                Some(claimed) => claimed,
                None => {
                    return Ok(Err(Tried::Never(
                        "every name for it is taken; choose others with --download-name".to_owned(),
                    )));
                }
            },
        };
        self.mark(FetchMark { file, resume, sha256: None }).await?;
        Ok(Ok(part))
    }

    /// Gives a part that is still empty another name, where its first bytes show that it ends otherwise than its type has said.
    pub(super) async fn named_as_it_is(&mut self, part: &mut D::Part, ending: &str) -> Result<Option<Tried>, Trouble> {
        let Some(mark) = self.job.mark.clone().filter(|mark| ending_of(&mark.file) != Some(ending)) else {
            return Ok(None);
        };
        part.discard().await?;
        match self.fresh_part(None, ending, mark.resume).await? {
            Ok(named) => *part = named,
            Err(tried) => return Ok(Some(tried)),
        }
        Ok(None)
    }

    /// A name that is nobody's, held by its empty part.
    async fn claim(&self, ending: &str) -> Result<Option<(String, D::Part)>, Trouble> {
        let (stem, least) = self.stem();
        let first = self.shared.numbers.borrow().get(&stem).copied().unwrap_or(0).max(least);
        self.make_folders(&stem).await?;
        for n in first..first.saturating_add(NAMES_MAX) {
            let file = format!("{}/{}", self.folder(), candidate(&stem, ending, n));
            if self.is_taken(&file).await? {
                continue;
            }
            let Some(mut part) = self.run.disk.begin(&file).await? else { continue };
            // Once more: whoever had the part before may have given the file its name since.
            if self.is_taken(&file).await? {
                part.discard().await?;
                continue;
            }
            self.shared.numbers.borrow_mut().insert(stem, n);
            return Ok(Some((file, part)));
        }
        Ok(None)
    }

    /// Makes the folders that a name leads into.
    async fn make_folders(&self, stem: &str) -> Result<(), Trouble> {
        if let Some((below, _)) = stem.rsplit_once('/') {
            self.run.disk.make_folders(self.folder(), below).await?;
        }
        Ok(())
    }

    /// Without a slash at its end.
    fn folder(&self) -> &str {
        self.run.settings.folder.trim_end_matches('/')
    }

    async fn is_taken(&self, file: &str) -> Result<bool, Trouble> {
        Ok(self.run.disk.is_taken(file).await? || self.run.ledger.is_file_of_another(self.job.key, file).await?)
    }

    /// Why there is no room for so many more bytes, if there is none.
    pub(super) async fn lacks_room(&self, more: Option<u64>) -> Result<Option<Tried>, Trouble> {
        let (room, least) = (self.run.disk.room(&self.run.settings.folder).await?, self.run.settings.room_min);
        if room < least {
            return Err(Trouble::Disk(io::ErrorKind::StorageFull.into()));
        }
        let coming = self.shared.coming_beside(self.key());
        let lacks = more.filter(|more| (room - least).saturating_sub(coming) < *more);
        self.shared.coming.borrow_mut().extend(more.filter(|_| lacks.is_none()).map(|more| (self.key(), more)));
        Ok(lacks.map(|more| {
            let words = lacking_words(&self.run.settings.folder, more, room, (least, coming));
            // What is bought next is as large, most likely.
            self.run.feed.block(&words);
            Tried::Never(words)
        }))
    }

    /// What has come so far is on the disk, and the ledger knows how much that is.
    pub(super) async fn checkpoint(&mut self, part: &mut D::Part) -> Result<(), Trouble> {
        let Some(mark) = self.job.mark.clone() else { return Ok(()) };
        let Some(resume) = mark.resume.filter(|resume| !resume.version.is_empty()) else { return Ok(()) };
        if resume.synced == part.bytes() {
            return Ok(());
        }
        part.sync().await?;
        let resume = Some(Resume { synced: part.bytes(), sha256: Some(part.sha256()), ..resume });
        self.mark(FetchMark { resume, ..mark }).await
    }

    async fn mark(&mut self, mark: FetchMark) -> Result<(), Trouble> {
        let record = Record::Fetching(self.job.key, self.number, mark.clone());
        self.run.ledger.commit(self.run.clock.now(), record).await?;
        self.run.feed.recorded();
        self.job.mark = Some(mark);
        Ok(())
    }

    /// What was known of the server's file before the last answer.
    pub(super) fn known_so_far(&mut self) -> Option<Resume> {
        match &self.job.mark {
            Some(mark) => mark.resume.clone(),
            None => self.known.take(),
        }
    }

    /// What the last answer said of its length was said of something else; what was known before still counts.
    pub(super) async fn forget_message(&mut self) -> Result<(), Trouble> {
        self.told = None;
        let Some(mark) = self.job.mark.clone() else { return Ok(()) };
        // Nothing of it is on the disk any more.
        let resume = self.known.clone().map(|known| Resume { synced: 0, sha256: None, ..known });
        if mark.resume == resume { Ok(()) } else { self.mark(FetchMark { resume, ..mark }).await }
    }

    /// What came is nothing to go on with.
    pub(super) async fn unwanted(&mut self, part: &mut D::Part, tried: Tried) -> Result<Tried, Trouble> {
        part.discard().await?;
        self.job.mark = None;
        Ok(tried)
    }

    /// The part is whole: it gets its name, and only then the job is downloaded.
    pub(super) async fn finish(&mut self, part: &mut D::Part) -> Result<Tried, Trouble> {
        part.sync().await?;
        let Some(mark) = self.job.mark.clone() else { return Ok(again("its part has no name", false)) };
        self.mark(FetchMark { resume: None, sha256: Some(part.sha256()), ..mark }).await?;
        if self.publish(part).await? {
            return self.downloaded().await;
        }
        self.unwanted(part, again("every name for it is taken", false)).await
    }

    /// Gives the whole part its name; where somebody has taken that meanwhile, the next free one. What came is not thrown
    /// away for a name: its address may not serve it again.
    async fn publish(&mut self, part: &mut D::Part) -> Result<bool, Trouble> {
        let Some(mark) = self.job.mark.clone() else { return Ok(false) };
        if part.publish(&mark.file).await? {
            return Ok(true);
        }
        let ending = mark.file.rsplit_once('.').map_or("bin", |(_, ending)| ending).to_owned();
        let (stem, least) = self.stem();
        let shared = self.shared;
        let _naming = shared.naming.lock().await;
        self.make_folders(&stem).await?;
        for n in least.saturating_add(1)..NAMES_MAX {
            let file = format!("{}/{}", self.folder(), candidate(&stem, &ending, n));
            if self.is_taken(&file).await? || self.run.disk.is_taken(&part_name(&file)).await? {
                continue;
            }
            self.mark(FetchMark { file: file.clone(), ..mark.clone() }).await?;
            if part.publish(&file).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The whole file stands under its name for good. Once that is so of each result, the job is downloaded.
    pub(super) async fn downloaded(&mut self) -> Result<Tried, Trouble> {
        let Some(FetchMark { file, sha256: Some(sha256), .. }) = self.job.mark.clone() else {
            return Ok(again("its file has no digest", false));
        };
        if self.number == 0 {
            self.first = Some(DownloadedFile { file, sha256 });
        } else {
            self.files.push(file);
        }
        match &self.first {
            Some(first) if self.is_last() && self.lacks.is_none() => {
                self.commit(Record::Downloaded(self.job.key, first.clone())).await?;
                Ok(Tried::Downloaded)
            }
            Some(_) | None => Ok(Tried::Whole),
        }
    }

    /// How the file of the result in hand is called, without its ending, and the first number to try: a further one as the first one is.
    fn stem(&self) -> (String, u32) {
        let beside = self.first.as_ref().and_then(|first| path_below(self.folder(), &first.file));
        let stem = beside.map(|name| name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned());
        let number = u32::try_from(self.number).unwrap_or(u32::MAX);
        (stem.unwrap_or_else(|| self.run.settings.name.stem(&self.job)), number)
    }
}

/// The part of another job may stand there, whose name that is.
fn part_name(file: &str) -> String {
    format!("{file}.part")
}

fn ending_of(file: &str) -> Option<&str> {
    file.rsplit_once('.').map(|(_, ending)| ending)
}

/// The file's path from that folder, where it is in it or in one below.
fn path_below<'f>(folder: &str, file: &'f str) -> Option<&'f str> {
    file.strip_prefix(folder)?.strip_prefix('/')
}

/// Bytes of a MiB.
const MIB: u64 = 1 << 20;

/// That so many bytes more do not fit onto the disk, of which `least` stay free and `coming` are for what is on its way: the first
/// number is what is missing.
fn lacking_words(folder: &str, more: u64, free: u64, (least, coming): (u64, u64)) -> String {
    // There is no less free room than is said, and of all the rest no more.
    let mib = |bytes: u64| crate::money::thousands(bytes.div_ceil(MIB));
    let missing = more.saturating_sub(free.saturating_sub(least).saturating_sub(coming));
    let beside = if coming == 0 { String::new() } else { format!(", {} MiB for what is coming", mib(coming)) };
    format!(
        "{} MiB are missing for the {} MiB that are still to come; the disk of {folder} has {} MiB free{beside}, of which {} MiB are \
         left to others",
        mib(missing),
        mib(more),
        crate::money::thousands(free / MIB),
        mib(least)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said() {
        let said = |coming: u64| lacking_words("/films", 6 << 20, 68 << 20, (64 << 20, coming << 20));
        let rest = "/films has 68 MiB free";
        assert!(
            said(0).starts_with("2 MiB are missing for the 6 MiB that are still to come; the disk of "),
            "{}",
            said(0)
        );
        assert!(
            said(1).starts_with("3 MiB are missing ") && said(1).contains("1 MiB for what is coming"),
            "{}",
            said(1)
        );
        assert!(said(0).contains(rest), "{}", said(0));
        let odd = lacking_words("/films", (6 << 20) + 1, (69 << 20) - 1, (64 << 20, 0));
        assert!(odd.starts_with("2 MiB are missing for the 7 MiB that are still to come"), "{odd}");
        assert!(odd.contains(rest), "{odd}");
    }
}
