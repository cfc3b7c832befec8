-- The newest schema, in one piece: what an empty file gets. An older ledger is brought to the very same by the steps `v2.sql` and on, so
-- what changes here changes in the newest step too, and a test compares them. A column that came later stands at the end of its
-- table's columns, since that is where ALTER TABLE puts it.
--
-- No check that a purchase meets has a list of more than two words: SQLite makes a table of such a list whenever it writes a row.
--
-- `payments` changes with every step of a purchase and stays small; what an intent holds never changes and may be large, so it stands
-- in `intents`, which no update rewrites.

-- Which ledger this is, wherever its file lies: a copy is the same ledger. And how many intents were ever made with it: what stands
-- beside its locks says when it has become an older one. And how often what a view shows was written: a view that was made since
-- then is as the ledger is.
CREATE TABLE ledger_id (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    id BLOB NOT NULL CHECK (length(id) = 16),
    intents INTEGER NOT NULL CHECK (intents >= 0),
    changes INTEGER NOT NULL CHECK (changes >= 0)
) STRICT;
INSERT INTO ledger_id VALUES (1, randomblob(16), 0, 0);

--   limits       the manifest's own, as the last load found them: whoever runs a batch by its results has no manifest at hand
--   written      its files as it wrote them last: what each was made of, and by what it is known to stand there untouched
--   loaded       the digest of the plan that the last load read, where rows have not come or changed in another way since
CREATE TABLE batches (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE CHECK (name <> ''),
    manifest TEXT NOT NULL,
    sandbox INTEGER NOT NULL CHECK (sandbox IN (0, 1)),
    remembered TEXT NOT NULL,
    fingerprint TEXT,
    accepted_msat INTEGER CHECK (accepted_msat >= 0),
    loads INTEGER NOT NULL DEFAULT 0,
    accepted_load INTEGER NOT NULL DEFAULT 0 CHECK (accepted_load <= loads),
    held_msat INTEGER NOT NULL DEFAULT 0 CHECK (held_msat >= 0),
    spent_msat INTEGER NOT NULL DEFAULT 0 CHECK (spent_msat >= 0),
    fees_msat INTEGER NOT NULL DEFAULT 0 CHECK (fees_msat >= 0),
    refunded_msat INTEGER NOT NULL DEFAULT 0 CHECK (refunded_msat BETWEEN 0 AND spent_msat + held_msat),
    created_at INTEGER NOT NULL,
    last_run_at INTEGER NOT NULL,
    limits TEXT,
    loaded BLOB CHECK (length(loaded) = 32),
    written TEXT,
    plan TEXT CHECK (plan <> '')
) STRICT;

CREATE TABLE endpoints (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    json TEXT NOT NULL
) STRICT;

