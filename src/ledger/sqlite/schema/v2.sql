-- From schema 1 to schema 2. One section a subject.

-- Words of a person: more kinds of them than schema 1 allowed.
ALTER TABLE decisions RENAME TO decisions_1;
CREATE TABLE decisions (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES jobs (id),
    at INTEGER NOT NULL,
    decision TEXT NOT NULL CHECK (decision IN ('unpaid', 'lost', 'rebuy', 'retry', 'delivered', 'keep')),
    note TEXT NOT NULL CHECK (note <> ''),
    evidence TEXT NOT NULL
) STRICT;
INSERT INTO decisions SELECT * FROM decisions_1;
DROP TABLE decisions_1;
