-- From schema 1 to schema 2. One section a subject.

-- Words of a person: more kinds of them than schema 1 allowed.
ALTER TABLE decisions RENAME TO decisions_1;
CREATE TABLE decisions (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES jobs (id),
    at INTEGER NOT NULL,
    decision TEXT NOT NULL CHECK (decision IN ('unpaid', 'lost', 'rebuy', 'retry', 'delivered', 'keep', 'retake')),
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

-- The same purchase under another name.
--   edition      what a job is compared within, where its manifest says so
--   row_content  the content of the job's row in the manifest, where that is another than the job's own (as of `last_load`)
--   meant        a person said to buy this job although it is bought elsewhere
ALTER TABLE jobs ADD COLUMN edition TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN row_content BLOB CHECK (length(row_content) = 32);
ALTER TABLE jobs ADD COLUMN meant INTEGER NOT NULL DEFAULT 0 CHECK (meant IN (0, 1));
CREATE INDEX jobs_bought ON jobs (content)
    WHERE state IN ('running', 'in_doubt', 'paid', 'delivered', 'downloaded', 'refund_offered', 'lost');
-- The manifest's own limits, as the last load found them: whoever runs a batch by its results has no manifest at hand.
ALTER TABLE batches ADD COLUMN limits TEXT;
-- Which ledger this is, wherever its file lies: a copy is the same ledger.
CREATE TABLE ledger_id (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    id BLOB NOT NULL CHECK (length(id) = 16)
) STRICT;
INSERT INTO ledger_id VALUES (1, randomblob(16));

-- What is paid for and not delivered: when the first success was answered, when a person last said to ask again, and when the one redeem
-- more was sent that may follow a success.
ALTER TABLE payments ADD COLUMN heard_at INTEGER;
ALTER TABLE payments ADD COLUMN retried_at INTEGER;
ALTER TABLE payments ADD COLUMN replayed_at INTEGER;

-- Payments: for how many blocks one may lock its money (none: lnd's default, 2016), and what its node must still know.
ALTER TABLE payments ADD COLUMN cltv_limit INTEGER CHECK (cltv_limit > 0);
DROP INDEX payments_settled;
CREATE INDEX payments_settled ON payments (node, paid_at) WHERE preimage IS NOT NULL;
CREATE INDEX payments_decided ON payments (batch, job) WHERE dead_proof = 'decided';
DROP TABLE nodes;
CREATE TABLE witnesses (
    node TEXT PRIMARY KEY CHECK (node <> ''),
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    at INTEGER NOT NULL
) STRICT;