--   merged       a take that a merge made, since both ledgers had paid for the job, or might have. Where one of the two turns out never
--                to have been paid, they become one again, and what happened to it is told of the one that stays
--   more         further results of the answer that delivered: a list of their addresses, and how far the file of each has come
-- The same purchase under another name:
--   edition      what a job is compared within, where its manifest says so
--   row_content  the content of the job's row in the manifest, where that is another than the job's own (as of `last_load`)
--   meant        a person said to buy this job although it is bought elsewhere
--   kept         the content of its row at which a person said to leave the job as it is
--   given        what the manifest gave of the job: the hash of its content without the parameters that have their
--                endpoint's default; none where it is not known
--   row_given    the same of its row, where that is another
--   begun        0: nothing of it was ever bought, which its state has to allow; 1: something may have been. What is found by this changes
--                once in a job's life, and not with each of its states
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    batch INTEGER NOT NULL REFERENCES batches (id),
    job TEXT NOT NULL CHECK (job <> ''),
    take INTEGER NOT NULL CHECK (take >= 1),
    superseded INTEGER NOT NULL DEFAULT 0 CHECK (superseded IN (0, 1)),
    seq INTEGER NOT NULL CHECK (seq >= 0),
    line INTEGER NOT NULL CHECK (line >= 0),
    endpoint INTEGER NOT NULL REFERENCES endpoints (id),
    content BLOB NOT NULL CHECK (length(content) = 32),
    price_msat INTEGER NOT NULL CHECK (price_msat >= 0),
    fee_ceiling_msat INTEGER NOT NULL CHECK (fee_ceiling_msat >= 0),
    max_cost_msat INTEGER CHECK (max_cost_msat >= 0),
    state TEXT NOT NULL CHECK (state = 'pending' OR state = 'running' OR state = 'in_doubt' OR state = 'paid'
        OR state = 'delivered' OR state = 'downloaded' OR state = 'refused' OR state = 'failed'
        OR state = 'refund_offered' OR state = 'refunded' OR state = 'lost'),
    reason TEXT NOT NULL,
    error TEXT,
    attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    started_at INTEGER,
    finished_at INTEGER,
    wait_until INTEGER,
    url TEXT,
    file TEXT,
    file_key TEXT,
    resume TEXT,
    sha256 TEXT,
    first_load INTEGER NOT NULL,
    last_load INTEGER NOT NULL,
    params TEXT NOT NULL,
    extra TEXT NOT NULL,
    merged INTEGER NOT NULL DEFAULT 0 CHECK (merged IN (0, 1)),
    edition TEXT NOT NULL DEFAULT '',
    row_content BLOB CHECK (length(row_content) = 32),
    meant INTEGER NOT NULL DEFAULT 0 CHECK (meant IN (0, 1)),
    kept BLOB CHECK (length(kept) = 32),
    given BLOB CHECK (length(given) = 32),
    row_given BLOB CHECK (length(row_given) = 32),
    begun INTEGER NOT NULL DEFAULT 1
        CHECK (begun = 1 OR (begun = 0 AND (state = 'pending' OR state = 'refused' OR state = 'failed'))),
    more TEXT,
    UNIQUE (batch, job, take),
    CHECK (state NOT IN ('delivered', 'downloaded') OR url IS NOT NULL),
    CHECK (state <> 'downloaded' OR (file IS NOT NULL AND sha256 IS NOT NULL)),
    CHECK ((file IS NULL) = (file_key IS NULL))
) STRICT;
CREATE INDEX jobs_by_seq ON jobs (batch, seq);
CREATE INDEX jobs_by_file ON jobs (file_key) WHERE file_key IS NOT NULL;
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

-- An endpoint that was asked, known by its URL without the query; its origin is host and port.
CREATE TABLE endpoint_urls (
    id INTEGER PRIMARY KEY,
    url TEXT NOT NULL UNIQUE CHECK (url <> ''),
    origin TEXT NOT NULL CHECK (origin <> ''),
    delivered_at INTEGER
) STRICT;
CREATE INDEX endpoint_urls_by_origin ON endpoint_urls (origin);

