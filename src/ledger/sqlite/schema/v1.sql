-- Schema 1, as version 0.1 wrote it. It never changes: what came since stands in the steps that follow.
--
-- `payments` changes with every step and stays small; what an intent holds never changes and may be large, so it stands
-- in `intents`, which no update rewrites.

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
    last_run_at INTEGER NOT NULL
) STRICT;

CREATE TABLE endpoints (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    json TEXT NOT NULL
) STRICT;

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
    state TEXT NOT NULL CHECK (state IN ('pending', 'running', 'in_doubt', 'paid', 'delivered', 'downloaded',
        'refused', 'failed', 'refund_offered', 'refunded', 'lost')),
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
    UNIQUE (batch, job, take),
    CHECK (state NOT IN ('delivered', 'downloaded') OR url IS NOT NULL),
    CHECK (state <> 'downloaded' OR (file IS NOT NULL AND sha256 IS NOT NULL)),
    CHECK ((file IS NULL) = (file_key IS NULL))
) STRICT;
CREATE INDEX jobs_by_seq ON jobs (batch, seq);
CREATE INDEX jobs_by_state ON jobs (batch, state, seq);
CREATE INDEX jobs_by_file ON jobs (file_key) WHERE file_key IS NOT NULL;

CREATE TABLE payments (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES jobs (id),
    batch INTEGER NOT NULL REFERENCES batches (id),
    payment_hash BLOB NOT NULL UNIQUE CHECK (length(payment_hash) = 32),
    state TEXT NOT NULL CHECK (state IN ('intended', 'paid', 'posted', 'dead')),
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
    dead_proof TEXT CHECK (dead_proof IN ('failed_and_answered', 'failed_and_expired', 'not_found_and_answered',
        'not_found_and_expired', 'decided')),
    poll_url TEXT,
    poll_interval_ms INTEGER CHECK (poll_interval_ms >= 0),
    intended_at INTEGER NOT NULL,
    paid_at INTEGER,
    posted_at INTEGER,
    answered_at INTEGER,
    delivered_at INTEGER,
    dead_at INTEGER,
    CHECK ((state IN ('paid', 'posted')) = (preimage IS NOT NULL)),
    CHECK ((state = 'dead') = (dead_proof IS NOT NULL)),
    CHECK (state <> 'posted' OR fee_msat IS NOT NULL),
    CHECK (state NOT IN ('intended', 'paid', 'dead') OR fee_msat IS NULL),
    CHECK (delivered_at IS NULL OR preimage IS NOT NULL),
    CHECK ((poll_url IS NULL) = (poll_interval_ms IS NULL)),
    CHECK (node_said IS NULL OR node_said_at IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX payments_one_live ON payments (job) WHERE state <> 'dead';
CREATE INDEX payments_by_batch ON payments (batch);
CREATE INDEX payments_settled ON payments (node, payment_index) WHERE preimage IS NOT NULL;
CREATE INDEX payments_open ON payments (batch, job)
    WHERE (state IN ('intended', 'paid') OR (state = 'posted' AND delivered_at IS NULL));

CREATE TABLE intents (
    payment INTEGER PRIMARY KEY REFERENCES payments (id),
    request_digest BLOB NOT NULL CHECK (length(request_digest) = 32),
    method TEXT NOT NULL CHECK (method IN ('GET', 'POST')),
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
CREATE TRIGGER transitions_are_kept BEFORE DELETE ON transitions
    BEGIN SELECT RAISE (ABORT, 'transitions are only appended'); END;
CREATE TRIGGER transitions_stay BEFORE UPDATE ON transitions
    BEGIN SELECT RAISE (ABORT, 'transitions are only appended'); END;

CREATE TABLE decisions (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES jobs (id),
    at INTEGER NOT NULL,
    decision TEXT NOT NULL CHECK (decision IN ('unpaid', 'lost', 'rebuy')),
    note TEXT NOT NULL CHECK (note <> ''),
    evidence TEXT NOT NULL
) STRICT;

CREATE TABLE nodes (
    pubkey TEXT PRIMARY KEY,
    newest_settled BLOB NOT NULL CHECK (length(newest_settled) = 32),
    payment_index INTEGER CHECK (payment_index >= 0),
    settled_at INTEGER NOT NULL
) STRICT;

CREATE TABLE periods (
    kind TEXT NOT NULL CHECK (kind IN ('day', 'month')),
    name TEXT NOT NULL CHECK (name <> ''),
    held_msat INTEGER NOT NULL DEFAULT 0 CHECK (held_msat >= 0),
    spent_msat INTEGER NOT NULL DEFAULT 0 CHECK (spent_msat >= 0),
    refunded_msat INTEGER NOT NULL DEFAULT 0 CHECK (refunded_msat BETWEEN 0 AND spent_msat + held_msat),
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
