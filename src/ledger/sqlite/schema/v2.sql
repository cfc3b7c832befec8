-- From schema 1 to schema 2. One section a subject.

-- Checks that say the same without a list: SQLite makes a table of one with more than two words whenever it writes a row. No row is touched.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'state IN (''pending'', ''running'', ''in_doubt'', ''paid'', ''delivered'', ''downloaded'',
        ''refused'', ''failed'', ''refund_offered'', ''refunded'', ''lost'')',
        'state = ''pending'' OR state = ''running'' OR state = ''in_doubt'' OR state = ''paid''
        OR state = ''delivered'' OR state = ''downloaded'' OR state = ''refused'' OR state = ''failed''
        OR state = ''refund_offered'' OR state = ''refunded'' OR state = ''lost''')
    WHERE type = 'table' AND name = 'jobs';
UPDATE sqlite_schema SET sql = replace(replace(replace(sql,
        'state IN (''intended'', ''paid'', ''posted'', ''dead'')',
        'state = ''intended'' OR state = ''paid'' OR state = ''posted'' OR state = ''dead'''),
        'dead_proof IN (''failed_and_answered'', ''failed_and_expired'', ''not_found_and_answered'',
        ''not_found_and_expired'', ''decided'')',
        'dead_proof = ''failed_and_answered'' OR dead_proof = ''failed_and_expired''
        OR dead_proof = ''not_found_and_answered'' OR dead_proof = ''not_found_and_expired''
        OR dead_proof = ''decided'''),
        'state NOT IN (''intended'', ''paid'', ''dead'') OR fee_msat IS NULL',
        'state = ''posted'' OR fee_msat IS NULL')
    WHERE type = 'table' AND name = 'payments';
-- And one word more: a request may be a PUT.
UPDATE sqlite_schema SET sql = replace(sql, 'method IN (''GET'', ''POST'')',
        'method = ''GET'' OR method = ''POST'' OR method = ''PUT''')
    WHERE type = 'table' AND name = 'intents';
PRAGMA writable_schema = RESET;

-- What was in the head of the request by its endpoint's word, as JSON: the table may say something else when it is sent again.
ALTER TABLE intents ADD COLUMN headers TEXT NOT NULL DEFAULT '[]';

-- Words of a person: more kinds of them than schema 1 allowed.
ALTER TABLE decisions RENAME TO decisions_1;
CREATE TABLE decisions (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES jobs (id),
    at INTEGER NOT NULL,
    decision TEXT NOT NULL CHECK (
        decision IN ('unpaid', 'lost', 'rebuy', 'retry', 'delivered', 'served', 'keep', 'retake')
    ),
    note TEXT NOT NULL CHECK (note <> ''),
    evidence TEXT NOT NULL
) STRICT;
INSERT INTO decisions SELECT * FROM decisions_1;
DROP TABLE decisions_1;

-- What was merged into this ledger, and what was discarded by a person's word.
CREATE TABLE merges (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    file TEXT NOT NULL,
    what TEXT NOT NULL CHECK (what IN ('merged', 'receipts', 'discarded'))
) STRICT;
-- A take that a merge made, since both ledgers had paid for the job, or might have. Where one of the two turns out never to
-- have been paid, they become one again, and what happened to it is told of the one that stays.
ALTER TABLE jobs ADD COLUMN merged INTEGER NOT NULL DEFAULT 0 CHECK (merged IN (0, 1));
CREATE INDEX transitions_by_job ON transitions (job);
DROP TRIGGER transitions_stay;
CREATE TRIGGER transitions_stay BEFORE UPDATE OF id, at, from_state, to_state, reason ON transitions
    BEGIN SELECT RAISE (ABORT, 'transitions are only appended'); END;