--   heard_at     when the first success was answered
--   retried_at   when a person last said to ask again
--   replayed_at  when the one redeem more was sent that may follow a success
--   cltv_limit   for how many blocks it may lock its money; none: lnd's default, 2016
--   undelivered  1: begun since the endpoint's last delivery, and neither delivered nor dead; 2: paid for besides, and answered without
--                a delivery, or waited for in vain; or given up by a person; 0: anything else
--   rejected     the origin rejects what was paid for: 401 or 402 to a credential that was good, and no 2xx since
--   token_at     what it brings is good for further requests to its endpoint, until the origin refuses it: when it was intended, and later
--                than every such payment there before it, whatever the clock showed; NULL where it serves its own job alone
CREATE TABLE payments (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES jobs (id),
    batch INTEGER NOT NULL REFERENCES batches (id),
    payment_hash BLOB NOT NULL UNIQUE CHECK (length(payment_hash) = 32),
    state TEXT NOT NULL CHECK (state = 'intended' OR state = 'paid' OR state = 'posted' OR state = 'dead'),
    amount_msat INTEGER NOT NULL CHECK (amount_msat > 0),
    fee_limit_msat INTEGER NOT NULL CHECK (fee_limit_msat >= 0),
    fee_msat INTEGER CHECK (fee_msat >= 0),
    payment_index INTEGER CHECK (payment_index >= 0),
    node TEXT NOT NULL CHECK (node <> ''),
    day TEXT,
    month TEXT,
    sends_begun INTEGER NOT NULL CHECK (sends_begun >= 1),
    sends_answered INTEGER NOT NULL DEFAULT 0 CHECK (sends_answered BETWEEN 0 AND sends_begun),
    sent_at INTEGER NOT NULL,
    send_answered_at INTEGER,
    node_said TEXT,
    node_said_at INTEGER,
    accepted INTEGER NOT NULL DEFAULT 0 CHECK (accepted IN (0, 1)),
    redeems INTEGER NOT NULL DEFAULT 0 CHECK (redeems >= 0),
    preimage BLOB CHECK (length(preimage) = 32),
    dead_proof TEXT CHECK (dead_proof = 'failed_and_answered' OR dead_proof = 'failed_and_expired'
        OR dead_proof = 'not_found_and_answered' OR dead_proof = 'not_found_and_expired'
        OR dead_proof = 'decided'),
    poll_url TEXT,
    poll_interval_ms INTEGER CHECK (poll_interval_ms >= 0),
    intended_at INTEGER NOT NULL,
    paid_at INTEGER,
    posted_at INTEGER,
    answered_at INTEGER,
    delivered_at INTEGER,
    dead_at INTEGER,
    heard_at INTEGER,
    retried_at INTEGER,
    replayed_at INTEGER,
    cltv_limit INTEGER CHECK (cltv_limit > 0),
    endpoint_url INTEGER REFERENCES endpoint_urls (id),
    undelivered INTEGER NOT NULL DEFAULT 0 CHECK (undelivered IN (0, 1, 2)),
    rejected INTEGER NOT NULL DEFAULT 0 CHECK (rejected IN (0, 1)),
    token_at INTEGER,
    CHECK ((state IN ('paid', 'posted')) = (preimage IS NOT NULL)),
    CHECK ((state = 'dead') = (dead_proof IS NOT NULL)),
    CHECK (state <> 'posted' OR fee_msat IS NOT NULL),
    CHECK (state = 'posted' OR fee_msat IS NULL),
    CHECK (delivered_at IS NULL OR preimage IS NOT NULL),
    CHECK ((poll_url IS NULL) = (poll_interval_ms IS NULL)),
    CHECK (node_said IS NULL OR node_said_at IS NOT NULL)
) STRICT;
CREATE INDEX payments_by_batch ON payments (batch);
-- By the proof, which with the state is there or not: it changes once, where the state changes with each step.
CREATE UNIQUE INDEX payments_one_live ON payments (job) WHERE dead_proof IS NULL;
CREATE INDEX payments_open ON payments (batch, job)
    WHERE (state = 'intended' OR state = 'paid' OR (state = 'posted' AND delivered_at IS NULL));
CREATE INDEX payments_settled ON payments (node, paid_at) WHERE preimage IS NOT NULL;
CREATE INDEX payments_decided ON payments (batch, job) WHERE dead_proof = 'decided';
CREATE INDEX payments_by_job ON payments (job);
CREATE INDEX payments_undelivered ON payments (endpoint_url, undelivered) WHERE undelivered > 0;
CREATE INDEX payments_rejected ON payments (endpoint_url) WHERE rejected = 1;
CREATE INDEX payments_held ON payments (node) WHERE state = 'intended';
CREATE INDEX payments_token ON payments (endpoint_url, token_at) WHERE token_at IS NOT NULL;
CREATE INDEX payments_token_undelivered ON payments (endpoint_url) WHERE token_at IS NOT NULL AND delivered_at IS NULL;

--   headers      what was in the head of the request by its endpoint's word, name and value each
--   challenge    its parts, each a name and its value; {"is":"token"} or {"is":"invoice"} where that is what stands in the column of this name
CREATE TABLE intents (
    payment INTEGER PRIMARY KEY REFERENCES payments (id),
    request_digest BLOB NOT NULL CHECK (length(request_digest) = 32),
    method TEXT NOT NULL CHECK (method = 'GET' OR method = 'POST' OR method = 'PUT'),
    url TEXT NOT NULL,
    scheme TEXT NOT NULL CHECK (scheme IN ('L402', 'LSAT', 'Payment')),
    token TEXT NOT NULL,
    challenge TEXT NOT NULL,
    invoice TEXT NOT NULL,
    payee TEXT NOT NULL,
    network TEXT NOT NULL,
    invoice_expires_at INTEGER NOT NULL,
    credential_expires_at INTEGER NOT NULL,
    body_sha256 BLOB CHECK (length(body_sha256) = 32),
    body BLOB,
    headers TEXT NOT NULL DEFAULT '[]',
    CHECK ((body IS NULL) <> (body_sha256 IS NULL))
) STRICT;
CREATE INDEX intents_by_request ON intents (request_digest);
CREATE INDEX intents_by_body ON intents (body_sha256) WHERE body_sha256 IS NOT NULL;