-- The same purchase under another name.
--   edition      what a job is compared within, where its manifest says so
--   row_content  the content of the job's row in the manifest, where that is another than the job's own (as of `last_load`)
--   given        what the manifest gave of the job: the hash of its content without the parameters that have their
--                endpoint's default; none where it is not known
--   row_given    the same of its row, where that is another
--   meant        a person said to buy this job although it is bought elsewhere
--   kept         the content of its row at which a person said to leave the job as it is
ALTER TABLE jobs ADD COLUMN edition TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN row_content BLOB CHECK (length(row_content) = 32);
ALTER TABLE jobs ADD COLUMN meant INTEGER NOT NULL DEFAULT 0 CHECK (meant IN (0, 1));
ALTER TABLE jobs ADD COLUMN kept BLOB CHECK (length(kept) = 32);
ALTER TABLE jobs ADD COLUMN given BLOB CHECK (length(given) = 32);
ALTER TABLE jobs ADD COLUMN row_given BLOB CHECK (length(row_given) = 32);
-- 0: nothing of it was ever bought, which its state has to allow; 1: something may have been. What is found by this changes once in a
-- job's life, and not with each of its states.
ALTER TABLE jobs ADD COLUMN begun INTEGER NOT NULL DEFAULT 1
    CHECK (begun = 1 OR (begun = 0 AND (state = 'pending' OR state = 'refused' OR state = 'failed')));
UPDATE jobs SET begun = 0 WHERE state IN ('pending', 'refused', 'failed');
DROP INDEX jobs_by_state;
CREATE INDEX jobs_bought ON jobs (content) WHERE begun = 1;
CREATE INDEX jobs_bought_as_given ON jobs (given) WHERE begun = 1;
CREATE INDEX jobs_further ON jobs (batch) WHERE take > 1;
-- How a batch stands is counted from this index alone, and jobs of a state are found by it.
CREATE INDEX jobs_counted ON jobs (batch, state, reason, superseded, price_msat, fee_ceiling_msat);
CREATE INDEX jobs_to_fetch ON jobs (batch, seq) WHERE state = 'delivered';
-- What loading the same plan once more does not leave as it stands, and what is to be bought. The condition is no IN: SQLite makes a table
-- of such a list whenever it writes a row, which doubles what that costs.
CREATE INDEX jobs_unsettled ON jobs (batch, seq) WHERE superseded = 0
    AND (state = 'pending' OR state = 'refused' OR state = 'failed' OR row_content IS NOT NULL
        OR ((state = 'delivered' OR state = 'downloaded') AND reason <> ''));
-- The history of a take goes with it where it never came to a payment and is taken back.
DROP TRIGGER transitions_are_kept;
CREATE TRIGGER transitions_are_kept BEFORE DELETE ON transitions
    WHEN (SELECT take FROM jobs WHERE id = OLD.job) = 1 OR EXISTS (SELECT 1 FROM payments WHERE job = OLD.job)
    BEGIN SELECT RAISE (ABORT, 'transitions are only appended'); END;
-- The manifest's own limits, as the last load found them: whoever runs a batch by its results has no manifest at hand.
ALTER TABLE batches ADD COLUMN limits TEXT;
-- The digest of the plan that the last load read, where rows have not come or changed in another way since.
ALTER TABLE batches ADD COLUMN loaded BLOB CHECK (length(loaded) = 32);
-- Its files as it wrote them last: what each was made of, and by what it is known to stand there untouched.
ALTER TABLE batches ADD COLUMN written TEXT;
-- The saved plan that began it, by its own identity.
ALTER TABLE batches ADD COLUMN plan TEXT CHECK (plan <> '');
-- Which ledger this is, wherever its file lies: a copy is the same ledger. And how many intents were ever made with it: what stands
-- beside its locks says when it has become an older one. And how often what a view shows was written: a view that was made since
-- then is as the ledger is.
CREATE TABLE ledger_id (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    id BLOB NOT NULL CHECK (length(id) = 16),
    intents INTEGER NOT NULL CHECK (intents >= 0),
    changes INTEGER NOT NULL CHECK (changes >= 0)
) STRICT;
INSERT INTO ledger_id VALUES (1, randomblob(16), (SELECT count(*) FROM payments), 0);