CREATE TABLE answers (
    id INTEGER PRIMARY KEY,
    payment INTEGER NOT NULL REFERENCES payments (id),
    kind TEXT NOT NULL CHECK (kind IN ('redeem', 'poll')),
    at INTEGER NOT NULL,
    status INTEGER NOT NULL,
    interpreted INTEGER NOT NULL DEFAULT 0 CHECK (interpreted IN (0, 1)),
    headers TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX answers_by_payment ON answers (payment);

-- Jobs that were asked for with what another job's payment has brought: nothing was paid for them. The answer, whole.
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

CREATE TABLE refunds (
    payment INTEGER PRIMARY KEY REFERENCES payments (id),
    batch INTEGER NOT NULL REFERENCES batches (id),
    state TEXT NOT NULL CHECK (state IN ('offered', 'claimed', 'settled', 'expired')),
    link TEXT,
    offered_at INTEGER NOT NULL,
    hash BLOB UNIQUE CHECK (length(hash) = 32),
    invoice TEXT,
    amount_msat INTEGER CHECK (amount_msat > 0),
    node TEXT,
    made_at INTEGER,
    expires_at INTEGER,
    callback TEXT,
    k1 TEXT,
    handovers INTEGER NOT NULL DEFAULT 0 CHECK (handovers >= 0),
    handed_at INTEGER,
    words TEXT,
    words_at INTEGER,
    received_msat INTEGER CHECK (received_msat > 0),
    settled_at INTEGER,
    CHECK ((state = 'offered') = (hash IS NULL)),
    CHECK (hash IS NULL OR (invoice IS NOT NULL AND amount_msat IS NOT NULL AND node IS NOT NULL
        AND made_at IS NOT NULL AND expires_at IS NOT NULL AND callback IS NOT NULL AND k1 IS NOT NULL
        AND handovers > 0)),
    CHECK ((state = 'settled') = (received_msat IS NOT NULL)),
    CHECK ((received_msat IS NULL) = (settled_at IS NULL))
) STRICT;
CREATE INDEX refunds_by_batch ON refunds (batch);
CREATE TRIGGER refunds_have_one_invoice BEFORE UPDATE OF hash ON refunds WHEN OLD.hash IS NOT NULL
    BEGIN SELECT RAISE (ABORT, 'a refund has one invoice, ever'); END;

CREATE TABLE transitions (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES jobs (id),
    at INTEGER NOT NULL,
    from_state TEXT NOT NULL,
    to_state TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;
CREATE INDEX transitions_by_job ON transitions (job);
-- Which job it is of may change: takes that a merge made become one again.
CREATE TRIGGER transitions_stay BEFORE UPDATE OF id, at, from_state, to_state, reason ON transitions
    BEGIN SELECT RAISE (ABORT, 'transitions are only appended'); END;
-- The history of a take goes with it where it never came to a payment and is taken back.
CREATE TRIGGER transitions_are_kept BEFORE DELETE ON transitions
    WHEN (SELECT take FROM jobs WHERE id = OLD.job) = 1 OR EXISTS (SELECT 1 FROM payments WHERE job = OLD.job)
    BEGIN SELECT RAISE (ABORT, 'transitions are only appended'); END;

-- Words of a person.
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
-- One purchase at an origin that gets no more payments. It is used up by a payment that is not dead.
CREATE TABLE trusts (
    origin TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    batch INTEGER NOT NULL REFERENCES batches (id),
    at INTEGER NOT NULL,
    payment INTEGER REFERENCES payments (id),
    lapsed_at INTEGER,
    PRIMARY KEY (origin, number)
) STRICT, WITHOUT ROWID;

-- What was merged into this ledger, and what was discarded by a person's word.
CREATE TABLE merges (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    file TEXT NOT NULL,
    what TEXT NOT NULL CHECK (what IN ('merged', 'receipts', 'discarded'))
) STRICT;

-- What a node must still know, where nothing has settled there.
CREATE TABLE witnesses (
    node TEXT PRIMARY KEY CHECK (node <> ''),
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    at INTEGER NOT NULL
) STRICT;

CREATE TABLE periods (
    kind TEXT NOT NULL CHECK (kind IN ('day', 'month')),
    name TEXT NOT NULL CHECK (name <> ''),
    held_msat INTEGER NOT NULL DEFAULT 0 CHECK (held_msat >= 0),
    spent_msat INTEGER NOT NULL DEFAULT 0 CHECK (spent_msat >= 0),
    refunded_msat INTEGER NOT NULL DEFAULT 0 CHECK (refunded_msat BETWEEN 0 AND spent_msat + held_msat),
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

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