-- What is paid for and not delivered: when the first success was answered, when a person last said to ask again, and when the one redeem
-- more was sent that may follow a success.
ALTER TABLE payments ADD COLUMN heard_at INTEGER;
ALTER TABLE payments ADD COLUMN retried_at INTEGER;
ALTER TABLE payments ADD COLUMN replayed_at INTEGER;
UPDATE payments SET heard_at = (SELECT min(at) FROM answers
        WHERE payment = payments.id AND kind = 'redeem' AND status BETWEEN 200 AND 299)
    WHERE preimage IS NOT NULL AND job IN (SELECT id FROM jobs WHERE state IN ('paid', 'lost')
        AND reason IN ('unknown_answer', 'processing', 'origin_failed', 'content_filtered', 'invalid_input'));

-- Payments: for how many blocks one may lock its money (none: lnd's default, 2016), and what its node must still know.
ALTER TABLE payments ADD COLUMN cltv_limit INTEGER CHECK (cltv_limit > 0);
DROP INDEX payments_one_live;
DROP INDEX payments_open;
DROP INDEX payments_settled;
-- By the proof, which with the state is there or not: it changes once, where the state changes with each step.
CREATE UNIQUE INDEX payments_one_live ON payments (job) WHERE dead_proof IS NULL;
CREATE INDEX payments_open ON payments (batch, job)
    WHERE (state = 'intended' OR state = 'paid' OR (state = 'posted' AND delivered_at IS NULL));
CREATE INDEX payments_settled ON payments (node, paid_at) WHERE preimage IS NOT NULL;
CREATE INDEX payments_decided ON payments (batch, job) WHERE dead_proof = 'decided';
CREATE INDEX payments_by_job ON payments (job);
DROP TABLE nodes;
CREATE TABLE witnesses (
    node TEXT PRIMARY KEY CHECK (node <> ''),
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    at INTEGER NOT NULL
) STRICT;

-- What endpoints have taken without delivering, what a node holds, and a person's trust. An endpoint is known by its URL
-- without the query; its origin is host and port.
CREATE TABLE endpoint_urls (
    id INTEGER PRIMARY KEY,
    url TEXT NOT NULL UNIQUE CHECK (url <> ''),
    origin TEXT NOT NULL CHECK (origin <> ''),
    delivered_at INTEGER
) STRICT;
CREATE INDEX endpoint_urls_by_origin ON endpoint_urls (origin);
INSERT INTO endpoint_urls (url, origin)
    SELECT DISTINCT u.url, substr(u.rest, 1, instr(u.rest || '/', '/') - 1)
    FROM (SELECT s.url, substr(s.url, instr(s.url, '://') + 3) AS rest
        FROM (SELECT substr(url, 1, instr(url || '?', '?') - 1) AS url FROM intents) s) u;
ALTER TABLE payments ADD COLUMN endpoint_url INTEGER REFERENCES endpoint_urls (id);
UPDATE payments SET endpoint_url = e.id FROM intents i JOIN endpoint_urls e
    ON e.url = substr(i.url, 1, instr(i.url || '?', '?') - 1) WHERE i.payment = payments.id;
UPDATE endpoint_urls SET delivered_at = d.at
    FROM (SELECT endpoint_url, max(delivered_at) AS at FROM payments GROUP BY endpoint_url) d
    WHERE d.endpoint_url = endpoint_urls.id;
-- 1: begun since the endpoint's last delivery, and neither delivered nor dead; 2: paid for besides, and answered without a
-- delivery, or waited for in vain; or given up by a person; 0: anything else.
ALTER TABLE payments ADD COLUMN undelivered INTEGER NOT NULL DEFAULT 0 CHECK (undelivered IN (0, 1, 2));
UPDATE payments SET undelivered = CASE WHEN j.state IN ('lost', 'refund_offered', 'refunded')
        OR (j.state = 'paid' AND j.reason NOT IN ('', 'processing')) THEN 2 ELSE 1 END
    FROM jobs j, endpoint_urls e
    WHERE j.id = payments.job AND e.id = payments.endpoint_url AND payments.state <> 'dead'
        AND payments.delivered_at IS NULL AND (e.delivered_at IS NULL OR payments.intended_at > e.delivered_at);
CREATE INDEX payments_undelivered ON payments (endpoint_url, undelivered) WHERE undelivered > 0;
-- The origin rejects what was paid for: 401 or 402 to a credential that was good, and no 2xx since.
ALTER TABLE payments ADD COLUMN rejected INTEGER NOT NULL DEFAULT 0 CHECK (rejected IN (0, 1));
UPDATE payments SET rejected = 1
    FROM intents i WHERE i.payment = payments.id AND payments.undelivered > 0
        AND EXISTS (SELECT 1 FROM answers a WHERE a.payment = payments.id AND a.kind = 'redeem'
            AND a.status IN (401, 402) AND a.at <= i.credential_expires_at)
        AND NOT EXISTS (SELECT 1 FROM answers a WHERE a.payment = payments.id AND a.status BETWEEN 200 AND 299);
CREATE INDEX payments_rejected ON payments (endpoint_url) WHERE rejected = 1;
CREATE INDEX payments_held ON payments (node) WHERE state = 'intended';
-- What a payment brings is good for further requests to its endpoint, until the origin refuses it; and the jobs that were asked for with
-- that: nothing was paid for them. The answer, whole.
ALTER TABLE payments ADD COLUMN token_at INTEGER;
CREATE INDEX payments_token ON payments (endpoint_url, token_at) WHERE token_at IS NOT NULL;
CREATE INDEX payments_token_undelivered ON payments (endpoint_url) WHERE token_at IS NOT NULL AND delivered_at IS NULL;
CREATE TABLE served (
    job INTEGER PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    payment INTEGER NOT NULL REFERENCES payments (id),
    at INTEGER NOT NULL,
    status INTEGER NOT NULL,
    headers TEXT NOT NULL,
    body BLOB NOT NULL,
    request_digest BLOB NOT NULL CHECK (length(request_digest) = 32)
) STRICT;
CREATE INDEX served_by_payment ON served (payment);
CREATE INDEX served_by_request ON served (request_digest);
-- A person's word: one purchase at an origin that gets no more payments. It is used up by a payment that is not dead.
CREATE TABLE trusts (
    origin TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    batch INTEGER NOT NULL REFERENCES batches (id),
    at INTEGER NOT NULL,
    payment INTEGER REFERENCES payments (id),
    lapsed_at INTEGER,
    PRIMARY KEY (origin, number)
) STRICT, WITHOUT ROWID;

-- Further results of the answer that delivered: a list of their addresses, and how far the file of each has come.
ALTER TABLE jobs ADD COLUMN more TEXT;
-- What an origin has of us in a day, in a month, and in all: kept from the first purchase on that a limit of it was held against, and the
-- sum over the payments at its endpoints.
CREATE TABLE origin_periods (
    origin TEXT NOT NULL CHECK (origin <> ''),
    period TEXT NOT NULL CHECK (period <> ''),
    held_msat INTEGER NOT NULL CHECK (held_msat >= 0),
    spent_msat INTEGER NOT NULL CHECK (spent_msat >= 0),
    refunded_msat INTEGER NOT NULL CHECK (refunded_msat BETWEEN 0 AND spent_msat + held_msat),
    PRIMARY KEY (origin, period)
) STRICT, WITHOUT ROWID;
-- What a person says of takes. A mark that was taken back stays, as '': of two ledgers that are merged the newer word counts.
CREATE TABLE marks (
    job INTEGER PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    mark TEXT NOT NULL CHECK (mark = 'pick' OR mark = 'reject' OR mark = ''),
    note TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
